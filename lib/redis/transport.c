/*
 * One attempt to reach one server: look its name up, try its addresses in turn, shake hands if TLS
 * is wanted, then carry bytes. Every address gets an equal share of the time that is left, so that
 * a silent first one leaves some to the others.
 *
 * Invariants: `pending` counts what the loop still knows of us (timer, streams, look-up); memory
 * goes when it is 0 after `close`, and on_gone is the last that is heard. At most one stream is in
 * use; one that is given up is closed at once and frees itself. Nothing is told after a failure
 * was, or after `close`.
 */
#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include "redis/transport.h"

/* one socket; frees itself when the loop has closed it */
typedef struct st_stream_t {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } as;
    uv_connect_t connect;
    breaker__transport_t *transport; /* borrowed: outlives us */
} stream_t;

typedef struct st_write_t {
    uv_write_t request;
    size_t len;
    char bytes[];
} write_t;

typedef union {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
} address_t;

struct st_breaker__transport_t {
    uv_loop_t *loop; /* borrowed: outlives us */
    breaker__transport_callbacks_t callbacks;
    breaker__endpoint_t endpoint;
    uint64_t deadline_ms;

    unsigned pending;
    uv_timer_t timer; /* when it is the next address's turn; a failure that is yet to be told */
    uv_getaddrinfo_t lookup;
    bool looking_up;

    address_t addresses[BREAKER__ADDRESSES_MAX];
    size_t num_addresses, next_address;
    stream_t *stream;    /* frees itself */
    breaker__tls_t *tls; /* owned; NULL: plaintext */

    bool accepted, open, failed, closed;
    char reason[BREAKER__REASON_MAX];
    char buffer[16 * 1024];
};

static void unref(breaker__transport_t *transport)
{
    breaker__transport_callbacks_t callbacks = transport->callbacks;

    assert(transport->pending != 0);
    if (--transport->pending != 0)
        return;
    assert(transport->closed);
    assert(transport->stream == NULL);
    breaker__tls_end(transport->tls);
    OPENSSL_cleanse(transport->buffer, sizeof(transport->buffer));
    free(transport);
    callbacks.on_gone(callbacks.data);
}

/* ---- failing ---- */

static void on_stream_closed(uv_handle_t *handle)
{
    stream_t *stream = handle->data;
    breaker__transport_t *transport = stream->transport;

    free(stream);
    unref(transport);
}

static void drop_stream(breaker__transport_t *transport)
{
    stream_t *stream = transport->stream;

    if (stream == NULL)
        return;
    transport->stream = NULL;
    uv_close(&stream->as.handle, on_stream_closed);
}

static bool is_over(const breaker__transport_t *transport)
{
    return transport->failed || transport->closed;
}

static void tell_failure(breaker__transport_t *transport)
{
    assert(transport->failed && !transport->closed);
    transport->callbacks.on_failed(transport->callbacks.data, transport->reason);
}

static void on_failure_due(uv_timer_t *timer)
{
    tell_failure(timer->data);
}

static void start_timer(breaker__transport_t *transport, uv_timer_cb callback, uint64_t delay_ms)
{
    int err;

    uv_update_time(transport->loop);
    err = uv_timer_start(&transport->timer, callback, delay_ms, 0);
    assert(err == 0); /* it fails only for a closing timer or without a callback */
    (void)err;
}

/* Notes a failure that is told later, because this may be inside a call of our owner's. */
static void fail_later(breaker__transport_t *transport, const char *what, const char *why)
{
    assert(!is_over(transport));
    transport->failed = true;
    snprintf(transport->reason, sizeof(transport->reason), "%s%s%s", what,
             why[0] != '\0' ? ": " : "", why);
    drop_stream(transport);
    start_timer(transport, on_failure_due, 0);
}

/* ---- bytes ---- */

/* A write that failed is not told: the connection is broken then, which reading tells too, after
 * what the server said last, and that is often why. */
static void on_written(uv_write_t *request, int status)
{
    write_t *write = request->data;

    (void)status;
    OPENSSL_cleanse(write->bytes, write->len);
    free(write);
}

static void write_raw(breaker__transport_t *transport, const char *base, size_t len)
{
    uv_stream_t *stream = &transport->stream->as.stream;
    uv_buf_t buf;
    write_t *write;
    int err;

    if (len > BREAKER__WRITE_QUEUE_MAX ||
        uv_stream_get_write_queue_size(stream) > BREAKER__WRITE_QUEUE_MAX - len) {
        fail_later(transport, "it does not read what it is sent", "");
        return;
    }
    if ((write = malloc(sizeof(*write) + len)) == NULL) {
        fail_later(transport, "out of memory", "");
        return;
    }
    write->request.data = write;
    write->len = len;
    memcpy(write->bytes, base, len);
    buf = uv_buf_init(write->bytes, (unsigned)len);
    if ((err = uv_write(&write->request, stream, &buf, 1, on_written)) != 0) {
        free(write);
        fail_later(transport, "it could not be written to", uv_strerror(err));
    }
}

