#ifndef BREAKER_LIB_CLUSTER_LOG_H
#define BREAKER_LIB_CLUSTER_LOG_H

/* A cluster's lines for the host's log, the same warning at most once a minute. Not installed. */
#include <stdbool.h>
#include <stdint.h>
#include <breaker/cluster.h>
#include <breaker/error.h>
#include <breaker/redis.h>
#include "cluster/agreement.h"

/** how many different lines are remembered; of more the one said longest ago is forgotten */
#define BREAKER__LOG_LINES 16
#define BREAKER__LOG_EVERY_MS 60000
/** a line with its NUL: a reason of Redis, and what is said around it; longer ones are cut */
#define BREAKER__LOG_LINE_MAX (BREAKER_REDIS_REASON_MAX + 1024)

/** Caller's memory; the first four fields are the caller's to set, in a zeroed one. */
typedef struct st_breaker__log_t {
    const char *app; /* borrowed: outlives us */
    void *data;
    /** NULL: nobody listens */
    void (*on_log)(void *data, breaker_log_level_t level, const char *line);
    /** when the first answer is late, on the clock of `now_ms`; 0: it was never to be waited for */
    uint64_t late_ms;
    struct {
        uint64_t hash, said_ms;
    } lines[BREAKER__LOG_LINES];
    /** where the agreement was said to stand */
    breaker__agreement_state_t said_state;
    breaker_token_t said_token;
    /** the release that was said to have our label */
    breaker_release_id_t said_clash;
} breaker__log_t;

/*
 * `now_ms` is of a clock that never goes back, `peer` is what the link talks to.
 */

/**
 * Says a printf-formatted line, control characters replaced, unless it is a warning that was said
 * lately. Returns whether it was said.
 */
bool breaker__log(breaker__log_t *log, uint64_t now_ms, breaker_log_level_t level,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));

/** Something went wrong with Redis or because of it; `what` is one word for programs. */
void breaker__log_trouble(breaker__log_t *log, uint64_t now_ms, const char *what, const char *peer,
                          const char *reason);
/** The script was not answered by what the script answers, or by an error. */
void breaker__log_refusal(breaker__log_t *log, uint64_t now_ms, const char *peer,
                          const breaker_reply_t *reply);
/** The state file could not be read or written. */
void breaker__log_file(breaker__log_t *log, uint64_t now_ms, const breaker_error_t *error);
/**
 * Says where the agreement stands if that is news: one line for each change of state or token. That
 * all is well again is said after every trouble that was said, and only then, so a link that comes
 * and goes is not loud either. A start with a token from the state file is stale until the first
 * answer: that is said only once it is late, with the first event after `late_ms`.
 */
void breaker__log_transition(breaker__log_t *log, uint64_t now_ms, const char *peer,
                             const breaker__agreement_t *agreement);
/**
 * Warns if another release has this token, once ours: the operator gave both the same, or they
 * minted alike.
 */
void breaker__log_conflict(breaker__log_t *log, uint64_t now_ms,
                           const breaker__agreement_t *agreement, const breaker_token_t *token);
/**
 * Warns, once for each, if another release has our label, but not our digest: files or headers were
 * changed under it, or a build does not give the same bytes twice.
 */
void breaker__log_clash(breaker__log_t *log, uint64_t now_ms,
                        const breaker__agreement_t *agreement);

#endif
