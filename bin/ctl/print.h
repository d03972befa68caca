#ifndef BREAKER_BIN_CTL_PRINT_H
#define BREAKER_BIN_CTL_PRINT_H

/* What breakerctl prints on stdout: tables for people, JSON for programs. */
#include <stdbool.h>
#include <stdint.h>
#include <breaker/ledger.h>
#include <breaker/script.h>

/** What is said about, and how. Borrowed. */
typedef struct st_breaker__print_view_t {
    const breaker_script_answer_t *answer;
    /** of all pages, in the order of their ids */
    const breaker_script_node_t *nodes;
    size_t num_nodes;
    /** the answer's */
    const breaker_ledger_t *ledger;
    const char *app, *peer;
    /** a node unseen for longer is silent */
    uint64_t dead_after_ms;
} breaker__print_view_t;

void breaker__print_status(const breaker__print_view_t *view);
void breaker__print_status_json(const breaker__print_view_t *view);
/** `is_new` is false when the release was the newest already. */
void breaker__print_promotion_json(const breaker__print_view_t *view,
                                   const breaker_ledger_entry_t *entry, bool is_new);

#endif
