/*
 * When a transfer is given up because its peer says nothing, or too little: after the timeout,
 * which is longer where a rate makes libcurl itself wait, and sooner where a request waits and
 * somebody else could be asked.
 */
#include <assert.h>
#include <stddef.h>
#include "peers/silence.h"

/* how long nothing may be heard of a peer; libcurl itself waits for the rate to be kept */
static uint64_t patience_ms(const breaker__peers_t *peers)
{
    uint64_t rate = breaker__carry_rate(peers);

    return peers->timeout_ms + (rate != 0 ? 250 + 1024 * 1000 / rate : 0);
}

static uint64_t slowest(const breaker__peers_t *peers)
{
    uint64_t rate = breaker__carry_rate(peers) / 2;

    return rate != 0 && rate < BREAKER__PEERS_RATE_MIN ? rate : BREAKER__PEERS_RATE_MIN;
}

static bool is_too_slow(const breaker__peers_t *peers, const breaker__transfer_t *transfer,
                        uint64_t now_ms)
{
    uint64_t passed_ms = now_ms - transfer->begun_ms, limit_ms = patience_ms(peers);

    return passed_ms > limit_ms && transfer->len < (passed_ms - limit_ms) * slowest(peers) / 1000;
}

/* whether somebody else could be asked for what a request waits for */
static bool has_another(breaker__peers_t *peers, const breaker__slot_t *slot)
{
    const breaker__known_t *peer = breaker__roster_find(&peers->roster, slot->peer_number);
    breaker__known_t *other;
    breaker__tried_t tried;
    uint64_t at_ms;

    if (slot->cargo != BREAKER__CARGO_ASK || slot->ask->priority != BREAKER__PEERS_URGENT ||
        peer == NULL)
        return false;
    tried = slot->ask->tried;
    breaker__tried_add(&tried, peer);
    return breaker__roster_choose(&peers->roster, &slot->ask->release, &tried, uv_now(peers->loop),
                                  &other, &at_ms) == BREAKER__CHOICE_PEER;
}

const char *breaker__silence_fault(breaker__peers_t *peers, const breaker__slot_t *slot)
{
    uint64_t now_ms = uv_now(peers->loop), limit_ms = patience_ms(peers);
    uint64_t silent_ms = now_ms - slot->transfer.heard_ms;

    assert(slot->cargo != BREAKER__CARGO_NONE);
    if (silent_ms > limit_ms)
        return "it is silent";
    if (is_too_slow(peers, &slot->transfer, now_ms))
        return "it sends too slowly";
    if (silent_ms > limit_ms / 4 && has_another(peers, slot))
        return "it is silent, a request waits, and another peer can be asked";
    return NULL;
}
