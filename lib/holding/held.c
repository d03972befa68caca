/*
 * Which releases are held, and that the snapshots say so. What the node serves, its past and its
 * ledger come in by what was published; what is to be kept is decided by one policy (keep.h); what
 * follows is published, if it is news. A release is made of its manifest only after that was found
 * to have the digest of the id, wherever it came from.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "cluster/ledger.h"
#include "holding/parts.h"
#include "node/node.h"
#include "release/release.h"

enum {
    /* a release that could not be had is tried again after so long, and twice that, and so on */
    RETRY_MIN_MS = 1000,
    RETRY_MAX_MS = 10 * 60 * 1000,
    RETRY_DOUBLINGS = 10,
    /* one that a request waits for is not asked for more often than that */
    WANTED_EVERY_MS = 50,
    /* nor is it looked for in the archive more often where there is nobody to ask */
    LOOK_EVERY_MS = 200,
    /* what has just been heard of may be in no peer's word yet: asked for again after so long,
     * twice that, … and in vain at last after the longest time that the coordinator may be silent
     */
    TRY_MIN_MS = 50,
    TRY_DOUBLINGS = 3,
    HEARSAY_MS = 5000,
    /* a node more is a ms more over which the asks for a new release are spread, up to this */
    SPREAD_MAX_MS = 5000,
    /* the node may change what it holds while we think; then once more */
    UPDATES_MAX = 8,
    /* those that are here, and those that may take their places once they are */
    STAYING_MAX = 2 * BREAKER_HELD_MAX,
};

/* ---- what is known ---- */

static void let_go(breaker__holding_t *holding, breaker__tracked_t *known)
{
    breaker__source_forget(&holding->source, known);
    breaker__tracked_let_go(known);
    holding->is_uncounted = true;
}

/* what is served, or was until now: it has all its bytes */
static void take_loaded(breaker__holding_t *holding, breaker__tracked_t *known,
                        breaker_release_t *release)
{
    if (known->release == release)
        return;
    let_go(holding, known);
    known->release = breaker__release_ref(release);
    known->is_complete = true;
}

static void note_own(breaker__holding_t *holding, breaker_release_t *own, uint64_t wall_ms)
{
    breaker__tracked_t *known;

    for (size_t i = 0; i != holding->catalog.num; ++i)
        holding->catalog.list[i]->is_own = false;
    known = breaker__catalog_add(&holding->catalog, breaker_release_id(own), wall_ms);
    if (known == NULL)
        return;
    known->is_own = true;
    take_loaded(holding, known, own);
    assert(known->release == own);
}

/* the node's own of before comes into the held set by the node itself */
static void note_held(breaker__holding_t *holding, const breaker__held_set_t *held,
                      uint64_t wall_ms)
{
    for (size_t i = 0; i != held->num_releases; ++i) {
        breaker_release_t *release = held->releases[i];
        breaker__tracked_t *known =
            breaker__catalog_find(&holding->catalog, breaker_release_id(release));

        if (known != NULL && known->release != NULL)
            continue;
        known = breaker__catalog_add(&holding->catalog, breaker_release_id(release), wall_ms);
        if (known == NULL || known->is_own)
            continue;
        take_loaded(holding, known, release);
    }
}

/* an order is the moment at which the token came, where clocks are right */
static void note_ledger(breaker__holding_t *holding, const breaker_ledger_t *ledger,
                        uint64_t wall_ms)
{
    for (size_t i = 0; i != breaker_ledger_size(ledger); ++i) {
        const breaker_ledger_entry_t *entry = breaker_ledger_at(ledger, i);
        uint64_t seen_ms = entry->order < wall_ms ? entry->order : wall_ms;
        breaker__tracked_t *known =
            breaker__catalog_add(&holding->catalog, &entry->release, seen_ms);

        if (known != NULL)
            breaker__tracked_add_token(known, entry);
    }
}

static void note_alive(breaker__holding_t *holding, uint64_t wall_ms)
{
    for (size_t i = 0; i != holding->catalog.num; ++i)
        if (holding->catalog.list[i]->is_alive || holding->catalog.list[i]->is_own)
            breaker__tracked_see(holding->catalog.list[i], wall_ms);
}

/* ---- the set ---- */

static int compare_seen(const void *a, const void *b)
{
    const breaker__tracked_t *x = *(breaker__tracked_t *const *)a,
                             *y = *(breaker__tracked_t *const *)b;

    if (x->about.last_seen_ms != y->about.last_seen_ms)
        return x->about.last_seen_ms > y->about.last_seen_ms ? -1 : 1;
    return strcmp(x->about.id.text, y->about.id.text);
}

