/*
 * A manifest is read as untrusted text: a peer, a disk or whoever writes into Redis may have made
 * it. There is one spelling for everything, so what is accepted is what manifest.c writes, byte for
 * byte, and the digest, which is made while the lines are read, has one text. Everything is checked
 * that reaches a client or a file system later: nobody looks at it again.
 *
 * The lines are counted before anything is allocated, so that memory is bounded by the text.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "http/percent.h"
#include "release/arena.h"
#include "release/digest.h"
#include "release/manifest_read.h"
#include "release/manifest_word.h"
#include "view/view.h"

static const char *const first_lines[] = {"h2o-breaker manifest 1", "h2o-breaker manifest 2"};

enum {
    /* types that are remembered as they are spelled: a power of two */
    TYPE_SLOTS = 64,
};

/* what is allocated for a manifest: the manifest comes first, so that its address is ours */
typedef struct st_whole_t {
    breaker__manifest_t manifest;
    breaker__arena_t texts;            /* owned */
    breaker__manifest_view_t *views;   /* owned */
    breaker__manifest_file_t *files;   /* owned: those of all views */
    const char **headers;              /* owned: those of all views */
    breaker_matched_header_t *matched; /* owned: those of all views */
} whole_t;

typedef struct st_reader_t {
    /* the present line without its end, NULL past the last one, and its number from 1 */
    breaker__word_t line;
    size_t line_number;
    /* what follows the line */
    const char *rest, *end;
    /* up to here the text is part of the digest already */
    const char *hashed;
    breaker__hasher_t hasher; /* owned */
    whole_t *whole;           /* owned until it is finished */
    size_t num_headers, num_matched;
    /* something was read that version 1 does not have */
    bool needs_second;
    /* types by a hash of their spelling */
    struct {
        breaker__word_t spelled;
        const char *text;
    } types[TYPE_SLOTS];
    breaker_error_t *error;
} reader_t;

/* ---- failures ---- */

static int fail(const reader_t *reader, int code, const char *accepted)
{
    return breaker_error_set(reader->error, code, "a manifest's line %zu is not accepted: %s",
                             reader->line_number, accepted);
}

static int damaged(const reader_t *reader, const char *accepted)
{
    return fail(reader, BREAKER_ERR_DAMAGED, accepted);
}

static int no_memory(const reader_t *reader)
{
    return breaker_error_set(reader->error, BREAKER_ERR_NO_MEMORY, "a manifest: %s",
                             breaker_err_message(BREAKER_ERR_NO_MEMORY));
}

/* ---- lines ---- */

static int next_line(reader_t *reader)
{
    const char *newline;

    ++reader->line_number;
    if (reader->rest == reader->end) {
        reader->line = (breaker__word_t){.base = NULL};
        return 0;
    }
    newline = memchr(reader->rest, '\n', (size_t)(reader->end - reader->rest));
    if (newline == NULL)
        return damaged(reader, "it must end with a line feed");
    reader->line = (breaker__word_t){reader->rest, (size_t)(newline - reader->rest)};
    reader->rest = newline + 1;
    return 0;
}

/* whether the present line has this key, and what follows it */
static bool has_key(const reader_t *reader, const char *key, breaker__word_t *ret_value)
{
    size_t len = strlen(key);
    const breaker__word_t *line = &reader->line;

    if (line->base == NULL || line->len <= len || line->base[len] != ' ' ||
        memcmp(line->base, key, len) != 0)
        return false;
    *ret_value = (breaker__word_t){line->base + len + 1, line->len - len - 1};
    return true;
}

/* ---- views ---- */

/* the decoded value in the manifest's memory */
static int keep_text(reader_t *reader, breaker__word_t word, size_t cap, const char **ret_text)
{
    char text[BREAKER_VIEW_HEADER_MAX];
    size_t len;

    assert(cap <= sizeof(text));
    if ((len = breaker__word_decode(word, text, cap)) == 0 || memchr(text, '\0', len) != NULL)
        return damaged(reader, "its value must be percent-encoded as a manifest's are, not empty, "
                               "and not too long");
    *ret_text = breaker__arena_copy(&reader->whole->texts, text, len);
    return *ret_text != NULL ? 0 : no_memory(reader);
}

