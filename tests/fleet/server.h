#ifndef BREAKER_TESTS_SERVER_H
#define BREAKER_TESTS_SERVER_H

/*
 * A private redis-server on a loopback port of its own, which is killed, stopped and started again
 * there. Its data lie in a dump that is written on demand only. Whatever goes wrong ends the
 * program with a message.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct st_server_t {
    pid_t pid; /* 0 while it does not run */
    int port;
    /** of the server that it copies, or 0 */
    int master_port;
    unsigned clients_max;
    char directory[32];
} server_t;

/**
 * Where the machine has two processors the servers have the first one to themselves from now on,
 * and this process, and whatever else it starts, the others.
 */
void server_leave_processor(void);

/**
 * Chooses a port and starts it, for as many clients and as a replica of `master_port`, unless that
 * is 0; returns when it accepts connections. False when no redis-server is installed.
 */
bool server_create(server_t *server, unsigned clients_max, int master_port);
/** Starts it again on its port, with the dump if there is one; does not wait. */
void server_start(server_t *server);
/** Kills it, where it runs, and waits until it is gone. */
void server_kill(server_t *server);
void server_pause(const server_t *server);
void server_resume(const server_t *server);
void server_drop_dump(const server_t *server);
/** Kills it and removes what it wrote. */
void server_dispose(server_t *server);

/** The processor time that the running process has used, in microseconds. */
uint64_t server_used_us(const server_t *server);

#endif
