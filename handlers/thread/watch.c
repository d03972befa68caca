/*
 * What the two flavours of libh2o differ in. Its own loop has sockets that are watched without
 * being read, which its public header has; on libuv a handle lives until the loop has let go of it.
 */
#include <stdbool.h>
#include <unistd.h>
#include "thread/watch.h"

struct st_breaker__fd_watch_t {
#if H2O_USE_LIBUV
    uv_poll_t poll;
    int fd; /* owned */
#else
    h2o_socket_t *sock; /* owned, and the descriptor with it */
#endif
    void (*on_readable)(void *data);
    void *data;
};

#if H2O_USE_LIBUV

static void on_poll(uv_poll_t *poll, int status, int events)
{
    breaker__fd_watch_t *self = H2O_STRUCT_FROM_MEMBER(breaker__fd_watch_t, poll, poll);
    (void)status, (void)events;

    self->on_readable(self->data);
}

static void on_closed(uv_handle_t *poll)
{
    free(H2O_STRUCT_FROM_MEMBER(breaker__fd_watch_t, poll, poll));
}

static bool begin(breaker__fd_watch_t *self, h2o_loop_t *loop, int fd)
{
    self->fd = fd;
    if (uv_poll_init(loop, &self->poll, fd) != 0)
        return false;
    uv_poll_start(&self->poll, UV_READABLE, on_poll);
    return true;
}

static void end(breaker__fd_watch_t *self)
{
    uv_poll_stop(&self->poll);
    close(self->fd);
    uv_close((uv_handle_t *)&self->poll, on_closed);
}

#else

static void on_read(h2o_socket_t *sock, const char *err)
{
    breaker__fd_watch_t *self = sock->data;
    (void)err;

    self->on_readable(self->data);
}

static bool begin(breaker__fd_watch_t *self, h2o_loop_t *loop, int fd)
{
    if ((self->sock = h2o_evloop_socket_create(loop, fd, H2O_SOCKET_FLAG_DONT_READ)) == NULL)
        return false;
    self->sock->data = self;
    h2o_socket_read_start(self->sock, on_read);
    return true;
}

static void end(breaker__fd_watch_t *self)
{
    h2o_socket_read_stop(self->sock);
    h2o_socket_close(self->sock);
    free(self);
}

#endif

breaker__fd_watch_t *breaker__fd_watch_create(h2o_loop_t *loop, int fd,
                                              void (*on_readable)(void *data), void *data)
{
    breaker__fd_watch_t *self = h2o_mem_alloc(sizeof(*self));

    self->on_readable = on_readable;
    self->data = data;
    if (!begin(self, loop, fd)) {
        free(self);
        return NULL;
    }
    return self;
}

void breaker__fd_watch_free(breaker__fd_watch_t *watch)
{
    if (watch != NULL)
        end(watch);
}
