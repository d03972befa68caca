/*
 * Where bytes come from: the archive first, then peers. Every byte that is filled in was hashed:
 * the archive checks what it reads, the client what it fetched. What a request waits for is taken
 * at once; the rest is gone through in rounds, release by release, smallest first, until nothing is
 * lacking that anybody could give.
 *
 * What is brought unasked is kept in memory up to a limit. Beyond it a blob stays where it is until
 * a request wants it, and is here for a while then (room.c).
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "holding/parts.h"
#include "node/node.h"
#include "release/cached.h"
#include "release/release.h"

enum {
    /* a piece of work, after which requests are looked at */
    PIECE_MS = 5,
    /* up to here bytes that are here for now are in memory, where there is room */
    SMALL_MAX = 64 << 10,
    /* the next round after one that left something lacking: after so long, twice that, … */
    ROUND_MIN_MS = 1000,
    ROUND_DOUBLINGS = 6,
    /* after so many of them the coordinator is not asked for other peers any more */
    WANTING_ROUNDS = 3,
};

static bool is_here(const breaker__blob_t *blob)
{
    return breaker__blob_state(blob) == BREAKER__BLOB_HERE;
}

/* ---- filling ---- */

int breaker__source_fill(breaker__holding_t *holding, breaker__blob_t *blob, const char *base)
{
    int err;

    if (is_here(blob))
        return 0;
    if ((err = breaker__blob_fill(blob, base)) != 0)
        return err;
    assert(is_here(blob));
    holding->source.memory += breaker__blob_len(blob);
    return 0;
}

/* ---- the archive ---- */

breaker__found_t breaker__found_by(int err)
{
    if (err == 0)
        return BREAKER__FOUND_FILLED;
    return err == BREAKER_ERR_NOT_FOUND ? BREAKER__FOUND_NOWHERE : BREAKER__FOUND_TROUBLE;
}

/* whether the bytes are here, or in the archive, or may be found there in a moment */
static bool is_found(breaker__found_t found)
{
    return found == BREAKER__FOUND_FILLED || found == BREAKER__FOUND_THERE ||
           found == BREAKER__FOUND_LATER;
}

/* trouble says nothing of what lies there */
static void note_archived(breaker__blob_t *blob, breaker__found_t found)
{
    if (found != BREAKER__FOUND_LATER && found != BREAKER__FOUND_TROUBLE)
        breaker__blob_set_archived(blob, is_found(found));
}

/* to stay, or for now */
static breaker__found_t read_into_memory(breaker__holding_t *holding, breaker__blob_t *blob,
                                         bool is_kept)
{
    uint64_t len = breaker__blob_len(blob);
    char *buffer = malloc(len + 1);
    int err;

    if (buffer == NULL)
        return BREAKER__FOUND_TROUBLE;
    err = breaker__archive_read(holding->archive, breaker__blob_digest(blob), len, buffer);
    if (err == 0)
        err = is_kept ? breaker__source_fill(holding, blob, buffer)
                      : breaker__blob_cache(blob, buffer, breaker__holding_now().mono_ms);
    free(buffer);
    return breaker__found_by(err);
}

breaker__found_t breaker__source_take_file(breaker__holding_t *holding, breaker__blob_t *blob,
                                           int *fd, const breaker__stamp_t *checked, bool is_urgent)
{
    int taken = *fd, err;

    if (breaker__room_keeps_file(holding)) {
        *fd = -1;
        err = breaker__blob_fill_from(blob, taken, checked);
        holding->source.num_files += err == 0;
    } else if (is_urgent && breaker__room_make_file(holding)) {
        *fd = -1;
        err = breaker__blob_cache_from(blob, taken, checked, breaker__holding_now().mono_ms);
    } else {
        return BREAKER__FOUND_THERE;
    }
    return err == 0 ? BREAKER__FOUND_FILLED : BREAKER__FOUND_TROUBLE;
}

