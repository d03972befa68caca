#ifndef BREAKER_LIB_CLUSTER_POLL_H
#define BREAKER_LIB_CLUSTER_POLL_H

/*
 * What one poll says to the script and what the script answers (cluster/agree.lua), as values.
 * Pure; not installed.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/agreement.h>
#include <breaker/cluster.h>
#include <breaker/redis.h>

/** EVAL, the script, the number of keys, two keys, ten arguments and the entries */
#define BREAKER__POLL_ARGS_MAX (5 + 10 + BREAKER_LEDGER_MAX + 1)
/** "<order> <token> <release>" with its NUL */
#define BREAKER__POLL_ENTRY_SIZE (16 + 1 + BREAKER_TOKEN_MAX + 1 + BREAKER_RELEASE_ID_MAX + 1)
/** the releases that are noticed to live beside the node's own */
#define BREAKER__ALIVE_MAX 64

/** What the polls of one node have in common. Texts are NUL-ended. */
typedef struct st_breaker__poller_t {
    char ledger_key[BREAKER_APP_MAX + sizeof("{}:breaker")];
    char nodes_key[BREAKER_APP_MAX + sizeof("{}:breaker:nodes")];
    char address[BREAKER_ADVERTISE_MAX + 1];
    char id[17];
    const breaker_agreement_config_t *agreement; /* borrowed: outlives us */
} breaker__poller_t;

/** A command, ready for `breaker_redis_command`; points into itself and the poller. */
typedef struct st_breaker__poll_command_t {
    size_t argc;
    const char *argv[BREAKER__POLL_ARGS_MAX];
    size_t argv_len[BREAKER__POLL_ARGS_MAX];
    char clock[24], dead_after[16];
    char entries[BREAKER_LEDGER_MAX + 1][BREAKER__POLL_ENTRY_SIZE];
} breaker__poll_command_t;

/** The other releases of which a node was seen within dead-after, each once. */
typedef struct st_breaker__alive_t {
    size_t num;
    breaker_release_id_t releases[BREAKER__ALIVE_MAX];
} breaker__alive_t;

/** Writes the command of a poll; `with_nodes` asks for the nodes as well. */
void breaker__poll_format(breaker__poll_command_t *command, const breaker__poller_t *poller,
                          const breaker_poll_t *poll, bool with_nodes);

/**
 * Reads an answer. False, with the outputs untouched, when anything in its shape or its ledger is
 * not as the script makes it. Among the nodes only those that the script could have written count:
 * other programs may have put theirs there. `*ret_alive` is left alone when the answer has no
 * nodes.
 */
bool breaker__poll_parse(const breaker_reply_t *reply, const breaker__poller_t *poller,
                         breaker_answer_t *ret_answer, breaker__alive_t *ret_alive);

#endif
