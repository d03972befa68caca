/*
 * A password of Redis from where it is kept: a file that a service manager or an editor wrote, a
 * pipe of the shell, the environment. What is accepted is decided here once, for the server and for
 * breakerctl, and nothing that was read is ever part of a complaint.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <breaker/redis.h>

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

/* as much as there is, READ_MAX bytes at most; a pipe comes in pieces. -1 with errno */
static ssize_t read_all(int fd, char base[READ_MAX])
{
    size_t len = 0;
    ssize_t got;

    while (len != READ_MAX && (got = read(fd, base + len, READ_MAX - len)) != 0) {
        if (got > 0)
            len += (size_t)got;
        else if (errno != EINTR)
            return -1;
    }
    return (ssize_t)len;
}

int breaker_redis_password_from_file(const char *path,
                                     char ret_password[BREAKER_REDIS_PASSWORD_MAX + 1],
                                     breaker_error_t *error)
{
    char base[READ_MAX];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), err;
    ssize_t len = fd != -1 ? read_all(fd, base) : -1;

    if (len == -1)
        err = breaker_error_set(error, BREAKER_ERR_IO, "%s: %s", path, strerror(errno));
    else
        err = take(path, base, (size_t)len, ret_password, error);
    explicit_bzero(base, sizeof(base));
    if (fd != -1)
        close(fd);
    return err;
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
