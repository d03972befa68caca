/*
 * Carries asks to peers: chooses one, begins the transfer, and goes on to the next peer until one
 * has it or nobody is left. What a transfer brought is arrive.c's.
 *
 * Invariants: an ask ends in exactly one callback, which is the last thing that is done for it, and
 * never inside a call of the owner's; a slot carries one transfer or none; a spool goes on with the
 * next peer where the last one stopped. What goes on is found out anew each time (pump), so a
 * callback may ask for more and replace the peers.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "peers/arrive.h"
#include "peers/judge.h"
#include "peers/silence.h"
#include "peers/tell.h"

enum {
    /* how often silence is looked for */
    TICK_MS = 20,
    PATH_MAX_BYTES = BREAKER__AUTH_PATH_MAX,
    /* of how many peers it is asked at a time whether they hold what is made known */
    WORDS_AT_ONCE = 2,
    /* one connection is kept for the next of them where it is due within this time */
    WORDS_SOON_MS = 2000,
    /* for so many times the timeout a spool may get no further before nobody is said to have it:
     * answers are being sent from it, and a peer that broke off is asked again */
    SPOOL_PATIENCE = 3,
};

static void tell_heard(breaker__peers_t *peers)
{
    if (peers->callbacks.on_heard != NULL)
        peers->callbacks.on_heard(peers->callbacks.data);
}

void breaker__carry_end(breaker__peers_t *peers, breaker__ask_t *ask, breaker__peers_nobody_t why,
                        uint64_t retry_in_ms)
{
    uint64_t number = ask->number;

    breaker__asks_remove(&peers->asks, ask);
    peers->callbacks.on_nobody(peers->callbacks.data, number, why, retry_in_ms);
}

static void finish_held(breaker__peers_t *peers, breaker__ask_t *ask)
{
    breaker__peers_held_t list[BREAKER__PEERS_HELD_MAX];
    size_t num =
        breaker__roster_held(&peers->roster, uv_now(peers->loop), list, BREAKER__PEERS_HELD_MAX);
    uint64_t number = ask->number;

    breaker__asks_remove(&peers->asks, ask);
    peers->callbacks.on_held(peers->callbacks.data, number, list, num);
}

/* how a transfer ended does not matter where everything has come */
static bool is_whole(const breaker__ask_t *ask)
{
    return ask != NULL && ask->kind == BREAKER__ASK_SPOOL && breaker__spool_left(ask->spool) == 0;
}

/* ---- slots ---- */

static breaker__slot_t *free_slot(breaker__peers_t *peers)
{
    for (unsigned i = 0; i != peers->num_slots; ++i)
        if (peers->slots[i].cargo == BREAKER__CARGO_NONE)
            return peers->slots + i;
    return NULL;
}

/* how many more transfers there may be that are no spools */
static unsigned num_free(const breaker__peers_t *peers)
{
    unsigned others = peers->num_running - peers->num_spools;
    unsigned most = peers->num_slots - peers->num_spools;

    assert(peers->num_running <= peers->num_slots);
    if (most > peers->connections)
        most = peers->connections;
    return others < most ? most - others : 0;
}

/* the last one is kept for what a request waits for */
static unsigned num_spare(const breaker__peers_t *peers)
{
    return peers->connections > 1 ? 1 : 0;
}

/* and what is asked for ahead, which may take long, leaves one to what is made known */
static bool has_slot_for(const breaker__peers_t *peers, const breaker__ask_t *ask)
{
    unsigned spare = 0;

    if (ask->kind == BREAKER__ASK_SPOOL)
        return peers->num_running < peers->num_slots;
    if (ask->priority == BREAKER__PEERS_AHEAD)
        spare = num_spare(peers);
    if (spare != 0 && peers->connections > 2 && peers->is_telling && peers->num_words == 0)
        ++spare;
    return num_free(peers) > spare;
}

static void end_word(breaker__peers_t *peers, breaker__known_t *peer)
{
    --peers->num_words;
    if (peer != NULL)
        peer->is_being_told = false;
}

