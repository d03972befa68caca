#ifndef BREAKER_HANDLERS_STATUS_METRICS_H
#define BREAKER_HANDLERS_STATUS_METRICS_H

/* The facts as Prometheus reads them. */
#include "status/facts.h"
#include "status/text.h"

/** the media types of the two forms */
#define BREAKER__METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define BREAKER__OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/** Writes them in Prometheus' text format 0.0.4, or in OpenMetrics 1.0. */
void breaker__metrics_write(breaker__text_t *text, const breaker__facts_t *facts,
                            bool is_openmetrics);

#endif
