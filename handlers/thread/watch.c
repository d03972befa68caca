/*
 * What the two flavours of libh2o differ in. Its own loop has sockets that are watched without
 * being read, which its public header has; on libuv a handle lives until the loop has let go of it.
 */
#include <assert.h>
#include <stdbool.h>
#include <unistd.h>
#include "thread/watch.h"

struct st_breaker__watch_t {
#if H2O_USE_LIBUV
    uv_poll_t poll;
    int fd; /* owned */
#else
    h2o_socket_t *sock; /* owned, and the descriptor with it */
#endif
    breaker__watch_cb on_readable;
    void *data;
};

#if H2O_USE_LIBUV

static void on_poll(uv_poll_t *poll, int status, int events)
{
    breaker__watch_t *self = H2O_STRUCT_FROM_MEMBER(breaker__watch_t, poll, poll);

    /* after an error libuv polls no more; what it was is told by the descriptor itself */
    (void)status, (void)events;
    self->on_readable(self->data);
}

static void on_closed(uv_handle_t *poll)
{
    free(H2O_STRUCT_FROM_MEMBER(breaker__watch_t, poll, poll));
}

static bool init(breaker__watch_t *self, h2o_loop_t *loop, int fd)
{
    self->fd = fd;
    return uv_poll_init(loop, &self->poll, fd) == 0;
}

void breaker__watch_start(breaker__watch_t *self)
{
    int err = uv_poll_start(&self->poll, UV_READABLE, on_poll);

    assert(err == 0);
}

void breaker__watch_stop(breaker__watch_t *self)
{
    uv_poll_stop(&self->poll);
}

void breaker__watch_close(breaker__watch_t *self)
{
    uv_poll_stop(&self->poll);
    uv_close((uv_handle_t *)&self->poll, on_closed);
    /* only now: libuv asserts on a handle whose descriptor was closed and given out again */
    close(self->fd);
}

#else

static void on_read(h2o_socket_t *sock, const char *err)
{
    breaker__watch_t *self = sock->data;

    if (err == NULL)
        self->on_readable(self->data);
}

static bool init(breaker__watch_t *self, h2o_loop_t *loop, int fd)
{
    self->sock = h2o_evloop_socket_create(loop, fd, H2O_SOCKET_FLAG_DONT_READ);
    self->sock->data = self;
    return true;
}

void breaker__watch_start(breaker__watch_t *self)
{
    h2o_socket_read_start(self->sock, on_read);
}

void breaker__watch_stop(breaker__watch_t *self)
{
    h2o_socket_read_stop(self->sock);
}

void breaker__watch_close(breaker__watch_t *self)
{
    h2o_socket_read_stop(self->sock);
    h2o_socket_close(self->sock);
    free(self);
}

#endif

breaker__watch_t *breaker__watch_create(h2o_loop_t *loop, int fd, breaker__watch_cb on_readable,
                                        void *data)
{
    breaker__watch_t *self = h2o_mem_alloc(sizeof(*self));

    self->on_readable = on_readable;
    self->data = data;
    if (!init(self, loop, fd)) {
        free(self);
        return NULL;
    }
    return self;
}
