/*
 * Answers without an asset. None of them may stay in a cache by accident: libh2o's own error
 * responses carry no Cache-Control, so these have heads of their own, made once a thread.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "answer/fixed.h"

/* how long a browser need not ask again, in seconds: the longest that any of them takes */
#define PREFLIGHT_MAX_AGE "86400"

static const h2o_iovec_t nosniff_name = {H2O_STRLIT("x-content-type-options")};
static const h2o_iovec_t allow_methods_name = {H2O_STRLIT("access-control-allow-methods")};
static const h2o_iovec_t max_age_name = {H2O_STRLIT("access-control-max-age")};

static const struct {
    breaker__status_t status;
    const char *body;
} refusals[] = {
    {BREAKER__STATUS_400, "bad request\n"},
    {BREAKER__STATUS_404, "not found\n"},
    {BREAKER__STATUS_405, "method not allowed\n"},
    {BREAKER__STATUS_406, "no acceptable encoding\n"},
    {BREAKER__STATUS_412, "precondition failed\n"},
    {BREAKER__STATUS_414, "URI too long\n"},
    {BREAKER__STATUS_416, "range not satisfiable\n"},
    {BREAKER__STATUS_503, "not on this node yet, try again\n"},
};

static void init_refusal(breaker__fixed_t *fixed, const breaker_view_config_t *config,
                         const h2o_globalconf_t *globalconf, breaker__status_t status,
                         const char *body)
{
    breaker__draft_t draft;
    char retry_after[16];

    breaker__draft_begin(&draft, config, false);
    breaker__draft_push(&draft, H2O_TOKEN_CONTENT_TYPE, "text/plain; charset=utf-8");
    breaker__draft_push(&draft, H2O_TOKEN_CACHE_CONTROL, "no-store");
    breaker__draft_push_named(&draft, &nosniff_name, "nosniff");
    if (status == BREAKER__STATUS_405)
        breaker__draft_push(&draft, H2O_TOKEN_ALLOW, "GET, HEAD");
    if (status == BREAKER__STATUS_503) {
        snprintf(retry_after, sizeof(retry_after), "%" PRIu32, config->retry_after_s);
        breaker__draft_push(&draft, H2O_TOKEN_RETRY_AFTER, retry_after);
    }
    draft.body = h2o_iovec_init(body, strlen(body));
    draft.body_len = draft.body.len;
    fixed->heads[status] = breaker__head_create(&draft, globalconf);
}

static void init_unreplaced(breaker__fixed_t *fixed, const breaker_view_config_t *config,
                            const h2o_globalconf_t *globalconf)
{
    breaker__draft_t draft;

    breaker__draft_begin(&draft, config, false);
    breaker__draft_push(&draft, H2O_TOKEN_CACHE_CONTROL, "no-store");
    fixed->heads[BREAKER__STATUS_302] = breaker__head_create(&draft, globalconf);
}

/* what is different from one redirect to the next are lines of its own */
static void init_redirect(breaker__fixed_t *fixed, const breaker_view_config_t *config,
                          const h2o_globalconf_t *globalconf)
{
    char *text = fixed->redirect_storage;
    size_t size = sizeof(fixed->redirect_storage);
    breaker__draft_t draft;
    int len;

    breaker__draft_begin(&draft, config, false);
    fixed->heads[BREAKER__STATUS_301] = breaker__head_create(&draft, globalconf);
    if (config->redirect_max_age_s == 0)
        len = snprintf(text, size, "no-store");
    else
        len = snprintf(text, size, "public, max-age=%" PRIu64, config->redirect_max_age_s);
    assert((size_t)len < size);
    fixed->redirect_cache_control = h2o_iovec_init(text, (size_t)len);
}

/* two lines of one name would be none to a browser */
static bool has_header(const breaker_view_config_t *config, const char *name, size_t len)
{
    for (size_t i = 0; i != config->num_headers; ++i)
        if (strncasecmp(config->headers[i], name, len) == 0 && config->headers[i][len] == ':')
            return true;
    return false;
}

/* the origin is a line of its own, because it is a matter of the asset that is asked for */
static void init_preflight(breaker__fixed_t *fixed, const breaker_view_config_t *config,
                           const h2o_globalconf_t *globalconf)
{
    breaker_view_config_t without_origin = *config;
    breaker__draft_t draft;

    without_origin.allow_origin = NULL;
    breaker__draft_begin(&draft, &without_origin, false);
    breaker__draft_push_named(&draft, &allow_methods_name, "GET, HEAD");
    if (!has_header(config, max_age_name.base, max_age_name.len))
        breaker__draft_push_named(&draft, &max_age_name, PREFLIGHT_MAX_AGE);
    breaker__draft_push(&draft, H2O_TOKEN_CACHE_CONTROL, "no-store");
    fixed->heads[BREAKER__STATUS_204] = breaker__head_create(&draft, globalconf);
}

void breaker__fixed_init(breaker__fixed_t *fixed, const breaker_view_config_t *config,
                         const h2o_globalconf_t *globalconf)
{
    memset(fixed, 0, sizeof(*fixed));
    fixed->has_encodings = config->encodings;
    for (size_t i = 0; i != sizeof(refusals) / sizeof(refusals[0]); ++i)
        init_refusal(fixed, config, globalconf, refusals[i].status, refusals[i].body);
    init_redirect(fixed, config, globalconf);
    init_unreplaced(fixed, config, globalconf);
    init_preflight(fixed, config, globalconf);
    assert(fixed->heads[BREAKER__STATUS_200] == NULL);
}

void breaker__fixed_init_default(breaker__fixed_t *fixed, const h2o_globalconf_t *globalconf)
{
    breaker_view_config_t config;

    breaker_view_config_init(&config);
    config.allow_origin = NULL;
    breaker__fixed_init(fixed, &config, globalconf);
}

void breaker__fixed_dispose(breaker__fixed_t *fixed)
{
    for (size_t i = 0; i != BREAKER__NUM_STATUSES; ++i)
        breaker__head_free(fixed->heads[i]);
    memset(fixed, 0, sizeof(*fixed));
}
