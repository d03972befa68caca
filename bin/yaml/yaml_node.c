/*
 * The nodes of libh2o's tree. A node has as many owners as places where it stands: an alias and a
 * merged pair are the anchored node once more. It never contains itself, because an anchor can be
 * named only once its node is complete, so dropping the last reference ends. Nodes grow while they
 * have one owner and move then; what has several is never changed.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <h2o.h>
#include "yaml/yaml_node.h"

/* ---- the life of a node ---- */

static char *copy_text(const char *text)
{
    return text != NULL ? h2o_strdup(NULL, text, SIZE_MAX).base : NULL;
}

yoml_t *breaker__yaml_node_create(yoml_type_t type, const char *path, size_t line, size_t column,
                                  const char *anchor, const char *tag)
{
    yoml_t *node = h2o_mem_alloc(sizeof(*node));

    memset(node, 0, sizeof(*node));
    node->type = type;
    node->filename = copy_text(path);
    node->line = line;
    node->column = column;
    node->anchor = copy_text(anchor);
    node->tag = copy_text(tag);
    node->_refcnt = 1;
    return node;
}

yoml_t *breaker__yaml_node_ref(yoml_t *node)
{
    assert(node->_refcnt != 0);
    ++node->_refcnt;
    return node;
}

void breaker__yaml_node_unref(yoml_t *node)
{
    if (node == NULL)
        return;
    assert(node->_refcnt != 0);
    if (--node->_refcnt != 0)
        return;

    switch (node->type) {
    case YOML_TYPE_SCALAR:
        free(node->data.scalar);
        break;
    case YOML_TYPE_SEQUENCE:
        for (size_t i = 0; i != node->data.sequence.size; ++i)
            breaker__yaml_node_unref(node->data.sequence.elements[i]);
        break;
    case YOML_TYPE_MAPPING:
        for (size_t i = 0; i != node->data.mapping.size; ++i) {
            breaker__yaml_node_unref(node->data.mapping.elements[i].key);
            breaker__yaml_node_unref(node->data.mapping.elements[i].value);
        }
        break;
    case YOML__TYPE_UNRESOLVED_ALIAS:
        free(node->data.alias);
        break;
    }
    free(node->filename);
    free(node->anchor);
    free(node->tag);
    free(node);
}

yoml_t *breaker__yaml_node_append(yoml_t *node, yoml_t *element)
{
    size_t size = node->data.sequence.size;

    assert(node->type == YOML_TYPE_SEQUENCE);
    assert(node->_refcnt == 1);
    node = h2o_mem_realloc(node, sizeof(*node) + size * sizeof(node->data.sequence.elements[0]));
    node->data.sequence.elements[size] = element;
    node->data.sequence.size = size + 1;
    return node;
}

yoml_t *breaker__yaml_node_append_pair(yoml_t *node, yoml_t *key, yoml_t *value)
{
    size_t size = node->data.mapping.size;

    assert(node->type == YOML_TYPE_MAPPING);
    assert(node->_refcnt == 1);
    assert(size < BREAKER__YAML_PAIRS_MAX);
    node = h2o_mem_realloc(node, sizeof(*node) + size * sizeof(node->data.mapping.elements[0]));
    node->data.mapping.elements[size].key = key;
    node->data.mapping.elements[size].value = value;
    node->data.mapping.size = size + 1;
    return node;
}

/* ---- keys ---- */

bool breaker__yaml_node_is_merge(const yoml_t *key)
{
    return key->type == YOML_TYPE_SCALAR && strcmp(key->data.scalar, "<<") == 0;
}

const yoml_t *breaker__yaml_node_find_key(const yoml_t *mapping, const yoml_t *key)
{
    for (size_t i = 0; i != mapping->data.mapping.size; ++i) {
        const yoml_t *other = mapping->data.mapping.elements[i].key;
        if (other != key && other->type == YOML_TYPE_SCALAR && key->type == YOML_TYPE_SCALAR &&
            strcmp(other->data.scalar, key->data.scalar) == 0)
            return other;
    }
    return NULL;
}

