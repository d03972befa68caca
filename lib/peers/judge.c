/*
 * What is thought of a peer by what it did: who broke a rule, or cannot be reached, is set aside
 * for a while, and the log hears of it; who answered as it should is preferred.
 */
#include "peers/judge.h"

static void notice(breaker__peers_t *peers, const breaker__known_t *peer, uint32_t for_ms,
                   const char *reason)
{
    breaker_error_t line;

    if (peers->callbacks.on_notice == NULL || for_ms == 0)
        return;
    /* a reason may have words of the peer's in it: this takes out what is not text */
    breaker_error_set(&line, BREAKER_ERR_UNREACHABLE, "peer %s is not asked for %u ms: %.200s",
                      peer->told.address, (unsigned)for_ms, reason);
    peers->callbacks.on_notice(peers->callbacks.data, line.message);
}

void breaker__judge_aside_for(breaker__peers_t *peers, breaker__known_t *peer, uint32_t at_least_ms,
                              const char *reason)
{
    if (peer != NULL)
        notice(peers, peer, breaker__known_aside(peer, at_least_ms, uv_now(peers->loop)), reason);
}

void breaker__judge_aside(breaker__peers_t *peers, breaker__known_t *peer, const char *reason)
{
    breaker__judge_aside_for(peers, peer, BREAKER__PEERS_ASIDE_MIN_MS, reason);
}

void breaker__judge_praise(breaker__peers_t *peers, breaker__known_t *peer)
{
    if (peer != NULL)
        breaker__known_answered(peer, uv_now(peers->loop));
}

/* who sent the wrong part is not known */
void breaker__judge_blame(breaker__peers_t *peers, const breaker__tried_t *givers)
{
    for (size_t i = 0; i != givers->num; ++i)
        breaker__judge_aside(
            peers, breaker__roster_find(&peers->roster, givers->numbers[i]),
            givers->num == 1
                ? "it sends other bytes than those of the hash it was asked for"
                : "one of several sent other bytes than those of the hash they were asked for");
}
