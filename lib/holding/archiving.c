/*
 * What goes into the archive: the own release and every other one that is complete, one after the
 * other, when nothing is lacking; then what is no longer to be kept goes. A release is said to be
 * whole only after every blob of it was put there. All of it is done by errands (errand.h), one at
 * a time, so that no request waits for a disk that is written to; one that refuses is left alone
 * for a while, and nothing else depends on it.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "holding/parts.h"
#include "node/node.h"
#include "release/release.h"

enum {
    RETRY_MS = 60 * 1000,
    /* how old may be what stands there of when a release was seen */
    NOTE_EVERY_MS = 10 * 60 * 1000,
    SWEEP_FIRST_MS = 20 * 1000,
    SWEEP_EVERY_MS = 60 * 60 * 1000,
};

/* ---- opening ---- */

static void on_notice(void *data, const char *message)
{
    breaker__holding_say((breaker__holding_t *)data, BREAKER_LOG_WARNING, BREAKER_LOG_TROUBLE,
                         "archive", breaker_log_text("reason", message));
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

static void on_back(void *data);

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

void breaker__archiving_look(breaker__holding_t *holding, const breaker__tracked_t *known)
{
    breaker__archived_t archived;

    assert(!known->is_archived);
    if (holding->archive != NULL &&
        breaker__archive_describe(holding->archive, &known->about.id, &archived) == 0)
        take_in(holding, &archived);
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
    if (breaker__archive_open(&config, &holding->archive, &error) != 0 ||
        breaker__errand_open(&holding->archiving.errand, &config, on_back, holding, &error) != 0 ||
        breaker__reading_open(holding, &config, &error) != 0) {
        on_notice(holding, error.message);
        breaker__archiving_close(holding);
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
    breaker__errand_dispose(&holding->archiving.errand);
    breaker__reading_close(holding);
    breaker__archive_close(holding->archive);
    holding->archive = NULL;
}

/* ---- a release ---- */

static void refuse(breaker__holding_t *holding)
{
    drop_work(&holding->archiving);
    holding->archiving.due_ms = breaker__holding_now().mono_ms + RETRY_MS;
}

/* its end goes on */
static void send_errand(breaker__holding_t *holding, breaker__errand_kind_t kind)
{
    holding->archiving.errand.kind = kind;
    breaker__errand_send(&holding->archiving.errand, &holding->loop);
}

static bool send_manifest(breaker__holding_t *holding)
{
    breaker__errand_t *errand = &holding->archiving.errand;

    for (size_t i = 0; i != holding->catalog.num; ++i) {
        breaker__tracked_t *known = holding->catalog.list[i];
        if (!known->is_manifest_due)
            continue;
        known->is_manifest_due = false;
        if (known->release == NULL)
            continue;
        known->is_to_note = false;
        errand->about = known->about;
        errand->release = breaker__release_ref(known->release);
        send_errand(holding, BREAKER__ERRAND_MANIFEST);
        return true;
    }
    return false;
}

static void take_manifest(breaker__holding_t *holding, const breaker__errand_t *errand)
{
    breaker__tracked_t *known = breaker__catalog_find(&holding->catalog, &errand->about.id);

    if (errand->err != 0) {
        refuse(holding);
        return;
    }
    if (known == NULL)
        return;
    known->is_archived = true;
    /* what was unreadable there is not any more */
    known->is_barred &= !known->is_own;
    known->noted_ms = errand->about.last_seen_ms;
}

/* whole releases stay so; one that the archive threw out is not brought there again */
static bool is_to_archive(const breaker__tracked_t *known, uint64_t now_ms)
{
    return known->release != NULL && known->is_complete && !known->about.is_whole &&
           (known->is_own || !known->is_barred) && known->archive_due_ms <= now_ms;
}

static breaker__tracked_t *choose(const breaker__holding_t *holding)
{
    uint64_t now_ms = breaker__holding_now().mono_ms;
    breaker__tracked_t *chosen = NULL;

    for (size_t i = 0; i != holding->catalog.num; ++i) {
        breaker__tracked_t *known = holding->catalog.list[i];
        if (is_to_archive(known, now_ms) && (chosen == NULL || known->is_own))
            chosen = known;
    }
    return chosen;
}

/* true when there is something to do of a release */
static bool begin(breaker__holding_t *holding)
{
    breaker__archiving_t *archiving = &holding->archiving;
    breaker__tracked_t *known = choose(holding);

    assert(archiving->release == NULL);
    if (known == NULL)
        return false;
    if (!known->is_archived || known->is_barred) {
        known->is_manifest_due = true;
        return send_manifest(holding);
    }
    if (breaker__blob_list_init(&archiving->blobs, known->release, false) != 0) {
        refuse(holding);
        return false;
    }
    archiving->id = known->about.id;
    archiving->release = breaker__release_ref(known->release);
    archiving->is_whole = true;
    return true;
}

static void finish(breaker__holding_t *holding)
{
    breaker__archiving_t *archiving = &holding->archiving;
    breaker__tracked_t *known = breaker__catalog_find(&holding->catalog, &archiving->id);
    bool is_whole = archiving->is_whole;

    drop_work(archiving);
    if (known == NULL)
        return;
    /* the others, and what goes, do not wait for it */
    if (!is_whole) {
        known->archive_due_ms = breaker__holding_now().mono_ms + RETRY_MS;
        return;
    }
    known->about.is_whole = true;
    known->is_to_note = true;
    /* it may give way from now on */
    holding->is_uncounted = true;
    archiving->sweep_due_ms = breaker__holding_now().mono_ms + SWEEP_FIRST_MS;
}

/* goes on with the release at hand; false when that was all of it */
static bool send_blobs(breaker__holding_t *holding)
{
    breaker__archiving_t *archiving = &holding->archiving;
    breaker__errand_t *errand = &archiving->errand;
    breaker__blob_t *blob;
    uint64_t bytes = 0;

    assert(errand->num_blobs == 0);
    while (errand->num_blobs != BREAKER__ERRAND_BLOBS_MAX && bytes < BREAKER__ERRAND_BYTES &&
           (blob = breaker__blob_list_next(&archiving->blobs)) != NULL) {
        errand->blobs[errand->num_blobs++] = blob;
        bytes += breaker__blob_len(blob);
    }
    if (errand->num_blobs == 0) {
        finish(holding);
        return false;
    }
    errand->about.id = archiving->id;
    errand->release = breaker__release_ref(archiving->release);
    send_errand(holding, BREAKER__ERRAND_BLOBS);
    return true;
}

static void take_blobs(breaker__holding_t *holding, const breaker__errand_t *errand)
{
    if (errand->err != 0)
        refuse(holding);
    else
        holding->archiving.is_whole &= errand->is_whole;
}

/* ---- what stands there of releases ---- */

static bool is_to_note(const breaker__tracked_t *known)
{
    return known->is_archived && !known->is_barred &&
           (known->is_to_note || known->about.last_seen_ms >= known->noted_ms + NOTE_EVERY_MS);
}

static bool send_note(breaker__holding_t *holding)
{
    for (size_t i = 0; i != holding->catalog.num; ++i) {
        breaker__tracked_t *known = holding->catalog.list[i];

        if (!is_to_note(known))
            continue;
        known->is_to_note = false;
        known->noted_ms = known->about.last_seen_ms;
        holding->archiving.errand.about = known->about;
        send_errand(holding, BREAKER__ERRAND_NOTE);
        return true;
    }
    return false;
}

static void take_note(breaker__holding_t *holding, const breaker__errand_t *errand)
{
    breaker__tracked_t *known = breaker__catalog_find(&holding->catalog, &errand->about.id);

    if (errand->err == 0)
        return;
    if (known != NULL && errand->err == BREAKER_ERR_NOT_FOUND)
        known->is_archived = known->about.is_whole = false;
    else if (known != NULL)
        known->is_to_note = true;
    refuse(holding);
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
static void take_sweep(breaker__holding_t *holding, const breaker__errand_t *errand)
{
    for (size_t i = 0; errand->err == 0 && i != holding->catalog.num; ++i) {
        breaker__tracked_t *known = holding->catalog.list[i];
        if (!known->is_archived ||
            is_listed(errand->archived, errand->num_archived, &known->about.id))
            continue;
        known->is_archived = known->about.is_whole = false;
        known->is_barred = !known->is_own;
    }
}

static void send_sweep(breaker__holding_t *holding)
{
    breaker__errand_t *errand = &holding->archiving.errand;
    const breaker_holding_config_t *config = holding->config;
    breaker__moment_t now = breaker__holding_now();

    errand->keep = (breaker__archive_keep_t){
        .now_ms = now.wall_ms,
        .ids = errand->ids,
        .num_ids = collect_kept(holding, errand->ids),
        .num_newest = config->keep_releases,
        .age_ms = config->keep_age_ms,
        /* the own one is there as well */
        .num_max = BREAKER_HELD_MAX + 1,
        .size_max = config->keep_disk,
    };
    holding->archiving.sweep_due_ms = now.mono_ms + SWEEP_EVERY_MS;
    send_errand(holding, BREAKER__ERRAND_SWEEP);
}

/* ---- all of it ---- */

void breaker__archiving_tell(breaker__holding_t *holding, const breaker__errand_t *errand)
{
    for (size_t i = 0; i != errand->num_notices; ++i)
        on_notice(holding, errand->notices[i]);
}

static void take(breaker__holding_t *holding, const breaker__errand_t *errand)
{
    breaker__archiving_tell(holding, errand);
    switch (errand->kind) {
    case BREAKER__ERRAND_NONE:
        break;
    case BREAKER__ERRAND_MANIFEST:
        take_manifest(holding, errand);
        return;
    case BREAKER__ERRAND_BLOBS:
        take_blobs(holding, errand);
        return;
    case BREAKER__ERRAND_NOTE:
        take_note(holding, errand);
        return;
    case BREAKER__ERRAND_SWEEP:
        take_sweep(holding, errand);
        return;
    case BREAKER__ERRAND_READ:
    case BREAKER__ERRAND_OPEN:
        break;
    }
    assert(!"an errand that is not the archiving's");
}

static void on_back(void *data)
{
    breaker__holding_t *holding = data;
    breaker__errand_t *errand = &holding->archiving.errand;

    /* after the end the loop has nothing else any more */
    if (atomic_load_explicit(&holding->stop, memory_order_relaxed)) {
        breaker__errand_clear(errand);
        return;
    }
    take(holding, errand);
    breaker__errand_clear(errand);
    breaker__holding_go_on(holding);
}

bool breaker__archiving_step(breaker__holding_t *holding)
{
    breaker__archiving_t *archiving = &holding->archiving;
    uint64_t now_ms = breaker__holding_now().mono_ms;

    if (holding->archive == NULL || archiving->errand.kind != BREAKER__ERRAND_NONE ||
        archiving->due_ms > now_ms)
        return false;
    if (archiving->release != NULL)
        return !send_blobs(holding);
    if (send_manifest(holding) || send_note(holding))
        return false;
    if (begin(holding))
        return archiving->release != NULL;
    if (archiving->due_ms <= now_ms && archiving->sweep_due_ms <= now_ms)
        send_sweep(holding);
    return false;
}
