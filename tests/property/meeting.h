#ifndef BREAKER_TESTS_MEETING_H
#define BREAKER_TESTS_MEETING_H

/*
 * What Redis and the script do, told a second time: from the protocol's description, with nothing
 * but arrays and loops, so that an error would have to be made twice to stay unseen. It is a plain
 * value; a copy of it is a backup.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/agreement.h>
#include "cluster/agreement.h"

enum { FACTS_MAX = 2 * BREAKER_LEDGER_MAX + 8, ATTENDANTS_MAX = 256, KINDS_MAX = 2048 };

typedef struct st_attendant_t {
    unsigned release;
    unsigned id;
    uint64_t seen_ms;
} attendant_t;

/** what is remembered of a release of which a node was there */
typedef struct st_kind_t {
    unsigned release;
    /** service time when a node of it polled last, and its nodes' dead-after */
    uint64_t seen_ms, dead_ms;
} kind_t;

typedef struct st_meeting_t {
    breaker_ledger_entry_t facts[FACTS_MAX];
    /** of the fact at the same place */
    breaker_origin_t origins[FACTS_MAX];
    size_t num_facts;
    attendant_t attendants[ATTENDANTS_MAX];
    size_t num_attendants;
    kind_t kinds[KINDS_MAX];
    size_t num_kinds;
    /** when anybody polled last, by the meeting's clock */
    bool is_heard;
    uint64_t heard_ms;
    /** time during which it was provably there, and until when of that nobody's silence counts */
    uint64_t served_ms, cut_ms;
    /** how many nodes poll, and when they were counted; 0: never */
    uint64_t fleet, counted_ms;
} meeting_t;

/** who asks, beside what the poll itself says */
typedef struct st_caller_t {
    const breaker_agreement_config_t *config;
    unsigned release;
    /** 0: no node */
    unsigned id;
} caller_t;

/** what the caller of the test wants to know of one poll */
typedef struct st_minute_t {
    /** the token that was minted; `token.len` 0: none was; and why */
    breaker_ledger_entry_t minted;
    breaker_why_t why;
    /** with BREAKER_WHY_SILENCE: the releases that were passed because they were dead */
    unsigned passed[FACTS_MAX];
    size_t num_passed;
    /** a token that had come there by silence and was put there now; `len` 0: none was */
    breaker_token_t promoted;
} minute_t;

/** One poll, at `now_ms` of Redis's clock. */
minute_t meeting_poll(meeting_t *meeting, uint64_t now_ms, const caller_t *caller,
                      const breaker__poll_t *poll, breaker_answer_t *ret_answer);

/** A node goes in order. */
void meeting_leave(meeting_t *meeting, const caller_t *caller);

/** The newest entry of a release, or NULL. */
const breaker_ledger_entry_t *meeting_newest(const meeting_t *meeting,
                                             const breaker_release_id_t *release);

#endif
