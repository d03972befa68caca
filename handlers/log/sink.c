/*
 * Lines on their way out. A file takes many at a time; O_APPEND keeps those of several threads and
 * processes apart. Whatever else a log is, somebody reads it, who may be slow or gone: it is never
 * waited for, and gets at most PIPE_BUF bytes a write, whole lines as far as they fit, which
 * pipe(7) does not mix with those of others. A line is never left in the middle: where only a part
 * of one was taken, the rest is kept, and is what is written next.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <h2o.h>
#include "log/sink.h"
#include "thread/notice.h"

/* what a pipe holds while its reader does something else, as far as the system allows it */
#define PIPE_SIZE (1 << 20)

struct st_breaker__sink_t {
    char *path; /* owned */
    int fd;     /* owned */
    bool is_file;
    breaker__notice_t lost;
    /* held while lines are written, with all below */
    pthread_mutex_t lock;
    char *rest; /* owned; NULL where no line was written in part */
    size_t rest_at, rest_len;
};

/* somebody may read it */
static void prepare_reader(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags != -1)
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    /* no pipe, or as much as a user may have already: then it stays as it is */
    fcntl(fd, F_SETPIPE_SZ, PIPE_SIZE);
}

/* a pipe by name that nobody reads would have us wait for who does */
static int open_named(const char *path, breaker_error_t *error)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0644);

    if (fd == -1)
        breaker_error_set(error, BREAKER_ERR_IO, "cannot open %s: %s", path,
                          errno == ENXIO ? "nobody reads it" : strerror(errno));
    return fd;
}

/* of commands libh2o itself tells what is wrong */
static int open_path(const char *path, breaker_error_t *error)
{
    int fd;

    if (path[0] != '|')
        return open_named(path, error);
    fd = h2o_access_log_open_log(path);
    if (fd == -1)
        breaker_error_set(error, BREAKER_ERR_IO, "cannot open %s: no pipe into it can be had",
                          path);
    return fd;
}

breaker__sink_t *breaker__sink_open(const char *path, breaker_error_t *error)
{
    int fd = open_path(path, error), err;
    breaker__sink_t *sink;
    struct stat st;

    if (fd == -1)
        return NULL;
    sink = h2o_mem_alloc(sizeof(*sink));
    memset(sink, 0, sizeof(*sink));
    sink->path = h2o_strdup(NULL, path, SIZE_MAX).base;
    sink->fd = fd;
    sink->is_file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    if (!sink->is_file)
        prepare_reader(fd);
    err = pthread_mutex_init(&sink->lock, NULL);
    assert(err == 0);
    (void)err;
    return sink;
}

/* ---- writing ---- */

/* how much is written at a time: whole lines, or a piece of one that is too long for that */
static size_t piece_len(const breaker__sink_t *sink, const char *lines, size_t len)
{
    const char *end;

    if (sink->is_file || len <= PIPE_BUF)
        return len;
    end = memrchr(lines, '\n', PIPE_BUF);
    return end != NULL ? (size_t)(end + 1 - lines) : PIPE_BUF;
}

/* as much as is taken; returns 0, or the error that ended it */
static int write_all(const breaker__sink_t *sink, const char *base, size_t len, size_t *ret_written)
{
    size_t at = 0;
    ssize_t taken;
    int errnum = 0;

    while (at != len && errnum == 0) {
        taken = write(sink->fd, base + at, piece_len(sink, base + at, len - at));
        if (taken > 0)
            at += (size_t)taken;
        else if (taken == 0 || errno != EINTR)
            errnum = taken == 0 ? ENOSPC : errno;
    }
    *ret_written = at;
    return errnum;
}

static int write_rest(breaker__sink_t *sink)
{
    size_t written;
    int errnum;

    if (sink->rest == NULL)
        return 0;
    errnum = write_all(sink, sink->rest + sink->rest_at, sink->rest_len - sink->rest_at, &written);
    sink->rest_at += written;
    if (sink->rest_at != sink->rest_len)
        return errnum;
    free(sink->rest);
    sink->rest = NULL;
    return errnum;
}

/* returns the end of the line in whose middle `at` is */
static size_t keep_rest(breaker__sink_t *sink, const char *lines, size_t at, size_t len)
{
    const char *end = memchr(lines + at, '\n', len - at);
    size_t line_end = end != NULL ? (size_t)(end + 1 - lines) : len;

    assert(sink->rest == NULL);
    sink->rest_at = 0;
    sink->rest_len = line_end - at;
    sink->rest = h2o_strdup(NULL, lines + at, sink->rest_len).base;
    return line_end;
}

size_t breaker__sink_write(breaker__sink_t *sink, const char *lines, size_t len, int *ret_errnum)
{
    size_t written = 0;

    pthread_mutex_lock(&sink->lock);
    if ((*ret_errnum = write_rest(sink)) == 0)
        *ret_errnum = write_all(sink, lines, len, &written);
    if (written != 0 && written != len && lines[written - 1] != '\n')
        written = keep_rest(sink, lines, written, len);
    pthread_mutex_unlock(&sink->lock);
    assert(written <= len);
    return written;
}

/* ---- the end ---- */

void breaker__sink_close(breaker__sink_t *sink)
{
    if (sink == NULL)
        return;
    write_rest(sink);
    close(sink->fd);
    pthread_mutex_destroy(&sink->lock);
    free(sink->rest);
    free(sink->path);
    free(sink);
}

/* ---- what is lost ---- */

__attribute__((weak)) void breaker__sink_tell_lost(const char *path, uint64_t num_lines,
                                                   const char *reason)
{
    fprintf(stderr, "h2o-breaker: access-log: %s: %" PRIu64 " lines were not written: %s\n", path,
            num_lines, reason);
}

void breaker__sink_lose(breaker__sink_t *sink, uint64_t num_lines, int errnum)
{
    uint64_t num;

    if (num_lines == 0 ||
        !breaker__notice_is_due_now(&sink->lost, num_lines, (int64_t)time(NULL), &num))
        return;
    breaker__sink_tell_lost(sink->path, num,
                            errnum == EAGAIN ? "whoever reads them is too slow" : strerror(errnum));
}
