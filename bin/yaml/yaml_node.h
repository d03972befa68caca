#ifndef BREAKER_BIN_YAML_NODE_H
#define BREAKER_BIN_YAML_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <yoml.h>

/** the most pairs of one mapping, merged ones included */
#define BREAKER__YAML_PAIRS_MAX 10000

/** What the `<<` of a mapping come to. */
typedef enum en_breaker__yaml_merge_t {
    BREAKER__YAML_MERGE_NONE,
    BREAKER__YAML_MERGE_FITS,
    /** a value that is neither a mapping nor a sequence of mappings */
    BREAKER__YAML_MERGE_NO_MAPPING,
    /** more than BREAKER__YAML_PAIRS_MAX together */
    BREAKER__YAML_MERGE_TOO_MANY
} breaker__yaml_merge_t;

/**
 * Makes a node with one owner, who ends with `breaker__yaml_node_unref`, and no content yet. The
 * strings are copied; `anchor` and `tag` may be NULL. Lines and columns count from 0. Aborts when
 * memory is short, as libh2o does.
 */
yoml_t *breaker__yaml_node_create(yoml_type_t type, const char *path, size_t line, size_t column,
                                  const char *anchor, const char *tag);

/** Takes one more reference on a node and returns it. */
yoml_t *breaker__yaml_node_ref(yoml_t *node);

/** Drops one reference on a node and, with the last one, what hangs from it; takes NULL. */
void breaker__yaml_node_unref(yoml_t *node);

/**
 * Adds an element to a sequence, or a pair to a mapping of fewer than BREAKER__YAML_PAIRS_MAX.
 * Takes over the node, which has one owner, and what is added; returns the node, which may have
 * moved.
 */
yoml_t *breaker__yaml_node_append(yoml_t *node, yoml_t *element);
yoml_t *breaker__yaml_node_append_pair(yoml_t *node, yoml_t *key, yoml_t *value);

/** Tells whether a key is `<<`. Pure. */
bool breaker__yaml_node_is_merge(const yoml_t *key);

/** Another key of a mapping that is the same scalar, or NULL. Pure. */
const yoml_t *breaker__yaml_node_find_key(const yoml_t *mapping, const yoml_t *key);

/**
 * Tells what the `<<` of a complete mapping come to, and in `ret_key` the one at fault. Pure; the
 * work is linear in the mappings that are named.
 */
breaker__yaml_merge_t breaker__yaml_node_check_merges(const yoml_t *mapping,
                                                      const yoml_t **ret_key);

/**
 * Puts the pairs that are merged where their `<<` stood; what the mapping says itself wins, then
 * what was merged first. Takes over the mapping, which has one owner and was found to fit, and
 * returns the one that takes its place.
 */
yoml_t *breaker__yaml_node_merge(yoml_t *mapping);

#endif
