#ifndef BREAKER_LIB_CLUSTER_LOG_H
#define BREAKER_LIB_CLUSTER_LOG_H

/* Lines for the host's log, the same warning at most once a minute. Not installed. */
#include <stdbool.h>
#include <stdint.h>
#include <breaker/cluster.h>
#include <breaker/redis.h>

/** how many different lines are remembered; of more the one said longest ago is forgotten */
#define BREAKER__LOG_LINES 16
#define BREAKER__LOG_EVERY_MS 60000
/** a line with its NUL: a reason of Redis, and what is said around it; longer ones are cut */
#define BREAKER__LOG_LINE_MAX (BREAKER_REDIS_REASON_MAX + 1024)

typedef struct st_breaker__log_t {
    void *data;
    void (*on_log)(void *data, breaker_log_level_t level, const char *line);
    struct {
        uint64_t hash, said_ms;
    } lines[BREAKER__LOG_LINES];
} breaker__log_t;

/**
 * Says a printf-formatted line, control characters replaced, unless it is a warning that was said
 * lately. Returns whether it was said.
 */
bool breaker__log(breaker__log_t *log, uint64_t now_ms, breaker_log_level_t level,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
