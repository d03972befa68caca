/*
 * The same facts in JSON, by the schema in README.md; written by cJSON, as breakerctl's are. A
 * field that is not known is null, not missing. cJSON gives NULL where there is no memory, takes it
 * everywhere, and then gives no text.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <cjson/cJSON.h>
#include "status/json.h"

static void add_number(cJSON *object, const char *name, uint64_t number)
{
    cJSON_AddNumberToObject(object, name, (double)number);
}

static void add_seconds(cJSON *object, const char *name, uint64_t ms)
{
    cJSON_AddNumberToObject(object, name, (double)ms / 1000);
}

/* NULL is not known */
static void add_text(cJSON *object, const char *name, const char *text)
{
    if (text != NULL)
        cJSON_AddStringToObject(object, name, text);
    else
        cJSON_AddNullToObject(object, name);
}

/* ---- views and waits ---- */

static void add_requests(cJSON *object, const breaker_h2o_counters_t *counters)
{
    cJSON *requests = cJSON_AddObjectToObject(object, "requests");
    cJSON *waited = cJSON_AddObjectToObject(object, "waited");

#define ADD(name) add_number(requests, #name, counters->name);
    BREAKER__VERDICTS(ADD)
#undef ADD
    add_number(waited, "news", counters->parked);
    add_number(waited, "bytes", counters->fetched);
    add_number(object, "body_bytes", counters->bytes);
}

static void add_views(cJSON *root, const breaker__facts_t *facts)
{
    cJSON *list = cJSON_AddArrayToObject(root, "views");

    for (size_t i = 0; i != facts->num_views; ++i) {
        const breaker_view_t *view = facts->views[i].view;
        cJSON *object = cJSON_CreateObject();
        cJSON_AddItemToArray(list, object);
        add_text(object, "name", breaker_view_name(view));
        add_text(object, "host", breaker_view_host(view));
        add_text(object, "token", breaker__facts_token(facts, i));
        add_requests(object, &facts->views[i].counters);
    }
}

static void add_wait(cJSON *waits, const char *name, const breaker__waits_sum_t *sum)
{
    cJSON *object = cJSON_AddObjectToObject(waits, name), *buckets;
    uint64_t num = 0;

    buckets = cJSON_AddArrayToObject(object, "buckets");
    for (size_t i = 0; i != BREAKER__WAIT_BOUNDS + 1; ++i) {
        cJSON *bucket = cJSON_CreateObject();
        cJSON_AddItemToArray(buckets, bucket);
        num += sum->buckets[i];
        if (i != BREAKER__WAIT_BOUNDS)
            add_seconds(bucket, "le_s", breaker__wait_bounds_ms[i]);
        else
            cJSON_AddNullToObject(bucket, "le_s");
        add_number(bucket, "count", num);
    }
    add_number(object, "count", num);
    add_seconds(object, "sum_s", sum->sum_ms);
}

static void add_waits(cJSON *root, const breaker__facts_t *facts)
{
    cJSON *waits = cJSON_AddObjectToObject(root, "waits");

    add_number(waits, "now", facts->node.parked);
    add_wait(waits, "news", &facts->news_waits);
    add_wait(waits, "bytes", &facts->bytes_waits);
}

/* ---- the process ---- */

static void add_process(cJSON *root, const breaker__facts_t *facts)
{
    cJSON *object;

    add_text(root, "version", facts->version);
    add_text(root, "flavour", facts->flavour);
    add_text(root, "libh2o", facts->libh2o);
    add_number(root, "start_time_s", (uint64_t)facts->started_at);
    add_text(root, "readiness", breaker__facts_readiness(facts));
    if (!facts->has_process) {
        cJSON_AddNullToObject(root, "connections");
        return;
    }
    object = cJSON_AddObjectToObject(root, "connections");
    add_number(object, "open", facts->process.connections);
    add_number(object, "limit", facts->process.max_connections);
    add_number(object, "accepted", facts->process.accepted);
    add_number(object, "floods", facts->process.floods);
}

/* ---- the node and its cluster ---- */

