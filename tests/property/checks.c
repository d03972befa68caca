/*
 * The invariants, as checks of a world. What a node shows is checked after each of its events; what
 * nodes have in common is checked at every moment since which nothing new had to be agreed on for
 * two polls.
 */
#include <stdlib.h>
#include <string.h>
#include "cluster/agreement.h"
#include "cluster/ledger.h"
#include "world.h"

/* the first violation is the one that is told */
static void wrong(world_t *world, const node_t *node, const char *what)
{
    if (world->wrong != NULL)
        return;
    world->wrong = what;
    world->num_wrong_node = node != NULL ? (size_t)(node - world->nodes) : NODES_MAX;
}

static bool same(const breaker_token_t *a, const breaker_token_t *b)
{
    return strcmp(a->text, b->text) == 0;
}

static bool same_release(const breaker_release_id_t *a, const breaker_release_id_t *b)
{
    return strcmp(a->text, b->text) == 0;
}

/* ---- who claimed what ---- */

static claim_t *find_claim(world_t *world, const breaker_ledger_entry_t *entry)
{
    for (size_t i = world->num_claims; i-- != 0;) {
        claim_t *claim = world->claims + i;
        if (same(&claim->token, &entry->token) && same_release(&claim->release, &entry->release))
            return claim;
    }
    return NULL;
}

void world_claim(world_t *world, const breaker_ledger_entry_t *entry, bool is_local,
                 bool is_registered)
{
    claim_t *claim = find_claim(world, entry);

    if (claim == NULL) {
        if (world->num_claims == CLAIMS_MAX) {
            wrong(world, NULL, "more tokens than a world should see");
            return;
        }
        claim = world->claims + world->num_claims++;
        *claim = (claim_t){.token = entry->token, .release = entry->release, .birth = entry->order};
    }
    if (entry->order < claim->birth)
        claim->birth = entry->order;
    claim->is_local |= is_local;
    claim->is_registered |= is_registered;
}

/*
 * What cannot be helped without a suffix: a node that is cut off makes a token of the same
 * millisecond as another release's; and where clocks are so coarse that it is likely, Redis, which
 * lost what it knew, mints the same one twice.
 */
static bool is_unavoidable(const world_t *world, const claim_t *a, const claim_t *b)
{
    return !world->has_suffix &&
           (a->is_local || b->is_local || (world->grain_ms > 1 && world->is_data_lost));
}

/* P4 */
static void check_one_release(world_t *world, const node_t *node, const claim_t *mine)
{
    for (size_t i = 0; i != world->num_claims; ++i) {
        const claim_t *other = world->claims + i;
        if (!other->is_handed_out || other == mine || !same(&other->token, &mine->token))
            continue;
        world->is_collided = true;
        ++world->num_violations_allowed;
        if (!is_unavoidable(world, other, mine))
            wrong(world, node, "P4: a token names two releases");
    }
}

/* ---- one node ---- */

static bool is_operators(const breaker_ledger_entry_t *entry)
{
    return entry->token.text[0] == 'v';
}

static void check_entry(world_t *world, const node_t *node, const breaker_ledger_entry_t *entry)
{
    if (find_claim(world, entry) == NULL)
        wrong(world, node, "P2: an entry that nobody proposed");
    if (!is_operators(entry) && strtoull(entry->token.text, NULL, 10) != entry->order)
        wrong(world, node, "P3: the order of a minted token is not the token");
}

