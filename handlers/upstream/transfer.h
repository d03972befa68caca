#ifndef BREAKER_HANDLERS_UPSTREAM_TRANSFER_H
#define BREAKER_HANDLERS_UPSTREAM_TRANSFER_H

/*
 * A request on its way to an application and the answer on its way back: all that those who want it
 * carried and those who carry it know of each other. One thread. Not installed.
 */
#include <stdbool.h>
#include <curl/curl.h>
#include <h2o.h>
#include "upstream/request/fields.h"
#include "upstream/reply/reply.h"

typedef struct st_breaker__transfer_t breaker__transfer_t;

/** bytes of a body that came and have not gone on, beyond which a carrier waits */
enum { BREAKER__RECEIVED_MAX = 131072 };

/** What the source of a body has to say. */
typedef enum en_breaker__source_state_t {
    /** bytes, at least one */
    BREAKER__SOURCE_BYTES,
    /** nothing for now; breaker__agent_resume comes when that has changed */
    BREAKER__SOURCE_LATER,
    BREAKER__SOURCE_END,
    /** there is no rest, and the request cannot be ended well */
    BREAKER__SOURCE_BROKEN,
} breaker__source_state_t;

/** What carriers call. None of these ends a transfer but `advance`. */
typedef struct st_breaker__transfer_callbacks_t {
    /** a line of the head, with its end; of what follows a final head, trailers only */
    breaker__reply_state_t (*on_line)(breaker__transfer_t *transfer, const char *line, size_t len);
    /** the next bytes of the body, which stay where they are until they are taken or looked at
     * again */
    breaker__source_state_t (*look)(breaker__transfer_t *transfer, h2o_iovec_t *ret_bytes);
    /** the first `len` of them have been sent */
    void (*take)(breaker__transfer_t *transfer, size_t len);
    /** it was touched: something came, or it is over; may end it, and free it */
    void (*advance)(breaker__transfer_t *transfer);
} breaker__transfer_callbacks_t;

/** One who carries. What comes of a transfer, even a failure, is told by `advance`, later. */
typedef struct st_breaker__carrier_t {
    void (*begin)(breaker__transfer_t *transfer);
    /** lets go of it, wherever it is; of one that is over, too */
    void (*end)(breaker__transfer_t *transfer);
    /** there is room again in `received`, or the source has something, or has ended */
    void (*resume)(breaker__transfer_t *transfer);
} breaker__carrier_t;

/** A handle of libcurl's at work; CURLOPT_PRIVATE points to one. */
typedef struct st_breaker__job_t {
    /** outside of libcurl */
    void (*on_done)(struct st_breaker__job_t *job, CURLcode result);
} breaker__job_t;

/** Embedded by its owner, zeroed but for what the owner sets; freed after breaker__agent_end. */
struct st_breaker__transfer_t {
    /* set by the owner */
    const breaker__transfer_callbacks_t *callbacks;
    struct st_breaker__agent_t *agent;   /* borrowed: outlives us */
    h2o_mem_pool_t *pool;                /* borrowed: for what lasts as long as `outgoing` */
    const breaker__outgoing_t *outgoing; /* borrowed: outlives us, or its head has been answered */
    const breaker__reply_t *reply;       /* borrowed: as above; what `on_line` writes to */
    /** where to, "http://127.0.0.1:3000"; NULL: the agent's origin */
    const char *url;
    bool is_over_tls;
    /** what came of the body and has not gone on; carriers append, the owner takes */
    h2o_buffer_t *received; /* owned by the owner */

    /* set by carriers */
    /** whether it waits for room; breaker__agent_resume says that there is some */
    bool is_paused;
    /** whether nothing more comes */
    bool is_over;
    /** why it did not end well; NULL: it did, or `reply` says it */
    const char *failure;
    bool is_failed, is_timeout;

    /* the agent's, and the carriers' */
    const breaker__carrier_t *carrier; /* NULL: waits for a connection, or has ended */
    h2o_linklist_t waiting, touched;
    /** whether it counts among the agent's connections */
    bool is_counted;
    /** how often the request went out */
    unsigned num_sent;
    struct st_breaker__wire_t *wire;
    CURL *easy;
    breaker__job_t job;
};

#endif
