#ifndef BREAKER_TESTS_REPORT_H
#define BREAKER_TESTS_REPORT_H

/* What a run says: one line of JSON. */
#include <stdbool.h>
#include "scenario.h"

typedef struct st_report_t {
    const scenario_config_t *config;
    unsigned num_nodes, num_releases, num_entries;
    uint64_t seed;
    const scenario_result_t *result;
} report_t;

/** Whether all nodes polled again after every blow. */
bool report_all_polled(const report_t *report);
/** Whether so much stayed under way, at rest or after a blow, that it would never end. */
bool report_queue_grows(const report_t *report);
/** Prints it. */
void report_print(const report_t *report);

#endif
