/*
 * How a value of the configuration is read, and how it is refused: one line that a person can act
 * on. Whatever reads a value of a directive of ours goes through here, in the handlers and in the
 * server, so that all of them name the place, the key, what was found and what is accepted.
 */
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <h2o.h>
#include <breaker/error.h>
#include <option.h>

/* names of a choice, and the bytes that they take in a complaint */
#define CHOICES_MAX 8
#define CHOICES_TEXT_MAX 256
/* what is shown of a value */
#define SHOWN_MAX 200
#define DAY_MS (24u * 60 * 60 * 1000)

/* ---- complaints ---- */

__attribute__((weak)) void breaker__option_tell(bool is_warning, const char *line)
{
    (void)is_warning;
    fprintf(stderr, "%s\n", line);
}

/* values come from the file: the error's line has no control bytes, and one line stays one */
static void say(const breaker__option_t *option, const yoml_t *at, bool is_warning,
                const char *what)
{
    breaker_error_t line;

    breaker_error_set(&line, BREAKER_ERR_RANGE, "%s:%zu:%zu: %s%s%s%s%s%s",
                      at->filename != NULL ? at->filename : "-", at->line + 1, at->column + 1,
                      is_warning ? "warning: " : "",
                      option->directive != NULL ? option->directive : "",
                      option->directive != NULL ? ": " : "", option->key != NULL ? option->key : "",
                      option->key != NULL ? ": " : "", what);
    breaker__option_tell(is_warning, line.message);
}

