/*
 * The agreement of one node with its peers. Every event changes the machine, then `run_timers`
 * brings it up to the moment: whatever is due is done in the event that comes first, so that a late
 * or missing timer costs time and nothing else. Kept always: the order of the own token never
 * decreases, but for an operator's token whose earlier registration is heard of; the own entry is
 * in every poll; an answer that is malformed or contradicts itself changes nothing.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <breaker/error.h>
#include "cluster/agreement.h"
#include "cluster/agreement_config.h"
#include "cluster/ledger.h"
#include "cluster/mint.h"
#include "release/release_id.h"

enum {
    /* without an answer for so many polls a node says that it may be out of date */
    STALE_POLLS = 3,
    WANTED_MS = 1000,
    /* after a connection is made: every quarter of a poll, this at most, ... */
    HURRIED_POLL_MS = 250,
    /* ... until the slowest peer has dialed again, and for so long more */
    HURRIED_MS = 1000,
    DIGEST_LEN = 40,
};

typedef enum en_link_t {
    LINK_DOWN,
    LINK_DIALING,
    LINK_UP,
    LINK_POLLING,
} link_t;

struct st_breaker__agreement_t {
    breaker_agreement_config_t config;
    breaker__agreement_state_t state;
    uint64_t random;

    /* own.token.len is 0 while there is none; once there is one it was handed out */
    breaker_ledger_entry_t own;
    /* all that this node knows */
    breaker_ledger_t ledger;
    /* what the last answer on this connection showed of Redis, and its digest ("": none yet) */
    breaker_ledger_t shown;
    char digest[DIGEST_LEN + 1];

    link_t link;
    /* when to dial while down, when to poll while up */
    uint64_t due_ms;
    uint64_t ceiling_ms;
    /* when the dial was begun, and until when polls follow each other faster */
    uint64_t dialed_ms, hurried_ms;
    /* since when every answer was good; unset after trouble */
    bool is_good;
    uint64_t good_ms;
    /* answered on this connection; an empty ledger is believed from settled_ms on */
    bool is_heard;
    uint64_t settled_ms;
    uint64_t asked_ms, answered_ms, heard_ms;
    /* a poll was wanted that is not sent yet; none for this reason before wanted_ms */
    bool is_wanted;
    uint64_t wanted_ms;
    /* when START ends without an answer */
    uint64_t local_ms;
};

/* ---- making one ---- */

int breaker__agreement_create(const breaker_agreement_config_t *config,
                              breaker__agreement_t **ret_agreement)
{
    breaker__agreement_t *agreement;
    int err;

    if ((err = breaker__agreement_check(config)) != 0)
        return err;
    if ((agreement = calloc(1, sizeof(*agreement))) == NULL)
        return BREAKER_ERR_NO_MEMORY;
    agreement->config = *config;
    agreement->random = config->seed;
    agreement->state = BREAKER__AGREEMENT_START;
    agreement->link = LINK_DOWN;
    agreement->ceiling_ms = config->backoff_min_ms;
    breaker_ledger_init(&agreement->ledger, NULL, 0);
    breaker_ledger_init(&agreement->shown, NULL, 0);
    *ret_agreement = agreement;
    return 0;
}

void breaker__agreement_free(breaker__agreement_t *agreement)
{
    free(agreement);
}

/* ---- small things ---- */

static bool has_own(const breaker__agreement_t *agreement)
{
    return agreement->own.token.len != 0;
}

static bool is_connected(const breaker__agreement_t *agreement)
{
    return agreement->link == LINK_UP || agreement->link == LINK_POLLING;
}

