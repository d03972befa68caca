#ifndef BREAKER_NODE_H
#define BREAKER_NODE_H

#include <stddef.h>
#include <stdint.h>
#include <breaker/error.h>
#include <breaker/export.h>
#include <breaker/release.h>
#include <breaker/snapshot.h>
#include <breaker/token.h>
#include <breaker/view.h>

/**
 * A node: the views, the local token and the release of one server process, and the publisher
 * through which its threads see them. It is configured by one thread (tokens, views), then loaded,
 * then read by all.
 *
 *   configured ── breaker_node_load ──▶ loaded, encodings follow in the background
 */
typedef struct st_breaker_node_t breaker_node_t;

/** What a node asks of the host around it. */
typedef struct st_breaker_node_config_t {
    /** milliseconds since the epoch of which the token is minted; 0 means now */
    uint64_t now_ms;
    /** see release.h; copied */
    breaker_release_hooks_t hooks;
} breaker_node_config_t;

/**
 * Makes a node and mints its token. `config` may be NULL. The caller owns it until
 * `breaker_node_free`.
 */
BREAKER_EXPORT int breaker_node_create(const breaker_node_config_t *config,
                                       breaker_node_t **ret_node);
/**
 * Frees a node, its views and its references; takes NULL. Stops and joins the background thread.
 * Every snapshot that was taken from the publisher is dropped before.
 */
BREAKER_EXPORT void breaker_node_free(breaker_node_t *node);

/**
 * Sets the token of the views added from now on; views added before keep theirs. `token` NULL goes
 * back to the minted one. Fails with BREAKER_ERR_TOKEN_SYNTAX, and with BREAKER_ERR_STATE once
 * loaded. Configuring thread.
 */
BREAKER_EXPORT int breaker_node_set_token(breaker_node_t *node, const char *token, size_t len);

/**
 * Sets the operator's id of the release. Fails with BREAKER_ERR_TOKEN_SYNTAX, and with
 * BREAKER_ERR_STATE once loaded. Configuring thread.
 */
BREAKER_EXPORT int breaker_node_set_release_id(breaker_node_t *node, const char *id, size_t len);

/**
 * Adds a view under the token in force. Fails like `breaker_view_create`, with
 * BREAKER_ERR_VIEW_TAKEN when the name is in use, BREAKER_ERR_TOO_MANY beyond BREAKER_VIEWS_MAX and
 * BREAKER_ERR_STATE once loaded. The node owns the view. Configuring thread.
 */
BREAKER_EXPORT int breaker_node_add_view(breaker_node_t *node, const breaker_view_config_t *config,
                                         const breaker_view_t **ret_view);

/** How many views there are, one of them, and the token of one. Any thread. */
BREAKER_EXPORT size_t breaker_node_num_views(const breaker_node_t *node);
BREAKER_EXPORT const breaker_view_t *breaker_node_view(const breaker_node_t *node, size_t index);
BREAKER_EXPORT const breaker_token_t *breaker_node_token(const breaker_node_t *node, size_t index);

/**
 * Loads the release of all the views, publishes the first snapshot, and starts the thread that
 * makes the encodings. Blocks until everything can be served in identity. Fails like
 * `breaker_release_load` with the place in `error`, with BREAKER_ERR_STATE when loaded already and
 * with BREAKER_ERR_THREAD. Configuring thread.
 */
BREAKER_EXPORT int breaker_node_load(breaker_node_t *node, breaker_error_t *error);

/** Waits until the background has made every encoding. Any thread; loaded nodes only. */
BREAKER_EXPORT void breaker_node_wait_encoded(breaker_node_t *node);

/** The publisher; nothing is published before the node is loaded. Lives as long as the node. */
BREAKER_EXPORT breaker_publisher_t *breaker_node_publisher(breaker_node_t *node);

#endif
