/*
 * The manifest as a text, once with the times of the files and once, for the digest, without. It
 * says everything that reaches a client with a 200 and nothing of where the files lie or lay, so
 * that equal digests mean equal answers, and equal answers equal digests. Text and digest are
 * written by the same lines of code.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "release/manifest.h"
#include "release/release.h"
#include "release/store.h"
#include "view/view.h"

enum {
    BUFFER_SIZE = 4096,
    /* the longest number, with its sign and a space before it */
    NUMBER_SIZE = 24,
    /* lines of a view that are no headers: from "view" to "resource-policy", "index", "fallback",
       "encodings" */
    LINES_BEFORE_HEADERS = 5,
    LINES_BESIDE_HEADERS = 8,
    /* the first line, and the views */
    PARTS_MAX = 1 + BREAKER_VIEWS_MAX,
};

static const char any_version[] = "h2o-breaker manifest ";
static const char *const versions[] = {"1\n", "2\n"};
/* keys of lines that name hosts */
static const char digested_host[] = "host", carried_host[] = "at";

/* what is written and not handed on yet; after an error nothing is any more */
typedef struct st_pen_t {
    breaker__manifest_sink_t sink;
    void *data;
    int err;
    bool with_times;
    unsigned version;
    size_t len;
    char buffer[BUFFER_SIZE];
} pen_t;

static void flush(pen_t *pen)
{
    assert(pen->len <= sizeof(pen->buffer));
    if (pen->err == 0 && pen->len != 0)
        pen->err = pen->sink(pen->data, pen->buffer, pen->len);
    pen->len = 0;
}

/* at most a buffer's size */
static void put(pen_t *pen, const char *base, size_t len)
{
    assert(len <= sizeof(pen->buffer));
    if (len > sizeof(pen->buffer) - pen->len)
        flush(pen);
    memcpy(pen->buffer + pen->len, base, len);
    pen->len += len;
}

static void put_text(pen_t *pen, const char *text)
{
    put(pen, text, strlen(text));
}

static bool is_plain(char c)
{
    return c >= '!' && c <= '~' && c != '%';
}

static void put_escaped(pen_t *pen, const char *base, size_t len)
{
    static const char digits[] = "0123456789ABCDEF";

    for (const char *end = base + len; base != end; ++base) {
        const char escape[] = {'%', digits[(unsigned char)*base >> 4],
                               digits[(unsigned char)*base & 15]};
        if (is_plain(*base))
            put(pen, base, 1);
        else
            put(pen, escape, sizeof(escape));
    }
}

static void put_number(pen_t *pen, int64_t number)
{
    char text[NUMBER_SIZE];
    int len = snprintf(text, sizeof(text), " %" PRId64, number);

    assert(len > 1 && (size_t)len < sizeof(text));
    put(pen, text, (size_t)len);
}

/* "<key> <value>", or nothing where there is no value */
static void put_pair(pen_t *pen, const char *key, const char *value)
{
    if (value == NULL)
        return;
    put_text(pen, key);
    put_text(pen, " ");
    put_escaped(pen, value, strlen(value));
    put_text(pen, "\n");
}

/* one of the lines from "view" to "encodings"; nothing where the view has nothing to say */
static void put_option(pen_t *pen, const breaker_view_config_t *config, size_t line)
{
    assert(config->cache_max_age_s <= INT64_MAX);
    switch (line) {
    case 0:
        put_pair(pen, "view", config->name);
        break;
    case 1:
        put_text(pen, "max-age");
        put_number(pen, (int64_t)config->cache_max_age_s);
        put_text(pen, "\n");
        break;
    case 2:
        put_pair(pen, "allow-origin", config->allow_origin);
        break;
    case 3:
        put_pair(pen, "timing-allow-origin", config->timing_allow_origin);
        break;
    case 4:
        put_pair(pen, "resource-policy", config->resource_policy);
        break;
    case LINES_BEFORE_HEADERS:
        put_pair(pen, "index", config->index);
        break;
    case LINES_BEFORE_HEADERS + 1:
        put_pair(pen, "fallback", config->fallback);
        break;
    default:
        assert(line == LINES_BESIDE_HEADERS - 1);
        put_pair(pen, "encodings", config->encodings ? "on" : "off");
    }
}

static void put_first_line(pen_t *pen)
{
    assert(pen->version == 1 || pen->version == 2);
    put_text(pen, any_version);
    put_text(pen, versions[pen->version - 1]);
}

static void put_matched(pen_t *pen, const breaker_matched_header_t *matched)
{
    put_text(pen, "header-match ");
    put_escaped(pen, matched->pattern, strlen(matched->pattern));
    put_text(pen, " ");
    put_escaped(pen, matched->header, strlen(matched->header));
    put_text(pen, "\n");
}

static void put_coding(pen_t *pen, breaker_encoding_t coding)
{
    put_text(pen, " ");
    put_text(pen, breaker_encoding_name(coding));
}