static int read_option(reader_t *reader, const char *key, size_t cap, const char **ret_text)
{
    breaker__word_t value;
    int err;

    if (!has_key(reader, key, &value))
        return 0;
    if ((err = keep_text(reader, value, cap, ret_text)) != 0)
        return err;
    return next_line(reader);
}

static int read_name(reader_t *reader, breaker_view_config_t *config)
{
    breaker__word_t value;
    int err;

    if (!has_key(reader, "view", &value))
        return damaged(reader, "it must be \"view <name>\"");
    if ((err = keep_text(reader, value, BREAKER_VIEW_NAME_MAX, &config->name)) != 0)
        return err;
    if (config->name[0] == '/' || config->name[strlen(config->name) - 1] == '/')
        return damaged(reader, "a view's name must not begin or end with a slash");
    return next_line(reader);
}

/* the present line and its end are no part of the digest */
static int leave_out_line(reader_t *reader)
{
    const char *base = reader->line.base;

    assert(base >= reader->hashed);
    if (breaker__hasher_feed(&reader->hasher, reader->hashed, (size_t)(base - reader->hashed)) != 0)
        return no_memory(reader);
    reader->hashed = base + reader->line.len + 1;
    assert(reader->hashed == reader->rest);
    return 0;
}

static int read_host(reader_t *reader, breaker__word_t value, breaker__manifest_view_t *view)
{
    char name[BREAKER_VIEW_HOST_MAX + 1];
    size_t num = view->hosts.num, len = breaker__word_decode(value, name, BREAKER_VIEW_HOST_MAX);
    int err;

    name[len] = '\0';
    if (len == 0 || memchr(name, '\0', len) != NULL ||
        (num != 0 && strcmp(view->hosts.names[num - 1], name) >= 0))
        return damaged(reader,
                       "a host is 1 to 300 bytes, percent-encoded as a manifest's are, after "
                       "its view's others in bytewise order");
    if ((err = breaker__hosts_add(&view->hosts, name)) == BREAKER_ERR_NO_MEMORY)
        return no_memory(reader);
    if (err != 0)
        return fail(reader, err, "a view has at most 1024 hosts");
    if (!view->shares_name && (err = leave_out_line(reader)) != 0)
        return err;
    return next_line(reader);
}

static int read_hosts(reader_t *reader, breaker__manifest_view_t *view)
{
    breaker__word_t value;
    const char *key;
    int err;

    view->shares_name = reader->whole->manifest.version != 1 && has_key(reader, "host", &value);
    reader->needs_second |= view->shares_name;
    key = view->shares_name ? "host" : "at";
    while (has_key(reader, key, &value))
        if ((err = read_host(reader, value, view)) != 0)
            return err;
    if (!view->shares_name && breaker__hosts_are_default(&view->hosts))
        return damaged(reader, "the host \"default\" alone is not said");
    if (view->hosts.num != 0)
        return 0;
    return breaker__hosts_add(&view->hosts, BREAKER__HOST_DEFAULT) == 0 ? 0 : no_memory(reader);
}

static bool have_one_name(const breaker__manifest_view_t *a, const breaker__manifest_view_t *b)
{
    return strcmp(a->config.name, b->config.name) == 0;
}

/* whether a view may follow the one before it, which is not the first's concern */
static int check_order(reader_t *reader, const breaker__manifest_view_t *view, size_t first_line)
{
    const breaker__manifest_view_t *before = view - 1;
    bool is_same;

    if (view == reader->whole->views)
        return 0;
    is_same = have_one_name(before, view);
    if (is_same ? before->shares_name && view->shares_name &&
                      strcmp(before->hosts.names[0], view->hosts.names[0]) < 0
                : strcmp(before->config.name, view->config.name) < 0)
        return 0;
    reader->line_number = first_line;
    return damaged(reader, "views must be in bytewise order of their names, each once, or with "
                           "\"host\" lines, in the order of the first");
}

