/*
 * What is known of the other nodes. Polls say which releases live, and of each one where a node is
 * reached; that is enough to fetch a new one, however many nodes there are. For everything else, a
 * release without live nodes, a node that does not answer, pages of the list of nodes are read:
 * from the beginning where one page has them all, else from a random place on, so that nodes of a
 * large cluster do not all ask the same ones.
 *
 * Kept always: nothing is asked while nothing is lacking but the keys, every five minutes; pages
 * are at least a second apart, five in a search at most; the node is told after every change, and
 * of changes only.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <breaker/holding.h>
#include "cluster/members.h"

enum {
    KEYS_EVERY_MS = 5 * 60 * 1000,
    /* after trouble */
    KEYS_AGAIN_MS = 30 * 1000,
    /* nodes of a page, as members.lua has it */
    PAGE_MAX = 32,
    PAGE_EVERY_MS = 1000,
    PAGES_MAX = 5,
    /* between two searches, as long as one follows the other, and after how long none does */
    SEARCH_AFTER_MS = 1000,
    SEARCH_AFTER_MAX_MS = 64 * 1000,
    SEARCH_FORGOTTEN_MS = 5 * 60 * 1000,
    /* fewer than that is no choice, and the search goes on */
    PEERS_ENOUGH = 8,
    /* a clock that moves by less is not worth telling: peers accept far more */
    CLOCK_MOVED_MS = 1000,
};

static uint64_t next_random(breaker__members_t *members)
{
    members->random ^= members->random << 13;
    members->random ^= members->random >> 7;
    members->random ^= members->random << 17;
    assert(members->random != 0);
    return members->random;
}

/* so that nodes that started together do not ask together for ever */
static uint64_t jittered(breaker__members_t *members, uint64_t ms)
{
    return ms - ms / 5 + next_random(members) % (2 * ms / 5);
}

void breaker__members_init(breaker__members_t *members, breaker_node_t *node,
                           const breaker__script_caller_t *caller, uint64_t seed)
{
    assert(seed != 0);
    members->node = node;
    members->caller = caller;
    members->is_on = breaker_node_fetch_timeout_ms(node) != 0;
    members->has_peers = members->is_on && breaker_node_holding(node)->has_peers;
    members->random = seed;
}

/* ---- what is known ---- */

static const breaker_peer_t *find_ahead(const breaker__members_t *members,
                                        const breaker_release_id_t *release)
{
    for (size_t i = 0; i != members->num_ahead; ++i)
        if (breaker_release_id_equal(&members->ahead[i].release, release))
            return members->ahead + i;
    return NULL;
}

static bool is_paged(const breaker__members_t *members, const breaker_release_id_t *release)
{
    for (size_t i = 0; i != members->num_paged; ++i)
        if (breaker_release_id_equal(&members->paged[i].release, release))
            return true;
    return false;
}

/* of every other release that lives a node is known, and others beside them */
static bool has_enough(const breaker__members_t *members)
{
    for (size_t i = 0; i != members->alive.num; ++i)
        if (find_ahead(members, members->alive.releases + i) == NULL &&
            !is_paged(members, members->alive.releases + i))
            return false;
    return members->num_paged >= PEERS_ENOUGH;
}

static bool is_own(const breaker__members_t *members, const char *address)
{
    return strcmp(address, members->caller->address) == 0;
}

static bool is_current(const breaker__members_t *members)
{
    return members->has_alive && (members->has_keys || !members->has_peers);
}

/* ---- events ---- */

void breaker__members_on_up(breaker__members_t *members, uint64_t now_ms)
{
    members->keys_due_ms = now_ms;
    members->asks_page = false;
}

void breaker__members_on_down(breaker__members_t *members)
{
    members->is_due |= is_current(members);
    members->has_keys = members->has_alive = members->asks_page = false;
}

/* whoever lacks what nobody has must not read pages all day */
static uint64_t search_due_ms(breaker__members_t *members, uint64_t now_ms)
{
    uint64_t after_ms = members->search_after_ms;

    if (after_ms == 0 || now_ms - members->searched_ms > SEARCH_FORGOTTEN_MS) {
        members->search_after_ms = SEARCH_AFTER_MS;
        return now_ms;
    }
    members->search_after_ms =
        after_ms < SEARCH_AFTER_MAX_MS / 2 ? 2 * after_ms : SEARCH_AFTER_MAX_MS;
    return members->searched_ms + after_ms > now_ms ? members->searched_ms + after_ms : now_ms;
}

/* where the first page has all nodes it begins there */
static void begin_search(breaker__members_t *members, uint64_t now_ms)
{
    uint64_t due_ms = search_due_ms(members, now_ms);
    bool is_large = members->fleet > PAGE_MAX;

    if (members->page_due_ms < due_ms)
        members->page_due_ms = due_ms;
    members->searched_ms = members->page_due_ms;
    members->is_page_wanted = members->is_search_new = true;
    members->pages_left = PAGES_MAX - 1;
    members->has_rest = is_large;
    members->after[0] = '\0';
    if (is_large)
        snprintf(members->after, sizeof(members->after), "%016" PRIx64, next_random(members));
}

