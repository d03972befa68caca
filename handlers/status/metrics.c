/*
 * Prometheus' text format 0.0.4, and OpenMetrics 1.0, which differs in three things: a family of
 * counters is named without "_total", one of facts without "_info", and the text has an end. A
 * family is written whole before the next one begins, which both ask for. Names, units and what is
 * in labels are an interface: dashboards and alerts are built on them.
 */
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include "status/metrics.h"

/* a label of a family, with the values of its samples in their order */
#define PREFIX "h2o_breaker_"
/* of a name of a view or a host, with every byte escaped */
#define LABELS_SIZE 2048

typedef struct st_writer_t {
    breaker__text_t *text;
    const breaker__facts_t *facts;
    bool is_openmetrics;
} writer_t;

/* ---- families and samples ---- */

static const char *suffix_of(const char *type)
{
    if (strcmp(type, "counter") == 0)
        return "_total";
    return strcmp(type, "info") == 0 ? "_info" : "";
}

/* `name` goes without the prefix and the suffix that its type has */
static void begin(const writer_t *writer, const char *name, const char *type, const char *help)
{
    const char *suffix = writer->is_openmetrics ? "" : suffix_of(type);
    const char *shown = !writer->is_openmetrics && strcmp(type, "info") == 0 ? "gauge" : type;

    breaker__text_put(writer->text, "# HELP " PREFIX "%s%s %s\n", name, suffix, help);
    breaker__text_put(writer->text, "# TYPE " PREFIX "%s%s %s\n", name, suffix, shown);
}

/* `labels` are written already, "" for none */
static void put(const writer_t *writer, const char *name, const char *labels, uint64_t value)
{
    breaker__text_put(writer->text, PREFIX "%s%s%s%s %" PRIu64 "\n", name,
                      labels[0] != '\0' ? "{" : "", labels, labels[0] != '\0' ? "}" : "", value);
}

static void put_ms(const writer_t *writer, const char *name, const char *labels, uint64_t ms)
{
    breaker__text_put(writer->text, PREFIX "%s%s%s%s %" PRIu64 ".%03" PRIu64 "\n", name,
                      labels[0] != '\0' ? "{" : "", labels, labels[0] != '\0' ? "}" : "", ms / 1000,
                      ms % 1000);
}

static void put_one(const writer_t *writer, const char *name, const char *type, const char *help,
                    uint64_t value)
{
    begin(writer, name, type, help);
    put(writer, name, "", value);
}

/* backslash, quote and line feed are escaped; returns where it ends */
static size_t escape(char *dst, size_t size, const char *value)
{
    size_t at = 0;

    for (; *value != '\0' && at + 2 < size; ++value) {
        if (*value == '\\' || *value == '"' || *value == '\n')
            dst[at++] = '\\';
        dst[at++] = *value == '\n' ? 'n' : *value;
    }
    dst[at] = '\0';
    return at;
}

/* appends `key="value"` to labels of LABELS_SIZE bytes */
static void add_label(char *labels, const char *key, const char *value)
{
    size_t len = strlen(labels);

    assert(len + strlen(key) + 8 < LABELS_SIZE);
    len += (size_t)snprintf(labels + len, LABELS_SIZE - len, "%s%s=\"", len != 0 ? "," : "", key);
    len += escape(labels + len, LABELS_SIZE - len - 1, value);
    memcpy(labels + len, "\"", 2);
}

static void put_labelled(const writer_t *writer, const char *name, const char *key,
                         const char *value, uint64_t number)
{
    char labels[LABELS_SIZE] = "";

    add_label(labels, key, value);
    put(writer, name, labels, number);
}

/* ---- the process ---- */

static void write_build(const writer_t *writer)
{
    const breaker__facts_t *facts = writer->facts;
    char labels[LABELS_SIZE] = "";

    begin(writer, "build", "info",
          "Versions of h2o-breaker and of the libh2o that it was built for.");
    add_label(labels, "version", facts->version);
    add_label(labels, "flavour", facts->flavour);
    add_label(labels, "libh2o", facts->libh2o);
    put(writer, "build_info", labels, 1);
    put_one(writer, "start_time_seconds", "gauge",
            "When this process was configured, in seconds since the epoch. A reload is a new "
            "process, whose counters begin at 0.",
            (uint64_t)facts->started_at);
}

