#ifndef BREAKER_TESTS_RESP_H
#define BREAKER_TESTS_RESP_H

/*
 * A private redis-server on a free loopback port, and a blocking client that knows as much of RESP2
 * as the script's replies need. Whatever goes wrong ends the test.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct st_resp_server_t {
    pid_t pid;
    int port;
    char directory[32];
} resp_server_t;

/** Starts one and waits until it answers; false when no redis-server is installed. */
bool resp_server_start(resp_server_t *server);
void resp_server_stop(resp_server_t *server);

typedef enum en_resp_type_t {
    RESP_NIL = '$' + 256,
    RESP_STATUS = '+',
    RESP_ERROR = '-',
    RESP_INTEGER = ':',
    RESP_STRING = '$',
    RESP_ARRAY = '*',
} resp_type_t;

typedef struct st_resp_t {
    int type;
    int64_t integer;
    char *text;                 /* owned; NUL-ended */
    struct st_resp_t *elements; /* owned */
    size_t num_elements;
} resp_t;

int resp_connect(const resp_server_t *server);
/** Sends a command and returns the reply, which the caller frees. */
resp_t *resp_command(int fd, size_t argc, const char *const *argv);
void resp_free(resp_t *reply);

#endif
