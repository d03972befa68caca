/*
 * The master: keeps its process id and the listening sockets, and sees to it that one worker
 * serves. It reads no configuration and speaks to no client, so that nothing that a worker may die
 * of can happen to it. A worker that starts binds what is not held yet, as root, and hands it over;
 * the one that serves is told to retire when the new one says that it serves, and not before. The
 * new one has taken over when the one before accepts no more connections (succession.h).
 *
 *   SIGHUP:  fork ─▶ a worker of the program as it runs
 *   SIGUSR2: fork, exec ─▶ a worker of the program file; once that serves, the master executes the
 *            file as well and goes on with its workers (handover.h)
 *
 * Signals are bytes in a pipe; one loop polls it and the workers' channels. A worker that dies is
 * replaced at once if it has served for a while, and ever more slowly if not.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>
#include <h2o.h>
#include "logs/error_log.h"
#include "logs/logs.h"
#include "master/askers.h"
#include "master/channel.h"
#include "master/end.h"
#include "master/held.h"
#include "master/master.h"
#include "master/spawn.h"
#include "master/succession.h"
#include "process/notify.h"
#include "process/process.h"

/* a worker that has served for so long is replaced at once when it dies */
#define LASTING_MS 10000
/* how long it takes until another one is tried, at first and at most */
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 10000
/* the same of one that has served: something outside may have killed it */
#define SERVED_MAX_MS 1000
/* so many may be retiring before a reload waits for one of them to end */
#define RETIRING_MAX 64
/* a moment that does not come */
#define NEVER INT64_MAX

typedef struct st_master_t {
    breaker__stock_t stock;
    int signal_fd;
    /* a worker has served since the start */
    bool has_served;
    bool is_stopping;
    /* what a signal asked for while something was in the way */
    bool wants_reload, wants_upgrade;
    /* who wants to know how that ends; how the one that is under way does */
    breaker__askers_t waiting, attending;
    /* the log says that it waits for one of RETIRING_MAX workers */
    bool has_said_full;
    /* of the worker that serves, as long as the one before may accept connections as well */
    breaker__succession_t succession;
    /* when a worker in the place of one that died is started */
    int64_t starts_ms;
    unsigned backoff_ms;
    /* of a worker that could not start */
    int status;
} master_t;

/* reachable to the end, for workers that are forked keep what they have no use for */
static master_t master = {
    .stock = {.legacy = {.channel = -1, .stderr_fd = -1}, .pid_file = {.fd = -1}},
    .signal_fd = -1,
    .starts_ms = NEVER};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static breaker__worker_t *serving(const master_t *self)
{
    return breaker__workers_find(&self->stock.workers, BREAKER__SERVING);
}

static breaker__worker_t *starting(const master_t *self)
{
    return breaker__workers_find(&self->stock.workers, BREAKER__STARTING);
}

static void tell(const breaker__worker_t *worker, breaker__say_t say)
{
    if (worker->channel != -1 && breaker__channel_send(worker->channel, say, "", NULL, 0) != 0 &&
        errno != EPIPE && errno != ECONNRESET)
        breaker__complain(BREAKER_LOG_ERROR, "channel", "worker %ld cannot be told anything: %s",
                          (long)worker->pid, strerror(errno));
}

static breaker_log_field_t worker_field(const breaker__worker_t *worker)
{
    return breaker_log_number("worker", (uint64_t)worker->pid);
}

/* ---- starting a worker ---- */

static int start_worker(master_t *self, bool of_file, const char *why)
{
    assert(starting(self) == NULL);
    self->starts_ms = NEVER;
    self->stock.legacy.has_predecessor = serving(self) != NULL;
    if (breaker__spawn_worker(&self->stock, of_file, now_ms()) != 0)
        return -1;
    breaker__say(BREAKER_LOG_INFO, BREAKER_LOG_EVENT, "starting", worker_field(starting(self)),
                 breaker_log_word("why", why));
    return 0;
}

