#ifndef BREAKER_HANDLERS_FIXED_H
#define BREAKER_HANDLERS_FIXED_H

/* What the answers of one view without an asset are made of. */
#include "answer/head.h"
#include "answer/status.h"

/** The heads of one view's answers without an asset, bodies included; it does not move. */
typedef struct st_breaker__fixed_t {
    /** owned; by status, NULL for those that need an asset */
    breaker__head_t *heads[BREAKER__NUM_STATUSES];
    /** Cache-Control of a redirect, where nothing forbids to keep it */
    h2o_iovec_t redirect_cache_control;
    char redirect_storage[48];
    /** whether assets of the view come in other encodings */
    bool has_encodings;
} breaker__fixed_t;

/** Makes them by the view's configuration. */
void breaker__fixed_init(breaker__fixed_t *fixed, const breaker_view_config_t *config,
                         const h2o_globalconf_t *globalconf);
/** For answers that are no view's: a view of defaults that says nothing of other origins. */
void breaker__fixed_init_default(breaker__fixed_t *fixed, const h2o_globalconf_t *globalconf);
/** Takes a zeroed one, too. */
void breaker__fixed_dispose(breaker__fixed_t *fixed);

#endif