static void check_new_token(world_t *world, node_t *node, const breaker_ledger_entry_t *own)
{
    bool is_local = breaker__agreement_state(node->agreement) == BREAKER__AGREEMENT_LOCAL;
    /* of the release: a node that loads another one has a token of the one before */
    bool is_first = !same_release(&node->own.release, &own->release);
    claim_t *claim;

    if (is_local)
        world_claim(world, own, true, false);
    if (is_local &&
        breaker_ledger_newest(breaker__agreement_ledger(node->agreement), NULL)->order !=
            own->order)
        wrong(world, node, "P3: a proposal below what the node knows");
    if (is_local && !is_first)
        wrong(world, node, "a proposal of its own in place of a token");
    if (!same_release(&own->release, &node->config.release))
        wrong(world, node, "P4: a token of another release");
    if ((claim = find_claim(world, own)) == NULL) {
        wrong(world, node, "P2: a token that nobody proposed");
        return;
    }
    /* one of the state file may never have reached Redis */
    if (!is_local && !claim->is_registered && !claim->is_local)
        wrong(world, node, "handed out before it was registered");
    claim->is_handed_out = true;
    check_one_release(world, node, claim);
}

/* the order of the token so far; an operator's is where the earliest registration was */
static uint64_t place_of(world_t *world, const node_t *node)
{
    const claim_t *claim = is_operators(&node->own) ? find_claim(world, &node->own) : NULL;

    return claim != NULL ? claim->birth : node->own.order;
}

/* whatever Redis loses, what a node knows is only ever pushed out by what is newer */
static void check_memory(world_t *world, node_t *node, const breaker_ledger_t *ledger)
{
    for (size_t i = 0; i != breaker_ledger_size(&node->ledger); ++i) {
        const breaker_ledger_entry_t *known = breaker_ledger_at(&node->ledger, i);
        if (breaker_ledger_size(ledger) < BREAKER_LEDGER_MAX &&
            breaker__ledger_find(ledger, known->token.text, known->token.len) == NULL)
            wrong(world, node, "a node forgets an entry");
    }
    node->ledger = *ledger;
}

void check_node(world_t *world, node_t *node, bool is_published)
{
    const breaker_ledger_entry_t *own = breaker__agreement_own(node->agreement);
    const breaker_ledger_t *ledger = breaker__agreement_ledger(node->agreement);
    bool is_new = own != NULL && !same(&own->token, &node->own.token);

    if (own == NULL && node->own.token.len != 0)
        wrong(world, node, "P5: a token was taken back");
    if (own != NULL && own->order < place_of(world, node))
        wrong(world, node, "P3: the order of the token decreases");
    if (is_new && !is_published)
        wrong(world, node, "a new token is not published");
    if (is_new)
        check_new_token(world, node, own);
    if (own != NULL)
        node->own = *own;
    if (!is_published)
        return;
    for (size_t i = 0; i != breaker_ledger_size(ledger); ++i)
        check_entry(world, node, breaker_ledger_at(ledger, i));
    check_memory(world, node, ledger);
}

/* ---- all of them ---- */

static void check_pair(world_t *world, const node_t *a, const node_t *b)
{
    if (a->release != b->release || a->own.token.len == 0 || b->own.token.len == 0)
        return;
    if (!same(&a->own.token, &b->own.token))
        wrong(world, b, "P1, P6: two tokens of one release after two polls");
    else if (a->own.order != b->own.order)
        wrong(world, b, "P1, P6: two places of one token after two polls");
}

static void check_history(world_t *world, const node_t *node)
{
    const breaker_ledger_t *ledger = breaker__agreement_ledger(node->agreement);
    const breaker_ledger_entry_t *best = meeting_newest(&world->meeting, &node->config.release);

    if (best == NULL || !same(&best->token, &node->own.token))
        wrong(world, node, "P1: Redis has another token of the release");
    /* beyond that the oldest are no longer sent, see agreement.c */
    if (world->meeting.num_facts >= BREAKER_LEDGER_HISTORY || world->is_collided)
        return;
    if (breaker_ledger_size(ledger) != world->meeting.num_facts)
        wrong(world, node, "a ledger that Redis does not have");
    for (size_t i = 0; i != breaker_ledger_size(ledger) && world->wrong == NULL; ++i)
        if (!same(&breaker_ledger_at(ledger, i)->token, &world->meeting.facts[i].token) ||
            breaker_ledger_at(ledger, i)->order != world->meeting.facts[i].order)
            wrong(world, node, "an entry that Redis does not have");
}

