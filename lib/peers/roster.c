/*
 * The peers and what is known of them. Nothing here is believed for long: a list of what a peer
 * holds for seconds, a grudge for a minute at most.
 *
 * Invariants: no address is in the list twice; a number is never given to a second address, so that
 * a transfer that outlives its peer finds nobody.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <breaker/error.h>
#include "peers/roster.h"

/* ---- the list ---- */

static void dispose_known(breaker__known_t *peer)
{
    free(peer->held);
    peer->held = NULL;
    peer->num_held = 0;
}

void breaker__roster_dispose(breaker__roster_t *roster)
{
    for (size_t i = 0; i != roster->num; ++i)
        dispose_known(roster->peers + i);
    free(roster->peers);
    roster->peers = NULL;
    roster->num = 0;
}

static breaker__known_t *find_url(breaker__known_t *peers, size_t num, const char *url)
{
    for (size_t i = 0; i != num; ++i)
        if (strcmp(peers[i].url, url) == 0)
            return peers + i;
    return NULL;
}

/* the URL of an address, or "" */
static void make_url(const char *address, char *dst)
{
    if (address == NULL || breaker__address_url(address, strlen(address), dst) != 0)
        dst[0] = '\0';
}

/* Puts a peer at the end of the new list, with what the old one knows of it. */
static void add(breaker__roster_t *roster, breaker__known_t *peers, size_t *num,
                const breaker_peer_t *told, const char *url)
{
    breaker__known_t *known = find_url(roster->peers, roster->num, url);
    breaker__known_t *peer = peers + (*num)++;

    if (known != NULL && breaker_release_id_equal(&known->told.release, &told->release)) {
        *peer = *known;
        known->held = NULL; /* it has moved */
        known->num_held = 0;
    } else {
        *peer = (breaker__known_t){.number = ++roster->last_number};
        strcpy(peer->url, url);
    }
    peer->told = *told;
}

/* whatever it serves, nobody has told */
static void add_predecessor(breaker__roster_t *roster, breaker__known_t *peers, size_t *num,
                            const char *address, const char *url)
{
    breaker_peer_t told = {.address = ""};

    snprintf(told.address, sizeof(told.address), "%s", address);
    add(roster, peers, num, &told, url);
}

int breaker__roster_set(breaker__roster_t *roster, const char *own_address, bool has_predecessor,
                        const breaker_peer_t *list, size_t num)
{
    size_t max = num < BREAKER_PEERS_MAX ? num : BREAKER_PEERS_MAX, num_kept = 0;
    breaker__known_t *peers = malloc(sizeof(*peers) * (max + 1));
    char own[BREAKER__PEER_URL_MAX + 1], url[BREAKER__PEER_URL_MAX + 1];

    if (peers == NULL)
        return BREAKER_ERR_NO_MEMORY;
    make_url(own_address, own);
    for (size_t i = 0; i != num && num_kept != max; ++i) {
        make_url(list[i].address, url);
        if (url[0] != '\0' && strcmp(url, own) != 0 && find_url(peers, num_kept, url) == NULL)
            add(roster, peers, &num_kept, list + i, url);
    }
    if (has_predecessor && own[0] != '\0')
        add_predecessor(roster, peers, &num_kept, own_address, own);
    breaker__roster_dispose(roster);
    roster->peers = peers;
    roster->num = num_kept;
    return 0;
}

breaker__known_t *breaker__roster_find(breaker__roster_t *roster, uint64_t number)
{
    for (size_t i = 0; i != roster->num; ++i)
        if (roster->peers[i].number == number)
            return roster->peers + i;
    return NULL;
}

/* ---- choosing ---- */

/* what a peer may be asked for, the best first */
typedef enum en_rank_t {
    RANK_SERVES,
    RANK_COMPLETE,
    RANK_PARTIAL,
    /* it did not say lately what it holds */
    RANK_UNKNOWN,
    RANK_HAS_NOT,
} rank_t;

