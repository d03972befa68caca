/*
 * A temporary file is called "state.new-0123456789abcdef" and is locked (flock) by whoever writes
 * it until it has its name. Process ids would not do: nodes in containers share a volume and have
 * the same ones. A temporary file that can be locked is one that a killed process left. So there
 * are never more of them than processes that write, and those that were killed since the last one
 * wrote.
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include "file/replace.h"

#define MARK ".new-"

enum {
    PATH_LEN_MAX = 4096,
    DIGITS = 16,
    /* names that are taken, or files that somebody took for left ones */
    TRIES = 64,
    /* of one directory */
    LOOKED_AT_MAX = 4096,
};

typedef struct st_place_t {
    const char *path;
    /* the directory's, with its slash, or "." */
    char directory[PATH_LEN_MAX];
    /* the file's name in it; into path */
    const char *name;
    char temporary[PATH_LEN_MAX];
} place_t;

static int fail_io(breaker_error_t *error, const char *what, const char *path)
{
    return breaker_error_set(error, BREAKER_ERR_IO, "%s %s: %s", what, path, strerror(errno));
}

static int find_place(const char *path, place_t *place, breaker_error_t *error)
{
    const char *slash = strrchr(path, '/');

    if (strlen(path) + strlen(MARK) + DIGITS >= PATH_LEN_MAX)
        return breaker_error_set(error, BREAKER_ERR_IO, "the path of the state file is too long");
    place->path = path;
    place->name = slash != NULL ? slash + 1 : path;
    snprintf(place->directory, sizeof(place->directory), "%.*s",
             slash != NULL ? (int)(place->name - path) : 1, slash != NULL ? path : ".");
    return 0;
}

/* ---- what was left ---- */

static bool is_temporary(const place_t *place, const char *name)
{
    size_t name_len = strlen(place->name), mark_len = strlen(MARK);

    return strncmp(name, place->name, name_len) == 0 &&
           strncmp(name + name_len, MARK, mark_len) == 0 &&
           strlen(name + name_len + mark_len) == DIGITS &&
           strspn(name + name_len + mark_len, "0123456789abcdef") == DIGITS;
}

/* A file whose writer lives cannot be locked; one that has its name by now is not found. */
static void remove_left(int directory_fd, const char *name)
{
    int fd = openat(directory_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat status;

    if (fd < 0)
        return;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && flock(fd, LOCK_EX | LOCK_NB) == 0)
        unlinkat(directory_fd, name, 0);
    close(fd);
}

/* What cannot be removed now may be the next time; it is nothing to fail for. */
static void remove_all_left(const place_t *place)
{
    DIR *directory = opendir(place->directory);
    const struct dirent *entry;

    if (directory == NULL)
        return;
    for (unsigned i = 0; i != LOOKED_AT_MAX && (entry = readdir(directory)) != NULL; ++i)
        if (is_temporary(place, entry->d_name))
            remove_left(dirfd(directory), entry->d_name);
    closedir(directory);
}

/* ---- what is written ---- */

/* Where files cannot be locked nobody takes this one for a left one either. */
static bool is_ours(int fd)
{
    struct stat status;

    if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return false;
    return fstat(fd, &status) == 0 && status.st_nlink != 0;
}

static int create_temporary(place_t *place, breaker_error_t *error)
{
    uint64_t number;

    for (unsigned i = 0; i != TRIES; ++i) {
        int fd;
        if (getentropy(&number, sizeof(number)) != 0)
            break;
        snprintf(place->temporary, sizeof(place->temporary), "%s" MARK "%016" PRIx64, place->path,
                 number);
        fd = open(place->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd >= 0 && is_ours(fd))
            return fd;
        if (fd < 0 && errno != EEXIST)
            break;
        if (fd >= 0)
            close(fd);
        errno = EEXIST;
    }
    fail_io(error, "cannot create a file beside", place->path);
    return -1;
}

static int write_whole(int fd, const char *base, size_t len)
{
    for (size_t at = 0; at != len;) {
        ssize_t put = write(fd, base + at, len - at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        assert((size_t)put <= len - at);
        at += (size_t)put;
    }
    return fsync(fd);
}

/* the new name is on the disk only when its directory is */
static int sync_directory(const place_t *place, breaker_error_t *error)
{
    int fd = open(place->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;

    if (fd < 0)
        return fail_io(error, "cannot open", place->directory);
    if (fsync(fd) != 0)
        err = fail_io(error, "cannot sync", place->directory);
    close(fd);
    return err;
}

int breaker__replace_file(const char *path, const char *base, size_t len, breaker_error_t *error)
{
    place_t place;
    int fd, err;

    if ((err = find_place(path, &place, error)) != 0)
        return err;
    remove_all_left(&place);
    if ((fd = create_temporary(&place, error)) < 0)
        return BREAKER_ERR_IO;
    if (write_whole(fd, base, len) != 0)
        err = fail_io(error, "cannot write", place.temporary);
    else if (rename(place.temporary, path) != 0)
        err = fail_io(error, "cannot replace", path);
    if (err != 0)
        unlink(place.temporary);
    /* and with it goes the lock */
    close(fd);
    return err != 0 ? err : sync_directory(&place, error);
}
