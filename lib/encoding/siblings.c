/*
 * Encodings that lie beside the files. A sibling that is adopted shares its bytes with the asset
 * that it is as well: in memory they are borrowed from the same store, on disk the descriptor is
 * duplicated, so that each variant closes its own.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include "encoding/coding.h"
#include "encoding/siblings.h"
#include "http/encoding.h"
#include "release/disk.h"

/** What the file "x.css.br" would be an encoding of, or NULL. */
static breaker_asset_t *original_of(breaker_store_t *store, const breaker_asset_t *sibling,
                                    breaker_encoding_t encoding)
{
    const char *suffix = breaker__encoding_suffix(encoding);
    size_t suffix_len = strlen(suffix), len = sibling->path_len;

    assert(suffix_len != 0);
    if (len <= suffix_len || memcmp(sibling->path + len - suffix_len, suffix, suffix_len) != 0)
        return NULL;
    return breaker__store_find_exact(store, sibling->path, len - suffix_len);
}

/** Opens the file of a sibling on disk once more. Returns 0 or an errno. */
static int share_file(breaker_variant_t *variant, const breaker_variant_t *bytes)
{
    if ((variant->fd = fcntl(bytes->fd, F_DUPFD_CLOEXEC, 0)) < 0)
        return errno;
    return (variant->_disk = breaker__disk_copy(bytes->_disk)) != NULL ? 0 : ENOMEM;
}

static int adopt(breaker_store_t *store, const breaker__tree_t *tree, breaker_asset_t *original,
                 const breaker_asset_t *sibling, breaker_encoding_t encoding,
                 breaker_error_t *error)
{
    const breaker_variant_t *bytes = breaker_asset_variant(sibling, BREAKER_ENCODING_IDENTITY);
    breaker_variant_t *variant = breaker__variant_create(encoding);
    int failure;

    if (variant == NULL)
        return breaker__tree_fail_io(tree, ENOMEM, sibling->path, error);
    if (bytes->fd >= 0 && (failure = share_file(variant, bytes)) != 0) {
        breaker__variant_free(variant);
        return breaker__tree_fail_io(tree, failure, sibling->path, error);
    }
    variant->base = bytes->base;
    variant->memory_fd = bytes->memory_fd;
    variant->memory_offset = bytes->memory_offset;
    variant->len = bytes->len;
    memcpy(variant->etag, bytes->etag, sizeof(variant->etag));
    breaker__store_publish(store, original, variant);
    return 0;
}

static int consider(breaker_store_t *store, const breaker__tree_t *tree,
                    breaker__notices_t *notices, const breaker_asset_t *sibling,
                    breaker_encoding_t encoding, breaker_error_t *error)
{
    breaker_asset_t *original = original_of(store, sibling, encoding);
    int err;

    if (original == NULL)
        return 0;
    err = breaker__decodes_to(encoding, breaker_asset_variant(sibling, BREAKER_ENCODING_IDENTITY),
                              breaker_asset_variant(original, BREAKER_ENCODING_IDENTITY));
    if (err == 0)
        return adopt(store, tree, original, sibling, encoding, error);
    if (err != BREAKER_ERR_NOT_ENCODED && err != BREAKER_ERR_TOO_MANY)
        return breaker__tree_fail(tree, err, sibling->path, breaker_err_message(err), error);
    breaker__notices_add(
        notices, err == BREAKER_ERR_TOO_MANY ? BREAKER__NOTICE_MEMBERS : BREAKER__NOTICE_STALE,
        sibling->path);
    return 0;
}

int breaker__adopt_siblings(breaker_store_t *store, const breaker__tree_t *tree,
                            breaker__notices_t *notices, breaker_error_t *error)
{
    int err;

    for (size_t i = 0; i != store->num_assets; ++i)
        for (int e = 0; e != BREAKER_ENCODING_IDENTITY; ++e)
            if ((err = consider(store, tree, notices, store->assets + i, (breaker_encoding_t)e,
                                error)) != 0)
                return err;
    return 0;
}
