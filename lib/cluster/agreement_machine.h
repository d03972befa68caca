#ifndef BREAKER_LIB_CLUSTER_AGREEMENT_MACHINE_H
#define BREAKER_LIB_CLUSTER_AGREEMENT_MACHINE_H

/*
 * What an agreement remembers between two events: agreement.c changes it, agreement_answer.c by
 * what Redis answers, and agreement_poll.c makes a poll of it. Nobody else looks into it.
 */
#include <stdbool.h>
#include <stdint.h>
#include <breaker/ledger.h>
#include "cluster/agreement.h"
#include "cluster/fleet.h"
#include "cluster/reasons.h"

enum {
    BREAKER__DIGEST_LEN = 40,
};

typedef enum en_breaker__link_state_t {
    LINK_DOWN,
    LINK_DIALING,
    LINK_UP,
    LINK_POLLING,
} breaker__link_state_t;

struct st_breaker__agreement_t {
    breaker_agreement_config_t config;
    breaker__agreement_state_t state;
    /* since when it stands at that; when it was SYNCED the last time, or started; and how long it
     * was not before it became so the last time */
    uint64_t since_ms, lost_ms, away_ms;
    uint64_t random;

    /* own.token.len is 0 while there is none; once there is one it was handed out */
    breaker_ledger_entry_t own;
    /* all that this node knows */
    breaker_ledger_t ledger;
    /* what the last answer on this connection showed of Redis, and its digest ("": none yet) */
    breaker_ledger_t shown;
    char digest[BREAKER__DIGEST_LEN + 1];
    /* the newest order of what Redis was sent on this connection and did not keep */
    uint64_t dropped_order;
    /* the poll under way asks for the release as it is configured now; so did the last one that
     * was answered on this connection */
    bool asks_for_this, is_answered_for_this;
    /* when the last poll was sent that did not hold */
    uint64_t whole_ms;

    breaker__reasons_t reasons;
    /* what the last good answer told; whether there was one at all */
    breaker__news_t news;
    bool was_ever_heard;
    breaker__fleet_t fleet;
    /* Redis's clock, at our redis_mono_ms; 0: never told */
    uint64_t redis_wall_ms, redis_mono_ms;

    breaker__link_state_t link;
    /* when to dial while down, when to poll while up */
    uint64_t due_ms;
    /* tries that failed since it was good for long enough */
    unsigned num_failed;
    /* until when polls follow each other faster */
    uint64_t hurried_ms;
    /* since when every answer was good; unset after trouble */
    bool is_good;
    uint64_t good_ms;
    /* answered on this connection; an empty ledger is believed from settled_ms on */
    bool is_heard;
    uint64_t settled_ms;
    uint64_t asked_ms, answered_ms, heard_ms;
    /* a poll was wanted that is not sent yet; none for this reason before wanted_ms */
    bool is_wanted;
    uint64_t wanted_ms;
    /* when START ends without an answer */
    uint64_t local_ms;
};

/** Whether it has a token. */
bool breaker__agreement_has_own(const breaker__agreement_t *agreement);
/** Whether an entry is of the release that the node is to serve now. */
bool breaker__agreement_is_mine(const breaker__agreement_t *agreement,
                                const breaker_ledger_entry_t *entry);
/** What Redis showed last and the own entry: no other one takes their place in the ledger. */
breaker_ledger_t breaker__agreement_kept(const breaker__agreement_t *agreement);
/** The only way to a token; it leads upwards (P3). */
void breaker__agreement_take_own(breaker__agreement_t *agreement,
                                 const breaker_ledger_entry_t *entry);
/**
 * Whether an answer to the poll under way is one that the script gives; if it is not "unchanged"
 * then `*ret_ledger` has its entries.
 */
bool breaker__agreement_check_answer(const breaker__agreement_t *agreement,
                                     const breaker_answer_t *answer, breaker_ledger_t *ret_ledger);
/**
 * Takes an answer that was checked, and adds to the actions what follows for whoever saves and
 * publishes. `answered` is only looked at where the answer is not "unchanged".
 */
void breaker__agreement_take_answer(breaker__agreement_t *agreement, uint64_t now_ms,
                                    const breaker_answer_t *answer,
                                    const breaker_ledger_t *answered, breaker__actions_t *actions);
/** Its clock, or Redis's where its own is far behind that: ms since the epoch. */
uint64_t breaker__agreement_wall_ms(const breaker__agreement_t *agreement, breaker__moment_t now);
/** Notes what the last poll brought along that Redis does not show in its answer. */
void breaker__agreement_note_dropped(breaker__agreement_t *agreement,
                                     const breaker_ledger_t *answered);

#endif
