#ifndef BREAKER_NODE_NODE_H
#define BREAKER_NODE_NODE_H

/* What the files of this room share. Not installed. */
#include <breaker/node.h>
#include "node/loader.h"
#include "node/mailbox.h"

struct st_breaker_node_t {
    /* between the cluster's thread and the server's */
    breaker__mailbox_t mailbox;

    /* the configuration: changes until the load, and never afterwards */
    breaker_token_t minted;
    breaker_token_t token; /* what views that are added now get */
    breaker_token_t label; /* of the release; `len` 0: none */
    breaker_release_hooks_t hooks;
    breaker_encoding_config_t encoding;       /* its directory is owned */
    breaker_view_t *views[BREAKER_VIEWS_MAX]; /* owned */
    breaker_token_t tokens[BREAKER_VIEWS_MAX];
    size_t num_views;
    char *state_path; /* owned, or NULL */

    breaker_publisher_t *publisher; /* owned */
    breaker__loader_t *loader;      /* owned; its thread runs from the load on */
    breaker_release_t *release;     /* owned reference; NULL until loaded */
};

#endif
