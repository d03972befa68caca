/*
 * libh2o's HTTP/1 takes every connection for a new one. What it has counted and timed so far goes
 * into its own struct before it looks at the first request: so it is given the socket without the
 * bytes, then the bytes, and is told of them as if they had just been read.
 */
#include <assert.h>
#include <string.h>
#include "fastpath/succession.h"
/* needs h2o.h before it */
#include <h2o/http1.h>

/* libh2o's connection (lib/http1.c of 2.2.5); part of its binary interface, like yoml.h */
typedef struct st_http1_conn_t {
    h2o_conn_t super;
    h2o_socket_t *sock;
    h2o_linklist_t conns;
    h2o_timeout_t *timeout;
    h2o_timeout_entry_t timeout_entry;
    uint64_t req_index;
    size_t prevreqlen, reqsize;
    void *req_entity_reader;
    struct {
        h2o_ostream_t super;
        int sent_headers;
        struct {
            void *buf;
            h2o_ostream_pull_cb cb;
        } pull;
    } ostr_final;
    struct {
        void *data;
        h2o_http1_upgrade_cb cb;
    } upgrade;
    h2o_req_t req;
} http1_conn_t;

static void set_past(http1_conn_t *conn, const breaker__past_t *past)
{
    assert(conn->req.conn == &conn->super);
    assert(conn->req_index == 1);
    conn->super.id = past->id;
    conn->req_index = past->num_answered + 1;
    conn->req.timestamps.request_begin_at = past->begun_at;
}

void breaker__http1_succeed(h2o_accept_ctx_t *accept_ctx, h2o_socket_t *sock,
                            const breaker__past_t *past)
{
    h2o_buffer_t *input = sock->input;

    assert(input->size != 0);
    h2o_buffer_init(&sock->input, &h2o_socket_buffer_prototype);
    h2o_http1_accept(accept_ctx, sock, past->connected_at);
    set_past(sock->data, past);
    h2o_buffer_dispose(&sock->input);
    sock->input = input;
    sock->_cb.read(sock, NULL);
}
