#ifndef BREAKER_BIN_CTL_CLUSTER_H
#define BREAKER_BIN_CTL_CLUSTER_H

/*
 * What breakerctl asks the cluster's script in Redis (lib/cluster/agree.lua) and what it is
 * answered, as values. Pure.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/cluster.h>
#include <breaker/ledger.h>
#include <breaker/redis.h>

/** the most nodes that the script tells of, and the longest id that it takes of one */
#define BREAKER__CTL_NODES_MAX 512
#define BREAKER__CTL_NODE_ID_MAX 64
/** EVAL, the script, the number of keys, two keys, ten arguments */
#define BREAKER__CTL_WORDS 15

typedef struct st_breaker__ctl_node_t {
    /** by Redis's clock */
    uint64_t seen_ms;
    breaker_release_id_t release;
    /** "host:port", or "-" */
    char address[BREAKER_ADVERTISE_MAX + 1];
    char id[BREAKER__CTL_NODE_ID_MAX + 1];
} breaker__ctl_node_t;

/** The cluster as one answer of the script shows it. */
typedef struct st_breaker__ctl_cluster_t {
    /** Redis's clock */
    uint64_t now_ms;
    breaker_ledger_t ledger;
    /** the one seen last comes last */
    size_t num_nodes;
    breaker__ctl_node_t nodes[BREAKER__CTL_NODES_MAX];
} breaker__ctl_cluster_t;

typedef enum en_breaker__ctl_act_t {
    /** change nothing */
    BREAKER__CTL_READ,
    /** put a release on top if the ledger knows it */
    BREAKER__CTL_PROMOTE,
    /** enter a release, on top, if the ledger does not know it */
    BREAKER__CTL_ENTER,
} breaker__ctl_act_t;

/** How the tokens of a release are made: see ARGV[5] and [6] of the script. */
typedef struct st_breaker__ctl_naming_t {
    /** the operator's token without what the script appended to it, or "" */
    char fixed[BREAKER_TOKEN_MAX + 1];
    /** what is appended to minted tokens, or "" */
    char suffix[BREAKER_TOKEN_MAX + 1];
} breaker__ctl_naming_t;

/** A command, ready for `breaker_redis_command`; points into itself. */
typedef struct st_breaker__ctl_question_t {
    const char *argv[BREAKER__CTL_WORDS];
    size_t argv_len[BREAKER__CTL_WORDS];
    char ledger_key[BREAKER_APP_MAX + sizeof("{}:breaker")];
    char nodes_key[BREAKER_APP_MAX + sizeof("{}:breaker:nodes")];
    breaker_release_id_t release;
    breaker__ctl_naming_t naming;
    char clock[24], dead_after[16];
} breaker__ctl_question_t;

/**
 * Writes a question about `app`, a valid name. `release` and `naming` may be NULL for a mere look.
 */
void breaker__ctl_ask(breaker__ctl_question_t *question, const char *app, breaker__ctl_act_t act,
                      const breaker_release_id_t *release, const breaker__ctl_naming_t *naming);

/**
 * Reads an answer. False, with the output untouched, when it is not as the script makes it. Nodes
 * that no node of ours can have written are left out.
 */
bool breaker__ctl_read(const breaker_reply_t *reply, breaker__ctl_cluster_t *ret_cluster);

/** Tells by its newest entry how a release's tokens are made. */
breaker__ctl_naming_t breaker__ctl_naming_of(const breaker_ledger_entry_t *entry);

#endif
