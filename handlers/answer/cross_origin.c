/*
 * Cross-origin sharing (the Fetch standard, "HTTP extensions"). A browser asks every answer of a
 * chain, redirects and errors included, whether the page may see it: what a view says is therefore
 * part of all its heads. Where it names several origins the answer is for the request's alone, and
 * Vary says so.
 */
#include <assert.h>
#include <string.h>
#include <strings.h>
#include "answer/cross_origin.h"

/* the longest list of field names that is sent back */
enum { NAMES_MAX = 1024 };

static const h2o_iovec_t timing_allow_origin_name = {H2O_STRLIT("timing-allow-origin")};
static const h2o_iovec_t resource_policy_name = {H2O_STRLIT("cross-origin-resource-policy")};
const h2o_iovec_t breaker__allow_headers_name = {H2O_STRLIT("access-control-allow-headers")};

bool breaker__is_about_origins(const char *line)
{
    return strncasecmp(line, H2O_STRLIT("access-control-")) == 0 ||
           strncasecmp(line, H2O_STRLIT("cross-origin-")) == 0;
}

void breaker__cross_origin_push(breaker__draft_t *draft, const breaker_view_config_t *config)
{
    if (config->timing_allow_origin != NULL)
        breaker__draft_push_named(draft, &timing_allow_origin_name, config->timing_allow_origin);
    if (config->resource_policy != NULL)
        breaker__draft_push_named(draft, &resource_policy_name, config->resource_policy);
    if (config->allow_origin != NULL && !breaker__has_origins(config->allow_origin))
        breaker__draft_push(draft, H2O_TOKEN_ACCESS_CONTROL_ALLOW_ORIGIN, config->allow_origin);
    for (size_t i = 0; i != config->num_headers; ++i)
        if (breaker__is_about_origins(config->headers[i]))
            breaker__draft_push_line(draft, config->headers[i]);
}

h2o_iovec_t breaker__allowed_origin(h2o_iovec_t allow_origin, h2o_iovec_t origin)
{
    const char *at = allow_origin.base, *end = at + allow_origin.len, *space;

    if (at == NULL || memchr(at, ' ', allow_origin.len) == NULL)
        return allow_origin;
    for (; at != NULL; at = space != NULL ? space + 1 : NULL) {
        size_t len;
        space = memchr(at, ' ', (size_t)(end - at));
        len = (size_t)((space != NULL ? space : end) - at);
        assert(len != 0);
        if (origin.base != NULL && h2o_memis(at, len, origin.base, origin.len))
            return h2o_iovec_init(at, len);
    }
    return h2o_iovec_init(NULL, 0);
}

/* tchar of RFC 9110 §5.6.2, and what parts the members of a list */
static bool is_of_list(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~, ", c) != NULL);
}

bool breaker__is_names(h2o_iovec_t names)
{
    for (size_t i = 0; i != names.len; ++i)
        if (!is_of_list(names.base[i]))
            return false;
    return names.len != 0 && names.len <= NAMES_MAX;
}
