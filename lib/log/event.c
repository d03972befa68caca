/*
 * Events as values: how fields are made, and what levels are called. A text that is missing makes a
 * value that is not there, so that callers need not tell the two apart.
 */
#include <assert.h>
#include <breaker/log.h>

static breaker_log_field_t make_text(const char *key, breaker_log_type_t type, const char *text)
{
    assert(key != NULL);
    return (breaker_log_field_t){
        .key = key, .type = text != NULL ? type : BREAKER_LOG_NONE, .text = text};
}

static breaker_log_field_t make_number(const char *key, breaker_log_type_t type, uint64_t number)
{
    assert(key != NULL);
    return (breaker_log_field_t){.key = key, .type = type, .number = number};
}

breaker_log_field_t breaker_log_word(const char *key, const char *text)
{
    return make_text(key, BREAKER_LOG_WORD, text);
}

breaker_log_field_t breaker_log_text(const char *key, const char *text)
{
    return make_text(key, BREAKER_LOG_TEXT, text);
}

breaker_log_field_t breaker_log_number(const char *key, uint64_t number)
{
    return make_number(key, BREAKER_LOG_NUMBER, number);
}

breaker_log_field_t breaker_log_span(const char *key, uint64_t span_ms)
{
    return make_number(key, BREAKER_LOG_SPAN, span_ms);
}

breaker_log_field_t breaker_log_time(const char *key, uint64_t time_ms)
{
    return make_number(key, BREAKER_LOG_TIME, time_ms);
}

breaker_log_field_t breaker_log_flag(const char *key, bool is_set)
{
    return make_number(key, BREAKER_LOG_FLAG, is_set);
}

const char *breaker_log_level_name(breaker_log_level_t level)
{
    switch (level) {
    case BREAKER_LOG_INFO:
        return "info";
    case BREAKER_LOG_WARNING:
        return "warning";
    case BREAKER_LOG_ERROR:
        return "error";
    }
    assert(!"a level outside its enum");
    return "";
}
