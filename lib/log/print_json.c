/*
 * An event as a line of JSON, for programs. Whatever has been said, the line is one object that a
 * strict parser takes.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <breaker/log.h>
#include "log/line.h"

/* what JSON wants escaped, and what may mean something to a terminal */
static bool is_escaped(uint32_t character)
{
    return character < 0x20 || character == '"' || character == '\\' ||
           (character >= 0x7f && character < 0xa0);
}

static void put_escaped(breaker__line_t *line, uint32_t character)
{
    char escaped[8];

    snprintf(escaped, sizeof(escaped), "\\u%04x", (unsigned)character & 0xffff);
    breaker__line_put(line, escaped, 6);
}

static void put_character(breaker__line_t *line, uint32_t character, const char *bytes, size_t len)
{
    char escaped[2] = {'\\', *bytes};

    if (character == BREAKER__NO_CHARACTER)
        put_escaped(line, 0xfffd);
    else if (character == '"' || character == '\\')
        breaker__line_put(line, escaped, sizeof(escaped));
    else if (is_escaped(character))
        put_escaped(line, character);
    else
        breaker__line_put(line, bytes, len);
}

static void put_string(breaker__line_t *line, const char *text)
{
    size_t len;

    breaker__line_put(line, "\"", 1);
    for (; *text != '\0'; text += len) {
        uint32_t character = breaker__first_character(text, &len);
        put_character(line, character, text, len);
    }
    breaker__line_end(line, "\"");
}

static void put_time(breaker__line_t *line, uint64_t time_ms)
{
    char text[BREAKER__TIME_SIZE];

    breaker__line_put(line, "\"", 1);
    breaker__line_put_text(line, breaker__print_time(time_ms, text));
    breaker__line_put(line, "\"", 1);
}

static void put_value(breaker__line_t *line, const breaker_log_field_t *field)
{
    char text[BREAKER__TIME_SIZE];

    switch (field->type) {
    case BREAKER_LOG_NONE:
        breaker__line_put_text(line, "null");
        break;
    case BREAKER_LOG_WORD:
    case BREAKER_LOG_TEXT:
        put_string(line, field->text);
        break;
    case BREAKER_LOG_NUMBER:
        snprintf(text, sizeof(text), "%llu", (unsigned long long)field->number);
        breaker__line_put_text(line, text);
        break;
    case BREAKER_LOG_SPAN:
        breaker__line_put_text(line, breaker__print_seconds(field->number, text));
        break;
    case BREAKER_LOG_TIME:
        put_time(line, field->number);
        break;
    case BREAKER_LOG_FLAG:
        breaker__line_put_text(line, field->number != 0 ? "true" : "false");
        break;
    }
}

static void put_member(breaker__line_t *line, const breaker_log_field_t *field)
{
    breaker__line_put_field(line, ",\"", "\":", put_value, field);
}

size_t breaker_log_print_json(const breaker_log_event_t *event, char *dst)
{
    const breaker_log_field_t head[] = {
        breaker_log_word("level", breaker_log_level_name(event->level)),
        breaker_log_word("component", event->component), breaker_log_word("app", event->app),
        breaker_log_word("event", event->name)};
    breaker__line_t line = breaker__line_begin(dst);

    assert(strlen(event->component) <= BREAKER_LOG_NAME_MAX);
    assert(strlen(event->name) <= BREAKER_LOG_NAME_MAX);
    assert(event->app == NULL || strlen(event->app) <= BREAKER_LOG_NAME_MAX);
    breaker__line_put_text(&line, "{\"time\":");
    put_time(&line, event->time_ms);
    for (size_t i = 0; i != sizeof(head) / sizeof(head[0]); ++i)
        if (head[i].type != BREAKER_LOG_NONE)
            put_member(&line, head + i);
    assert(!line.is_full);
    for (size_t i = 0; i != event->num_fields; ++i)
        put_member(&line, event->fields + i);
    breaker__line_end(&line, "}");
    return line.len;
}
