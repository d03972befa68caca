/*
 * One file becomes the identity bytes of one asset: read straight into the memory that it will be
 * sent from, or, when it is too large for that, hashed in pieces and kept open. Either way the
 * bytes count only if the file was the same before and after, so that a digest never names a
 * mixture of two contents.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "release/disk.h"
#include "release/file.h"
#include "release/inventory.h"
#include "release/stamp.h"

int breaker__reader_init(breaker__reader_t *reader, const atomic_bool *stop)
{
    int err;

    reader->stop = stop;
    reader->looks_first = false;
    reader->asks_mounts = false;
    reader->inventory = NULL;
    reader->folder.tree = NULL;
    if ((err = breaker__hasher_init(&reader->hasher)) != 0)
        return err;
    if ((reader->piece = malloc(BREAKER_FILE_PIECE)) != NULL)
        return 0;
    breaker__hasher_dispose(&reader->hasher);
    return BREAKER_ERR_NO_MEMORY;
}

bool breaker__reader_is_stopped(const breaker__reader_t *reader)
{
    return reader->stop != NULL && atomic_load_explicit(reader->stop, memory_order_relaxed);
}

void breaker__reader_dispose(breaker__reader_t *reader)
{
    breaker__hasher_dispose(&reader->hasher);
    breaker__folder_close(&reader->folder);
    free(reader->piece);
    reader->piece = NULL;
}

int breaker__read_fully(int fd, char *dst, size_t len)
{
    while (len != 0) {
        ssize_t got = read(fd, dst, len);

        if (got == 0)
            return -1;
        if (got < 0 && errno != EINTR)
            return errno;
        if (got > 0) {
            dst += got;
            len -= (size_t)got;
        }
    }
    return 0;
}

/** Returns like `breaker__read_fully`, ENOMEM included. What is hashed is what will be sent. */
static int read_to_memory(breaker__reader_t *reader, int fd, breaker_store_t *store,
                          breaker__content_t *content)
{
    const breaker_variant_t *bytes = &content->body->bytes;
    char *dst;
    int failure;

    if (bytes->len != 0) {
        if ((dst = breaker__store_begin_body(store, content->body)) == NULL)
            return ENOMEM;
        if ((failure = breaker__read_fully(fd, dst, bytes->len)) != 0)
            return failure;
    }
    content->utf8 = (breaker__utf8_t){.num_missing = 0};
    breaker__utf8_feed(&content->utf8, bytes->base, bytes->len);
    return breaker__hash(&reader->hasher, bytes->base, bytes->len, content->digest) != 0 ? ENOMEM
                                                                                         : 0;
}

/** Returns like `read_to_memory`. */
static int read_on_disk(breaker__reader_t *reader, int fd, uint64_t len,
                        breaker__content_t *content)
{
    int failure;

    content->utf8 = (breaker__utf8_t){.num_missing = 0};
    if (breaker__hasher_begin(&reader->hasher) != 0)
        return ENOMEM;
    while (len != 0) {
        size_t part = len < BREAKER_FILE_PIECE ? (size_t)len : BREAKER_FILE_PIECE;

        if (breaker__reader_is_stopped(reader))
            return ECANCELED;
        if ((failure = breaker__read_fully(fd, reader->piece, part)) != 0)
            return failure;
        if (breaker__hasher_feed(&reader->hasher, reader->piece, part) != 0)
            return ENOMEM;
        breaker__utf8_feed(&content->utf8, reader->piece, part);
        len -= part;
    }
    return breaker__hasher_end(&reader->hasher, content->digest) != 0 ? ENOMEM : 0;
}

static bool is_unchanged(int fd, const breaker__stamp_t *before)
{
    struct stat status;
    breaker__stamp_t after;

    if (fstat(fd, &status) != 0)
        return false;
    breaker__stamp_from(&status, &after);
    return breaker__stamp_equal(before, &after);
}

static bool belongs_in_memory(const breaker_store_t *store, uint64_t len)
{
    return len <= breaker_view_config(store->view)->memory_file_limit &&
           len <= breaker__store_room(store);
}

static int fail(const breaker__tree_t *tree, const char *path, int failure, breaker_error_t *error)
{
    assert(failure != 0);
    if (failure > 0)
        return breaker__tree_fail_io(tree, failure, path, error);
    return breaker__tree_fail(tree, BREAKER_ERR_CHANGED, path,
                              breaker_err_message(BREAKER_ERR_CHANGED), error);
}

/** Has the body be the open file, which it takes over on success. Returns 0 or ENOMEM. */
static int stay_on_disk(const breaker__tree_t *tree, const char *path, int fd,
                        const breaker__stamp_t *stamp, breaker__body_t *body)
{
    breaker__disk_t *disk = breaker__disk_create(stamp);

    if (disk == NULL)
        return ENOMEM;
    if (breaker__disk_set_place(disk, tree->view, tree->directory, path) != 0) {
        breaker__disk_free(disk);
        return ENOMEM;
    }
    breaker__body_set_file(body, fd, disk);
    return 0;
}

/**
 * Hashes a file whose content may be here already, so that no memory is made for nothing: a memory
 * file cannot give back what was written to it. Returns like `read_to_memory`; `content->known` is
 * NULL where the content is new.
 */