/* long transfers leave half of the connections to others; of a few they take none (carry.h) */
static bool has_slot_for_spool(const breaker__peers_t *peers)
{
    return peers->num_spools == 0 || peers->num_spools < peers->num_slots / 2;
}

/* what has come of a spool by now, and from whom */
static void note_progress(breaker__ask_t *ask, const breaker__slot_t *slot,
                          const breaker__known_t *peer)
{
    uint64_t len = breaker_spool_len(ask->spool);

    if (len == ask->len_seen)
        return;
    ask->len_seen = len;
    ask->progress_ms = slot->transfer.heard_ms;
    if (peer != NULL)
        breaker__tried_add(&ask->givers, peer);
}

breaker__ask_t *breaker__carry_vacate(breaker__peers_t *peers, breaker__slot_t *slot)
{
    breaker__known_t *peer = breaker__roster_find(&peers->roster, slot->peer_number);
    breaker__ask_t *ask = slot->ask;

    assert(slot->cargo != BREAKER__CARGO_NONE);
    --peers->num_running;
    if (slot->cargo == BREAKER__CARGO_HELD) {
        --peers->num_held;
        if (peer != NULL)
            peer->is_asked_held = false;
        for (size_t i = 0; i != peers->asks.num; ++i)
            peers->asks.asks[i]->waits_for_held = false;
    } else if (slot->cargo == BREAKER__CARGO_WORD) {
        end_word(peers, peer);
    } else {
        ask->is_running = false;
        if (ask->kind == BREAKER__ASK_MANIFEST)
            --peers->num_manifests;
        if (ask->kind == BREAKER__ASK_SPOOL) {
            --peers->num_spools;
            note_progress(ask, slot, peer);
        }
    }
    slot->cargo = BREAKER__CARGO_NONE;
    slot->ask = NULL;
    return ask;
}

uint64_t breaker__carry_rate(const breaker__peers_t *peers)
{
    uint64_t rate = peers->rate / peers->num_slots;

    return rate == 0 && peers->rate != 0 ? 1 : rate;
}

/* `ask` says what is taken; the rest of it is filled in here */
static int begin(breaker__peers_t *peers, breaker__slot_t *slot, breaker__known_t *peer,
                 const char *path, breaker__transfer_ask_t ask)
{
    char auth[BREAKER__AUTH_MAX + 1], url[BREAKER__PEER_URL_MAX + PATH_MAX_BYTES + 1];
    size_t key_at = peer->key_at < peers->keys.num ? peer->key_at : 0;
    int err;

    assert(peers->keys.num != 0);
    if ((err = breaker__auth_sign(&peers->keys, key_at, path, strlen(path),
                                  breaker__auth_now_s(&peers->keys), auth)) != 0)
        return err;
    snprintf(url, sizeof(url), "%s%s", peer->url, path);
    ask.url = url;
    ask.auth = auth;
    if ((err = breaker__transfer_begin(&slot->transfer, &ask)) != 0)
        return err;
    slot->peer_number = peer->number;
    ++peers->num_running;
    return 0;
}

static void make_path(const breaker__ask_t *ask, char *dst)
{
    char digest[2 * BREAKER_DIGEST_LEN + 1];

    assert(ask->kind != BREAKER__ASK_HELD);
    if (ask->kind == BREAKER__ASK_MANIFEST) {
        snprintf(dst, PATH_MAX_BYTES + 1, BREAKER_PEER_PREFIX "manifest/%s", ask->release.text);
    } else {
        breaker__digest_format(ask->digest, digest);
        snprintf(dst, PATH_MAX_BYTES + 1, BREAKER_PEER_PREFIX "blob/%s", digest);
    }
}

