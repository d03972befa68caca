/*
 * A fleet of nodes against a private Redis: what its polls cost, and how long it takes until all of
 * them have polled again after a blow. README.md tells the options; the answer is a line of JSON.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include "admin.h"
#include "fleet.h"
#include "report.h"
#include "scenario.h"
#include "server.h"

enum {
    NODES_MAX = 10000,
    ENTRIES_MAX = 64,
    /* connections of ours, those that are being closed, and those of Redis itself */
    CLIENTS_SPARE = 1024,
    /* orders before all clocks */
    OLD_ORDER = 1000000,
};

typedef struct st_options_t {
    scenario_config_t scenario;
    fleet_config_t fleet;
    unsigned num_entries;
    /* Redis has no processor to itself */
    bool is_shared;
} options_t;

/* ---- options ---- */

static void refuse(const char *what)
{
    fprintf(stderr, "fleet: %s; see tests/fleet/README.md\n", what);
    exit(2);
}

static uint64_t read_number(const char *text, uint64_t min, uint64_t max)
{
    char *end;
    uint64_t number = strtoull(text, &end, 10);

    if (*text < '0' || *text > '9' || *end != '\0' || number < min || number > max)
        refuse("a number out of its bounds");
    return number;
}

static uint64_t read_ms(const char *text)
{
    char *end;
    double seconds = strtod(text, &end);

    if (end == text || *end != '\0' || !(seconds > 0 && seconds <= 3600))
        refuse("a time out of its bounds");
    return (uint64_t)(seconds * 1000);
}

static void set_option(options_t *options, int which, const char *value)
{
    switch (which) {
    case 'n':
        options->fleet.num_nodes = (unsigned)read_number(value, 1, NODES_MAX);
        return;
    case 'r':
        options->fleet.num_releases = (unsigned)read_number(value, 1, ENTRIES_MAX);
        return;
    case 'e':
        options->num_entries = (unsigned)read_number(value, 0, ENTRIES_MAX);
        return;
    case 'c':
        if (!scenario_is_known(value))
            refuse("an unknown scenario");
        options->scenario.name = value;
        return;
    case 's':
        options->scenario.rest_ms = read_ms(value);
        return;
    case 't':
        options->scenario.settle_ms = read_ms(value);
        return;
    case 'a':
        options->scenario.away_ms = read_ms(value);
        return;
    case 'f':
        options->scenario.after_ms = read_ms(value);
        return;
    case 'l':
        options->scenario.limit_ms = read_ms(value);
        return;
    case 'j':
        options->scenario.join_rate = (unsigned)read_number(value, 1, NODES_MAX);
        return;
    case 'h':
        options->is_shared = true;
        return;
    case 'd':
        options->fleet.seed = read_number(value, 0, UINT32_MAX);
        return;
    default:
        refuse("an unknown option");
    }
}

static void read_options(int argc, char **argv, options_t *options)
{
    static const struct option names[] = {
        {"nodes", required_argument, NULL, 'n'},
        {"releases", required_argument, NULL, 'r'},
        {"ledger", required_argument, NULL, 'e'},
        {"scenario", required_argument, NULL, 'c'},
        {"seconds", required_argument, NULL, 's'},
        {"settle", required_argument, NULL, 't'},
        {"away", required_argument, NULL, 'a'},
        {"after", required_argument, NULL, 'f'},
        {"limit", required_argument, NULL, 'l'},
        {"join", required_argument, NULL, 'j'},
        {"seed", required_argument, NULL, 'd'},
        {"shared", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int which;

    *options = (options_t){
        .scenario = {.name = "rest",
                     .join_rate = 500,
                     .settle_ms = 10000,
                     .rest_ms = 10000,
                     .after_ms = 5000,
                     .limit_ms = 120000},
        .fleet = {.num_nodes = 100, .num_releases = 1, .seed = 1},
    };
    while ((which = getopt_long(argc, argv, "", names, NULL)) != -1)
        set_option(options, which, optarg);
    if (optind != argc)
        refuse("an argument too many");
}

/* ---- what there is beforehand ---- */

static void allow_descriptors(unsigned wanted)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        refuse("the limit of descriptors is not known");
    limit.rlim_cur = limit.rlim_max;
    if (limit.rlim_cur < wanted || setrlimit(RLIMIT_NOFILE, &limit) != 0)
        refuse("too few descriptors for so many nodes (ulimit -Hn)");
}

static void on_filled(void *data, const breaker_reply_t *reply)
{
    (void)data;
    if (reply == NULL || reply->type == BREAKER_REPLY_ERROR)
        refuse("the ledger could not be filled");
}

/* entries of releases that were there before those of the fleet */
static void fill_ledger(uv_loop_t *loop, int port, unsigned num)
{
    char count[16], first[16];
    const char *const argv[] = {
        "EVAL",
        "for i = 0, ARGV[1] - 1 do redis.call('ZADD', KEYS[1], ARGV[2] + i, "
        "string.format('%012d ' .. ARGV[3], ARGV[2] + i, 1000 + i)) end",
        "1",
        "{" FLEET_APP "}:breaker",
        count,
        first,
        FLEET_RELEASE_FORMAT,
    };

    snprintf(count, sizeof(count), "%u", num);
    snprintf(first, sizeof(first), "%d", OLD_ORDER);
    admin_ask(loop, port, sizeof(argv) / sizeof(argv[0]), argv, on_filled, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
}

static void create_server(const options_t *options, server_t *server, int master_port)
{
    if (!server_create(server, options->fleet.num_nodes + CLIENTS_SPARE, master_port))
        refuse("no redis-server is installed");
}

static int run(options_t *options)
{
    server_t server, replica = {.pid = 0};
    bool has_replica = scenario_needs_replica(options->scenario.name);
    scenario_result_t result;
    report_t report = {.config = &options->scenario,
                       .num_nodes = options->fleet.num_nodes,
                       .num_releases = options->fleet.num_releases,
                       .num_entries = options->num_entries,
                       .seed = options->fleet.seed,
                       .result = &result};
    fleet_t *fleet;
    uv_loop_t loop;

    create_server(options, &server, 0);
    if (has_replica)
        create_server(options, &replica, server.port);
    uv_loop_init(&loop);
    fill_ledger(&loop, server.port, options->num_entries);
    options->fleet.port = server.port;
    fleet = fleet_create(&loop, &options->fleet);
    scenario_run(&loop, &options->scenario, fleet, options->fleet.num_nodes, &server,
                 has_replica ? &replica : NULL, &result);
    fleet_free(fleet);
    uv_loop_close(&loop);
    server_dispose(&replica);
    server_dispose(&server);
    report_print(&report);
    return report_all_polled(&report) && !report_queue_grows(&report) ? 0 : 1;
}

int main(int argc, char **argv)
{
    options_t options;

    read_options(argc, argv, &options);
    signal(SIGPIPE, SIG_IGN);
    allow_descriptors(options.fleet.num_nodes + CLIENTS_SPARE);
    if (!options.is_shared)
        server_leave_processor();
    return run(&options);
}
