/*
 * What an operator should mend is said once a minute, with a count, by whichever thread comes
 * first: a site that does something wrong in each of its pages must not fill the disk with it.
 */
#include <stdint.h>
#include "thread/notice.h"

enum { SAY_EVERY_S = 60 };

bool breaker__notice_is_due_now(breaker__notice_t *notice, uint64_t num, int64_t now_s,
                                uint64_t *ret_num)
{
    int_fast64_t said_at_s = atomic_load_explicit(&notice->said_at_s, memory_order_relaxed);

    atomic_fetch_add_explicit(&notice->num_unsaid, num, memory_order_relaxed);
    if (said_at_s != 0 && now_s - said_at_s < SAY_EVERY_S && now_s >= said_at_s)
        return false;
    if (!atomic_compare_exchange_strong(&notice->said_at_s, &said_at_s, now_s))
        return false;
    *ret_num = atomic_exchange_explicit(&notice->num_unsaid, 0, memory_order_relaxed);
    return true;
}

bool breaker__notice_is_due(breaker__notice_t *notice, h2o_req_t *req, uint64_t *ret_num)
{
    int64_t now_s = (int64_t)h2o_get_timestamp(req->conn->ctx, NULL, NULL)->tv_sec;

    return breaker__notice_is_due_now(notice, 1, now_s, ret_num);
}

const char *breaker__shown(char *dst, h2o_iovec_t text)
{
    size_t len = text.len < BREAKER__SHOWN_MAX ? text.len : BREAKER__SHOWN_MAX;

    for (size_t i = 0; i != len; ++i)
        dst[i] = text.base[i] > ' ' && text.base[i] <= '~' ? text.base[i] : '?';
    dst[len] = '\0';
    return dst;
}