static int compare_orders(const void *a, const void *b)
{
    return -breaker__ledger_entry_compare(a, b);
}

static size_t collect_staying(const breaker__holding_t *holding, breaker__tracked_t **dst)
{
    size_t num = 0;

    for (size_t i = 0; i != holding->catalog.num; ++i)
        if (holding->catalog.list[i]->stays)
            dst[num++] = holding->catalog.list[i];
    assert(num <= STAYING_MAX);
    if (num != 0)
        qsort(dst, num, sizeof(*dst), compare_seen);
    return num;
}

/* tokens of what is held or on its way, the newest of them */
static void collect_entries(breaker__tracked_t *const *staying, size_t num,
                            breaker__held_set_t *set)
{
    breaker_ledger_entry_t entries[STAYING_MAX * BREAKER__ARCHIVE_TOKENS_MAX];
    size_t num_entries = 0;

    for (size_t i = 0; i != num; ++i)
        for (size_t j = 0; j != staying[i]->about.num_tokens; ++j)
            entries[num_entries++] = staying[i]->about.tokens[j];
    if (num_entries != 0)
        qsort(entries, num_entries, sizeof(*entries), compare_orders);
    set->num_entries = num_entries < BREAKER_LEDGER_MAX ? num_entries : BREAKER_LEDGER_MAX;
    memcpy(set->entries, entries, set->num_entries * sizeof(*entries));
}

static void give_up(breaker__held_set_t *set, const breaker_release_id_t *id)
{
    for (size_t i = 0; i != set->num_given_up; ++i)
        if (breaker_release_id_equal(set->given_up + i, id))
            return;
    assert(set->num_given_up < BREAKER_LEDGER_MAX);
    set->given_up[set->num_given_up++] = *id;
}

/* it lives, but nobody who can be reached has it */
static bool is_in_vain(const breaker__tracked_t *known)
{
    return known->release == NULL && known->num_failures != 0 &&
           (!known->is_archived || known->is_barred);
}

/* of the ledger's releases those for which no request needs to wait */
static void collect_given_up(const breaker__holding_t *holding, const breaker_ledger_t *ledger,
                             breaker__held_set_t *set)
{
    for (size_t i = 0; i != breaker_ledger_size(ledger); ++i) {
        const breaker_release_id_t *id = &breaker_ledger_at(ledger, i)->release;
        const breaker__tracked_t *known = breaker__catalog_find(&holding->catalog, id);

        if (known == NULL || (!known->stays && !known->is_own) || is_in_vain(known))
            give_up(set, id);
    }
}

static void make_set(const breaker__holding_t *holding, const breaker__issue_t *issue,
                     breaker__held_set_t *ret_set)
{
    breaker__tracked_t *staying[STAYING_MAX];
    size_t num = collect_staying(holding, staying);

    /* all bytes of it: it is compared */
    memset(ret_set, 0, sizeof(*ret_set));
    for (size_t i = 0; i != num; ++i)
        if (staying[i]->release != NULL)
            ret_set->releases[ret_set->num_releases++] = staying[i]->release;
    collect_entries(staying, num, ret_set);
    if (issue->has_ledger)
        collect_given_up(holding, &issue->ledger, ret_set);
}

/* ---- publication ---- */

static void choose(breaker__holding_t *holding, breaker__moment_t now)
{
    const breaker__keep_t keep = {
        .num_newest = holding->config->keep_releases,
        .age_ms = holding->config->keep_age_ms,
        .num_max = BREAKER_HELD_MAX,
    };
    bool has_peers = breaker__asking_has_peers(holding);

    breaker__catalog_choose(&holding->catalog, &keep, has_peers, now.wall_ms, now.mono_ms);
}

/* many nodes see a new release at once, and few have it: each waits its own while before it asks,
 * but for a request, and but for one that is not ready yet */
static void time_new(breaker__holding_t *holding, uint64_t mono_ms)
{
    uint32_t span_ms = holding->num_nodes < SPREAD_MAX_MS ? holding->num_nodes : SPREAD_MAX_MS;
    uint32_t random = 0;

    for (size_t i = 0; i != holding->catalog.num; ++i) {
        breaker__tracked_t *known = holding->catalog.list[i];
        if (!known->stays || known->is_timed)
            continue;
        known->is_timed = true;
        known->heard_ms = mono_ms;
        known->heard_told = holding->num_told;
        if (!known->is_archived)
            breaker__asking_want_peers(holding);
        if (breaker_node_readiness(holding->node) != BREAKER_READY)
            continue;
        if (getrandom(&random, sizeof(random), GRND_NONBLOCK) == sizeof(random))
            known->due_ms = mono_ms + random % (span_ms + 1);
    }
}

