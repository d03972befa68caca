/*
 * What the forms of the status page have in common: which facts there are, and where they come
 * from. A fact that is to be told is gathered here, and then written by metrics.c and json.c.
 */
#include <assert.h>
#include <string.h>
#include <breaker/version.h>
#include "answer/static.h"
#include "status/facts.h"

const char *const breaker__standing_names[BREAKER_STANDINGS] = {
    [BREAKER_STANDING_ALONE] = "alone",   [BREAKER_STANDING_UNKNOWN] = "unknown",
    [BREAKER_STANDING_START] = "start",   [BREAKER_STANDING_LOCAL] = "local",
    [BREAKER_STANDING_SYNCED] = "synced", [BREAKER_STANDING_STALE] = "stale",
};

static void gather_views(const breaker__facts_source_t *source, breaker__facts_t *facts)
{
    facts->num_views = breaker_node_num_views(source->node);
    assert(facts->num_views <= BREAKER_VIEWS_MAX);
    for (size_t i = 0; i != facts->num_views; ++i) {
        breaker__view_facts_t *of_view = facts->views + i;
        of_view->view = breaker_node_view(source->node, i);
        breaker_h2o_counters(source->globalconf, of_view->view, &of_view->counters);
    }
}

void breaker__facts_gather(const breaker__facts_source_t *source, h2o_context_t *ctx,
                           breaker__facts_t *facts)
{
    memset(facts, 0, sizeof(*facts));
    facts->version = breaker_version();
    facts->flavour = H2O_USE_LIBUV ? "uv" : "evloop";
    facts->libh2o = H2O_VERSION;
    facts->started_at = source->started_at;
    facts->is_draining = source->is_draining;
    facts->has_process = source->read_process != NULL;
    if (facts->has_process)
        source->read_process(source->process_data, ctx, &facts->process);
    breaker_node_figures(source->node, &facts->node);
    breaker_publisher_refresh(breaker_node_publisher(source->node), &facts->snapshot);
    breaker__static_read_waits(source->globalconf, source->node, &facts->news_waits,
                               &facts->bytes_waits);
    gather_views(source, facts);
}

void breaker__facts_dispose(breaker__facts_t *facts)
{
    breaker_snapshot_unref(facts->snapshot);
    facts->snapshot = NULL;
}

const char *breaker__facts_token(const breaker__facts_t *facts, size_t view)
{
    assert(view < facts->num_views);
    return facts->snapshot != NULL ? facts->snapshot->views[view].token.text : NULL;
}

const char *breaker__facts_readiness(const breaker__facts_t *facts)
{
    if (facts->is_draining)
        return "draining";
    switch (facts->node.readiness) {
    case BREAKER_READY:
        return "ready";
    case BREAKER_NOT_READY_NO_TOKEN:
        return "no-token";
    case BREAKER_NOT_READY_FETCHING:
    case BREAKER_NOT_READY_UNSHARED:
        return "fetching";
    }
    assert(!"a readiness outside its enum");
    return "no-token";
}
