#ifndef BREAKER_HANDLERS_INTERNAL_H
#define BREAKER_HANDLERS_INTERNAL_H

/*
 * What the files of the h2o side share. Not installed. A request walks
 *
 *   on_req (static.c): refresh ─▶ classify ─▶ switch ─▶ asset.c | respond.c | park.c
 *
 * and everything that it sends lives in its pool, in static memory, or behind the lease of the
 * snapshot that it was judged by.
 */
#include <breaker/h2o.h>

/* ---- prepared.c: the header arrays of a variant, made once when it is loaded ---- */

/**
 * The answer to a variant, ready to be handed to h2o, and the same as libh2o would write it on
 * HTTP/1. The headers that 304 carries as well come first, so one array and one text serve both.
 * Read-only and shared by all threads.
 */
typedef struct st_breaker__prepared_t {
    h2o_mime_attributes_t mime_attr;
    /** how many of `headers` a 304 has */
    size_t num_shared;
    /** how many a 200 has */
    size_t num_headers;
    /**
     * What follows "Connection" in a 200: Content-Length up to `server_at`, the server's name up to
     * `headers_at`, the shared headers up to `shared_end`, the others, an empty line
     */
    const char *text;
    size_t server_at, headers_at, shared_end, text_len;
    h2o_header_t headers[];
} breaker__prepared_t;

/* ---- http1_text.c: heads as libh2o writes them on HTTP/1 ---- */

/** Writes a text and returns the end. */
char *breaker__http1_put(char *dst, const char *base, size_t len);

/** The bytes that `breaker__http1_put_headers` needs. */
size_t breaker__http1_headers_len(const h2o_header_t *headers, size_t num);
/** Writes headers, a line each, and returns the end. */
char *breaker__http1_put_headers(char *dst, const h2o_header_t *headers, size_t num);

/** the bytes that `breaker__http1_put_number` may need */
#define BREAKER__HTTP1_NUMBER_MAX (sizeof("18446744073709551615") - 1)
/** Writes a number in decimal and returns the end. */
char *breaker__http1_put_number(char *dst, uint64_t number);

/** the bytes that `breaker__put_content_range` may need */
#define BREAKER__CONTENT_RANGE_MAX (sizeof("bytes -/") - 1 + 3 * BREAKER__HTTP1_NUMBER_MAX)
/** Writes the value of a Content-Range (RFC 9110 §14.4) and returns the end. */
char *breaker__put_content_range(char *dst, breaker_range_t range, uint64_t size);

/** the bytes that `breaker__http1_put_length` may need */
#define BREAKER__HTTP1_LENGTH_MAX (sizeof("Content-Length: 18446744073709551615\r\n") - 1)
/** Writes a Content-Length line and returns the end. */
char *breaker__http1_put_length(char *dst, uint64_t len);

/** The bytes that `breaker__http1_put_server` needs: none where the server has no name. */
size_t breaker__http1_server_len(const h2o_globalconf_t *globalconf);
/** Writes the Server line, if there is one, and returns the end. */
char *breaker__http1_put_server(char *dst, const h2o_globalconf_t *globalconf);

/* ---- respond.c: statuses without an asset, and the last step of those with one ---- */

/**
 * Hands a read-only header array to the response, by reference where no filter of the path can
 * write to it, else as a copy in the request's pool.
 */
void breaker__respond_headers(h2o_req_t *req, const h2o_header_t *headers, size_t num);

/** Tells whether the request asks for headers only. */
bool breaker__is_head(const h2o_req_t *req);

/** An answer that is the same for every request; everything in it outlives the handler. */
typedef struct st_breaker__fixed_t {
    int status;
    const char *reason;
    const h2o_header_t *headers;
    size_t num_headers;
    h2o_iovec_t body;
} breaker__fixed_t;

/** The short refusals: text/plain, no-store, nosniff, no body for HEAD. They return 0. */
int breaker__respond_bad_request(h2o_req_t *req);
int breaker__respond_not_found(h2o_req_t *req);
breaker__fixed_t breaker__not_found(void);
int breaker__respond_not_allowed(h2o_req_t *req);
int breaker__respond_not_acceptable(h2o_req_t *req);
int breaker__respond_precondition_failed(h2o_req_t *req);
int breaker__respond_uri_too_long(h2o_req_t *req);
/** 416 with the size that ranges are measured against. */
int breaker__respond_unsatisfiable(h2o_req_t *req, uint64_t size);
/** The headers of a view's 503, made once; it does not move afterwards. */
typedef struct st_breaker__retry_t {
    h2o_header_t headers[4];
    char text[16];
} breaker__retry_t;

void breaker__retry_init(breaker__retry_t *retry, uint32_t retry_after_s);
/** 503 with Retry-After; `retry` lives as long as the handler. */
int breaker__respond_retry(h2o_req_t *req, const breaker__retry_t *retry);
breaker__fixed_t breaker__retry_later(const breaker__retry_t *retry);
/**
 * 301 to `prefix` followed by the raw path from the byte behind `asset_at` of the normalised path,
 * query included. `cache_control` lives as long as the handler.
 */
int breaker__respond_redirect(h2o_req_t *req, const char *prefix, size_t prefix_len,
                              size_t asset_at, h2o_iovec_t cache_control);

/* ---- judge.c: conditionals, ranges, encodings ---- */

/** The Accept-Encoding that a thread saw last, and what it came to. */
typedef struct st_breaker__negotiated_t {
    size_t len;
    bool valid;
    char text[128];
    breaker_acceptable_t acceptable;
} breaker__negotiated_t;

/** The fields of a request that change how an asset is answered; absent ones have no base. */
typedef struct st_breaker__fields_t {
    breaker_conditions_t conditions;
    breaker_field_t range;
    breaker_field_t if_range;
    breaker_field_t accept_encoding;
} breaker__fields_t;