void breaker__members_want(breaker__members_t *members, uint64_t now_ms)
{
    if (!members->is_on)
        return;
    /* what it has of each release is of no use, or it would not ask */
    members->num_ahead = 0;
    if (!members->is_page_wanted)
        begin_search(members, now_ms);
}

static bool is_same(const breaker__alive_t *alive, const breaker__alive_t *other)
{
    if (alive->num != other->num)
        return false;
    for (size_t i = 0; i != alive->num; ++i)
        if (!breaker_release_id_equal(alive->releases + i, other->releases + i))
            return false;
    return true;
}

static bool is_alive(const breaker__alive_t *alive, const breaker_release_id_t *release)
{
    for (size_t i = 0; i != alive->num; ++i)
        if (breaker_release_id_equal(alive->releases + i, release))
            return true;
    return false;
}

static size_t drop_address(breaker_peer_t *peers, size_t num, const char *address)
{
    size_t left = 0;

    for (size_t i = 0; i != num; ++i)
        if (strcmp(peers[i].address, address) != 0)
            peers[left++] = peers[i];
    return left;
}

/* another release was heard from the same address later: a node that was restarted with it */
static bool is_of_a_life_before(const breaker_script_answer_t *answer,
                                const breaker_script_release_t *release)
{
    for (size_t i = 0; i != answer->num_releases; ++i) {
        const breaker_script_release_t *other = answer->releases + i;
        if (other->silent_ms < release->silent_ms && strcmp(other->address, release->address) == 0)
            return true;
    }
    return false;
}

/* the node that is known of a release serves another one by now */
static bool has_moved(const breaker_script_answer_t *answer, const breaker_peer_t *peer)
{
    for (size_t i = 0; i != answer->num_releases; ++i)
        if (breaker_release_id_equal(&answer->releases[i].id, &peer->release))
            return strcmp(answer->releases[i].address, peer->address) == 0 &&
                   is_of_a_life_before(answer, answer->releases + i);
    return false;
}

static void drop_dead(breaker__members_t *members, const breaker_script_answer_t *answer)
{
    size_t num = 0;

    for (size_t i = 0; i != members->num_ahead; ++i)
        if (is_alive(&members->alive, &members->ahead[i].release) &&
            !has_moved(answer, members->ahead + i))
            members->ahead[num++] = members->ahead[i];
    members->num_ahead = num;
}

/* what was known of the address before is of another life */
static void add_ahead(breaker__members_t *members, const breaker_script_release_t *release)
{
    breaker_peer_t *peer;

    members->num_ahead = drop_address(members->ahead, members->num_ahead, release->address);
    members->num_paged = drop_address(members->paged, members->num_paged, release->address);
    assert(members->num_ahead < BREAKER__ALIVE_MAX);
    peer = members->ahead + members->num_ahead++;
    peer->release = release->id;
    strcpy(peer->address, release->address);
    members->is_due = true;
}

static void take_releases(breaker__members_t *members, const breaker_script_answer_t *answer,
                          const breaker__alive_t *alive)
{
    bool is_news = !members->has_alive || !is_same(&members->alive, alive);

    members->is_due |= is_news;
    if (is_news)
        members->search_after_ms = 0;
    members->has_alive = true;
    members->alive = *alive;
    drop_dead(members, answer);
    for (size_t i = 0; i != answer->num_releases; ++i) {
        const breaker_script_release_t *release = answer->releases + i;
        if (release->address[0] != '\0' && !is_own(members, release->address) &&
            is_alive(alive, &release->id) && !is_of_a_life_before(answer, release) &&
            find_ahead(members, &release->id) == NULL)
            add_ahead(members, release);
    }
}

static void take_clock(breaker__members_t *members, uint64_t wall_ms, uint64_t redis_ms)
{
    int64_t offset_ms = (int64_t)(redis_ms - wall_ms);
    int64_t moved_ms = offset_ms - members->clock_offset_ms;

    if (moved_ms > -CLOCK_MOVED_MS && moved_ms < CLOCK_MOVED_MS)
        return;
    members->clock_offset_ms = offset_ms;
    members->is_due = true;
}

void breaker__members_on_poll(breaker__members_t *members, uint64_t now_ms, uint64_t wall_ms,
                              const breaker_script_answer_t *answer, const breaker__alive_t *alive)
{
    bool is_first = members->fleet == 0;

    if (!members->is_on)
        return;
    members->fleet = answer->ledger.fleet;
    take_clock(members, wall_ms, answer->ledger.now_ms);
    if (answer->has_releases)
        take_releases(members, answer, alive);
    /* who begins may lack what nobody serves any more, and asks some what they have */
    if (is_first)
        breaker__members_want(members, now_ms);
}

/* ---- the question ---- */

bool breaker__members_must_ask(const breaker__members_t *members, uint64_t now_ms)
{
    return members->has_peers && (now_ms >= members->keys_due_ms ||
                                  (members->is_page_wanted && now_ms >= members->page_due_ms));
}

