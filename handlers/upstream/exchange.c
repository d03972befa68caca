/*
 * One request and its answer, on libh2o's side. Whoever carries them (transfer.h) gathers: the head
 * line by line, the body into `received`, up to a bound, beyond which it waits. `advance` tells
 * libh2o of it. A request ends whenever libh2o says so, and everything here with it, by the pool.
 *
 *     head ─▶ h2o_start_response ─▶ received ─▶ sending ─▶ h2o_send ─▶ proceed ─┐
 *                                       ▲                                      │
 *                                       └──────────── the carrier goes on ◀────┘
 *
 * Nothing is sent of an answer whose head is not complete and right; of one that ends early, what
 * came is sent, and then the connection or stream is reset, so that nobody takes it for whole.
 */
#include <assert.h>
#include <string.h>
#include "upstream/request/body.h"
#include "upstream/client.h"
#include "upstream/exchange.h"
#include "upstream/request/fields.h"
#include "upstream/reply/reply.h"
#include "upstream/reply/response.h"
#include "upstream/tunnel.h"

/* what nginx's log says of a request whose client has not waited for the answer */
enum { STATUS_OF_NONE = 499 };

/* lives in the pool of its request */
typedef struct st_exchange_t {
    h2o_generator_t super;
    breaker__transfer_t transfer;
    breaker__agent_t *agent; /* borrowed: outlives the connections of its thread */
    h2o_req_t *req;
    breaker__outgoing_t outgoing;
    breaker__body_t body;
    breaker__reply_t reply;
    breaker__client_t client;
    h2o_iovec_t location_base;
    h2o_doublebuffer_t sending;
    h2o_timeout_entry_t timer;
    h2o_timeout_t *timeout; /* borrowed: of the agent; what the timer is linked to */
    H2O_VECTOR(h2o_iovec_t) early_links;
    bool has_head, has_begun, is_late, is_client_gone;
} exchange_t;

static exchange_t *of_transfer(breaker__transfer_t *transfer)
{
    return H2O_STRUCT_FROM_MEMBER(exchange_t, transfer, transfer);
}

/* ---- time ---- */

static void stop_timer(exchange_t *self)
{
    if (h2o_timeout_is_linked(&self->timer))
        h2o_timeout_unlink(&self->timer);
}

static void set_timer(exchange_t *self, h2o_timeout_t *timeout)
{
    stop_timer(self);
    self->timeout = timeout;
    h2o_timeout_link(self->agent->ctx->loop, timeout, &self->timer);
}

/* ---- what a carrier asks and tells ---- */

/* what an application says early may be pushed; the reply forgets it with the next head */
static void keep_early_links(exchange_t *self)
{
    for (size_t i = 0; i != self->reply.fields.size; ++i) {
        const breaker__reply_field_t *field = self->reply.fields.entries + i;
        if (!h2o_memis(field->name.base, field->name.len, H2O_STRLIT("link")))
            continue;
        h2o_vector_reserve(&self->req->pool, &self->early_links, self->early_links.size + 1);
        self->early_links.entries[self->early_links.size++] = field->value;
        breaker__agent_touch(self->agent, &self->transfer);
    }
}

static breaker__reply_state_t on_line(breaker__transfer_t *transfer, const char *line, size_t len)
{
    exchange_t *self = of_transfer(transfer);
    breaker__reply_state_t state = breaker__reply_take(&self->reply, line, len);

    if (state == BREAKER__REPLY_INFORMATIONAL) {
        keep_early_links(self);
    } else if (state == BREAKER__REPLY_FINAL) {
        self->has_head = true;
        breaker__agent_touch(self->agent, transfer);
    }
    return state;
}

static breaker__source_state_t on_look(breaker__transfer_t *transfer, h2o_iovec_t *ret_bytes)
{
    exchange_t *self = of_transfer(transfer);
    breaker__source_state_t state = breaker__body_look(&self->body, ret_bytes);

    if (self->has_head)
        return state;
    if (state != BREAKER__SOURCE_LATER) {
        breaker__client_watch(&self->client);
        return state;
    }
    /* how long a client may take, and whether it is there, is for others to say: they read */
    breaker__client_let_be(&self->client);
    stop_timer(self);
    return state;
}

static void on_take(breaker__transfer_t *transfer, size_t len)
{
    exchange_t *self = of_transfer(transfer);

    breaker__body_take(&self->body, len);
    set_timer(self, self->timeout);
}

static void on_more_body(void *data)
{
    exchange_t *self = data;

    if (!self->has_head)
        set_timer(self, self->timeout);
    breaker__agent_resume(self->agent, &self->transfer);
}

static void on_client_gone(void *data)
{
    exchange_t *self = data;

    self->is_client_gone = true;
    breaker__agent_touch(self->agent, &self->transfer);
}

/* ---- to libh2o ---- */

static void let_go(exchange_t *self)
{
    breaker__body_let_go(&self->body);
    breaker__client_let_be(&self->client);
    stop_timer(self);
    breaker__agent_end(self->agent, &self->transfer);
}

