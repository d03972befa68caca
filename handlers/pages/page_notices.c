/* What the log says of an application whose pages are not rewritten as it may expect. */
#include <inttypes.h>
#include "pages/page.h"

static const char *const words[BREAKER__PAGE_TROUBLES] = {
    [BREAKER__PAGE_NO_TRANSFORM] = "said Cache-Control: no-transform and left as they were, with "
                                   "any placeholders",
    [BREAKER__PAGE_NO_CODING] = "had a Content-Encoding that is no coding (none, identity) and "
                                "were rewritten without it",
    [BREAKER__PAGE_WIDE] = "were in UTF-16 or UTF-32 and left as they were, with any placeholders",
};

void breaker__page_say(const breaker__page_t *page, h2o_req_t *req, breaker__page_trouble_t what)
{
    char path[BREAKER__SHOWN_MAX + 1];
    uint64_t num;

    if (breaker__notice_is_due(page->settings->troubles + what, req, &num))
        h2o_req_log_error(req, "breaker", "responses that %s: %" PRIu64 ", this one for %s",
                          words[what], num, breaker__shown(path, req->input.path));
}