/* the other views of a name stand beside it */
static int check_names(reader_t *reader)
{
    const breaker__manifest_t *manifest = &reader->whole->manifest;

    for (size_t i = 0; i != manifest->num_views; ++i) {
        const breaker__manifest_view_t *view = manifest->views + i;
        if (view->shares_name && !(i != 0 && have_one_name(view - 1, view)) &&
            !(i + 1 != manifest->num_views && have_one_name(view, view + 1)))
            return damaged(reader, "\"host\" lines are for views whose name others have as well");
    }
    return 0;
}

static int read_max_age(reader_t *reader, breaker_view_config_t *config)
{
    breaker__word_t value;

    if (!has_key(reader, "max-age", &value) ||
        !breaker__word_number(value, BREAKER_CACHE_MAX_AGE_MAX_S, &config->cache_max_age_s))
        return damaged(reader, "it must be \"max-age <seconds>\", at most 315360000");
    return next_line(reader);
}

static int read_headers(reader_t *reader, breaker_view_config_t *config)
{
    const char **headers = reader->whole->headers + reader->num_headers;
    breaker__word_t value;
    int err;

    config->headers = headers;
    while (has_key(reader, "header", &value)) {
        if (config->num_headers == BREAKER_VIEW_HEADERS_MAX)
            return fail(reader, BREAKER_ERR_TOO_MANY, "a view has at most 32 headers");
        if ((err = read_option(reader, "header", BREAKER_VIEW_HEADER_MAX,
                               headers + config->num_headers)) != 0)
            return err;
        ++config->num_headers;
    }
    reader->num_headers += config->num_headers;
    return 0;
}

static int read_matched_header(reader_t *reader, breaker__word_t rest,
                               breaker_matched_header_t *matched)
{
    breaker__word_t pattern = breaker__word_take(&rest);
    int err;

    if ((err = keep_text(reader, pattern, BREAKER_VIEW_PATTERN_MAX, &matched->pattern)) != 0 ||
        (err = keep_text(reader, rest, BREAKER_VIEW_HEADER_MAX, &matched->header)) != 0)
        return err;
    return next_line(reader);
}

static int read_matched_headers(reader_t *reader, breaker_view_config_t *config)
{
    breaker_matched_header_t *matched = reader->whole->matched + reader->num_matched;
    breaker__word_t value;
    int err;

    config->matched_headers = matched;
    while (reader->whole->manifest.version != 1 && has_key(reader, "header-match", &value)) {
        if (config->num_headers + config->num_matched_headers == BREAKER_VIEW_HEADERS_MAX)
            return fail(reader, BREAKER_ERR_TOO_MANY, "a view has at most 32 headers");
        if ((err = read_matched_header(reader, value, matched + config->num_matched_headers)) != 0)
            return err;
        ++config->num_matched_headers;
        reader->needs_second = true;
    }
    reader->num_matched += config->num_matched_headers;
    return 0;
}

static int read_encodings(reader_t *reader, breaker_view_config_t *config)
{
    breaker__word_t value;

    if (!has_key(reader, "encodings", &value) ||
        !((value.len == 2 && memcmp(value.base, "on", 2) == 0) ||
          (value.len == 3 && memcmp(value.base, "off", 3) == 0)))
        return damaged(
            reader,
            "a view's lines are view, at or in version 2 host, max-age, allow-origin, "
            "timing-allow-origin, resource-policy, header, in version 2 header-match, index, "
            "fallback, \"encodings on\" or \"encodings off\", in this order");
    config->encodings = value.len == 2;
    return next_line(reader);
}

