/*
 * Files above the limit are not brought unasked, and never into memory. When a request wants one it
 * comes from peers into a file of its own, a spool, from which any number of requests are answered
 * while it grows. Where there is an archive, that file is in it once it was found right; where
 * there is none it stays for as long as somebody wants it, and a little longer.
 *
 * Kept always: a blob has one spool at most, which one ask writes to; all that are here take no
 * more of the disk than is to be kept; what was broken is let go at once, so that the next request
 * that wants it has another one begun, unless that came to nothing as well just now (pauses.h).
 */
#include <assert.h>
#include <unistd.h>
#include "holding/parts.h"

enum {
    /* how long one stays that nobody wants: a client that resumes comes back within this */
    LINGER_MS = 30 * 1000,
};

static breaker__spooled_t *find(breaker__holding_t *holding, const breaker__blob_t *blob)
{
    for (size_t i = 0; i != holding->spooling.num; ++i)
        if (holding->spooling.spooled[i].blob == blob)
            return holding->spooling.spooled + i;
    return NULL;
}

static breaker__spooled_t *find_ask(breaker__holding_t *holding, uint64_t ask)
{
    assert(ask != 0);
    for (size_t i = 0; i != holding->spooling.num; ++i)
        if (holding->spooling.spooled[i].ask == ask)
            return holding->spooling.spooled + i;
    return NULL;
}

/* answers that are being sent go on where everything has come, and break off where it has not */
static void let_go(breaker__holding_t *holding, breaker__spooled_t *spooled)
{
    breaker__spooling_t *spooling = &holding->spooling;

    assert(spooling->num != 0);
    breaker__spool_break(spooled->spool);
    if (spooled->is_archived)
        breaker__archive_reject(&spooled->incoming);
    breaker__blob_set_spool(spooled->blob, NULL);
    breaker__spool_unref(spooled->spool);
    breaker__blob_unref(spooled->blob);
    *spooled = spooling->spooled[--spooling->num];
}

/* ---- room ---- */

static bool has_room(const breaker__holding_t *holding, uint64_t len)
{
    uint64_t left = holding->config->keep_disk;

    for (size_t i = 0; i != holding->spooling.num; ++i)
        left -= breaker__blob_len(holding->spooling.spooled[i].blob);
    return holding->spooling.num != BREAKER__SPOOLS_MAX && len <= left;
}

static bool is_in_use(const breaker__spooled_t *spooled)
{
    return spooled->ask != 0 || breaker__spool_num_readers(spooled->spool) != 0;
}

/* the one that nobody has wanted for the longest time, of those that have come */
static breaker__spooled_t *find_idle(breaker__holding_t *holding)
{
    breaker__spooled_t *idle = NULL;

    for (size_t i = 0; i != holding->spooling.num; ++i) {
        breaker__spooled_t *spooled = holding->spooling.spooled + i;
        if (!is_in_use(spooled) && (idle == NULL || spooled->idle_since_ms < idle->idle_since_ms))
            idle = spooled;
    }
    return idle;
}

static bool make_room(breaker__holding_t *holding, uint64_t len)
{
    breaker__spooled_t *idle;

    while (!has_room(holding, len)) {
        if ((idle = find_idle(holding)) == NULL)
            return false;
        let_go(holding, idle);
    }
    return true;
}

/* ---- beginning ---- */

/* who waits looks often, and peers would be asked as often */
static void pause_for(breaker__holding_t *holding, const breaker__blob_t *blob)
{
    breaker__pauses_begin(&holding->spooling.pauses, breaker__blob_digest(blob),
                          breaker__holding_now().mono_ms);
}

bool breaker__spooling_has(breaker__holding_t *holding, const breaker__blob_t *blob)
{
    breaker__spooled_t *spooled = find(holding, blob);

    if (spooled != NULL)
        spooled->idle_since_ms = breaker__holding_now().mono_ms;
    return spooled != NULL;
}

void breaker__spooling_judge(breaker__holding_t *holding, breaker__blob_t *blob)
{
    if (breaker__blob_len(blob) <= holding->config->keep_disk ||
        breaker__blob_state(blob) == BREAKER__BLOB_ELSEWHERE)
        return;
    breaker__holding_say(holding, BREAKER_LOG_WARNING, BREAKER_LOG_TROUBLE, "keep",
                         breaker_log_number("bytes", breaker__blob_len(blob)),
                         breaker_log_text("reason", "a file is not streamed through, because it is "
                                                    "larger than breaker.keep: disk"));
    breaker__blob_set_elsewhere(blob);
}

/* a file in the archive or, where that cannot be written to, one without a name */
static int open_file(breaker__holding_t *holding, breaker__spooled_t *spooled, int *ret_fd)
{
    spooled->is_archived =
        holding->archive != NULL &&
        breaker__archive_receive(holding->archive, breaker__blob_digest(spooled->blob),
                                 &spooled->incoming, ret_fd) == 0;
    return spooled->is_archived ? 0 : breaker__spool_open(NULL, ret_fd);
}

