#ifndef BREAKER_BIN_UPLOAD_H
#define BREAKER_BIN_UPLOAD_H

/* Bodies of HTTP/1 requests that an application gets while they come. */
#include <h2o.h>
#include "http/framing.h"
#include "upstream/request/body_source.h"

/** Those of one thread. */
typedef struct st_breaker__uploads_t {
    h2o_linklist_t all;
} breaker__uploads_t;

/** Begins to read bodies on this thread; one a thread, before its first connection. */
void breaker__uploads_begin(breaker__uploads_t *uploads);
/** Ends it, after its last connection. On the same thread. */
void breaker__uploads_end(breaker__uploads_t *uploads);

/**
 * Tells whether the body of a request that is framed so can be handed on as it comes; the fields
 * are those that the parser found.
 */
bool breaker__upload_is_possible(const h2o_req_t *req, const breaker__framing_t *framing,
                                 const struct phr_header *headers, size_t num);

/**
 * Begins with one; libh2o has to be told that there is none, and that the connection ends. The head
 * takes `head_size` bytes of the connection's input; what follows it there is the body's beginning.
 * `keeps_alive` says whether the client would have the connection go on, which it does if the body
 * is whole before the answer begins. `on_unread(data)` is called when the request goes before its
 * body has come, and the connection is to be closed so that the answer arrives.
 */
void breaker__upload_begin(breaker__uploads_t *uploads, h2o_req_t *req,
                           const breaker__framing_t *framing, size_t head_size, bool keeps_alive,
                           void (*on_unread)(void *data, h2o_socket_t *sock), void *data);

#endif
