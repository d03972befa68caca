#ifndef BREAKER_HANDLERS_UPSTREAM_REPLY_H
#define BREAKER_HANDLERS_UPSTREAM_REPLY_H

/* The head of an application's answer, line by line, as RFC 9112 has it. Not installed. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <h2o.h>

/** A field. All in the pool of the reply. */
typedef struct st_breaker__reply_field_t {
    /** as it came; `name` is its lower case */
    const char *original_name;
    h2o_iovec_t name, value;
} breaker__reply_field_t;

/** What a line came to. */
typedef enum en_breaker__reply_state_t {
    BREAKER__REPLY_MORE,
    /** the end of a 1xx answer; another head follows */
    BREAKER__REPLY_INFORMATIONAL,
    /** the end of the head, or a line of the trailers, which are dropped */
    BREAKER__REPLY_FINAL,
    /** no answer that may be passed on; `refusal` says why */
    BREAKER__REPLY_REFUSED,
} breaker__reply_state_t;

/** A head; it holds until the first line of the next. */
typedef struct st_breaker__reply_t {
    h2o_mem_pool_t *pool; /* borrowed: outlives us */
    /** the protocol that the request asked to change to; {NULL} where it did not */
    h2o_iovec_t upgrade;
    uint32_t max_size, max_fields;
    /** whether the lines may be libcurl's, of an answer in HTTP/2; false, unless the caller sets it
     */
    bool may_be_http2;
    int status;
    h2o_iovec_t reason;
    H2O_VECTOR(breaker__reply_field_t) fields;
    /** Content-Length, or SIZE_MAX */
    size_t length;
    /** what it says it changes to, of a 101 */
    h2o_iovec_t upgraded;
    /** why it was refused; static */
    const char *refusal;
    /* within */
    size_t size;
    unsigned num_informational;
    unsigned num_lengths, num_codings;
    bool is_http10, is_chunked, is_within, is_complete;
    /** what Connection says of this one */
    bool is_closing, is_kept_alive;
    /** whether it may name fields, too */
    bool names_fields;
} breaker__reply_t;

/** `pool` and `upgrade` are borrowed; bounds as `proxy.max-header-bytes` and `proxy.max-fields`. */
void breaker__reply_init(breaker__reply_t *reply, h2o_mem_pool_t *pool, h2o_iovec_t upgrade,
                         uint32_t max_size, uint32_t max_fields);

/** Takes a line with its end, which may be LF alone. What was refused stays so. */
breaker__reply_state_t breaker__reply_take(breaker__reply_t *reply, const char *line, size_t len);

/** Tells whether a text may be a method or a field's name (RFC 9110 §5.6.2). */
bool breaker__is_token(h2o_iovec_t text);

/** Tells whether a comma-separated list names a token, in any case (RFC 9110 §5.6.1). */
bool breaker__list_has(h2o_iovec_t list, const char *token, size_t len);

#endif