/* at once, and then later each time, until a worker has lasted */
static void start_later(master_t *self, unsigned at_most_ms)
{
    self->starts_ms = now_ms() + (self->backoff_ms < at_most_ms ? self->backoff_ms : at_most_ms);
    self->backoff_ms = self->backoff_ms == 0 ? BACKOFF_MIN_MS : self->backoff_ms * 2;
    if (self->backoff_ms > BACKOFF_MAX_MS)
        self->backoff_ms = BACKOFF_MAX_MS;
}

static void start_again(master_t *self)
{
    if (start_worker(self, false, "death") != 0)
        start_later(self, BACKOFF_MAX_MS);
}

/* ---- reloading ---- */

static void notify_reloading(void)
{
    char text[64];
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    breaker__notify(text);
}

/* whether a reload has to wait for a worker to end; the log hears of it once */
static bool is_full(master_t *self)
{
    bool is_full = breaker__workers_count(&self->stock.workers, BREAKER__RETIRING) >= RETIRING_MAX;

    if (is_full && !self->has_said_full)
        breaker__say(BREAKER_LOG_WARNING, BREAKER_LOG_EVENT, "reload-waits",
                     breaker_log_word("why", self->wants_upgrade ? "SIGUSR2" : "SIGHUP"),
                     breaker_log_number("retiring", RETIRING_MAX));
    self->has_said_full = is_full;
    return is_full;
}

/* the worker before serves on */
static void refuse_reload(master_t *self, int status, const char *reason)
{
    char text[BREAKER__MESSAGE_TEXT_MAX];

    breaker__askers_tell_refused(&self->attending, status, reason);
    snprintf(text, sizeof(text), "READY=1\nSTATUS=serving; the last reload was refused: %s",
             reason);
    breaker__notify(text);
}

/* begins what signals have asked for, unless it has to wait for something */
static void reload_if_wanted(master_t *self)
{
    bool executes = self->wants_upgrade;

    if (self->is_stopping || !(self->wants_reload || self->wants_upgrade) ||
        starting(self) != NULL || self->succession.worker != 0 || is_full(self))
        return;
    self->wants_reload = self->wants_upgrade = false;
    breaker__askers_move(&self->attending, &self->waiting);
    notify_reloading();
    if (start_worker(self, executes, executes ? "SIGUSR2" : "SIGHUP") != 0)
        refuse_reload(self, EX_OSERR, "no process could be started for it");
}

/* ---- the pid file ---- */

/* from a worker that serves now, and that has written it */
static void take_pid_file(master_t *self, breaker__worker_t *worker)
{
    if (breaker__pid_file_is_same(&worker->pid_file, &self->stock.pid_file))
        return;
    breaker__pid_file_remove(&self->stock.pid_file);
    self->stock.pid_file = worker->pid_file;
    worker->pid_file = BREAKER__NO_PID_FILE;
}

/* of one that will never serve */
static void drop_pid_file(const master_t *self, breaker__worker_t *worker)
{
    if (!breaker__pid_file_is_same(&worker->pid_file, &self->stock.pid_file))
        breaker__pid_file_remove(&worker->pid_file);
}

/* ---- what workers say ---- */

static void warn_of_given(const master_t *self)
{
    for (size_t i = 0; i != self->stock.legacy.held.num; ++i)
        if (self->stock.legacy.held.entries[i].num_used == 0)
            breaker__complain(BREAKER_LOG_WARNING, "listen-fds", "LISTEN_FDS: no `listen` names %s",
                              self->stock.legacy.held.entries[i].name);
}

/* the manager may know another process, a shell that has started this one */
static void notify_ready(const char *state)
{
    char text[BREAKER__MESSAGE_TEXT_MAX + 32];

    snprintf(text, sizeof(text), "%s\nMAINPID=%ld", state, (long)getpid());
    breaker__notify(text);
}

