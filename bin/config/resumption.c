/*
 * `ssl-session-resumption` of h2o's main program. Of its stores there is the process itself: one
 * that several servers share, memcached or a file of keys, is refused by the names of what is.
 */
#include <string.h>
#include "config/resumption.h"

#define KEYS "mode, cache-store, ticket-store, lifetime"

/* h2o's own, a week and an hour */
enum { LIFETIME_MAX_S = 604800, LIFETIME_S = 3600 };

static int read_mode(const breaker__option_t *option, breaker__resumption_t *resumption)
{
    static const char *const names[] = {"off", "cache", "ticket", "all"};
    size_t mode;

    if (breaker__option_choice(option, names, 4, &mode) != 0)
        return -1;
    resumption->by_cache = (mode & 1) != 0;
    resumption->by_ticket = (mode & 2) != 0;
    return 0;
}

static int read_store(const breaker__option_t *option)
{
    static const char *const names[] = {"internal"};
    size_t store;

    return breaker__option_choice(option, names, 1, &store);
}

static int read_lifetime(const breaker__option_t *option, breaker__resumption_t *resumption)
{
    uint64_t value;

    if (breaker__option_seconds(option, 1, LIFETIME_MAX_S, &value) != 0)
        return -1;
    resumption->lifetime_s = (uint32_t)value;
    return 0;
}

static int read_key(const breaker__option_t *option, void *data)
{
    if (strcmp(option->key, "mode") == 0)
        return read_mode(option, data);
    if (strcmp(option->key, "cache-store") == 0 || strcmp(option->key, "ticket-store") == 0)
        return read_store(option);
    if (strcmp(option->key, "lifetime") == 0)
        return read_lifetime(option, data);
    return breaker__option_unknown(option, KEYS);
}

int breaker__resumption_read(const breaker__option_t *option, breaker__resumption_t *ret_resumption)
{
    breaker__resumption_t resumption = {
        .by_ticket = true, .by_cache = true, .lifetime_s = LIFETIME_S};

    if (breaker__option_each(option, KEYS, read_key, &resumption) != 0)
        return -1;
    *ret_resumption = resumption;
    return 0;
}