static void drop_others(breaker__holding_t *holding)
{
    for (size_t i = 0; i != holding->catalog.num; ++i) {
        breaker__tracked_t *known = holding->catalog.list[i];
        breaker_release_id_t shown = breaker_release_id_shorten(&known->about.id);

        if (known->stays || known->is_own || known->release == NULL)
            continue;
        breaker__holding_say(holding, BREAKER_LOG_INFO, BREAKER_LOG_EVENT, "dropped",
                             breaker_log_word("release", shown.text));
        let_go(holding, known);
    }
}

void breaker__held_encode(breaker__holding_t *holding)
{
    breaker__loader_encode_held(holding->node->loader, holding->said.releases,
                                holding->said.num_releases);
}

/* false when the node has changed what it holds meanwhile */
static bool publish(breaker__holding_t *holding, const breaker__held_set_t *set,
                    uint64_t num_changes)
{
    int err;

    if (memcmp(set, &holding->said, sizeof(*set)) == 0 && num_changes == holding->said_changes)
        return true;
    err = breaker__published_hold(holding->node, set, num_changes);
    if (err == BREAKER_ERR_BUSY)
        return false;
    if (err != 0) {
        breaker__holding_say(holding, BREAKER_LOG_WARNING, BREAKER_LOG_TROUBLE, "publish",
                             breaker_log_text("reason", breaker_err_message(err)));
        return true;
    }
    holding->said = *set;
    holding->said_changes = num_changes;
    breaker__held_encode(holding);
    return true;
}

static bool update(breaker__holding_t *holding)
{
    breaker__moment_t now = breaker__holding_now();
    breaker__issue_t issue;
    breaker__held_set_t held, set;
    uint64_t num_changes;
    bool is_done;

    breaker__published_read(holding->node, &issue, &held, &num_changes);
    if (issue.release == NULL)
        issue.release = breaker_node_release(holding->node);
    if (issue.release != NULL)
        note_own(holding, issue.release, now.wall_ms);
    note_held(holding, &held, now.wall_ms);
    if (issue.has_ledger)
        note_ledger(holding, &issue.ledger, now.wall_ms);
    note_alive(holding, now.wall_ms);
    choose(holding, now);
    time_new(holding, now.mono_ms);
    make_set(holding, &issue, &set);
    is_done = publish(holding, &set, num_changes);
    breaker__published_drop(&issue, &held);
    if (is_done)
        drop_others(holding);
    return is_done;
}

static void update_all(breaker__holding_t *holding)
{
    for (int i = 0; i != UPDATES_MAX && !update(holding); ++i)
        ;
}

/*
 * What is in memory is counted when releases have come or gone; then the coldest may have to give
 * way, each of them once, and one a piece of work. True when another one may have to.
 */
static bool make_room(breaker__holding_t *holding)
{
    breaker__room_count(holding);
    /* nothing is loaded yet */
    if (holding->is_uncounted || !breaker__anew_make_room(holding))
        return false;
    holding->is_uncounted = true;
    update_all(holding);
    return true;
}

void breaker__held_update(breaker__holding_t *holding)
{
    update_all(holding);
    if (holding->is_uncounted && make_room(holding))
        breaker__holding_go_on(holding);
}

/* ---- one more ---- */

static uint64_t retry_ms(unsigned num_failures)
{
    unsigned doublings = num_failures < RETRY_DOUBLINGS ? num_failures : RETRY_DOUBLINGS;
    uint64_t span_ms = (uint64_t)RETRY_MIN_MS << doublings;

    return span_ms < RETRY_MAX_MS ? span_ms : RETRY_MAX_MS;
}

/*
 * A node that has just come is in the ledger before it is among the peers, and may not listen yet.
 * So it is in vain only once peers were told of after the release was heard of, and later than a
 * request would wait; of one that lives after a while as well, since not every node can be reached.
 */
static bool is_hearsay(const breaker__holding_t *holding, const breaker__tracked_t *known,
                       uint64_t mono_ms)
{
    uint64_t age_ms = mono_ms - known->heard_ms;

    assert(known->heard_ms <= mono_ms);
    if (age_ms < holding->config->fetch_timeout_ms)
        return true;
    return (known->is_alive || holding->num_told == known->heard_told) && age_ms < HEARSAY_MS;
}

