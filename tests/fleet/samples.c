/* Times that were measured; see samples.h. */
#include <assert.h>
#include <stdlib.h>
#include "samples.h"

enum { ROOM_AT_FIRST = 4096 };

static void grow(samples_t *samples)
{
    size_t room = samples->room != 0 ? 2 * samples->room : ROOM_AT_FIRST;
    uint32_t *values = realloc(samples->values, room * sizeof(*values));

    if (values == NULL)
        abort();
    samples->values = values;
    samples->room = room;
}

void samples_add(samples_t *samples, uint64_t value)
{
    uint32_t kept = value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;

    assert(samples->num <= samples->room);
    if (kept > samples->max)
        samples->max = kept;
    if (samples->num == SAMPLES_MAX)
        return;
    if (samples->num == samples->room)
        grow(samples);
    samples->values[samples->num++] = kept;
}

void samples_clear(samples_t *samples)
{
    samples->num = 0;
    samples->max = 0;
}

void samples_dispose(samples_t *samples)
{
    free(samples->values);
    *samples = (samples_t){.num = 0};
}

static int compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return left < right ? -1 : left > right;
}

uint32_t samples_percentile(samples_t *samples, unsigned percent)
{
    assert(percent >= 1 && percent <= 100);
    if (samples->num == 0)
        return 0;
    qsort(samples->values, samples->num, sizeof(samples->values[0]), compare);
    return samples->values[(samples->num * percent + 99) / 100 - 1];
}
