/*
 * What goes from an archive: releases by the rule of breaker__archive_keep_t, then the blobs that
 * nobody needs.
 *
 * Other processes go on meanwhile. The blobs are counted before the releases are listed, so a blob
 * that comes later is not among them. Removing is done with the lock held alone, a few hundred
 * blobs at a time; each time the releases are looked at again first, so that the blobs of one that
 * came meanwhile stay: it was put down before anybody relied on its blobs. Where any manifest
 * cannot be read, for whatever reason, no blob is removed at all.
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "archive/census.h"
#include "archive/opened.h"
#include "archive/releases.h"
#include "archive/seen.h"

/* blobs that are looked at while the archive is locked */
enum { BLOBS_AT_A_TIME = 1024 };

typedef struct st_sweep_t {
    breaker__archive_t *archive;         /* borrowed */
    const breaker__archive_keep_t *keep; /* borrowed */
    breaker__census_t census;            /* owned */
    breaker__archived_t *releases;       /* owned: the one seen last first */
    size_t num_releases;
    /* owned, one for each: its rank among those that stay, 0 for one that goes */
    uint32_t *ranks;
    uint32_t last_rank;
    /* bytes of those that stay */
    uint64_t size;
    /* what did not change since then, in seconds since the epoch, is nobody's that is on his way */
    int64_t before_s;
    /* there is a manifest of another version, or that cannot be read: who knows which blobs it
     * needs */
    bool has_stranger;
} sweep_t;

/* ---- which releases stay ---- */

static bool is_sacred(const breaker__archive_keep_t *keep, const breaker_release_id_t *id)
{
    for (size_t i = 0; i != keep->num_ids; ++i)
        if (breaker_release_id_equal(keep->ids + i, id))
            return true;
    return false;
}

/* by age and number; a rank of 1 stands for any */
static void choose(sweep_t *sweep)
{
    const breaker__archive_keep_t *keep = sweep->keep;
    size_t num_staying = 0, num_others = 0;

    for (size_t i = 0; i != sweep->num_releases; ++i)
        num_staying += sweep->ranks[i] = is_sacred(keep, &sweep->releases[i].id);
    for (size_t i = 0; i != sweep->num_releases; ++i) {
        uint64_t seen_ms = sweep->releases[i].last_seen_ms;
        bool is_young = seen_ms >= keep->now_ms || keep->now_ms - seen_ms <= keep->age_ms;
        if (sweep->ranks[i] != 0)
            continue;
        if (num_others++ < keep->num_newest || (is_young && num_staying < keep->num_max)) {
            sweep->ranks[i] = 1;
            ++num_staying;
        }
    }
}

/* gives a release its rank and counts what it needs; one whose manifest is gone is none any more */
static int rank(sweep_t *sweep, size_t at, bool may_go)
{
    breaker__manifest_t *manifest;
    uint64_t size;
    size_t len;
    char *text;
    int err = breaker__archive_read_manifest(sweep->archive, &sweep->releases[at].id, &text, &len,
                                             &manifest);

    sweep->ranks[at] = 0;
    if (err == BREAKER_ERR_STATE || err == BREAKER_ERR_IO) {
        sweep->has_stranger = true;
        sweep->ranks[at] = sweep->last_rank + 1;
        return 0;
    }
    if (err != 0)
        return err == BREAKER_ERR_NOT_FOUND ? 0 : err;
    free(text);
    size = breaker__census_mark(&sweep->census, manifest, sweep->last_rank + 1) +
           breaker__archive_blocks(len) + BREAKER__ARCHIVE_BLOCK;
    breaker__manifest_free(manifest);
    sweep->size += size;
    if (may_go && sweep->size > sweep->keep->size_max)
        return 0;
    sweep->ranks[at] = ++sweep->last_rank;
    return 0;
}

/* by size: first those that stay whatever follows, then the others until they are too many */
static int rank_all(sweep_t *sweep)
{
    bool is_full = false;
    int err = 0;

    for (size_t i = 0; err == 0 && i != sweep->num_releases; ++i)
        if (sweep->ranks[i] != 0 && is_sacred(sweep->keep, &sweep->releases[i].id))
            err = rank(sweep, i, false);
    for (size_t i = 0; err == 0 && i != sweep->num_releases; ++i) {
        if (sweep->ranks[i] == 0 || is_sacred(sweep->keep, &sweep->releases[i].id))
            continue;
        if (is_full)
            sweep->ranks[i] = 0;
        else
            err = rank(sweep, i, true);
        is_full = sweep->size > sweep->keep->size_max;
    }
    return err;
}

/* ---- removing ---- */

/* whether another process has seen it since it was listed */
static bool is_seen_again(const sweep_t *sweep, const breaker__archived_t *listed)
{
    breaker__archived_t now;

    return breaker__archive_describe(sweep->archive, &listed->id, &now) == 0 &&
           now.last_seen_ms != listed->last_seen_ms;
}

