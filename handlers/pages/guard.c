/*
 * Stands in front of the application's handlers at a path. Requests find their host here, and those
 * whose host is in doubt end here. libh2o frames a request's body anew
 * before it hands it on, so the application reads what we read; but whoever stands in front of us
 * may have read another request, and the next one on this connection would be one that nobody sent.
 */
#include "answer/framing.h"
#include "answer/host.h"
#include "answer/pen_h2o.h"
#include "answer/request.h"
#include "answer/static.h"
#include "pages/guard.h"

typedef struct st_guard_t {
    h2o_handler_t super;
    breaker__fixed_t fixed;
} guard_t;

static bool is_ambiguous(h2o_req_t *req)
{
    return (req->entity.base != NULL && breaker__framing_is_ambiguous(req)) ||
           breaker__host_is_ambiguous(req);
}

static int on_req(h2o_handler_t *_self, h2o_req_t *req)
{
    guard_t *self = (void *)_self;
    breaker__answer_t answer;

    if (breaker__find_host(req))
        return 0;
    if (!is_ambiguous(req))
        return -1;
    breaker__answer_fixed(&answer, &self->fixed, BREAKER__STATUS_400, breaker__is_head(req));
    answer.ends_connection = true;
    return breaker__pen_h2o_write(req, &answer);
}

static void on_dispose(h2o_handler_t *_self)
{
    guard_t *self = (void *)_self;

    breaker__fixed_dispose(&self->fixed);
}

bool breaker__is_guard(const h2o_handler_t *handler)
{
    return handler->on_req == on_req;
}

void breaker_h2o_guard_register(h2o_pathconf_t *pathconf)
{
    guard_t *self = (void *)h2o_create_handler(pathconf, sizeof(*self));

    breaker__fixed_init_default(&self->fixed, pathconf->global);
    self->super.on_req = on_req;
    self->super.dispose = on_dispose;
    breaker__handler_to_front(pathconf);
}