static void begin_ask(breaker__peers_t *peers, breaker__ask_t *ask, breaker__known_t *peer)
{
    bool is_blob = ask->kind != BREAKER__ASK_MANIFEST;
    const breaker__transfer_ask_t wanted = {
        .len = is_blob ? ask->len : peers->manifest_max, .is_exact = is_blob, .spool = ask->spool};
    breaker__slot_t *slot = free_slot(peers);
    char path[PATH_MAX_BYTES + 1];

    assert(slot != NULL);
    ++ask->num_attempts;
    make_path(ask, path);
    if (begin(peers, slot, peer, path, wanted) != 0) {
        breaker__carry_end(peers, ask, BREAKER__NOBODY_ANSWERS, BREAKER__PEERS_ASIDE_MIN_MS);
        return;
    }
    slot->cargo = BREAKER__CARGO_ASK;
    slot->ask = ask;
    ask->is_running = true;
    if (ask->priority == BREAKER__PEERS_AHEAD)
        peers->has_had_word = false;
    if (ask->kind == BREAKER__ASK_MANIFEST)
        ++peers->num_manifests;
    if (ask->kind == BREAKER__ASK_SPOOL)
        ++peers->num_spools;
}

/* Asks some peers for their lists; returns how many are asked now, for whomever. */
static unsigned begin_held(breaker__peers_t *peers, breaker__ask_t *ask)
{
    const breaker__transfer_ask_t wanted = {.len = BREAKER__PEERS_HELD_LEN_MAX};
    breaker__known_t *peer;
    breaker__slot_t *slot;

    while (peers->num_held < BREAKER__PEERS_HELD_AT_ONCE && has_slot_for(peers, ask) &&
           ask->num_held_asked < BREAKER__PEERS_HELD_ASKS_MAX &&
           (slot = free_slot(peers)) != NULL &&
           (peer = breaker__roster_unknown(&peers->roster,
                                           ask->kind != BREAKER__ASK_HELD ? &ask->release : NULL,
                                           uv_now(peers->loop))) != NULL) {
        if (begin(peers, slot, peer, BREAKER_PEER_PREFIX "held", wanted) != 0)
            break;
        slot->cargo = BREAKER__CARGO_HELD;
        peer->is_asked_held = true;
        ++peers->num_held;
        ++ask->num_held_asked;
    }
    return peers->num_held;
}

/* Asks a peer whether it holds the release that is made known; false when none is to be asked now,
 * and then `*ret_due_ms` is when one may be. */
static bool begin_word(breaker__peers_t *peers, uint64_t *ret_due_ms)
{
    const breaker__transfer_ask_t wanted = {.len = BREAKER__PEERS_HELD_LEN_MAX};
    uint64_t now_ms = uv_now(peers->loop);
    char path[PATH_MAX_BYTES + 1];
    breaker__known_t *peer;
    breaker__slot_t *slot;

    *ret_due_ms = UINT64_MAX;
    peers->is_telling = false;
    if (peers->word.len == 0 || peers->keys.num == 0)
        return false;
    peer = breaker__roster_to_tell(&peers->roster, &peers->word, now_ms, ret_due_ms);
    peers->is_telling = *ret_due_ms <= now_ms + WORDS_SOON_MS;
    /* who ends frees a slot, and comes here */
    if (peer == NULL || peers->num_words == WORDS_AT_ONCE || num_free(peers) <= num_spare(peers) ||
        (slot = free_slot(peers)) == NULL)
        return false;
    snprintf(path, sizeof(path), BREAKER_PEER_PREFIX "held/%s", peers->word.text);
    if (begin(peers, slot, peer, path, wanted) != 0)
        return false;
    slot->cargo = BREAKER__CARGO_WORD;
    ++peers->num_words;
    peers->has_had_word = true;
    breaker__known_told(peer, now_ms);
    return true;
}

/* ---- the next step of an ask ---- */

static bool knows_of_any(const breaker__peers_t *peers)
{
    breaker__peers_held_t any;

    return breaker__roster_held(&peers->roster, uv_now(peers->loop), &any, 1) != 0;
}

