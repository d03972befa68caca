#ifndef BREAKER_YOML_H
#define BREAKER_YOML_H

#include <stddef.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The tree that libh2o 2.2's configurators read. <h2o/configurator.h> includes "yoml.h", which the
 * packages do not install, so this header declares the same types; names, order and widths are part
 * of libh2o's binary interface and must not change. Private: it is never installed, and only code
 * that includes <h2o/configurator.h> needs it.
 *
 * Nodes come from malloc, because libh2o makes, copies and frees some of its own. A node has
 * `_refcnt` owners: an alias in the file is the very node that its anchor names. An anchored node
 * may therefore be met on several ways through the tree, but never below itself.
 */

/** What a node is. The last value is seen while a file is being loaded only. */
typedef enum enum_yoml_type_t {
    YOML_TYPE_SCALAR,
    YOML_TYPE_SEQUENCE,
    YOML_TYPE_MAPPING,
    YOML__TYPE_UNRESOLVED_ALIAS
} yoml_type_t;

typedef struct st_yoml_t yoml_t;

/** `size` elements; the array goes on past its declared end. */
typedef struct st_yoml_sequence_t {
    size_t size;
    yoml_t *elements[1]; /* owned */
} yoml_sequence_t;

typedef struct st_yoml_mapping_element_t {
    yoml_t *key;   /* owned */
    yoml_t *value; /* owned */
} yoml_mapping_element_t;

/** `size` pairs in the order of the file; the array goes on past its declared end. */
typedef struct st_yoml_mapping_t {
    size_t size;
    yoml_mapping_element_t elements[1];
} yoml_mapping_t;

/** A node and where it stands: `line` and `column` count from 0. */
struct st_yoml_t {
    yoml_type_t type;
    char *filename; /* owned */
    size_t line;
    size_t column;
    char *anchor; /* owned; or NULL */
    char *tag;    /* owned; or NULL */
    size_t _refcnt;
    union {
        char *scalar; /* owned; NUL-ended */
        yoml_sequence_t sequence;
        yoml_mapping_t mapping;
        char *alias; /* owned */
    } data;
};

/** The value of a key of a mapping; NULL when there is none, or `node` is no mapping. */
static inline yoml_t *yoml_get(yoml_t *node, const char *name)
{
    if (node->type != YOML_TYPE_MAPPING)
        return NULL;
    for (size_t i = 0; i != node->data.mapping.size; ++i) {
        yoml_mapping_element_t *pair = &node->data.mapping.elements[i];
        if (pair->key->type == YOML_TYPE_SCALAR && strcmp(pair->key->data.scalar, name) == 0)
            return pair->value;
    }
    return NULL;
}

#ifdef __cplusplus
}
#endif

#endif