/* ---- the merge key ---- */

/* how many pairs the value of a `<<` has, or false where it is neither a mapping nor several */
static bool count_pairs(const yoml_t *value, size_t *ret_num)
{
    size_t num = 0;

    if (value->type == YOML_TYPE_MAPPING) {
        *ret_num = value->data.mapping.size;
        return true;
    }
    if (value->type != YOML_TYPE_SEQUENCE)
        return false;
    for (size_t i = 0; i != value->data.sequence.size; ++i) {
        if (value->data.sequence.elements[i]->type != YOML_TYPE_MAPPING)
            return false;
        num += value->data.sequence.elements[i]->data.mapping.size;
    }
    *ret_num = num;
    return true;
}

/* pairs that stand twice count twice: what is bounded is the work */
breaker__yaml_merge_t breaker__yaml_node_check_merges(const yoml_t *mapping, const yoml_t **ret_key)
{
    size_t num = mapping->data.mapping.size, merged;
    breaker__yaml_merge_t found = BREAKER__YAML_MERGE_NONE;

    for (size_t i = 0; i != mapping->data.mapping.size; ++i) {
        const yoml_mapping_element_t *pair = &mapping->data.mapping.elements[i];
        if (!breaker__yaml_node_is_merge(pair->key))
            continue;
        found = BREAKER__YAML_MERGE_FITS;
        *ret_key = pair->key;
        if (!count_pairs(pair->value, &merged))
            return BREAKER__YAML_MERGE_NO_MAPPING;
        num += merged;
        if (num > BREAKER__YAML_PAIRS_MAX)
            return BREAKER__YAML_MERGE_TOO_MANY;
    }
    return found;
}

/* adds what `mapping` has no word on yet, neither in the file nor from an earlier merge */
static yoml_t *merge_one(yoml_t *merged, const yoml_t *mapping, const yoml_t *source)
{
    for (size_t i = 0; i != source->data.mapping.size; ++i) {
        const yoml_mapping_element_t *pair = &source->data.mapping.elements[i];
        if (breaker__yaml_node_find_key(mapping, pair->key) != NULL ||
            breaker__yaml_node_find_key(merged, pair->key) != NULL)
            continue;
        merged = breaker__yaml_node_append_pair(merged, breaker__yaml_node_ref(pair->key),
                                                breaker__yaml_node_ref(pair->value));
    }
    return merged;
}

static yoml_t *merge_value(yoml_t *merged, const yoml_t *mapping, const yoml_t *value)
{
    if (value->type == YOML_TYPE_MAPPING)
        return merge_one(merged, mapping, value);
    for (size_t i = 0; i != value->data.sequence.size; ++i)
        merged = merge_one(merged, mapping, value->data.sequence.elements[i]);
    return merged;
}

/* every pair of a mapping, with merged ones where their `<<` stood */
static yoml_t *merge_all(yoml_t *merged, const yoml_t *mapping)
{
    for (size_t i = 0; i != mapping->data.mapping.size; ++i) {
        const yoml_mapping_element_t *pair = &mapping->data.mapping.elements[i];
        if (breaker__yaml_node_is_merge(pair->key)) {
            merged = merge_value(merged, mapping, pair->value);
            continue;
        }
        merged = breaker__yaml_node_append_pair(merged, breaker__yaml_node_ref(pair->key),
                                                breaker__yaml_node_ref(pair->value));
    }
    return merged;
}

yoml_t *breaker__yaml_node_merge(yoml_t *mapping)
{
    yoml_t *merged = h2o_mem_alloc(sizeof(*merged));

    assert(mapping->type == YOML_TYPE_MAPPING);
    assert(mapping->_refcnt == 1);
    *merged = *mapping;
    merged->data.mapping.size = 0;
    merged = merge_all(merged, mapping);

    /* the strings went over to `merged` */
    mapping->filename = mapping->anchor = mapping->tag = NULL;
    breaker__yaml_node_unref(mapping);
    return merged;
}
