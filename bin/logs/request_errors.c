/*
 * What libh2o and handlers say of a request, as it should have been written: an event with fields
 * instead of bytes for the descriptor of stderr. The program's own h2o_req_log_error stands before
 * libh2o's, which calls it by its name. The request keeps what was said, for access logs.
 */
#include <stdarg.h>
#include <stdio.h>
#include <h2o.h>
#include "logs/error_log.h"

#define EXPORTED __attribute__((visibility("default")))
/* what is kept of a complaint, and of a path */
#define REASON_MAX 1024

static void say(const h2o_req_t *req, const char *module, const char *reason)
{
    char path[REASON_MAX];
    int len = req->path.len < sizeof(path) ? (int)req->path.len : (int)sizeof(path) - 1;

    snprintf(path, sizeof(path), "%.*s", len, req->path.base != NULL ? req->path.base : "");
    breaker__error_log_say(&(const breaker_log_event_t){
        .level = BREAKER_LOG_WARNING,
        .component = "h2o",
        .kind = BREAKER_LOG_TROUBLE,
        .name = "request",
        .fields = (const breaker_log_field_t[]){breaker_log_word("module", module),
                                                breaker_log_word("path", path),
                                                breaker_log_text("reason", reason)},
        .num_fields = 3});
}

EXPORTED void h2o_req_log_error(h2o_req_t *req, const char *module, const char *fmt, ...)
{
    char reason[REASON_MAX];
    h2o_iovec_t kept;
    va_list args;

    va_start(args, fmt);
    vsnprintf(reason, sizeof(reason), fmt, args);
    va_end(args);
    kept = h2o_strdup(&req->pool, reason, SIZE_MAX);
    h2o_vector_reserve(&req->pool, &req->error_logs, req->error_logs.size + 1);
    req->error_logs.entries[req->error_logs.size++] = (h2o_req_error_log_t){module, kept};
    if (req->pathconf == NULL || req->pathconf->error_log.emit_request_errors)
        say(req, module, reason);
}
