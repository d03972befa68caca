/*
 * A password of Redis from where it is kept: a file that a service manager or an editor wrote, a
 * pipe of the shell, the environment. What is accepted is decided here once, for the server and for
 * breakerctl, and nothing that was read is ever part of a complaint. A pipe that nobody writes into
 * is an error after a while: a start must not wait for ever.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "redis/password.h"

/* with the line end that editors and `echo` add, and a byte more that shows what is too long */
#define READ_MAX (BREAKER_REDIS_PASSWORD_MAX + 3)

/* `place` names where it was, for people */
static int take(const char *place, const char *base, size_t len,
                char ret_password[BREAKER_REDIS_PASSWORD_MAX + 1], breaker_error_t *error)
{
    while (len != 0 && (base[len - 1] == '\n' || base[len - 1] == '\r'))
        --len;
    if (len == 0 || len > BREAKER_REDIS_PASSWORD_MAX || memchr(base, '\0', len) != NULL)
        return breaker_error_set(error, BREAKER_ERR_RANGE,
                                 "%s: accepted: a password of 1 to %d bytes", place,
                                 BREAKER_REDIS_PASSWORD_MAX);
    memcpy(ret_password, base, len);
    ret_password[len] = '\0';
    return 0;
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/*
 * Waits until there is something to read, or the end of a pipe that had a writer. A read that does
 * not wait would take a pipe whose writer is yet to come for an empty file. -1 with errno
 */
static int wait_readable(int fd, int64_t ends_ms)
{
    struct pollfd polled = {fd, POLLIN, 0};
    int num;

    do {
        int64_t left_ms = ends_ms - now_ms();
        num = poll(&polled, 1, left_ms > 0 ? (int)left_ms : 0);
    } while (num == -1 && errno == EINTR);
    if (num == 0)
        errno = ETIMEDOUT;
    return num > 0 ? 0 : -1;
}

/* as much as there is, READ_MAX bytes at most; a pipe comes in pieces. -1 with errno */
static ssize_t read_all(int fd, int64_t ends_ms, char base[READ_MAX])
{
    size_t len = 0;
    ssize_t got;

    do {
        if (wait_readable(fd, ends_ms) != 0)
            return -1;
        got = read(fd, base + len, READ_MAX - len);
        if (got > 0)
            len += (size_t)got;
        else if (got == -1 && errno != EINTR && errno != EAGAIN)
            return -1;
        assert(len <= READ_MAX);
    } while (got != 0 && len != READ_MAX);
    return (ssize_t)len;
}

static int fail_read(const char *path, uint32_t patience_ms, int errnum, breaker_error_t *error)
{
    if (errnum == ETIMEDOUT)
        return breaker_error_set(error, BREAKER_ERR_IO,
                                 "%s: nobody has written a password there and closed it within "
                                 "%g s; accepted: a file, or a pipe that somebody writes into",
                                 path, patience_ms / 1000.0);
    return breaker_error_set(error, BREAKER_ERR_IO, "%s: %s", path, strerror(errnum));
}

int breaker__redis_password_read(const char *path, uint32_t patience_ms,
                                 char ret_password[BREAKER_REDIS_PASSWORD_MAX + 1],
                                 breaker_error_t *error)
{
    char base[READ_MAX];
    /* the open of a pipe without a writer would wait for one, however long that takes */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), err;
    ssize_t len = fd != -1 ? read_all(fd, now_ms() + patience_ms, base) : -1;

    if (len == -1)
        err = fail_read(path, patience_ms, errno, error);
    else
        err = take(path, base, (size_t)len, ret_password, error);
    explicit_bzero(base, sizeof(base));
    if (fd != -1)
        close(fd);
    return err;
}

int breaker_redis_password_from_file(const char *path,
                                     char ret_password[BREAKER_REDIS_PASSWORD_MAX + 1],
                                     breaker_error_t *error)
{
    return breaker__redis_password_read(path, BREAKER_REDIS_PASSWORD_PATIENCE_MS, ret_password,
                                        error);
}

int breaker_redis_password_from_environment(const char *name,
                                            char ret_password[BREAKER_REDIS_PASSWORD_MAX + 1],
                                            breaker_error_t *error)
{
    const char *value = getenv(name);

    if (value == NULL)
        return breaker_error_set(error, BREAKER_ERR_NOT_FOUND,
                                 "%s: accepted: the name of an environment variable that is set",
                                 name);
    return take(name, value, strlen(value), ret_password, error);
}
