/*
 * Encodings kept on disk, so that a restart does not make them again.
 *
 * A file is named by what it is made of: the SHA-256 of the identity bytes, and what made the
 * encoding (library, version, quality). So nothing in it ever becomes stale, any number of sites
 * and processes share a directory, and a new library or quality begins afresh beside the old. That
 * an encoding was not smaller is kept as well, as an empty file, for that costs as much to find
 * out.
 *
 * Files are written beside their place and renamed to it (file/temporary.h). Nothing is synced:
 * what a crash of the system leaves is found out when it is used, because content is never trusted.
 *
 * The time of modification is the time of the last use.
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "encoding/cache.h"
#include "encoding/coding.h"
#include "file/temporary.h"
#include "http/encoding.h"
#include "release/digest.h"

static const char temporary_stem[] = "breaker";
static const char not_smaller_suffix[] = ".not-smaller";

static void tell(breaker__cache_t *cache, breaker__cache_notice_t kind, const char *reason)
{
    static const char *const texts[] = {
#define X(name, text) text,
        BREAKER__CACHE_NOTICES(X)
#undef X
    };
    breaker_error_t line;

    if (cache->told[kind] || cache->hooks->on_notice == NULL)
        return;
    cache->told[kind] = true;
    breaker_error_set(&line, BREAKER_ERR_IO, "encoding cache \"%s\": %s%s%s", cache->directory,
                      texts[kind], reason != NULL ? ": " : "", reason != NULL ? reason : "");
    cache->hooks->on_notice(cache->hooks->notice_data, line.message);
}

/* of a file it may be any, beyond what 64 bits hold too */
static int64_t in_ns(struct timespec time)
{
    return (int64_t)((uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec);
}

/* ---- names ---- */

static void name_of(const uint8_t *digest, breaker_encoding_t encoding, char *dst)
{
    char recipe[BREAKER_RECIPE_MAX];

    breaker__digest_format(digest, dst);
    breaker__encode_recipe(encoding, recipe);
    snprintf(dst + 2 * BREAKER_DIGEST_LEN, BREAKER_CACHE_NAME_MAX - 2 * BREAKER_DIGEST_LEN, "%s-%s",
             breaker__encoding_suffix(encoding), recipe);
}

/** The name under which it is kept that an encoding is not smaller. */
static void name_of_not_smaller(const char *name, char *dst)
{
    size_t len = strlen(name);

    assert(len + sizeof(not_smaller_suffix) <= BREAKER_CACHE_NAME_MAX);
    memcpy(dst, name, len);
    memcpy(dst + len, not_smaller_suffix, sizeof(not_smaller_suffix));
}

/** Whether a file is one of ours, of whatever version: 64 digits and the suffix of an encoding. */
static bool is_ours(const char *name)
{
    size_t digits = strspn(name, "0123456789abcdef");

    if (digits != 2 * BREAKER_DIGEST_LEN || strlen(name) >= BREAKER_CACHE_NAME_MAX)
        return false;
    for (int e = 0; e != BREAKER_ENCODING_IDENTITY; ++e) {
        const char *suffix = breaker__encoding_suffix((breaker_encoding_t)e);
        size_t len = strlen(suffix);

        if (strncmp(name + digits, suffix, len) == 0 && name[digits + len] == '-')
            return true;
    }
    return false;
}

static uint64_t size_on_disk(uint64_t len)
{
    return len == 0 ? BREAKER_CACHE_BLOCK
                    : (len + BREAKER_CACHE_BLOCK - 1) / BREAKER_CACHE_BLOCK * BREAKER_CACHE_BLOCK;
}

/* ---- opening ---- */

void breaker__cache_open(breaker__cache_t *cache, const char *directory, uint64_t max_size,
                         const breaker_release_hooks_t *hooks)
{
    struct timespec now;

    *cache =
        (breaker__cache_t){.directory = directory, .hooks = hooks, .fd = -1, .max_size = max_size};
    if (directory == NULL)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    /* file times come from a clock that is some milliseconds late */
    cache->began_ns = in_ns(now) - 1000000000;
    if ((mkdir(directory, 0755) != 0 && errno != EEXIST) ||
        (cache->fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        tell(cache, BREAKER__CACHE_OPEN, strerror(errno));
    cache->keeps = cache->fd >= 0;
}

void breaker__cache_open_to_find(breaker__cache_t *cache, const char *directory)
{
    static const breaker_release_hooks_t nobody;

    *cache =
        (breaker__cache_t){.directory = directory, .hooks = &nobody, .fd = -1, .finds_only = true};
    if (directory != NULL)
        cache->fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void forget_old(breaker__cache_t *cache)
{
    for (size_t i = cache->next_old; i != cache->num_old; ++i)
        free(cache->old[i].name);
    free(cache->old);
    cache->old = NULL;
    cache->num_old = cache->next_old = 0;
}

void breaker__cache_close(breaker__cache_t *cache)
{
    forget_old(cache);
    if (cache->fd >= 0)
        close(cache->fd);
    cache->fd = -1;
    cache->keeps = false;
}

/* ---- what is there already ---- */

void breaker__cache_touch(const breaker__cache_t *cache, const uint8_t *digest,
                          breaker_encoding_t encoding)
{
    char name[BREAKER_CACHE_NAME_MAX], not_smaller[BREAKER_CACHE_NAME_MAX];

    if (cache->fd < 0)
        return;
    name_of(digest, encoding, name);
    /* that it may not be touched, being another user's, costs its place in the order at most */
    if (utimensat(cache->fd, name, NULL, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT)
        return;
    name_of_not_smaller(name, not_smaller);
    utimensat(cache->fd, not_smaller, NULL, AT_SYMLINK_NOFOLLOW);
}

/** Adds a file to the list, or says that there is no memory for it. */
static bool list_file(breaker__cache_t *cache, const char *name, size_t *capacity)
{
    breaker__cache_file_t *grown, *file;
    struct stat status;

    if (fstatat(cache->fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0 || status.st_size < 0)
        return true;
    if (cache->num_old == *capacity) {
        size_t larger = *capacity == 0 ? 1024 : *capacity * 2;

        if ((grown = realloc(cache->old, larger * sizeof(*grown))) == NULL)
            return false;
        cache->old = grown;
        *capacity = larger;
    }
    file = cache->old + cache->num_old;
    if ((file->name = strdup(name)) == NULL)
        return false;
    file->size = size_on_disk((uint64_t)status.st_size);
    file->used_ns = in_ns(status.st_mtim);
    ++cache->num_old;
    cache->size += file->size;
    return true;
}

static bool list_files(breaker__cache_t *cache, DIR *directory, breaker__pace_t *pace)
{
    struct dirent *entry;
    size_t capacity = 0;

    while ((entry = readdir(directory)) != NULL) {
        if (!breaker__pace_go_on(pace))
            return false;
        if (breaker__temporary_is_named(temporary_stem, entry->d_name))
            breaker__temporary_remove_left(cache->fd, entry->d_name);
        else if (is_ours(entry->d_name) && !list_file(cache, entry->d_name, &capacity))
            return false;
    }
    return true;
}

static int compare_use(const void *a, const void *b)
{
    const breaker__cache_file_t *x = a, *y = b;

    if (x->used_ns != y->used_ns)
        return x->used_ns < y->used_ns ? -1 : 1;
    return strcmp(x->name, y->name);
}

/** Removes the file that was used longest ago. */
static void remove_oldest(breaker__cache_t *cache)
{
    breaker__cache_file_t *file = cache->old + cache->next_old;

    assert(cache->next_old != cache->num_old);
    /* another process may have been faster, which makes as much room */
    unlinkat(cache->fd, file->name, 0);
    cache->size -= file->size;
    free(file->name);
    ++cache->next_old;
}

void breaker__cache_sort_out(breaker__cache_t *cache, breaker__pace_t *pace)
{
    DIR *directory;
    int fd;

    if (cache->fd < 0)
        return;
    if ((fd = openat(cache->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 ||
        (directory = fdopendir(fd)) == NULL) {
        tell(cache, BREAKER__CACHE_OPEN, strerror(errno));
        cache->keeps = false;
        if (fd >= 0)
            close(fd);
        return;
    }
    cache->keeps = list_files(cache, directory, pace);
    closedir(directory);
    if (cache->keeps && cache->num_old != 0)
        qsort(cache->old, cache->num_old, sizeof(*cache->old), compare_use);
    if (!cache->keeps)
        forget_old(cache);
    while (cache->keeps && cache->size > cache->max_size)
        remove_oldest(cache);
    /* what is left of this run stays to its end */
    while (cache->num_old != cache->next_old &&
           cache->old[cache->num_old - 1].used_ns >= cache->began_ns)
        free(cache->old[--cache->num_old].name);
}

/* ---- reading ---- */

/** Removes a file that cannot be what its name says. */
static void discard_name(breaker__cache_t *cache, const char *name)
{
    if (cache->finds_only)
        return;
    tell(cache, BREAKER__CACHE_UNUSABLE, name);
    unlinkat(cache->fd, name, 0);
}

static breaker__cache_answer_t find_not_smaller(const breaker__cache_t *cache, const char *name)
{
    char not_smaller[BREAKER_CACHE_NAME_MAX];

    name_of_not_smaller(name, not_smaller);
    return faccessat(cache->fd, not_smaller, F_OK, AT_SYMLINK_NOFOLLOW) == 0
               ? BREAKER__CACHE_NOT_SMALLER
               : BREAKER__CACHE_UNKNOWN;
}

breaker__cache_answer_t breaker__cache_find(breaker__cache_t *cache, const uint8_t *digest,
                                            breaker_encoding_t encoding, uint64_t len, int *ret_fd,
                                            uint64_t *ret_len)
{
    char name[BREAKER_CACHE_NAME_MAX];
    struct stat status;
    int fd;

    if (cache->fd < 0)
        return BREAKER__CACHE_UNKNOWN;
    name_of(digest, encoding, name);
    fd = openat(cache->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        if (errno == ENOENT)
            return find_not_smaller(cache, name);
        if (errno == ELOOP)
            discard_name(cache, name);
        else
            tell(cache, BREAKER__CACHE_READ, strerror(errno));
        return BREAKER__CACHE_UNKNOWN;
    }
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0 &&
        (uint64_t)status.st_size < len) {
        *ret_fd = fd;
        *ret_len = (uint64_t)status.st_size;
        return BREAKER__CACHE_FOUND;
    }
    close(fd);
    discard_name(cache, name);
    return BREAKER__CACHE_UNKNOWN;
}

void breaker__cache_discard(breaker__cache_t *cache, const uint8_t *digest,
                            breaker_encoding_t encoding)
{
    char name[BREAKER_CACHE_NAME_MAX];

    name_of(digest, encoding, name);
    discard_name(cache, name);
}

/* ---- keeping ---- */

/** Makes room for a file of this size. */
static bool make_room(breaker__cache_t *cache, uint64_t size)
{
    while (cache->size + size > cache->max_size && cache->next_old != cache->num_old)
        remove_oldest(cache);
    if (cache->size + size <= cache->max_size)
        return true;
    tell(cache, BREAKER__CACHE_FULL, NULL);
    cache->keeps = false;
    return false;
}

/** Writes a file, then gives it its name. Returns 0 or a number of errno. */
static int write_file(const breaker__cache_t *cache, const char *name, const char *base, size_t len)
{
    breaker__temporary_t temporary;
    int errnum;

    if ((errnum = breaker__temporary_create(cache->fd, temporary_stem, 0644, &temporary)) != 0)
        return errnum;
    if ((errnum = breaker__temporary_write(&temporary, base, len)) == 0 &&
        (errnum = breaker__temporary_rename(&temporary, name)) == 0)
        return 0;
    breaker__temporary_discard(&temporary);
    /* where files cannot be locked another process may have tidied it away: that is no trouble */
    return errnum != ENOENT ? errnum : 0;
}

void breaker__cache_keep(breaker__cache_t *cache, const uint8_t *digest,
                         breaker_encoding_t encoding, const char *base, size_t len)
{
    char name[BREAKER_CACHE_NAME_MAX], not_smaller[BREAKER_CACHE_NAME_MAX];
    int errnum;

    if (!cache->keeps || !make_room(cache, size_on_disk(len)))
        return;
    name_of(digest, encoding, name);
    name_of_not_smaller(name, not_smaller);
    if ((errnum = write_file(cache, len != 0 ? name : not_smaller, base, len)) == 0) {
        cache->size += size_on_disk(len);
        return;
    }
    tell(cache, BREAKER__CACHE_WRITE, strerror(errnum));
    cache->keeps = false;
}
