#ifndef BREAKER_BIN_CTL_PRINT_H
#define BREAKER_BIN_CTL_PRINT_H

/* What breakerctl prints on stdout: tables for people, JSON for programs. */
#include <stdbool.h>
#include <stdint.h>
#include "ctl/census.h"

/** "2026-11-23T07:20:11.123Z", with a year of up to six digits and a NUL */
#define BREAKER__PRINT_TIME_SIZE 40
/** how many nodes a table shows, if not all of them are wanted */
#define BREAKER__PRINT_NODES_MAX 50

/** What is said about, and how. Borrowed. */
typedef struct st_breaker__print_view_t {
    breaker__sight_t sight;
    const char *app, *peer;
    /** every node, however many there are */
    bool shows_all;
} breaker__print_view_t;

void breaker__print_status(const breaker__print_view_t *view);
void breaker__print_status_json(const breaker__print_view_t *view);
/** `is_new` is false when the release was the newest already. */
void breaker__print_promotion_json(const breaker__print_view_t *view,
                                   const breaker_ledger_entry_t *entry, bool is_new);

/** A time in UTC. */
void breaker__print_time(uint64_t ms, char dst[BREAKER__PRINT_TIME_SIZE]);
/** For how long something was, by Redis's clock; 0 for what is in the future. */
uint64_t breaker__print_ago_ms(const breaker__print_view_t *view, uint64_t ms);

#endif
