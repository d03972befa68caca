/*
 * From a YAML file to the tree that libh2o's configurators read. libyaml turns the text into
 * events; what they mean together is ours: variables of the environment (expand.c), anchors and
 * aliases (an alias is the anchored node itself, with one more owner), included files, the limits
 * of all that, and the refusal of keys that stand twice, of which libh2o would silently take both.
 * An anchor is known only once its node is complete, so no node contains itself. The nodes and
 * their merge key: yaml_node.c.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>
#include <h2o.h>
#include "yaml/expand.h"
#include "yaml/yaml.h"
#include "yaml/yaml_node.h"

#define YAML_TAG_PREFIX "tag:yaml.org,2002:"

typedef struct st_anchor_t {
    char *name;   /* owned */
    yoml_t *node; /* owned reference */
    /* how many nodes a walk meets in it */
    size_t num_nodes;
} anchor_t;

/* what all files of one load have in common */
typedef struct st_load_t {
    bool (*may_repeat)(const char *key);
    breaker_error_t *error;
    /* how many nodes a walk over the tree meets: what an alias stands for counts every time */
    size_t num_nodes;
    size_t include_depth;
} load_t;

/* one file */
typedef struct st_reader_t {
    load_t *load;
    const char *path;
    yaml_parser_t parser;
    size_t depth;
    /* within a key, or the value of a key whose value is a shell's: variables stay */
    bool is_verbatim;
    H2O_VECTOR(anchor_t) anchors;
} reader_t;

static yoml_t *load_file(load_t *load, const char *path, const yoml_t *at, reader_t *includer);
static yoml_t *read_value(reader_t *reader, const yaml_event_t *event);

/* ---- errors ---- */

#define FAIL_AT(reader, line, column, ...)                                                         \
    fail_at((reader)->load->error, (reader)->path, (line), (column), __VA_ARGS__)

__attribute__((format(printf, 5, 6))) static yoml_t *fail_at(breaker_error_t *error,
                                                             const char *path, size_t line,
                                                             size_t column, const char *format, ...)
{
    char text[768];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    breaker_error_set(error, BREAKER_ERR_IO, "%s:%zu:%zu: %s", path, line + 1, column + 1, text);
    return NULL;
}

/* libyaml's own complaint; it has no place for bytes that are not UTF-8, only an offset */
static void fail_parser(reader_t *reader)
{
    const yaml_parser_t *parser = &reader->parser;

    if (parser->error == YAML_READER_ERROR)
        breaker_error_set(reader->load->error, BREAKER_ERR_IO, "%s: %s at byte %zu", reader->path,
                          parser->problem, parser->problem_offset);
    else if (parser->error == YAML_MEMORY_ERROR)
        breaker_error_set(reader->load->error, BREAKER_ERR_NO_MEMORY, "%s: out of memory",
                          reader->path);
    else
        FAIL_AT(reader, parser->problem_mark.line, parser->problem_mark.column, "%s%s%s",
                parser->context != NULL ? parser->context : "", parser->context != NULL ? ", " : "",
                parser->problem);
}

/* ---- the count of nodes ---- */

/* whoever reads the tree walks into an alias each time, so each time counts */
static bool count_nodes(reader_t *reader, const yaml_event_t *event, size_t num)
{
    load_t *load = reader->load;

    assert(load->num_nodes <= BREAKER__YAML_NODES_MAX);
    if (num <= BREAKER__YAML_NODES_MAX - load->num_nodes) {
        load->num_nodes += num;
        return true;
    }
    FAIL_AT(reader, event->start_mark.line, event->start_mark.column,
            "more than %d values; accepted: as many, where what aliases stand for counts each time",
            BREAKER__YAML_NODES_MAX);
    return false;
}

static yoml_t *new_node(reader_t *reader, yoml_type_t type, const yaml_event_t *event,
                        const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (!count_nodes(reader, event, 1))
        return NULL;
    return breaker__yaml_node_create(type, reader->path, event->start_mark.line,
                                     event->start_mark.column, (const char *)anchor,
                                     (const char *)tag);
}

/* ---- anchors and tags ---- */

static void add_anchor(reader_t *reader, yoml_t *node, const yaml_char_t *name, size_t num_nodes)
{
    anchor_t *anchor;

    h2o_vector_reserve(NULL, &reader->anchors, reader->anchors.size + 1);
    anchor = &reader->anchors.entries[reader->anchors.size++];
    anchor->name = h2o_strdup(NULL, (const char *)name, SIZE_MAX).base;
    anchor->node = breaker__yaml_node_ref(node);
    anchor->num_nodes = num_nodes;
}

