/*
 * An event as a line of text, for people and grep. What others have said goes in between quotes and
 * never ends a line, reaches a terminal's controls, or looks like a field of ours.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <breaker/log.h>
#include "log/line.h"

static bool is_control(uint32_t character)
{
    return character < 0x20 || (character >= 0x7f && character < 0xa0) ||
           character == BREAKER__NO_CHARACTER;
}

/* what stands without quotes: it ends at a blank, and is none of ours */
static bool is_bare(const char *text)
{
    return text[0] != '\0' && strcmp(text, "-") != 0 && strpbrk(text, " \"\\=") == NULL;
}

static void put_characters(breaker__line_t *line, const char *text)
{
    size_t len;

    for (; *text != '\0'; text += len) {
        uint32_t character = breaker__first_character(text, &len);
        char escaped[2] = {'\\', *text};
        if (is_control(character))
            breaker__line_put(line, "?", 1);
        else if (character == '"' || character == '\\')
            breaker__line_put(line, escaped, sizeof(escaped));
        else
            breaker__line_put(line, text, len);
    }
}

static void put_string(breaker__line_t *line, const char *text, bool is_quoted)
{
    if (is_quoted)
        breaker__line_put(line, "\"", 1);
    put_characters(line, text);
    if (is_quoted)
        breaker__line_end(line, "\"");
}

static void put_seconds(breaker__line_t *line, uint64_t span_ms)
{
    char text[BREAKER__TIME_SIZE];

    breaker__line_put_text(line, breaker__print_seconds(span_ms, text));
    breaker__line_put(line, "s", 1);
}

static void put_value(breaker__line_t *line, const breaker_log_field_t *field)
{
    char text[BREAKER__TIME_SIZE];

    switch (field->type) {
    case BREAKER_LOG_NONE:
        breaker__line_put(line, "-", 1);
        break;
    case BREAKER_LOG_WORD:
        put_string(line, field->text, !is_bare(field->text));
        break;
    case BREAKER_LOG_TEXT:
        put_string(line, field->text, true);
        break;
    case BREAKER_LOG_NUMBER:
        snprintf(text, sizeof(text), "%llu", (unsigned long long)field->number);
        breaker__line_put_text(line, text);
        break;
    case BREAKER_LOG_SPAN:
        put_seconds(line, field->number);
        break;
    case BREAKER_LOG_TIME:
        breaker__line_put_text(line, breaker__print_time(field->number, text));
        break;
    case BREAKER_LOG_FLAG:
        breaker__line_put_text(line, field->number != 0 ? "yes" : "no");
        break;
    }
}

static const char *key_of(breaker_log_kind_t kind)
{
    switch (kind) {
    case BREAKER_LOG_EVENT:
        return "event";
    case BREAKER_LOG_STATE:
        return "state";
    case BREAKER_LOG_TROUBLE:
        return "trouble";
    }
    assert(!"a kind outside its enum");
    return "";
}

static void put_head(breaker__line_t *line, const breaker_log_event_t *event)
{
    char time[BREAKER__TIME_SIZE];

    breaker__line_put_text(line, breaker__print_time(event->time_ms, time));
    breaker__line_put(line, " ", 1);
    breaker__line_put_text(line, breaker_log_level_name(event->level));
    breaker__line_put_text(line, " breaker: ");
    breaker__line_put_text(line, event->component);
    if (event->app != NULL) {
        breaker__line_put_text(line, " app=");
        breaker__line_put_text(line, event->app);
    }
    breaker__line_put(line, " ", 1);
    breaker__line_put_text(line, key_of(event->kind));
    breaker__line_put(line, "=", 1);
    breaker__line_put_text(line, event->name);
}

size_t breaker_log_print_text(const breaker_log_event_t *event, char *dst)
{
    breaker__line_t line = breaker__line_begin(dst);

    assert(strlen(event->component) <= BREAKER_LOG_NAME_MAX);
    assert(strlen(event->name) <= BREAKER_LOG_NAME_MAX);
    assert(event->app == NULL || strlen(event->app) <= BREAKER_LOG_NAME_MAX);
    put_head(&line, event);
    assert(!line.is_full);
    for (size_t i = 0; i != event->num_fields; ++i)
        breaker__line_put_field(&line, " ", "=", put_value, event->fields + i);
    breaker__line_end(&line, "");
    return line.len;
}
