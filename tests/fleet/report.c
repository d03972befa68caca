/* What a run says; see report.h. */
#include <inttypes.h>
#include <stdio.h>
#include "report.h"

static double ratio(uint64_t sum, uint64_t number)
{
    return number != 0 ? (double)sum / (double)number : 0;
}

bool report_all_polled(const report_t *report)
{
    const scenario_result_t *result = report->result;
    bool all = result->num_joined == report->num_nodes;

    for (unsigned i = 0; i != result->num_blows; ++i)
        all = all && result->blows[i].num_back == report->num_nodes;
    return all;
}

bool report_queue_grows(const report_t *report)
{
    const scenario_result_t *result = report->result;
    bool grows = !result->is_calm;

    for (unsigned i = 0; i != result->num_blows; ++i)
        grows = grows || !result->blows[i].is_calm;
    return grows;
}

/* what Redis counts has the scripts of other clients as well; so has its time under load */
static void print_rest(const scenario_rest_t *rest)
{
    printf("\"rest\":{\"polls_per_s\":%.1f,\"redis_cpu_percent\":%.2f,\"own_cpu_percent\":%.1f,",
           1e6 * ratio(rest->polls, rest->spent_us), 100 * ratio(rest->used_us, rest->spent_us),
           100 * ratio(rest->own_us, rest->spent_us));
    printf("\"script_us_a_poll\":%.1f,\"script_us_p50\":%" PRIu64 ",\"redis_us_a_poll\":%.1f,",
           rest->is_asked ? ratio(rest->script_us, rest->script_calls) : 0, rest->script_p50_us,
           ratio(rest->used_us, rest->polls));
    printf("\"bytes_in_a_poll\":%.0f,\"bytes_out_a_poll\":%.0f,",
           rest->is_asked ? ratio(rest->bytes_in, rest->polls) : 0,
           rest->is_asked ? ratio(rest->bytes_out, rest->polls) : 0);
    printf("\"round_trip_us\":{\"p50\":%" PRIu32 ",\"p99\":%" PRIu32 ",\"max\":%" PRIu32 "},",
           rest->p50_us, rest->p99_us, rest->max_us);
    printf("\"mean_queue\":%.1f,\"longest_queue\":%u,\"failed_polls\":%" PRIu64
           ",\"failed_dials\":%" PRIu64 "}",
           rest->mean_queue, rest->longest_queue, rest->failed_polls, rest->failed_dials);
}

static void print_blow(const scenario_blow_t *blow)
{
    printf("{\"kind\":\"%s\",\"away_s\":%.1f,\"all_polled_s\":%.2f,\"polled\":%u,", blow->name,
           (double)blow->away_ms / 1000, (double)blow->return_ms / 1000, blow->num_back);
    printf("\"polls\":%" PRIu64 ",\"failed_polls\":%" PRIu64 ",\"failed_dials\":%" PRIu64
           ",\"p99_us\":%" PRIu32 ",\"queue_grows\":%s,\"queue_by_s\":[",
           blow->polls, blow->failed_polls, blow->failed_dials, blow->p99_us,
           blow->is_calm ? "false" : "true");
    for (unsigned i = 0; i != blow->num_seconds; ++i)
        printf("%s%u", i != 0 ? "," : "", blow->queue[i]);
    printf("]}");
}

void report_print(const report_t *report)
{
    const scenario_result_t *result = report->result;

    printf("{\"scenario\":\"%s\",\"nodes\":%u,\"releases\":%u,\"ledger\":%u,\"seed\":%" PRIu64 ",",
           report->config->name, report->num_nodes, report->num_releases, report->num_entries,
           report->seed);
    printf("\"joined\":%u,\"join_s\":%.1f,\"load_permille\":%u,", result->num_joined,
           (double)result->join_ms / 1000, result->load_permille);
    print_rest(&result->rest);
    printf(",\"blows\":[");
    for (unsigned i = 0; i != result->num_blows; ++i) {
        printf("%s", i != 0 ? "," : "");
        print_blow(result->blows + i);
    }
    printf("],\"all_polled\":%s,\"queue_grows\":%s}\n",
           report_all_polled(report) ? "true" : "false",
           report_queue_grows(report) ? "true" : "false");
}
