/*
 * How much connections of HTTP/2 may send of what costs more than it brings: one directive a limit,
 * found by its name.
 */
#include <assert.h>
#include <string.h>
#include "config/floods.h"
#include "option.h"

/* where a limit stands in the limits, and what counts it */
static const struct {
    const char *name;
    size_t at;
} limits_by_name[] = {
    {"http2-max-resets",
     offsetof(breaker__calm_limits_t, per_second) + BREAKER__CALM_RESETS * sizeof(uint32_t)},
    {"http2-max-stream-errors",
     offsetof(breaker__calm_limits_t, per_second) + BREAKER__CALM_ERRORS * sizeof(uint32_t)},
    {"http2-max-control-frames",
     offsetof(breaker__calm_limits_t, per_second) + BREAKER__CALM_CONTROL * sizeof(uint32_t)},
    {"http2-max-empty-frames",
     offsetof(breaker__calm_limits_t, per_second) + BREAKER__CALM_EMPTY * sizeof(uint32_t)},
    {"http2-max-continuations", offsetof(breaker__calm_limits_t, continuations)},
    {"http2-max-header-list-size", offsetof(breaker__calm_limits_t, header_list_size)},
};

const char *breaker__floods_directive(size_t index)
{
    return index < sizeof(limits_by_name) / sizeof(limits_by_name[0]) ? limits_by_name[index].name
                                                                      : NULL;
}

static uint32_t *find(breaker__calm_limits_t *limits, const char *name)
{
    for (size_t i = 0; breaker__floods_directive(i) != NULL; ++i)
        if (strcmp(limits_by_name[i].name, name) == 0)
            return (void *)((char *)limits + limits_by_name[i].at);
    return NULL;
}

int breaker__floods_read(const breaker__option_t *option, breaker__calm_limits_t *limits)
{
    uint32_t *limit = find(limits, option->key);
    uint64_t value;
    int err;

    assert(limit != NULL);
    if (limit == &limits->header_list_size)
        err = breaker__option_size(option, 0, UINT32_MAX, &value);
    else
        err = breaker__option_number(option, "a number", 0, UINT32_MAX, &value);
    if (err != 0)
        return -1;
    *limit = (uint32_t)value;
    return 0;
}