static void check_agreed(world_t *world, bool is_settled)
{
    for (size_t i = 0; i != world->num_nodes; ++i) {
        const node_t *node = world->nodes + i;
        if (node->agreement == NULL)
            continue;
        for (size_t j = 0; j != i; ++j)
            if (world->nodes[j].agreement != NULL)
                check_pair(world, world->nodes + j, node);
        if (!is_settled)
            continue;
        if (breaker__agreement_state(node->agreement) != BREAKER__AGREEMENT_SYNCED)
            wrong(world, node, "P6: not in agreement though Redis is there");
        else
            check_history(world, node);
    }
}

/* policy open: a node that nobody answers serves all the same */
static void check_independence(world_t *world)
{
    for (size_t i = 0; i != world->num_nodes; ++i) {
        const node_t *node = world->nodes + i;
        const breaker_agreement_config_t *config = &node->config;
        uint64_t patience_ms = config->grace_ms;
        if (node->agreement == NULL || config->start == BREAKER_START_STRICT)
            continue;
        if (config->start == BREAKER_START_WAIT)
            patience_ms = config->start_timeout_ms;
        patience_ms += config->settle_ms + config->grace_ms + REPLY_TIMEOUT_MS;
        if (node->own.token.len == 0 && world->now_ms > node->booted_ms + patience_ms)
            wrong(world, node, "P5: no token without Redis");
    }
}

void check_world(world_t *world)
{
    uint64_t quiet_ms = world->now_ms - world->unsettled_ms;
    uint64_t two_polls_ms = 2 * (world->poll_ms + world->poll_ms / 5) + 4 * CALM_LATENCY_MS;

    check_independence(world);
    if (world->is_calm && world->now_ms > world->calm_ms + RECOVERY_MS &&
        world->now_ms > world->renewed_ms + two_polls_ms)
        check_agreed(world, false);
    if (!world->is_calm || world->now_ms < world->calm_ms + REPLY_TIMEOUT_MS + 2000 + two_polls_ms)
        return;
    if (quiet_ms > two_polls_ms)
        check_agreed(world, quiet_ms > two_polls_ms + 2000 + world->poll_ms);
    /* one for each release that has no token, one for each conflict or silent release */
    if (world->num_mints > 4 * world->num_releases + world->num_nodes)
        wrong(world, NULL, "P6: tokens without end");
}

/* ---- order ---- */

uint64_t overtaking_ms(const world_t *world, bool is_after_cut)
{
    uint64_t return_ms = 1500 + 2 * world->poll_ms + 2000;
    uint64_t dead_ms = return_ms + 3 * world->poll_ms, polls_ms = 3 * (world->poll_ms * 6 / 5);

    if (dead_ms < world->dead_max_ms)
        dead_ms = world->dead_max_ms;
    /* and the longest way back of the one that overtakes */
    return dead_ms + polls_ms + 4 * CALM_LATENCY_MS + (is_after_cut ? return_ms + 4000 : 0);
}

void world_note_minute(world_t *world, const minute_t *minute)
{
    claim_t *claim = find_claim(world, &minute->minted);

    world->num_silences += minute->why == BREAKER_WHY_SILENCE;
    world->num_returns += minute->why == BREAKER_WHY_RETURN;
    if (claim != NULL && (minute->why == BREAKER_WHY_SILENCE || minute->why == BREAKER_WHY_RETURN))
        claim->is_by_silence = true;
    for (size_t i = 0; i != world->num_claims && minute->promoted.len != 0; ++i)
        if (same(&world->claims[i].token, &minute->promoted))
            world->claims[i].is_by_silence = false;
}