void breaker__held_fail(breaker__holding_t *holding, breaker__tracked_t *known, const char *why)
{
    breaker_release_id_t shown = breaker_release_id_shorten(&known->about.id);
    unsigned doublings = known->num_tries < TRY_DOUBLINGS ? known->num_tries : TRY_DOUBLINGS;

    assert(known->release == NULL);
    known->failed_ms = breaker__holding_now().mono_ms;
    if (is_hearsay(holding, known, known->failed_ms)) {
        known->due_ms = known->failed_ms + ((uint64_t)TRY_MIN_MS << doublings);
        ++known->num_tries;
        return;
    }
    known->due_ms = known->failed_ms + retry_ms(known->num_failures);
    ++known->num_failures;
    known->is_wanted = false;
    breaker__holding_say(holding, known->is_alive ? BREAKER_LOG_WARNING : BREAKER_LOG_INFO,
                         BREAKER_LOG_EVENT, "unavailable", breaker_log_word("release", shown.text),
                         breaker_log_text("reason", why));
}

static int hold(breaker__holding_t *holding, const breaker_release_id_t *id,
                const breaker__manifest_t *manifest, breaker_release_t **ret_release,
                breaker_error_t *error)
{
    const breaker_node_t *node = holding->node;
    const breaker__hold_config_t config = {
        .manifest = manifest,
        .id = *id,
        .views = (const breaker_view_t *const *)node->views,
        .num_views = node->num_views,
        .hooks = node->hooks,
        .blobs = node->blobs,
        .suspects = breaker__loader_suspects(node->loader),
    };

    assert(breaker__manifest_is_of(manifest, id));
    return breaker__release_hold(&config, ret_release, error);
}

int breaker__held_take(breaker__holding_t *holding, breaker__tracked_t *known,
                       const breaker__manifest_t *manifest, const char *source)
{
    breaker_release_id_t shown = breaker_release_id_shorten(&known->about.id);
    breaker_error_t error = {0};
    int err;

    assert(known->release == NULL);
    if ((err = hold(holding, &known->about.id, manifest, &known->release, &error)) != 0) {
        breaker__held_fail(holding, known, error.message);
        return err;
    }
    if ((err = breaker__blob_list_init(&known->missing, known->release, true)) != 0) {
        breaker__tracked_let_go(known);
        breaker__held_fail(holding, known, breaker_err_message(err));
        return err;
    }
    known->num_failures = known->num_tries = 0;
    known->is_wanted = false;
    holding->is_uncounted = true;
    breaker__holding_say(
        holding, BREAKER_LOG_INFO, BREAKER_LOG_EVENT, "held",
        breaker_log_word("release", shown.text), breaker_log_number("files", manifest->num_files),
        breaker_log_number("missing", known->missing.num), breaker_log_word("from", source));
    breaker__held_update(holding);
    return 0;
}

int breaker__held_replace(breaker__holding_t *holding, breaker__tracked_t *known,
                          const breaker__manifest_t *manifest)
{
    breaker__blob_list_t missing = {.blobs = NULL};
    breaker_release_t *release;
    int err;

    assert(known->release != NULL);
    if ((err = hold(holding, &known->about.id, manifest, &release, NULL)) != 0)
        return err;
    if ((err = breaker__blob_list_init(&missing, release, true)) != 0) {
        breaker_release_unref(release);
        return err;
    }
    breaker__blob_list_dispose(&known->missing);
    known->missing = missing;
    breaker_release_unref(known->release);
    known->release = release;
    holding->is_uncounted = true;
    return 0;
}

/* ---- from the archive, or from peers ---- */

/* trouble of the system, which says nothing of what lies there */
static bool is_passing(int err)
{
    return err == BREAKER_ERR_IO || err == BREAKER_ERR_NO_MEMORY || err == BREAKER_ERR_BUSY ||
           err == BREAKER_ERR_CANCELLED;
}

static void take_archived(breaker__holding_t *holding, breaker__tracked_t *known)
{
    breaker__manifest_t *manifest = NULL;
    breaker_error_t error = {0};
    size_t len;
    char *text;
    int err;

    assert(known->is_archived);
    err = breaker__archive_manifest(holding->archive, &known->about.id, &text, &len);
    if (err == 0) {
        err = breaker__manifest_read(text, len, &manifest, &error);
        free(text);
    }
    /* the archive has checked it, too; whoever reads a manifest does */
    if (err == 0 && !breaker__manifest_is_of(manifest, &known->about.id))
        err = BREAKER_ERR_DAMAGED;
    if (err == 0)
        err = breaker__held_take(holding, known, manifest, "archive");
    breaker__manifest_free(manifest);
    if (err == 0)
        return;
    known->failed_ms = breaker__holding_now().mono_ms;
    /* what is damaged may be whole again, but not before the next start, or from a peer; where
     * there are peers, they are asked sooner than the disk again */
    known->is_barred = !is_passing(err) || breaker__asking_has_peers(holding);
}

