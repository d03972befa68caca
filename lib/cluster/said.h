#ifndef BREAKER_LIB_CLUSTER_SAID_H
#define BREAKER_LIB_CLUSTER_SAID_H

/*
 * What a cluster says to its host: which events there are, what is in them, and what was said
 * already. How often trouble may be said is log/log.h's. Not installed.
 */
#include <stdbool.h>
#include <stdint.h>
#include <breaker/error.h>
#include <breaker/redis.h>
#include <breaker/script.h>
#include "cluster/agreement.h"
#include "log/log.h"

/** of what one answer brings so many events are said at most, and how many more there are */
#define BREAKER__SAID_NEWS_MAX 8

/** Caller's memory; `log` and `late_ms` are the caller's to set, in a zeroed one. */
typedef struct st_breaker__said_t {
    breaker__log_t log;
    /** when the first answer is late, on the clock of `mono_ms`; 0: it was never to be waited for
     */
    uint64_t late_ms;
    /** where the agreement was said to stand */
    breaker__agreement_state_t state;
    /** the release that was said to have our label */
    breaker_release_id_t clash;
    /** what was said of others' dead-after; 0: nothing */
    uint64_t dead_after;
} breaker__said_t;

/* `peer` is what the link talks to. */

/** Something went wrong with Redis or because of it; `what` is one word for programs. */
void breaker__said_trouble(breaker__said_t *said, breaker__moment_t now, const char *what,
                           const char *peer, const char *reason);
/** The script was not answered by what the script answers, or by an error. */
void breaker__said_refusal(breaker__said_t *said, breaker__moment_t now, const char *peer,
                           const breaker_reply_t *reply);
/** The state file could not be read or written. */
void breaker__said_file(breaker__said_t *said, breaker__moment_t now, const breaker_error_t *error);
/**
 * Says where the agreement stands if that is news, once for each change of state: `since` when,
 * and after how long it is in touch again (`away`). That all is well again is said after every
 * trouble that was said, and only then, so a link that comes and goes is not loud either. A start
 * with a token from the state file is stale until the first answer: that is said only once it is
 * late, with the first event after `late_ms`.
 */
void breaker__said_transition(breaker__said_t *said, breaker__moment_t now, const char *peer,
                              const breaker__agreement_t *agreement);

/**
 * Says that the own token is another one than that of `before`, a copy of the own entry as it was;
 * a zeroed one: there was none, and nothing is said.
 */
void breaker__said_own(breaker__said_t *said, breaker__moment_t now,
                       const breaker__agreement_t *agreement, const breaker_ledger_entry_t *before);
/**
 * Says what a good answer that brought something told: the same, and that a release appeared or has
 * another token; each with why, because of which other release, and when, as far as Redis knows it.
 * Two releases under one token are a warning, on either side. What is there when the cluster is
 * heard first is no news.
 */
void breaker__said_news(breaker__said_t *said, breaker__moment_t now,
                        const breaker__agreement_t *agreement,
                        const breaker_ledger_entry_t *before);
/**
 * Says how many entries a poll put back that Redis lacked, if the answer to it has some.
 */
void breaker__said_restored(breaker__said_t *said, breaker__moment_t now, const char *peer,
                            const breaker__poll_t *poll, const breaker_answer_t *answer);
/**
 * Warns, once for each set of them, if other releases' nodes have another dead-after than ours: the
 * longer one of two decides who is overtaken when.
 */
void breaker__said_dead_after(breaker__said_t *said, breaker__moment_t now,
                              const breaker__agreement_t *agreement,
                              const breaker_script_answer_t *answer);
/** Says that the node leaves; `is_told`: Redis is there to be told. */
void breaker__said_leave(breaker__said_t *said, breaker__moment_t now, const char *peer,
                         const breaker__agreement_t *agreement, bool is_told);
/**
 * Warns, once for each, if another release has our label, but not our digest: files or headers were
 * changed under it, or a build does not give the same bytes twice.
 */
void breaker__said_clash(breaker__said_t *said, breaker__moment_t now,
                         const breaker__agreement_t *agreement);

#endif