static void add_cluster(cJSON *root, const breaker__facts_t *facts)
{
    const breaker_figures_t *node = &facts->node;
    cJSON *object;

    if (node->standing == BREAKER_STANDING_ALONE) {
        cJSON_AddNullToObject(root, "cluster");
        return;
    }
    object = cJSON_AddObjectToObject(root, "cluster");
    add_text(object, "state", breaker__standing_names[node->standing]);
    cJSON_AddBoolToObject(object, "redis_up", node->is_in_touch);
    if (node->ledger_age_ms != UINT64_MAX)
        add_seconds(object, "ledger_age_s", node->ledger_age_ms);
    else
        cJSON_AddNullToObject(object, "ledger_age_s");
    if (facts->snapshot != NULL && facts->snapshot->has_ledger)
        add_number(object, "ledger_entries", breaker_ledger_size(&facts->snapshot->ledger));
    else
        cJSON_AddNullToObject(object, "ledger_entries");
    if (node->fleet != 0)
        add_number(object, "nodes", node->fleet);
    else
        cJSON_AddNullToObject(object, "nodes");
    add_number(object, "other_releases", node->other_releases);
}

static void add_fetches(cJSON *list, const char *name, const breaker_fetches_t *fetches)
{
    cJSON *object = cJSON_AddObjectToObject(list, name);

    add_number(object, "ok", fetches->ok);
    add_number(object, "absent", fetches->absent);
    add_number(object, "failed", fetches->failed);
    add_number(object, "refused", fetches->refused);
    add_number(object, "bytes", fetches->bytes);
}

static void add_pair(cJSON *object, const char *name, uint64_t stays, uint64_t for_now)
{
    cJSON *pair = cJSON_AddObjectToObject(object, name);

    add_number(pair, "stays", stays);
    add_number(pair, "for_now", for_now);
}

static void add_held(cJSON *object, const breaker_snapshot_t *snapshot)
{
    cJSON *list = cJSON_AddArrayToObject(object, "held");

    for (size_t i = 0; snapshot != NULL && i != snapshot->num_held; ++i)
        cJSON_AddItemToArray(list, cJSON_CreateString(breaker_release_id(snapshot->held[i])->text));
}

static void add_holding(cJSON *root, const breaker__facts_t *facts)
{
    const breaker_holding_figures_t *holding = &facts->node.holding;
    cJSON *object, *part;

    if (!holding->is_on) {
        cJSON_AddNullToObject(root, "holding");
        return;
    }
    object = cJSON_AddObjectToObject(root, "holding");
    add_held(object, facts->snapshot);
    part = cJSON_AddObjectToObject(object, "releases");
    add_number(part, "complete", holding->complete);
    add_number(part, "partial", holding->partial);
    add_number(part, "awaited", holding->awaited);
    add_number(object, "blobs_lacking", holding->blobs_lacking);
    add_pair(object, "memory_bytes", holding->memory, holding->memory_for_now);
    add_pair(object, "open_files", holding->files, holding->files_for_now);
    add_number(object, "peers", holding->peers);
    part = cJSON_AddObjectToObject(object, "fetches");
    add_fetches(part, "peer_manifests", &holding->peer_manifests);
    add_fetches(part, "peer_files", &holding->peer_files);
    add_fetches(part, "archive_files", &holding->archive_files);
}

static void add_blobs(cJSON *root, const breaker__facts_t *facts)
{
    cJSON *object = cJSON_AddObjectToObject(root, "blobs");

    add_number(object, "known", facts->node.blobs);
    add_number(object, "memory_bytes", facts->node.blobs_memory);
}

h2o_iovec_t breaker__json_write(h2o_mem_pool_t *pool, const breaker__facts_t *facts)
{
    const breaker_snapshot_t *snapshot = facts->snapshot;
    cJSON *root = cJSON_CreateObject();
    h2o_iovec_t text = {NULL, 0};
    char *printed;

    add_process(root, facts);
    add_text(root, "release",
             snapshot != NULL ? breaker_release_id(snapshot->release)->text : NULL);
    add_views(root, facts);
    add_waits(root, facts);
    add_cluster(root, facts);
    add_holding(root, facts);
    add_blobs(root, facts);
    printed = cJSON_Print(root);
    cJSON_Delete(root);
    if (printed != NULL)
        text = h2o_strdup(pool, printed, strlen(printed));
    cJSON_free(printed);
    return text;
}
