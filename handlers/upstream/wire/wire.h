#ifndef BREAKER_HANDLERS_UPSTREAM_WIRE_H
#define BREAKER_HANDLERS_UPSTREAM_WIRE_H

/* A connection to an application that speaks HTTP/1.1, for one request after another. Not
 * installed. */
#include "upstream/agent.h"
#include "upstream/wire/conduit.h"
#include "upstream/wire/intake.h"
#include "upstream/wire/sending.h"

/** One connection, of one thread. */
typedef struct st_breaker__wire_t {
    breaker__agent_t *agent; /* borrowed: outlives us */
    breaker__conduit_t conduit;
    breaker__socket_user_t socket_user;
    /** NULL while it is kept */
    breaker__transfer_t *transfer; /* borrowed: outlives its use */
    breaker__sending_t sending;
    breaker__intake_t intake;
    /** whether it has answered before */
    bool is_used;
    /** whether the connection takes no more for now */
    bool is_blocked;
    /** whether it has ended, or takes nothing more of this request */
    bool is_closing;
    /* of the kept ones */
    h2o_linklist_t link;
    h2o_timeout_entry_t age;
} breaker__wire_t;

/** A wire over a connection that stands, which is its own from now on. */
breaker__wire_t *breaker__wire_create(breaker__agent_t *agent, breaker__conduit_t conduit);
/** Closes the connection, which nobody uses. */
void breaker__wire_free(breaker__wire_t *wire);
/** Closes the connection of a transfer, which hears nothing more of it. */
void breaker__wire_drop(breaker__wire_t *wire);

/**
 * Sends the request of a transfer and reads its answer. When that is over, however it was, the
 * transfer is touched, and the wire kept or closed. Where the connection turns out to have ended
 * before a byte of the answer, and has been kept, `breaker__carrier_retry` is called instead.
 */
void breaker__wire_begin(breaker__wire_t *wire, breaker__transfer_t *transfer);
/** Goes on where it had to wait for the transfer. */
void breaker__wire_resume(breaker__wire_t *wire);
/** Goes on for another transfer, whose bytes are without framing from now on. */
void breaker__wire_pass(breaker__wire_t *wire, breaker__transfer_t *transfer);

#endif