/* what has been asked for and not been done yet is asked of the next program */
static void pass_on_signals(master_t *self)
{
    int number, value;

    while ((number = breaker__process_next_signal(self->signal_fd, &value)) != 0) {
        breaker__askers_add(&self->waiting, value);
        raise(number);
    }
    breaker__askers_tell_again(&self->waiting);
    if (self->wants_reload)
        raise(SIGHUP);
    if (self->wants_upgrade)
        raise(SIGUSR2);
    self->wants_reload = self->wants_upgrade = false;
}

/* signals wait, over execve(2) or until this process catches them again */
static void become_successor(master_t *self)
{
    sigset_t all, unblocked;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &unblocked);
    pass_on_signals(self);
    breaker__spawn_successor(&self->stock);
    sigprocmask(SIG_SETMASK, &unblocked, NULL);
}

static void on_ready(master_t *self, breaker__worker_t *worker, const char *state)
{
    breaker__worker_t *before = serving(self);

    if (worker->role != BREAKER__STARTING)
        return;
    breaker__held_take_over(&self->stock.legacy.held);
    worker->role = BREAKER__SERVING;
    worker->served_ms = now_ms();
    take_pid_file(self, worker);
    free(self->stock.legacy.minted);
    self->stock.legacy.minted = worker->minted;
    worker->minted = NULL;
    breaker__inventory_fds_move(&self->stock.legacy.inventory, &worker->inventory);
    if (before != NULL) {
        before->role = BREAKER__RETIRING;
        tell(before, BREAKER__SAY_RETIRE);
    }
    if (!self->has_served)
        warn_of_given(self);
    self->has_served = true;
    breaker__succession_begin(&self->succession, worker, before, state, now_ms());
}

/* whoever connects from here on meets the worker that serves */
static void take_over_if_alone(master_t *self)
{
    breaker__succession_t *succession = &self->succession;
    breaker__worker_t *worker;
    bool is_newer;

    if (!breaker__succession_is_over(succession, &self->stock.workers, now_ms()))
        return;
    worker = breaker__workers_find_pid(&self->stock.workers, succession->worker);
    is_newer = worker != NULL && worker->is_newer;
    if (worker != NULL)
        worker->is_newer = false;
    if (succession->before != 0)
        breaker__say(BREAKER_LOG_INFO, BREAKER_LOG_EVENT, "took-over",
                     breaker_log_number("worker", (uint64_t)succession->worker),
                     breaker_log_number("before", (uint64_t)succession->before));
    if (!self->is_stopping)
        notify_ready(succession->state);
    breaker__askers_tell_done(&self->attending);
    breaker__succession_end(succession);
    if (is_newer && !self->is_stopping)
        become_successor(self);
}

static void take_error_log(master_t *self, const breaker__message_t *message)
{
    int flag, end = 0;

    if (sscanf(message->text, "%d %n", &flag, &end) != 1 || end == 0)
        return;
    if (message->num_fds == 1 && breaker__error_log_redirect(message->fds[0]) != 0)
        breaker__complain(BREAKER_LOG_ERROR, "log", "the master cannot write to the error log: %s",
                          strerror(errno));
    else
        self->stock.legacy.has_error_log = flag != 0;
    breaker__error_log_begin_as(message->text + end);
}

static void take_log(breaker__worker_t *worker, const char *text)
{
    int fd, end = 0;

    if (sscanf(text, "%d %n", &fd, &end) == 1 && end != 0)
        breaker__logs_add(&worker->logs, fd, text + end);
}