/* a second round only where the first one came to nothing, with the older key say */
static void advance_held(breaker__peers_t *peers, breaker__ask_t *ask)
{
    if (ask->num_held_asked == 0 || (peers->num_held == 0 && !knows_of_any(peers)))
        begin_held(peers, ask);
    ask->waits_for_held = peers->num_held != 0;
    if (!ask->waits_for_held)
        finish_held(peers, ask);
}

static void advance_unknown(breaker__peers_t *peers, breaker__ask_t *ask)
{
    ask->waits_for_held = begin_held(peers, ask) != 0;
    if (ask->waits_for_held)
        return;
    /* in a large cluster this is as far as one ask goes */
    if (ask->num_held_asked == BREAKER__PEERS_HELD_ASKS_MAX)
        breaker__carry_end(peers, ask, BREAKER__NOBODY_HAS_IT, 0);
    else
        breaker__carry_end(peers, ask, BREAKER__NOBODY_ANSWERS, BREAKER__PEERS_ASIDE_MIN_MS);
}

/* whether it is worth waiting until then for a peer to be asked again */
static bool may_go_on(const breaker__peers_t *peers, const breaker__ask_t *ask, uint64_t at_ms)
{
    return ask->kind == BREAKER__ASK_SPOOL && at_ms != 0 &&
           at_ms <= ask->progress_ms + SPOOL_PATIENCE * peers->timeout_ms;
}

/* Begins what comes next for an ask, or ends it. There is a slot for it. */
static void advance(breaker__peers_t *peers, breaker__ask_t *ask)
{
    uint64_t now_ms = uv_now(peers->loop), at_ms = 0;
    breaker__known_t *peer;

    /* who sent the last byte fell silent before it ended: there is nothing more to be asked for */
    if (is_whole(ask)) {
        breaker__arrive_spool(peers, ask, NULL);
        return;
    }
    if (peers->keys.num == 0 || ask->num_attempts == BREAKER__PEERS_ATTEMPTS_MAX) {
        breaker__carry_end(peers, ask, BREAKER__NOBODY_ANSWERS, BREAKER__PEERS_ASIDE_MIN_MS);
        return;
    }
    if (ask->kind == BREAKER__ASK_HELD) {
        advance_held(peers, ask);
        return;
    }
    switch (
        breaker__roster_choose(&peers->roster, &ask->release, &ask->tried, now_ms, &peer, &at_ms)) {
    case BREAKER__CHOICE_PEER:
        begin_ask(peers, ask, peer);
        return;
    case BREAKER__CHOICE_ASK_HELD:
        advance_unknown(peers, ask);
        return;
    case BREAKER__CHOICE_LATER:
        ask->not_before_ms = at_ms;
        return;
    case BREAKER__CHOICE_NONE:
        breaker__carry_end(
            peers, ask,
            ask->is_of_later_version ? BREAKER__NOBODY_IS_AS_OLD : BREAKER__NOBODY_HAS_IT, 0);
        return;
    case BREAKER__CHOICE_ASIDE:
        if (may_go_on(peers, ask, at_ms)) {
            ask->not_before_ms = at_ms;
            return;
        }
        breaker__carry_end(peers, ask, BREAKER__NOBODY_ANSWERS, at_ms != 0 ? at_ms - now_ms : 0);
        return;
    }
    assert(!"a choice outside its enum");
}

/*
 * What a spool takes is set apart, and not paid for in the end: it may take minutes, and others
 * would wait for as long until that was paid.
 */
static uint64_t rate_of_others(const breaker__peers_t *peers)
{
    uint64_t taken = peers->num_spools * breaker__carry_rate(peers);

    return taken < peers->rate ? peers->rate - taken : 0;
}

static void refill(breaker__peers_t *peers)
{
    uint64_t now_ms = uv_now(peers->loop), passed_ms = now_ms - peers->refilled_ms;
    int64_t most = (int64_t)(peers->rate / 4 + 1);

    peers->refilled_ms = now_ms;
    if (passed_ms > 1000)
        passed_ms = 1000;
    peers->budget += (int64_t)(rate_of_others(peers) * passed_ms / 1000);
    if (peers->rate == 0 || peers->budget > most)
        peers->budget = most;
}