static int look_first(breaker__reader_t *reader, int fd, uint64_t len, breaker_store_t *store,
                      breaker__content_t *content)
{
    int failure;

    if (!reader->looks_first || len < BREAKER_SENDFILE_MIN)
        return 0;
    if ((failure = read_on_disk(reader, fd, len, content)) != 0)
        return failure;
    content->known = breaker__store_find_blob(store, content->digest, len);
    return content->known != NULL || lseek(fd, 0, SEEK_SET) == 0 ? 0 : errno;
}

/** Reads an open file into memory. Returns like `read_to_memory`. */
static int take_to_memory(breaker__reader_t *reader, int fd, uint64_t len, breaker_store_t *store,
                          breaker__content_t *content)
{
    int failure;

    if ((failure = look_first(reader, fd, len, store, content)) != 0 || content->known != NULL)
        return failure;
    if ((content->body = breaker__body_create(BREAKER_ENCODING_IDENTITY, len)) == NULL)
        return ENOMEM;
    return read_to_memory(reader, fd, store, content);
}

/** Has the content be what a record says that it is. */
static void take_record(const breaker__record_t *record, breaker__content_t *content)
{
    memcpy(content->digest, record->digest, sizeof(content->digest));
    content->utf8 = (breaker__utf8_t){.is_other = record->is_text == 0};
}

/** What the process before knew of a file that stays on disk; NULL: nothing. */
static const breaker__record_t *find_record(const breaker__reader_t *reader,
                                            const breaker__stamp_t *stamp)
{
    return reader->inventory != NULL ? breaker__inventory_find(reader->inventory, stamp) : NULL;
}

/** Hashes an open file, which stays open as the body. Returns like `read_to_memory`. */
static int take_file(breaker__reader_t *reader, const breaker__tree_t *tree, const char *path,
                     int fd, const breaker__stamp_t *stamp, breaker__content_t *content)
{
    uint64_t len = (uint64_t)stamp->size;
    const breaker__record_t *record;
    int failure;

    if ((record = find_record(reader, stamp)) != NULL)
        take_record(record, content);
    else if ((failure = read_on_disk(reader, fd, len, content)) != 0)
        return failure;
    if ((content->body = breaker__body_create(BREAKER_ENCODING_IDENTITY, len)) == NULL)
        return ENOMEM;
    return stay_on_disk(tree, path, fd, stamp, content->body);
}

static void drop_content(breaker__content_t *content)
{
    breaker__blob_unref(content->known);
    breaker__body_free(content->body);
}

/** One attempt; `*ret_content` is filled on success only. */
static int try_read(breaker__reader_t *reader, const breaker__tree_t *tree, breaker_store_t *store,
                    const char *path, breaker__content_t *ret_content, breaker_error_t *error)
{
    breaker__content_t content = {.known = NULL};
    breaker__stamp_t stamp;
    int fd, err, failure;

    if ((err = breaker__tree_open_file(tree, path, &fd, &stamp, error)) != 0)
        return err;
    if (reader->asks_mounts)
        stamp.mount = breaker__tree_mount_of(fd);
    content.stamp = stamp;
    content.modified_s = stamp.mtime.tv_sec;
    failure = belongs_in_memory(store, (uint64_t)stamp.size)
                  ? take_to_memory(reader, fd, (uint64_t)stamp.size, store, &content)
                  : take_file(reader, tree, path, fd, &stamp, &content);
    if (failure == 0 && !is_unchanged(fd, &stamp))
        failure = -1;
    if (content.body == NULL || content.body->bytes.fd < 0)
        close(fd);
    if (failure != 0) {
        drop_content(&content);
        return fail(tree, path, failure, error);
    }
    *ret_content = content;
    return 0;
}

/**
 * Has the content of a file without opening it, where nothing happened to it since the process
 * before had it, and its bytes are in memory. `*ret_content` is filled where that is so.
 */
static bool take_known(breaker__reader_t *reader, const breaker__tree_t *tree,
                       const breaker_store_t *store, const char *path,
                       breaker__content_t *ret_content)
{
    breaker__content_t content = {.known = NULL};
    const breaker__record_t *record;

    if (!breaker__tree_look(tree, &reader->folder, path, &content.stamp) ||
        !belongs_in_memory(store, (uint64_t)content.stamp.size) ||
        (record = breaker__inventory_find(reader->inventory, &content.stamp)) == NULL)
        return false;
    content.known = breaker__store_find_blob(store, record->digest, record->size);
    if (content.known == NULL &&
        (content.body = breaker__inventory_adopt(reader->inventory, record)) == NULL)
        return false;
    take_record(record, &content);
    content.modified_s = content.stamp.mtime.tv_sec;
    *ret_content = content;
    return true;
}

int breaker__read_file(breaker__reader_t *reader, const breaker__tree_t *tree,
                       breaker_store_t *store, const char *path, breaker__content_t *ret_content,
                       breaker_error_t *error)
{
    if (reader->inventory != NULL && take_known(reader, tree, store, path, ret_content))
        return 0;
    /* a file may be on the point of being replaced; only the second failure is told */
    if (try_read(reader, tree, store, path, ret_content, NULL) == 0)
        return 0;
    return try_read(reader, tree, store, path, ret_content, error);
}
