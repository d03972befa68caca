/*
 * For which hosts of the server a view is. A view is found by its host's handlers, so these names
 * are compared only where two views of one node, or of one release, have the same name: then they
 * say which is which, on every node.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <breaker/error.h>
#include <breaker/view.h>
#include "view/hosts.h"

void breaker__hosts_dispose(breaker__hosts_t *hosts)
{
    for (size_t i = 0; i != hosts->num; ++i)
        free(hosts->names[i]);
    free(hosts->names);
    *hosts = (breaker__hosts_t){.names = NULL};
}

/* where a name is, or would be */
static size_t find(const breaker__hosts_t *hosts, const char *name)
{
    size_t low = 0, high = hosts->num;

    while (low != high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(hosts->names[middle], name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    assert(low <= hosts->num);
    return low;
}

static bool is_at(const breaker__hosts_t *hosts, size_t at, const char *name)
{
    return at != hosts->num && strcmp(hosts->names[at], name) == 0;
}

int breaker__hosts_add(breaker__hosts_t *hosts, const char *name)
{
    size_t at = find(hosts, name), len = strlen(name);
    char **names, *copy;

    if (is_at(hosts, at, name))
        return 0;
    if (len == 0 || len > BREAKER_VIEW_HOST_MAX)
        return BREAKER_ERR_RANGE;
    if (hosts->num == BREAKER_VIEW_HOSTS_MAX)
        return BREAKER_ERR_TOO_MANY;
    if ((names = realloc(hosts->names, (hosts->num + 1) * sizeof(*names))) == NULL)
        return BREAKER_ERR_NO_MEMORY;
    hosts->names = names;
    if ((copy = strdup(name)) == NULL)
        return BREAKER_ERR_NO_MEMORY;
    memmove(names + at + 1, names + at, (hosts->num - at) * sizeof(*names));
    names[at] = copy;
    ++hosts->num;
    return 0;
}

bool breaker__hosts_have(const breaker__hosts_t *hosts, const char *name)
{
    return is_at(hosts, find(hosts, name), name);
}

bool breaker__hosts_are_default(const breaker__hosts_t *hosts)
{
    return hosts->num == 1 && strcmp(hosts->names[0], BREAKER__HOST_DEFAULT) == 0;
}

bool breaker__hosts_meet(const breaker__hosts_t *a, const breaker__hosts_t *b)
{
    for (size_t i = 0; i != a->num; ++i)
        if (breaker__hosts_have(b, a->names[i]))
            return true;
    return false;
}

bool breaker__hosts_equal(const breaker__hosts_t *a, const breaker__hosts_t *b)
{
    if (a->num != b->num)
        return false;
    for (size_t i = 0; i != a->num; ++i)
        if (strcmp(a->names[i], b->names[i]) != 0)
            return false;
    return true;
}
