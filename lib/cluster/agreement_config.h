#ifndef BREAKER_LIB_CLUSTER_AGREEMENT_CONFIG_H
#define BREAKER_LIB_CLUSTER_AGREEMENT_CONFIG_H

/* The bounds of an agreement's configuration. Pure. Not installed. */
#include <breaker/error.h>
#include "cluster/agreement.h"

/** Refuses a timer out of its bounds: BREAKER_ERR_RANGE, with its name and what is accepted. */
int breaker__agreement_check_timers(const breaker_agreement_config_t *config,
                                    breaker_error_t *error);
/** Refuses all that `breaker__agreement_create` refuses: the timers and the names. */
int breaker__agreement_check(const breaker_agreement_config_t *config);

#endif
