/*
 * Redirections of a Redis Cluster, as its specification has them. All our keys share one slot, so
 * no map of slots is kept: the link stays where it was sent last.
 */
#include <string.h>
#include "redis/redirect.h"
#include "redis/codec.h"

#define SLOTS 16384

/* Cuts a prefix off; false when the text begins with something else. */
static bool skip(const char **base, size_t *len, const char *prefix)
{
    size_t prefix_len = strlen(prefix);

    if (*len < prefix_len || memcmp(*base, prefix, prefix_len) != 0)
        return false;
    *base += prefix_len;
    *len -= prefix_len;
    return true;
}

static bool skip_slot(const char **base, size_t *len)
{
    unsigned slot = 0;
    size_t digits = 0;

    while (digits != *len && digits != 5 && (*base)[digits] >= '0' && (*base)[digits] <= '9')
        slot = slot * 10 + (unsigned)((*base)[digits++] - '0');
    *base += digits;
    *len -= digits;
    return digits != 0 && slot < SLOTS && skip(base, len, " ");
}

bool breaker__redirect_read(const breaker_reply_t *reply, const breaker__endpoint_t *from,
                            breaker__redirect_t *ret_redirect)
{
    const char *base = reply->base, *host, *colon;
    size_t len = reply->len, host_len;
    breaker__redirect_t redirect = {.ask = false};

    if (reply->type != BREAKER_REPLY_ERROR)
        return false;
    if (skip(&base, &len, "ASK "))
        redirect.ask = true;
    else if (!skip(&base, &len, "MOVED "))
        return false;
    /* The last colon, because the colons of an IPv6 address are not set in brackets. */
    if (!skip_slot(&base, &len) || len == 0 || (colon = memrchr(base, ':', len)) == NULL)
        return false;
    host = base;
    host_len = (size_t)(colon - base);
    if (host_len == 0) {
        host = from->host;
        host_len = strlen(from->host);
    }
    if (!breaker__endpoint_set(&redirect.endpoint, host, host_len,
                               breaker__port_parse(colon + 1, len - (size_t)(colon + 1 - base))))
        return false;
    *ret_redirect = redirect;
    return true;
}

int breaker__asking(char **ret_base, size_t *ret_len)
{
    const char *argv[] = {"ASKING"};
    const size_t lens[] = {6};

    return breaker__command_format(1, argv, lens, ret_base, ret_len);
}