static void write_process(const writer_t *writer)
{
    const breaker_h2o_process_t *process = &writer->facts->process;

    if (!writer->facts->has_process)
        return;
    put_one(writer, "connections", "gauge", "Client connections that are open.",
            process->connections);
    put_one(writer, "connections_limit", "gauge", "Client connections that may be open at once.",
            process->max_connections);
    begin(writer, "connections_accepted", "counter", "Client connections that were accepted.");
    put(writer, "connections_accepted_total", "", process->accepted);
    begin(writer, "connections_flooding", "counter",
          "Client connections that were closed for a flood of frames.");
    put(writer, "connections_flooding_total", "", process->floods);
}

/* ---- views ---- */

static void label_view(char *labels, const breaker_view_t *view)
{
    labels[0] = '\0';
    add_label(labels, "view", breaker_view_name(view));
    add_label(labels, "host", breaker_view_host(view));
}

/* a number of a view that has a label more */
static void put_of_view(const writer_t *writer, const breaker_view_t *view, const char *name,
                        const char *label, const char *labelled, uint64_t value)
{
    char labels[LABELS_SIZE];

    label_view(labels, view);
    add_label(labels, label, labelled);
    put(writer, name, labels, value);
}

static void write_release(const writer_t *writer)
{
    const breaker__facts_t *facts = writer->facts;

    if (facts->snapshot == NULL)
        return;
    begin(writer, "release", "info", "The release that this node serves.");
    put_labelled(writer, "release_info", "release",
                 breaker_release_id(facts->snapshot->release)->text, 1);
    begin(writer, "view", "info", "The token that this node hands out for a view.");
    for (size_t i = 0; i != facts->num_views; ++i)
        put_of_view(writer, facts->views[i].view, "view_info", "token",
                    breaker__facts_token(facts, i), 1);
}

