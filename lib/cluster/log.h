#ifndef BREAKER_LIB_CLUSTER_LOG_H
#define BREAKER_LIB_CLUSTER_LOG_H

/*
 * A cluster's lines for the host's log, the same warning at most once a minute. Not installed.
 *
 *   2026-11-26T13:24:43.123Z breaker: cluster app=shop state=synced token=… since=… away=43.2s
 *
 * The time of the line, in UTC, then `key=value`. The first key after the application says what it
 * is about: `state`, where the node stands; `event`, what happened; `trouble`, what is wrong.
 */
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
/** of what one answer brings so many lines are said at most, and how many more there are */
#define BREAKER__LOG_NEWS_MAX 8

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
    /** the latest time that a warning came with, on the clock of `now_ms` */
    uint64_t newest_ms;
    /** where the agreement was said to stand */
    breaker__agreement_state_t said_state;
    breaker_token_t said_token;
    /** the release that was said to have our label */
    breaker_release_id_t said_clash;
    /** what was said of others' dead-after; 0: nothing */
    uint64_t said_dead_after;
} breaker__log_t;

/* `peer` is what the link talks to. */

/**
 * Says a printf-formatted line after the time, control characters replaced, unless it is a warning
 * that was said lately. What follows " since=" makes no other line of it: times stand at the end.
 * Returns whether it was said.
 */
bool breaker__log(breaker__log_t *log, breaker__moment_t now, breaker_log_level_t level,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));

/** Something went wrong with Redis or because of it; `what` is one word for programs. */
void breaker__log_trouble(breaker__log_t *log, breaker__moment_t now, const char *what,
                          const char *peer, const char *reason);
/** The script was not answered by what the script answers, or by an error. */
void breaker__log_refusal(breaker__log_t *log, breaker__moment_t now, const char *peer,
                          const breaker_reply_t *reply);
/** The state file could not be read or written. */
void breaker__log_file(breaker__log_t *log, breaker__moment_t now, const breaker_error_t *error);
/**
 * Says where the agreement stands if that is news, one line for each change of state: `since` when,
 * and after how long it is in touch again (`away`). That all is well again is said after every
 * trouble that was said, and only then, so a link that comes and goes is not loud either. A start
 * with a token from the state file is stale until the first answer: that is said only once it is
 * late, with the first event after `late_ms`.
 */
void breaker__log_transition(breaker__log_t *log, breaker__moment_t now, const char *peer,
                             const breaker__agreement_t *agreement);

/**
 * Says that the own token is another one than that of `before`, a copy of the own entry as it was;
 * a zeroed one: there was none, and nothing is said.
 */
void breaker__log_own(breaker__log_t *log, breaker__moment_t now,
                      const breaker__agreement_t *agreement, const breaker_ledger_entry_t *before);
/**
 * Says what a good answer that brought something told: the same, and that a release appeared or has
 * another token; each with why, because of which other release, and when, as far as Redis knows it.
 * Two releases under one token are a warning, on either side. What is there when the cluster is
 * heard first is no news.
 */
void breaker__log_news(breaker__log_t *log, breaker__moment_t now,
                       const breaker__agreement_t *agreement, const breaker_ledger_entry_t *before);
/**
 * Warns, once for each set of them, if other releases' nodes have another dead-after than ours: the
 * longer one of two decides who is overtaken when.
 */
void breaker__log_dead_after(breaker__log_t *log, breaker__moment_t now,
                             const breaker__agreement_t *agreement,
                             const breaker_script_answer_t *answer);
/** Says that the node leaves; `is_told`: Redis is there to be told. */
void breaker__log_leave(breaker__log_t *log, breaker__moment_t now, const char *peer,
                        const breaker__agreement_t *agreement, bool is_told);
/**
 * Warns, once for each, if another release has our label, but not our digest: files or headers were
 * changed under it, or a build does not give the same bytes twice.
 */
void breaker__log_clash(breaker__log_t *log, breaker__moment_t now,
                        const breaker__agreement_t *agreement);

#endif
