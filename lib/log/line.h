#ifndef BREAKER_LIB_LOG_LINE_H
#define BREAKER_LIB_LOG_LINE_H

/*
 * A line that is being written, in memory that does not grow. Whatever is put is there whole or not
 * at all, and after the first piece that does not fit nothing is, so that the line can always be
 * ended as its grammar wants it. Not installed.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/log.h>

/** "2026-11-26T13:24:43.123Z", with a year of up to six digits */
#define BREAKER__TIME_SIZE 32
/** what no character is */
#define BREAKER__NO_CHARACTER UINT32_MAX

/** Plain value. */
typedef struct st_breaker__line_t {
    char *base; /* borrowed */
    size_t len, max;
    bool is_full;
} breaker__line_t;

/** Begins a line of BREAKER_LOG_LINE_SIZE bytes, with room kept for what ends it. */
breaker__line_t breaker__line_begin(char *dst);
/** Puts bytes. */
void breaker__line_put(breaker__line_t *line, const char *base, size_t len);
/** Puts a NUL-ended text. */
void breaker__line_put_text(breaker__line_t *line, const char *text);
/**
 * Puts a field: `before` the key, `after` it, and then the value by `put_value`, with room for its
 * quotes. A text may be cut; where any other value, or the beginning of a text, has no room,
 * nothing of the field is put.
 */
void breaker__line_put_field(breaker__line_t *line, const char *before, const char *after,
                             void (*put_value)(breaker__line_t *line,
                                               const breaker_log_field_t *field),
                             const breaker_log_field_t *field);
/** Puts what ends something that has been begun, at most three bytes of a line, always. */
void breaker__line_end(breaker__line_t *line, const char *text);
/** Takes back what was put after the first `len` bytes, and ends it there. */
void breaker__line_cut(breaker__line_t *line, size_t len);

/** Writes a moment, in milliseconds since the epoch, as of RFC 3339 in UTC. Returns `dst`. */
const char *breaker__print_time(uint64_t time_ms, char dst[BREAKER__TIME_SIZE]);
/** Writes milliseconds as seconds, "43.2", exact, with one to three digits after the point. */
const char *breaker__print_seconds(uint64_t span_ms, char dst[BREAKER__TIME_SIZE]);

/**
 * The first character of a NUL-ended text that is not empty, in UTF-8 (RFC 3629), and how many
 * bytes it has; BREAKER__NO_CHARACTER of one byte where there is none.
 */
uint32_t breaker__first_character(const char *text, size_t *ret_len);

#endif
