#ifndef BREAKER_TESTS_PAGES_H
#define BREAKER_TESTS_PAGES_H

/*
 * A server whose pages are rewritten: a node with views, and an application behind it that answers
 * everything as a test tells it to. The application keeps nothing alive for longer than libh2o's
 * rules ask: a chunk is freed as soon as it is asked for the next one.
 */
#include <breaker/h2o.h>
#include "loopback.h"

#define TOKEN "1718539201234"
#define PREFIX "/static/" TOKEN "/"
#define LITERAL "/static/{breaker}/"

typedef struct st_app_t {
    h2o_handler_t super;

    /* what to answer; the texts are borrowed */
    int status;
    /** "Name: value" each, ended by NULL */
    const char *const *headers;
    /** used instead when set: may lie in read-only memory */
    h2o_header_t *shared_headers;
    size_t num_shared_headers;
    const char *body;
    size_t body_len;
    /** bytes of a send; 0: everything at once, with the end */
    size_t chunk_len;
    /** the end comes by a send of its own */
    bool late_end;
    /** the end is an error */
    bool fails;
    bool announces_length;
    /** a request whose If-None-Match is exactly this gets a 304 with this ETag and nothing else */
    const char *etag;

    /* what happened */
    unsigned num_requests, num_ends, num_stops;
} app_t;

typedef struct st_pages_t {
    char dir[64];
    loopback_server_t server;
    breaker_node_t *node;
    app_t *app;
} pages_t;

/**
 * Makes everything but the start. The views have the given names, ended by NULL, all of them the
 * directory `dir`, which holds "page.html" with a LITERAL in it. The node is not loaded.
 */
void pages_prepare(pages_t *pages, const char *const *names);
/** The same with other settings of the rewriting. */
void pages_prepare_config(pages_t *pages, const char *const *names,
                          const breaker_h2o_rewrite_config_t *config);
/** Loads the node and starts the server. */
void pages_start(pages_t *pages);
void pages_dispose(pages_t *pages);

/** As cmocka wants it: one view, "static/{breaker}"; prepared and started. */
int pages_setup(void **state);
/** Prepared only. */
int pages_setup_unstarted(void **state);
int pages_teardown(void **state);

/** Publishes a snapshot in which every view has another token. */
void pages_set_token(pages_t *pages, const char *token);

/** A token of a node's history; `id` NULL: of the node's own release. */
typedef struct st_pages_token_t {
    const char *token, *id;
} pages_token_t;

/**
 * Publishes a snapshot of a node with the release that it was loaded with and this history, oldest
 * first. Its views have the last token of its own release.
 */
void pages_publish(breaker_node_t *node, const pages_token_t *history, size_t num);

/** What the application answers from now on: a 200 of this type and text. */
void pages_answer(pages_t *pages, const char *const *headers, const char *body, size_t len);

/** Fails unless the body is these bytes. */
void assert_body(const loopback_t *exchange, const char *base, size_t len);
/** The same of a body that is one stream of gzip. */
void assert_gzip_body(const loopback_t *exchange, const char *base, size_t len);
/** Fails unless the header is there once with this value, or is absent when `value` is NULL. */
void assert_header(loopback_t *exchange, const char *name, const char *value);
/** The same of the request that the application saw. */
void assert_seen(loopback_t *exchange, const char *name, const char *value);

#endif
