/*
 * Manifests: what is read is what was written. A text that is accepted is written again from the
 * fields that were read, and has to come out the same; so has the digest, which is made once more
 * from the text.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <breaker/error.h>
#include "fuzz.h"
#include "release/digest.h"
#include "release/manifest_read.h"

static void put_escaped(FILE *file, const char *text)
{
    for (; *text != '\0'; ++text) {
        if (*text >= '!' && *text <= '~' && *text != '%')
            fputc(*text, file);
        else
            fprintf(file, "%%%02X", (unsigned char)*text);
    }
}

static void put_pair(FILE *file, const char *key, const char *value)
{
    if (value == NULL)
        return;
    fprintf(file, "%s ", key);
    put_escaped(file, value);
    fputc('\n', file);
}

static void put_file(FILE *file, const breaker__manifest_file_t *entry, bool has_codings,
                     bool with_times)
{
    char digest[2 * BREAKER_DIGEST_LEN + 1];

    assert(strlen(entry->path) == entry->path_len);
    breaker__digest_format(entry->digest, digest);
    fputs("file ", file);
    put_escaped(file, entry->path);
    fprintf(file, " %s %" PRIu64 " ", digest, entry->size);
    put_escaped(file, entry->type);
    if (has_codings)
        fprintf(file, " %s", breaker_encoding_name(entry->coding));
    if (with_times)
        fprintf(file, " %" PRId64, entry->last_modified_s);
    fputc('\n', file);
}

/* of a view that has its name alone they are beside the digest, and one is the default */
static void put_hosts(FILE *file, const breaker__manifest_view_t *view, bool with_times)
{
    const breaker__hosts_t *hosts = &view->hosts;

    assert(hosts->num != 0);
    if (!view->shares_name &&
        (!with_times || (hosts->num == 1 && strcmp(hosts->names[0], BREAKER__HOST_DEFAULT) == 0)))
        return;
    for (size_t i = 0; i != hosts->num; ++i)
        put_pair(file, view->shares_name ? "host" : "at", hosts->names[i]);
}

static void put_matched(FILE *file, const breaker_matched_header_t *matched)
{
    fputs("header-match ", file);
    put_escaped(file, matched->pattern);
    fputc(' ', file);
    put_escaped(file, matched->header);
    fputc('\n', file);
}

static void put_view(FILE *file, const breaker__manifest_view_t *view, bool has_codings,
                     bool with_times)
{
    const breaker_view_config_t *config = &view->config;

    put_pair(file, "view", config->name);
    put_hosts(file, view, with_times);
    fprintf(file, "max-age %" PRIu64 "\n", config->cache_max_age_s);
    put_pair(file, "allow-origin", config->allow_origin);
    put_pair(file, "timing-allow-origin", config->timing_allow_origin);
    put_pair(file, "resource-policy", config->resource_policy);
    for (size_t i = 0; i != config->num_headers; ++i)
        put_pair(file, "header", config->headers[i]);
    for (size_t i = 0; i != config->num_matched_headers; ++i)
        put_matched(file, config->matched_headers + i);
    put_pair(file, "index", config->index);
    put_pair(file, "fallback", config->fallback);
    put_pair(file, "encodings", config->encodings ? "on" : "off");
    for (size_t i = 0; i != view->num_files; ++i)
        put_file(file, view->files + i, has_codings, with_times);
}

static fuzz_text_t write_again(const breaker__manifest_t *manifest, bool with_times)
{
    char *base;
    size_t len;
    FILE *file = open_memstream(&base, &len);

    assert(file != NULL);
    fprintf(file, "h2o-breaker manifest %u\n", manifest->version);
    for (size_t i = 0; i != manifest->num_views; ++i)
        put_view(file, manifest->views + i, manifest->version != 1, with_times);
    fclose(file);
    return (fuzz_text_t){base, len};
}

static void check_digest(const breaker__manifest_t *manifest)
{
    fuzz_text_t text = write_again(manifest, false);
    uint8_t digest[BREAKER_DIGEST_LEN];
    breaker__hasher_t hasher;
    int err = breaker__hasher_init(&hasher);

    assert(err == 0);
    err = breaker__hash(&hasher, text.base, text.len, digest);
    assert(err == 0);
    assert(memcmp(digest, manifest->digest, sizeof(digest)) == 0);
    breaker__hasher_dispose(&hasher);
    free((char *)(uintptr_t)text.base);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    breaker__manifest_t *manifest = NULL;
    breaker_error_t error = {0};
    fuzz_text_t text;
    int err;

    if (size > FUZZ_INPUT_MAX)
        return 0;
    err = breaker__manifest_read((const char *)data, size, &manifest, &error);
    if (err != 0) {
        assert(err == BREAKER_ERR_DAMAGED || err == BREAKER_ERR_TOO_MANY);
        assert(manifest == NULL);
        assert(error.code == err);
        assert(strstr(error.message, "line ") != NULL);
        return 0;
    }
    text = write_again(manifest, true);
    assert(text.len == size);
    assert(memcmp(text.base, data, size) == 0);
    free((char *)(uintptr_t)text.base);
    check_digest(manifest);
    breaker__manifest_free(manifest);
    return 0;
}