static yoml_t *read_alias(reader_t *reader, const yaml_event_t *event)
{
    const char *name = (const char *)event->data.alias.anchor;

    /* the latest anchor of a name wins (YAML 1.1 §3.2.2.2) */
    for (size_t i = reader->anchors.size; i-- != 0;) {
        anchor_t *anchor = &reader->anchors.entries[i];
        if (strcmp(anchor->name, name) == 0) {
            if (!count_nodes(reader, event, anchor->num_nodes))
                return NULL;
            return breaker__yaml_node_ref(anchor->node);
        }
    }
    return FAIL_AT(reader, event->start_mark.line, event->start_mark.column,
                   "the alias *%s has no anchor &%s before it", name, name);
}

/* takes over `node`; what comes back is the node or what its tag stands for */
static yoml_t *resolve_tag(reader_t *reader, yoml_t *node)
{
    yoml_t *loaded;

    if (node->tag == NULL || strcmp(node->tag, "!") == 0 ||
        strncmp(node->tag, YAML_TAG_PREFIX, strlen(YAML_TAG_PREFIX)) == 0)
        return node;
    if (strcmp(node->tag, "!file") != 0)
        loaded =
            FAIL_AT(reader, node->line, node->column, "unknown tag %s; accepted: !file", node->tag);
    else if (node->type != YOML_TYPE_SCALAR)
        loaded = FAIL_AT(reader, node->line, node->column, "!file takes the path of a file");
    else if (reader->load->include_depth == BREAKER__YAML_INCLUDE_MAX)
        loaded = FAIL_AT(reader, node->line, node->column,
                         "files include each other more than %d deep", BREAKER__YAML_INCLUDE_MAX);
    else
        loaded = load_file(reader->load, node->data.scalar, node, reader);
    breaker__yaml_node_unref(node);
    return loaded;
}

/* ---- values ---- */

static bool next_event(reader_t *reader, yaml_event_t *event)
{
    if (yaml_parser_parse(&reader->parser, event))
        return true;
    fail_parser(reader);
    return false;
}

/* libh2o gives commands to a shell, which has the same environment and more to say about `${` */
static bool is_command(const char *key)
{
    return strcmp(key, "fastcgi.spawn") == 0 || strcmp(key, "command") == 0;
}

/* a new text, or NULL after a complaint */
static char *expand(reader_t *reader, const yaml_event_t *event, const char *text)
{
    breaker_error_t error;
    char *expanded;

    /* `| command` of a log */
    if (reader->is_verbatim || text[0] == '|')
        return h2o_strdup(NULL, text, SIZE_MAX).base;
    if ((expanded = breaker__expand(text, &error)) == NULL)
        FAIL_AT(reader, event->start_mark.line, event->start_mark.column, "%s", error.message);
    return expanded;
}

static yoml_t *read_scalar(reader_t *reader, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    char *expanded;
    yoml_t *node;

    if (strlen(text) != event->data.scalar.length)
        return FAIL_AT(reader, event->start_mark.line, event->start_mark.column,
                       "a value with a NUL byte in it");
    if ((expanded = expand(reader, event, text)) == NULL)
        return NULL;
    if ((node = new_node(reader, YOML_TYPE_SCALAR, event, event->data.scalar.anchor,
                         event->data.scalar.tag)) == NULL)
        free(expanded);
    else
        node->data.scalar = expanded;
    return node;
}

static yoml_t *read_sequence(reader_t *reader, const yaml_event_t *start)
{
    yoml_t *node = new_node(reader, YOML_TYPE_SEQUENCE, start, start->data.sequence_start.anchor,
                            start->data.sequence_start.tag);
    yaml_event_t event;

    while (node != NULL) {
        yoml_t *element;
        if (!next_event(reader, &event))
            break;
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            return node;
        }
        element = read_value(reader, &event);
        yaml_event_delete(&event);
        if (element == NULL)
            break;
        node = breaker__yaml_node_append(node, element);
    }
    breaker__yaml_node_unref(node);
    return NULL;
}

static bool fail_pairs(reader_t *reader, const yoml_t *key)
{
    FAIL_AT(reader, key->line, key->column, "a mapping of more than %d keys",
            BREAKER__YAML_PAIRS_MAX);
    return false;
}

