/*
 * How one process of the server makes another: fork(2) for a worker of the program that runs, fork
 * and execve(2) for one of the program file, execve for the master itself. What goes from one to
 * the other is memory in the first case, and lines of text in the others (handover.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>
#include <h2o.h>
#include "logs/error_log.h"
#include "master/channel.h"
#include "master/handover.h"
#include "master/spawn.h"
#include "process/process.h"

/* ---- writing ---- */

static void set_stderr_inherited(const breaker__stock_t *stock, bool is_inherited)
{
    if (stock->legacy.stderr_fd != -1)
        fcntl(stock->legacy.stderr_fd, F_SETFD, is_inherited ? 0 : FD_CLOEXEC);
}

/* the descriptors that the next program needs, and those that it must not have */
static void set_inherited(const breaker__stock_t *stock, bool is_inherited)
{
    breaker__held_set_inherited(&stock->legacy.held, is_inherited);
    breaker__workers_set_inherited(&stock->workers, is_inherited);
    set_stderr_inherited(stock, is_inherited);
}

static void execute(const breaker__stock_t *stock)
{
    execv(stock->program, stock->options->argv);
    breaker__complain(BREAKER_LOG_ERROR, "execute", "cannot execute %s: %s", stock->program,
                      strerror(errno));
}

static void write_legacy(const breaker__stock_t *stock, FILE *file)
{
    fprintf(file, "stderr %d %d\n", stock->legacy.stderr_fd, stock->legacy.has_error_log);
    if (breaker__error_log_has_begun())
        fprintf(file, "error-log %s\n", breaker__error_log_form());
    fprintf(file, "predecessor %d\n", stock->legacy.has_predecessor);
    if (stock->legacy.minted != NULL)
        fprintf(file, "minted %s\n", stock->legacy.minted);
    breaker__held_write(&stock->legacy.held, file);
}

/* the worker of a program file that may be newer: ends this process if it cannot be executed */
static _Noreturn void execute_worker(breaker__stock_t *stock, int channel)
{
    FILE *file = breaker__handover_begin();

    if (file == NULL)
        _exit(EX_OSERR);
    fprintf(file, "role worker %d\n", channel);
    write_legacy(stock, file);
    if (breaker__handover_end(file) != 0)
        _exit(EX_OSERR);
    fcntl(channel, F_SETFD, 0);
    breaker__held_set_inherited(&stock->legacy.held, true);
    set_stderr_inherited(stock, true);
    execute(stock);
    _exit(EX_NOINPUT);
}

void breaker__spawn_successor(breaker__stock_t *stock)
{
    FILE *file = breaker__handover_begin();

    if (file == NULL) {
        breaker__complain(BREAKER_LOG_ERROR, "execute", "the master stays of the old program: %s",
                          strerror(errno));
        return;
    }
    fprintf(file, "role master\n");
    if (stock->pid_file.path != NULL)
        fprintf(file, "pid-file %s\n", stock->pid_file.path);
    write_legacy(stock, file);
    breaker__workers_write(&stock->workers, file);
    if (breaker__handover_end(file) == 0) {
        set_inherited(stock, true);
        execute(stock);
        set_inherited(stock, false);
        breaker__handover_cancel();
    }
}

/* the process is a worker from here on */
static _Noreturn void become_worker(breaker__stock_t *stock, int channel, const sigset_t *unblocked,
                                    bool of_file)
{
    breaker__process_leave_signals();
    sigprocmask(SIG_SETMASK, unblocked, NULL);
    breaker__workers_let_go(&stock->workers);
    breaker__pid_file_let_go(&stock->pid_file);
    if (of_file)
        execute_worker(stock, channel);
    stock->legacy.channel = channel;
    exit(breaker__serve(stock->options->config_file, &stock->legacy));
}

static pid_t fork_worker(breaker__stock_t *stock, int master_end, int worker_end, bool of_file)
{
    sigset_t all, unblocked;
    pid_t pid;

    /* a signal that is a worker's must not get into the master's pipe */
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &unblocked);
    fflush(NULL);
    if ((pid = fork()) == 0) {
        close(master_end);
        become_worker(stock, worker_end, &unblocked, of_file);
    }
    sigprocmask(SIG_SETMASK, &unblocked, NULL);
    return pid;
}

int breaker__spawn_worker(breaker__stock_t *stock, bool of_file, int64_t now_ms)
{
    int master_end, worker_end;
    pid_t pid;

    if (breaker__channel_open(&master_end, &worker_end) != 0) {
        breaker__complain(BREAKER_LOG_ERROR, "start", "cannot start a worker: %s", strerror(errno));
        return -1;
    }
    pid = fork_worker(stock, master_end, worker_end, of_file);
    close(worker_end);
    if (pid == -1) {
        breaker__complain(BREAKER_LOG_ERROR, "start", "cannot start a worker: %s", strerror(errno));
        close(master_end);
        return -1;
    }
    breaker__workers_add(&stock->workers, pid, master_end, now_ms)->is_newer = of_file;
    return 0;
}

/* ---- reading ---- */

static int take_line(void *data, const char *line)
{
    breaker__stock_t *stock = data;
    int flag;

    if (sscanf(line, "role worker %d", &stock->legacy.channel) == 1)
        return 0;
    if (sscanf(line, "predecessor %d", &flag) == 1) {
        stock->legacy.has_predecessor = flag != 0;
        return 0;
    }
    if (strncmp(line, "minted ", 7) == 0) {
        stock->legacy.minted = h2o_strdup(NULL, line + 7, SIZE_MAX).base;
        return 0;
    }
    if (strcmp(line, "role master") == 0)
        return 0;
    if (sscanf(line, "stderr %d %d", &stock->legacy.stderr_fd, &flag) == 2) {
        stock->legacy.has_error_log = flag != 0;
        return 0;
    }
    if (strncmp(line, "error-log ", 10) == 0) {
        breaker__error_log_begin_as(line + 10);
        return 0;
    }
    if (strncmp(line, "pid-file ", 9) == 0) {
        stock->pid_file = breaker__pid_file_of(line + 9, -1);
        return 0;
    }
    if (strncmp(line, "held ", 5) == 0)
        return breaker__held_read(&stock->legacy.held, line);
    return breaker__workers_read(&stock->workers, line);
}

/* what came through execve(2) is not for programs that are started later */
int breaker__spawn_read(breaker__stock_t *stock)
{
    int num = breaker__handover_read(take_line, stock);

    if (num != 1)
        return num;
    set_inherited(stock, false);
    if (stock->legacy.channel != -1)
        fcntl(stock->legacy.channel, F_SETFD, FD_CLOEXEC);
    return 1;
}
