/* The seam of loop.h over libuv. */
#include <stdbool.h>
#include <stdlib.h>
#include <uv.h>
#include "net/loop.h"
#include "net/uv_calls.h"

/* a loop of libuv and what stands between it and libh2o */
typedef struct st_loop_t {
    uv_loop_t uv; /* first: libh2o sees only this */
    breaker__uv_calls_t calls;
    bool is_closed;
} loop_t;

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

void breaker__loop_forget_stopped(h2o_loop_t *loop)
{
    /* libuv tells epoll when it closes */
    (void)loop;
}
