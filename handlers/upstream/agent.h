#ifndef BREAKER_HANDLERS_UPSTREAM_AGENT_H
#define BREAKER_HANDLERS_UPSTREAM_AGENT_H

/* What one thread has to do with one application. Not installed. */
#include <curl/curl.h>
#include <h2o.h>
#include "upstream/curl/origin.h"
#include "upstream/curl/sockets.h"
#include "upstream/transfer.h"

/** One thread. libcurl's part is made with the first request, and goes when nothing happens. */
typedef struct st_breaker__agent_t {
    const breaker__origin_t *origin; /* borrowed: outlives us */
    h2o_context_t *ctx;              /* borrowed: outlives us */
    CURLM *multi;                    /* owned; NULL: closed */
    CURLSH *share;                   /* owned: sessions of TLS */
    breaker__sockets_t sockets;
    /** when libcurl is to be called, whatever its sockets do */
    h2o_timeout_t *wake; /* owned */
    h2o_timeout_entry_t wake_entry;
    /** when all connections go, because there are no requests */
    h2o_timeout_t *idle; /* owned */
    h2o_timeout_entry_t idle_entry;
    /** of its users, by what they wait for; these, too, only from breaker__agent_use on */
    h2o_timeout_t *first_byte, *io, *upgraded; /* owned */
    /** handles without a transfer */
    struct {
        CURL **entries; /* owned, and what they point to */
        size_t size;
    } spare;
    /** connections without a request, the one that was used last in front */
    h2o_linklist_t kept;
    size_t num_kept;
    /** when one of those goes */
    h2o_timeout_t *keeping; /* owned */
    /** transfers with something to tell */
    h2o_linklist_t touched;
    /** transfers without a connection, because the application has enough; the oldest first */
    h2o_linklist_t waiting;
    /** connections that have changed their protocol */
    h2o_linklist_t tunnels;
    /** transfers with a connection, or on their way to one */
    size_t num_running;
    bool is_settling, is_waking;
    /** whether libcurl has a handle that it has not been called for */
    bool has_started;
} breaker__agent_t;

/** `*agent` is the caller's memory. */
void breaker__agent_init(breaker__agent_t *agent, const breaker__origin_t *origin,
                         h2o_context_t *ctx);
/** Makes what an agent with requests needs, if it is not there; before a timeout of it is used. */
void breaker__agent_use(breaker__agent_t *agent);
/** After the last exchange. */
void breaker__agent_dispose(breaker__agent_t *agent);

/**
 * Begins a transfer, or lets it wait for another one's end; not from within a callback of
 * libcurl's. What comes of it, even a failure, is told by its `advance`, which may be called before
 * this returns.
 */
void breaker__agent_begin(breaker__agent_t *agent, breaker__transfer_t *transfer);
/** Ends a transfer, whatever has become of it, and lets the next one begin. */
void breaker__agent_end(breaker__agent_t *agent, breaker__transfer_t *transfer);
/** Has `advance` called once those who carry have returned; from anywhere. */
void breaker__agent_touch(breaker__agent_t *agent, breaker__transfer_t *transfer);
/** Lets its carrier go on with a transfer: there is room again, or something to send. */
void breaker__agent_resume(breaker__agent_t *agent, breaker__transfer_t *transfer);

/* ---- for carriers ---- */

/** A handle with what is the same for all requests, for `job`; others' options may be set on it. */
CURL *breaker__agent_take_handle(breaker__agent_t *agent, breaker__job_t *job);
/** Sets libcurl to work on it. */
void breaker__agent_start_handle(breaker__agent_t *agent, CURL *easy);
/** Stops libcurl's work, and gives a handle back. */
void breaker__agent_return_handle(breaker__agent_t *agent, CURL *easy);
/** A transfer has no connection any more, though it may have more to tell; the next one begins. */
void breaker__agent_discount(breaker__agent_t *agent, breaker__transfer_t *transfer);

#endif