/* the message's descriptors are closed by the caller, unless they are taken */
static void on_message(master_t *self, breaker__worker_t *worker, breaker__message_t *message)
{
    breaker__held_t *held;

    switch (message->say) {
    case BREAKER__SAY_BOUND:
        breaker__held_add(&self->stock.legacy.held, message->text, message->fds, message->num_fds,
                          false);
        message->num_fds = 0;
        break;
    case BREAKER__SAY_USED:
        if ((held = breaker__held_find(&self->stock.legacy.held, message->text)) != NULL)
            held->is_wanted = true;
        break;
    case BREAKER__SAY_PID_FILE:
        if (worker->pid_file.path != NULL || message->num_fds != 1)
            break;
        worker->pid_file = breaker__pid_file_of(message->text, message->fds[0]);
        message->num_fds = 0;
        break;
    case BREAKER__SAY_ERROR_LOG:
        take_error_log(self, message);
        break;
    case BREAKER__SAY_FAILED:
        free(worker->failure);
        worker->failure = h2o_strdup(NULL, message->text, SIZE_MAX).base;
        break;
    case BREAKER__SAY_LOG:
        take_log(worker, message->text);
        break;
    case BREAKER__SAY_NOTIFY:
        if (worker->role != BREAKER__RETIRING &&
            (worker->role != BREAKER__STARTING || serving(self) == NULL))
            breaker__notify(message->text);
        break;
    case BREAKER__SAY_MINTED:
        free(worker->minted);
        worker->minted = h2o_strdup(NULL, message->text, SIZE_MAX).base;
        break;
    case BREAKER__SAY_INVENTORY:
        /* one that serves may be led by others */
        if (worker->role == BREAKER__STARTING)
            breaker__inventory_fds_take(&worker->inventory, message);
        break;
    case BREAKER__SAY_READY:
        on_ready(self, worker, message->text);
        break;
    case BREAKER__SAY_CLOSING:
        /* connections would wait in queues that nobody accepts from any more */
        if (worker->role == BREAKER__STOPPING)
            breaker__held_close(&self->stock.legacy.held);
        break;
    case BREAKER__SAY_CLOSED:
        worker->has_closed = true;
        break;
    case BREAKER__SAY_STOP:
    case BREAKER__SAY_RETIRE:
    case BREAKER__SAY_CUT:
    case BREAKER__SAY_ALONE:
    case BREAKER__SAY_REOPENED:
        break;
    }
}

static void hear(master_t *self, pid_t pid)
{
    static breaker__message_t message;
    breaker__worker_t *worker = breaker__workers_find_pid(&self->stock.workers, pid);
    int num = 0;

    while (worker != NULL && worker->channel != -1 &&
           (num = breaker__channel_receive(worker->channel, &message)) == 1) {
        on_message(self, worker, &message);
        for (size_t i = 0; i != message.num_fds; ++i)
            close(message.fds[i]);
    }
    if (worker != NULL && num == -1) {
        close(worker->channel);
        worker->channel = -1;
    }
}

/* ---- workers that end ---- */

/* by its own word, or by how it ended */
static const char *reason_of(const breaker__worker_t *worker, const char *how)
{
    return worker->failure != NULL ? worker->failure : how;
}

static breaker_log_field_t reason_field(const breaker__worker_t *worker, const char *how)
{
    return breaker_log_text("reason", reason_of(worker, how));
}

static void on_start_failed(master_t *self, breaker__worker_t *worker, int status)
{
    char how[96];
    breaker__worker_t *now = serving(self);

    drop_pid_file(self, worker);
    /* whatever it died of, the next one is to begin with less */
    if (WIFSIGNALED(status))
        breaker__inventory_fds_close(&self->stock.legacy.inventory);
    breaker__held_give_up(&self->stock.legacy.held);
    breaker__end_describe(status, how, sizeof(how));
    if (now != NULL) {
        breaker__say(BREAKER_LOG_ERROR, BREAKER_LOG_TROUBLE, "reload-refused", worker_field(worker),
                     breaker_log_number("serving", (uint64_t)now->pid), reason_field(worker, how));
        refuse_reload(self, breaker__end_exit_status(status), reason_of(worker, how));
    } else if (self->is_stopping || !self->has_served) {
        /* as the only process would have ended */
        self->is_stopping = true;
        self->status = breaker__end_exit_status(status);
    } else {
        breaker__say(BREAKER_LOG_ERROR, BREAKER_LOG_TROUBLE, "start-failed", worker_field(worker),
                     breaker_log_span("next-in", self->backoff_ms), reason_field(worker, how));
        breaker__askers_tell_refused(&self->attending, breaker__end_exit_status(status),
                                     reason_of(worker, how));
        start_later(self, BACKOFF_MAX_MS);
    }
}

