/*
 * The list of a master's workers. It is written and read as lines, since a master that executes a
 * newer program goes on with the workers that it has; none of them is starting then.
 */
#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <h2o.h>
#include "master/channel.h"
#include "master/workers.h"

static breaker__worker_t *add(breaker__workers_t *workers)
{
    workers->entries =
        h2o_mem_realloc(workers->entries, (workers->num + 1) * sizeof(workers->entries[0]));
    memset(workers->entries + workers->num, 0, sizeof(workers->entries[0]));
    return workers->entries + workers->num++;
}

breaker__worker_t *breaker__workers_add(breaker__workers_t *workers, pid_t pid, int channel,
                                        int64_t now_ms)
{
    breaker__worker_t *worker = add(workers);

    worker->pid = pid;
    worker->channel = channel;
    worker->pid_file = BREAKER__NO_PID_FILE;
    worker->role = BREAKER__STARTING;
    worker->begun_ms = now_ms;
    return worker;
}

breaker__worker_t *breaker__workers_find(const breaker__workers_t *workers, breaker__role_t role)
{
    for (size_t i = 0; i != workers->num; ++i)
        if (workers->entries[i].role == role)
            return workers->entries + i;
    return NULL;
}

breaker__worker_t *breaker__workers_find_pid(const breaker__workers_t *workers, pid_t pid)
{
    for (size_t i = 0; i != workers->num; ++i)
        if (workers->entries[i].pid == pid)
            return workers->entries + i;
    return NULL;
}

size_t breaker__workers_count(const breaker__workers_t *workers, breaker__role_t role)
{
    size_t num = 0;

    for (size_t i = 0; i != workers->num; ++i)
        num += workers->entries[i].role == role;
    return num;
}

static void dispose(breaker__worker_t *worker)
{
    if (worker->channel != -1)
        close(worker->channel);
    breaker__logs_dispose(&worker->logs);
    breaker__pid_file_let_go(&worker->pid_file);
    free(worker->minted);
    breaker__inventory_fds_close(&worker->inventory);
    free(worker->failure);
}

void breaker__workers_remove(breaker__workers_t *workers, breaker__worker_t *worker)
{
    size_t index = (size_t)(worker - workers->entries);

    assert(index < workers->num);
    dispose(worker);
    memmove(worker, worker + 1, (--workers->num - index) * sizeof(*worker));
}

void breaker__workers_let_go(breaker__workers_t *workers)
{
    for (size_t i = 0; i != workers->num; ++i)
        dispose(workers->entries + i);
    free(workers->entries);
    *workers = (breaker__workers_t){NULL, 0};
}

/* ---- their logs ---- */

/* returns how many were opened */
static size_t reopen_log(const breaker__worker_t *worker, const breaker__log_file_t *log,
                         bool has_error_log)
{
    int fd = breaker__logs_open(log->path);
    char number[16];

    if (fd == -1)
        return 0;
    snprintf(number, sizeof(number), "%d", log->fd);
    breaker__channel_send(worker->channel, BREAKER__SAY_REOPENED, number, &fd, 1);
    if (worker->role == BREAKER__SERVING && log->fd <= STDERR_FILENO && has_error_log)
        breaker__logs_replace(log->fd, fd);
    else
        close(fd);
    return 1;
}

size_t breaker__workers_reopen_logs(const breaker__workers_t *workers, bool has_error_log)
{
    size_t num = 0;

    for (size_t i = 0; i != workers->num; ++i) {
        const breaker__worker_t *worker = workers->entries + i;
        for (size_t j = 0; j != worker->logs.num && worker->channel != -1; ++j)
            num += reopen_log(worker, worker->logs.entries + j, has_error_log);
    }
    return num;
}

/* ---- to another program ---- */

void breaker__workers_write(const breaker__workers_t *workers, FILE *file)
{
    for (size_t i = 0; i != workers->num; ++i) {
        const breaker__worker_t *worker = workers->entries + i;
        fprintf(file, "worker %ld %d %c %" PRId64 " %" PRId64 "\n", (long)worker->pid,
                worker->channel, worker->role, worker->begun_ms, worker->served_ms);
        for (size_t j = 0; j != worker->logs.num; ++j)
            fprintf(file, "log %d %s\n", worker->logs.entries[j].fd, worker->logs.entries[j].path);
    }
}

int breaker__workers_read(breaker__workers_t *workers, const char *line)
{
    breaker__worker_t *last = workers->num != 0 ? workers->entries + workers->num - 1 : NULL;
    int64_t begun_ms, served_ms;
    int fd, end = 0;
    char role;
    long pid;

    if (sscanf(line, "worker %ld %d %c %" SCNd64 " %" SCNd64, &pid, &fd, &role, &begun_ms,
               &served_ms) == 5) {
        last = breaker__workers_add(workers, (pid_t)pid, fd, begun_ms);
        last->served_ms = served_ms;
        last->role = (breaker__role_t)role;
        return 0;
    }
    if (last == NULL || sscanf(line, "log %d %n", &fd, &end) != 1 || end == 0)
        return -1;
    breaker__logs_add(&last->logs, fd, line + end);
    return 0;
}

void breaker__workers_set_inherited(const breaker__workers_t *workers, bool is_inherited)
{
    for (size_t i = 0; i != workers->num; ++i)
        if (workers->entries[i].channel != -1)
            fcntl(workers->entries[i].channel, F_SETFD, is_inherited ? 0 : FD_CLOEXEC);
}
