#ifndef BREAKER_NODE_NEXT_H
#define BREAKER_NODE_NEXT_H

#include <breaker/node.h>

/** A load into a running node, from the ask to its callback; the node has one at a time. */
typedef struct st_breaker__next_t {
    breaker_node_t *node; /* borrowed: outlives us */
    /* what was asked for; the directories and their texts lie after this struct */
    const char **directories; /* NULL: the views' own */
    breaker_token_t label, token;
    void *data;
    void (*on_done)(void *data, breaker_next_end_t end, const breaker_error_t *error);
    /* owned reference; NULL until loaded, and once it is what the node serves */
    breaker_release_t *release;
    breaker_next_end_t end;
    breaker_error_t error;
} breaker__next_t;

/**
 * The release was published, by the cluster: if it was the next one, it is the node's from now on,
 * and the callback follows. The cluster's thread.
 */
void breaker__next_published(breaker_node_t *node, breaker_release_t *release);

/** Ends what nobody will end any more, as given up. The loader has ended; the freeing thread. */
void breaker__next_abandon(breaker_node_t *node);

#endif
