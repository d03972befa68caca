/*
 * What goes into the archive: the own release and every other one that is complete, one after the
 * other, in pieces, when nothing is lacking; then what is no longer to be kept goes. A release is
 * said to be whole only after every blob of it was put there. A disk that refuses is left alone for
 * a while; nothing else depends on it.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "holding/parts.h"
#include "node/node.h"
#include "release/manifest.h"
#include "release/release.h"

enum {
    PIECE_MS = 5,
    RETRY_MS = 60 * 1000,
    /* how old may be what stands there of when a release was seen */
    NOTE_EVERY_MS = 10 * 60 * 1000,
    SWEEP_FIRST_MS = 20 * 1000,
    SWEEP_EVERY_MS = 60 * 60 * 1000,
    /* how much of the manifest's room is taken at first */
    TEXT_MIN = 1 << 16,
};

/* ---- opening ---- */

static void on_notice(void *data, const char *message)
{
    breaker__holding_say((breaker__holding_t *)data, BREAKER_LOG_WARNING,
                         "trouble=archive reason=\"%s\"", message);
}

static void take_in(breaker__holding_t *holding, const breaker__archived_t *archived)
{
    breaker__tracked_t *known =
        breaker__catalog_add(&holding->catalog, &archived->id, archived->last_seen_ms);

    if (known == NULL)
        return;
    breaker__tracked_see(known, archived->first_seen_ms);
    for (size_t i = 0; i != archived->num_tokens; ++i)
        breaker__tracked_add_token(known, archived->tokens + i);
    known->about.is_whole = archived->is_whole;
    known->is_archived = true;
    known->is_to_note = false;
    known->noted_ms = archived->last_seen_ms;
}

/* newest first, so that what finds no room was seen longest ago */
static void list(breaker__holding_t *holding)
{
    breaker__archived_t *archived;
    size_t num;

    if (breaker__archive_list(holding->archive, &archived, &num) != 0)
        return;
    for (size_t i = 0; i != num && i != BREAKER__TRACKED_MAX / 2; ++i)
        take_in(holding, archived + i);
    free(archived);
}

void breaker__archiving_open(breaker__holding_t *holding)
{
    const breaker__archive_config_t config = {
        .directory = holding->config->archive,
        .on_notice = on_notice,
        .data = holding,
        .stop = &holding->stop,
    };
    breaker_error_t error = {0};

    assert(holding->archive == NULL);
    if (config.directory == NULL)
        return;
    if (breaker__archive_open(&config, &holding->archive, &error) != 0) {
        on_notice(holding, error.message);
        return;
    }
    holding->archiving.sweep_due_ms = breaker__holding_now().mono_ms + SWEEP_FIRST_MS;
    list(holding);
}

static void drop_work(breaker__archiving_t *archiving)
{
    breaker__blob_list_dispose(&archiving->blobs);
    breaker_release_unref(archiving->release);
    archiving->release = NULL;
}

void breaker__archiving_close(breaker__holding_t *holding)
{
    drop_work(&holding->archiving);
    breaker__archive_close(holding->archive);
    holding->archive = NULL;
}

/* ---- a release ---- */

static void refuse(breaker__holding_t *holding)
{
    drop_work(&holding->archiving);
    holding->archiving.due_ms = breaker__holding_now().mono_ms + RETRY_MS;
}

void breaker__archiving_put_manifest(breaker__holding_t *holding, breaker__tracked_t *known,
                                     const char *text, size_t len)
{
    assert(!known->is_archived || known->is_barred);
    if (holding->archive == NULL)
        return;
    if (breaker__archive_put_release(holding->archive, &known->about, text, len) != 0) {
        refuse(holding);
        return;
    }
    known->is_archived = true;
    known->is_to_note = false;
    known->noted_ms = known->about.last_seen_ms;
}

typedef struct st_text_t {
    char *base;
    size_t len, size;
} text_t;

static int append(void *data, const char *base, size_t len)
{
    text_t *text = data;
    char *grown;

    if (len > text->size - text->len) {
        size_t size = text->size != 0 ? 2 * text->size : TEXT_MIN;
        assert(len <= TEXT_MIN);
        if ((grown = realloc(text->base, size)) == NULL)
            return BREAKER_ERR_NO_MEMORY;
        text->base = grown;
        text->size = size;
    }
    memcpy(text->base + text->len, base, len);
    text->len += len;
    return 0;
}

static void put_own_manifest(breaker__holding_t *holding, breaker__tracked_t *known)
{
    text_t text = {.base = NULL};

    if (breaker__manifest_write(known->release, append, &text) == 0)
        breaker__archiving_put_manifest(holding, known, text.base, text.len);
    free(text.base);
}

/* whole releases stay so; one that the archive threw out is not brought there again */
static bool is_to_archive(const breaker__tracked_t *known)
{
    return known->release != NULL && known->is_complete && !known->about.is_whole &&
           (known->is_own || !known->is_barred);
}

static breaker__tracked_t *choose(const breaker__holding_t *holding)
{
    breaker__tracked_t *chosen = NULL;

    for (size_t i = 0; i != holding->catalog.num; ++i) {
        breaker__tracked_t *known = holding->catalog.list[i];
        if (is_to_archive(known) && (chosen == NULL || known->is_own))
            chosen = known;
    }
    return chosen;
}

static bool begin(breaker__holding_t *holding)
{
    breaker__archiving_t *archiving = &holding->archiving;
    breaker__tracked_t *known = choose(holding);

    assert(archiving->release == NULL);
    if (known == NULL)
        return false;
    if (!known->is_archived || known->is_barred)
        put_own_manifest(holding, known);
    if (!known->is_archived || breaker__blob_list_init(&archiving->blobs, known->release, false)) {
        refuse(holding);
        return false;
    }
    archiving->id = known->about.id;
    archiving->release = breaker__release_ref(known->release);
    archiving->is_whole = true;
    return true;
}