static void make_key(char ret_key[BREAKER__SCRIPT_KEY_LEN + 1])
{
    uint8_t bytes[BREAKER_PEER_KEY_LEN];
    ssize_t got = getrandom(bytes, sizeof(bytes), 0);

    /* so few bytes are never interrupted */
    assert(got == sizeof(bytes));
    for (size_t i = 0; i != sizeof(bytes); ++i)
        snprintf(ret_key + 2 * i, 3, "%02x", bytes[i]);
}

void breaker__members_ask(breaker__members_t *members, uint64_t now_ms,
                          breaker_script_command_t *command)
{
    char fresh[BREAKER__SCRIPT_KEY_LEN + 1];

    assert(breaker__members_must_ask(members, now_ms));
    members->asks_page = members->is_page_wanted && now_ms >= members->page_due_ms;
    make_key(fresh);
    breaker__script_ask_members(command, members->caller->app, &members->keys, fresh,
                                members->asks_page ? members->after : NULL);
    /* until it is answered */
    members->keys_due_ms = now_ms + KEYS_AGAIN_MS;
    if (members->asks_page)
        members->page_due_ms = now_ms + PAGE_EVERY_MS;
}

/* ---- the answer ---- */

static void take_keys(breaker__members_t *members, uint64_t now_ms)
{
    const breaker__script_keys_t *keys = &members->answer.keys;

    members->keys_due_ms = now_ms + jittered(members, KEYS_EVERY_MS);
    if (members->has_keys && strcmp(members->keys.key, keys->key) == 0 &&
        strcmp(members->keys.before, keys->before) == 0)
        return;
    members->has_keys = members->is_due = true;
    members->keys = *keys;
}

static bool is_of_use(const breaker__members_t *members, const breaker_script_node_t *node)
{
    uint32_t dead_ms = members->caller->agreement->dead_after_ms;

    return node->address[0] != '\0' && strcmp(node->id, members->caller->id) != 0 &&
           !is_own(members, node->address) &&
           breaker_script_is_live(node, members->answer.now_ms,
                                  dead_ms != 0 ? dead_ms : BREAKER_DEAD_AFTER_DEFAULT_MS);
}

static void take_nodes(breaker__members_t *members)
{
    if (members->is_search_new)
        members->num_paged = 0;
    members->is_search_new = false;
    for (size_t i = 0; i != members->answer.num_nodes; ++i) {
        const breaker_script_node_t *node = members->answer.nodes + i;
        breaker_peer_t *peer = members->paged + members->num_paged;
        if (!is_of_use(members, node) || members->num_paged == BREAKER__MEMBERS_PAGED_MAX)
            continue;
        peer->release = node->release;
        strcpy(peer->address, node->address);
        ++members->num_paged;
    }
    members->is_due = true;
}

static void go_on_searching(breaker__members_t *members)
{
    const char *next = members->answer.next;
    bool is_over = next[0] == '\0' && !members->has_rest;

    if (is_over || members->pages_left == 0 || has_enough(members)) {
        members->is_page_wanted = false;
        return;
    }
    --members->pages_left;
    if (next[0] == '\0')
        members->has_rest = false;
    strcpy(members->after, next);
}

bool breaker__members_on_reply(breaker__members_t *members, uint64_t now_ms,
                               const breaker_reply_t *reply)
{
    bool has_page = members->asks_page;

    members->asks_page = false;
    if (!breaker__script_parse_members(reply, &members->answer))
        return false;
    take_keys(members, now_ms);
    if (has_page) {
        take_nodes(members);
        go_on_searching(members);
    }
    return true;
}

/* ---- telling ---- */

static uint8_t value_of(char digit)
{
    return (uint8_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

static void add_key(breaker_peers_t *peers, const char *hex)
{
    uint8_t *key = peers->keys[peers->num_keys];

    if (hex[0] == '\0')
        return;
    assert(strlen(hex) == BREAKER__SCRIPT_KEY_LEN);
    assert(peers->num_keys < BREAKER_PEER_KEYS_MAX);
    for (size_t i = 0; i != BREAKER_PEER_KEY_LEN; ++i)
        key[i] = (uint8_t)(value_of(hex[2 * i]) << 4 | value_of(hex[2 * i + 1]));
    ++peers->num_keys;
}

int breaker__members_tell(breaker__members_t *members)
{
    breaker_peers_t peers = {
        .num_peers = members->num_ahead + members->num_paged,
        .peers = members->told,
        .num_alive = members->alive.num,
        .alive = members->alive.releases,
        .num_nodes = members->fleet,
        .clock_offset_ms = members->clock_offset_ms,
        .is_current = is_current(members),
    };

    if (!members->is_on || !members->is_due)
        return 0;
    assert(peers.num_peers <= BREAKER_PEERS_MAX);
    memcpy(members->told, members->ahead, members->num_ahead * sizeof(members->told[0]));
    memcpy(members->told + members->num_ahead, members->paged,
           members->num_paged * sizeof(members->told[0]));
    strcpy(peers.address, members->caller->address);
    add_key(&peers, members->keys.key);
    add_key(&peers, members->keys.before);
    members->is_due = false;
    return breaker_node_set_peers(members->node, &peers);
}
