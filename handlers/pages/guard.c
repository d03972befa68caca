/*
 * Stands in front of the application's handlers at a path. libh2o frames a request's body anew
 * before it hands it on, so the application reads what we read; but whoever stands in front of us
 * may have read another request, and the next one on this connection would be one that nobody sent.
 */
#include "answer/framing.h"
#include "answer/respond.h"
#include "answer/static.h"
#include "pages/guard.h"

static int on_req(h2o_handler_t *self, h2o_req_t *req)
{
    (void)self;

    if (req->entity.base == NULL || !breaker__framing_is_ambiguous(req))
        return -1;
    req->http1_is_persistent = 0;
    return breaker__respond_bad_request(req);
}

void breaker__guard_register(h2o_pathconf_t *pathconf)
{
    h2o_handler_t *self = h2o_create_handler(pathconf, sizeof(*self));

    self->on_req = on_req;
    breaker__handler_to_front(pathconf);
}
