/*
 * The coldest release gives way. Where more is in memory than is kept, because the node served it
 * before or because releases that were seen later have no room, the release that was seen longest
 * ago is held anew: of its own manifest, with blobs without bytes in the place of those that it
 * alone names. The one before goes with its bodies when the last snapshot that has it ends, so that
 * no request notices. A cold release takes nothing of what is kept any more, and none is warmed up
 * again: nothing moves to and fro.
 *
 * Only what lies in the archive whole gives way. What peers have does not count: each of them could
 * rely on the others in the same moment, and then nobody would have it any more.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "holding/parts.h"
#include "node/node.h"
#include "release/manifest.h"
#include "release/release.h"

/* ---- which ---- */

static bool is_in_archive(const breaker__holding_t *holding, const breaker__tracked_t *known)
{
    return holding->archive != NULL && known->is_archived && known->about.is_whole &&
           !known->is_barred;
}

static bool is_colder(const breaker__tracked_t *a, const breaker__tracked_t *b)
{
    if (a->is_alive != b->is_alive)
        return b->is_alive;
    return a->about.last_seen_ms < b->about.last_seen_ms;
}

static bool is_warm(const breaker__tracked_t *known)
{
    return !known->is_own && known->release != NULL && !known->is_cold;
}

static breaker__tracked_t *find_coldest(const breaker__holding_t *holding)
{
    breaker__tracked_t *coldest = NULL;

    for (size_t i = 0; i != holding->catalog.num; ++i) {
        breaker__tracked_t *known = holding->catalog.list[i];
        if (is_warm(known) && is_in_archive(holding, known) &&
            (coldest == NULL || is_colder(known, coldest)))
            coldest = known;
    }
    return coldest;
}

/* bytes that a release would have in memory and has not */
static uint64_t size_missing(const breaker__holding_t *holding, const breaker__tracked_t *known)
{
    uint64_t size = 0;

    for (size_t i = 0; i != known->missing.num; ++i) {
        const breaker__blob_t *blob = known->missing.blobs[i];
        uint64_t len = breaker__blob_len(blob);
        if (breaker__blob_state(blob) != BREAKER__BLOB_HERE &&
            len <= holding->config->fetch_file_limit)
            size += len;
    }
    return size;
}

/* whether all that was seen later than the coldest has no room beside what is in memory */
static bool is_short(const breaker__holding_t *holding, const breaker__tracked_t *coldest)
{
    uint64_t size = holding->source.memory;

    if (size > holding->config->keep_memory)
        return true;
    for (size_t i = 0; i != holding->catalog.num; ++i) {
        const breaker__tracked_t *known = holding->catalog.list[i];
        if (is_warm(known) && known != coldest && is_colder(coldest, known))
            size += size_missing(holding, known);
    }
    return size > holding->config->keep_memory;
}

/* ---- what it alone names ---- */

/* a blob, and how often the release names it; NULL at the end */
static breaker__blob_t *next_named(breaker__blob_list_t *names, size_t *ret_num)
{
    breaker__blob_t *blob = breaker__blob_list_next(names);

    for (*ret_num = 1; names->at != names->num && names->blobs[names->at] == blob; ++*ret_num)
        ++names->at;
    return blob;
}

static bool takes_memory(breaker__blob_t *blob)
{
    const breaker_variant_t *body = breaker__blob_body(blob);

    return body != NULL && body->base != NULL && body->len != 0;
}

/* they are not found any more, so that others take their places; afterwards these are the list */
static void retire(breaker__blob_list_t *names)
{
    size_t num_retired = 0, num_names;
    breaker__blob_t *blob;

    while ((blob = next_named(names, &num_names)) != NULL)
        if (takes_memory(blob) && breaker__blob_retire(blob, num_names))
            names->blobs[num_retired++] = blob;
    assert(num_retired <= names->num);
    names->num = num_retired;
    names->at = 0;
}

static void put_back(breaker__blob_list_t *retired)
{
    breaker__blob_t *blob;

    while ((blob = breaker__blob_list_next(retired)) != NULL)
        breaker__blob_put_back(blob);
}

/* ---- anew ---- */

typedef struct st_text_t {
    char *base;
    size_t len;
} text_t;

static int append(void *data, const char *base, size_t len)
{
    text_t *text = data;
    char *grown = realloc(text->base, text->len + len);

    if (grown == NULL)
        return BREAKER_ERR_NO_MEMORY;
    memcpy(grown + text->len, base, len);
    text->base = grown;
    text->len += len;
    return 0;
}

static int read_own_manifest(const breaker__tracked_t *known, breaker__manifest_t **ret_manifest)
{
    breaker_error_t error = {0};
    text_t text = {.base = NULL};
    int err = breaker__manifest_write(known->release, append, &text);

    if (err == 0)
        err = breaker__manifest_read(text.base, text.len, ret_manifest, &error);
    free(text.base);
    return err;
}

/* peers have it from there as well, though no round of a complete release looks for it any more */
static void note_archived(const breaker__tracked_t *known)
{
    for (size_t i = 0; i != known->missing.num; ++i)
        breaker__blob_set_archived(known->missing.blobs[i], true);
}

static void say_cold(breaker__holding_t *holding, const breaker__tracked_t *known)
{
    breaker_release_id_t shown = breaker_release_id_shorten(&known->about.id);

    breaker__holding_say(
        holding, BREAKER_LOG_INFO, BREAKER_LOG_EVENT, "cold",
        breaker_log_word("release", shown.text),
        breaker_log_text("reason", "its files are sent from the archive when they are asked for"));
}

static void give_way(breaker__holding_t *holding, breaker__tracked_t *known,
                     const breaker__manifest_t *manifest)
{
    breaker__blob_list_t own = {.blobs = NULL};

    if (breaker__blob_list_init_names(&own, known->release) != 0)
        return;
    retire(&own);
    if (own.num != 0 && breaker__held_replace(holding, known, manifest) == 0) {
        note_archived(known);
        say_cold(holding, known);
    } else {
        put_back(&own);
    }
    breaker__blob_list_dispose(&own);
}

/* without memory it stays as it is */
static void hold_anew(breaker__holding_t *holding, breaker__tracked_t *known)
{
    breaker__manifest_t *manifest;

    known->is_cold = true;
    if (read_own_manifest(known, &manifest) != 0)
        return;
    assert(breaker__manifest_is_of(manifest, &known->about.id));
    give_way(holding, known, manifest);
    breaker__manifest_free(manifest);
}

bool breaker__anew_make_room(breaker__holding_t *holding)
{
    breaker__tracked_t *coldest = find_coldest(holding);

    if (coldest == NULL || !is_short(holding, coldest))
        return false;
    hold_anew(holding, coldest);
    return true;
}
