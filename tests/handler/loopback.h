#ifndef BREAKER_TESTS_LOOPBACK_H
#define BREAKER_TESTS_LOOPBACK_H

#include <stdbool.h>
#include <stddef.h>
#include <h2o.h>

/*
 * A server of one context and its clients, in the process, with no socket between them. A thread
 * may have one of its own, beside those of others. A test
 *
 *   inits a server ─▶ registers handlers at server.path ─▶ starts it
 *   opens an exchange ─▶ adds headers ─▶ runs it ─▶ looks at the response ─▶ closes it
 *
 * The client is as unkind as the rules of libh2o allow: it reads what it was sent as late as it may
 * (just before it asks for more, or after the end), and asks for more from the loop, never from
 * within a send. A wait that outlasts its deadline fails the test.
 */

typedef struct st_loopback_server_t {
    h2o_globalconf_t config;
    h2o_hostconf_t *host;
    /** "/"; moves when `loopback_register_path` is called */
    h2o_pathconf_t *path;
    h2o_context_t ctx;
    h2o_loop_t *loop;
    bool started;
} loopback_server_t;

/** Makes a configuration with one host and one path, "/". */
void loopback_server_init(loopback_server_t *server);
/** Adds a path; `server->path` is "/" still, which is asked last. */
h2o_pathconf_t *loopback_register_path(loopback_server_t *server, const char *path);
/** Initialises the context: no more handlers after this. */
void loopback_server_start(loopback_server_t *server);
/** Every exchange is closed before. */
void loopback_server_dispose(loopback_server_t *server);

/** One request and its response. The fields behind `req` are for tests to read. */
typedef struct st_loopback_t {
    h2o_conn_t super;
    loopback_server_t *server;
    h2o_ostream_t final;
    h2o_timeout_entry_t timeout;
    h2o_ostream_pull_cb pull;
    char *pull_buf;
    /** as handed to the final ostream, not yet read */
    H2O_VECTOR(h2o_iovec_t) inflight;
    h2o_send_state_t inflight_state;
    bool is_inflight, processed;
    /** set before the run: the client asks for more only in `loopback_step` */
    bool stepwise;
    h2o_req_t req;

    /** the response's head as it was when its first byte was sent; status 0 until then */
    int status;
    h2o_headers_t headers;
    /** SIZE_MAX when the head has no Content-Length */
    size_t content_length;
    bool persistent;
    h2o_buffer_t *body;
    /** how many times something was sent, and the most bytes at once */
    size_t num_sends, largest_send;
    /** the response ended, and whether with an error */
    bool complete, error;
} loopback_t;

/** A GET-like exchange over HTTP/1.1 and http; set `req.version` and so on before it is run. */
loopback_t *loopback_open(loopback_server_t *server, const char *method, const char *path);
/** Adds a request header as a connection would: a token where libh2o has one, name in lower case.
 */
void loopback_header(loopback_t *exchange, const char *name, const char *value);
/** Sets the request's body, which is copied. */
void loopback_entity(loopback_t *exchange, const void *base, size_t len);
/** Processes the request and runs the loop until the response has ended. */
void loopback_run(loopback_t *exchange);
/**
 * For stepwise exchanges: takes in what was sent last, asks for more, and runs the loop until
 * something is sent or the response has ended. The first call processes the request. Returns
 * whether there is more to come.
 */
bool loopback_step(loopback_t *exchange);
/** The client goes away, in whatever state the exchange is, and everything of it is freed. */
void loopback_close(loopback_t *exchange);

/** A response header, NUL-ended, or NULL; the first of its name, which is compared in any case. */
const char *loopback_response_header(loopback_t *exchange, const char *name);
/** A header of the request as it is now, which is how the last handler saw it. */
const char *loopback_request_header(loopback_t *exchange, const char *name);
/** How many headers of a name the response has. */
size_t loopback_count_response_headers(const loopback_t *exchange, const char *name);

/** Runs the loop for a turn that may wait for a moment. */
void loopback_turn(loopback_server_t *server);

#endif