static rank_t rank_of(const breaker__known_t *peer, const breaker_release_id_t *release,
                      uint64_t now_ms)
{
    if (breaker_release_id_equal(&peer->told.release, release))
        return RANK_SERVES;
    if (peer->held_until_ms <= now_ms)
        return RANK_UNKNOWN;
    for (size_t i = 0; i != peer->num_held; ++i)
        if (breaker_release_id_equal(&peer->held[i].id, release))
            return peer->held[i].is_complete ? RANK_COMPLETE : RANK_PARTIAL;
    /* what it lacks it may be fetching */
    return peer->held_until_ms - BREAKER__PEERS_HELD_MS + BREAKER__PEERS_HELD_NOT_MS > now_ms
               ? RANK_HAS_NOT
               : RANK_UNKNOWN;
}

static bool is_tried(const breaker__tried_t *tried, uint64_t number)
{
    for (size_t i = 0; i != tried->num; ++i)
        if (tried->numbers[i] == number)
            return true;
    return false;
}

/* xorshift64*: who is asked is to be spread, and needs no secret */
static uint64_t next_random(breaker__roster_t *roster)
{
    uint64_t state = roster->random != 0 ? roster->random : 1;

    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    roster->random = state;
    return state * UINT64_C(2685821657736338717);
}

/* what one look over all peers has found */
typedef struct st_look_t {
    breaker__known_t *best;
    rank_t rank;
    bool is_warm, has_unknown;
    unsigned num_equals;
    uint64_t busy_until_ms, aside_until_ms; /* the earliest; 0: nobody is */
} look_t;

static void take_earlier(uint64_t *time_ms, uint64_t other_ms)
{
    if (*time_ms == 0 || other_ms < *time_ms)
        *time_ms = other_ms;
}

/* one that answered lately goes before others of its rank; of equals each is as likely */
static void offer(breaker__roster_t *roster, look_t *look, breaker__known_t *peer, rank_t rank,
                  bool is_warm)
{
    bool is_better = look->best == NULL || rank < look->rank ||
                     (rank == look->rank && is_warm && !look->is_warm);

    if (!is_better) {
        if (rank != look->rank || is_warm != look->is_warm)
            return;
        if (next_random(roster) % ++look->num_equals != 0)
            return;
    } else {
        look->num_equals = 1;
    }
    look->best = peer;
    look->rank = rank;
    look->is_warm = is_warm;
}

static void look_at(breaker__roster_t *roster, look_t *look, breaker__known_t *peer, rank_t rank,
                    uint64_t now_ms)
{
    if (rank == RANK_HAS_NOT)
        return;
    if (peer->aside_until_ms > now_ms)
        take_earlier(&look->aside_until_ms, peer->aside_until_ms);
    else if (rank == RANK_UNKNOWN)
        look->has_unknown = true;
    else if (peer->busy_until_ms > now_ms)
        take_earlier(&look->busy_until_ms, peer->busy_until_ms);
    else
        offer(roster, look, peer, rank, peer->warm_until_ms > now_ms);
}

breaker__choice_t breaker__roster_choose(breaker__roster_t *roster,
                                         const breaker_release_id_t *release,
                                         const breaker__tried_t *tried, uint64_t now_ms,
                                         breaker__known_t **ret_peer, uint64_t *ret_at_ms)
{
    look_t look = {.best = NULL};

    for (size_t i = 0; i != roster->num; ++i) {
        breaker__known_t *peer = roster->peers + i;
        if (!is_tried(tried, peer->number))
            look_at(roster, &look, peer, rank_of(peer, release, now_ms), now_ms);
    }
    *ret_peer = look.best;
    if (look.best != NULL)
        return BREAKER__CHOICE_PEER;
    if (look.busy_until_ms != 0) {
        *ret_at_ms = look.busy_until_ms;
        return BREAKER__CHOICE_LATER;
    }
    if (look.has_unknown)
        return BREAKER__CHOICE_ASK_HELD;
    *ret_at_ms = look.aside_until_ms;
    return look.aside_until_ms != 0 || roster->num == 0 ? BREAKER__CHOICE_ASIDE
                                                        : BREAKER__CHOICE_NONE;
}

static bool is_unknown(const breaker__known_t *peer, const breaker_release_id_t *release,
                       uint64_t now_ms)
{
    if (release == NULL)
        return peer->held_until_ms <= now_ms;
    return rank_of(peer, release, now_ms) == RANK_UNKNOWN;
}

