#ifndef BREAKER_PEERS_TELL_H
#define BREAKER_PEERS_TELL_H

/*
 * A release is made known to peers: who is asked next whether it holds it, and what they said.
 * Without socket and clock, over the roster. Not installed.
 */
#include "peers/roster.h"

/** how often a peer is asked whether it holds the release, at most */
#define BREAKER__TELL_TIMES_MAX 12

/** Another release is made known, or one for the first time: nobody has heard of it. */
void breaker__roster_tell_anew(breaker__roster_t *roster);

/**
 * The peer that is to be asked first of those that may be asked now and have not got all of it, or
 * NULL. Where there is none `*ret_due_ms` is when there may be one, UINT64_MAX: never.
 */
breaker__known_t *breaker__roster_to_tell(breaker__roster_t *roster, const breaker_release_id_t *id,
                                          uint64_t now_ms, uint64_t *ret_due_ms);

/** It is being asked. */
void breaker__known_told(breaker__known_t *peer, uint64_t now_ms);

/** What it said of `id`: a list of what it holds. */
void breaker__known_heard(breaker__known_t *peer, const breaker_release_id_t *id,
                          const breaker__peers_held_t *list, size_t num);

/** The least that was said by those that may be asked now; of none BREAKER__HEARD_WHOLLY. */
breaker__heard_t breaker__roster_heard(const breaker__roster_t *roster,
                                       const breaker_release_id_t *id, uint64_t now_ms);

#endif
