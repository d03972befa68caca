#ifndef BREAKER_BIN_YAML_H
#define BREAKER_BIN_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <yoml.h>
#include <breaker/error.h>

/** the largest configuration file, in bytes, and the deepest nesting of values and of files */
#define BREAKER__YAML_FILE_MAX (4u << 20)
#define BREAKER__YAML_DEPTH_MAX 64
#define BREAKER__YAML_INCLUDE_MAX 16
/** the most nodes that all the files make together; the pairs of a mapping: yaml_node.h */
#define BREAKER__YAML_NODES_MAX 1000000

/**
 * Reads a YAML file into the tree that libh2o's configurators read. Anchors, aliases, the merge key
 * `<<` and the tag `!file` (the scalar names a file whose document takes its place) are resolved,
 * and variables of the environment take their places in scalars, except in keys and shell commands.
 * A key that stands twice in a mapping is refused unless `may_repeat` says that it adds up. Returns
 * NULL with "file:line:column: what" in `error` when it cannot be read. The caller owns the tree
 * until `breaker__yaml_node_unref`.
 */
yoml_t *breaker__yaml_load(const char *path, bool (*may_repeat)(const char *key),
                           breaker_error_t *error);

#endif
