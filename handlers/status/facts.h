#ifndef BREAKER_HANDLERS_STATUS_FACTS_H
#define BREAKER_HANDLERS_STATUS_FACTS_H

/* Everything that is told of a server, in whatever form, at one moment. */
#include <breaker/h2o.h>
#include "thread/waits.h"

/** A view. */
typedef struct st_breaker__view_facts_t {
    const breaker_view_t *view; /* borrowed: the node's */
    breaker_h2o_counters_t counters;
} breaker__view_facts_t;

/** What the facts are gathered from; outlives them. */
typedef struct st_breaker__facts_source_t {
    const h2o_globalconf_t *globalconf; /* borrowed */
    breaker_node_t *node;               /* borrowed */
    /** seconds since the epoch */
    time_t started_at;
    /** NULL: what the process is besides is not known */
    breaker_h2o_process_cb read_process;
    void *process_data;
    /** the server is going to stop */
    bool is_draining;
} breaker__facts_source_t;

/** Plain value. Numbers are each of their own moment. */
typedef struct st_breaker__facts_t {
    const char *version, *flavour, *libh2o;
    time_t started_at;
    bool is_draining, has_process;
    breaker_h2o_process_t process;
    breaker_figures_t node;
    /** owned reference, or NULL before the first publication */
    breaker_snapshot_t *snapshot;
    breaker__waits_sum_t news_waits, bytes_waits;
    size_t num_views;
    breaker__view_facts_t views[BREAKER_VIEWS_MAX];
} breaker__facts_t;

/** Gathers them. Never waits for a disk or another node. On the thread of the context. */
void breaker__facts_gather(const breaker__facts_source_t *source, h2o_context_t *ctx,
                           breaker__facts_t *ret_facts);
void breaker__facts_dispose(breaker__facts_t *facts);

/** The token of a view, NUL-ended, or NULL before the first publication. */
const char *breaker__facts_token(const breaker__facts_t *facts, size_t view);

/** X(name, field of breaker_h2o_counters_t): what a request got, each request once */
#define BREAKER__VERDICTS(X)                                                                       \
    X(served)                                                                                      \
    X(partial)                                                                                     \
    X(not_modified)                                                                                \
    X(redirected)                                                                                  \
    X(not_found)                                                                                   \
    X(retry_later)                                                                                 \
    X(refused)                                                                                     \
    X(preflights)

/** What both forms call a reason not to be ready; "ready" where there is none. */
const char *breaker__facts_readiness(const breaker__facts_t *facts);
/** What both forms call the states of the agreement, by `breaker_standing_t`. */
extern const char *const breaker__standing_names[BREAKER_STANDINGS];

#endif