static breaker__found_t open_file(breaker__holding_t *holding, breaker__blob_t *blob,
                                  bool is_urgent)
{
    breaker__stamp_t stamp;
    breaker__found_t found;
    int fd, err;

    err = breaker__archive_get(holding->archive, breaker__blob_digest(blob),
                               breaker__blob_len(blob), &fd, &stamp);
    if (err != 0)
        return breaker__found_by(err);
    found = breaker__source_take_file(holding, blob, &fd, &stamp, is_urgent);
    if (fd != -1)
        close(fd);
    return found;
}

/* small ones are many, and descriptors few; a large one is read from its file as it is sent */
static breaker__found_t bring_for_now(breaker__holding_t *holding, breaker__blob_t *blob)
{
    uint64_t len = breaker__blob_len(blob);
    breaker__found_t found;

    if (len <= SMALL_MAX && breaker__room_make_memory(holding, len))
        return read_into_memory(holding, blob, false);
    found = open_file(holding, blob, true);
    if (found != BREAKER__FOUND_THERE || len <= SMALL_MAX ||
        !breaker__room_make_memory(holding, len))
        /* where all of it is being sent, who waits asks again */
        return found;
    return read_into_memory(holding, blob, false);
}

/* one that stays there for now, or is looked for still, was not fetched */
void breaker__source_count_archive(breaker__holding_t *holding, const breaker__blob_t *blob,
                                   breaker__found_t found)
{
    breaker__fetch_tally_t *tally = &holding->tally.archive_files;

    if (found == BREAKER__FOUND_FILLED)
        breaker__tally_ok(tally, breaker__blob_len(blob));
    else if (found == BREAKER__FOUND_NOWHERE || found == BREAKER__FOUND_TROUBLE)
        breaker__tally_nothing(tally, found == BREAKER__FOUND_NOWHERE);
}

/* what is not so large that it goes on an errand */
static breaker__found_t look_here(breaker__holding_t *holding, breaker__blob_t *blob,
                                  bool is_urgent)
{
    if (breaker__room_keeps(holding, blob) &&
        breaker__blob_len(blob) <= holding->config->fetch_file_limit)
        return read_into_memory(holding, blob, true);
    return is_urgent ? bring_for_now(holding, blob) : open_file(holding, blob, false);
}

static breaker__found_t look_in_archive(breaker__holding_t *holding, breaker__blob_t *blob,
                                        bool is_urgent)
{
    breaker__found_t found;

    if (holding->archive == NULL)
        return BREAKER__FOUND_NOWHERE;
    if (breaker__reading_is_for(blob))
        return breaker__reading_look(holding, blob, is_urgent);
    found = look_here(holding, blob, is_urgent);
    breaker__source_count_archive(holding, blob, found);
    return found;
}

/* ---- asks ---- */

static breaker__blob_ask_t *find_ask_of(breaker__source_t *source, const breaker__blob_t *blob)
{
    for (size_t i = 0; i != source->num_asks; ++i)
        if (source->asks[i].blob == blob)
            return source->asks + i;
    return NULL;
}

static breaker__blob_ask_t *find_ask(breaker__source_t *source, uint64_t ask)
{
    for (size_t i = 0; i != source->num_asks; ++i)
        if (source->asks[i].ask == ask)
            return source->asks + i;
    return NULL;
}

/* takes it off; the reference to its blob is the caller's */
static breaker__blob_ask_t take_ask(breaker__source_t *source, breaker__blob_ask_t *ask)
{
    breaker__blob_ask_t taken = *ask;

    assert(source->num_asks != 0);
    *ask = source->asks[--source->num_asks];
    if (taken.known != NULL) {
        assert(taken.known->num_asked != 0);
        --taken.known->num_asked;
    }
    return taken;
}

void breaker__source_dispose(breaker__source_t *source)
{
    for (size_t i = 0; i != source->num_asks; ++i)
        breaker__blob_unref(source->asks[i].blob);
    source->num_asks = 0;
}

