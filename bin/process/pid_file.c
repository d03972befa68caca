/*
 * The file that says whom to send signals to. It stays open, so that it can be emptied by a process
 * that may not remove it any more.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <h2o.h>
#include "logs/error_log.h"
#include "process/pid_file.h"

breaker__pid_file_t breaker__pid_file_of(const char *path, int fd)
{
    return (breaker__pid_file_t){.path = h2o_strdup(NULL, path, SIZE_MAX).base, .fd = fd};
}

int breaker__pid_file_write(breaker__pid_file_t *file, const char *path, pid_t pid)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "%ld\n", (long)pid);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);

    if (fd != -1 && write(fd, text, (size_t)len) == len) {
        *file = breaker__pid_file_of(path, fd);
        return 0;
    }
    breaker__complain(BREAKER_LOG_ERROR, "pid-file", "pid-file %s: %s", path, strerror(errno));
    if (fd != -1)
        close(fd);
    return -1;
}

bool breaker__pid_file_is_same(const breaker__pid_file_t *a, const breaker__pid_file_t *b)
{
    if (a->path == NULL || b->path == NULL)
        return a->path == b->path;
    return strcmp(a->path, b->path) == 0;
}

void breaker__pid_file_remove(breaker__pid_file_t *file)
{
    if (file->path != NULL && unlink(file->path) != 0 && ftruncate(file->fd, 0) != 0)
        breaker__complain(BREAKER_LOG_WARNING, "pid-file", "cannot remove pid-file %s: %s",
                          file->path, strerror(errno));
    breaker__pid_file_let_go(file);
}

void breaker__pid_file_let_go(breaker__pid_file_t *file)
{
    if (file->fd != -1)
        close(file->fd);
    free(file->path);
    *file = BREAKER__NO_PID_FILE;
}
