#ifndef BREAKER_TESTS_FUZZ_H
#define BREAKER_TESTS_FUZZ_H

/*
 * What the fuzz targets share. A target is a function over one input that asserts a property of
 * the code under test; libFuzzer or driver.c hands it inputs. The bytes end where memory ends, or
 * the sanitizer's red zone begins, so targets hand their last piece on where it lies.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** inputs are at most this long */
#define FUZZ_INPUT_MAX 4096

/** The target: returns 0, or aborts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** A text, not NUL-ended. */
typedef struct st_fuzz_text_t {
    const char *base;
    size_t len;
} fuzz_text_t;

/** Takes a line without its end off the text; returns false, and an empty line, at the end. */
static inline bool fuzz_take_line(fuzz_text_t *rest, fuzz_text_t *line)
{
    const char *newline = rest->len != 0 ? memchr(rest->base, '\n', rest->len) : NULL;
    size_t step = newline != NULL ? (size_t)(newline - rest->base) : rest->len;
    bool any = rest->len != 0;

    *line = (fuzz_text_t){rest->base, step};
    if (newline != NULL)
        ++step;
    rest->base += step;
    rest->len -= step;
    return any;
}

/** Reads a line as a decimal number, modulo 2^64; other bytes are left out. */
static inline uint64_t fuzz_take_number(fuzz_text_t *rest)
{
    fuzz_text_t line;
    uint64_t number = 0;

    fuzz_take_line(rest, &line);
    for (size_t i = 0; i != line.len; ++i)
        if (line.base[i] >= '0' && line.base[i] <= '9')
            number = number * 10 + (uint64_t)(line.base[i] - '0');
    return line.len != 0 && line.base[0] == '-' ? 0 - number : number;
}

#endif