int breaker__option_fail(const breaker__option_t *option, const char *format, ...)
{
    char what[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    say(option, option->node, false, what);
    return -1;
}

void breaker__option_warn(const breaker__option_t *option, const char *format, ...)
{
    char what[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    say(option, option->node, true, what);
}

int breaker__option_refuse(const breaker__option_t *option, const char *accepted)
{
    const char *got = breaker__option_describe(option->node);
    int len = (int)strnlen(got, SHOWN_MAX + 1);
    bool is_long = len > SHOWN_MAX;

    /* not within a character of UTF-8 */
    for (len -= is_long; is_long && len != 0 && ((unsigned char)got[len] & 0xc0) == 0x80;)
        --len;
    return breaker__option_fail(option, "got `%.*s%s`; accepted: %s", len, got,
                                is_long ? "..." : "", accepted);
}

/* the same, with what is accepted in a format of printf(3) */
__attribute__((format(printf, 2, 3))) static int refuse(const breaker__option_t *option,
                                                        const char *format, ...)
{
    char accepted[512];
    va_list args;

    va_start(args, format);
    vsnprintf(accepted, sizeof(accepted), format, args);
    va_end(args);
    return breaker__option_refuse(option, accepted);
}

int breaker__option_unknown(const breaker__option_t *option, const char *keys)
{
    const breaker__option_t at_key = {NULL, option->directive, option->key_node, NULL};

    assert(option->key_node != NULL);
    return breaker__option_fail(&at_key, "unknown key `%s`; accepted: %s",
                                breaker__option_describe(option->key_node), keys);
}

int breaker__option_missing(const breaker__option_t *option, const char *key)
{
    return breaker__option_fail(option, "the mandatory key `%s` is missing", key);
}

const char *breaker__option_describe(const yoml_t *node)
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

/* ---- values ---- */

/* "" for what is no scalar, which no reader accepts */
static const char *text_of(const breaker__option_t *option)
{
    return option->node->type == YOML_TYPE_SCALAR ? option->node->data.scalar : "";
}

int breaker__option_each(const breaker__option_t *option, const char *keys,
                         int (*read_one)(const breaker__option_t *entry, void *data), void *data)
{
    const yoml_mapping_t *mapping = &option->node->data.mapping;

    if (option->node->type != YOML_TYPE_MAPPING)
        return refuse(option, "a mapping with %s", keys);
    for (size_t i = 0; i != mapping->size; ++i) {
        const yoml_t *key = mapping->elements[i].key;
        const breaker__option_t entry = {option->key, breaker__option_describe(key),
                                         mapping->elements[i].value, key};
        if (key->type != YOML_TYPE_SCALAR)
            return breaker__option_unknown(&entry, keys);
        if (read_one(&entry, data) != 0)
            return -1;
    }
    return 0;
}

static int check_text(const breaker__option_t *option)
{
    return text_of(option)[0] != '\0'
               ? 0
               : breaker__option_refuse(option, "a string that is not empty");
}

int breaker__option_text(const breaker__option_t *option, const char **ret_text)
{
    if (check_text(option) != 0)
        return -1;
    *ret_text = text_of(option);
    return 0;
}

int breaker__option_copy(const breaker__option_t *option, char **slot)
{
    if (check_text(option) != 0)
        return -1;
    free(*slot);
    *slot = h2o_strdup(NULL, text_of(option), SIZE_MAX).base;
    return 0;
}

int breaker__option_optional(const breaker__option_t *option, const char **ret_text)
{
    if (check_text(option) != 0)
        return -1;
    *ret_text = strcasecmp(text_of(option), "OFF") != 0 ? text_of(option) : NULL;
    return 0;
}

static int read_switch(const breaker__option_t *option, bool *ret_on)
{
    bool is_on = strcasecmp(text_of(option), "ON") == 0;

    if (!is_on && strcasecmp(text_of(option), "OFF") != 0)
        return -1;
    *ret_on = is_on;
    return 0;
}

int breaker__option_switch(const breaker__option_t *option, bool *ret_on)
{
    return read_switch(option, ret_on) == 0 ? 0 : breaker__option_refuse(option, "ON, OFF");
}

int breaker__option_switch_or(const breaker__option_t *option, const char *others, bool *ret_on)
{
    if (read_switch(option, ret_on) == 0)
        return 0;
    return refuse(option, "ON, OFF, %s", others);
}

static int refuse_choice(const breaker__option_t *option, const char *const *names, size_t num)
{
    char accepted[CHOICES_TEXT_MAX];
    size_t len = 0;

    for (size_t i = 0; i != num; ++i) {
        len += (size_t)snprintf(accepted + len, sizeof(accepted) - len, "%s%s", i != 0 ? ", " : "",
                                names[i]);
        assert(len < sizeof(accepted));
    }
    return breaker__option_refuse(option, accepted);
}

int breaker__option_choice(const breaker__option_t *option, const char *const *names, size_t num,
                           size_t *ret_index)
{
    assert(num != 0);
    assert(num <= CHOICES_MAX);
    for (size_t i = 0; i != num; ++i)
        if (strcmp(text_of(option), names[i]) == 0) {
            *ret_index = i;
            return 0;
        }
    return refuse_choice(option, names, num);
}

/* the digits that a text begins with, and where they end; strtoull alone takes blanks and signs */
static bool parse_number(const char *text, uint64_t *ret_value, const char **ret_end)
{
    unsigned long long value;
    char *end;

    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno != 0)
        return false;
    *ret_value = value;
    *ret_end = end;
    return true;
}

int breaker__option_number(const breaker__option_t *option, const char *unit, uint64_t min,
                           uint64_t max, uint64_t *ret_value)
{
    uint64_t value;
    const char *end;

    assert(min <= max);
    if (!parse_number(text_of(option), &value, &end) || *end != '\0' || value < min || value > max)
        return refuse(option, "%s from %llu to %llu", unit, (unsigned long long)min,
                      (unsigned long long)max);
    *ret_value = value;
    return 0;
}

typedef struct st_unit_t {
    const char *name;
    uint64_t value;
} unit_t;

/* a number and what stands after it, one of `units`; what it comes to is at most `max` */
static bool read_quantity(const breaker__option_t *option, const unit_t *units, size_t num_units,
                          uint64_t max, uint64_t *ret_value)
{
    uint64_t value;
    const char *end;

    if (!parse_number(text_of(option), &value, &end))
        return false;
    for (size_t i = 0; i != num_units; ++i) {
        if (strcmp(end, units[i].name) != 0)
            continue;
        assert(units[i].value != 0);
        if (value > max / units[i].value)
            return false;
        *ret_value = value * units[i].value;
        return true;
    }
    return false;
}

/* the units of every time; a number alone is so many times `alone_ms` */
static bool read_time(const breaker__option_t *option, uint64_t alone_ms, uint64_t max_ms,
                      uint64_t *ret_ms)
{
    const unit_t units[] = {{"", alone_ms},        {"ms", 1},    {"s", 1000}, {"m", 60 * 1000},
                            {"h", 60 * 60 * 1000}, {"d", DAY_MS}};

    return read_quantity(option, units, sizeof(units) / sizeof(units[0]), max_ms, ret_ms);
}

static bool read_span(const breaker__option_t *option, uint32_t min_ms, uint32_t max_ms,
                      uint32_t *ret_ms)
{
    uint64_t span_ms;

    if (!read_time(option, 1000, max_ms, &span_ms) || span_ms < min_ms)
        return false;
    *ret_ms = (uint32_t)span_ms;
    return true;
}

int breaker__option_span(const breaker__option_t *option, uint32_t *ret_ms)
{
    if (read_span(option, 0, DAY_MS, ret_ms))
        return 0;
    return breaker__option_refuse(option, "seconds, as 30, 30s, 1500ms, 5m or 1h, at most a day");
}

int breaker__option_span_within(const breaker__option_t *option, uint32_t min_ms, uint32_t max_ms,
                                uint32_t *ret_ms)
{
    assert(min_ms <= max_ms);
    if (read_span(option, min_ms, max_ms, ret_ms))
        return 0;
    return refuse(option, "seconds, as 30, 30s or 1500ms, from %ums to %us", min_ms, max_ms / 1000);
}

int breaker__option_seconds(const breaker__option_t *option, uint64_t min_s, uint64_t max_s,
                            uint64_t *ret_s)
{
    uint64_t value_ms;

    assert(min_s <= max_s);
    assert(max_s <= UINT64_MAX / 1000);
    if (!read_time(option, 1000, max_s * 1000, &value_ms) || value_ms % 1000 != 0 ||
        value_ms / 1000 < min_s)
        return refuse(option, "seconds from %llu to %llu, as 90, 90s, 2m, 1h or 1d",
                      (unsigned long long)min_s, (unsigned long long)max_s);
    *ret_s = value_ms / 1000;
    return 0;
}

int breaker__option_milliseconds(const breaker__option_t *option, uint64_t max_ms, uint64_t *ret_ms)
{
    if (read_time(option, 1, max_ms, ret_ms))
        return 0;
    return refuse(option, "milliseconds from 0 to %llu, as 500, 500ms, 30s or 5m",
                  (unsigned long long)max_ms);
}

int breaker__option_size(const breaker__option_t *option, uint64_t min, uint64_t max,
                         uint64_t *ret_size)
{
    static const unit_t units[] = {{"", 1},
                                   {"KB", 1000},
                                   {"MB", 1000 * 1000},
                                   {"GB", 1000 * 1000 * 1000},
                                   {"KiB", UINT64_C(1) << 10},
                                   {"MiB", UINT64_C(1) << 20},
                                   {"GiB", UINT64_C(1) << 30}};
    uint64_t size;

    if (!read_quantity(option, units, sizeof(units) / sizeof(units[0]), max, &size) || size < min)
        return refuse(option, "bytes from %llu to %llu, as 1048576, 1024KiB, 1MiB, 1GiB or 1GB",
                      (unsigned long long)min, (unsigned long long)max);
    *ret_size = size;
    return 0;
}

int breaker__option_age(const breaker__option_t *option, uint64_t max_ms, uint64_t *ret_ms)
{
    if (read_time(option, 1000, max_ms, ret_ms))
        return 0;
    return refuse(option, "a time, as 90s, 30m, 12h or 7d, at most %llud",
                  (unsigned long long)(max_ms / DAY_MS));
}
