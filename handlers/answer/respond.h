#ifndef BREAKER_HANDLERS_RESPOND_H
#define BREAKER_HANDLERS_RESPOND_H

/* Statuses without an asset, and the last step of those with one. */
#include <breaker/h2o.h>

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

#endif
