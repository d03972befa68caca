/*
 * After 101 the wire that brought it carries bytes as they come, both ways (wire/wire.c), over TLS
 * too. So a tunnel is a transfer of its own on that wire, and a socket that libh2o has let go of.
 *
 *     client ─▶ sock->input ─▶ on_look, on_take      received ─▶ writing ─▶ client
 *
 * Either way has a bound, beyond which nobody reads. Whoever ends first ends both, once what the
 * other is owed has been written.
 *
 * Invariant: `sock` is NULL until the head is written, and nothing is written to it before.
 */
#include <assert.h>
#include <string.h>
#include "upstream/tunnel.h"
#include "upstream/wire/carrier.h"
#include <h2o/http1.h>

enum { INPUT_MAX = 65536 };

typedef struct st_tunnel_t {
    breaker__transfer_t transfer;
    h2o_linklist_t link;     /* of the agent's */
    breaker__agent_t *agent; /* borrowed: outlives us */
    h2o_socket_t *sock;      /* owned */
    h2o_buffer_t *writing;   /* owned */
    h2o_timeout_entry_t timer;
    bool is_writing;
    /* the client sends nothing more; what it sent has gone */
    bool has_client_ended, is_client_done;
} tunnel_t;

static void read_on(tunnel_t *self);

static tunnel_t *of_transfer(breaker__transfer_t *transfer)
{
    return H2O_STRUCT_FROM_MEMBER(tunnel_t, transfer, transfer);
}

static void destroy(tunnel_t *self)
{
    h2o_timeout_unlink(&self->timer);
    h2o_linklist_unlink(&self->link);
    if (self->sock != NULL)
        h2o_socket_close(self->sock);
    breaker__agent_end(self->agent, &self->transfer);
    h2o_buffer_dispose(&self->transfer.received);
    h2o_buffer_dispose(&self->writing);
    free(self);
}

static void restart_timer(tunnel_t *self)
{
    h2o_timeout_unlink(&self->timer);
    h2o_timeout_link(self->agent->ctx->loop, self->agent->upgraded, &self->timer);
}

static void on_timeout(h2o_timeout_entry_t *entry)
{
    destroy(H2O_STRUCT_FROM_MEMBER(tunnel_t, timer, entry));
}

/* ---- from the application ---- */

/* there is room, or something to send */
static void resume(tunnel_t *self)
{
    breaker__agent_resume(self->agent, &self->transfer);
}

static void on_written(h2o_socket_t *sock, const char *err)
{
    tunnel_t *self = sock->data;

    self->is_writing = false;
    h2o_buffer_consume(&self->writing, self->writing->size);
    if (err != NULL) {
        destroy(self);
        return;
    }
    breaker__agent_touch(self->agent, &self->transfer);
    resume(self);
}

static void write_on(tunnel_t *self)
{
    h2o_buffer_t *empty = self->writing;
    h2o_iovec_t bytes;

    assert(empty->size == 0);
    self->writing = self->transfer.received;
    self->transfer.received = empty;
    self->is_writing = true;
    bytes = h2o_iovec_init(self->writing->bytes, self->writing->size);
    h2o_socket_write(self->sock, &bytes, 1, on_written);
}

static void on_advance(breaker__transfer_t *transfer)
{
    tunnel_t *self = of_transfer(transfer);

    restart_timer(self);
    if (self->sock == NULL || self->is_writing)
        return;
    if (self->transfer.received->size != 0)
        write_on(self);
    else if (self->transfer.is_over || self->is_client_done)
        destroy(self);
    else if (!self->has_client_ended)
        read_on(self);
}

/* ---- from the client ---- */

static breaker__source_state_t on_look(breaker__transfer_t *transfer, h2o_iovec_t *ret_bytes)
{
    tunnel_t *self = of_transfer(transfer);

    if (self->sock != NULL && self->sock->input->size != 0) {
        *ret_bytes = h2o_iovec_init(self->sock->input->bytes, self->sock->input->size);
        return BREAKER__SOURCE_BYTES;
    }
    if (!self->has_client_ended)
        return BREAKER__SOURCE_LATER;
    self->is_client_done = true;
    breaker__agent_touch(self->agent, transfer);
    return BREAKER__SOURCE_END;
}

static void on_take(breaker__transfer_t *transfer, size_t len)
{
    tunnel_t *self = of_transfer(transfer);

    h2o_buffer_consume(&self->sock->input, len);
    breaker__agent_touch(self->agent, transfer);
}

/* 101 has no trailers */
static breaker__reply_state_t on_line(breaker__transfer_t *transfer, const char *line, size_t len)
{
    (void)transfer, (void)line, (void)len;
    return BREAKER__REPLY_REFUSED;
}

static void on_read(h2o_socket_t *sock, const char *err)
{
    tunnel_t *self = sock->data;

    if (err != NULL) {
        self->has_client_ended = true;
        h2o_socket_read_stop(sock);
    } else if (sock->input->size >= INPUT_MAX) {
        h2o_socket_read_stop(sock);
    }
    resume(self);
}

static void read_on(tunnel_t *self)
{
    if (self->sock->input->size < INPUT_MAX && !h2o_socket_is_reading(self->sock))
        h2o_socket_read_start(self->sock, on_read);
}

/* ---- the change ---- */

static void on_head_written(void *data, h2o_socket_t *sock, size_t request_size)
{
    tunnel_t *self = data;

    if (sock == NULL) {
        destroy(self);
        return;
    }
    self->sock = sock;
    sock->data = self;
    h2o_buffer_consume(&sock->input, request_size);
    breaker__agent_touch(self->agent, &self->transfer);
    resume(self);
}

static void set_transfer(tunnel_t *self, breaker__transfer_t *from)
{
    static const breaker__transfer_callbacks_t callbacks = {
        .on_line = on_line,
        .look = on_look,
        .take = on_take,
        .advance = on_advance,
    };
    breaker__transfer_t *transfer = &self->transfer;

    transfer->callbacks = &callbacks;
    transfer->agent = self->agent;
    h2o_buffer_init(&transfer->received, &h2o_socket_buffer_prototype);
    h2o_mem_swap(&transfer->received, &from->received, sizeof(from->received));
    breaker__carrier_pass(from, transfer);
}

void breaker__tunnel_begin(breaker__agent_t *agent, h2o_req_t *req, breaker__transfer_t *transfer,
                           h2o_iovec_t protocol)
{
    tunnel_t *self = h2o_mem_alloc(sizeof(*self));

    memset(self, 0, sizeof(*self));
    self->agent = agent;
    self->timer.cb = on_timeout;
    h2o_buffer_init(&self->writing, &h2o_socket_buffer_prototype);
    h2o_linklist_insert(&agent->tunnels, &self->link);
    h2o_timeout_link(agent->ctx->loop, agent->upgraded, &self->timer);
    set_transfer(self, transfer);
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_UPGRADE, NULL, protocol.base,
                   protocol.len);
    h2o_http1_upgrade(req, NULL, 0, on_head_written, self);
}

void breaker__tunnels_end(breaker__agent_t *agent)
{
    while (!h2o_linklist_is_empty(&agent->tunnels))
        destroy(H2O_STRUCT_FROM_MEMBER(tunnel_t, link, agent->tunnels.next));
}
