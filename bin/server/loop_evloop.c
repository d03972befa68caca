/*
 * The seam of loop.h over h2o's own event loop. A watch is a socket of h2o that never reads: h2o
 * calls back when the descriptor is readable and leaves the reading, here accepting, to us.
 */
#include <stdlib.h>
#include "server/loop.h"

struct st_breaker__watch_t {
    h2o_socket_t *sock; /* owned */
    breaker__watch_cb on_readable;
    void *data;
};

const char *breaker__loop_flavour(void)
{
    return "evloop";
}

const h2o_iovec_t *breaker__loop_alpn(void)
{
    static const h2o_iovec_t protocols[] = {
        {H2O_STRLIT("h2")}, {H2O_STRLIT("http/1.1")}, {NULL, 0}};

    return protocols;
}

h2o_loop_t *breaker__loop_create(void)
{
    return h2o_evloop_create();
}

void breaker__loop_end(h2o_loop_t *loop)
{
    h2o_evloop_run(loop, 0);
}

void breaker__loop_free(h2o_loop_t *loop)
{
    h2o_evloop_destroy(loop);
}

void breaker__loop_run(h2o_loop_t *loop, bool waits)
{
    h2o_evloop_run(loop, waits ? INT32_MAX : 0);
}

h2o_socket_t *breaker__loop_adopt(h2o_loop_t *loop, int fd)
{
    return h2o_evloop_socket_create(loop, fd, H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION);
}

static void on_read(h2o_socket_t *sock, const char *err)
{
    breaker__watch_t *watch = sock->data;

    if (err == NULL)
        watch->on_readable(watch->data);
}

breaker__watch_t *breaker__watch_create(h2o_loop_t *loop, int fd, breaker__watch_cb on_readable,
                                        void *data)
{
    breaker__watch_t *watch = h2o_mem_alloc(sizeof(*watch));

    watch->sock = h2o_evloop_socket_create(loop, fd, H2O_SOCKET_FLAG_DONT_READ);
    watch->sock->data = watch;
    watch->on_readable = on_readable;
    watch->data = data;
    return watch;
}

void breaker__watch_start(breaker__watch_t *watch)
{
    h2o_socket_read_start(watch->sock, on_read);
}

void breaker__watch_stop(breaker__watch_t *watch)
{
    h2o_socket_read_stop(watch->sock);
}

void breaker__loop_forget_stopped(h2o_loop_t *loop)
{
    /* it tells epoll what has changed before it waits, and closes without telling it */
    h2o_evloop_run(loop, 0);
}

void breaker__watch_close(breaker__watch_t *watch)
{
    h2o_socket_read_stop(watch->sock);
    h2o_socket_close(watch->sock);
    free(watch);
}
