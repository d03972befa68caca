#ifndef BREAKER_LOG_H
#define BREAKER_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What happens to a node, as values: a cluster, and releases that are held, hand events to the
 * host's callbacks, and the host writes them, as lines of text or of JSON, with the functions here
 * or in a way of its own. Which events there are, with which fields: lib/log/README.md.
 */

/** How much an event matters. */
typedef enum en_breaker_log_level_t {
    /** the course of things: joined, a new token, a release is held */
    BREAKER_LOG_INFO,
    /** trouble that the node goes on with */
    BREAKER_LOG_WARNING,
    /** something that was to be done is not, or the process ends */
    BREAKER_LOG_ERROR,
} breaker_log_level_t;

/** What the name of an event names; in text the key that it stands behind. */
typedef enum en_breaker_log_kind_t {
    /** "event": something happened */
    BREAKER_LOG_EVENT,
    /** "state": how things are from now on */
    BREAKER_LOG_STATE,
    /** "trouble": something is wrong */
    BREAKER_LOG_TROUBLE,
} breaker_log_kind_t;

/** What a field's value is. */
typedef enum en_breaker_log_type_t {
    /** there is none */
    BREAKER_LOG_NONE,
    /** a name, a token, an address: text that seldom has a blank in it */
    BREAKER_LOG_WORD,
    /** a sentence, or what others have said */
    BREAKER_LOG_TEXT,
    BREAKER_LOG_NUMBER,
    /** a length of time, in milliseconds */
    BREAKER_LOG_SPAN,
    /** a moment, in milliseconds since the epoch */
    BREAKER_LOG_TIME,
    BREAKER_LOG_FLAG,
} breaker_log_type_t;

/** A field of an event. A plain value; the texts are borrowed. */
typedef struct st_breaker_log_field_t {
    /** of a-z, 0-9 and "-"; none of "time", "level", "component", "app", "event" */
    const char *key;
    breaker_log_type_t type;
    /** of BREAKER_LOG_WORD and BREAKER_LOG_TEXT: any bytes, NUL-ended */
    const char *text;
    /** of the others; of BREAKER_LOG_FLAG 0 or 1 */
    uint64_t number;
} breaker_log_field_t;

/** the most bytes of `component`, of `app` and of `name` each */
#define BREAKER_LOG_NAME_MAX 64

/** An event. A plain value; everything that it points to is borrowed, and good for the call. */
typedef struct st_breaker_log_event_t {
    breaker_log_level_t level;
    /** when, in milliseconds since the epoch */
    uint64_t time_ms;
    /** who says it: "cluster", "holding", or a name of the host's; of a-z, 0-9 and "-" */
    const char *component;
    /** the application that a cluster is of, of a token's alphabet; NULL: none */
    const char *app;
    breaker_log_kind_t kind;
    /** which event, of a-z, 0-9 and "-"; no two kinds of a component share a name */
    const char *name;
    const breaker_log_field_t *fields;
    size_t num_fields;
} breaker_log_event_t;

/**
 * What makes a field of a key, which is borrowed, and a value. A text that is NULL makes one of
 * BREAKER_LOG_NONE. Pure.
 */
BREAKER_EXPORT breaker_log_field_t breaker_log_word(const char *key, const char *text);
/** The same of a sentence, which in a line of text always stands in quotes. */
BREAKER_EXPORT breaker_log_field_t breaker_log_text(const char *key, const char *text);
/** The same of a number. */
BREAKER_EXPORT breaker_log_field_t breaker_log_number(const char *key, uint64_t number);
/** The same of a length of time in milliseconds. */
BREAKER_EXPORT breaker_log_field_t breaker_log_span(const char *key, uint64_t span_ms);
/** The same of a moment in milliseconds since the epoch. */
BREAKER_EXPORT breaker_log_field_t breaker_log_time(const char *key, uint64_t time_ms);
/** The same of a yes or no. */
BREAKER_EXPORT breaker_log_field_t breaker_log_flag(const char *key, bool is_set);

/** A level's name, "info", "warning" or "error"; static. */
BREAKER_EXPORT const char *breaker_log_level_name(breaker_log_level_t level);

/**
 * The size of a line's memory that the functions below fill: with a few bytes before it and a line
 * end after it, it still goes into a pipe in one piece (PIPE_BUF, pipe(7)).
 */
#define BREAKER_LOG_LINE_SIZE 4080

/**
 * Writes an event as a line of text, without a line end, into `dst`, which has room for
 * BREAKER_LOG_LINE_SIZE bytes, and ends it with NUL. Returns its length.
 *
 *   line  = time SP level SP "breaker:" SP component [SP "app=" word] SP kind "=" name *(SP field)
 *   field = key "=" (word / quoted)
 *
 * The time is in UTC, "2026-11-26T13:24:43.123Z" (RFC 3339), the kind "event", "state" or
 * "trouble". A word is one byte or more without a blank, a quote, "=" or "\"; a quoted one stands
 * in double quotes, a quote or "\" in it after "\". Numbers are decimal, lengths of time seconds
 * ("43.2s"), flags "yes" and "no"; a value that is not there is "-", and one that is this text is
 * quoted. Control characters (below U+0020, U+007F to U+009F), and bytes that are no UTF-8, become
 * "?". What does not fit is left out: the end of a text, and the fields after it. Any thread.
 */
BREAKER_EXPORT size_t breaker_log_print_text(const breaker_log_event_t *event, char *dst);

/**
 * Writes an event as an object of JSON (RFC 8259) on one line, like `breaker_log_print_text`: the
 * members "time", "level", "component", "app" where there is one, "event" with the name of the
 * event, and then one for each field: strings, times among them, numbers, lengths of time as
 * numbers of seconds, true and false, and null for what is not there. Control characters are
 * escaped, and bytes that are no UTF-8 become U+FFFD. What does not fit is left out as in text; the
 * object is whole nevertheless. Any thread.
 */
BREAKER_EXPORT size_t breaker_log_print_json(const breaker_log_event_t *event, char *dst);

#ifdef __cplusplus
}
#endif

#endif
