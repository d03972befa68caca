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
#include "cluster/agreement_machine.h"
#include "cluster/fleet.h"
#include "cluster/ledger.h"
#include "cluster/mint.h"
#include "release/release_id.h"

enum {
    /* how often a poll says all although nothing seems to lack */
    WHOLE_EVERY_MS = 300000,
    /* without an answer for so many polls a node says that it may be out of date */
    STALE_POLLS = 3,
    /* after a connection is made: every quarter of a poll, this at most, ... */
    HURRIED_POLL_MS = 250,
    /* ... until the slowest peer has dialed again, and for so long more, ... */
    HURRIED_MS = 1000,
    /* ... but never where Redis has taken so long to answer: it has enough to do */
    BUSY_MS = 50,
    /* waits do not double more often: the longest one is reached long before */
    FAILED_MAX = 20,
    /* so far behind Redis's clock the own one is not believed */
    BEHIND_MS = 60000,
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

bool breaker__agreement_has_own(const breaker__agreement_t *agreement)
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

bool breaker__agreement_is_mine(const breaker__agreement_t *agreement,
                                const breaker_ledger_entry_t *entry)
{
    return breaker_release_id_equal(&entry->release, &agreement->config.release);
}

static void enter(breaker__agreement_t *agreement, breaker__agreement_state_t state,
                  uint64_t now_ms)
{
    if (agreement->state == state)
        return;
    assert(agreement->since_ms <= now_ms);
    assert(state != BREAKER__AGREEMENT_START);
    if (agreement->state == BREAKER__AGREEMENT_SYNCED)
        agreement->lost_ms = now_ms;
    if (state == BREAKER__AGREEMENT_SYNCED)
        agreement->away_ms = now_ms - agreement->lost_ms;
    agreement->state = state;
    agreement->since_ms = now_ms;
}

/* none at all, or one of the release before */
static bool awaits_token(const breaker__agreement_t *agreement)
{
    return !breaker__agreement_has_own(agreement) ||
           !breaker__agreement_is_mine(agreement, &agreement->own);
}

breaker_ledger_t breaker__agreement_kept(const breaker__agreement_t *agreement)
{
    breaker_ledger_t kept = agreement->shown;

    assert(breaker_ledger_size(&kept) <= BREAKER_LEDGER_SHARED_MAX);
    if (breaker__agreement_has_own(agreement))
        breaker__ledger_add(&kept, &agreement->own);
    return kept;
}

void breaker__agreement_take_own(breaker__agreement_t *agreement,
                                 const breaker_ledger_entry_t *entry)
{
    assert(breaker__agreement_is_mine(agreement, entry));
    assert(!breaker__agreement_has_own(agreement) ||
           breaker__ledger_entry_compare(entry, &agreement->own) > 0);
    agreement->own = *entry;
}

/* ---- what is kept always ---- */

static void check_own(const breaker__agreement_t *agreement)
{
    const breaker_ledger_entry_t *known =
        breaker__ledger_find_token(&agreement->ledger, &agreement->own.token);

    assert(breaker__agreement_has_own(agreement) == (agreement->state != BREAKER__AGREEMENT_START));
    assert(agreement->own.order < BREAKER__ORDER_END);
    assert(!breaker__agreement_has_own(agreement) || known != NULL);
    /* where two releases claim its token the ledger may have the other one's */
    assert(known == NULL || known->order == agreement->own.order ||
           !breaker_release_id_equal(&known->release, &agreement->own.release));
}

static void check_link(const breaker__agreement_t *agreement)
{
    assert(agreement->state != BREAKER__AGREEMENT_SYNCED || is_connected(agreement));
    assert(agreement->state != BREAKER__AGREEMENT_SYNCED || agreement->is_heard);
    assert(!agreement->is_good || is_connected(agreement));
    assert(agreement->digest[0] == '\0' || strlen(agreement->digest) == BREAKER__DIGEST_LEN);
    assert(agreement->digest[0] != '\0' || breaker_ledger_size(&agreement->shown) == 0);
    assert(!agreement->is_answered_for_this || agreement->digest[0] != '\0');
    assert(agreement->num_failed <= FAILED_MAX);
}

static void check_times(const breaker__agreement_t *agreement, uint64_t now_ms)
{
    assert(agreement->asked_ms <= now_ms);
    assert(agreement->heard_ms <= now_ms);
    assert(agreement->since_ms <= now_ms);
    assert(agreement->lost_ms <= agreement->since_ms);
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

/* a clock that was never set would mint what sorts below everything */
uint64_t breaker__agreement_wall_ms(const breaker__agreement_t *agreement, breaker__moment_t now)
{
    uint64_t redis_ms = agreement->redis_wall_ms + (now.mono_ms - agreement->redis_mono_ms);

    assert(agreement->redis_mono_ms <= now.mono_ms);
    if (agreement->redis_wall_ms == 0 || now.wall_ms + BEHIND_MS >= redis_ms)
        return now.wall_ms;
    return redis_ms;
}

static void go_local(breaker__agreement_t *agreement, breaker__moment_t now,
                     breaker__actions_t *actions)
{
    uint64_t wall_ms = breaker__agreement_wall_ms(agreement, now);
    breaker_ledger_entry_t proposal;
    breaker_ledger_t kept;

    assert(awaits_token(agreement));
    if (!breaker__mint(&agreement->config, &agreement->ledger, wall_ms, &proposal)) {
        agreement->local_ms = now.mono_ms + agreement->config.poll_ms;
        return;
    }
    assert(agreement->config.start != BREAKER_START_STRICT);
    assert(!breaker__agreement_has_own(agreement) || proposal.order > agreement->own.order);
    breaker__agreement_take_own(agreement, &proposal);
    kept = breaker__agreement_kept(agreement);
    breaker__ledger_add_beside(&agreement->ledger, &agreement->own, &kept);
    enter(agreement, BREAKER__AGREEMENT_LOCAL, now.mono_ms);
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

static uint64_t interval_ms(const breaker__agreement_t *agreement)
{
    return breaker__fleet_interval_ms(&agreement->fleet, agreement->config.poll_ms);
}

/* up to a fifth more, so that nodes do not come to poll all at once */
static uint64_t longest_ms(uint64_t wait_ms)
{
    return wait_ms + wait_ms / 5;
}

static uint64_t spread(breaker__agreement_t *agreement, uint64_t wait_ms)
{
    return wait_ms + random_below(agreement, longest_ms(wait_ms) - wait_ms + 1);
}

static uint64_t stale_from_ms(const breaker__agreement_t *agreement)
{
    if (agreement->state != BREAKER__AGREEMENT_SYNCED)
        return UINT64_MAX;
    assert(agreement->is_heard);
    return agreement->heard_ms + STALE_POLLS * interval_ms(agreement);
}

static uint64_t link_due_ms(const breaker__agreement_t *agreement)
{
    if (agreement->link == LINK_DIALING || agreement->link == LINK_POLLING)
        return UINT64_MAX;
    if (agreement->is_wanted)
        return at_most(agreement->due_ms, agreement->wanted_ms);
    return agreement->due_ms;
}

static void dial(breaker__agreement_t *agreement, uint64_t now_ms, breaker__actions_t *actions)
{
    assert(agreement->link == LINK_DOWN);
    /* as often as a poll, whether it comes to one or not; and once for each wish, or a single one
     * would have a fleet dial at this pace for as long as Redis is away */
    if (agreement->is_wanted)
        agreement->wanted_ms = now_ms + breaker__fleet_wanted_ms(&agreement->fleet);
    agreement->is_wanted = false;
    agreement->link = LINK_DIALING;
    actions->dial = true;
}

static void send_poll(breaker__agreement_t *agreement, uint64_t now_ms, breaker__actions_t *actions)
{
    assert(agreement->link == LINK_UP);
    if (agreement->is_wanted)
        agreement->wanted_ms = now_ms + breaker__fleet_wanted_ms(&agreement->fleet);
    agreement->is_wanted = false;
    agreement->link = LINK_POLLING;
    /* now and then all is looked at again: somebody may have deleted what only a whole poll writes
     */
    if (!agreement->is_answered_for_this || now_ms - agreement->whole_ms >= WHOLE_EVERY_MS) {
        agreement->is_answered_for_this = false;
        agreement->whole_ms = now_ms;
    }
    agreement->asks_for_this = true;
    agreement->asked_ms = now_ms;
    agreement->due_ms = now_ms + spread(agreement, interval_ms(agreement));
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
        enter(agreement, BREAKER__AGREEMENT_STALE, now.mono_ms);
    if (now.mono_ms >= link_due_ms(agreement)) {
        if (agreement->link == LINK_UP)
            send_poll(agreement, now.mono_ms, &actions);
        else
            dial(agreement, now.mono_ms, &actions);
    }
    actions.wake_ms = at_most(at_most(start_ends_ms(agreement), stale_from_ms(agreement)),
                              link_due_ms(agreement));
    check_invariants(agreement, &actions, now.mono_ms);
    return actions;
}

/* ---- sooner than the interval ---- */

/* an interval that was told shorter than before counts at once, as it does for who is stale */
static void shorten_wait(breaker__agreement_t *agreement)
{
    uint64_t wait_ms = interval_ms(agreement);

    assert(agreement->link == LINK_UP);
    if (agreement->due_ms - agreement->asked_ms > longest_ms(wait_ms))
        agreement->due_ms = agreement->asked_ms + spread(agreement, wait_ms);
}

/*
 * Whoever lost the same server comes back later, and what it knows is to be seen soon; but only
 * where few ask, and a server answers that has nothing else to do.
 */
static void hurry(breaker__agreement_t *agreement, uint64_t now_ms)
{
    uint64_t wait_ms = at_most(interval_ms(agreement) / 4, HURRIED_POLL_MS);

    assert(agreement->asked_ms <= now_ms);
    if (now_ms < agreement->hurried_ms && now_ms - agreement->asked_ms < BUSY_MS &&
        breaker__fleet_is_small(&agreement->fleet))
        agreement->due_ms =
            at_most(agreement->due_ms, agreement->asked_ms + spread(agreement, wait_ms));
}

/* with nothing to assert a node need not wait a whole poll once it may mint */
static void hasten_settling(breaker__agreement_t *agreement, uint64_t now_ms)
{
    assert(agreement->is_heard);
    if (agreement->state == BREAKER__AGREEMENT_START && now_ms < agreement->settled_ms)
        agreement->due_ms = at_most(agreement->due_ms, agreement->settled_ms);
}

/* ---- the link ---- */

/* the longest wait after so many failed tries */
static uint64_t ceiling_ms(const breaker__agreement_t *agreement)
{
    const breaker_agreement_config_t *config = &agreement->config;
    uint64_t first_ms = breaker__fleet_first_ms(&agreement->fleet, config);

    assert(agreement->num_failed <= FAILED_MAX);
    return at_most(first_ms << agreement->num_failed,
                   breaker__fleet_cap_ms(&agreement->fleet, config));
}

/* from the end of what failed: whoever waits for a busy server does not come back at once */
static void back_off(breaker__agreement_t *agreement, uint64_t now_ms)
{
    assert(agreement->link != LINK_DOWN);
    agreement->due_ms = now_ms + 1 + random_below(agreement, ceiling_ms(agreement));
    /* nor in the event that hangs up, however much news is wanted */
    agreement->wanted_ms = at_least(agreement->wanted_ms, now_ms + 1);
    agreement->link = LINK_DOWN;
    agreement->is_good = false;
    if (agreement->num_failed != FAILED_MAX)
        ++agreement->num_failed;
    if (agreement->state == BREAKER__AGREEMENT_SYNCED)
        enter(agreement, BREAKER__AGREEMENT_STALE, now_ms);
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
    assert(!breaker__agreement_has_own(agreement));
    agreement->due_ms = agreement->wanted_ms = now.mono_ms;
    agreement->since_ms = agreement->lost_ms = now.mono_ms;
    agreement->local_ms = now.mono_ms + patience_ms(config);
    if (saved != NULL)
        agreement->ledger = *saved;
    own = breaker_ledger_newest(&agreement->ledger, &config->release);
    if (own != NULL) {
        breaker__agreement_take_own(agreement, own);
        enter(agreement, BREAKER__AGREEMENT_STALE, now.mono_ms);
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
    agreement->hurried_ms =
        now.mono_ms + HURRIED_MS + breaker__fleet_cap_ms(&agreement->fleet, &agreement->config);
    /* it may be another server, or the same one without its data */
    agreement->is_heard = agreement->is_answered_for_this = false;
    agreement->dropped_order = 0;
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
    if (!breaker__agreement_check_answer(agreement, answer, &answered))
        return breaker__agreement_on_refused(agreement, now);
    agreement->link = LINK_UP;
    breaker__agreement_take_answer(agreement, now.mono_ms, answer, &answered, &actions);
    if (breaker__agreement_has_own(agreement))
        enter(agreement, BREAKER__AGREEMENT_SYNCED, now.mono_ms);
    shorten_wait(agreement);
    hurry(agreement, now.mono_ms);
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
    if (fixed->len != 0 && breaker__ledger_find_token(&agreement->ledger, fixed) == NULL)
        return NULL;
    if (best == NULL || !breaker__agreement_has_own(agreement))
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
    agreement->asks_for_this = agreement->is_answered_for_this = false;
    config->release = *release;
    if (fixed != NULL)
        config->fixed = *fixed;
    if (suffix != NULL)
        strcpy(config->suffix, suffix);
    agreement->local_ms = now.mono_ms + patience_ms(config);
    if ((next = find_next(agreement)) != NULL) {
        breaker__agreement_take_own(agreement, next);
        if (agreement->state == BREAKER__AGREEMENT_START)
            enter(agreement, BREAKER__AGREEMENT_STALE, now.mono_ms);
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

/* ---- what it stands at ---- */

const breaker_agreement_config_t *breaker__agreement_config(const breaker__agreement_t *agreement)
{
    return &agreement->config;
}

bool breaker__agreement_is_placed(const breaker__agreement_t *agreement)
{
    /* what was minted has its order in its name */
    return agreement->state != BREAKER__AGREEMENT_LOCAL ||
           !breaker_token_equal(&agreement->own.token, &agreement->config.fixed);
}

breaker__agreement_state_t breaker__agreement_state(const breaker__agreement_t *agreement)
{
    return agreement->state;
}

uint64_t breaker__agreement_since_ms(const breaker__agreement_t *agreement)
{
    return agreement->since_ms;
}

uint64_t breaker__agreement_away_ms(const breaker__agreement_t *agreement)
{
    return agreement->away_ms;
}

const breaker__news_t *breaker__agreement_news(const breaker__agreement_t *agreement)
{
    assert(agreement->was_ever_heard || agreement->news.num_entries == 0);
    return &agreement->news;
}

const breaker_ledger_entry_t *breaker__agreement_own(const breaker__agreement_t *agreement)
{
    return breaker__agreement_has_own(agreement) ? &agreement->own : NULL;
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
