/*
 * How often something may be said. A server that is down for a night must not fill a disk: trouble
 * that was said is not said again for a minute, however often its cause comes back. Different
 * events do not hold each other back, so nothing new is lost.
 */
#include <assert.h>
#include <string.h>
#include "log/log.h"

static const uint64_t HASH_OF_NOTHING = UINT64_C(0xcbf29ce484222325);

static uint64_t hash_more(uint64_t hash, const void *bytes, size_t len)
{
    for (size_t i = 0; i != len; ++i)
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* with its end, so that two texts are not one */
static uint64_t hash_text(uint64_t hash, const char *text)
{
    return hash_more(hash, text, strlen(text) + 1);
}

static uint64_t hash_field(uint64_t hash, const breaker_log_field_t *field)
{
    hash = hash_text(hash, field->key);
    switch (field->type) {
    case BREAKER_LOG_WORD:
    case BREAKER_LOG_TEXT:
        return hash_text(hash, field->text);
    case BREAKER_LOG_NUMBER:
    case BREAKER_LOG_SPAN:
    case BREAKER_LOG_FLAG:
        return hash_more(hash, &field->number, sizeof(field->number));
    case BREAKER_LOG_TIME:
    case BREAKER_LOG_NONE:
        return hash;
    }
    assert(!"a type outside its enum");
    return hash;
}

/* 0 is no event */
static uint64_t hash_of(const breaker_log_event_t *event)
{
    uint64_t hash = hash_text(HASH_OF_NOTHING, event->name);

    for (size_t i = 0; i != event->num_fields; ++i)
        hash = hash_field(hash, event->fields + i);
    return hash | 1;
}

/*
 * Of what happens at one moment one event may carry that moment, and another one said before it a
 * later one, so time must not run backwards here.
 */
static uint64_t newest(breaker__log_t *log, uint64_t now_ms)
{
    if (log->newest_ms < now_ms)
        log->newest_ms = now_ms;
    return log->newest_ms;
}

static bool may_say(breaker__log_t *log, uint64_t now_ms, uint64_t hash)
{
    size_t oldest = 0;

    assert(hash != 0);
    for (size_t i = 0; i != BREAKER__LOG_EVENTS; ++i) {
        assert(log->said[i].said_ms <= now_ms);
        if (log->said[i].hash == hash) {
            if (now_ms - log->said[i].said_ms < BREAKER__LOG_EVERY_MS)
                return false;
            log->said[i].said_ms = now_ms;
            return true;
        }
        if (log->said[i].said_ms < log->said[oldest].said_ms)
            oldest = i;
    }
    log->said[oldest].hash = hash;
    log->said[oldest].said_ms = now_ms;
    return true;
}

bool breaker__log_say(breaker__log_t *log, breaker__moment_t now, const breaker_log_event_t *event)
{
    breaker_log_event_t whole = *event;

    if (log->on_log == NULL)
        return false;
    assert(log->component != NULL);
    if (event->level != BREAKER_LOG_INFO && !may_say(log, newest(log, now.mono_ms), hash_of(event)))
        return false;
    whole.time_ms = now.wall_ms;
    whole.component = log->component;
    whole.app = log->app;
    log->on_log(log->data, &whole);
    return true;
}
