/*
 * Where the bytes of a blob lie in one encoding. They are written once, before anybody else sees
 * the body, and freed with it: in an allocation of their own, in a memory file that many bodies
 * share and each of them keeps, or in a file on disk.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "release/blob.h"
#include "release/body.h"

breaker__body_t *breaker__body_create(breaker_encoding_t encoding, uint64_t len)
{
    breaker__body_t *body = calloc(1, sizeof(*body));

    if (body == NULL)
        return NULL;
    body->bytes.encoding = encoding;
    body->bytes.len = len;
    body->bytes.fd = body->bytes.memory_fd = -1;
    if (len == 0)
        body->bytes.base = "";
    return body;
}

void breaker__body_free(breaker__body_t *body)
{
    if (body == NULL)
        return;
    assert(body->bytes.prepared == NULL);
    assert((body->disk != NULL) == (body->bytes.fd >= 0));
    if (body->file != NULL)
        breaker__sealed_let_go(body->file, body->bytes.len);
    if (body->owns_base)
        free((void *)(uintptr_t)body->bytes.base);
    if (body->bytes.fd >= 0)
        close(body->bytes.fd);
    breaker__disk_free(body->disk);
    breaker__blob_unref(body->lender);
    free(body);
}

char *breaker__body_begin(breaker__body_t *body, breaker__sealed_t *sealed, uint64_t room)
{
    breaker_variant_t *bytes = &body->bytes;
    bool is_large = bytes->len >= BREAKER_SENDFILE_MIN;
    char *dst;

    assert(bytes->base == NULL);
    assert(bytes->fd < 0);
    assert(bytes->len != 0);
    assert(bytes->len <= room);
    if ((is_large ? breaker__sealed_span(bytes->len) <= room : sealed->packs) &&
        (dst = breaker__sealed_begin(sealed, bytes->len, bytes)) != NULL)
        return dst;
    if ((dst = malloc(bytes->len)) == NULL)
        return NULL;
    bytes->base = dst;
    body->owns_base = true;
    return dst;
}

void breaker__body_keep(breaker__body_t *body, breaker__sealed_t *sealed)
{
    assert(body->bytes.base != NULL);
    assert(body->file == NULL);
    if (body->bytes.len != 0 && !body->owns_base)
        body->file = breaker__sealed_keep(sealed, body->bytes.len);
}

void breaker__body_drop(breaker__body_t *body)
{
    assert(body->file == NULL);
    assert(body->bytes.fd < 0);
    if (body->owns_base)
        free((void *)(uintptr_t)body->bytes.base);
    body->owns_base = false;
    body->bytes.base = NULL;
    body->bytes.memory_fd = -1;
    body->bytes.memory_offset = 0;
}

void breaker__body_set_file(breaker__body_t *body, int fd, breaker__disk_t *disk)
{
    assert(fd >= 0);
    assert(disk != NULL);
    assert(!body->owns_base && body->file == NULL);
    body->bytes.base = NULL;
    body->bytes.fd = fd;
    body->bytes._disk = body->disk = disk;
    disk->variant = &body->bytes;
}

/* each descriptor is one body's to close, and has a watch of its own */
static int duplicate_file(breaker__body_t *body, const breaker_variant_t *bytes)
{
    breaker__disk_t *disk;
    int fd, failure;

    if ((fd = fcntl(bytes->fd, F_DUPFD_CLOEXEC, 0)) < 0)
        return errno;
    if ((disk = breaker__disk_copy(bytes->_disk)) == NULL) {
        failure = ENOMEM;
        close(fd);
        return failure;
    }
    breaker__body_set_file(body, fd, disk);
    return 0;
}

int breaker__body_borrow(breaker__body_t *body, breaker__blob_t *lender)
{
    const breaker_variant_t *bytes = breaker__blob_body(lender);
    int failure;

    assert(bytes != NULL);
    assert(body->lender == NULL);
    if (bytes->fd >= 0 && (failure = duplicate_file(body, bytes)) != 0)
        return failure;
    body->bytes.len = bytes->len;
    body->bytes.base = bytes->base;
    body->bytes.memory_fd = bytes->memory_fd;
    body->bytes.memory_offset = bytes->memory_offset;
    memcpy(body->bytes.etag, bytes->etag, sizeof(bytes->etag));
    body->lender = breaker__blob_ref(lender);
    return 0;
}

uint64_t breaker__variant_span(const breaker_variant_t *variant)
{
    if (variant->base == NULL)
        return 0;
    return variant->memory_fd >= 0 ? breaker__sealed_span(variant->len) : variant->len;
}

uint64_t breaker__body_memory(const breaker__body_t *body)
{
    return body->lender == NULL ? breaker__variant_span(&body->bytes) : 0;
}

bool breaker__body_is_sparse(const breaker__body_t *body)
{
    return body->file != NULL && breaker__sealed_is_sparse(body->file);
}
