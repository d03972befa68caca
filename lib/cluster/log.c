/*
 * What a cluster says. A server that is down for a night must not fill a disk: a warning that was
 * said is not said again for a minute, however often its cause comes back. Different lines do not
 * hold each other back, so nothing new is lost.
 */
#include <stdarg.h>
#include <stdio.h>
#include "cluster/log.h"

static uint64_t hash_of(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *text != '\0'; ++text)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    /* 0 is no line */
    return hash | 1;
}

static bool may_say(breaker__log_t *log, uint64_t now_ms, uint64_t hash)
{
    size_t oldest = 0;

    for (size_t i = 0; i != BREAKER__LOG_LINES; ++i) {
        if (log->lines[i].hash == hash) {
            if (now_ms - log->lines[i].said_ms < BREAKER__LOG_EVERY_MS)
                return false;
            log->lines[i].said_ms = now_ms;
            return true;
        }
        if (log->lines[i].said_ms < log->lines[oldest].said_ms)
            oldest = i;
    }
    log->lines[oldest].hash = hash;
    log->lines[oldest].said_ms = now_ms;
    return true;
}

bool breaker__log(breaker__log_t *log, uint64_t now_ms, breaker_log_level_t level,
                  const char *format, ...)
{
    char line[BREAKER__LOG_LINE_MAX];
    va_list args;

    if (log->on_log == NULL)
        return false;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    for (char *at = line; *at != '\0'; ++at)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    if (level == BREAKER_LOG_WARNING && !may_say(log, now_ms, hash_of(line)))
        return false;
    log->on_log(log->data, level, line);
    return true;
}
