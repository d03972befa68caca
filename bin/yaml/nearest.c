/*
 * Which word was meant: the nearest one by edits, as long as it is near at all. Two words that are
 * longer than any directive of ours are never compared, so a look takes a bounded time.
 */
#include <stdint.h>
#include <string.h>
#include "yaml/nearest.h"

/* words longer than this are never near to one of ours */
#define WORD_MAX 63

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t min = a < b ? a : b;

    return min < c ? min : c;
}

/* edits from `a` to `b`: insert, delete, replace, or swap two neighbours */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][WORD_MAX + 1], a_len = strlen(a), b_len = strlen(b);

    if (a_len > WORD_MAX || b_len > WORD_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= b_len; ++j)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_len; ++i) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *over = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_len; ++j) {
            row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                over[j - 2] + 1 < row[j])
                row[j] = over[j - 2] + 1;
        }
    }
    return rows[a_len % 3][b_len];
}

const char *breaker__nearest_of(const char *word, const char *nearest, const char *candidate)
{
    size_t to_candidate = distance(word, candidate);
    size_t limit = strlen(word) / 4 + 1;

    if (to_candidate > limit)
        return nearest;
    return nearest == NULL || to_candidate < distance(word, nearest) ? candidate : nearest;
}