static bool check_key(reader_t *reader, const yoml_t *mapping, const yoml_t *key)
{
    const yoml_t *before;

    if (mapping->data.mapping.size == BREAKER__YAML_PAIRS_MAX)
        return fail_pairs(reader, key);
    if (key->type != YOML_TYPE_SCALAR || breaker__yaml_node_is_merge(key) ||
        reader->load->may_repeat(key->data.scalar))
        return true;
    if ((before = breaker__yaml_node_find_key(mapping, key)) == NULL)
        return true;
    FAIL_AT(reader, key->line, key->column, "the key `%s` stands here already, at line %zu",
            key->data.scalar, before->line + 1);
    return false;
}

/* takes over a complete mapping */
static yoml_t *resolve_merges(reader_t *reader, yoml_t *mapping)
{
    const yoml_t *key;

    switch (breaker__yaml_node_check_merges(mapping, &key)) {
    case BREAKER__YAML_MERGE_NONE:
        return mapping;
    case BREAKER__YAML_MERGE_FITS:
        return breaker__yaml_node_merge(mapping);
    case BREAKER__YAML_MERGE_NO_MAPPING:
        FAIL_AT(reader, key->line, key->column,
                "the value of `<<` is a mapping or a sequence of mappings");
        break;
    case BREAKER__YAML_MERGE_TOO_MANY:
        fail_pairs(reader, key);
        break;
    }
    breaker__yaml_node_unref(mapping);
    return NULL;
}

static yoml_t *read_value_as(reader_t *reader, const yaml_event_t *event, bool is_verbatim)
{
    bool was_verbatim = reader->is_verbatim;
    yoml_t *node;

    reader->is_verbatim = is_verbatim;
    node = read_value(reader, event);
    reader->is_verbatim = was_verbatim;
    return node;
}

static yoml_t *read_pair(reader_t *reader, yoml_t *node, const yaml_event_t *key_event)
{
    yoml_t *key = read_value_as(reader, key_event, true), *value = NULL;
    yaml_event_t event;

    if (key == NULL || !check_key(reader, node, key) || !next_event(reader, &event))
        goto Fail;
    value = read_value_as(reader, &event,
                          key->type == YOML_TYPE_SCALAR && is_command(key->data.scalar));
    yaml_event_delete(&event);
    if (value == NULL)
        goto Fail;
    return breaker__yaml_node_append_pair(node, key, value);

Fail:
    breaker__yaml_node_unref(key);
    breaker__yaml_node_unref(node);
    return NULL;
}

static yoml_t *read_mapping(reader_t *reader, const yaml_event_t *start)
{
    yoml_t *node = new_node(reader, YOML_TYPE_MAPPING, start, start->data.mapping_start.anchor,
                            start->data.mapping_start.tag);
    yaml_event_t event;

    while (node != NULL) {
        if (!next_event(reader, &event)) {
            breaker__yaml_node_unref(node);
            return NULL;
        }
        if (event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            return resolve_merges(reader, node);
        }
        node = read_pair(reader, node, &event);
        yaml_event_delete(&event);
    }
    return NULL;
}

static const yaml_char_t *anchor_of(const yaml_event_t *event)
{
    if (event->type == YAML_SCALAR_EVENT)
        return event->data.scalar.anchor;
    if (event->type == YAML_SEQUENCE_START_EVENT)
        return event->data.sequence_start.anchor;
    return event->data.mapping_start.anchor;
}

static yoml_t *read_value(reader_t *reader, const yaml_event_t *event)
{
    size_t num_before = reader->load->num_nodes;
    yoml_t *node;

    if (event->type == YAML_ALIAS_EVENT)
        return read_alias(reader, event);
    if (reader->depth == BREAKER__YAML_DEPTH_MAX)
        return FAIL_AT(reader, event->start_mark.line, event->start_mark.column,
                       "values nest more than %d deep", BREAKER__YAML_DEPTH_MAX);

    ++reader->depth;
    if (event->type == YAML_SCALAR_EVENT)
        node = read_scalar(reader, event);
    else if (event->type == YAML_SEQUENCE_START_EVENT)
        node = read_sequence(reader, event);
    else
        node = read_mapping(reader, event);
    --reader->depth;
    if (node != NULL)
        node = resolve_tag(reader, node);
    if (node != NULL && anchor_of(event) != NULL)
        add_anchor(reader, node, anchor_of(event), reader->load->num_nodes - num_before);
    return node;
}

/* ---- files ---- */