/* the lines before the files */
static int read_config(reader_t *reader, breaker__manifest_view_t *view)
{
    breaker_view_config_t *config = &view->config;
    size_t first_line = reader->line_number;
    int err;

    breaker_view_config_init(config);
    config->allow_origin = NULL;
    if ((err = read_name(reader, config)) != 0 || (err = read_hosts(reader, view)) != 0 ||
        (err = check_order(reader, view, first_line)) != 0 ||
        (err = read_max_age(reader, config)) != 0 ||
        (err = read_option(reader, "allow-origin", BREAKER_VIEW_HEADER_MAX,
                           &config->allow_origin)) != 0 ||
        (err = read_option(reader, "timing-allow-origin", BREAKER_VIEW_HEADER_MAX,
                           &config->timing_allow_origin)) != 0 ||
        (err = read_option(reader, "resource-policy", BREAKER_VIEW_HEADER_MAX,
                           &config->resource_policy)) != 0 ||
        (err = read_headers(reader, config)) != 0 ||
        (err = read_matched_headers(reader, config)) != 0 ||
        (err = read_option(reader, "index", BREAKER_VIEW_NAME_MAX, &config->index)) != 0 ||
        (err = read_option(reader, "fallback", BREAKER_VIEW_NAME_MAX, &config->fallback)) != 0 ||
        (err = read_encodings(reader, config)) != 0)
        return err;
    if ((err = breaker__view_check(config)) == 0)
        return 0;
    reader->line_number = first_line;
    return damaged(reader, breaker_err_message(err));
}

/* ---- files ---- */

static int read_path(reader_t *reader, breaker__word_t word, const breaker__manifest_file_t *before,
                     breaker__manifest_file_t *file)
{
    char path[BREAKER_ASSET_PATH_MAX];
    size_t len = breaker__word_decode(word, path, sizeof(path));

    if (!breaker__path_has_names_only(path, len) || !breaker__path_is_clean(path, len))
        return damaged(reader, "a path is 1 to 4095 bytes, percent-encoded as a manifest's are, "
                               "without empty segments, '.', '..', control characters and "
                               "backslashes");
    if ((file->path = breaker__arena_copy(&reader->whole->texts, path, len)) == NULL)
        return no_memory(reader);
    file->path_len = (uint32_t)len;
    if (before != NULL && strcmp(before->path, file->path) >= 0)
        return damaged(reader, "files must be in bytewise order of their paths, each once");
    return 0;
}

/* what may stand as the value of a header */
static bool is_value(const char *base, size_t len)
{
    for (size_t i = 0; i != len; ++i)
        if ((unsigned char)base[i] < 0x20 || base[i] == 0x7f)
            return false;
    return true;
}

/* FNV-1a; a bad one costs memory for a text once more */
static size_t slot_of(breaker__word_t word)
{
    uint32_t hash = UINT32_C(2166136261);

    for (size_t i = 0; i != word.len; ++i)
        hash = (hash ^ (unsigned char)word.base[i]) * UINT32_C(16777619);
    return (hash ^ hash >> 16) & (TYPE_SLOTS - 1);
}

static int read_type(reader_t *reader, breaker__word_t word, const char **ret_type)
{
    size_t slot = slot_of(word), len;
    const breaker__word_t *known = &reader->types[slot].spelled;
    char type[BREAKER__MANIFEST_TYPE_MAX];

    if (reader->types[slot].text == NULL || known->len != word.len ||
        memcmp(known->base, word.base, word.len) != 0) {
        len = breaker__word_decode(word, type, sizeof(type));
        if (len == 0 || !is_value(type, len))
            return damaged(reader, "a media type is 1 to 1024 bytes, percent-encoded as a "
                                   "manifest's are, without control characters");
        if ((reader->types[slot].text = breaker__arena_copy(&reader->whole->texts, type, len)) ==
            NULL)
            return no_memory(reader);
        reader->types[slot].spelled = word;
    }
    *ret_type = reader->types[slot].text;
    return 0;
}

static int read_size(reader_t *reader, breaker__word_t word, uint64_t *ret_size)
{
    breaker__manifest_t *manifest = &reader->whole->manifest;

    if (!breaker__word_number(word, BREAKER__MANIFEST_SIZE_MAX - manifest->size, ret_size))
        return damaged(reader, "a size is a number of bytes, all together at most 2^50");
    manifest->size += *ret_size;
    return 0;
}

