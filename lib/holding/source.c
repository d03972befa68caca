/*
 * Where bytes come from: the archive first, then peers. Every byte that is filled in was hashed:
 * the archive checks what it reads, the client what it fetched. What a request waits for is taken
 * at once; the rest is gone through in rounds, release by release, smallest first, until nothing is
 * lacking that anybody could give.
 *
 * What is brought unasked has a limit of memory, and one of open files for what lies in the
 * archive. Beyond both a blob stays where it is until somebody asks for it.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "holding/parts.h"
#include "node/node.h"
#include "release/release.h"

enum {
    /* a piece of work, after which requests are looked at */
    PIECE_MS = 5,
    /* open files of the archive, as a share of what the process may have, and at most so many
     * unasked */
    FILES_SHARE = 8,
    FILES_MAX = 4096,
    /* the next round after one that left something lacking: after so long, twice that, … */
    ROUND_MIN_MS = 1000,
    ROUND_DOUBLINGS = 6,
    /* after so many of them the coordinator is not asked for other peers any more */
    WANTING_ROUNDS = 3,
    /* what requests have brought into memory beyond its limit is at most as much again, and this */
    GRACE_SIZE = 64 << 20,
};

/* what came of looking for a blob */
typedef enum en_found_t {
    FOUND_FILLED,
    /* it is in the archive, and stays there for now */
    FOUND_THERE,
    /* a disk, or memory, refused: it may be found another time */
    FOUND_TROUBLE,
    FOUND_NOWHERE,
} found_t;

/* ---- room ---- */

static bool has_memory(const breaker__holding_t *holding, uint64_t len, bool is_urgent)
{
    uint64_t limit = holding->config->keep_memory;

    if (is_urgent)
        limit = limit < UINT64_MAX / 4 ? 2 * limit + GRACE_SIZE : limit;
    return len <= limit && holding->source.memory <= limit - len;
}

static bool has_files(const breaker__holding_t *holding, bool is_urgent)
{
    struct rlimit files;
    rlim_t max = FILES_MAX;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && (is_urgent || files.rlim_cur / FILES_SHARE < max))
        max = files.rlim_cur / FILES_SHARE;
    return holding->source.num_files < max;
}

static bool is_here(const breaker__blob_t *blob)
{
    return breaker__blob_state(blob) == BREAKER__BLOB_HERE;
}

/* bytes in memory of what is HERE */
static uint64_t memory_of(breaker__blob_t *blob)
{
    const breaker_variant_t *body = breaker__blob_body(blob);

    return body != NULL && body->base != NULL ? body->len : 0;
}

typedef struct st_tally_t {
    const breaker__blob_list_t *own;
    uint64_t memory;
    size_t num_files;
} tally_t;

/* what several held releases share is counted for each: too much, never too little */
static void tally(tally_t *counted, breaker__blob_list_t *list)
{
    breaker__blob_t *blob;

    while ((blob = breaker__blob_list_next(list)) != NULL) {
        if (!is_here(blob) || breaker__blob_list_has(counted->own, blob))
            continue;
        counted->memory += memory_of(blob);
        counted->num_files += memory_of(blob) == 0 && breaker__blob_len(blob) != 0;
    }
}

static const breaker__tracked_t *find_own(const breaker__holding_t *holding)
{
    for (size_t i = 0; i != holding->catalog.num; ++i)
        if (holding->catalog.list[i]->is_own)
            return holding->catalog.list[i];
    return NULL;
}