static const char *reason_of(const exchange_t *self)
{
    if (self->is_late)
        return self->transfer.carrier == NULL ? "no connection became free in time"
                                              : "the application did not answer in time";
    if (self->reply.refusal != NULL)
        return self->reply.refusal;
    return self->transfer.failure != NULL ? self->transfer.failure
                                          : "the connection ended within the head of the answer";
}

static void answer_error(exchange_t *self)
{
    h2o_req_t *req = self->req;
    bool is_late = self->is_late || self->transfer.is_timeout;
    bool had_place = self->transfer.carrier != NULL;

    h2o_req_log_error(req, "upstream", "%s", reason_of(self));
    let_go(self);
    if (breaker__body_is_broken(&self->body))
        breaker__body_answer(&self->body, req);
    else if (!is_late)
        h2o_send_error_502(req, "Bad Gateway", "bad gateway", 0);
    else if (had_place)
        h2o_send_error_generic(req, 504, "Gateway Timeout", "gateway timeout", 0);
    else
        h2o_send_error_503(req, "Service Unavailable", "service unavailable", 0);
}

/* one that has only stopped sending reads it */
static void answer_nobody(exchange_t *self)
{
    h2o_req_t *req = self->req;

    let_go(self);
    req->http1_is_persistent = 0;
    h2o_send_error_generic(req, STATUS_OF_NONE, "Client Closed Request", "client closed request",
                           0);
}

static bool is_failed(const exchange_t *self)
{
    /* libcurl takes an end within the head for a good one */
    return self->is_late ||
           (self->transfer.is_over && (self->transfer.is_failed || !self->has_head));
}

static bool is_at_end(const exchange_t *self)
{
    return self->transfer.is_over || self->is_late;
}

/* what is sent next, if that is anything; the request may be gone after it */
static void send_next(exchange_t *self)
{
    h2o_iovec_t bytes;
    h2o_send_state_t state = H2O_SEND_STATE_IN_PROGRESS;

    assert(self->sending.bytes_inflight == 0);
    bytes = h2o_doublebuffer_prepare(&self->sending, &self->transfer.received,
                                     self->req->preferred_chunk_size);
    if (is_at_end(self) && bytes.len == self->sending.buf->size &&
        self->transfer.received->size == 0)
        state = is_failed(self) ? H2O_SEND_STATE_ERROR : H2O_SEND_STATE_FINAL;
    else if (bytes.len == 0)
        return;
    if (state != H2O_SEND_STATE_IN_PROGRESS)
        let_go(self);
    h2o_send(self->req, &bytes, bytes.len != 0 ? 1 : 0, state);
}

/* what came goes out next, and there is room for more */
static void turn_buffers(exchange_t *self)
{
    h2o_buffer_t *empty = self->sending.buf;

    assert(empty->size == 0);
    self->sending.buf = self->transfer.received;
    self->transfer.received = empty;
}

static void on_proceed(h2o_generator_t *generator, h2o_req_t *req)
{
    exchange_t *self = H2O_STRUCT_FROM_MEMBER(exchange_t, super, generator);
    (void)req;

    h2o_doublebuffer_consume(&self->sending);
    if (!self->transfer.is_paused || self->sending.buf->size != 0) {
        send_next(self);
        return;
    }
    turn_buffers(self);
    set_timer(self, self->agent->io);
    breaker__agent_touch(self->agent, &self->transfer);
    breaker__agent_resume(self->agent, &self->transfer);
}

static void on_stop(h2o_generator_t *generator, h2o_req_t *req)
{
    (void)req;
    let_go(H2O_STRUCT_FROM_MEMBER(exchange_t, super, generator));
}

static void push_early_links(exchange_t *self)
{
    for (size_t i = 0; i != self->early_links.size; ++i)
        h2o_push_path_in_link_header(self->req, self->early_links.entries[i].base,
                                     self->early_links.entries[i].len);
    self->early_links.size = 0;
}

/* false where somebody else answers */
static bool begin_response(exchange_t *self)
{
    h2o_req_t *req = self->req;

    self->has_begun = true;
    breaker__client_let_be(&self->client);
    if (self->reply.status == 101) {
        stop_timer(self);
        breaker__response_write(req, &self->reply, &self->agent->origin->url, self->location_base);
        breaker__tunnel_begin(self->agent, req, &self->transfer, self->reply.upgraded);
        return false;
    }
    if (breaker__response_is_redirect(req, &self->reply)) {
        let_go(self);
        breaker__response_redirect(req, &self->reply);
        return false;
    }
    breaker__response_write(req, &self->reply, &self->agent->origin->url, self->location_base);
    h2o_start_response(req, &self->super);
    return true;
}

/* between two bytes of the answer, while somebody reads */
static void time_next(exchange_t *self)
{
    if (self->transfer.is_paused || is_at_end(self))
        stop_timer(self);
    else
        set_timer(self, self->agent->io);
}