void breaker__source_forget(breaker__source_t *source, const breaker__tracked_t *known)
{
    for (size_t i = 0; i != source->num_asks; ++i)
        if (source->asks[i].known == known)
            source->asks[i].known = NULL;
}

static bool ask_peers(breaker__holding_t *holding, breaker__blob_t *blob,
                      const breaker_release_id_t *id, breaker__tracked_t *known)
{
    breaker__source_t *source = &holding->source;
    breaker__peers_priority_t priority =
        known != NULL ? BREAKER__PEERS_AHEAD : BREAKER__PEERS_URGENT;
    uint64_t ask;

    if (source->num_asks == BREAKER__ASKS_MAX ||
        breaker__peers_ask_blob(holding->client, breaker__blob_digest(blob),
                                breaker__blob_len(blob), id, priority, &ask) != 0) {
        breaker__tally_add(&holding->tally.peer_files.refused, 1);
        return false;
    }
    source->asks[source->num_asks++] =
        (breaker__blob_ask_t){.ask = ask, .blob = breaker__blob_ref(blob), .known = known};
    if (known != NULL)
        ++known->num_asked;
    return true;
}

/* ---- what requests wait for ---- */

typedef struct st_search_t {
    const breaker__blob_t *blob;
    bool is_found;
} search_t;

static void compare(void *data, breaker__blob_t *blob)
{
    search_t *search = data;

    search->is_found |= blob == search->blob;
}

static bool names(const breaker__tracked_t *known, const breaker__blob_t *blob)
{
    search_t search = {.blob = blob};

    breaker__release_each_blob(known->release, compare, &search);
    return search.is_found;
}

/* a release that was complete, the own one as well, may name a file that has changed since */
static const breaker__tracked_t *find_complete_namer(const breaker__holding_t *holding,
                                                     const breaker__blob_t *blob)
{
    const breaker__tracked_t *any = NULL;

    for (size_t i = 0; i != holding->catalog.num; ++i) {
        const breaker__tracked_t *known = holding->catalog.list[i];
        if (known->release == NULL)
            continue;
        if (names(known, blob))
            return known;
        any = known;
    }
    return any;
}

/* the release that names it; any, where it has just gone */
static const breaker__tracked_t *find_namer(const breaker__holding_t *holding,
                                            const breaker__blob_t *blob)
{
    for (size_t i = 0; i != holding->catalog.num; ++i)
        if (breaker__blob_list_has(&holding->catalog.list[i]->missing, blob))
            return holding->catalog.list[i];
    return find_complete_namer(holding, blob);
}

static uint64_t round_due_ms(const breaker__tracked_t *known)
{
    unsigned doublings = known->num_rounds < ROUND_DOUBLINGS ? known->num_rounds : ROUND_DOUBLINGS;

    return breaker__holding_now().mono_ms + ((uint64_t)ROUND_MIN_MS << doublings);
}

/* what is lacking is listed anew, and looked for after a while that grows */
static void mend(breaker__tracked_t *known)
{
    assert(known->is_complete);
    if (breaker__blob_list_init(&known->missing, known->release, true) != 0)
        return;
    known->is_hurt = known->is_searched = true;
    known->num_lacking = known->num_come = 0;
    known->due_ms = round_due_ms(known);
    ++known->num_rounds;
}

/*
 * Nobody has it now. That is not for good: a release that was complete is gone through again, after
 * a while, and one that is not yet has its rounds anyway. Which of them name it is found out for
 * all blobs at once that were lost, since there may be as many as a release has files.
 */
static void lose(breaker__holding_t *holding, breaker__blob_t *blob)
{
    breaker__blob_set_lost(blob, true);
    for (size_t i = 0; i != holding->catalog.num; ++i)
        holding->catalog.list[i]->is_to_check = true;
}

static void look_if_lost(void *data, breaker__blob_t *blob)
{
    bool *is_lost = data;

    *is_lost |= breaker__blob_state(blob) == BREAKER__BLOB_LOST;
}

