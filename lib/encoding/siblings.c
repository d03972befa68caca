/*
 * Encodings that lie beside the files. A sibling that is adopted shares its bytes with the asset
 * that it is as well: its blob lends them to the other one. A content that has an encoding already,
 * from another release or another path, keeps that one.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include "encoding/coding.h"
#include "encoding/siblings.h"
#include "http/encoding.h"
#include "release/blob.h"

/** What the file "x.css.br" would be an encoding of, or NULL. */
static breaker_asset_t *original_of(breaker_store_t *store, const char *path, size_t len,
                                    breaker_encoding_t encoding)
{
    const char *suffix = breaker__encoding_suffix(encoding);
    size_t suffix_len = strlen(suffix);

    assert(suffix_len != 0);
    if (len <= suffix_len || memcmp(path + len - suffix_len, suffix, suffix_len) != 0)
        return NULL;
    return breaker__store_find_exact(store, path, len - suffix_len);
}

/** Has a blob borrow the bytes of a sibling. Returns 0 or an errno. */
static int borrow(breaker__blob_t *blob, breaker__blob_t *sibling, breaker_encoding_t encoding)
{
    breaker__body_t *body = breaker__body_create(encoding, breaker__blob_len(sibling));
    int failure;

    if (body == NULL)
        return ENOMEM;
    if ((failure = breaker__body_borrow(body, sibling)) != 0) {
        breaker__body_free(body);
        return failure;
    }
    breaker__blob_set_encoding(blob, body);
    return 0;
}

static int adopt(breaker_store_t *store, const breaker__tree_t *tree, breaker_asset_t *original,
                 const breaker_asset_t *sibling, const char *path, breaker_encoding_t encoding,
                 breaker_error_t *error)
{
    breaker__blob_t *blob = breaker__asset_blob(original);
    int failure = 0;

    if (breaker__blob_encoding(blob, encoding) == NULL)
        failure = borrow(blob, breaker__asset_blob(sibling), encoding);
    if (failure == 0 &&
        breaker__store_attach(store, original, breaker__blob_encoding(blob, encoding)) != 0)
        failure = ENOMEM;
    return failure == 0 ? 0 : breaker__tree_fail_io(tree, failure, path, error);
}

static int consider(breaker_store_t *store, const breaker__trees_t *trees,
                    breaker__notices_t *notices, size_t at, breaker_encoding_t encoding,
                    breaker_error_t *error)
{
    size_t len;
    const char *path = breaker_store_path(store, at, &len);
    const breaker_asset_t *sibling = breaker_store_at(store, at);
    breaker_asset_t *original = original_of(store, path, len, encoding);
    const breaker__tree_t *tree =
        trees->items + breaker__first_directory(store->entries[at].directories);
    int err;

    /* what is in a coding by its own name has no other */
    if (original == NULL || original->coding != BREAKER_ENCODING_IDENTITY)
        return 0;
    err = breaker__decodes_to(encoding, breaker_asset_variant(sibling, BREAKER_ENCODING_IDENTITY),
                              breaker_asset_variant(original, BREAKER_ENCODING_IDENTITY));
    if (err == 0)
        return adopt(store, tree, original, sibling, path, encoding, error);
    if (err != BREAKER_ERR_NOT_ENCODED && err != BREAKER_ERR_TOO_MANY)
        return breaker__tree_fail(tree, err, path, breaker_err_message(err), error);
    notices->directory = tree->directory;
    breaker__notices_add(
        notices, err == BREAKER_ERR_TOO_MANY ? BREAKER__NOTICE_MEMBERS : BREAKER__NOTICE_STALE,
        path);
    return 0;
}

int breaker__adopt_siblings(breaker_store_t *store, const breaker__trees_t *trees,
                            breaker__notices_t *notices, breaker_error_t *error)
{
    int err;

    for (size_t i = 0; i != breaker_store_size(store); ++i)
        for (int e = 0; e != BREAKER_ENCODING_IDENTITY; ++e)
            if ((err = consider(store, trees, notices, i, (breaker_encoding_t)e, error)) != 0)
                return err;
    return 0;
}