static void put_file(pen_t *pen, const breaker_store_t *store, size_t at)
{
    const breaker_asset_t *asset = breaker_store_at(store, at);
    uint64_t size = breaker_asset_variant(asset, BREAKER_ENCODING_IDENTITY)->len;
    char digest[2 * BREAKER_DIGEST_LEN + 1];
    size_t path_len;
    const char *path = breaker_store_path(store, at, &path_len);

    assert(path_len != 0);
    assert(size <= INT64_MAX);
    breaker__digest_format(asset->digest, digest);
    put_text(pen, "file ");
    put_escaped(pen, path, path_len);
    put_text(pen, " ");
    put(pen, digest, sizeof(digest) - 1);
    put_number(pen, (int64_t)size);
    put_text(pen, " ");
    put_escaped(pen, asset->type, strlen(asset->type));
    if (pen->version != 1)
        put_coding(pen, asset->coding);
    if (pen->with_times)
        put_number(pen, asset->last_modified_s);
    put_text(pen, "\n");
}

static bool needs_second(const breaker_store_t *store)
{
    if (breaker_view_config(store->view)->num_matched_headers != 0)
        return true;
    for (size_t i = 0; i != breaker_store_size(store); ++i)
        if (breaker_store_at(store, i)->coding != BREAKER_ENCODING_IDENTITY)
            return true;
    return false;
}

static bool have_one_name(const breaker_store_t *a, const breaker_store_t *b)
{
    return strcmp(breaker_view_name(a->view), breaker_view_name(b->view)) == 0;
}

unsigned breaker__manifest_version(const breaker_release_t *release)
{
    for (size_t i = 0; i != release->num_stores; ++i) {
        if (needs_second(release->stores[i]))
            return 2;
        for (size_t j = 0; j != i; ++j)
            if (have_one_name(release->stores[i], release->stores[j]))
                return 2;
    }
    return 1;
}

bool breaker__manifest_is_of_later_version(const char *base, size_t len)
{
    size_t any_len = sizeof(any_version) - 1;

    if (len <= any_len || memcmp(base, any_version, any_len) != 0)
        return false;
    for (size_t i = 0; i != sizeof(versions) / sizeof(versions[0]); ++i)
        if (len - any_len >= strlen(versions[i]) &&
            memcmp(base + any_len, versions[i], strlen(versions[i])) == 0)
            return false;
    return true;
}

/** A view as the manifest has it. */
typedef struct st_part_t {
    const breaker_store_t *store; /* borrowed; NULL: the first line of the whole */
    /* the key of its lines of hosts, as many as the next says */
    const char *host_key;
    size_t num_hosts;
} part_t;

static size_t count_lines(const part_t *part)
{
    const breaker_view_config_t *config;

    if (part->store == NULL)
        return 1;
    config = breaker_view_config(part->store->view);
    return part->num_hosts + LINES_BESIDE_HEADERS + config->num_headers +
           config->num_matched_headers + breaker_store_size(part->store);
}

/* what is said only beside the digest is written with the times */
static void put_host(pen_t *pen, const part_t *part, size_t at)
{
    const breaker__hosts_t *hosts = &part->store->view->hosts;

    assert(at < hosts->num);
    if (pen->with_times || part->host_key == digested_host)
        put_pair(pen, part->host_key, hosts->names[at]);
}

static void put_line_of_view(pen_t *pen, const breaker_store_t *store, size_t line)
{
    const breaker_view_config_t *config = breaker_view_config(store->view);
    size_t num_plain = config->num_headers, num_headers = num_plain + config->num_matched_headers;

    if (line < LINES_BEFORE_HEADERS) {
        put_option(pen, config, line);
    } else if (line < LINES_BEFORE_HEADERS + num_plain) {
        put_pair(pen, "header", config->headers[line - LINES_BEFORE_HEADERS]);
    } else if (line < LINES_BEFORE_HEADERS + num_headers) {
        put_matched(pen, config->matched_headers + (line - LINES_BEFORE_HEADERS - num_plain));
    } else if (line < LINES_BESIDE_HEADERS + num_headers) {
        put_option(pen, config, line - num_headers);
    } else {
        size_t at = line - num_headers - LINES_BESIDE_HEADERS;
        assert(at < breaker_store_size(store));
        assert(at == 0 || strcmp(breaker_store_path(store, at - 1, NULL),
                                 breaker_store_path(store, at, NULL)) < 0);
        put_file(pen, store, at);
    }
}

/* hosts follow the name */
static void put_line(pen_t *pen, const part_t *part, size_t line)
{
    if (part->store == NULL)
        put_first_line(pen);
    else if (line == 0)
        put_line_of_view(pen, part->store, 0);
    else if (line <= part->num_hosts)
        put_host(pen, part, line - 1);
    else
        put_line_of_view(pen, part->store, line - part->num_hosts);
}