/* what stands before the time is part of the digest, with the line end */
static int hash_file(reader_t *reader, breaker__word_t time)
{
    size_t len = (size_t)(time.base - 1 - reader->hashed);

    assert(time.base - 1 > reader->hashed);
    if (breaker__hasher_feed(&reader->hasher, reader->hashed, len) != 0)
        return no_memory(reader);
    reader->hashed = time.base + time.len;
    assert(*reader->hashed == '\n');
    return 0;
}

/* version 1 has no word for it */
static int read_coding(reader_t *reader, breaker__word_t *rest, breaker_encoding_t *ret_coding)
{
    breaker_encoding_t coding = BREAKER_ENCODING_IDENTITY;
    breaker__word_t word;

    if (reader->whole->manifest.version != 1) {
        word = breaker__word_take(rest);
        for (coding = 0; coding != BREAKER_ENCODINGS; ++coding)
            if (breaker__word_is(word, breaker_encoding_name(coding)))
                break;
        if (coding == BREAKER_ENCODINGS)
            return damaged(reader, "a coding is br, zstd, gzip or identity");
    }
    reader->needs_second |= coding != BREAKER_ENCODING_IDENTITY;
    *ret_coding = coding;
    return 0;
}

static int read_file(reader_t *reader, breaker__word_t rest, const breaker__manifest_file_t *before,
                     breaker__manifest_file_t *file)
{
    breaker__word_t path = breaker__word_take(&rest), digest = breaker__word_take(&rest),
                    size = breaker__word_take(&rest), type = breaker__word_take(&rest);
    int err;

    if (!breaker__word_digest(digest, file->digest))
        return damaged(reader, "it must be \"file <path> <SHA-256 in 64 small hexadecimal digits> "
                               "<size> <media type> <time>\", in version 2 with the coding before "
                               "the time");
    if ((err = read_path(reader, path, before, file)) != 0 ||
        (err = read_size(reader, size, &file->size)) != 0 ||
        (err = read_type(reader, type, &file->type)) != 0 ||
        (err = read_coding(reader, &rest, &file->coding)) != 0)
        return err;
    if (!breaker__word_time(rest, &file->last_modified_s))
        return damaged(reader, "a time is a number of seconds");
    if ((err = hash_file(reader, rest)) != 0)
        return err;
    return next_line(reader);
}

static int read_files(reader_t *reader, breaker__manifest_view_t *view)
{
    breaker__manifest_t *manifest = &reader->whole->manifest;
    breaker__manifest_file_t *files = reader->whole->files + manifest->num_files;
    breaker__word_t value;
    int err;

    view->files = files;
    for (; has_key(reader, "file", &value); ++view->num_files) {
        breaker__manifest_file_t *file = files + view->num_files;
        if (view->num_files == BREAKER_ASSETS_MAX)
            return fail(reader, BREAKER_ERR_TOO_MANY, "a view has at most 4194304 files");
        if ((err = read_file(reader, value, view->num_files != 0 ? file - 1 : NULL, file)) != 0)
            return err;
    }
    manifest->num_files += view->num_files;
    return 0;
}

/* ---- the whole ---- */

static bool begins_with(const char *at, const char *end, const char *word)
{
    size_t len = strlen(word);

    return (size_t)(end - at) >= len && memcmp(at, word, len) == 0;
}

/* more than there are where the text is damaged, never fewer */
static size_t count(const char *base, const char *end, const char *key)
{
    size_t num = 0;

    for (const char *at = base; at != NULL && at != end;) {
        num += begins_with(at, end, key);
        at = memchr(at, '\n', (size_t)(end - at));
        at = at != NULL ? at + 1 : NULL;
    }
    return num;
}

