/*
 * The connection that was used last is used first: those that are too many grow old and go. One
 * that ends, or says something unasked, is closed when that is seen (wire.c), and looked at again
 * before it is used, since what an application sent too much would be the next answer.
 */
#include <assert.h>
#include "upstream/wire/kept.h"

/* connections without a request */
enum { KEPT_MAX = 1024 };

static breaker__wire_t *of_link(h2o_linklist_t *link)
{
    return H2O_STRUCT_FROM_MEMBER(breaker__wire_t, link, link);
}

void breaker__kept_remove(breaker__wire_t *wire)
{
    assert(h2o_linklist_is_linked(&wire->link));
    h2o_linklist_unlink(&wire->link);
    h2o_timeout_unlink(&wire->age);
    --wire->agent->num_kept;
}

static void close_kept(breaker__wire_t *wire)
{
    breaker__kept_remove(wire);
    breaker__wire_free(wire);
}

static void on_old(h2o_timeout_entry_t *entry)
{
    close_kept(H2O_STRUCT_FROM_MEMBER(breaker__wire_t, age, entry));
}

void breaker__kept_put(breaker__wire_t *wire)
{
    breaker__agent_t *agent = wire->agent;

    assert(wire->transfer == NULL);
    if (agent->num_kept == KEPT_MAX)
        close_kept(of_link(agent->kept.prev));
    /* in front */
    h2o_linklist_insert(agent->kept.next, &wire->link);
    ++agent->num_kept;
    wire->age.cb = on_old;
    h2o_timeout_link(agent->ctx->loop, agent->keeping, &wire->age);
}

breaker__wire_t *breaker__kept_take(breaker__agent_t *agent)
{
    while (!h2o_linklist_is_empty(&agent->kept)) {
        breaker__wire_t *wire = of_link(agent->kept.next);
        breaker__kept_remove(wire);
        if (breaker__conduit_is_quiet(&wire->conduit))
            return wire;
        breaker__wire_free(wire);
    }
    return NULL;
}

void breaker__kept_close_all(breaker__agent_t *agent)
{
    while (!h2o_linklist_is_empty(&agent->kept))
        close_kept(of_link(agent->kept.next));
}
