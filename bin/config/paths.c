/*
 * Which files a configuration names for the time when it is served. Directives keep what they were
 * told in places of their own, libh2o's out of reach, so the paths are taken from the tree: a
 * directive that opens files while requests are served has its row in the table below, or the
 * sandbox (process/sandbox.h) keeps the files from it.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <h2o.h>
#include "config/paths.h"

/* the key of a path, and the directive in whose mapping it stands; NULL: it is a directive */
static const struct {
    const char *directive, *key;
    breaker__path_use_t use;
} named[] = {
    {NULL, "file.dir", BREAKER__PATH_READ},
    {NULL, "file.file", BREAKER__PATH_READ_FILE},
    {"breaker.static", "path", BREAKER__PATH_READ},
    {"breaker.static", "follow", BREAKER__PATH_READ},
    {"breaker.cluster", "password-file", BREAKER__PATH_READ_FILE},
    {"breaker.cluster", "ca-file", BREAKER__PATH_READ_FILE},
    {"breaker.cluster", "cert-file", BREAKER__PATH_READ_FILE},
    {"breaker.cluster", "key-file", BREAKER__PATH_READ_FILE},
    {"breaker.cluster", "peers-ca-file", BREAKER__PATH_READ_FILE},
    {NULL, "breaker.archive", BREAKER__PATH_KEEP},
    {NULL, "breaker.encoding-cache", BREAKER__PATH_KEEP},
    {NULL, "breaker.state-file", BREAKER__PATH_REPLACE},
    {NULL, "temp-buffer-path", BREAKER__PATH_KEEP},
};

static void add(breaker__paths_t *paths, const char *text, breaker__path_use_t use)
{
    paths->entries = h2o_mem_realloc(paths->entries, (paths->num + 1) * sizeof(paths->entries[0]));
    paths->entries[paths->num++] = (breaker__path_t){h2o_strdup(NULL, text, SIZE_MAX).base, use};
}

/* a path, or a sequence of them */
static void add_all(breaker__paths_t *paths, const yoml_t *value, breaker__path_use_t use)
{
    if (value->type == YOML_TYPE_SCALAR)
        add(paths, value->data.scalar, use);
    for (size_t i = 0; value->type == YOML_TYPE_SEQUENCE && i != value->data.sequence.size; ++i)
        add_all(paths, value->data.sequence.elements[i], use);
}

static void find(breaker__paths_t *paths, const yoml_t *node, const char *directive);

static void find_pair(breaker__paths_t *paths, const yoml_mapping_element_t *pair,
                      const char *directive)
{
    const char *key = pair->key->type == YOML_TYPE_SCALAR ? pair->key->data.scalar : "";

    for (size_t i = 0; i != sizeof(named) / sizeof(named[0]); ++i)
        if (strcmp(named[i].key, key) == 0 &&
            (named[i].directive == NULL || strcmp(named[i].directive, directive) == 0))
            add_all(paths, pair->value, named[i].use);
    find(paths, pair->value, key);
}

static void find(breaker__paths_t *paths, const yoml_t *node, const char *directive)
{
    assert(directive != NULL);
    if (node->type == YOML_TYPE_SEQUENCE)
        for (size_t i = 0; i != node->data.sequence.size; ++i)
            find(paths, node->data.sequence.elements[i], directive);
    if (node->type == YOML_TYPE_MAPPING)
        for (size_t i = 0; i != node->data.mapping.size; ++i)
            find_pair(paths, node->data.mapping.elements + i, directive);
}

void breaker__paths_find(breaker__paths_t *paths, const yoml_t *root)
{
    find(paths, root, "");
}

void breaker__paths_dispose(breaker__paths_t *paths)
{
    for (size_t i = 0; i != paths->num; ++i)
        free(paths->entries[i].text);
    free(paths->entries);
    *paths = (breaker__paths_t){NULL, 0};
}