/* true when one was looked through; what is gone through anyway is not */
static bool check(breaker__tracked_t *known, uint64_t now_ms)
{
    bool is_lost = false;

    if (!known->is_to_check || known->check_due_ms > now_ms)
        return false;
    known->is_to_check = false;
    if (known->release == NULL || !known->is_complete || known->is_hurt)
        return false;
    known->check_due_ms = now_ms + ROUND_MIN_MS;
    breaker__release_each_blob(known->release, look_if_lost, &is_lost);
    if (is_lost)
        mend(known);
    return true;
}

/* one of those that were complete, and may have lost something since */
static bool check_one(breaker__holding_t *holding)
{
    uint64_t now_ms = breaker__holding_now().mono_ms;

    for (size_t i = 0; i != holding->catalog.num; ++i)
        if (check(holding->catalog.list[i], now_ms))
            return true;
    return false;
}

static bool has_room(breaker__holding_t *holding, const breaker__blob_t *blob)
{
    return breaker__room_keeps(holding, blob) ||
           breaker__room_make_memory(holding, breaker__blob_len(blob));
}

static void ask_for_request(breaker__holding_t *holding, breaker__blob_t *blob)
{
    uint64_t len = breaker__blob_len(blob);
    const breaker__tracked_t *namer = find_namer(holding, blob);

    if (namer == NULL)
        return;
    if (len > holding->config->fetch_file_limit)
        breaker__spooling_begin(holding, blob, &namer->about.id);
    else if (has_room(holding, blob))
        ask_peers(holding, blob, &namer->about.id, NULL);
}

static void serve(breaker__holding_t *holding, breaker__blob_t *blob)
{
    breaker__blob_ask_t *ask = find_ask_of(&holding->source, blob);
    breaker__found_t found;

    if (breaker__blob_has_bytes(blob) || breaker__spooling_has(holding, blob))
        return;
    if (ask != NULL) {
        breaker__peers_hurry(holding->client, ask->ask);
        return;
    }
    found = look_in_archive(holding, blob, true);
    note_archived(blob, found);
    if (is_found(found))
        return;
    /* there is nobody else who could have it */
    if (found == BREAKER__FOUND_NOWHERE && !breaker__asking_has_peers(holding)) {
        lose(holding, blob);
        breaker__holding_go_on(holding);
    }
    if (holding->client != NULL)
        ask_for_request(holding, blob);
}

void breaker__source_serve(breaker__holding_t *holding)
{
    breaker__blobs_t *blobs = breaker__node_blobs(holding->node);
    breaker__blob_t *blob;

    while (holding->source.num_asks != BREAKER__ASKS_MAX &&
           (blob = breaker__blobs_take_wanted(blobs)) != NULL) {
        serve(holding, blob);
        breaker__blob_unref(blob);
    }
}

/* ---- what the client answers ---- */

/* first where it is sent from, since a request may wait */
static int take_for_now(breaker__holding_t *holding, breaker__blob_t *blob, const char *base)
{
    if (!breaker__room_make_memory(holding, breaker__blob_len(blob)))
        return BREAKER_ERR_NO_MEMORY;
    return breaker__blob_cache(blob, base, breaker__holding_now().mono_ms);
}

/*
 * What does not stay in memory lies in the archive from then on, and is here for now where a
 * request wants it. A release that comes unasked is put there once it is complete: the disk must
 * not hold up what peers give.
 */
static int take_bytes(breaker__holding_t *holding, const breaker__blob_ask_t *ask, const char *base)
{
    uint64_t len = breaker__blob_len(ask->blob);
    bool is_kept = breaker__room_keeps(holding, ask->blob), is_wanted = ask->known == NULL;
    int err = BREAKER_ERR_NO_MEMORY;

    if (is_kept)
        err = breaker__source_fill(holding, ask->blob, base);
    else if (is_wanted)
        err = take_for_now(holding, ask->blob, base);
    if (holding->archive == NULL || (is_kept && !is_wanted))
        return err;
    if (breaker__archive_put(holding->archive, breaker__blob_digest(ask->blob), base, len) != 0)
        return err;
    breaker__blob_set_lost(ask->blob, false);
    breaker__blob_set_archived(ask->blob, true);
    return 0;
}