/* Sends what TLS has ready. */
static void flush_tls(breaker__transport_t *transport)
{
    const char *base;
    size_t len = breaker__tls_output(transport->tls, &base);

    if (len == 0)
        return;
    write_raw(transport, base, len);
    breaker__tls_consume(transport->tls);
}

void breaker__transport_write(breaker__transport_t *transport, const char *base, size_t len)
{
    assert(transport->open && !transport->closed);
    assert(len != 0);
    if (transport->failed)
        return;
    if (transport->tls == NULL) {
        write_raw(transport, base, len);
        return;
    }
    if (breaker__tls_write(transport->tls, base, len) == BREAKER__TLS_FAILED)
        fail_later(transport, breaker__tls_reason(transport->tls), "");
    else
        flush_tls(transport);
}

static void become_open(breaker__transport_t *transport)
{
    transport->open = true;
    uv_timer_stop(&transport->timer);
    transport->callbacks.on_open(transport->callbacks.data);
}

/* Goes on with the handshake, or hands out what was decrypted. */
static void continue_tls(breaker__transport_t *transport)
{
    breaker__tls_t *tls = transport->tls;
    breaker__tls_result_t result;
    char plain[4096];
    size_t len;

    if (!transport->open) {
        result = breaker__tls_handshake(tls);
        flush_tls(transport); /* an alert too */
        if (!is_over(transport) && result == BREAKER__TLS_DONE)
            become_open(transport);
        if (!is_over(transport) && result == BREAKER__TLS_FAILED)
            fail_later(transport, breaker__tls_reason(tls), "");
        if (result != BREAKER__TLS_DONE)
            return;
    }
    while (!is_over(transport)) {
        if ((result = breaker__tls_read(tls, plain, sizeof(plain), &len)) == BREAKER__TLS_DONE) {
            transport->callbacks.on_bytes(transport->callbacks.data, plain, len);
            continue;
        }
        if (result == BREAKER__TLS_FAILED)
            fail_later(transport, breaker__tls_reason(tls), "");
        else
            flush_tls(transport);
        return;
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    stream_t *stream = handle->data;

    (void)suggested;
    *buf = uv_buf_init(stream->transport->buffer, sizeof(stream->transport->buffer));
}

static void on_read(uv_stream_t *uv_stream, ssize_t nread, const uv_buf_t *buf)
{
    stream_t *stream = uv_stream->data;
    breaker__transport_t *transport = stream->transport;

    if (nread == 0 || is_over(transport) || transport->stream != stream)
        return;
    if (nread == UV_EOF) {
        fail_later(transport, "the server closed the connection", "");
    } else if (nread < 0) {
        fail_later(transport, "the connection broke", uv_strerror((int)nread));
    } else if (transport->tls == NULL) {
        transport->callbacks.on_bytes(transport->callbacks.data, buf->base, (size_t)nread);
    } else if (breaker__tls_feed(transport->tls, buf->base, (size_t)nread) == BREAKER__TLS_FAILED) {
        fail_later(transport, breaker__tls_reason(transport->tls), "");
    } else {
        continue_tls(transport);
    }
}

/* ---- connecting ---- */

static void try_next_address(breaker__transport_t *transport);

static stream_t *add_stream(breaker__transport_t *transport)
{
    stream_t *stream = calloc(1, sizeof(*stream));

    assert(transport->stream == NULL);
    if (stream == NULL)
        return NULL;
    stream->transport = transport;
    if (transport->endpoint.path[0] != '\0')
        uv_pipe_init(transport->loop, &stream->as.pipe, 0);
    else
        uv_tcp_init(transport->loop, &stream->as.tcp);
    stream->as.handle.data = stream;
    stream->connect.data = stream;
    transport->stream = stream;
    ++transport->pending;
    return stream;
}

/* One address did not answer as hoped. */
static void give_up_address(breaker__transport_t *transport, const char *why)
{
    drop_stream(transport);
    if (transport->next_address == transport->num_addresses)
        fail_later(transport, "it could not be connected to", why);
    else
        try_next_address(transport);
}

static void on_connected(uv_connect_t *request, int status)
{
    stream_t *stream = request->data;
    breaker__transport_t *transport = stream->transport;
    int err;

    if (status == UV_ECANCELED || is_over(transport) || transport->stream != stream)
        return;
    if (status == 0 && transport->endpoint.path[0] == '\0')
        uv_tcp_nodelay(&stream->as.tcp, 1);
    if (status == 0 && (err = uv_read_start(&stream->as.stream, on_alloc, on_read)) != 0)
        status = err;
    if (status != 0) {
        give_up_address(transport, uv_strerror(status));
        return;
    }
    uv_timer_stop(&transport->timer);
    transport->accepted = true;
    if (transport->tls == NULL)
        become_open(transport);
    else
        continue_tls(transport);
}

static void on_address_time_over(uv_timer_t *timer)
{
    give_up_address(timer->data, uv_strerror(UV_ETIMEDOUT));
}

static void try_next_address(breaker__transport_t *transport)
{
    size_t left = transport->num_addresses - transport->next_address;
    const address_t *address = &transport->addresses[transport->next_address++];
    stream_t *stream;
    uint64_t now;
    int err;

    assert(left != 0);
    if ((stream = add_stream(transport)) == NULL) {
        fail_later(transport, "out of memory", "");
        return;
    }
    uv_update_time(transport->loop);
    now = uv_now(transport->loop);
    if (left > 1 && now < transport->deadline_ms)
        start_timer(transport, on_address_time_over, (transport->deadline_ms - now) / left);
    else
        uv_timer_stop(&transport->timer);
    if ((err = uv_tcp_connect(&stream->connect, &stream->as.tcp, &address->any, on_connected)) != 0)
        give_up_address(transport, uv_strerror(err));
}

static void add_address(breaker__transport_t *transport, const struct sockaddr *found)
{
    address_t *address;

    if (transport->num_addresses == BREAKER__ADDRESSES_MAX)
        return;
    address = &transport->addresses[transport->num_addresses];
    if (found->sa_family == AF_INET)
        memcpy(&address->in, found, sizeof(address->in));
    else if (found->sa_family == AF_INET6)
        memcpy(&address->in6, found, sizeof(address->in6));
    else
        return;
    ++transport->num_addresses;
}

static void on_looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    breaker__transport_t *transport = request->data;

    transport->looking_up = false;
    if (!is_over(transport)) {
        for (const struct addrinfo *info = found; info != NULL; info = info->ai_next)
            add_address(transport, info->ai_addr);
        if (transport->num_addresses != 0)
            try_next_address(transport);
        else
            fail_later(transport, "the name was not found",
                       status != 0 ? uv_strerror(status) : "no address of it is of use");
    }
    uv_freeaddrinfo(found);
    unref(transport);
}

