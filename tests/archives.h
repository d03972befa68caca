#ifndef BREAKER_TESTS_ARCHIVES_H
#define BREAKER_TESTS_ARCHIVES_H

/*
 * Blobs and releases for tests of the archive. A blob's content follows from its number and length,
 * so that whoever reads one knows what it has to be. Anything that fails ends the program.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "archive/archive.h"
#include "release/digest.h"
#include "release/manifest_read.h"
#include "release/release_id.h"

/** the most blobs of one release of a test */
#define PARCEL_BLOBS_MAX 64

/** A blob: `len` bytes, and their SHA-256. */
typedef struct st_blob_t {
    uint8_t digest[BREAKER_DIGEST_LEN];
    uint64_t len;
    char *base; /* owned */
} blob_t;

/** A release: its manifest and blobs. */
typedef struct st_parcel_t {
    breaker__archived_t archived;
    char *manifest; /* owned */
    size_t manifest_len;
    blob_t blobs[PARCEL_BLOBS_MAX];
    size_t num_blobs;
} parcel_t;

static inline void archives_check(bool is_right, const char *what)
{
    if (!is_right) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

static inline void archives_hash(const char *base, size_t len, uint8_t *dst)
{
    breaker__hasher_t hasher;

    archives_check(breaker__hasher_init(&hasher) == 0, "hasher");
    archives_check(breaker__hash(&hasher, base, len, dst) == 0, "hash");
    breaker__hasher_dispose(&hasher);
}

/** Makes the blob of a number. */
static inline blob_t blob_make(uint64_t number, uint64_t len)
{
    uint64_t state = number * UINT64_C(2685821657736338717) + 88172645463325252;
    blob_t blob = {.len = len, .base = malloc(len + 8)};

    archives_check(blob.base != NULL, "malloc");
    for (size_t at = 0; at < len; at += 8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        memcpy(blob.base + at, &state, sizeof(state));
    }
    archives_hash(blob.base, len, blob.digest);
    return blob;
}

static inline void blob_free(blob_t *blob)
{
    free(blob->base);
}

/** The path of a blob beneath the archive. */
static inline void blob_path(const blob_t *blob, char dst[96])
{
    char hex[2 * BREAKER_DIGEST_LEN + 1];

    breaker__digest_format(blob->digest, hex);
    snprintf(dst, 96, "blobs/%.2s/%s", hex, hex);
}

/** Makes the release of the blobs `first`, `first` + 1, …, each up to six bytes longer than `len`.
 */
static inline parcel_t parcel_make(const char *label, uint64_t first, size_t num, uint64_t len)
{
    parcel_t parcel = {.num_blobs = num};
    FILE *file = open_memstream(&parcel.manifest, &parcel.manifest_len);
    breaker__manifest_t *manifest;
    breaker_token_t token = {0};

    archives_check(file != NULL && num <= PARCEL_BLOBS_MAX, "parcel");
    fputs("h2o-breaker manifest 1\nview static/{breaker}\nmax-age 60\nencodings on\n", file);
    for (size_t i = 0; i != num; ++i) {
        char hex[2 * BREAKER_DIGEST_LEN + 1];
        parcel.blobs[i] = blob_make(first + i, len + (first + i) % 7);
        breaker__digest_format(parcel.blobs[i].digest, hex);
        fprintf(file, "file %08zu.css %s %zu text/css 1718539201\n", i, hex,
                (size_t)parcel.blobs[i].len);
    }
    fclose(file);
    archives_check(breaker__manifest_read(parcel.manifest, parcel.manifest_len, &manifest, NULL) ==
                       0,
                   "manifest");
    if (label != NULL)
        archives_check(breaker_token_parse(label, strlen(label), &token) == 0, "label");
    parcel.archived.id = breaker__release_id_make(&token, manifest->digest);
    breaker__manifest_free(manifest);
    return parcel;
}

static inline void parcel_free(parcel_t *parcel)
{
    for (size_t i = 0; i != parcel->num_blobs; ++i)
        blob_free(parcel->blobs + i);
    free(parcel->manifest);
}

/** Adds a token to what is known of a release. */
static inline void parcel_add_token(parcel_t *parcel, const char *token, uint64_t order)
{
    breaker_ledger_entry_t *entry = parcel->archived.tokens + parcel->archived.num_tokens++;

    entry->order = order;
    entry->release = parcel->archived.id;
    archives_check(breaker_token_parse(token, strlen(token), &entry->token) == 0, "token");
}

/** Keeps a release as it is to be done: first itself, then its blobs, then that it is whole. */
static inline int parcel_put(const parcel_t *parcel, breaker__archive_t *archive)
{
    breaker__archived_t archived = parcel->archived;
    int err;

    archived.is_whole = false;
    if ((err = breaker__archive_put_release(archive, &archived, parcel->manifest,
                                            parcel->manifest_len)) != 0)
        return err;
    for (size_t i = 0; i != parcel->num_blobs; ++i)
        if ((err = breaker__archive_put(archive, parcel->blobs[i].digest, parcel->blobs[i].base,
                                        parcel->blobs[i].len)) != 0)
            return err;
    archived.is_whole = true;
    return breaker__archive_note(archive, &archived);
}

#endif
