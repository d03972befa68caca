#ifndef BREAKER_VIEW_HOSTS_H
#define BREAKER_VIEW_HOSTS_H

#include <stdbool.h>
#include <stddef.h>

/** what a view is for that nobody named a host for, and what h2o's own examples call theirs */
#define BREAKER__HOST_DEFAULT "default"

/** A set of hosts, each once, in bytewise order. Plain value; zeroed, it is empty. */
typedef struct st_breaker__hosts_t {
    char **names; /* owned, and so are the texts */
    size_t num;
} breaker__hosts_t;

/** Frees the names; the set is empty afterwards. */
void breaker__hosts_dispose(breaker__hosts_t *hosts);
/**
 * Adds a copy of a name; one that is there changes nothing. Fails with BREAKER_ERR_RANGE for a name
 * that is empty or has more than BREAKER_VIEW_HOST_MAX bytes, with BREAKER_ERR_TOO_MANY beyond
 * BREAKER_VIEW_HOSTS_MAX and BREAKER_ERR_NO_MEMORY, and leaves the set as it was.
 */
int breaker__hosts_add(breaker__hosts_t *hosts, const char *name);
/** Tells whether a name is in the set. */
bool breaker__hosts_have(const breaker__hosts_t *hosts, const char *name);
/** Tells whether the set is the default host alone. */
bool breaker__hosts_are_default(const breaker__hosts_t *hosts);
/** Tells whether two sets have a name in common, and whether they have the same names. */
bool breaker__hosts_meet(const breaker__hosts_t *a, const breaker__hosts_t *b);
bool breaker__hosts_equal(const breaker__hosts_t *a, const breaker__hosts_t *b);

#endif