/* splitmix64: all that a jitter needs */
static uint64_t random_below(breaker__agreement_t *agreement, uint64_t end)
{
    uint64_t word = agreement->random += UINT64_C(0x9e3779b97f4a7c15);

    assert(end != 0);
    word = (word ^ word >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    word = (word ^ word >> 27) * UINT64_C(0x94d049bb133111eb);
    return (word ^ word >> 31) % end;
}

static uint64_t at_most(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t at_least(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static bool same_ledger(const breaker_ledger_t *a, const breaker_ledger_t *b)
{
    size_t num = breaker_ledger_size(a);

    if (num != breaker_ledger_size(b))
        return false;
    for (size_t i = 0; i != num; ++i)
        if (breaker__ledger_entry_compare(breaker_ledger_at(a, i), breaker_ledger_at(b, i)) != 0)
            return false;
    return true;
}

static const breaker_ledger_entry_t *find_token(const breaker_ledger_t *ledger,
                                                const breaker_token_t *token)
{
    return breaker__ledger_find(ledger, token->text, token->len);
}

static bool is_mine(const breaker__agreement_t *agreement, const breaker_ledger_entry_t *entry)
{
    return breaker_release_id_equal(&entry->release, &agreement->config.release);
}

/* none at all, or one of the release before */
static bool awaits_token(const breaker__agreement_t *agreement)
{
    return !has_own(agreement) || !is_mine(agreement, &agreement->own);
}

static void merge_ledger(breaker_ledger_t *ledger, const breaker_ledger_t *other)
{
    for (size_t at = breaker_ledger_size(other); at-- != 0;)
        breaker__ledger_add(ledger, breaker_ledger_at(other, at));
    /* an entry makes room for a newer one and for nothing else */
    assert(breaker_ledger_size(ledger) >= breaker_ledger_size(other));
}

/* the only way to a token, and it leads upwards (P3) */
static void take_own(breaker__agreement_t *agreement, const breaker_ledger_entry_t *entry)
{
    assert(is_mine(agreement, entry));
    assert(!has_own(agreement) || breaker__ledger_entry_compare(entry, &agreement->own) > 0);
    agreement->own = *entry;
}

/* ---- what is kept always ---- */

static void check_own(const breaker__agreement_t *agreement)
{
    const breaker_ledger_t *ledger = &agreement->ledger;

    assert(has_own(agreement) == (agreement->state != BREAKER__AGREEMENT_START));
    assert(agreement->own.order < BREAKER__ORDER_END);
    /* it is remembered, or so many newer ones are */
    assert(!has_own(agreement) || find_token(ledger, &agreement->own.token) != NULL ||
           breaker_ledger_size(ledger) == BREAKER_LEDGER_MAX);
}

static void check_link(const breaker__agreement_t *agreement)
{
    const breaker_agreement_config_t *config = &agreement->config;

    assert(agreement->state != BREAKER__AGREEMENT_SYNCED || is_connected(agreement));
    assert(agreement->state != BREAKER__AGREEMENT_SYNCED || agreement->is_heard);
    assert(!agreement->is_good || is_connected(agreement));
    assert(agreement->digest[0] == '\0' || strlen(agreement->digest) == DIGEST_LEN);
    assert(agreement->digest[0] != '\0' || breaker_ledger_size(&agreement->shown) == 0);
    assert(agreement->ceiling_ms >= config->backoff_min_ms);
    assert(agreement->ceiling_ms <= config->backoff_max_ms);
}

static void check_times(const breaker__agreement_t *agreement, uint64_t now_ms)
{
    assert(agreement->dialed_ms <= now_ms);
    assert(agreement->asked_ms <= now_ms);
    assert(agreement->heard_ms <= now_ms);
    assert(agreement->answered_ms <= agreement->asked_ms);
    assert(agreement->answered_ms <= agreement->heard_ms);
    assert(!agreement->is_good || agreement->good_ms <= now_ms);
}

static void check_actions(const breaker__agreement_t *agreement, const breaker__actions_t *actions,
                          uint64_t now_ms)
{
    assert(!actions->dial || agreement->link == LINK_DIALING);
    assert(!actions->poll || agreement->link == LINK_POLLING);
    assert(!actions->hang_up || agreement->link == LINK_DOWN);
    /* whatever was due is done */
    assert(actions->wake_ms > now_ms);
}

static void check_invariants(const breaker__agreement_t *agreement,
                             const breaker__actions_t *actions, uint64_t now_ms)
{
    check_own(agreement);
    check_link(agreement);
    check_times(agreement, now_ms);
    check_actions(agreement, actions, now_ms);
}

/* ---- without an answer ---- */

static void go_local(breaker__agreement_t *agreement, breaker__moment_t now,
                     breaker__actions_t *actions)
{
    breaker_ledger_entry_t proposal;

    assert(awaits_token(agreement));
    if (!breaker__mint(&agreement->config, &agreement->ledger, now.wall_ms, &proposal)) {
        agreement->local_ms = now.mono_ms + agreement->config.poll_ms;
        return;
    }
    assert(agreement->config.start != BREAKER_START_STRICT);
    assert(!has_own(agreement) || proposal.order > agreement->own.order);
    take_own(agreement, &proposal);
    breaker__ledger_add(&agreement->ledger, &agreement->own);
    agreement->state = BREAKER__AGREEMENT_LOCAL;
    actions->save = actions->publish = true;
}

/* ---- timers ---- */

static uint64_t start_ends_ms(const breaker__agreement_t *agreement)
{
    const breaker_agreement_config_t *config = &agreement->config;

    if (!awaits_token(agreement) || config->start == BREAKER_START_STRICT)
        return UINT64_MAX;
    /* Redis answers, but may never answer with a token: it gets the time to settle and the grace */
    if (is_connected(agreement) && agreement->is_heard)
        return at_least(agreement->local_ms, agreement->settled_ms + config->grace_ms);
    return agreement->local_ms;
}

static uint64_t stale_from_ms(const breaker__agreement_t *agreement)
{
    if (agreement->state != BREAKER__AGREEMENT_SYNCED)
        return UINT64_MAX;
    assert(agreement->is_heard);
    return agreement->heard_ms + STALE_POLLS * (uint64_t)agreement->config.poll_ms;
}

static uint64_t link_due_ms(const breaker__agreement_t *agreement)
{
    if (agreement->link == LINK_DIALING || agreement->link == LINK_POLLING)
        return UINT64_MAX;
    if (agreement->link == LINK_UP && agreement->is_wanted)
        return at_most(agreement->due_ms, agreement->wanted_ms);
    return agreement->due_ms;
}

/* whoever lost the same server comes back later, and what it knows is to be seen soon */
static uint64_t interval_ms(const breaker__agreement_t *agreement, uint64_t now_ms)
{
    uint64_t poll_ms = agreement->config.poll_ms;

    assert(poll_ms >= BREAKER_POLL_MIN_MS);
    return now_ms < agreement->hurried_ms ? at_most(poll_ms / 4, HURRIED_POLL_MS) : poll_ms;
}

static void send_poll(breaker__agreement_t *agreement, uint64_t now_ms, breaker__actions_t *actions)
{
    uint64_t poll_ms = interval_ms(agreement, now_ms), fifth = poll_ms / 5;

    assert(agreement->link == LINK_UP);
    if (agreement->is_wanted)
        agreement->wanted_ms = now_ms + WANTED_MS;
    agreement->is_wanted = false;
    agreement->link = LINK_POLLING;
    agreement->asked_ms = now_ms;
    agreement->due_ms = now_ms + poll_ms - fifth + random_below(agreement, 2 * fifth + 1);
    assert(agreement->due_ms > now_ms);
    actions->poll = true;
}

/* the end of every event */
static breaker__actions_t run_timers(breaker__agreement_t *agreement, breaker__moment_t now,
                                     breaker__actions_t actions)
{
    if (now.mono_ms >= start_ends_ms(agreement))
        go_local(agreement, now, &actions);
    if (now.mono_ms >= stale_from_ms(agreement))
        agreement->state = BREAKER__AGREEMENT_STALE;
    if (now.mono_ms >= link_due_ms(agreement)) {
        if (agreement->link == LINK_UP) {
            send_poll(agreement, now.mono_ms, &actions);
        } else {
            agreement->link = LINK_DIALING;
            agreement->dialed_ms = now.mono_ms;
            actions.dial = true;
        }
    }
    actions.wake_ms = at_most(at_most(start_ends_ms(agreement), stale_from_ms(agreement)),
                              link_due_ms(agreement));
    check_invariants(agreement, &actions, now.mono_ms);
    return actions;
}

/* ---- answers ---- */

/* an answer is nobody's word but the network's: what it says is checked before anything changes */
static bool check_answer(const breaker__agreement_t *agreement, const breaker_answer_t *answer,
                         breaker_ledger_t *ret_ledger)
{
    if (strnlen(answer->digest, sizeof(answer->digest)) != DIGEST_LEN)
        return false;
    if (strspn(answer->digest, "0123456789abcdef") != DIGEST_LEN)
        return false;
    if (answer->unchanged)
        return memcmp(answer->digest, agreement->digest, DIGEST_LEN) == 0;
    return answer->num_entries <= BREAKER_LEDGER_MAX &&
           breaker_ledger_init(ret_ledger, answer->entries, answer->num_entries) == 0;
}

/* the token is known, from before a wipe say, as another release's: never ours (P4) */
static bool is_anothers(const breaker__agreement_t *agreement, const breaker_ledger_entry_t *entry)
{
    const breaker_ledger_entry_t *known = find_token(&agreement->ledger, &entry->token);

    return known != NULL && !breaker_release_id_equal(&known->release, &entry->release);
}

/* the union; where two releases claim one token Redis decides, so that all nodes hold the same */
static void take_ledger(breaker__agreement_t *agreement, const breaker_ledger_t *answered,
                        breaker__actions_t *actions)
{
    breaker_ledger_t merged = *answered;

    merge_ledger(&merged, &agreement->ledger);
    if (same_ledger(&merged, &agreement->ledger))
        return;
    agreement->ledger = merged;
    actions->save = actions->publish = true;
}

/* an operator's token that was registered elsewhere before: its place is the earlier one */
static void take_birth(breaker__agreement_t *agreement)
{
    const breaker_ledger_entry_t *known = find_token(&agreement->shown, &agreement->own.token);

    if (known != NULL && is_mine(agreement, known) && known->order < agreement->own.order)
        agreement->own.order = known->order;
}

static void adopt(breaker__agreement_t *agreement, const breaker_ledger_entry_t *best,
                  breaker__actions_t *actions)
{
    if (has_own(agreement) && breaker__ledger_entry_compare(best, &agreement->own) <= 0)
        return;
    take_own(agreement, best);
    actions->save = actions->publish = true;
}

static void take_answer(breaker__agreement_t *agreement, const breaker_ledger_t *answered,
                        breaker__actions_t *actions)
{
    const breaker_ledger_entry_t *best =
        breaker_ledger_newest(answered, &agreement->config.release);
    breaker_ledger_entry_t adopted;
    bool is_ours = best != NULL && !is_anothers(agreement, best);

    assert(agreement->link == LINK_UP);
    agreement->shown = *answered;
    if (best != NULL && !is_ours) {
        /* what we know stays, goes out with the next poll, and makes the script move on */
        merge_ledger(&agreement->ledger, answered);
        actions->save = actions->publish = true;
        return;
    }
    if (is_ours)
        adopted = *best;
    take_ledger(agreement, answered, actions);
    take_birth(agreement);
    if (is_ours)
        adopt(agreement, &adopted, actions);
}

static void note_good_answer(breaker__agreement_t *agreement, uint64_t now_ms)
{
    assert(agreement->asked_ms <= now_ms);
    assert(!agreement->is_good || agreement->good_ms <= now_ms);
    if (!agreement->is_good) {
        agreement->is_good = true;
        agreement->good_ms = now_ms;
    } else if (now_ms - agreement->good_ms >= agreement->config.forgive_after_ms) {
        agreement->ceiling_ms = agreement->config.backoff_min_ms;
    }
    if (!agreement->is_heard) {
        agreement->is_heard = true;
        agreement->settled_ms = now_ms + agreement->config.settle_ms;
    }
    agreement->heard_ms = now_ms;
    agreement->answered_ms = agreement->asked_ms;
}

/* with nothing to assert a node need not wait a whole poll once it may mint */
static void hasten_settling(breaker__agreement_t *agreement, uint64_t now_ms)
{
    assert(agreement->is_heard);
    if (agreement->state == BREAKER__AGREEMENT_START && now_ms < agreement->settled_ms)
        agreement->due_ms = at_most(agreement->due_ms, agreement->settled_ms);
}

/* ---- the link ---- */

/* since when there was trouble: a timeout has made us wait already */
static uint64_t trouble_ms(const breaker__agreement_t *agreement, uint64_t now_ms)
{
    assert(agreement->link != LINK_DOWN);
    if (agreement->link == LINK_DIALING)
        return agreement->dialed_ms;
    return agreement->link == LINK_POLLING ? agreement->asked_ms : now_ms;
}

static void back_off(breaker__agreement_t *agreement, uint64_t now_ms)
{
    uint64_t wait_ms = 1 + random_below(agreement, agreement->ceiling_ms);

    assert(wait_ms <= agreement->config.backoff_max_ms);
    agreement->due_ms = at_least(now_ms + 1, trouble_ms(agreement, now_ms) + wait_ms);
    agreement->link = LINK_DOWN;
    agreement->is_good = false;
    agreement->ceiling_ms = at_most(2 * agreement->ceiling_ms, agreement->config.backoff_max_ms);
    if (agreement->state == BREAKER__AGREEMENT_SYNCED)
        agreement->state = BREAKER__AGREEMENT_STALE;
}

/* ---- events ---- */

/* how long a release without a token waits for an answer */
static uint64_t patience_ms(const breaker_agreement_config_t *config)
{
    return config->start == BREAKER_START_WAIT ? config->start_timeout_ms : config->grace_ms;
}

breaker__actions_t breaker__agreement_start(breaker__agreement_t *agreement, breaker__moment_t now,
                                            const breaker_ledger_t *saved)
{
    const breaker_agreement_config_t *config = &agreement->config;
    const breaker_ledger_entry_t *own;
    breaker__actions_t actions = {.dial = false};

    assert(agreement->state == BREAKER__AGREEMENT_START);
    assert(agreement->link == LINK_DOWN);
    assert(!has_own(agreement));
    agreement->due_ms = agreement->wanted_ms = now.mono_ms;
    agreement->local_ms = now.mono_ms + patience_ms(config);
    if (saved != NULL)
        agreement->ledger = *saved;
    own = breaker_ledger_newest(&agreement->ledger, &config->release);
    if (own != NULL) {
        take_own(agreement, own);
        agreement->state = BREAKER__AGREEMENT_STALE;
        actions.publish = true;
    }
    return run_timers(agreement, now, actions);
}

breaker__actions_t breaker__agreement_on_time(breaker__agreement_t *agreement,
                                              breaker__moment_t now)
{
    return run_timers(agreement, now, (breaker__actions_t){.poll = false});
}

breaker__actions_t breaker__agreement_on_up(breaker__agreement_t *agreement, breaker__moment_t now)
{
    assert(agreement->link == LINK_DIALING);
    assert(!agreement->is_good);
    agreement->link = LINK_UP;
    agreement->due_ms = now.mono_ms;
    agreement->hurried_ms = now.mono_ms + agreement->config.backoff_max_ms + HURRIED_MS;
    /* it may be another server, or the same one without its data */
    agreement->is_heard = false;
    agreement->digest[0] = '\0';
    breaker_ledger_init(&agreement->shown, NULL, 0);
    return run_timers(agreement, now, (breaker__actions_t){.poll = false});
}

breaker__actions_t breaker__agreement_on_down(breaker__agreement_t *agreement,
                                              breaker__moment_t now)
{
    assert(agreement->link != LINK_DOWN);
    back_off(agreement, now.mono_ms);
    return run_timers(agreement, now, (breaker__actions_t){.dial = false});
}

breaker__actions_t breaker__agreement_on_refused(breaker__agreement_t *agreement,
                                                 breaker__moment_t now)
{
    assert(agreement->link == LINK_POLLING);
    back_off(agreement, now.mono_ms);
    return run_timers(agreement, now, (breaker__actions_t){.hang_up = true});
}

breaker__actions_t breaker__agreement_on_answer(breaker__agreement_t *agreement,
                                                breaker__moment_t now,
                                                const breaker_answer_t *answer)
{
    breaker__actions_t actions = {.poll = false};
    breaker_ledger_t answered;

    assert(agreement->link == LINK_POLLING);
    if (!check_answer(agreement, answer, &answered))
        return breaker__agreement_on_refused(agreement, now);
    agreement->link = LINK_UP;
    note_good_answer(agreement, now.mono_ms);
    if (!answer->unchanged) {
        memcpy(agreement->digest, answer->digest, sizeof(agreement->digest));
        take_answer(agreement, &answered, &actions);
    }
    if (has_own(agreement))
        agreement->state = BREAKER__AGREEMENT_SYNCED;
    hasten_settling(agreement, now.mono_ms);
    return run_timers(agreement, now, actions);
}

/* a token of the new release that stands above all that this node handed out, or NULL */
static const breaker_ledger_entry_t *find_next(const breaker__agreement_t *agreement)
{
    const breaker_token_t *fixed = &agreement->config.fixed;
    const breaker_ledger_entry_t *best =
        breaker_ledger_newest(&agreement->ledger, &agreement->config.release);

    /* the operator's token is registered first */
    if (fixed->len != 0 && find_token(&agreement->ledger, fixed) == NULL)
        return NULL;
    if (best == NULL || !has_own(agreement))
        return best;
    return breaker__ledger_entry_compare(best, &agreement->own) > 0 ? best : NULL;
}

breaker__actions_t breaker__agreement_on_release(breaker__agreement_t *agreement,
                                                 breaker__moment_t now,
                                                 const breaker_release_id_t *release,
                                                 const breaker_token_t *fixed, const char *suffix)
{
    breaker_agreement_config_t *config = &agreement->config;
    const breaker_ledger_entry_t *next;
    breaker__actions_t actions = {.poll = false};

    assert(breaker__release_id_is_valid(release->text, release->len));
    assert(suffix == NULL || strlen(suffix) < sizeof(config->suffix));
    config->release = *release;
    if (fixed != NULL)
        config->fixed = *fixed;
    if (suffix != NULL)
        strcpy(config->suffix, suffix);
    agreement->local_ms = now.mono_ms + patience_ms(config);
    if ((next = find_next(agreement)) != NULL) {
        take_own(agreement, next);
        if (agreement->state == BREAKER__AGREEMENT_START)
            agreement->state = BREAKER__AGREEMENT_STALE;
        actions.save = actions.publish = true;
    }
    /* asked for at once where there is a connection, or when the poll under way is answered */
    if (is_connected(agreement))
        agreement->due_ms = now.mono_ms;
    return run_timers(agreement, now, actions);
}

breaker__actions_t breaker__agreement_on_wanted(breaker__agreement_t *agreement,
                                                breaker__moment_t now)
{
    agreement->is_wanted = true;
    return run_timers(agreement, now, (breaker__actions_t){.poll = false});
}

/* ---- what a poll says ---- */

static bool may_mint(const breaker__agreement_t *agreement, uint64_t now_ms)
{
    return has_own(agreement) || breaker_ledger_size(&agreement->ledger) != 0 ||
           (agreement->is_heard && now_ms >= agreement->settled_ms);
}

/* it has the release, but nothing of it that could be adopted: that came in with the last answer */
static bool must_promote(const breaker__agreement_t *agreement)
{
    return has_own(agreement) && awaits_token(agreement) &&
           breaker_ledger_newest(&agreement->shown, &agreement->config.release) != NULL;
}

static breaker__act_t act_of(const breaker__agreement_t *agreement, uint64_t now_ms)
{
    if (must_promote(agreement))
        return BREAKER__ACT_PROMOTE;
    return may_mint(agreement, now_ms) ? BREAKER__ACT_MINT : BREAKER__ACT_SETTLE;
}

/*
 * Whether Redis lacks an entry. A full ledger there is not filled up with history: a live release's
 * entry may stand below the newest 32, and the one that made room for it must not come back.
 */
static bool is_lacking(const breaker__agreement_t *agreement, const breaker_ledger_entry_t *entry)
{
    const breaker_ledger_t *shown = &agreement->shown;
    const breaker_ledger_entry_t *there = find_token(shown, &entry->token);

    assert(entry->token.len != 0);
    if (there == NULL)
        return breaker_ledger_size(shown) < BREAKER_LEDGER_MAX ||
               entry->order > breaker_ledger_at(shown, BREAKER_LEDGER_MAX / 2)->order;
    if (breaker_release_id_equal(&there->release, &entry->release))
        return entry->order < there->order;
    return is_mine(agreement, there);
}

void breaker__agreement_poll(const breaker__agreement_t *agreement, breaker__moment_t now,
                             breaker__poll_t *ret_poll)
{
    size_t num = 0;

    ret_poll->act = act_of(agreement, now.mono_ms);
    ret_poll->wall_ms = now.wall_ms;
    memcpy(ret_poll->digest, agreement->digest, sizeof(ret_poll->digest));
    if (has_own(agreement))
        ret_poll->entries[num++] = agreement->own;
    for (size_t at = breaker_ledger_size(&agreement->ledger); at-- != 0;) {
        const breaker_ledger_entry_t *entry = breaker_ledger_at(&agreement->ledger, at);
        if (breaker__ledger_entry_compare(entry, &agreement->own) != 0 &&
            is_lacking(agreement, entry))
            ret_poll->entries[num++] = *entry;
    }
    assert(num <= BREAKER_LEDGER_MAX + 1);
    ret_poll->num_entries = num;
}

/* ---- what it stands at ---- */

const breaker_agreement_config_t *breaker__agreement_config(const breaker__agreement_t *agreement)
{
    return &agreement->config;
}

breaker__agreement_state_t breaker__agreement_state(const breaker__agreement_t *agreement)
{
    return agreement->state;
}

const breaker_ledger_entry_t *breaker__agreement_own(const breaker__agreement_t *agreement)
{
    return has_own(agreement) ? &agreement->own : NULL;
}

const breaker_ledger_t *breaker__agreement_ledger(const breaker__agreement_t *agreement)
{
    return &agreement->ledger;
}

uint64_t breaker__agreement_answered_ms(const breaker__agreement_t *agreement)
{
    assert(agreement->answered_ms <= agreement->asked_ms);
    return agreement->answered_ms;
}
