#ifndef BREAKER_PEERS_SILENCE_H
#define BREAKER_PEERS_SILENCE_H

/* Peers that say nothing. Not installed. */
#include "peers/carry.h"

/**
 * Why the transfer that a slot carries is to be given up now, for the notice; NULL: it may go on.
 * Static text. The client's thread.
 */
const char *breaker__silence_fault(breaker__peers_t *peers, const breaker__slot_t *slot);

#endif
