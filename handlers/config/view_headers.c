/*
 * The headers that a view adds. Each text is checked where it stands, so that a complaint names its
 * line and not the view's.
 */
#include <string.h>
#include "config/view_headers.h"

#define KEYS "match, set"

/* what is being read */
typedef struct st_reading_t {
    breaker__view_headers_t *headers; /* borrowed */
    size_t num_plain, num_matched;
    /* of the entry */
    const char *pattern;
    const yoml_t *set;
} reading_t;

/* an option whose value is one that stands within another's */
static breaker__option_t option_within(const breaker__option_t *option, const yoml_t *node)
{
    return (breaker__option_t){option->directive, option->key, node, option->key_node};
}

static int read_header(const breaker__option_t *option, const reading_t *reading,
                       const char **ret_header)
{
    const yoml_t *node = option->node;

    if (reading->num_plain + reading->num_matched == BREAKER_VIEW_HEADERS_MAX)
        return breaker__option_fail(option, "got one header more; accepted: %d of a view",
                                    BREAKER_VIEW_HEADERS_MAX);
    if (node->type != YOML_TYPE_SCALAR || !breaker_is_header(node->data.scalar))
        return breaker__option_fail(
            option,
            "got `%s`; accepted: \"Name: value\" of at most %d bytes, without control characters "
            "and with none of the names that the server sets itself",
            breaker__option_describe(node), BREAKER_VIEW_HEADER_MAX);
    *ret_header = node->data.scalar;
    return 0;
}

static int read_pattern(const breaker__option_t *option, const char **ret_pattern)
{
    if (option->node->type != YOML_TYPE_SCALAR || !breaker_is_pattern(option->node->data.scalar))
        return breaker__option_fail(
            option,
            "got `%s`; accepted: a pattern such as *.js, /*.html or js/**, of at most %d bytes, "
            "without empty segments and a slash at its end, { and } after a backslash only",
            breaker__option_describe(option->node), BREAKER_VIEW_PATTERN_MAX);
    *ret_pattern = option->node->data.scalar;
    return 0;
}

static int read_key(const breaker__option_t *option, void *data)
{
    reading_t *reading = data;

    if (strcmp(option->key, "match") == 0)
        return read_pattern(option, &reading->pattern);
    if (strcmp(option->key, "set") != 0)
        return breaker__option_unknown(option, KEYS);
    reading->set = option->node;
    return 0;
}

static int add_matched(const breaker__option_t *option, reading_t *reading, const yoml_t *node)
{
    const breaker__option_t one = option_within(option, node);
    breaker_matched_header_t *matched = reading->headers->matched + reading->num_matched;
    const char *header = NULL;

    if (read_header(&one, reading, &header) != 0)
        return -1;
    *matched = (breaker_matched_header_t){reading->pattern, header};
    ++reading->num_matched;
    return 0;
}

/* {match: ..., set: ...} */
static int read_entry(const breaker__option_t *option, reading_t *reading)
{
    const breaker__option_t set = {option->key, "set", NULL, option->key_node};

    reading->pattern = NULL;
    reading->set = NULL;
    if (breaker__option_each(option, KEYS, read_key, reading) != 0)
        return -1;
    if (reading->pattern == NULL || reading->set == NULL)
        return breaker__option_missing(option, reading->pattern == NULL ? "match" : "set");
    if (reading->set->type != YOML_TYPE_SEQUENCE)
        return add_matched(&set, reading, reading->set);
    if (reading->set->data.sequence.size == 0) {
        const breaker__option_t empty = option_within(&set, reading->set);
        return breaker__option_fail(&empty,
                                    "got an empty sequence; accepted: \"Name: value\", or a "
                                    "sequence of such");
    }
    for (size_t i = 0; i != reading->set->data.sequence.size; ++i)
        if (add_matched(&set, reading, reading->set->data.sequence.elements[i]) != 0)
            return -1;
    return 0;
}

static int read_element(const breaker__option_t *option, reading_t *reading)
{
    const char *header = NULL;

    if (option->node->type == YOML_TYPE_MAPPING)
        return read_entry(option, reading);
    if (read_header(option, reading, &header) != 0)
        return -1;
    reading->headers->plain[reading->num_plain++] = header;
    return 0;
}

int breaker__view_headers_read(const breaker__option_t *option, breaker__view_headers_t *headers,
                               breaker_view_config_t *config)
{
    const yoml_sequence_t *sequence = &option->node->data.sequence;
    reading_t reading = {.headers = headers};

    if (option->node->type != YOML_TYPE_SEQUENCE)
        return breaker__option_fail(option,
                                    "got `%s`; accepted: a sequence of strings \"Name: value\" and "
                                    "mappings {match: PATTERN, set: \"Name: value\"}",
                                    breaker__option_describe(option->node));
    for (size_t i = 0; i != sequence->size; ++i) {
        const breaker__option_t element = option_within(option, sequence->elements[i]);
        if (read_element(&element, &reading) != 0)
            return -1;
    }
    config->headers = headers->plain;
    config->num_headers = reading.num_plain;
    config->matched_headers = headers->matched;
    config->num_matched_headers = reading.num_matched;
    return 0;
}
