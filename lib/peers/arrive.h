#ifndef BREAKER_PEERS_ARRIVE_H
#define BREAKER_PEERS_ARRIVE_H

/* What comes of a transfer. Not installed. */
#include <stddef.h>
#include "peers/carry.h"

/** What a slot brought, taken out of it so that it is free again before anybody is told. */
typedef struct st_breaker__load_t {
    breaker__cargo_t cargo;
    breaker__ask_t *ask;    /* borrowed; NULL but for BREAKER__CARGO_ASK */
    breaker__known_t *peer; /* borrowed; NULL when it is in the list no more */
    char *body;             /* owned by the caller */
    size_t len;
} breaker__load_t;

/** Ends an ask whose spool has everything; `last` is who sent the end, or NULL. */
void breaker__arrive_spool(breaker__peers_t *peers, breaker__ask_t *ask, breaker__known_t *last);
/**
 * Takes the end of a transfer: where the ask has what it wanted, or nobody will have it, its
 * callback is called and the ask is gone; else it is in the queue and goes on. `reason` is why it
 * ended, for the notice. The client's thread.
 */
void breaker__arrive(breaker__peers_t *peers, const breaker__load_t *load,
                     breaker__transfer_result_t result, const char *reason);

#endif