static int begin(reader_t *reader, const char *base, size_t len)
{
    const char *end = base + len;
    whole_t *whole;

    if ((whole = reader->whole = calloc(1, sizeof(*whole))) == NULL)
        return no_memory(reader);
    breaker__arena_init(&whole->texts);
    whole->views = calloc(BREAKER_VIEWS_MAX, sizeof(*whole->views));
    whole->files = calloc(count(base, end, "file ") + 1, sizeof(*whole->files));
    whole->headers = calloc(count(base, end, "header ") + 1, sizeof(*whole->headers));
    whole->matched = calloc(count(base, end, "header-match ") + 1, sizeof(*whole->matched));
    if (whole->views == NULL || whole->files == NULL || whole->headers == NULL ||
        whole->matched == NULL || breaker__hasher_init(&reader->hasher) != 0 ||
        breaker__hasher_begin(&reader->hasher) != 0)
        return no_memory(reader);
    whole->manifest.views = whole->views;
    return next_line(reader);
}

static int read_views(reader_t *reader)
{
    breaker__manifest_t *manifest = &reader->whole->manifest;
    int err;

    while (reader->line.base != NULL) {
        breaker__manifest_view_t *view = reader->whole->views + manifest->num_views;
        if (manifest->num_views == BREAKER_VIEWS_MAX)
            return fail(reader, BREAKER_ERR_TOO_MANY, "a manifest has at most 64 views");
        /* its hosts are freed from here on */
        ++manifest->num_views;
        if ((err = read_config(reader, view)) != 0 || (err = read_files(reader, view)) != 0)
            return err;
    }
    return check_names(reader);
}

static int read_version(reader_t *reader)
{
    for (unsigned i = 0; i != sizeof(first_lines) / sizeof(first_lines[0]); ++i)
        if (breaker__word_is(reader->line, first_lines[i])) {
            reader->whole->manifest.version = i + 1;
            return next_line(reader);
        }
    return damaged(reader, "it must be \"h2o-breaker manifest 1\", or 2; others are of later "
                           "versions of this program");
}

static int read_whole(reader_t *reader, const char *base, size_t len)
{
    int err;

    if ((err = begin(reader, base, len)) != 0 || (err = read_version(reader)) != 0 ||
        (err = read_views(reader)) != 0)
        return err;
    if (reader->whole->manifest.version == 2 && !reader->needs_second) {
        reader->line_number = 1;
        return damaged(reader, "what version 1 can say must be said in it");
    }
    if (breaker__hasher_feed(&reader->hasher, reader->hashed,
                             (size_t)(reader->end - reader->hashed)) != 0 ||
        breaker__hasher_end(&reader->hasher, reader->whole->manifest.digest) != 0)
        return no_memory(reader);
    return 0;
}

static void free_whole(whole_t *whole)
{
    if (whole == NULL)
        return;
    breaker__arena_dispose(&whole->texts);
    for (size_t i = 0; i != whole->manifest.num_views; ++i)
        breaker__hosts_dispose(&whole->views[i].hosts);
    free(whole->views);
    free(whole->files);
    free(whole->headers);
    free(whole->matched);
    free(whole);
}

int breaker__manifest_read(const char *base, size_t len, breaker__manifest_t **ret_manifest,
                           breaker_error_t *error)
{
    reader_t reader = {.rest = base, .end = base + len, .hashed = base, .error = error};
    int err;

    if (len > BREAKER__MANIFEST_MAX)
        return breaker_error_set(error, BREAKER_ERR_TOO_LONG,
                                 "a manifest is not accepted: it has more than %" PRIu64 " bytes",
                                 BREAKER__MANIFEST_MAX);
    err = read_whole(&reader, base, len);
    breaker__hasher_dispose(&reader.hasher);
    if (err != 0) {
        free_whole(reader.whole);
        return err;
    }
    *ret_manifest = &reader.whole->manifest;
    return 0;
}

void breaker__manifest_free(breaker__manifest_t *manifest)
{
    free_whole((whole_t *)manifest);
}

bool breaker__manifest_is_of(const breaker__manifest_t *manifest, const breaker_release_id_t *id)
{
    const char *digest = breaker_release_id_digest(id);
    char text[BREAKER_DIGEST_TEXT_LEN + 1];

    breaker__digest_text(manifest->digest, text);
    return digest != NULL && memcmp(digest, text, BREAKER_DIGEST_TEXT_LEN) == 0;
}
