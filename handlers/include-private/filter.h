#ifndef BREAKER_FILTER_H
#define BREAKER_FILTER_H

/* How a filter of ours says that the fast path may pass it by. Not installed. */
#include <h2o.h>

/**
 * The `on_context_init` of a filter that leaves a response alone where `compress_hint` is
 * H2O_COMPRESS_HINT_DISABLE, as it is for every answer of a view. Does nothing.
 */
void breaker__filter_spares_assets(h2o_filter_t *self, h2o_context_t *ctx);

#endif
