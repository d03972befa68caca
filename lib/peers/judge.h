#ifndef BREAKER_PEERS_JUDGE_H
#define BREAKER_PEERS_JUDGE_H

/* What is thought of peers. `peer` may be NULL: it is in the list no more. The client's thread. */
#include "peers/carry.h"

/** It broke a rule: it is not asked for a while, longer each time, and the owner is told why. */
void breaker__judge_aside(breaker__peers_t *peers, breaker__known_t *peer, const char *reason);
/** The same, for `at_least_ms` milliseconds at first. */
void breaker__judge_aside_for(breaker__peers_t *peers, breaker__known_t *peer, uint32_t at_least_ms,
                              const char *reason);
/** All of them gave parts of something whose hash is wrong in the end. */
void breaker__judge_blame(breaker__peers_t *peers, const breaker__tried_t *givers);
/** It answered as it should. */
void breaker__judge_praise(breaker__peers_t *peers, breaker__known_t *peer);

#endif