static void write_requests(const writer_t *writer)
{
    const breaker__facts_t *facts = writer->facts;

    begin(writer, "requests", "counter",
          "Requests for a view that were answered, by what they got: served 200, partial 206, "
          "not_modified 304, redirected 301 and 302, not_found 404, retry_later 503, preflights "
          "204, refused any other.");
    for (size_t i = 0; i != facts->num_views; ++i) {
        const breaker__view_facts_t *of_view = facts->views + i;
#define PUT(name)                                                                                  \
    put_of_view(writer, of_view->view, "requests_total", "verdict", #name, of_view->counters.name);
        BREAKER__VERDICTS(PUT)
#undef PUT
    }
}

static void write_bytes(const writer_t *writer)
{
    const breaker__facts_t *facts = writer->facts;
    char labels[LABELS_SIZE];

    begin(
        writer, "response_body_bytes", "counter",
        "Bytes of the bodies of these answers, as they are sent and as far as clients take them.");
    for (size_t i = 0; i != facts->num_views; ++i) {
        label_view(labels, facts->views[i].view);
        put(writer, "response_body_bytes_total", labels, facts->views[i].counters.bytes);
    }
}

static void write_waited(const writer_t *writer)
{
    const breaker__facts_t *facts = writer->facts;

    begin(writer, "requests_waited", "counter",
          "Requests for a view that began to wait, on news of the cluster or on bytes of a held "
          "release. One that waited on both is in both.");
    for (size_t i = 0; i != facts->num_views; ++i) {
        const breaker__view_facts_t *of_view = facts->views + i;
        put_of_view(writer, of_view->view, "requests_waited_total", "on", "news",
                    of_view->counters.parked);
        put_of_view(writer, of_view->view, "requests_waited_total", "on", "bytes",
                    of_view->counters.fetched);
    }
}

/* ---- waits ---- */

/* seconds as OpenMetrics wants bounds: with a point */
static void put_bucket(const writer_t *writer, const char *on, uint64_t bound_ms, uint64_t value)
{
    char bound[32];
    size_t len = (size_t)snprintf(bound, sizeof(bound), "%" PRIu64 ".%03" PRIu64, bound_ms / 1000,
                                  bound_ms % 1000);

    while (bound[len - 1] == '0' && bound[len - 2] != '.')
        bound[--len] = '\0';
    breaker__text_put(writer->text, PREFIX "wait_seconds_bucket{on=\"%s\",le=\"%s\"} %" PRIu64 "\n",
                      on, bound, value);
}

static void put_histogram(const writer_t *writer, const char *on, const breaker__waits_sum_t *waits)
{
    uint64_t num = 0;
    char labels[LABELS_SIZE] = "";

    for (size_t i = 0; i != BREAKER__WAIT_BOUNDS; ++i)
        put_bucket(writer, on, breaker__wait_bounds_ms[i], num += waits->buckets[i]);
    num += waits->buckets[BREAKER__WAIT_BOUNDS];
    breaker__text_put(writer->text,
                      PREFIX "wait_seconds_bucket{on=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", on, num);
    add_label(labels, "on", on);
    put_ms(writer, "wait_seconds_sum", labels, waits->sum_ms);
    put(writer, "wait_seconds_count", labels, num);
}

static void write_waits(const writer_t *writer)
{
    put_one(writer, "waiting_requests", "gauge", "Requests that wait now.",
            writer->facts->node.parked);
    begin(writer, "wait_seconds", "histogram",
          "How long requests waited, by what they waited on last; those whose clients went away "
          "included.");
    put_histogram(writer, "news", &writer->facts->news_waits);
    put_histogram(writer, "bytes", &writer->facts->bytes_waits);
}

/* ---- the node and its cluster ---- */

static void write_ready(const writer_t *writer)
{
    static const char *const states[] = {"ready", "no-token", "fetching", "draining"};
    const char *state = breaker__facts_readiness(writer->facts);

    begin(writer, "readiness", "gauge", "What /readyz answers: 1 for that, 0 for all others.");
    for (size_t i = 0; i != sizeof(states) / sizeof(states[0]); ++i)
        put_labelled(writer, "readiness", "state", states[i], strcmp(states[i], state) == 0);
}

static void write_ages(const writer_t *writer)
{
    const breaker_figures_t *node = &writer->facts->node;

    put_one(writer, "redis_up", "gauge", "Whether Redis answers this node's polls.",
            node->is_in_touch);
    begin(writer, "ledger_age_seconds", "gauge",
          "Since Redis answered last; NaN before the first answer.");
    if (node->ledger_age_ms != UINT64_MAX)
        put_ms(writer, "ledger_age_seconds", "", node->ledger_age_ms);
    else
        breaker__text_put(writer->text, PREFIX "ledger_age_seconds NaN\n");
}

static void write_cluster(const writer_t *writer)
{
    const breaker_figures_t *node = &writer->facts->node;

    if (node->standing == BREAKER_STANDING_ALONE)
        return;
    write_ages(writer);
    begin(writer, "agreement_state", "gauge",
          "How this node stands with its cluster: 1 for that state, 0 for all others.");
    for (size_t i = BREAKER_STANDING_UNKNOWN; i != BREAKER_STANDINGS; ++i)
        put_labelled(writer, "agreement_state", "state", breaker__standing_names[i],
                     node->standing == i);
    if (writer->facts->snapshot != NULL && writer->facts->snapshot->has_ledger)
        put_one(writer, "ledger_entries", "gauge", "Tokens that the ledger knows.",
                breaker_ledger_size(&writer->facts->snapshot->ledger));
    if (node->fleet != 0)
        put_one(writer, "cluster_nodes", "gauge", "Nodes that poll, as Redis told last.",
                node->fleet);
    put_one(writer, "cluster_other_releases", "gauge",
            "Other releases with live nodes, as Redis told last.", node->other_releases);
}

/* ---- what is held ---- */

static void put_fetches(const writer_t *writer, const char *source, const char *what,
                        const breaker_fetches_t *fetches)
{
    const struct {
        const char *result;
        uint64_t num;
    } results[] = {{"ok", fetches->ok},
                   {"absent", fetches->absent},
                   {"failed", fetches->failed},
                   {"refused", fetches->refused}};

    for (size_t i = 0; i != sizeof(results) / sizeof(results[0]); ++i) {
        char labels[LABELS_SIZE] = "";
        add_label(labels, "source", source);
        add_label(labels, "what", what);
        add_label(labels, "result", results[i].result);
        put(writer, "fetches_total", labels, results[i].num);
    }
}

static void put_fetched(const writer_t *writer, const char *source, const char *what,
                        const breaker_fetches_t *fetches)
{
    char labels[LABELS_SIZE] = "";

    add_label(labels, "source", source);
    add_label(labels, "what", what);
    put(writer, "fetched_bytes_total", labels, fetches->bytes);
}

static void write_fetches(const writer_t *writer)
{
    const breaker_holding_figures_t *holding = &writer->facts->node.holding;

    begin(writer, "fetches", "counter",
          "Asks for manifests and files of other releases: ok, absent (nobody has it), failed "
          "(nobody answered, or a disk failed), refused (too much was asked for already).");
    put_fetches(writer, "peers", "manifest", &holding->peer_manifests);
    put_fetches(writer, "peers", "file", &holding->peer_files);
    put_fetches(writer, "archive", "file", &holding->archive_files);
    begin(writer, "fetched_bytes", "counter", "Bytes that came of these.");
    put_fetched(writer, "peers", "manifest", &holding->peer_manifests);
    put_fetched(writer, "peers", "file", &holding->peer_files);
    put_fetched(writer, "archive", "file", &holding->archive_files);
}

static void write_holding(const writer_t *writer)
{
    const breaker_holding_figures_t *holding = &writer->facts->node.holding;

    if (!holding->is_on)
        return;
    begin(writer, "held_releases", "gauge",
          "Other releases that are kept: complete, partial (files are lacking), awaited (the list "
          "of files is lacking).");
    put_labelled(writer, "held_releases", "state", "complete", holding->complete);
    put_labelled(writer, "held_releases", "state", "partial", holding->partial);
    put_labelled(writer, "held_releases", "state", "awaited", holding->awaited);
    put_one(writer, "held_blobs_lacking", "gauge", "Contents of files that partial ones lack.",
            holding->blobs_lacking);
    begin(writer, "held_memory_bytes", "gauge",
          "Bytes of other releases in memory: to stay, or for now because requests want them.");
    put_labelled(writer, "held_memory_bytes", "kept", "stays", holding->memory);
    put_labelled(writer, "held_memory_bytes", "kept", "for_now", holding->memory_for_now);
    begin(writer, "held_open_files", "gauge", "Files of the archive that are open, likewise.");
    put_labelled(writer, "held_open_files", "kept", "stays", holding->files);
    put_labelled(writer, "held_open_files", "kept", "for_now", holding->files_for_now);
    put_one(writer, "peers", "gauge", "Other nodes that this one can ask.", holding->peers);
    write_fetches(writer);
}

static void write_blobs(const writer_t *writer)
{
    put_one(writer, "blobs", "gauge", "Contents of files that are known, of all releases.",
            writer->facts->node.blobs);
    put_one(writer, "blobs_memory_bytes", "gauge", "Memory that they take, encodings included.",
            writer->facts->node.blobs_memory);
}

void breaker__metrics_write(breaker__text_t *text, const breaker__facts_t *facts,
                            bool is_openmetrics)
{
    const writer_t writer = {text, facts, is_openmetrics};

    write_build(&writer);
    write_process(&writer);
    write_ready(&writer);
    write_release(&writer);
    write_requests(&writer);
    write_bytes(&writer);
    write_waited(&writer);
    write_waits(&writer);
    write_cluster(&writer);
    write_holding(&writer);
    write_blobs(&writer);
    if (is_openmetrics)
        breaker__text_put(text, "# EOF\n");
}