/* a blob that is not HERE lies in the archive already, or is left to whoever asks for it */
static int put(breaker__holding_t *holding, breaker__blob_t *blob)
{
    const breaker_variant_t *body = breaker__blob_body(blob);
    const uint8_t *digest = breaker__blob_digest(blob);
    int fd, err;

    if (body != NULL && body->base != NULL)
        return breaker__archive_put(holding->archive, digest, body->base, body->len);
    if (body != NULL)
        return breaker__archive_put_file(holding->archive, digest, body->fd, body->len);
    if ((err = breaker__archive_get(holding->archive, digest, breaker__blob_len(blob), &fd)) == 0)
        close(fd);
    return err;
}

static void finish(breaker__holding_t *holding)
{
    breaker__archiving_t *archiving = &holding->archiving;
    breaker__tracked_t *known = breaker__catalog_find(&holding->catalog, &archiving->id);
    bool is_whole = archiving->is_whole;

    drop_work(archiving);
    if (known == NULL)
        return;
    if (!is_whole) {
        refuse(holding);
        return;
    }
    known->about.is_whole = true;
    known->is_to_note = true;
    archiving->sweep_due_ms = breaker__holding_now().mono_ms + SWEEP_FIRST_MS;
}

/* goes on with the release at hand; true while there is more of it */
static bool go_on(breaker__holding_t *holding, uint64_t until_ms)
{
    breaker__archiving_t *archiving = &holding->archiving;
    breaker__blob_t *blob;
    int err;

    while (breaker__holding_now().mono_ms < until_ms) {
        if ((blob = breaker__blob_list_next(&archiving->blobs)) == NULL) {
            finish(holding);
            return true;
        }
        if ((err = put(holding, blob)) == BREAKER_ERR_IO || err == BREAKER_ERR_NO_MEMORY) {
            refuse(holding);
            return false;
        }
        archiving->is_whole &= err == 0;
    }
    return true;
}

/* ---- what stands there of releases ---- */

static bool is_to_note(const breaker__tracked_t *known)
{
    return known->is_archived && !known->is_barred &&
           (known->is_to_note || known->about.last_seen_ms >= known->noted_ms + NOTE_EVERY_MS);
}

/* one at a time; true when there may be another one */
static bool note(breaker__holding_t *holding)
{
    for (size_t i = 0; i != holding->catalog.num; ++i) {
        breaker__tracked_t *known = holding->catalog.list[i];
        int err;

        if (!is_to_note(known))
            continue;
        known->is_to_note = false;
        known->noted_ms = known->about.last_seen_ms;
        if ((err = breaker__archive_note(holding->archive, &known->about)) == 0)
            return true;
        if (err == BREAKER_ERR_NOT_FOUND)
            known->is_archived = known->about.is_whole = false;
        else
            known->is_to_note = true;
        refuse(holding);
        return false;
    }
    return false;
}

/* ---- what goes ---- */

static size_t collect_kept(const breaker__holding_t *holding, breaker_release_id_t *dst)
{
    size_t num = 0;

    for (size_t i = 0; i != holding->catalog.num; ++i) {
        const breaker__tracked_t *known = holding->catalog.list[i];
        if (known->is_own || known->is_alive)
            dst[num++] = known->about.id;
    }
    assert(num <= BREAKER__TRACKED_MAX);
    return num;
}

static bool is_listed(const breaker__archived_t *archived, size_t num,
                      const breaker_release_id_t *id)
{
    for (size_t i = 0; i != num; ++i)
        if (breaker_release_id_equal(&archived[i].id, id))
            return true;
    return false;
}

/* what was thrown out, here or by another process, is not brought there again */
static void forget_swept(breaker__holding_t *holding)
{
    breaker__archived_t *archived;
    size_t num;

    if (breaker__archive_list(holding->archive, &archived, &num) != 0)
        return;
    for (size_t i = 0; i != holding->catalog.num; ++i) {
        breaker__tracked_t *known = holding->catalog.list[i];
        if (!known->is_archived || is_listed(archived, num, &known->about.id))
            continue;
        known->is_archived = known->about.is_whole = false;
        known->is_barred = !known->is_own;
    }
    free(archived);
}

static void sweep(breaker__holding_t *holding)
{
    breaker_release_id_t ids[BREAKER__TRACKED_MAX];
    const breaker_holding_config_t *config = holding->config;
    breaker__moment_t now = breaker__holding_now();
    const breaker__archive_keep_t keep = {
        .now_ms = now.wall_ms,
        .ids = ids,
        .num_ids = collect_kept(holding, ids),
        .num_newest = config->keep_releases,
        .age_ms = config->keep_age_ms,
        /* the own one is there as well */
        .num_max = BREAKER_HELD_MAX + 1,
        .size_max = config->keep_disk,
    };

    holding->archiving.sweep_due_ms = now.mono_ms + SWEEP_EVERY_MS;
    if (breaker__archive_sweep(holding->archive, &keep) == 0)
        forget_swept(holding);
}

/* ---- all of it ---- */

bool breaker__archiving_step(breaker__holding_t *holding)
{
    breaker__archiving_t *archiving = &holding->archiving;
    uint64_t now_ms = breaker__holding_now().mono_ms;

    if (holding->archive == NULL || archiving->due_ms > now_ms)
        return false;
    if (archiving->release != NULL)
        return go_on(holding, now_ms + PIECE_MS);
    if (note(holding) || (archiving->due_ms <= now_ms && begin(holding)))
        return true;
    if (archiving->due_ms <= now_ms && archiving->sweep_due_ms <= now_ms)
        sweep(holding);
    return false;
}
