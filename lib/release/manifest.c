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

enum {
    BUFFER_SIZE = 4096,
    /* the longest number, with its sign and a space before it */
    NUMBER_SIZE = 24,
};

/* what is written and not handed on yet; after an error nothing is any more */
typedef struct st_pen_t {
    breaker__manifest_sink_t sink;
    void *data;
    int err;
    bool with_times;
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

static void put_view(pen_t *pen, const breaker_view_t *view)
{
    const breaker_view_config_t *config = breaker_view_config(view);

    assert(config->cache_max_age_s <= INT64_MAX);
    put_pair(pen, "view", breaker_view_name(view));
    put_text(pen, "max-age");
    put_number(pen, (int64_t)config->cache_max_age_s);
    put_text(pen, "\n");
    put_pair(pen, "allow-origin", config->allow_origin);
    put_pair(pen, "timing-allow-origin", config->timing_allow_origin);
    put_pair(pen, "resource-policy", config->resource_policy);
    for (size_t i = 0; i != config->num_headers; ++i)
        put_pair(pen, "header", config->headers[i]);
    put_pair(pen, "index", config->index);
    put_pair(pen, "encodings", config->encodings ? "on" : "off");
}

static void put_file(pen_t *pen, const breaker_asset_t *asset, uint64_t size)
{
    char digest[2 * BREAKER_DIGEST_LEN + 1];

    assert(asset->path_len != 0);
    assert(size <= INT64_MAX);
    breaker__digest_format(asset->digest, digest);
    put_text(pen, "file ");
    put_escaped(pen, asset->path, asset->path_len);
    put_text(pen, " ");
    put(pen, digest, sizeof(digest) - 1);
    put_number(pen, (int64_t)size);
    put_text(pen, " ");
    put_escaped(pen, asset->type, strlen(asset->type));
    if (pen->with_times)
        put_number(pen, asset->last_modified_s);
    put_text(pen, "\n");
}

static void put_store(pen_t *pen, const breaker_store_t *store)
{
    put_view(pen, store->view);
    for (size_t i = 0; pen->err == 0 && i != store->num_assets; ++i) {
        assert(i == 0 || strcmp(store->assets[i - 1].path, store->assets[i].path) < 0);
        put_file(pen, store->assets + i, store->identities[i].len);
    }
}

static int compare_names(const void *a, const void *b)
{
    const breaker_store_t *const *x = a, *const *y = b;

    return strcmp(breaker_view_name((*x)->view), breaker_view_name((*y)->view));
}

static int write_with(pen_t *pen, const breaker_release_t *release)
{
    const breaker_store_t *sorted[BREAKER_VIEWS_MAX];

    assert(release->num_stores <= BREAKER_VIEWS_MAX);
    for (size_t i = 0; i != release->num_stores; ++i)
        sorted[i] = release->stores[i];
    qsort(sorted, release->num_stores, sizeof(*sorted), compare_names);
    put_text(pen, "h2o-breaker manifest 1\n");
    for (size_t i = 0; i != release->num_stores; ++i)
        put_store(pen, sorted[i]);
    flush(pen);
    return pen->err;
}

int breaker__manifest_write(const breaker_release_t *release, breaker__manifest_sink_t sink,
                            void *data)
{
    pen_t pen = {.sink = sink, .data = data, .with_times = true};

    return write_with(&pen, release);
}

static int feed_hasher(void *data, const char *base, size_t len)
{
    return breaker__hasher_feed(data, base, len);
}

int breaker__manifest_digest(const breaker_release_t *release, breaker__hasher_t *hasher,
                             uint8_t *dst)
{
    pen_t pen = {.sink = feed_hasher, .data = hasher, .with_times = false};
    int err;

    if ((err = breaker__hasher_begin(hasher)) != 0 || (err = write_with(&pen, release)) != 0)
        return err;
    return breaker__hasher_end(hasher, dst);
}