static void on_advance(breaker__transfer_t *transfer)
{
    exchange_t *self = of_transfer(transfer);

    if (!self->has_begun && self->is_client_gone) {
        answer_nobody(self);
        return;
    }
    push_early_links(self);
    if (!self->has_begun && is_failed(self)) {
        answer_error(self);
        return;
    }
    if (!self->has_head)
        return;
    time_next(self);
    if (!self->has_begun && !begin_response(self))
        return;
    if (self->sending.bytes_inflight == 0)
        send_next(self);
}

static void on_timeout(h2o_timeout_entry_t *entry)
{
    exchange_t *self = H2O_STRUCT_FROM_MEMBER(exchange_t, timer, entry);

    self->is_late = true;
    on_advance(&self->transfer);
}

/* ---- the request ---- */

static void on_dispose(void *data)
{
    exchange_t *self = data;

    let_go(self);
    h2o_buffer_dispose(&self->transfer.received);
    h2o_doublebuffer_dispose(&self->sending);
}

static h2o_iovec_t proxy_header_of(h2o_req_t *req)
{
    char *text = h2o_mem_alloc_pool(&req->pool, H2O_PROXY_HEADER_MAX_LENGTH);

    return h2o_iovec_init(text, h2o_stringify_proxy_header(req->conn, text));
}

static void describe(exchange_t *self, h2o_iovec_t target, h2o_iovec_t authority)
{
    const breaker__upstream_settings_t *settings = &self->agent->origin->settings;
    breaker__outgoing_t *outgoing = &self->outgoing;
    h2o_req_t *req = self->req;

    outgoing->method = h2o_strdup(&req->pool, req->method.base, req->method.len);
    outgoing->target = h2o_strdup(&req->pool, target.base, target.len);
    outgoing->authority = authority;
    outgoing->has_body = breaker__body_is_there(&self->body, &outgoing->body_len);
    if (settings->upgrades && req->version < 0x200 && !outgoing->has_body)
        outgoing->upgrade = req->upgrade;
    if (settings->proxy_protocol)
        outgoing->proxy_header = proxy_header_of(req);
}

/* NULL where the agent knows */
static const char *url_of(const exchange_t *self)
{
    h2o_req_t *req = self->req;

    if (self->agent->origin->base != NULL)
        return NULL;
    return h2o_concat(&req->pool, req->scheme->name, h2o_iovec_init(H2O_STRLIT("://")),
                      self->outgoing.authority)
        .base;
}

static bool is_over_tls(const exchange_t *self)
{
    const breaker__origin_t *origin = self->agent->origin;

    return (origin->base != NULL ? origin->url.scheme : self->req->scheme) == &H2O_URL_SCHEME_HTTPS;
}

static void set_transfer(exchange_t *self)
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
    transfer->pool = &self->req->pool;
    transfer->outgoing = &self->outgoing;
    transfer->url = url_of(self);
    transfer->is_over_tls = is_over_tls(self);
    transfer->reply = &self->reply;
}

static exchange_t *create(breaker__agent_t *agent, h2o_req_t *req)
{
    exchange_t *self = h2o_mem_alloc_shared(&req->pool, sizeof(*self), on_dispose);

    memset(self, 0, sizeof(*self));
    self->super.proceed = on_proceed;
    self->super.stop = on_stop;
    self->agent = agent;
    self->req = req;
    self->timer.cb = on_timeout;
    breaker__body_init(&self->body, req, on_more_body, self);
    breaker__client_init(&self->client, req, &agent->sockets, on_client_gone, self);
    h2o_buffer_init(&self->transfer.received, &h2o_socket_buffer_prototype);
    h2o_doublebuffer_init(&self->sending, &h2o_socket_buffer_prototype);
    return self;
}

static void answer_spent(h2o_req_t *req)
{
    h2o_req_log_error(req, "upstream",
                      "the request was handed on after its body had gone to an application");
    h2o_send_error_502(req, "Bad Gateway", "bad gateway", 0);
}

void breaker__exchange_begin(breaker__agent_t *agent, h2o_req_t *req, h2o_iovec_t target,
                             h2o_iovec_t authority, h2o_iovec_t location_base)
{
    const breaker__upstream_settings_t *settings = &agent->origin->settings;
    exchange_t *self = create(agent, req);

    if (breaker__body_is_spent(&self->body)) {
        answer_spent(req);
        return;
    }
    breaker__agent_use(agent);
    /* until there is another: libh2o logs a stream that was reset and tells nobody before */
    req->res.status = STATUS_OF_NONE;
    self->location_base = location_base;
    describe(self, target, authority);
    set_transfer(self);
    breaker__reply_init(&self->reply, &req->pool, self->outgoing.upgrade, settings->max_head_size,
                        settings->max_fields);
    self->reply.may_be_http2 =
        settings->http2 && self->transfer.is_over_tls && self->outgoing.upgrade.len == 0;
    if (!breaker__outgoing_build(&self->outgoing, req, settings)) {
        req->http1_is_persistent = 0;
        h2o_send_error_400(req, "Bad Request", "bad request", 0);
        return;
    }
    /* the time of one that waits for a connection counts, too, and so does its client's end */
    set_timer(self, agent->first_byte);
    breaker__client_watch(&self->client);
    breaker__agent_begin(agent, &self->transfer);
}