/* how long ago; something may have happened since the present was looked at */
static uint64_t since_ms(uint64_t mono_ms, uint64_t then_ms)
{
    return mono_ms > then_ms ? mono_ms - then_ms : 0;
}

static bool is_due(const breaker__holding_t *holding, const breaker__tracked_t *known,
                   uint64_t mono_ms)
{
    if (!known->stays || known->release != NULL || known->ask != 0)
        return false;
    if (known->is_archived && !known->is_barred)
        return known->failed_ms == 0 || since_ms(mono_ms, known->failed_ms) >= RETRY_MIN_MS;
    if (holding->client == NULL)
        return holding->archive != NULL && known->due_ms <= mono_ms;
    /* a request asks again and again */
    if (known->is_wanted && since_ms(mono_ms, known->failed_ms) >= WANTED_EVERY_MS)
        return true;
    return known->due_ms <= mono_ms;
}

static bool comes_before(const breaker__tracked_t *a, const breaker__tracked_t *b)
{
    if (b == NULL)
        return true;
    if (a->is_wanted != b->is_wanted)
        return a->is_wanted;
    if (a->is_alive != b->is_alive)
        return a->is_alive;
    return a->about.last_seen_ms > b->about.last_seen_ms;
}

bool breaker__held_lacks_manifest(const breaker__holding_t *holding)
{
    for (size_t i = 0; i != holding->catalog.num; ++i) {
        const breaker__tracked_t *known = holding->catalog.list[i];
        if (known->stays && known->release == NULL && known->ask == 0 &&
            (!known->is_archived || known->is_barred))
            return true;
    }
    return false;
}

bool breaker__held_step(breaker__holding_t *holding)
{
    uint64_t mono_ms = breaker__holding_now().mono_ms;
    breaker__tracked_t *next = NULL;

    if (holding->is_uncounted && make_room(holding))
        return true;
    for (size_t i = 0; i != holding->catalog.num; ++i) {
        breaker__tracked_t *known = holding->catalog.list[i];
        if (is_due(holding, known, mono_ms) && comes_before(known, next))
            next = known;
    }
    if (next == NULL)
        return false;
    if (!next->is_archived && !next->is_barred)
        breaker__archiving_look(holding, next);
    if (next->is_archived && !next->is_barred)
        take_archived(holding, next);
    else if (holding->client != NULL)
        breaker__asking_ask_manifest(holding, next);
    else
        next->due_ms = mono_ms + LOOK_EVERY_MS;
    return true;
}

/* ---- how far it is ---- */

void breaker__held_complete(breaker__holding_t *holding, breaker__tracked_t *known)
{
    breaker_release_id_t shown = breaker_release_id_shorten(&known->about.id);

    assert(known->release != NULL);
    if (known->is_complete)
        return;
    known->is_complete = true;
    breaker__blobs_settle(breaker__node_blobs(holding->node));
    if (known->num_fetched != 0)
        breaker__holding_say(holding, BREAKER_LOG_INFO, BREAKER_LOG_EVENT, "fetched",
                             breaker_log_word("release", shown.text),
                             breaker_log_number("files", known->num_fetched),
                             breaker_log_number("bytes", known->size_fetched));
    breaker__holding_say(holding, BREAKER_LOG_INFO, BREAKER_LOG_EVENT, "complete",
                         breaker_log_word("release", shown.text),
                         breaker_log_number("fetched", known->num_fetched),
                         breaker_log_number("bytes", known->size_fetched));
    breaker__held_encode(holding);
}

static bool is_all_here(const breaker__holding_t *holding)
{
    bool has_peers = breaker__asking_has_peers(holding);

    if (has_peers && (!holding->is_current || (holding->num_peers != 0 && !holding->was_offered)))
        return false;
    for (size_t i = 0; i != holding->catalog.num; ++i) {
        const breaker__tracked_t *known = holding->catalog.list[i];
        if (!known->stays || known->is_complete)
            continue;
        /* what lies in the archive is held at least; what live nodes have is complete */
        if (known->is_alive || known->is_offered ||
            (known->is_archived && !known->is_barred && known->release == NULL))
            return false;
    }
    return true;
}

void breaker__held_tell_ready(const breaker__holding_t *holding)
{
    if (!is_all_here(holding))
        return;
    breaker__node_set_complete(holding->node);
    if (breaker__asking_is_known(holding))
        breaker_node_set_ready(holding->node);
}