static void on_timer(uv_timer_t *timer);

static void set_timer(breaker__peers_t *peers, uint64_t delay_ms)
{
    uv_timer_start(&peers->timer, on_timer, delay_ms, 0);
}

/* when there is something to do again, without that anything ends */
static void wait_for(breaker__peers_t *peers, uint64_t word_due_ms)
{
    uint64_t now_ms = uv_now(peers->loop);

    if (peers->num_running != 0 || peers->asks.num != 0)
        set_timer(peers, TICK_MS);
    else if (word_due_ms != UINT64_MAX)
        set_timer(peers, word_due_ms > now_ms + TICK_MS ? word_due_ms - now_ms : TICK_MS);
}

/* what is urgent, and what is asked for ahead */
static void advance_all(breaker__peers_t *peers, breaker__peers_priority_t least)
{
    breaker__ask_t *ask;

    while (peers->budget > 0 &&
           (ask = breaker__asks_first(&peers->asks, uv_now(peers->loop),
                                      peers->num_manifests != BREAKER__PEERS_MANIFESTS_AT_ONCE,
                                      has_slot_for_spool(peers))) != NULL &&
           ask->priority <= least && has_slot_for(peers, ask))
        advance(peers, ask);
}

static uint64_t begin_words(breaker__peers_t *peers)
{
    uint64_t due_ms;

    while (begin_word(peers, &due_ms))
        ;
    return due_ms;
}

/* what is made known and what is asked for ahead take turns where there is a place for one only */
static void pump(breaker__peers_t *peers)
{
    assert(!peers->is_closed);
    refill(peers);
    advance_all(peers, BREAKER__PEERS_URGENT);
    if (!peers->has_had_word)
        begin_words(peers);
    advance_all(peers, BREAKER__PEERS_AHEAD);
    wait_for(peers, begin_words(peers));
}

void breaker__carry_soon(breaker__peers_t *peers)
{
    set_timer(peers, 0);
}

void breaker__carry_done(void *data, CURL *easy, CURLcode code)
{
    breaker__peers_t *peers = data;
    breaker__transfer_t *transfer = breaker__transfer_of(easy);
    breaker__slot_t *slot = transfer->data;
    breaker__transfer_result_t result = breaker__transfer_end(transfer, code);
    breaker__load_t load = {.cargo = slot->cargo,
                            .peer = breaker__roster_find(&peers->roster, slot->peer_number),
                            .body = transfer->body,
                            .len = (size_t)transfer->len};

    transfer->body = NULL;
    load.ask = breaker__carry_vacate(peers, slot);
    if (load.ask == NULL || load.ask->kind != BREAKER__ASK_SPOOL)
        peers->budget -= (int64_t)load.len;
    breaker__arrive(peers, &load, is_whole(load.ask) ? BREAKER__TRANSFER_BODY : result,
                    transfer->reason);
    free(load.body);
    if (load.cargo == BREAKER__CARGO_WORD)
        tell_heard(peers);
    pump(peers);
}

/* ---- silence ---- */

static void look_for_silence(breaker__peers_t *peers)
{
    for (unsigned i = 0; i != peers->num_slots; ++i) {
        breaker__slot_t *slot = peers->slots + i;
        const char *fault;
        bool is_word;
        if (slot->cargo == BREAKER__CARGO_NONE ||
            (fault = breaker__silence_fault(peers, slot)) == NULL)
            continue;
        is_word = slot->cargo == BREAKER__CARGO_WORD;
        breaker__transfer_abort(&slot->transfer);
        breaker__carry_vacate(peers, slot);
        breaker__judge_aside(peers, breaker__roster_find(&peers->roster, slot->peer_number), fault);
        if (is_word)
            tell_heard(peers);
    }
}

static void on_timer(uv_timer_t *timer)
{
    breaker__peers_t *peers = timer->data;

    look_for_silence(peers);
    pump(peers);
}
