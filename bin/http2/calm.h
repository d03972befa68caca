#ifndef BREAKER_BIN_CALM_H
#define BREAKER_BIN_CALM_H

/* How much of what costs more than it brings a client of HTTP/2 may send, and who sends more. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <h2o.h>
/* needs these before it */
#include <h2o/http1.h>
#include <h2o/http2.h>
#include <h2o/http2_internal.h>

/** What is counted by the second, of each connection. */
typedef enum {
    /** streams that the client resets while they are open */
    BREAKER__CALM_RESETS,
    /** frames that have the server reset a stream */
    BREAKER__CALM_ERRORS,
    /** SETTINGS, PING, PRIORITY, GOAWAY; WINDOW_UPDATE and resets of streams that are gone beyond
        what answers and requests explain */
    BREAKER__CALM_CONTROL,
    /** DATA without a byte that ends nothing; unknown frames beyond one a request;
        acknowledgements that nobody asked for */
    BREAKER__CALM_EMPTY,
    BREAKER__CALM_NUM
} breaker__calm_kind_t;

/** Of all connections; 0 is no limit. */
typedef struct st_breaker__calm_limits_t {
    uint32_t per_second[BREAKER__CALM_NUM];
    /** CONTINUATION frames of one header block */
    uint32_t continuations;
    /** bytes of names and values of one request and 32 for each field (RFC 9113 §6.5.2), and of its
        header block */
    uint32_t header_list_size;
} breaker__calm_limits_t;

/** What one connection has sent; all zero at first. */
typedef struct st_breaker__calm_t {
    /* the second that is counted, and what was sent in it */
    uint64_t begun_at_ms;
    uint32_t counts[BREAKER__CALM_NUM];
    uint32_t num_requests;
    /* of those that are explained */
    uint32_t num_updates, num_late_resets, num_unknown;
    /* bytes that had been written when it began */
    size_t written_before;
    /* since the beginning */
    uint32_t num_acks;
    /* of the header block that is under way */
    uint32_t num_continuations;
    size_t block_len;
} breaker__calm_t;

/** Sets the defaults, which no browser and no proxy comes near. */
void breaker__calm_limits_init(breaker__calm_limits_t *limits);

/**
 * Counts a whole frame before anybody looks at it. `written`: how many bytes have been written on
 * the connection so far. Returns NULL, or what there is too much of.
 */
const char *breaker__calm_frame(breaker__calm_t *calm, const breaker__calm_limits_t *limits,
                                uint64_t now_ms, size_t written, const h2o_http2_frame_t *frame);

/** Counts a stream that was open when the client reset it. Returns as above. */
const char *breaker__calm_reset(breaker__calm_t *calm, const breaker__calm_limits_t *limits);

/** Counts a stream that is reset because of a frame that was counted. Returns as above. */
const char *breaker__calm_error(breaker__calm_t *calm, const breaker__calm_limits_t *limits,
                                const h2o_http2_frame_t *frame);

/**
 * Looks at a header block before its fields are made: a field may be a single byte of it. Returns
 * NULL, or what there is too much of. What is malformed is left to who decodes it.
 */
const char *breaker__calm_block(const breaker__calm_limits_t *limits, const uint8_t *block,
                                size_t len);

/** Looks at the fields that came of it. Returns as above. */
const char *breaker__calm_fields(const breaker__calm_limits_t *limits,
                                 const h2o_headers_t *headers);

#endif