static void on_serving_died(master_t *self, const breaker__worker_t *worker, int status)
{
    char how[96];

    breaker__end_describe(status, how, sizeof(how));
    breaker__say(BREAKER_LOG_ERROR, BREAKER_LOG_TROUBLE, "died", worker_field(worker),
                 breaker_log_text("reason", how));
    if (now_ms() - worker->served_ms >= LASTING_MS)
        self->backoff_ms = 0;
    if (starting(self) == NULL)
        start_later(self, SERVED_MAX_MS);
    else
        tell(starting(self), BREAKER__SAY_ALONE);
}

static void say_ended(const breaker__worker_t *worker, int status)
{
    char how[96];

    breaker__end_describe(status, how, sizeof(how));
    if (status == 0)
        breaker__say(BREAKER_LOG_INFO, BREAKER_LOG_EVENT,
                     worker->role == BREAKER__RETIRING ? "retired" : "stopped",
                     worker_field(worker));
    else
        breaker__say(BREAKER_LOG_ERROR, BREAKER_LOG_TROUBLE, "died", worker_field(worker),
                     breaker_log_text("reason", how));
}

static void on_end(master_t *self, breaker__worker_t *worker, int status)
{
    switch (worker->role) {
    case BREAKER__STARTING:
        on_start_failed(self, worker, status);
        break;
    case BREAKER__SERVING:
        on_serving_died(self, worker, status);
        break;
    case BREAKER__STOPPING:
        if (self->status == EX_OK)
            self->status = breaker__end_exit_status(status);
        break;
    case BREAKER__RETIRING:
        break;
    }
    if (worker->role == BREAKER__RETIRING || worker->role == BREAKER__STOPPING)
        say_ended(worker, status);
    breaker__workers_remove(&self->stock.workers, worker);
}

static void reap(master_t *self)
{
    int status;
    pid_t pid;

    /* as the first process of a container it gets orphans as well */
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        breaker__worker_t *worker;
        hear(self, pid);
        if ((worker = breaker__workers_find_pid(&self->stock.workers, pid)) != NULL)
            on_end(self, worker, status);
    }
}

/* ---- signals ---- */

static void reopen_logs(const master_t *self)
{
    size_t num =
        breaker__workers_reopen_logs(&self->stock.workers, self->stock.legacy.has_error_log);

    breaker__say(BREAKER_LOG_INFO, BREAKER_LOG_EVENT, "reopened", breaker_log_number("files", num));
}

static void stop(master_t *self)
{
    if (self->is_stopping) {
        for (size_t i = 0; i != self->stock.workers.num; ++i)
            tell(self->stock.workers.entries + i, BREAKER__SAY_CUT);
        return;
    }
    self->is_stopping = true;
    self->starts_ms = NEVER;
    for (size_t i = 0; i != self->stock.workers.num; ++i) {
        breaker__worker_t *worker = self->stock.workers.entries + i;
        if (worker->role == BREAKER__RETIRING)
            continue;
        /* one that starts may serve already, and not have been heard yet */
        worker->role = BREAKER__STOPPING;
        tell(worker, BREAKER__SAY_STOP);
    }
}

static void on_signal(master_t *self, int number, int value)
{
    switch (number) {
    case SIGCHLD:
        reap(self);
        break;
    case SIGHUP:
        self->wants_reload = true;
        breaker__askers_add(&self->waiting, value);
        break;
    case SIGUSR2:
        self->wants_upgrade = true;
        breaker__askers_add(&self->waiting, value);
        break;
    case SIGUSR1:
        reopen_logs(self);
        break;
    default:
        stop(self);
    }
}

/* ---- the loop ---- */

