/*
 * Who has heard of a release. A peer that has not is asked again, each time twice as long after the
 * time before, since it has to look for the ledger, fetch the manifest and then the files. Who
 * cannot be asked now is waited for by nobody, and is asked when it can be.
 */
#include <assert.h>
#include "peers/tell.h"

enum { EVERY_MIN_MS = 50, DOUBLINGS = 5 };

void breaker__roster_tell_anew(breaker__roster_t *roster)
{
    for (size_t i = 0; i != roster->num; ++i) {
        breaker__known_t *peer = roster->peers + i;
        peer->heard = BREAKER__HEARD_NOT;
        peer->num_told = 0;
        peer->tell_due_ms = 0;
    }
}

/* whoever serves it has it */
static breaker__heard_t heard_of(const breaker__known_t *peer, const breaker_release_id_t *id)
{
    return breaker_release_id_equal(&peer->told.release, id) ? BREAKER__HEARD_WHOLLY : peer->heard;
}

static uint64_t due_ms(const breaker__known_t *peer)
{
    uint64_t due_ms = peer->tell_due_ms;

    if (due_ms < peer->aside_until_ms)
        due_ms = peer->aside_until_ms;
    return due_ms < peer->busy_until_ms ? peer->busy_until_ms : due_ms;
}

breaker__known_t *breaker__roster_to_tell(breaker__roster_t *roster, const breaker_release_id_t *id,
                                          uint64_t now_ms, uint64_t *ret_due_ms)
{
    breaker__known_t *first = NULL;

    *ret_due_ms = UINT64_MAX;
    for (size_t i = 0; i != roster->num; ++i) {
        breaker__known_t *peer = roster->peers + i;
        if (peer->is_being_told || peer->num_told == BREAKER__TELL_TIMES_MAX ||
            heard_of(peer, id) == BREAKER__HEARD_WHOLLY || due_ms(peer) >= *ret_due_ms)
            continue;
        *ret_due_ms = due_ms(peer);
        first = peer;
    }
    return first != NULL && *ret_due_ms <= now_ms ? first : NULL;
}

void breaker__known_told(breaker__known_t *peer, uint64_t now_ms)
{
    unsigned doublings = peer->num_told < DOUBLINGS ? peer->num_told : DOUBLINGS;

    assert(!peer->is_being_told);
    assert(peer->num_told < BREAKER__TELL_TIMES_MAX);
    peer->is_being_told = true;
    peer->tell_due_ms = now_ms + ((uint64_t)EVERY_MIN_MS << doublings);
    ++peer->num_told;
}

void breaker__known_heard(breaker__known_t *peer, const breaker_release_id_t *id,
                          const breaker__peers_held_t *list, size_t num)
{
    peer->heard = BREAKER__HEARD_NOT;
    for (size_t i = 0; i != num; ++i)
        if (breaker_release_id_equal(&list[i].id, id))
            peer->heard = list[i].is_complete ? BREAKER__HEARD_WHOLLY : BREAKER__HEARD_PARTLY;
}

breaker__heard_t breaker__roster_heard(const breaker__roster_t *roster,
                                       const breaker_release_id_t *id, uint64_t now_ms)
{
    breaker__heard_t least = BREAKER__HEARD_WHOLLY;

    for (size_t i = 0; i != roster->num; ++i) {
        const breaker__known_t *peer = roster->peers + i;
        breaker__heard_t heard = heard_of(peer, id);
        if (peer->aside_until_ms <= now_ms && heard < least)
            least = heard;
    }
    return least;
}
