/*
 * How a configuration is refused: one line that a person can act on. Everything that reads a value
 * of our own directives goes through here, so that all of them name the place, the key, what was
 * found and what is accepted.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "config/refuse.h"

/* words longer than this are never near to one of ours */
#define WORD_MAX 63

__attribute__((format(printf, 4, 0))) static void
say(const yoml_t *at, const char *key, const char *kind, const char *format, va_list args)
{
    char text[1024];

    /* values come from the file: no control bytes on a terminal, and one line stays one */
    vsnprintf(text, sizeof(text), format, args);
    for (char *p = text; *p != '\0'; ++p)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    fprintf(stderr, "%s:%zu:%zu: %s%s%s%s\n", at->filename != NULL ? at->filename : "-",
            at->line + 1, at->column + 1, kind, key != NULL ? key : "", key != NULL ? ": " : "",
            text);
}

int breaker__refuse(const yoml_t *at, const char *key, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(at, key, "", format, args);
    va_end(args);
    return -1;
}

void breaker__warn(const yoml_t *at, const char *key, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(at, key, "warning: ", format, args);
    va_end(args);
}

const char *breaker__describe(const yoml_t *node)
{
    switch (node->type) {
    case YOML_TYPE_SCALAR:
        return node->data.scalar;
    case YOML_TYPE_SEQUENCE:
        return "a sequence";
    case YOML_TYPE_MAPPING:
        return "a mapping";
    case YOML__TYPE_UNRESOLVED_ALIAS:
        break;
    }
    return "an alias";
}

bool breaker__read_text(const yoml_t *node, const char *key, const char **ret_text)
{
    if (node->type != YOML_TYPE_SCALAR || node->data.scalar[0] == '\0') {
        breaker__refuse(node, key, "got `%s`; accepted: a string that is not empty",
                        breaker__describe(node));
        return false;
    }
    *ret_text = node->data.scalar;
    return true;
}

bool breaker__read_number(const yoml_t *node, const char *key, uint64_t min, uint64_t max,
                          uint64_t *ret_value)
{
    const char *text = node->type == YOML_TYPE_SCALAR ? node->data.scalar : "";
    unsigned long long value = 0;
    char *end = NULL;

    /* strtoull takes blanks and signs; a configuration does not */
    errno = 0;
    if (text[0] >= '0' && text[0] <= '9')
        value = strtoull(text, &end, 10);
    if (end == NULL || *end != '\0' || errno != 0 || value < min || value > max) {
        breaker__refuse(node, key, "got `%s`; accepted: a number from %llu to %llu",
                        breaker__describe(node), (unsigned long long)min, (unsigned long long)max);
        return false;
    }
    *ret_value = value;
    return true;
}

bool breaker__read_switch(const yoml_t *node, const char *key, bool *ret_on)
{
    if (node->type == YOML_TYPE_SCALAR && strcasecmp(node->data.scalar, "ON") == 0) {
        *ret_on = true;
        return true;
    }
    if (node->type == YOML_TYPE_SCALAR && strcasecmp(node->data.scalar, "OFF") == 0) {
        *ret_on = false;
        return true;
    }
    breaker__refuse(node, key, "got `%s`; accepted: ON, OFF", breaker__describe(node));
    return false;
}

/* ---- suggestions ---- */

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

const char *breaker__nearer(const char *word, const char *nearest, const char *candidate)
{
    size_t to_candidate = distance(word, candidate);
    size_t limit = strlen(word) / 4 + 1;

    if (to_candidate > limit)
        return nearest;
    return nearest == NULL || to_candidate < distance(word, nearest) ? candidate : nearest;
}