breaker__known_t *breaker__roster_unknown(breaker__roster_t *roster,
                                          const breaker_release_id_t *release, uint64_t now_ms)
{
    breaker__known_t *chosen = NULL;
    uint64_t num = 0;

    for (size_t i = 0; i != roster->num; ++i) {
        breaker__known_t *peer = roster->peers + i;
        if (peer->is_asked_held || peer->aside_until_ms > now_ms ||
            !is_unknown(peer, release, now_ms))
            continue;
        if (next_random(roster) % ++num == 0)
            chosen = peer;
    }
    return chosen;
}

void breaker__tried_add(breaker__tried_t *tried, const breaker__known_t *peer)
{
    if (tried->num == BREAKER__PEERS_TRIES_MAX) {
        memmove(tried->numbers, tried->numbers + 1, sizeof(tried->numbers[0]) * --tried->num);
    }
    assert(tried->num < BREAKER__PEERS_TRIES_MAX);
    tried->numbers[tried->num++] = peer->number;
}

/* ---- what is learnt ---- */

void breaker__known_answered(breaker__known_t *peer, uint64_t now_ms)
{
    peer->aside_ms = 0;
    peer->has_tried_keys = peer->is_stranger = false;
    peer->warm_until_ms = now_ms + BREAKER__PEERS_WARM_MS;
}

void breaker__roster_on_keys(breaker__roster_t *roster)
{
    for (size_t i = 0; i != roster->num; ++i) {
        breaker__known_t *peer = roster->peers + i;
        peer->key_at = 0;
        peer->has_tried_keys = false;
        if (peer->is_stranger)
            peer->aside_until_ms = peer->aside_ms = 0;
        peer->is_stranger = false;
    }
}

void breaker__known_busy(breaker__known_t *peer, uint64_t now_ms)
{
    peer->has_tried_keys = false;
    peer->busy_until_ms = now_ms + BREAKER__PEERS_BUSY_MS;
}

uint32_t breaker__known_aside(breaker__known_t *peer, uint32_t at_least_ms, uint64_t now_ms)
{
    uint32_t for_ms = peer->aside_ms * 2;

    if (peer->aside_until_ms > now_ms)
        return 0;
    if (for_ms < at_least_ms)
        for_ms = at_least_ms;
    if (for_ms > BREAKER__PEERS_ASIDE_MAX_MS)
        for_ms = BREAKER__PEERS_ASIDE_MAX_MS;
    peer->aside_ms = for_ms;
    peer->aside_until_ms = now_ms + for_ms;
    peer->has_tried_keys = false;
    peer->warm_until_ms = peer->held_until_ms = 0;
    return for_ms;
}

void breaker__known_holds(breaker__known_t *peer, const breaker__peers_held_t *list, size_t num,
                          uint64_t now_ms)
{
    assert(num <= BREAKER__PEERS_HELD_MAX);
    dispose_known(peer);
    peer->held_until_ms = now_ms + BREAKER__PEERS_HELD_MS;
    if (num == 0 || (peer->held = malloc(sizeof(*list) * num)) == NULL)
        return;
    memcpy(peer->held, list, sizeof(*list) * num);
    peer->num_held = num;
}

static void gather(breaker__peers_held_t *list, size_t *num, size_t max,
                   const breaker__peers_held_t *held)
{
    for (size_t i = 0; i != *num; ++i)
        if (breaker_release_id_equal(&list[i].id, &held->id)) {
            list[i].is_complete |= held->is_complete;
            return;
        }
    if (*num != max)
        list[(*num)++] = *held;
}

size_t breaker__roster_held(const breaker__roster_t *roster, uint64_t now_ms,
                            breaker__peers_held_t *list, size_t max)
{
    size_t num = 0;

    for (size_t i = 0; i != roster->num; ++i) {
        const breaker__known_t *peer = roster->peers + i;
        for (size_t j = 0; j != peer->num_held && peer->held_until_ms > now_ms; ++j)
            gather(list, &num, max, peer->held + j);
    }
    assert(num <= max);
    return num;
}
