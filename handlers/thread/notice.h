#ifndef BREAKER_HANDLERS_NOTICE_H
#define BREAKER_HANDLERS_NOTICE_H

/* Lines of the error log that come once a minute, however often their cause does. Not installed. */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <h2o.h>

/** One kind of line of one handler; zeroed at first. Any thread. */
typedef struct st_breaker__notice_t {
    atomic_int_fast64_t said_at_s;
    atomic_uint_fast64_t num_unsaid;
} breaker__notice_t;

/** the most bytes that a log shows of what somebody else sent */
#define BREAKER__SHOWN_MAX 200

/**
 * Counts an occurrence, and tells whether this thread is to speak of those that were counted since
 * the last line, at the first and then once a minute; how many they are is in `*ret_num`.
 */
bool breaker__notice_is_due(breaker__notice_t *notice, h2o_req_t *req, uint64_t *ret_num);

/** The same of `num` occurrences, of which one at least, at a time of the system's clock. */
bool breaker__notice_is_due_now(breaker__notice_t *notice, uint64_t num, int64_t now_s,
                                uint64_t *ret_num);

/**
 * What a client or an application sent, for a line of a log: bounded, NUL-ended and without control
 * bytes, in `dst`, which has room for BREAKER__SHOWN_MAX + 1 bytes and is returned.
 */
const char *breaker__shown(char *dst, h2o_iovec_t text);

#endif
