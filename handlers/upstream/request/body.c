/*
 * A body that has come whole is sent from where it is. Of another, a piece is kept until it is
 * taken, and the next one is read after it: a client is not ahead of its application by more.
 *
 * A request may be handed on within the server after an application has answered it. If it is then
 * another one by its method, the body is not its (RFC 9110 §15.4); if it is the same one, and its
 * body was read as it came, there is none to send again.
 */
#include <assert.h>
#include <string.h>
#include "upstream/request/body.h"

enum { PIECE_SIZE = 32768 };

void breaker__body_init(breaker__body_t *self, h2o_req_t *req, void (*on_more)(void *data),
                        void *data)
{
    memset(self, 0, sizeof(*self));
    self->pool = &req->pool;
    self->on_more = on_more;
    self->data = data;
    self->has_ended = true;
    if (!h2o_memis(req->method.base, req->method.len, req->input.method.base,
                   req->input.method.len))
        return;
    if ((self->source = breaker__body_source_of(req)) != NULL) {
        self->is_there = true;
        self->is_spent = self->source->has_begun;
        self->has_ended = false;
        return;
    }
    self->is_there = req->entity.base != NULL;
    self->left = req->entity;
}

bool breaker__body_is_spent(const breaker__body_t *self)
{
    return self->is_spent;
}

void breaker__body_let_go(breaker__body_t *self)
{
    if (self->source != NULL)
        self->source->on_more = NULL;
}

bool breaker__body_is_there(const breaker__body_t *self, size_t *ret_len)
{
    *ret_len = self->source != NULL ? self->source->length : self->left.len;
    return self->is_there;
}

/* BYTES where there is a next piece */
static breaker__source_state_t read_piece(breaker__body_t *self)
{
    ssize_t len;

    if (self->piece == NULL)
        self->piece = h2o_mem_alloc_pool(self->pool, PIECE_SIZE);
    self->source->has_begun = true;
    if ((len = self->source->read(self->source, self->piece, PIECE_SIZE)) > 0) {
        self->left = h2o_iovec_init(self->piece, (size_t)len);
        return BREAKER__SOURCE_BYTES;
    }
    if (len == BREAKER__BODY_LATER) {
        self->source->on_more = self->on_more;
        self->source->data = self->data;
        return BREAKER__SOURCE_LATER;
    }
    self->has_ended = true;
    self->is_broken = len == BREAKER__BODY_BROKEN;
    return self->is_broken ? BREAKER__SOURCE_BROKEN : BREAKER__SOURCE_END;
}

breaker__source_state_t breaker__body_look(breaker__body_t *self, h2o_iovec_t *ret_bytes)
{
    breaker__source_state_t state = BREAKER__SOURCE_BYTES;

    if (self->left.len == 0) {
        if (self->is_broken)
            return BREAKER__SOURCE_BROKEN;
        if (self->has_ended)
            return BREAKER__SOURCE_END;
        state = read_piece(self);
    }
    *ret_bytes = self->left;
    return state;
}

void breaker__body_take(breaker__body_t *self, size_t len)
{
    assert(len <= self->left.len);
    self->left.base += len;
    self->left.len -= len;
}

bool breaker__body_is_broken(const breaker__body_t *self)
{
    return self->is_broken;
}

void breaker__body_answer(const breaker__body_t *self, h2o_req_t *req)
{
    assert(self->is_broken);
    switch (self->source->status) {
    case 408:
        h2o_send_error_generic(req, 408, "Request Timeout", "request timeout", 0);
        break;
    case 413:
        h2o_send_error_generic(req, 413, "Content Too Large", "content too large", 0);
        break;
    default:
        h2o_send_error_400(req, "Bad Request", "bad request", 0);
        break;
    }
}