static int create_spool(breaker__holding_t *holding, breaker__spooled_t *spooled)
{
    int fd, err;

    if ((err = open_file(holding, spooled, &fd)) != 0) {
        breaker__holding_say(
            holding, BREAKER_LOG_WARNING, BREAKER_LOG_TROUBLE, "spool",
            breaker_log_text("reason", "no file can be made for what is streamed "
                                       "through, neither in the archive nor where TMPDIR says"));
        return err;
    }
    err = breaker__spool_create(fd, breaker__blob_digest(spooled->blob),
                                breaker__blob_len(spooled->blob), &spooled->spool);
    if (err != 0 && spooled->is_archived)
        breaker__archive_reject(&spooled->incoming);
    return err;
}

void breaker__spooling_begin(breaker__holding_t *holding, breaker__blob_t *blob,
                             const breaker_release_id_t *id)
{
    breaker__spooled_t spooled = {.blob = blob, .idle_since_ms = breaker__holding_now().mono_ms};
    breaker__spooling_t *spooling = &holding->spooling;

    assert(find(holding, blob) == NULL);
    breaker__spooling_judge(holding, blob);
    if (breaker__blob_state(blob) == BREAKER__BLOB_ELSEWHERE ||
        !breaker__pauses_is_over(&spooling->pauses, breaker__blob_digest(blob),
                                 spooled.idle_since_ms) ||
        !make_room(holding, breaker__blob_len(blob)))
        return;
    if (create_spool(holding, &spooled) != 0) {
        pause_for(holding, blob);
        return;
    }
    if (breaker__peers_ask_spool(holding->client, breaker__blob_digest(blob),
                                 breaker__blob_len(blob), id, spooled.spool, &spooled.ask) != 0) {
        if (spooled.is_archived)
            breaker__archive_reject(&spooled.incoming);
        breaker__spool_unref(spooled.spool);
        return;
    }
    breaker__blob_ref(blob);
    breaker__blob_set_spool(blob, spooled.spool);
    spooling->spooled[spooling->num++] = spooled;
}

/* ---- what the client answers ---- */

/* Whether the blob is sent from the archive from now on. Its file was hashed as it came: that is
 * not done again. */
static bool archive(breaker__holding_t *holding, breaker__spooled_t *spooled)
{
    breaker__blob_t *blob = spooled->blob;
    breaker__found_t found;
    int fd;

    if (!spooled->is_archived)
        return false;
    spooled->is_archived = false;
    if (breaker__archive_accept(holding->archive, breaker__blob_digest(blob),
                                breaker__blob_len(blob), &spooled->incoming) != 0)
        return false;
    breaker__blob_set_archived(blob, true);
    if (breaker__spool_descriptor(spooled->spool, &fd) != 0)
        return false;
    found = breaker__source_take_file(holding, blob, &fd, NULL, true);
    if (fd != -1)
        close(fd);
    return found == BREAKER__FOUND_FILLED;
}

void breaker__spooling_on_spool(breaker__holding_t *holding, uint64_t ask)
{
    breaker__spooled_t *spooled = find_ask(holding, ask);

    if (spooled == NULL)
        return;
    spooled->ask = 0;
    breaker__tally_ok(&holding->tally.peer_files, breaker__blob_len(spooled->blob));
    breaker__pauses_forget(&holding->spooling.pauses, breaker__blob_digest(spooled->blob));
    breaker__holding_say(holding, BREAKER_LOG_INFO, BREAKER_LOG_EVENT, "streamed",
                         breaker_log_number("bytes", breaker__blob_len(spooled->blob)));
    if (archive(holding, spooled))
        let_go(holding, spooled);
}

/*
 * Nobody has it now, but that is no reason to say so for good: it is asked for again when a request
 * wants it after a pause.
 */
bool breaker__spooling_on_nobody(breaker__holding_t *holding, uint64_t ask)
{
    breaker__spooled_t *spooled = find_ask(holding, ask);

    if (spooled == NULL)
        return false;
    breaker__holding_say(
        holding, BREAKER_LOG_WARNING, BREAKER_LOG_TROUBLE, "streaming",
        breaker_log_number("bytes", breaker__blob_len(spooled->blob)),
        breaker_log_number("come", breaker_spool_len(spooled->spool)),
        breaker_log_text("reason", "no peer gave the rest, or the hash of all was another"));
    breaker__tally_nothing(&holding->tally.peer_files, false);
    pause_for(holding, spooled->blob);
    let_go(holding, spooled);
    return true;
}

/* ---- the end ---- */

static bool is_to_go(breaker__spooled_t *spooled)
{
    uint64_t now_ms = breaker__holding_now().mono_ms;
    uint64_t num_taken = breaker__spool_num_taken(spooled->spool);

    if (num_taken != spooled->num_taken || breaker__spool_num_readers(spooled->spool) != 0)
        spooled->idle_since_ms = now_ms;
    spooled->num_taken = num_taken;
    /* the archive keeps it for whoever comes */
    return !spooled->is_archived && now_ms - spooled->idle_since_ms > LINGER_MS;
}

void breaker__spooling_look(breaker__holding_t *holding)
{
    for (size_t i = holding->spooling.num; i-- != 0;) {
        breaker__spooled_t *spooled = holding->spooling.spooled + i;
        if (!is_to_go(spooled))
            continue;
        if (spooled->ask != 0)
            breaker__peers_cancel(holding->client, spooled->ask);
        let_go(holding, spooled);
    }
}

void breaker__spooling_end(breaker__holding_t *holding)
{
    while (holding->spooling.num != 0)
        let_go(holding, holding->spooling.spooled);
}