void breaker__source_count(breaker__holding_t *holding)
{
    const breaker__tracked_t *own = find_own(holding);
    breaker__blob_list_t own_list = {.blobs = NULL}, list = {.blobs = NULL};
    tally_t counted = {.own = &own_list};

    if (own == NULL || breaker__blob_list_init(&own_list, own->release, false) != 0)
        return;
    for (size_t i = 0; i != holding->catalog.num; ++i) {
        const breaker__tracked_t *known = holding->catalog.list[i];
        if (known->is_own || known->release == NULL)
            continue;
        if (breaker__blob_list_init(&list, known->release, false) == 0)
            tally(&counted, &list);
        breaker__blob_list_dispose(&list);
    }
    breaker__blob_list_dispose(&own_list);
    holding->source.memory = counted.memory;
    holding->source.num_files = counted.num_files;
    holding->is_uncounted = false;
}

/* ---- filling ---- */

static int fill(breaker__holding_t *holding, breaker__blob_t *blob, const char *base)
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

static found_t found_by(int err)
{
    if (err == 0)
        return FOUND_FILLED;
    return err == BREAKER_ERR_NOT_FOUND ? FOUND_NOWHERE : FOUND_TROUBLE;
}

static found_t read_into_memory(breaker__holding_t *holding, breaker__blob_t *blob)
{
    uint64_t len = breaker__blob_len(blob);
    char *buffer = malloc(len + 1);
    int err;

    if (buffer == NULL)
        return FOUND_TROUBLE;
    err = breaker__archive_read(holding->archive, breaker__blob_digest(blob), len, buffer);
    if (err == 0)
        err = fill(holding, blob, buffer);
    free(buffer);
    return found_by(err);
}

static found_t send_from_file(breaker__holding_t *holding, breaker__blob_t *blob, bool may_fill)
{
    int fd, err;

    err = breaker__archive_get(holding->archive, breaker__blob_digest(blob),
                               breaker__blob_len(blob), &fd);
    if (err != 0)
        return found_by(err);
    if (!may_fill) {
        close(fd);
        return FOUND_THERE;
    }
    if (breaker__blob_fill_from(blob, fd) != 0)
        return FOUND_TROUBLE;
    ++holding->source.num_files;
    return FOUND_FILLED;
}

static found_t look_in_archive(breaker__holding_t *holding, breaker__blob_t *blob, bool is_urgent)
{
    uint64_t len = breaker__blob_len(blob);

    if (holding->archive == NULL)
        return FOUND_NOWHERE;
    if (has_memory(holding, len, false) && len <= holding->config->fetch_file_limit)
        return read_into_memory(holding, blob);
    if (!has_files(holding, is_urgent) && is_urgent && has_memory(holding, len, true))
        return read_into_memory(holding, blob);
    return send_from_file(holding, blob, has_files(holding, is_urgent));
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
                                breaker__blob_len(blob), id, priority, &ask) != 0)
        return false;
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

static void leave_elsewhere(breaker__holding_t *holding, breaker__blob_t *blob)
{
    if (breaker__blob_state(blob) == BREAKER__BLOB_ELSEWHERE)
        return;
    breaker__holding_say(holding, BREAKER_LOG_WARNING,
                         "trouble=file-limit bytes=%llu reason=\"a file is not fetched, because it "
                         "is larger than breaker.fetch: file-limit\"",
                         (unsigned long long)breaker__blob_len(blob));
    breaker__blob_set_elsewhere(blob);
}