static int compare_parts(const void *a, const void *b)
{
    const breaker_view_t *x = ((const part_t *)a)->store->view,
                         *y = ((const part_t *)b)->store->view;
    int order = strcmp(breaker_view_name(x), breaker_view_name(y));

    return order != 0 ? order : strcmp(x->hosts.names[0], y->hosts.names[0]);
}

/* the hosts of a view that has its name to itself are no part of what it answers */
static void set_hosts(part_t *parts, size_t num, size_t at)
{
    const breaker__hosts_t *hosts = &parts[at].store->view->hosts;
    bool is_shared = (at != 0 && have_one_name(parts[at - 1].store, parts[at].store)) ||
                     (at + 1 != num && have_one_name(parts[at].store, parts[at + 1].store));

    parts[at].host_key = is_shared ? digested_host : carried_host;
    parts[at].num_hosts = is_shared || !breaker__hosts_are_default(hosts) ? hosts->num : 0;
}

/* the first line and the views in the order of the text: at most PARTS_MAX */
static size_t list_parts(const breaker_release_t *release, part_t *parts)
{
    size_t num = release->num_stores;

    assert(num <= BREAKER_VIEWS_MAX);
    *parts++ = (part_t){.store = NULL};
    for (size_t i = 0; i != num; ++i)
        parts[i] = (part_t){.store = release->stores[i]};
    qsort(parts, num, sizeof(*parts), compare_parts);
    for (size_t i = 0; i != num; ++i)
        set_hosts(parts, num, i);
    return 1 + num;
}

static int write_with(pen_t *pen, const breaker_release_t *release)
{
    part_t parts[PARTS_MAX];
    size_t num = list_parts(release, parts);

    for (size_t i = 0; i != num; ++i)
        for (size_t line = 0; pen->err == 0 && line != count_lines(parts + i); ++line)
            put_line(pen, parts + i, line);
    flush(pen);
    return pen->err;
}

int breaker__manifest_write(const breaker_release_t *release, breaker__manifest_sink_t sink,
                            void *data)
{
    pen_t pen = {
        .sink = sink, .data = data, .with_times = true, .version = release->manifest_version};

    return write_with(&pen, release);
}

/* ---- in pieces ---- */

/* room for a piece, and what of the present line stands in an earlier one or still has to come */
typedef struct st_piece_t {
    char *dst;
    size_t room, skipped, left;
} piece_t;

static int take_piece(void *data, const char *base, size_t len)
{
    piece_t *piece = data;
    size_t skip = piece->skipped < len ? piece->skipped : len;
    size_t put = len - skip < piece->room ? len - skip : piece->room;

    memcpy(piece->dst, base + skip, put);
    piece->dst += put;
    piece->room -= put;
    piece->skipped -= skip;
    piece->left += len - skip - put;
    return 0;
}

/* false when the room ends before the line does */
static bool put_piece_of_line(piece_t *piece, unsigned version, const part_t *part,
                              breaker__manifest_cursor_t *cursor)
{
    pen_t pen = {.sink = take_piece, .data = piece, .with_times = true, .version = version};
    size_t room = piece->room;

    piece->skipped = cursor->line_at;
    put_line(&pen, part, cursor->line);
    flush(&pen);
    assert(piece->skipped == 0);
    if (piece->left != 0) {
        assert(piece->room == 0);
        cursor->line_at += room;
        return false;
    }
    cursor->line_at = 0;
    ++cursor->line;
    return true;
}

size_t breaker__manifest_piece(const breaker_release_t *release, breaker__manifest_cursor_t *cursor,
                               char *dst, size_t cap)
{
    part_t parts[PARTS_MAX];
    size_t num = list_parts(release, parts);
    piece_t piece = {.dst = dst, .room = cap};

    assert(cap != 0);
    assert(cursor->part <= num);
    for (; cursor->part != num; ++cursor->part, cursor->line = 0) {
        const part_t *part = parts + cursor->part;
        size_t num_lines = count_lines(part);
        while (cursor->line != num_lines)
            if (piece.room == 0 ||
                !put_piece_of_line(&piece, release->manifest_version, part, cursor))
                return cap - piece.room;
    }
    return cap - piece.room;
}

/* ---- the digest ---- */

static int feed_hasher(void *data, const char *base, size_t len)
{
    return breaker__hasher_feed(data, base, len);
}

int breaker__manifest_digest(const breaker_release_t *release, breaker__hasher_t *hasher,
                             uint8_t *dst)
{
    pen_t pen = {.sink = feed_hasher,
                 .data = hasher,
                 .with_times = false,
                 .version = release->manifest_version};
    int err;

    if ((err = breaker__hasher_begin(hasher)) != 0 || (err = write_with(&pen, release)) != 0)
        return err;
    return breaker__hasher_end(hasher, dst);
}