void check_passed(world_t *world, const minute_t *minute)
{
    for (size_t i = 0; minute->why == BREAKER_WHY_SILENCE && i != minute->num_passed; ++i) {
        unsigned release = minute->passed[i];
        if (release < RELEASES_MAX && world->missed_ms[release] < world->dead_after_ms)
            wrong(world, NULL, "order: overtaken for a silence that was not its own");
    }
}

/* the newest fact of a release and the one that gives it its place; both NULL: it has none */
static void find_place(world_t *world, unsigned release, const breaker_ledger_entry_t **ret_newest,
                       const breaker_ledger_entry_t **ret_rank)
{
    *ret_newest = *ret_rank = NULL;
    for (size_t i = 0; i != world->meeting.num_facts; ++i) {
        const breaker_ledger_entry_t *fact = world->meeting.facts + i;
        claim_t *claim = find_claim(world, fact);
        if (strtoul(fact->release.text + 1, NULL, 10) != release)
            continue;
        /* a node that had forgotten proposed it where it could not ask: that deploys nothing */
        if (claim != NULL && claim->is_local && world->meeting.origins[i].why == BREAKER_WHY_RETURN)
            claim->is_by_silence = true;
        if (*ret_rank == NULL || claim == NULL || !claim->is_by_silence)
            *ret_rank = fact;
        *ret_newest = fact;
    }
}

/* that an entry was minted by silence is nobody's knowledge any more */
static bool is_forgotten(world_t *world)
{
    for (size_t i = 0; i != world->meeting.num_facts; ++i) {
        const claim_t *claim = find_claim(world, world->meeting.facts + i);
        breaker_why_t why = world->meeting.origins[i].why;
        if (claim != NULL && claim->is_by_silence && why != BREAKER_WHY_SILENCE &&
            why != BREAKER_WHY_RETURN)
            return true;
    }
    return false;
}

static bool is_living(const world_t *world, unsigned release)
{
    for (size_t i = 0; i != world->num_nodes; ++i)
        if (world->nodes[i].agreement != NULL && world->nodes[i].release == release)
            return true;
    return false;
}

/* one whose nodes went lately keeps its place until it is dead */
static bool is_below_the_absent(const world_t *world, const breaker_ledger_entry_t *newest)
{
    const breaker_ledger_entry_t *end = world->meeting.facts + world->meeting.num_facts;

    for (const breaker_ledger_entry_t *fact = newest + 1; fact < end; ++fact)
        if (!is_living(world, (unsigned)strtoul(fact->release.text + 1, NULL, 10)))
            return true;
    return false;
}

void check_order(world_t *world)
{
    const breaker_ledger_entry_t *top = NULL, *deployed = NULL, *best = NULL;

    if (world->wrong != NULL || is_forgotten(world))
        return;
    for (unsigned release = 0; release != RELEASES_MAX; ++release) {
        const breaker_ledger_entry_t *newest, *rank;
        find_place(world, release, &newest, &rank);
        if (newest == NULL || !is_living(world, release))
            continue;
        if (top == NULL || newest > top)
            top = newest;
        if (best == NULL || rank > best) {
            best = rank;
            deployed = newest;
        }
    }
    ++world->num_orders;
    if (top != deployed && !is_below_the_absent(world, deployed))
        wrong(world, NULL, "order: the release that was deployed last is not on top");
}

void check_top(world_t *world)
{
    for (size_t i = 0; i != world->num_nodes; ++i) {
        const node_t *node = world->nodes + i;
        const breaker_ledger_entry_t *newest;
        if (node->agreement == NULL)
            continue;
        newest = breaker_ledger_newest(breaker__agreement_ledger(node->agreement), NULL);
        if (newest == NULL || !same(&newest->token, &node->own.token))
            wrong(world, node, "P7: the only release that lives is not on top of its ledger");
        newest = world->meeting.facts + world->meeting.num_facts - 1;
        if (!same(&newest->token, &node->own.token))
            wrong(world, node, "P7: the only release that lives is not on top in Redis");
    }
}
