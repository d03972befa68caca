/*
 * A site with placeholders in its pages works, since each is led to the current token, but at the
 * price of a redirect that nobody may keep. The operator hears of it, with the page to mend.
 */
#include <assert.h>
#include <string.h>
#include "answer/unreplaced.h"

enum { SAY_EVERY_S = 60, SHOWN_MAX = 200 };

/* one thread a minute finds that it is to speak */
static bool is_due(breaker__static_t *handler, int64_t now_s)
{
    int_fast64_t said_at_s = atomic_load_explicit(&handler->said_at_s, memory_order_relaxed);

    if (said_at_s != 0 && now_s - said_at_s < SAY_EVERY_S && now_s >= said_at_s)
        return false;
    return atomic_compare_exchange_strong(&handler->said_at_s, &said_at_s, now_s);
}

/* what a client sent, for a line of a log: bounded, and without control bytes */
static const char *shown(char *dst, h2o_iovec_t text)
{
    size_t len = text.len < SHOWN_MAX ? text.len : SHOWN_MAX;

    for (size_t i = 0; i != len; ++i)
        dst[i] = text.base[i] > ' ' && text.base[i] <= '~' ? text.base[i] : '?';
    dst[len] = '\0';
    return dst;
}

void breaker__say_unreplaced(breaker__static_t *handler, h2o_req_t *req)
{
    int64_t now_s = (int64_t)h2o_get_timestamp(req->conn->ctx, NULL, NULL)->tv_sec;
    ssize_t at = h2o_find_header(&req->headers, H2O_TOKEN_REFERER, -1);
    h2o_iovec_t page = {H2O_STRLIT("-")};
    char path[SHOWN_MAX + 1], referer[SHOWN_MAX + 1];

    if (!is_due(handler, now_s))
        return;
    if (at != -1)
        page = req->headers.entries[at].value;
    h2o_req_log_error(
        req, "breaker",
        "a placeholder that nobody replaced is led to the current token: %s, asked for "
        "by the page %s",
        shown(path, req->path), shown(referer, page));
}
