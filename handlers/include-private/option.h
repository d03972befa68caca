#ifndef BREAKER_OPTION_H
#define BREAKER_OPTION_H

/*
 * The options of our directives, in the handlers and in the server: how a value of a configuration
 * file is read, and how it is refused. Every function that returns an int returns 0, or -1 after
 * one line on stderr:
 *
 *     h2o.conf:7:17: breaker.static: retry-after: got `0`; accepted: seconds from 1 to 3600
 *
 * Outputs are left alone on failure. Configuring thread. Not installed.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <yoml.h>

/** A value, and what it is called in complaints. All borrowed. */
typedef struct st_breaker__option_t {
    /** the directive whose mapping the key stands in; NULL where the key is the directive itself */
    const char *directive;
    /** NULL where there is no key to name */
    const char *key;
    /** the value */
    const yoml_t *node;
    /** where the key stands; NULL where it is the directive itself */
    const yoml_t *key_node;
} breaker__option_t;

/**
 * Where complaints go: a line without a line end to stderr. Weak, so that a program that is linked
 * with these objects may have a function of its own in its place.
 */
void breaker__option_tell(bool is_warning, const char *line);

/** Says what is wrong, in a format of printf(3), and returns -1. Control bytes become `?`. */
int breaker__option_fail(const breaker__option_t *option, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Says so with "warning" in front, and nothing is refused. */
void breaker__option_warn(const breaker__option_t *option, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Says what was got and what is accepted; returns -1. Not for values that may be a secret. */
int breaker__option_refuse(const breaker__option_t *option, const char *accepted);

/** Refuses the key, at its place, without a word about its value; `keys` are those accepted. */
int breaker__option_unknown(const breaker__option_t *option, const char *keys);

/** Says that a key is missing in a mapping; returns -1. */
int breaker__option_missing(const breaker__option_t *option, const char *key);

/** What stands at a node, for messages: a scalar's text, or "a mapping" and so on. Never NULL. */
const char *breaker__option_describe(const yoml_t *node);

/**
 * Reads a mapping: `read_one(&entry, data)` for each of its pairs in the order of the file, until
 * one fails. A value that is no mapping, and a key that is no scalar, are refused with `keys`.
 */
int breaker__option_each(const breaker__option_t *option, const char *keys,
                         int (*read_one)(const breaker__option_t *entry, void *data), void *data);

/** A string that is not empty, as long as the file's tree. */
int breaker__option_text(const breaker__option_t *option, const char **ret_text);

/** The same in memory of the caller's (free(3)), in the place of what `*slot` owned before. */
int breaker__option_copy(const breaker__option_t *option, char **slot);

/** A string that is not empty, or OFF, in any case, for NULL. */
int breaker__option_optional(const breaker__option_t *option, const char **ret_text);

/** ON or OFF, in any case. */
int breaker__option_switch(const breaker__option_t *option, bool *ret_on);

/** The same where something else is accepted, too; `others` says what, for complaints. */
int breaker__option_switch_or(const breaker__option_t *option, const char *others, bool *ret_on);

/** One of `num` names, at most 8; `*ret_index` says which. */
int breaker__option_choice(const breaker__option_t *option, const char *const *names, size_t num,
                           size_t *ret_index);

/** A decimal number of `min` to `max`; `unit` is what complaints call it, "seconds" say. */
int breaker__option_number(const breaker__option_t *option, const char *unit, uint64_t min,
                           uint64_t max, uint64_t *ret_value);

/**
 * A span of time, in milliseconds, at most a day: seconds without a unit, or with ms, s, m, h or d
 * after the number.
 */
int breaker__option_span(const breaker__option_t *option, uint32_t *ret_ms);
/** The same with bounds of its own; `max_ms` is whole seconds. */
int breaker__option_span_within(const breaker__option_t *option, uint32_t min_ms, uint32_t max_ms,
                                uint32_t *ret_ms);

/** Whole seconds of `min_s` to `max_s`, without a unit or with one of the same. */
int breaker__option_seconds(const breaker__option_t *option, uint64_t min_s, uint64_t max_s,
                            uint64_t *ret_s);

/** The same of directives of libh2o's whose numbers are milliseconds, from 0. */
int breaker__option_milliseconds(const breaker__option_t *option, uint64_t max_ms,
                                 uint64_t *ret_ms);

/** Bytes of `min` to `max`, without a unit or in KB, MB, GB (of 1000), KiB, MiB or GiB. */
int breaker__option_size(const breaker__option_t *option, uint64_t min, uint64_t max,
                         uint64_t *ret_size);

/** A span of time that may be long, in milliseconds: seconds without a unit, or with ms, s, m, h or
 * d. */
int breaker__option_age(const breaker__option_t *option, uint64_t max_ms, uint64_t *ret_ms);

#endif