/** Begins with no field. */
void breaker__fields_init(breaker__fields_t *fields);

typedef enum en_breaker__judged_t {
    BREAKER__JUDGED_WHOLE,
    /** 206 with `ranges` */
    BREAKER__JUDGED_PARTIAL,
    /** 304 */
    BREAKER__JUDGED_NOT_MODIFIED,
    /** 406; there is no variant then */
    BREAKER__JUDGED_NOT_ACCEPTABLE,
    /** 412 */
    BREAKER__JUDGED_PRECONDITION_FAILED,
    /** 416 */
    BREAKER__JUDGED_UNSATISFIABLE,
} breaker__judged_t;

typedef struct st_breaker__judgement_t {
    breaker__judged_t kind;
    const breaker_variant_t *variant; /* borrowed: the asset's */
    size_t num_ranges;
    breaker_range_t ranges[BREAKER_RANGES_MAX];
} breaker__judgement_t;

/**
 * Decides how a GET or HEAD for an asset is answered. `negotiated` is the calling thread's, or NULL
 * for a view without encodings. `now_s` is in seconds since the epoch. No allocation.
 */
void breaker__judge(breaker__judgement_t *judgement, const breaker_asset_t *asset,
                    breaker__negotiated_t *negotiated, const breaker__fields_t *fields,
                    bool is_head, int64_t now_s);

/* ---- asset.c: answers with an asset through libh2o; from memory or from disk ---- */

/** Answers 200, 206, 304, 406, 412 or 416 with an asset. Returns 0. */
int breaker__asset_send(h2o_req_t *req, const breaker_asset_t *asset, bool encodings,
                        breaker__negotiated_t *negotiated);

/* ---- framing.c: what libh2o's HTTP/1 parser lets through ---- */

/**
 * Tells whether the body of an HTTP/1 request is framed in a way that two servers could read
 * differently: several Content-Length fields, Content-Length beside Transfer-Encoding,
 * Transfer-Encoding in HTTP/1.0 (RFC 9112 §6.1, §6.3). Call it for requests with a body only: it
 * reads the request's raw bytes once more.
 */
bool breaker__framing_is_ambiguous(h2o_req_t *req);

/* ---- guard.c ---- */

/** Registers a handler that answers ambiguous framing with 400 and passes everything else on. */
void breaker__guard_register(h2o_pathconf_t *pathconf);

/* ---- lease.c: a thread's snapshot, and how requests hold on to it ---- */

/**
 * The snapshot of one handler on one thread. Requests in flight hold it through h2o's own,
 * per-thread reference counts, so that a request costs no atomic operation.
 */
typedef struct st_breaker__lease_t {
    breaker_publisher_t *publisher; /* borrowed: the node's */
    breaker_snapshot_t *held;       /* owned reference, or NULL */
    void *shared;                   /* owned: h2o-refcounted, holds `held` for the requests */
} breaker__lease_t;

void breaker__lease_init(breaker__lease_t *lease, breaker_publisher_t *publisher);
void breaker__lease_dispose(breaker__lease_t *lease);

/** Brings the lease up to date; one acquire-load when nothing changed. The result may be NULL. */
const breaker_snapshot_t *breaker__lease_refresh(breaker__lease_t *lease);

/** Keeps the lease's present snapshot for as long as the request's pool lives. */
static inline void breaker__lease_hold(breaker__lease_t *lease, h2o_req_t *req)
{
    h2o_mem_link_shared(&req->pool, lease->shared);
}

/* ---- timeout.c ---- */

/** Makes a timeout of libh2o on a loop. */
h2o_timeout_t *breaker__timeout_create(h2o_loop_t *loop, uint64_t millis);
/** Frees it, on libuv once the loop has run; nothing is linked to it any more. */
void breaker__timeout_free(h2o_loop_t *loop, h2o_timeout_t *timeout);

/* ---- park.c: requests that wait for news of the cluster ---- */

/**
 * The waiting requests of one handler on one thread. `must_wait` tells whether nothing has changed
 * for a request; `answer` answers it for good, and hears whether the ledger is fresher than the
 * request by now.
 */
typedef struct st_breaker__lot_t {
    void *data;
    bool (*must_wait)(void *data, h2o_req_t *req);
    void (*answer)(void *data, h2o_req_t *req, bool refreshed);
    breaker_node_t *node;     /* borrowed */
    h2o_loop_t *loop;         /* borrowed: the context's */
    h2o_timeout_t *timeout;   /* owned */
    h2o_timeout_entry_t look; /* linked while any request waits */
    h2o_linklist_t waiting;
} breaker__lot_t;

/** For a node of a cluster. `data` and the callbacks are set by the caller. */
void breaker__lot_init(breaker__lot_t *lot, breaker_node_t *node, h2o_loop_t *loop);
/** Every connection of the thread is gone before. */
void breaker__lot_dispose(breaker__lot_t *lot);
/**
 * Lets a request wait, and asks for news. False when there is no room, or no news to be had; the
 * request is then to be answered now.
 */
bool breaker__lot_park(breaker__lot_t *lot, h2o_req_t *req);

/* ---- configurator_cluster.c ---- */

/** Defines `breaker.cluster` and `breaker.state-file`. */
void breaker__cluster_register_configurator(h2o_globalconf_t *globalconf, breaker_node_t *node);

/* ---- static.c ---- */

/**
 * Moves the handler that was created last behind the static handlers that lead the path, in front
 * of all others: views come first, then what watches over requests to the application, then the
 * application.
 */
void breaker__handler_to_front(h2o_pathconf_t *pathconf);

#endif
