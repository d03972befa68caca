/*
 * The seam of loop.h over libuv. Listening descriptors are polled and accepted from by us, so that
 * a thread that must not accept (too many connections, no descriptors left) simply stops polling;
 * uv_listen would go on and hold one connection back.
 */
#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>
#include "server/loop.h"
#include "server/uv_calls.h"

/* a loop of libuv and what stands between it and libh2o */
typedef struct st_loop_t {
    uv_loop_t uv; /* first: libh2o sees only this */
    breaker__uv_calls_t calls;
    bool is_closed;
} loop_t;

struct st_breaker__watch_t {
    uv_poll_t poll; /* first: freed as the handle */
    int fd;         /* owned */
    breaker__watch_cb on_readable;
    void *data;
};

const char *breaker__loop_flavour(void)
{
    static char flavour[32];

    snprintf(flavour, sizeof(flavour), "libuv %s", uv_version_string());
    return flavour;
}

const h2o_iovec_t *breaker__loop_alpn(void)
{
    static const h2o_iovec_t protocols[] = {{H2O_STRLIT("http/1.1")}, {NULL, 0}};

    return protocols;
}

h2o_loop_t *breaker__loop_create(void)
{
    loop_t *loop = h2o_mem_alloc(sizeof(*loop));

    if (uv_loop_init(&loop->uv) != 0)
        h2o_fatal("no event loop");
    loop->is_closed = false;
    breaker__uv_calls_begin(&loop->calls, &loop->uv);
    return &loop->uv;
}

void breaker__loop_end(h2o_loop_t *uv)
{
    loop_t *loop = (loop_t *)uv;

    breaker__uv_calls_end(&loop->calls);
    /* closed handles are freed by their callbacks, which take a turn each to be called */
    uv_run(uv, UV_RUN_NOWAIT);
    uv_run(uv, UV_RUN_NOWAIT);
    loop->is_closed = uv_loop_close(uv) == 0;
}

void breaker__loop_free(h2o_loop_t *uv)
{
    loop_t *loop = (loop_t *)uv;

    /*
     * A loop that would not close had a proxy's timer on it. libh2o has closed and freed that
     * since, without a turn of the loop between, so the loop must not be touched any more.
     */
    if (loop->is_closed)
        free(loop);
}

void breaker__loop_run(h2o_loop_t *loop, bool waits)
{
    uv_run(loop, waits ? UV_RUN_ONCE : UV_RUN_NOWAIT);
}

h2o_socket_t *breaker__loop_adopt(h2o_loop_t *loop, int fd)
{
    uv_tcp_t *tcp = h2o_mem_alloc(sizeof(*tcp));

    if (uv_tcp_init(loop, tcp) != 0 || uv_tcp_open(tcp, fd) != 0)
        h2o_fatal("an accepted connection cannot join the event loop");
    return h2o_uv_socket_create((uv_stream_t *)tcp, (uv_close_cb)free);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    breaker__watch_t *watch = (breaker__watch_t *)poll;
    (void)events;

    /* after an error libuv polls no more; what it was is told by the descriptor itself */
    (void)status;
    watch->on_readable(watch->data);
}

breaker__watch_t *breaker__watch_create(h2o_loop_t *loop, int fd, breaker__watch_cb on_readable,
                                        void *data)
{
    breaker__watch_t *watch = h2o_mem_alloc(sizeof(*watch));

    if (uv_poll_init(loop, &watch->poll, fd) != 0)
        h2o_fatal("a listener cannot join the event loop");
    watch->fd = fd;
    watch->on_readable = on_readable;
    watch->data = data;
    return watch;
}

void breaker__watch_start(breaker__watch_t *watch)
{
    int err = uv_poll_start(&watch->poll, UV_READABLE, on_poll);

    assert(err == 0);
}

void breaker__watch_stop(breaker__watch_t *watch)
{
    uv_poll_stop(&watch->poll);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

void breaker__loop_forget_stopped(h2o_loop_t *loop)
{
    /* libuv tells epoll when it closes */
    (void)loop;
}

void breaker__watch_close(breaker__watch_t *watch)
{
    uv_poll_stop(&watch->poll);
    uv_close((uv_handle_t *)&watch->poll, on_closed);
    /* only now: libuv asserts on a handle whose descriptor was closed and given out again */
    close(watch->fd);
}
