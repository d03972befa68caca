/*
 * libh2o reads nothing from a connection of HTTP/1 whose request is being answered, so a client
 * that goes meanwhile is missed by nobody. The kernel tells of its end without a byte being read:
 * what a client has sent ahead stays where it is. An application that answers at once costs no
 * system call for it: the kernel is asked once the request has been waiting for a while.
 *
 * A client that says that it sends nothing more counts as gone, as with nginx: most that do so have
 * closed, and the kernel cannot tell them from those that still read.
 */
#include <assert.h>
#include <string.h>
#include "upstream/client.h"

static void on_event(breaker__socket_user_t *user, bool is_readable, bool is_writable)
{
    breaker__client_t *self = H2O_STRUCT_FROM_MEMBER(breaker__client_t, socket_user, user);
    (void)is_readable, (void)is_writable;

    breaker__client_let_be(self);
    self->on_gone(self->data);
}

static void on_patience_over(h2o_timeout_entry_t *entry)
{
    breaker__client_t *self = H2O_STRUCT_FROM_MEMBER(breaker__client_t, patience, entry);
    h2o_socket_t *sock = self->req->conn->callbacks->get_socket(self->req->conn);

    /* a request from within the process has none */
    if (sock == NULL)
        return;
    self->fd = h2o_socket_get_fd(sock);
    breaker__sockets_want(self->sockets, self->fd, BREAKER__POLL_END, &self->socket_user);
}

void breaker__client_init(breaker__client_t *self, h2o_req_t *req, breaker__sockets_t *sockets,
                          void (*on_gone)(void *data), void *data)
{
    memset(self, 0, sizeof(*self));
    self->socket_user.on_event = on_event;
    self->sockets = sockets;
    self->req = req;
    self->patience.cb = on_patience_over;
    self->fd = -1;
    self->on_gone = on_gone;
    self->data = data;
}

void breaker__client_watch(breaker__client_t *self)
{
    h2o_context_t *ctx = self->req->conn->ctx;

    if (self->req->version >= 0x200 || self->fd != -1 || h2o_timeout_is_linked(&self->patience))
        return;
    h2o_timeout_link(ctx->loop, &ctx->hundred_ms_timeout, &self->patience);
}

void breaker__client_let_be(breaker__client_t *self)
{
    h2o_timeout_unlink(&self->patience);
    if (self->fd == -1)
        return;
    breaker__sockets_forget(self->sockets, self->fd);
    self->fd = -1;
}
