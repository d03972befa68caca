#ifndef BREAKER_PEERS_TRANSFER_H
#define BREAKER_PEERS_TRANSFER_H

/* One GET at a time from one peer, within bounds. Not installed. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "peers/address.h"
#include "peers/auth.h"
#include "peers/multi.h"
#include "release/spool.h"

/** the most header lines of an answer, and bytes of them, interim answers and trailers included */
#define BREAKER__TRANSFER_HEADERS_MAX 64
#define BREAKER__TRANSFER_HEADERS_LEN_MAX 16384
/** how much of a body that nobody wants is read so that its connection can be used again */
#define BREAKER__TRANSFER_UNWANTED_MAX 16384
/** the longest reason, its NUL included */
#define BREAKER__TRANSFER_REASON_MAX 256

/** What came of it. */
typedef enum en_breaker__transfer_result_t {
    /** `body` and `len` are what it sent, or everything is in the spool */
    BREAKER__TRANSFER_BODY,
    /** 404 of a node that knows us */
    BREAKER__TRANSFER_NOT_HERE,
    /** 503 of a node that knows us */
    BREAKER__TRANSFER_BUSY,
    /** an answer of somebody who does not know us */
    BREAKER__TRANSFER_NOT_A_MEMBER,
    /** it could not be connected to, or its connection broke: it may be gone, or start anew */
    BREAKER__TRANSFER_UNREACHED,
    /** no answer, or one that breaks a rule; `reason` says which */
    BREAKER__TRANSFER_BROKEN,
    /** the spool took no more, which is nobody's fault but that of our disk */
    BREAKER__TRANSFER_NO_ROOM,
} breaker__transfer_result_t;

/** A place for transfers, one after the other. What is not marked private is for its owner. */
typedef struct st_breaker__transfer_t {
    /** the owner's */
    void *data;
    /** the answer, from the end until the next beginning; `body` is not NULL after a BODY that went
        into no spool. `len` counts what has come, meanwhile as well */
    char *body;
    uint64_t len;
    char reason[BREAKER__TRANSFER_REASON_MAX];
    /** the loop's time when it began, and when something was heard of it last */
    uint64_t begun_ms, heard_ms;

    /* private */
    breaker__multi_t *multi;       /* borrowed: outlives us */
    const breaker__reach_t *reach; /* borrowed: outlives us */
    uv_loop_t *loop;               /* borrowed: outlives us */
    CURL *easy;                    /* owned */
    struct curl_slist *headers;    /* owned: the request's */
    breaker_spool_t *spool;        /* borrowed: the ask's, or NULL */
    uint64_t body_max;
    size_t capacity, headers_len, unwanted_len;
    unsigned num_headers;
    bool is_running, is_member, is_exact;
    bool is_partial; /* the beginning was here already: 206 is what is to come */
    bool has_no_room;
    bool was_refused, was_opened; /* an address of the peer's, by the reach */
    const char *broken_rule;      /* static text, or NULL */
    char curl_reason[CURL_ERROR_SIZE];
} breaker__transfer_t;

/** What all transfers of a client have in common. */
typedef struct st_breaker__transfer_config_t {
    uv_loop_t *loop;
    breaker__multi_t *multi;
    const breaker__reach_t *reach;
    /** NULL: the system's */
    const char *ca_file;
    /** how long connecting may take, look-up and TLS included */
    uint32_t connect_timeout_ms;
    /** bytes a second; 0: no limit */
    uint64_t rate;
} breaker__transfer_config_t;

/** What is asked. Texts are copied. */
typedef struct st_breaker__transfer_ask_t {
    /** absolute, http or https */
    const char *url;
    /** the value of BREAKER_PEER_AUTH_HEADER */
    const char *auth;
    /** the longest body that is taken; where it `is_exact`, the only length */
    uint64_t len;
    bool is_exact;
    /** where it is written to, which outlives the transfer, or NULL: into memory. What the spool
     * has already is not asked for again; `len` is that of all of it */
    breaker_spool_t *spool;
} breaker__transfer_ask_t;

/** Fails with BREAKER_ERR_NO_MEMORY. */
int breaker__transfer_init(breaker__transfer_t *transfer, const breaker__transfer_config_t *config);
/** Frees what it has, of a zeroed one as well; nothing is under way. */
void breaker__transfer_dispose(breaker__transfer_t *transfer);

/**
 * Begins a GET. What came of the last one is freed. When it ends, `on_done` of the multi handle is
 * called with `transfer->easy`. Fails with BREAKER_ERR_NO_MEMORY.
 */
int breaker__transfer_begin(breaker__transfer_t *transfer, const breaker__transfer_ask_t *ask);
/** The transfer that a handle of libcurl belongs to. */
breaker__transfer_t *breaker__transfer_of(CURL *easy);
/** Says what came of it, in `on_done`. */
breaker__transfer_result_t breaker__transfer_end(breaker__transfer_t *transfer, CURLcode result);
/** Breaks it off, or does nothing where none is under way. */
void breaker__transfer_abort(breaker__transfer_t *transfer);

#endif
