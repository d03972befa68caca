/*
 * Rotating logs. A descriptor is replaced under its number (dup3), which is atomic for writers, so
 * that nothing is lost and nobody who writes need know.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <breaker/h2o.h>
#include "logs/error_log.h"
#include "logs/logs.h"

/*
 * Logs are opened while the configuration is read, before sockets, and so have low numbers. The
 * directory of descriptors in proc(5) would be shorter to read, but its entries hold up whoever
 * waits for the end of this process, on a busy machine for seconds.
 */
#define SEARCHED_FDS 8192

static bool is_log(int fd)
{
    struct stat st;
    int flags = fcntl(fd, F_GETFL);

    return flags != -1 && (flags & O_ACCMODE) != O_RDONLY && (flags & O_APPEND) != 0 &&
           fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink != 0;
}

void breaker__logs_add(breaker__logs_t *logs, int fd, const char *path)
{
    logs->entries = h2o_mem_realloc(logs->entries, (logs->num + 1) * sizeof(logs->entries[0]));
    logs->entries[logs->num++] = (breaker__log_file_t){fd, h2o_strdup(NULL, path, SIZE_MAX).base};
}

static void find(breaker__logs_t *logs, int fd)
{
    char link[64], path[PATH_MAX];
    ssize_t len;

    if (!is_log(fd))
        return;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    if ((len = readlink(link, path, sizeof(path) - 1)) <= 0)
        return;
    path[len] = '\0';
    breaker__logs_add(logs, fd, path);
}

void breaker__logs_find(breaker__logs_t *logs)
{
    for (int fd = 0; fd != SEARCHED_FDS; ++fd)
        find(logs, fd);
}

int breaker__logs_open(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

    if (fd == -1)
        breaker__complain(BREAKER_LOG_ERROR, "log",
                          "cannot open %s anew: %s; what was open is written on", path,
                          strerror(errno));
    return fd;
}

void breaker__logs_replace(int fd, int new_fd)
{
    int flags = fcntl(fd, F_GETFD);

    if (flags != -1 && dup3(new_fd, fd, (flags & FD_CLOEXEC) != 0 ? O_CLOEXEC : 0) == -1)
        breaker__complain(BREAKER_LOG_ERROR, "log", "cannot replace a log: %s", strerror(errno));
    close(new_fd);
}

void breaker__logs_flush(const breaker__logs_t *logs)
{
    if (logs->globalconf != NULL)
        breaker_h2o_flush_logs(logs->globalconf);
}

size_t breaker__logs_reopen(const breaker__logs_t *logs)
{
    size_t num = 0;

    breaker__logs_flush(logs);
    for (size_t i = 0; i != logs->num; ++i) {
        int new_fd = breaker__logs_open(logs->entries[i].path);
        if (new_fd == -1)
            continue;
        breaker__logs_replace(logs->entries[i].fd, new_fd);
        ++num;
    }
    return num;
}

void breaker__logs_dispose(breaker__logs_t *logs)
{
    for (size_t i = 0; i != logs->num; ++i)
        free(logs->entries[i].path);
    free(logs->entries);
    *logs = (breaker__logs_t){NULL, 0, NULL};
}
