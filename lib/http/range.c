/*
 * Byte ranges: a Range value and a size become the pieces of a 206. The ranges are joined while
 * they are read, so that no request gets more bytes than the representation has, however often it
 * asks for them (RFC 9110 §17.15).
 *
 * Invariants: what is returned lies inside the representation, no two ranges overlap or touch, and
 * each stands where the first of those that went into it stood.
 */
#include <assert.h>
#include <string.h>
#include <strings.h>
#include <breaker/http/range.h>
#include "http/scan.h"

/** Ranges so far; every one is inside the representation. */
typedef struct st_collected_t {
    breaker_range_t ranges[BREAKER_RANGES_MAX];
    size_t num;
} collected_t;

/** Steps over digits and returns their value; `*ok` becomes false without any or beyond 2^64. */
static uint64_t read_number(const char **p, const char *end, bool *ok)
{
    const char *begin = *p;
    uint64_t number = 0;

    for (; *p != end && breaker__is_digit(**p); ++*p) {
        uint64_t digit = (uint64_t)(**p - '0');
        if (number > (UINT64_MAX - digit) / 10) {
            *ok = false;
            return 0;
        }
        number = number * 10 + digit;
    }
    if (*p == begin)
        *ok = false;
    return number;
}

/** "-500": the last bytes. Returns false on bad syntax; `*ret_any` tells whether a byte is in it.
 */
static bool read_suffix(const char *p, const char *end, uint64_t size, breaker_range_t *ret_range,
                        bool *ret_any)
{
    bool ok = true;
    uint64_t suffix_len = read_number(&p, end, &ok);

    if (!ok || p != end)
        return false;
    *ret_any = suffix_len != 0 && size != 0;
    if (*ret_any) {
        ret_range->first = suffix_len < size ? size - suffix_len : 0;
        ret_range->last = size - 1;
    }
    return true;
}

/** "0-499", "500-" or "-500", without white space around it; returns as above. */
static bool read_range(const char *p, const char *end, uint64_t size, breaker_range_t *ret_range,
                       bool *ret_any)
{
    bool ok = true;
    uint64_t first, last = UINT64_MAX;

    if (p != end && *p == '-')
        return read_suffix(p + 1, end, size, ret_range, ret_any);
    first = read_number(&p, end, &ok);
    if (!ok || p == end || *p++ != '-')
        return false;
    if (p != end)
        last = read_number(&p, end, &ok);
    if (!ok || p != end || last < first)
        return false;
    *ret_any = first < size;
    if (*ret_any) {
        ret_range->first = first;
        ret_range->last = last < size ? last : size - 1;
    }
    return true;
}

static bool can_join(const breaker_range_t *a, const breaker_range_t *b)
{
    return a->first <= b->last + 1 && b->first <= a->last + 1;
}

static void widen(breaker_range_t *range, const breaker_range_t *by)
{
    if (by->first < range->first)
        range->first = by->first;
    if (by->last > range->last)
        range->last = by->last;
}

static void remove_at(collected_t *collected, size_t at)
{
    --collected->num;
    memmove(collected->ranges + at, collected->ranges + at + 1,
            (collected->num - at) * sizeof(collected->ranges[0]));
}

/** Adds a range, or joins it with the first that it meets, and that with all it meets then. */
static void collect(collected_t *collected, const breaker_range_t *range)
{
    breaker_range_t *ranges = collected->ranges;
    size_t at = 0;

    while (at != collected->num && !can_join(&ranges[at], range))
        ++at;
    if (at == collected->num) {
        assert(collected->num < BREAKER_RANGES_MAX);
        ranges[collected->num++] = *range;
        return;
    }
    widen(&ranges[at], range);
    /* the others touched each other nowhere, so they can only have come to meet this one, and
     * widening it by one of them does not reach another */
    for (size_t i = at + 1; i < collected->num;)
        if (can_join(&ranges[at], &ranges[i])) {
            widen(&ranges[at], &ranges[i]);
            remove_at(collected, i);
        } else {
            ++i;
        }
}

/** Steps over "bytes=", or returns NULL if the value begins otherwise. */
static const char *skip_unit(const char *p, const char *end)
{
    static const char unit[] = "bytes=";
    size_t len = sizeof(unit) - 1;

    return (size_t)(end - p) >= len && strncasecmp(p, unit, len) == 0 ? p + len : NULL;
}

/**
 * Reads a comma-separated set; empty members do not count (RFC 9110 §5.6.1.2). Returns how many
 * ranges there are, or 0 for what has to be ignored: bad syntax, none, too many.
 */
static size_t read_set(const char *p, const char *end, uint64_t size, collected_t *collected)
{
    size_t num = 0;

    while (p != end) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        const char *member_end = comma != NULL ? comma : end;
        breaker_range_t range;
        bool any;

        p = breaker__skip_ows(p, member_end);
        member_end = breaker__trim_ows(p, member_end);
        if (p != member_end) {
            if (++num > BREAKER_RANGES_MAX || !read_range(p, member_end, size, &range, &any))
                return 0;
            if (any)
                collect(collected, &range);
        }
        p = comma != NULL ? comma + 1 : end;
    }
    return num;
}

breaker_range_verdict_t breaker_range_parse(const char *base, size_t len, uint64_t size,
                                            breaker_range_t *ret_ranges, size_t *ret_num)
{
    collected_t collected = {.num = 0};
    const char *end = base + len, *set = skip_unit(base, end);

    if (set == NULL || read_set(set, end, size, &collected) == 0)
        return BREAKER_RANGE_IGNORE;
    if (collected.num == 0)
        return BREAKER_RANGE_UNSATISFIABLE;
    memcpy(ret_ranges, collected.ranges, collected.num * sizeof(collected.ranges[0]));
    *ret_num = collected.num;
    return BREAKER_RANGE_PARTIAL;
}