static bool is_value(const yaml_event_t *event)
{
    return event->type == YAML_ALIAS_EVENT || event->type == YAML_SCALAR_EVENT ||
           event->type == YAML_SEQUENCE_START_EVENT || event->type == YAML_MAPPING_START_EVENT;
}

/* the one document of a stream: what comes before and after it is framing */
static yoml_t *read_stream(reader_t *reader)
{
    yoml_t *root = NULL;
    yaml_event_t event;
    bool ended = false;

    while (!ended) {
        if (!next_event(reader, &event))
            goto Fail;
        ended = event.type == YAML_STREAM_END_EVENT;
        if (is_value(&event)) {
            if (root != NULL)
                FAIL_AT(reader, event.start_mark.line, event.start_mark.column,
                        "a second document; a configuration is one");
            else if ((root = read_value(reader, &event)) != NULL) {
                yaml_event_delete(&event);
                continue;
            }
            yaml_event_delete(&event);
            goto Fail;
        }
        yaml_event_delete(&event);
    }
    if (root == NULL)
        breaker_error_set(reader->load->error, BREAKER_ERR_IO, "%s: the file is empty",
                          reader->path);
    return root;

Fail:
    breaker__yaml_node_unref(root);
    return NULL;
}

static char *read_bytes(const char *path, size_t *ret_len, const yoml_t *at, breaker_error_t *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *bytes = NULL;
    size_t len = 0;
    ssize_t got = 0;

    if (fd == -1)
        goto Fail;
    bytes = h2o_mem_alloc(BREAKER__YAML_FILE_MAX + 1);
    while (len <= BREAKER__YAML_FILE_MAX) {
        if ((got = read(fd, bytes + len, BREAKER__YAML_FILE_MAX + 1 - len)) == 0)
            break;
        if (got == -1 && errno != EINTR)
            goto Fail;
        len += got > 0 ? (size_t)got : 0;
    }
    close(fd);
    if (len <= BREAKER__YAML_FILE_MAX) {
        *ret_len = len;
        return bytes;
    }
    breaker_error_set(error, BREAKER_ERR_IO, "%s: the file is larger than %u bytes", path,
                      BREAKER__YAML_FILE_MAX);
    free(bytes);
    return NULL;

Fail:
    if (at != NULL)
        fail_at(error, at->filename, at->line, at->column, "!file %s: %s", path, strerror(errno));
    else
        breaker_error_set(error, BREAKER_ERR_IO, "%s: %s", path, strerror(errno));
    if (fd != -1)
        close(fd);
    free(bytes);
    return NULL;
}

static void dispose_anchors(reader_t *reader)
{
    for (size_t i = 0; i != reader->anchors.size; ++i) {
        free(reader->anchors.entries[i].name);
        breaker__yaml_node_unref(reader->anchors.entries[i].node);
    }
    free(reader->anchors.entries);
}

/* what follows the !file may name what was anchored in that file */
static void hand_on_anchors(reader_t *reader, reader_t *includer)
{
    size_t num = includer->anchors.size, more = reader->anchors.size;

    h2o_vector_reserve(NULL, &includer->anchors, num + more);
    h2o_memcpy(includer->anchors.entries + num, reader->anchors.entries,
               sizeof(includer->anchors.entries[0]) * more);
    includer->anchors.size += more;
    reader->anchors.size = 0;
}

/* `at` is the !file of `includer` that asks for it, or both are NULL */
static yoml_t *load_file(load_t *load, const char *path, const yoml_t *at, reader_t *includer)
{
    reader_t reader = {.load = load, .path = path};
    size_t len;
    char *bytes;
    yoml_t *root;

    if ((bytes = read_bytes(path, &len, at, load->error)) == NULL)
        return NULL;
    if (!yaml_parser_initialize(&reader.parser)) {
        breaker_error_set(load->error, BREAKER_ERR_NO_MEMORY, "%s: out of memory", path);
        free(bytes);
        return NULL;
    }
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)bytes, len);
    ++load->include_depth;
    root = read_stream(&reader);
    --load->include_depth;

    if (includer != NULL && root != NULL)
        hand_on_anchors(&reader, includer);
    dispose_anchors(&reader);
    yaml_parser_delete(&reader.parser);
    free(bytes);
    return root;
}

yoml_t *breaker__yaml_load(const char *path, bool (*may_repeat)(const char *key),
                           breaker_error_t *error)
{
    load_t load = {.may_repeat = may_repeat, .error = error};

    return load_file(&load, path, NULL, NULL);
}