static int remove_releases(sweep_t *sweep)
{
    breaker__archive_t *archive = sweep->archive;
    int err;

    if ((err = breaker__archive_lock(archive, archive->releases_fd, LOCK_EX)) != 0)
        return err;
    for (size_t i = 0; err == 0 && i != sweep->num_releases; ++i)
        if (sweep->ranks[i] == 0 && !is_seen_again(sweep, sweep->releases + i))
            err = breaker__archive_remove(archive, &sweep->releases[i].id);
    breaker__archive_tidy(archive, sweep->before_s);
    breaker__archive_unlock(archive->releases_fd);
    return err;
}

static bool is_known(const sweep_t *sweep, const char *name)
{
    for (size_t i = 0; i != sweep->num_releases; ++i)
        if (sweep->ranks[i] != 0 && strcmp(sweep->releases[i].id.text, name) == 0)
            return true;
    return false;
}

/* the blobs of a release that came since the listing stay */
static int mark_newcomer(sweep_t *sweep, const char *name)
{
    breaker__manifest_t *manifest;
    breaker_release_id_t id;
    size_t len;
    char *text;
    int err;

    if (breaker_release_id_parse(name, strlen(name), &id) != 0 ||
        breaker_release_id_digest(&id) == NULL || is_known(sweep, name))
        return 0;
    err = breaker__archive_read_manifest(sweep->archive, &id, &text, &len, &manifest);
    if (err == BREAKER_ERR_NOT_FOUND)
        return 0;
    if (err != 0)
        return err;
    breaker__census_claim(&sweep->census, manifest);
    breaker__manifest_free(manifest);
    free(text);
    return 0;
}

static int mark_newcomers(sweep_t *sweep)
{
    DIR *names = breaker__archive_open_names(sweep->archive->releases_fd);
    const struct dirent *entry;
    int err = 0;

    if (names == NULL)
        return breaker__archive_fail(sweep->archive, BREAKER__ARCHIVE_READ, errno);
    while (err == 0 && (entry = readdir(names)) != NULL)
        err = mark_newcomer(sweep, entry->d_name);
    closedir(names);
    return err;
}

static int remove_blobs(sweep_t *sweep)
{
    breaker__archive_t *archive = sweep->archive;
    int err = 0;

    for (size_t at = 0; err == 0 && at != sweep->census.num;) {
        if ((err = breaker__archive_lock(archive, archive->releases_fd, LOCK_EX)) != 0)
            return err;
        if ((err = mark_newcomers(sweep)) == 0)
            breaker__census_sweep(&sweep->census, archive, sweep->last_rank, sweep->before_s,
                                  BLOBS_AT_A_TIME, &at);
        breaker__archive_unlock(archive->releases_fd);
    }
    return err == BREAKER_ERR_STATE ? 0 : err;
}

/* ---- the whole ---- */

static int sweep_listed(sweep_t *sweep)
{
    int err;

    if ((sweep->ranks = calloc(sweep->num_releases + 1, sizeof(*sweep->ranks))) == NULL)
        return BREAKER_ERR_NO_MEMORY;
    choose(sweep);
    if ((err = rank_all(sweep)) != 0 || (err = remove_releases(sweep)) != 0)
        return err;
    if (sweep->has_stranger || sweep->num_releases == BREAKER__ARCHIVE_RELEASES_MAX)
        return 0;
    return remove_blobs(sweep);
}

/* counts the blobs, then lists the releases: in this order no release relies on a blob uncounted */
static int look(sweep_t *sweep)
{
    breaker__archive_t *archive = sweep->archive;
    int err;

    if ((err = breaker__census_take(&sweep->census, archive)) != 0 ||
        (err = breaker__archive_list(archive, &sweep->releases, &sweep->num_releases)) != 0)
        return err;
    archive->size = sweep->census.size +
                    breaker__archive_measure(archive, sweep->releases, sweep->num_releases);
    archive->is_measured = true;
    return 0;
}

static void dispose(sweep_t *sweep)
{
    breaker__census_dispose(&sweep->census);
    free(sweep->releases);
    free(sweep->ranks);
}

int breaker__archive_sweep(breaker__archive_t *archive, const breaker__archive_keep_t *keep)
{
    sweep_t sweep = {
        .archive = archive,
        .keep = keep,
        .before_s = (int64_t)(keep->now_ms / 1000) - BREAKER__ARCHIVE_GRACE_MS / 1000,
    };
    int err;

    if (archive->releases_fd == -1)
        return 0;
    if ((err = look(&sweep)) == 0)
        err = sweep_listed(&sweep);
    dispose(&sweep);
    return err;
}

uint64_t breaker__archive_size(breaker__archive_t *archive)
{
    sweep_t sweep = {.archive = archive};

    /* what could not be looked at is looked at the next time */
    if (!archive->is_measured)
        look(&sweep);
    dispose(&sweep);
    return archive->size;
}
