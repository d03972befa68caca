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
#include <errno.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "http/reading.h"

#define EXPORTED __attribute__((visibility("default")))

/* of one connection in one turn */
enum { ROW_MAX = 64 << 10 };

static _Thread_local breaker__reading_t *own;

/* files, which are never empty for now, are read to their end */
__attribute__((noinline)) static bool is_socket(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

static void count(breaker__reading_t *reading, int fd, size_t num_bytes)
{
    if (reading->fd != fd)
        reading->num_bytes = 0;
    reading->fd = fd;
    reading->num_bytes += num_bytes;
}

static void forget(breaker__reading_t *reading)
{
    reading->fd = -1;
    reading->num_bytes = 0;
}

/* of libc's declarations some name the parameters otherwise */
EXPORTED ssize_t read(int fd, void *bytes, size_t len)
{
    size_t most = len;
    ssize_t num;

    if (own != NULL && own->num_bytes >= ROW_MAX && own->fd == fd) {
        forget(own);
        if (is_socket(fd)) {
            errno = EAGAIN;
            return -1;
        }
    }
    if (own != NULL && len > ROW_MAX && is_socket(fd))
        most = ROW_MAX;
    num = syscall(SYS_read, fd, bytes, most);
    if (own == NULL)
        return num;
    if (num > 0 && (size_t)num == len)
        count(own, fd, len);
    else if (own->fd != -1)
        forget(own);
    return num;
}

void breaker__reading_begin(breaker__reading_t *reading)
{
    assert(own == NULL);
    forget(reading);
    own = reading;
}

void breaker__reading_end(breaker__reading_t *reading)
{
    assert(own == reading);
    own = NULL;
}