static void count_fetched(breaker__tracked_t *known, uint64_t len)
{
    ++known->num_come;
    ++known->num_fetched;
    known->size_fetched += len;
}

void breaker__source_on_blob(breaker__holding_t *holding, uint64_t ask, const char *base,
                             uint64_t len)
{
    breaker__blob_ask_t *found = find_ask(&holding->source, ask), taken;

    if (found == NULL)
        return;
    taken = take_ask(&holding->source, found);
    assert(len == breaker__blob_len(taken.blob));
    breaker__tally_ok(&holding->tally.peer_files, len);
    if (take_bytes(holding, &taken, base) == 0 && taken.known != NULL)
        count_fetched(taken.known, len);
    breaker__blob_unref(taken.blob);
}

bool breaker__source_on_nobody(breaker__holding_t *holding, uint64_t ask,
                               breaker__peers_nobody_t why)
{
    breaker__blob_ask_t *found = find_ask(&holding->source, ask), taken;

    if (found == NULL)
        return false;
    taken = take_ask(&holding->source, found);
    breaker__tally_nothing(&holding->tally.peer_files, why == BREAKER__NOBODY_HAS_IT);
    if (why == BREAKER__NOBODY_HAS_IT)
        lose(holding, taken.blob);
    breaker__blob_unref(taken.blob);
    return true;
}

/* ---- rounds ---- */

/* what the archive says of a blob in a round; LATER when the round is to wait for it */
static breaker__found_t look_again(breaker__holding_t *holding, breaker__blob_t *blob)
{
    breaker__found_t found = look_in_archive(holding, blob, false);

    note_archived(blob, found);
    /* whoever wants it has it from there */
    if (found == BREAKER__FOUND_THERE)
        breaker__blob_set_lost(blob, false);
    else if (found == BREAKER__FOUND_NOWHERE && !breaker__asking_has_peers(holding))
        breaker__blob_set_lost(blob, true);
    return found;
}

/* false when the blob is to come again: it is read, or peers have enough to do for now */
static bool look_for(breaker__holding_t *holding, breaker__tracked_t *known, breaker__blob_t *blob,
                     bool may_ask)
{
    uint64_t len = breaker__blob_len(blob);
    breaker__found_t found;

    if (breaker__blob_has_bytes(blob))
        return true;
    found = look_again(holding, blob);
    if (is_found(found))
        return found != BREAKER__FOUND_LATER;
    if (len > holding->config->fetch_file_limit) {
        breaker__spooling_judge(holding, blob);
        return true;
    }
    /* what does not fit is fetched when it is asked for, also where nobody had it the last time */
    if (holding->archive == NULL && !breaker__room_keeps(holding, blob)) {
        if (may_ask)
            breaker__blob_set_lost(blob, false);
        return true;
    }
    if (may_ask && find_ask_of(&holding->source, blob) == NULL) {
        if (holding->source.num_asks >= BREAKER__ASKS_AHEAD_MAX ||
            !ask_peers(holding, blob, &known->about.id, known))
            return false;
    }
    ++known->num_lacking;
    return true;
}

/* goes on with a round; true at its end */
static bool go_on(breaker__holding_t *holding, breaker__tracked_t *known, uint64_t until_ms)
{
    bool may_ask = holding->client != NULL && known->due_ms <= breaker__holding_now().mono_ms;
    breaker__blob_t *blob;

    while (breaker__holding_now().mono_ms < until_ms) {
        if ((blob = breaker__blob_list_next(&known->missing)) == NULL)
            return true;
        if (!look_for(holding, known, blob, may_ask)) {
            --known->missing.at;
            return false;
        }
    }
    return false;
}

