/*
 * A site with placeholders in its pages works, since each is led to the current token, but at the
 * price of a redirect that nobody may keep. The operator hears of it, with the page to mend.
 */
#include "answer/unreplaced.h"

void breaker__say_unreplaced(breaker__static_t *handler, h2o_req_t *req)
{
    ssize_t at = h2o_find_header(&req->headers, H2O_TOKEN_REFERER, -1);
    h2o_iovec_t page = {H2O_STRLIT("-")};
    char path[BREAKER__SHOWN_MAX + 1], referer[BREAKER__SHOWN_MAX + 1];
    uint64_t num;

    if (!breaker__notice_is_due(&handler->unreplaced, req, &num))
        return;
    if (at != -1)
        page = req->headers.entries[at].value;
    h2o_req_log_error(
        req, "breaker",
        "a placeholder that nobody replaced is led to the current token: %s, asked for "
        "by the page %s",
        breaker__shown(path, req->path), breaker__shown(referer, page));
}