static void look_up(breaker__transport_t *transport)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    char port[8];
    int err;

    snprintf(port, sizeof(port), "%u", (unsigned)transport->endpoint.port);
    transport->lookup.data = transport;
    if ((err = uv_getaddrinfo(transport->loop, &transport->lookup, on_looked_up,
                              transport->endpoint.host, port, &hints)) != 0) {
        fail_later(transport, "the name could not be looked up", uv_strerror(err));
        return;
    }
    transport->looking_up = true;
    ++transport->pending;
}

static void connect_tcp(breaker__transport_t *transport)
{
    const breaker__endpoint_t *endpoint = &transport->endpoint;
    address_t address;

    memset(&address, 0, sizeof(address));
    if (uv_ip4_addr(endpoint->host, endpoint->port, &address.in) == 0 ||
        uv_ip6_addr(endpoint->host, endpoint->port, &address.in6) == 0) {
        add_address(transport, &address.any);
        try_next_address(transport);
    } else {
        look_up(transport);
    }
}

static void connect_pipe(breaker__transport_t *transport)
{
    stream_t *stream = add_stream(transport);

    if (stream == NULL)
        fail_later(transport, "out of memory", "");
    else
        uv_pipe_connect(&stream->connect, &stream->as.pipe, transport->endpoint.path, on_connected);
}

breaker__transport_t *breaker__transport_open(uv_loop_t *loop, const breaker__endpoint_t *endpoint,
                                              breaker__tls_context_t *tls, uint32_t timeout_ms,
                                              const breaker__transport_callbacks_t *callbacks)
{
    breaker__transport_t *transport = calloc(1, sizeof(*transport));

    assert(tls == NULL || endpoint->path[0] == '\0');
    if (transport == NULL)
        return NULL;
    transport->loop = loop;
    transport->callbacks = *callbacks;
    transport->endpoint = *endpoint;
    if (tls != NULL && (transport->tls = breaker__tls_create(tls, endpoint->host)) == NULL) {
        free(transport);
        return NULL;
    }
    uv_update_time(loop);
    transport->deadline_ms = uv_now(loop) + timeout_ms;
    uv_timer_init(loop, &transport->timer);
    transport->timer.data = transport;
    transport->pending = 1;
    if (endpoint->path[0] != '\0')
        connect_pipe(transport);
    else
        connect_tcp(transport);
    return transport;
}

static void on_timer_closed(uv_handle_t *handle)
{
    unref(handle->data);
}

bool breaker__transport_is_accepted(const breaker__transport_t *transport)
{
    return transport->accepted;
}

bool breaker__transport_local(const breaker__transport_t *transport,
                              struct sockaddr_storage *ret_address)
{
    int len = sizeof(*ret_address);

    assert(transport->open);
    if (transport->stream == NULL || transport->endpoint.path[0] != '\0')
        return false;
    return uv_tcp_getsockname(&transport->stream->as.tcp, (struct sockaddr *)ret_address, &len) ==
           0;
}

void breaker__transport_close(breaker__transport_t *transport)
{
    assert(!transport->closed);
    transport->closed = true;
    drop_stream(transport);
    /* One that runs already goes on, and `pending` waits for it. */
    if (transport->looking_up)
        uv_cancel((uv_req_t *)&transport->lookup);
    uv_close((uv_handle_t *)&transport->timer, on_timer_closed);
}
