/*
 * A temporary file is called "state.new-0123456789abcdef" and is locked (flock) by whoever writes
 * it until it has its name. Process ids would not do: nodes in containers share a volume and have
 * the same ones. A temporary file that can be locked is one that a killed process left. So there
 * are never more of them than processes that write, and those that were killed since somebody last
 * removed what was left.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include "file/temporary.h"

#define MARK ".new-"

enum {
    DIGITS = 16,
    /* names that are taken, or files that somebody took for left ones */
    TRIES = 64,
};

/* Where files cannot be locked nobody takes this one for a left one either. */
static bool is_ours(int fd)
{
    struct stat status;

    if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return false;
    return fstat(fd, &status) == 0 && status.st_nlink != 0;
}

/* -1 with errno, which is EEXIST where another name is to be tried */
static int try_create(breaker__temporary_t *temporary, const char *stem, mode_t mode)
{
    uint64_t number;
    int fd;

    if (getentropy(&number, sizeof(number)) != 0)
        return -1;
    snprintf(temporary->name, sizeof(temporary->name), "%s" MARK "%016" PRIx64, stem, number);
    fd = openat(temporary->directory_fd, temporary->name,
                O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd == -1 || is_ours(fd))
        return fd;
    close(fd);
    errno = EEXIST;
    return -1;
}

int breaker__temporary_create(int directory_fd, const char *stem, mode_t mode,
                              breaker__temporary_t *ret_temporary)
{
    breaker__temporary_t temporary = {.directory_fd = directory_fd, .fd = -1};

    assert(directory_fd >= 0);
    if (strlen(stem) + strlen(MARK) + DIGITS >= sizeof(temporary.name))
        return ENAMETOOLONG;
    for (unsigned i = 0; i != TRIES; ++i) {
        if ((temporary.fd = try_create(&temporary, stem, mode)) != -1) {
            *ret_temporary = temporary;
            return 0;
        }
        if (errno != EEXIST)
            return errno;
    }
    return EEXIST;
}

int breaker__temporary_write(breaker__temporary_t *temporary, const char *base, size_t len)
{
    assert(temporary->fd != -1);
    for (size_t at = 0; at != len;) {
        ssize_t put = write(temporary->fd, base + at, len - at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return errno;
        assert((size_t)put <= len - at);
        at += (size_t)put;
    }
    return 0;
}

static void end(breaker__temporary_t *temporary)
{
    /* and with it goes the lock */
    close(temporary->fd);
    temporary->fd = -1;
}

int breaker__temporary_rename(breaker__temporary_t *temporary, const char *name)
{
    assert(temporary->fd != -1);
    if (renameat(temporary->directory_fd, temporary->name, temporary->directory_fd, name) != 0)
        return errno;
    end(temporary);
    return 0;
}

void breaker__temporary_discard(breaker__temporary_t *temporary)
{
    assert(temporary->fd != -1);
    unlinkat(temporary->directory_fd, temporary->name, 0);
    end(temporary);
}

/* ---- what was left ---- */

bool breaker__temporary_is_named(const char *stem, const char *name)
{
    size_t stem_len = strlen(stem), mark_len = strlen(MARK);

    return strncmp(name, stem, stem_len) == 0 && strncmp(name + stem_len, MARK, mark_len) == 0 &&
           strlen(name + stem_len + mark_len) == DIGITS &&
           strspn(name + stem_len + mark_len, "0123456789abcdef") == DIGITS;
}

void breaker__temporary_remove_left(int directory_fd, const char *name)
{
    int fd = openat(directory_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat status;

    if (fd == -1)
        return;
    /* a file whose writer lives cannot be locked; one that has its name by now is not found */
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && flock(fd, LOCK_EX | LOCK_NB) == 0)
        unlinkat(directory_fd, name, 0);
    close(fd);
}