static int wait_ms(const master_t *self)
{
    int64_t ends_ms = breaker__succession_ends_ms(&self->succession);
    int64_t next_ms = self->starts_ms < ends_ms ? self->starts_ms : ends_ms;
    int64_t left_ms = next_ms - now_ms();

    if (next_ms == NEVER)
        return -1;
    return left_ms > 0 ? (int)left_ms : 0;
}

/* sleeps until something happens, and hears what workers say */
static void wait_for_something(master_t *self)
{
    size_t num = self->stock.workers.num;
    struct pollfd *polled = h2o_mem_alloc((num + 1) * sizeof(polled[0]));
    pid_t *pids = h2o_mem_alloc((num + 1) * sizeof(pids[0]));

    polled[0] = (struct pollfd){self->signal_fd, POLLIN, 0};
    for (size_t i = 0; i != num; ++i) {
        polled[i + 1] = (struct pollfd){self->stock.workers.entries[i].channel, POLLIN, 0};
        pids[i] = self->stock.workers.entries[i].pid;
    }
    if (poll(polled, num + 1, wait_ms(self)) == -1 && errno != EINTR)
        h2o_fatal("poll");
    for (size_t i = 0; i != num; ++i)
        if (polled[i + 1].revents != 0)
            hear(self, pids[i]);
    free(pids);
    free(polled);
}

static void refuse_all(master_t *self)
{
    static const char reason[] = "the server stops";

    breaker__askers_tell_refused(&self->attending, EX_UNAVAILABLE, reason);
    breaker__askers_tell_refused(&self->waiting, EX_UNAVAILABLE, reason);
}

static int run(master_t *self)
{
    int number, value;

    while (!self->is_stopping || self->stock.workers.num != 0) {
        wait_for_something(self);
        while ((number = breaker__process_next_signal(self->signal_fd, &value)) != 0)
            on_signal(self, number, value);
        take_over_if_alone(self);
        if (now_ms() >= self->starts_ms)
            start_again(self);
        reload_if_wanted(self);
        if (self->is_stopping)
            refuse_all(self);
    }
    breaker__held_close(&self->stock.legacy.held);
    breaker__pid_file_remove(&self->stock.pid_file);
    return self->status;
}

/* ---- beginning, and going on ---- */

/* the newer program of a master that served before */
static int go_on(master_t *self)
{
    breaker__pid_file_t before = self->stock.pid_file;
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    self->has_served = true;
    self->stock.pid_file = BREAKER__NO_PID_FILE;
    if (before.path != NULL) {
        breaker__pid_file_write(&self->stock.pid_file, before.path, getpid());
        breaker__pid_file_let_go(&before);
    }
    breaker__say(BREAKER_LOG_INFO, BREAKER_LOG_EVENT, "upgraded",
                 breaker_log_word("version", BREAKER_BIN_VERSION));
    /* who has ended meanwhile has sent its signal to the program before */
    reap(self);
    return run(self);
}

static int begin(master_t *self)
{
    if (breaker__held_take_given(&self->stock.legacy.held) != 0)
        return EX_USAGE;
    if (start_worker(self, false, "start") != 0)
        return EX_OSERR;
    return run(self);
}

int breaker__master_run(const breaker__options_t *options)
{
    master_t *self = &master;
    int num;

    self->stock.options = options;
    setvbuf(stderr, NULL, _IOLBF, 0);
    if ((num = breaker__spawn_read(&self->stock)) == -1)
        return EX_SOFTWARE;
    if (self->stock.legacy.channel != -1)
        return breaker__serve(options->config_file, &self->stock.legacy);
    if ((self->stock.program = breaker__process_program(options->argv[0])) == NULL ||
        (self->signal_fd = breaker__process_catch_signals()) == -1) {
        breaker__complain(BREAKER_LOG_ERROR, "start", "cannot start: %s", strerror(errno));
        return EX_OSERR;
    }
    if (num == 1)
        return go_on(self);
    self->stock.legacy.stderr_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    return begin(self);
}
