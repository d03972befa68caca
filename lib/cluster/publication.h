#ifndef BREAKER_LIB_CLUSTER_PUBLICATION_H
#define BREAKER_LIB_CLUSTER_PUBLICATION_H

/*
 * What a cluster publishes on its node: the release that is served under the agreement's token, and
 * the one that waits for a token of its own. Not installed. Everything on the cluster's thread.
 */
#include <stdbool.h>
#include <breaker/node.h>
#include "cluster/agreement.h"
#include "cluster/script.h"

/** Caller's memory; the fields are private. */
typedef struct st_breaker__publication_t {
    breaker_node_t *node; /* borrowed: outlives us */
    /* owned references: what the node serves, and what it is to serve once there is a token for it,
     * or NULL */
    breaker_release_t *release, *next;
    bool adopts_any, older_alive, is_placed, is_due, is_ready;
} breaker__publication_t;

/**
 * For a node that serves `release`, whose reference is taken over. With `adopts_any` the
 * agreement's release stands for whatever its nodes have loaded.
 */
void breaker__publication_init(breaker__publication_t *publication, breaker_node_t *node,
                               breaker_release_t *release, bool adopts_any);
void breaker__publication_dispose(breaker__publication_t *publication);

/**
 * Asks whether the node has loaded other files. Returns their release, borrowed, with the
 * operator's token for it or a zeroed one, if that is news: from now on it waits. Else NULL. With
 * `adopts_any` such a load is refused.
 */
const breaker_release_t *breaker__publication_look(breaker__publication_t *publication,
                                                   breaker_token_t *ret_token);

/** Token or ledger are others than those that were published. */
void breaker__publication_want(breaker__publication_t *publication);
/** Takes notice of which other releases live; whether one of them is older is published as well. */
void breaker__publication_on_alive(breaker__publication_t *publication,
                                   const breaker__agreement_t *agreement,
                                   const breaker__alive_t *alive);

/** Takes notice of whether it is known where the own token stands, which is published as well. */
void breaker__publication_on_place(breaker__publication_t *publication,
                                   const breaker__agreement_t *agreement);

/**
 * Publishes what is due, once the agreement has a token; its own entry decides which of the two
 * releases is served. Fails as `breaker_node_publish` does, and is due again then.
 */
int breaker__publication_publish(breaker__publication_t *publication,
                                 const breaker__agreement_t *agreement);
/** Whether anything was published. */
bool breaker__publication_is_ready(const breaker__publication_t *publication);

#endif
