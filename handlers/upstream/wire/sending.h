#ifndef BREAKER_HANDLERS_UPSTREAM_SENDING_H
#define BREAKER_HANDLERS_UPSTREAM_SENDING_H

/* A request, as far as it has gone out. Not installed. */
#include <stdbool.h>
#include "upstream/transfer.h"
#include "upstream/wire/conduit.h"

/** One request. */
typedef struct st_breaker__sending_t {
    /** goes first: the head, or the framing of a chunk */
    h2o_iovec_t front;
    /** of the body, or of the chunk that has been announced; SIZE_MAX: as long as there is some */
    size_t left;
    bool is_chunked, has_chunks;
    /** whether all has gone out */
    bool is_done;
    char framing[sizeof("\r\n0123456789abcdef\r\n")];
} breaker__sending_t;

/** What sending came to. */
typedef enum en_breaker__sending_state_t {
    BREAKER__SENDING_DONE,
    /** the connection takes no more for now */
    BREAKER__SENDING_BLOCKED,
    /** the source has no more for now */
    BREAKER__SENDING_STARVED,
    /** the source has broken off */
    BREAKER__SENDING_BROKEN,
    /** the connection takes no more at all */
    BREAKER__SENDING_CLOSED,
} breaker__sending_state_t;

/** Starts with the head of a transfer's request, which is written to its pool. */
void breaker__sending_start(breaker__sending_t *sending, const breaker__transfer_t *transfer);
/** Starts with bytes without framing, for a connection that has changed its protocol. */
void breaker__sending_start_raw(breaker__sending_t *sending);
/** Sends what can be sent now. */
breaker__sending_state_t breaker__sending_go_on(breaker__sending_t *sending,
                                                breaker__transfer_t *transfer,
                                                const breaker__conduit_t *conduit);

#endif
