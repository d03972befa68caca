/*
 * All blobs of an archive, counted once: 256 directories one after the other, each sorted, so that
 * a digest is found by its first byte and a search in a few hundred.
 *
 * Whether a blob is old is told by its change time, which nobody can set: it is the moment at which
 * the file got its name.
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "archive/census.h"
#include "archive/opened.h"
#include "archive/releases.h"
#include "file/temporary.h"

enum { HEX_LEN = 2 * BREAKER_DIGEST_LEN };

/* ---- counting ---- */

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* the digest that a name is, in the directory where it belongs */
static bool parse_name(const char *name, size_t shard, uint8_t *dst)
{
    if (strlen(name) != HEX_LEN)
        return false;
    for (size_t i = 0; i != BREAKER_DIGEST_LEN; ++i) {
        int high = digit_of(name[2 * i]), low = digit_of(name[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        dst[i] = (uint8_t)(high << 4 | low);
    }
    return dst[0] == shard;
}

static int add(breaker__census_t *census, const uint8_t *digest, uint64_t len)
{
    breaker__census_blob_t *blob;

    if (census->num == census->capacity) {
        size_t capacity = census->capacity != 0 ? census->capacity * 2 : 1024;
        breaker__census_blob_t *blobs = realloc(census->blobs, capacity * sizeof(*blobs));
        if (blobs == NULL)
            return BREAKER_ERR_NO_MEMORY;
        census->blobs = blobs;
        census->capacity = capacity;
    }
    blob = census->blobs + census->num++;
    memcpy(blob->digest, digest, sizeof(blob->digest));
    blob->len = len;
    blob->rank = 0;
    census->size += breaker__archive_blocks(len);
    return 0;
}

static void remove_foreign(breaker__archive_t *archive, int shard_fd, const char *name,
                           const struct stat *status)
{
    breaker__archive_tell(archive, BREAKER__ARCHIVE_BLOB, name);
    unlinkat(shard_fd, name, S_ISDIR(status->st_mode) ? AT_REMOVEDIR : 0);
}

static int look_at(breaker__census_t *census, breaker__archive_t *archive, int shard_fd,
                   size_t shard, const char *name)
{
    uint8_t digest[BREAKER_DIGEST_LEN];
    struct stat status;

    if (breaker__temporary_is_named("blob", name)) {
        breaker__temporary_remove_left(shard_fd, name);
        return 0;
    }
    if (!parse_name(name, shard, digest)) {
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
            breaker__archive_tell(archive, BREAKER__ARCHIVE_FOREIGN, name);
        return 0;
    }
    if (fstatat(shard_fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        census->num == BREAKER__CENSUS_MAX)
        return 0;
    if (S_ISREG(status.st_mode))
        return add(census, digest, (uint64_t)status.st_size);
    remove_foreign(archive, shard_fd, name, &status);
    return 0;
}

static int compare_digests(const void *a, const void *b)
{
    const breaker__census_blob_t *x = a, *y = b;

    return memcmp(x->digest, y->digest, sizeof(x->digest));
}

/* -1 with errno */
static int open_shard(const breaker__archive_t *archive, size_t shard)
{
    static const char digits[] = "0123456789abcdef";
    const char name[] = {digits[shard >> 4], digits[shard & 15], '\0'};

    return breaker__archive_open_directory(archive->blobs_fd, name, false);
}

static int count_shard(breaker__census_t *census, breaker__archive_t *archive, size_t shard)
{
    int shard_fd = open_shard(archive, shard), err = 0;
    const struct dirent *entry;
    DIR *names;

    if (shard_fd == -1)
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
                   ? 0
                   : breaker__archive_fail(archive, BREAKER__ARCHIVE_READ, errno);
    if ((names = breaker__archive_open_names(shard_fd)) == NULL)
        err = breaker__archive_fail(archive, BREAKER__ARCHIVE_READ, errno);
    while (err == 0 && (entry = readdir(names)) != NULL)
        err = look_at(census, archive, shard_fd, shard, entry->d_name);
    if (names != NULL)
        closedir(names);
    close(shard_fd);
    return err;
}

int breaker__census_take(breaker__census_t *census, breaker__archive_t *archive)
{
    int err = 0;

    for (size_t shard = 0; err == 0 && shard != BREAKER__CENSUS_SHARDS; ++shard) {
        size_t first = census->num;
        if (breaker__archive_is_stopped(archive))
            return BREAKER_ERR_CANCELLED;
        census->shards[shard] = first;
        if (archive->blobs_fd != -1)
            err = count_shard(census, archive, shard);
        if (census->num != first)
            qsort(census->blobs + first, census->num - first, sizeof(*census->blobs),
                  compare_digests);
    }
    census->shards[BREAKER__CENSUS_SHARDS] = census->num;
    return err;
}

void breaker__census_dispose(breaker__census_t *census)
{
    free(census->blobs);
    *census = (breaker__census_t){.blobs = NULL};
}

/* ---- who needs what ---- */

static breaker__census_blob_t *find(const breaker__census_t *census, const uint8_t *digest)
{
    size_t low = census->shards[digest[0]], high = census->shards[digest[0] + 1];

    assert(low <= high);
    while (low != high) {
        size_t middle = low + (high - low) / 2;
        int order = memcmp(census->blobs[middle].digest, digest, BREAKER_DIGEST_LEN);
        if (order == 0)
            return census->blobs + middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

uint64_t breaker__census_mark(breaker__census_t *census, const breaker__manifest_t *manifest,
                              uint32_t rank)
{
    uint64_t size = 0;

    assert(rank != 0);
    assert(rank != BREAKER__CENSUS_CLAIMED);
    for (size_t i = 0; i != manifest->num_views; ++i)
        for (size_t j = 0; j != manifest->views[i].num_files; ++j) {
            breaker__census_blob_t *blob = find(census, manifest->views[i].files[j].digest);
            if (blob == NULL || blob->rank != 0)
                continue;
            blob->rank = rank;
            size += breaker__archive_blocks(blob->len);
        }
    return size;
}

void breaker__census_claim(breaker__census_t *census, const breaker__manifest_t *manifest)
{
    for (size_t i = 0; i != manifest->num_views; ++i)
        for (size_t j = 0; j != manifest->views[i].num_files; ++j) {
            breaker__census_blob_t *blob = find(census, manifest->views[i].files[j].digest);
            if (blob != NULL)
                blob->rank = BREAKER__CENSUS_CLAIMED;
        }
}

/* ---- removing ---- */

static bool is_needed(const breaker__census_blob_t *blob, uint32_t last_rank)
{
    return blob->rank == BREAKER__CENSUS_CLAIMED || (blob->rank != 0 && blob->rank <= last_rank);
}

/* looks once more: it may have been written again meanwhile */
static void remove_blob(breaker__archive_t *archive, int shard_fd,
                        const breaker__census_blob_t *blob, int64_t before_s)
{
    char name[HEX_LEN + 1];
    struct stat status;

    breaker__digest_format(blob->digest, name);
    if (fstatat(shard_fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        status.st_ctim.tv_sec >= before_s)
        return;
    if (unlinkat(shard_fd, name, 0) == 0)
        breaker__archive_shrink(archive, (uint64_t)status.st_size);
    else if (errno != ENOENT)
        breaker__archive_fail(archive, BREAKER__ARCHIVE_WRITE, errno);
}

void breaker__census_sweep(breaker__census_t *census, breaker__archive_t *archive,
                           uint32_t last_rank, int64_t before_s, size_t max, size_t *at)
{
    int shard_fd = -1, shard = -1;

    for (; *at != census->num && max != 0; ++*at, --max) {
        const breaker__census_blob_t *blob = census->blobs + *at;
        if (is_needed(blob, last_rank))
            continue;
        if (blob->digest[0] != shard) {
            if (shard_fd != -1)
                close(shard_fd);
            shard = blob->digest[0];
            shard_fd = open_shard(archive, (size_t)shard);
        }
        if (shard_fd != -1)
            remove_blob(archive, shard_fd, blob, before_s);
    }
    if (shard_fd != -1)
        close(shard_fd);
}
