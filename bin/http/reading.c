/*
 * read(2) as threads that serve find it, who call it by its name: the program's own stands before
 * the one of libc.
 *
 * libh2o's own loop reads from a connection until there is nothing more, into a buffer that it
 * doubles each time: as long as the client is as fast as the server, nobody else is served and the
 * buffer grows. Here a read from a socket brings so much and no more, and after a row of them that
 * each filled its buffer there is nothing more for now. Both loops then do what they do with a
 * socket that has been emptied; they are told of what is left when they ask the kernel next, in the
 * next turn.
 */
#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "http/reading.h"

#define EXPORTED __attribute__((visibility("default")))

/* of one connection in one turn */
enum { ROW_MAX = 16 << 10 };

static _Thread_local breaker__reading_t *own;

#ifdef __SANITIZE_THREAD__
/* from reads that it sees the sanitizer learns what has happened before what */
static ssize_t read_now(int fd, void *bytes, size_t len)
{
    ssize_t (*next)(int, void *, size_t);

    *(void **)&next = dlsym(RTLD_NEXT, "read");
    return next(fd, bytes, len);
}
#else
/* nobody cancels threads here, which libc's own read is ready for at some hundred instructions */
static ssize_t read_now(int fd, void *bytes, size_t len)
{
    return syscall(SYS_read, fd, bytes, len);
}
#endif

/* files, which are never empty for now, are read to their end */
static bool is_socket(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* one that may bring too much; apart from the others, whose way is short */
__attribute__((noinline)) static ssize_t read_bounded(int fd, void *bytes, size_t len)
{
    bool is_row_over = own->num_bytes >= ROW_MAX && own->fd == fd;

    own->num_bytes = 0;
    if (!is_socket(fd))
        return read_now(fd, bytes, len);
    if (is_row_over) {
        errno = EAGAIN;
        return -1;
    }
    return read_now(fd, bytes, len < ROW_MAX ? len : ROW_MAX);
}

__attribute__((noinline)) static void count(int fd, size_t num_bytes)
{
    if (own->fd != fd)
        own->num_bytes = 0;
    own->fd = fd;
    own->num_bytes += num_bytes;
}

EXPORTED ssize_t read(int fd, void *bytes, size_t len)
{
    breaker__reading_t *reading = own;
    ssize_t num;

    if (reading == NULL)
        return read_now(fd, bytes, len);
    if (len > ROW_MAX || (reading->num_bytes >= ROW_MAX && reading->fd == fd))
        return read_bounded(fd, bytes, len);
    num = read_now(fd, bytes, len);
    if (num > 0 && (size_t)num == len)
        count(fd, len);
    else
        reading->num_bytes = 0;
    return num;
}

void breaker__reading_begin(breaker__reading_t *reading)
{
    assert(own == NULL);
    reading->fd = -1;
    reading->num_bytes = 0;
    own = reading;
}

void breaker__reading_end(breaker__reading_t *reading)
{
    assert(own == reading);
    own = NULL;
}