static void serve(breaker__holding_t *holding, breaker__blob_t *blob)
{
    breaker__blob_ask_t *ask = find_ask_of(&holding->source, blob);
    uint64_t len = breaker__blob_len(blob);
    const breaker__tracked_t *namer;
    found_t found;

    if (is_here(blob))
        return;
    if (ask != NULL) {
        breaker__peers_hurry(holding->client, ask->ask);
        return;
    }
    found = look_in_archive(holding, blob, true);
    /* there is nobody else who could have it */
    if (found == FOUND_NOWHERE && !breaker__asking_has_peers(holding))
        breaker__blob_set_lost(blob, true);
    if (found == FOUND_FILLED || found == FOUND_THERE || holding->client == NULL)
        return;
    namer = find_namer(holding, blob);
    if (len > holding->config->fetch_file_limit)
        leave_elsewhere(holding, blob);
    else if (namer != NULL && has_memory(holding, len, true))
        ask_peers(holding, blob, &namer->about.id, NULL);
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

/*
 * Where memory is full it lies in the archive from then on; a request has it from memory anyway. A
 * release that comes unasked is put there once it is complete: the disk must not hold up what peers
 * give.
 */
static int take_bytes(breaker__holding_t *holding, const breaker__blob_ask_t *ask, const char *base)
{
    breaker__blob_t *blob = ask->blob;
    uint64_t len = breaker__blob_len(blob);

    /* first, since a request may wait */
    bool fits = has_memory(holding, len, ask->known == NULL);
    int err = fits ? fill(holding, blob, base) : BREAKER_ERR_NO_MEMORY;
    found_t found;

    if (holding->archive == NULL || (fits && ask->known != NULL))
        return err;
    breaker__archive_put(holding->archive, breaker__blob_digest(blob), base, len);
    if (fits)
        return err;
    found = send_from_file(holding, blob, has_files(holding, ask->known == NULL));
    return found == FOUND_FILLED || found == FOUND_THERE ? 0 : BREAKER_ERR_NO_MEMORY;
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
    if (why == BREAKER__NOBODY_HAS_IT)
        breaker__blob_set_lost(taken.blob, true);
    breaker__blob_unref(taken.blob);
    return true;
}

/* ---- rounds ---- */

/* false when peers have enough to do for now: the blob is to come again */
static bool look_for(breaker__holding_t *holding, breaker__tracked_t *known, breaker__blob_t *blob,
                     bool may_ask)
{
    uint64_t len = breaker__blob_len(blob);

    found_t found;

    if (is_here(blob))
        return true;
    found = look_in_archive(holding, blob, false);
    if (found == FOUND_FILLED || found == FOUND_THERE)
        return true;
    if (found == FOUND_NOWHERE && !breaker__asking_has_peers(holding))
        breaker__blob_set_lost(blob, true);
    /* what does not fit is fetched when it is asked for */
    if (holding->archive == NULL && !has_memory(holding, len, false))
        return true;
    if (len > holding->config->fetch_file_limit) {
        leave_elsewhere(holding, blob);
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
    breaker__holding_say(holding, BREAKER_LOG_WARNING,
                         "event=lacking release=%s files=%zu reason=\"no peer gave them\"",
                         shown.text, num);
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
    unsigned doublings;

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
    doublings = known->num_rounds < ROUND_DOUBLINGS ? known->num_rounds : ROUND_DOUBLINGS;
    if (known->due_ms <= breaker__holding_now().mono_ms) {
        known->due_ms = breaker__holding_now().mono_ms + ((uint64_t)ROUND_MIN_MS << doublings);
        ++known->num_rounds;
        say_lacking(holding, known, num_lacking);
        /* whoever comes is told of anyway */
        if (known->num_rounds <= WANTING_ROUNDS)
            breaker__asking_want_peers(holding);
    }
    known->num_lacking = known->num_come = 0;
}

static bool is_to_go_on(const breaker__holding_t *holding, const breaker__tracked_t *known)
{
    if (known->is_own || known->release == NULL || known->is_complete)
        return false;
    /* between two rounds, and while the archive alone was looked at */
    if (known->missing.at == 0 && known->is_searched)
        return holding->client != NULL && known->due_ms <= breaker__holding_now().mono_ms;
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
    end_round(holding, known);
    return true;
}

bool breaker__source_step(breaker__holding_t *holding)
{
    uint64_t until_ms = breaker__holding_now().mono_ms + PIECE_MS;

    for (size_t i = 0; i != holding->catalog.num; ++i) {
        breaker__tracked_t *known = holding->catalog.list[i];
        if (is_to_go_on(holding, known) && take_step(holding, known, until_ms))
            return true;
    }
    return false;
}