static void say_lacking(breaker__holding_t *holding, const breaker__tracked_t *known, size_t num)
{
    breaker_release_id_t shown = breaker_release_id_shorten(&known->about.id);

    assert(num != 0);
    breaker__holding_say(holding, BREAKER_LOG_WARNING, BREAKER_LOG_EVENT, "lacking",
                         breaker_log_word("release", shown.text), breaker_log_number("files", num),
                         breaker_log_text("reason", "no peer gave them"));
}

/* a request, or another release, has peers asked for a blob that this one lacks as well */
static bool is_asked_by_others(const breaker__holding_t *holding, const breaker__tracked_t *known)
{
    for (size_t i = 0; i != holding->source.num_asks; ++i)
        if (holding->source.asks[i].known != known &&
            breaker__blob_list_has(&known->missing, holding->source.asks[i].blob))
            return true;
    return false;
}

static void end_round(breaker__holding_t *holding, breaker__tracked_t *known)
{
    size_t num_lacking = known->num_lacking - known->num_come, num_left;

    assert(known->num_asked == 0);
    assert(known->num_come <= known->num_lacking);
    num_left = breaker__blob_list_rewind(&known->missing);
    /* what others asked for has come as well */
    if (num_left < num_lacking)
        num_lacking = num_left;
    if (num_lacking == 0) {
        breaker__held_complete(holding, known);
        return;
    }
    if (known->num_left != num_left)
        breaker__held_encode(holding);
    known->num_left = num_left;
    if (known->due_ms <= breaker__holding_now().mono_ms) {
        known->due_ms = round_due_ms(known);
        ++known->num_rounds;
        say_lacking(holding, known, num_lacking);
        /* whoever comes is told of anyway */
        if (known->num_rounds <= WANTING_ROUNDS)
            breaker__asking_want_peers(holding);
    }
    known->num_lacking = known->num_come = 0;
}

/* the end of one that was complete before: it goes on while something is lost, now or by then */
static void end_mending(breaker__holding_t *holding, breaker__tracked_t *known)
{
    breaker__blob_t *blob;

    assert(known->num_asked == 0);
    holding->is_uncounted = true;
    known->is_hurt = false;
    mend(known);
    while (known->is_hurt && (blob = breaker__blob_list_next(&known->missing)) != NULL)
        if (breaker__blob_state(blob) == BREAKER__BLOB_LOST) {
            known->missing.at = 0;
            return;
        }
    known->is_hurt = false;
    known->num_rounds = 0;
    breaker__held_encode(holding);
}

static bool is_to_go_on(const breaker__holding_t *holding, const breaker__tracked_t *known)
{
    if (known->release == NULL || (!known->is_hurt && (known->is_own || known->is_complete)))
        return false;
    /* between two rounds: peers may have it by now, or the worker after this one has put it into
     * the archive */
    if (known->missing.at == 0 && known->is_searched)
        return (breaker__asking_has_peers(holding) || known->is_hurt) &&
               known->due_ms <= breaker__holding_now().mono_ms;
    return true;
}

/* true when something was done, and there may be more */
static bool take_step(breaker__holding_t *holding, breaker__tracked_t *known, uint64_t until_ms)
{
    size_t before = known->missing.at;

    if (!go_on(holding, known, until_ms))
        return known->missing.at != before;
    /* the last answers are still to come */
    if (known->num_asked != 0 || is_asked_by_others(holding, known))
        return false;
    known->is_searched = true;
    if (known->is_hurt)
        end_mending(holding, known);
    else
        end_round(holding, known);
    return true;
}

bool breaker__source_step(breaker__holding_t *holding)
{
    uint64_t until_ms = breaker__holding_now().mono_ms + PIECE_MS;

    if (check_one(holding))
        return true;
    for (size_t i = 0; i != holding->catalog.num; ++i) {
        breaker__tracked_t *known = holding->catalog.list[i];
        if (is_to_go_on(holding, known) && take_step(holding, known, until_ms))
            return true;
    }
    return false;
}
