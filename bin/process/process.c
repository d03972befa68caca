/*
 * The server as a process: limits, user, signals, program file. Signals end up as bytes in a pipe
 * that the main thread polls, so that everything that follows from them is ordinary code; handlers
 * are not inherited by programs that are started (logs, FastCGI), as a blocked mask or a signal
 * that is ignored would be. So nothing is ignored: what would end the process by default has a
 * handler that does nothing.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "logs/error_log.h"
#include "process/process.h"
#include "process/user.h"

static int signal_pipe[2] = {-1, -1};

size_t breaker__process_raise_files(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1024;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        getrlimit(RLIMIT_NOFILE, &limit);
    return (size_t)limit.rlim_cur;
}

size_t breaker__process_num_cpus(void)
{
    cpu_set_t cpus;
    long online;

    if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
        return (size_t)CPU_COUNT(&cpus);
    /* more CPUs than the set has bits */
    online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (size_t)online : 1;
}

void breaker__process_user(char *dst, size_t size)
{
    const struct passwd *user = getpwuid(geteuid());

    if (user != NULL)
        snprintf(dst, size, "%s", user->pw_name);
    else
        snprintf(dst, size, "%ld", (long)geteuid());
}

/* an absolute name, without following links; NULL if it does not fit */
static char *make_absolute(const char *directory, size_t len, const char *name)
{
    char here[PATH_MAX], path[PATH_MAX];
    int size;

    if (len != 0 && directory[0] == '/')
        size = snprintf(path, sizeof(path), "%.*s/%s", (int)len, directory, name);
    else if (getcwd(here, sizeof(here)) == NULL)
        return NULL;
    else
        size = snprintf(path, sizeof(path), "%s/%.*s%s%s", here, (int)len, directory,
                        len != 0 ? "/" : "", name);
    return size > 0 && (size_t)size < sizeof(path) ? strdup(path) : NULL;
}

static bool is_running(const char *path)
{
    struct stat named, running;

    return stat(path, &named) == 0 && stat("/proc/self/exe", &running) == 0 &&
           named.st_dev == running.st_dev && named.st_ino == running.st_ino;
}

static char *find_in_path(const char *name)
{
    const char *rest = getenv("PATH");

    while (rest != NULL) {
        size_t len = strcspn(rest, ":");
        char *path = make_absolute(rest, len, name);
        if (path != NULL && is_running(path))
            return path;
        free(path);
        rest = rest[len] == ':' ? rest + len + 1 : NULL;
    }
    return NULL;
}

char *breaker__process_program(const char *argv0)
{
    char *path;

    if (strchr(argv0, '/') == NULL)
        path = find_in_path(argv0);
    else if (argv0[0] == '/')
        path = strdup(argv0);
    else
        path = make_absolute("", 0, argv0);
    if (path != NULL && is_running(path))
        return path;
    free(path);
    return realpath("/proc/self/exe", NULL);
}

int breaker__process_become(const char *name)
{
    breaker__user_t user;

    if (breaker__user_find(name, &user) != 0) {
        breaker__complain(BREAKER_LOG_ERROR, "user", "user `%s`: there is no such user", name);
        return -1;
    }
    if (breaker__user_is_self(&user) || breaker__user_become(&user) == 0)
        return 0;
    breaker__complain(BREAKER_LOG_ERROR, "user", "cannot become user `%s`: %s", name,
                      strerror(errno));
    return -1;
}

/* ---- signals ---- */

/* what passes through the pipe, in one piece */
typedef struct st_signal_t {
    int number, value;
} signal_t;

static void on_signal(int number, siginfo_t *info, void *context)
{
    int errnum = errno;
    signal_t came = {number, info->si_code == SI_QUEUE ? info->si_value.sival_int : 0};
    ssize_t written;

    (void)context;
    /* a full pipe holds more signals than anyone needs */
    written = write(signal_pipe[1], &came, sizeof(came));
    (void)written;
    errno = errnum;
}

static void pass_over(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    (void)context;
}

static void handle(int number, void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_RESTART | SA_SIGINFO};

    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

static void set_handlers(void (*handler)(int, siginfo_t *, void *))
{
    static const int handled[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD};
    /* SIGXFSZ: what grew too long for a limit fails with EFBIG, as on a disk that is full */
    static const int harmless[] = {SIGPIPE, SIGALRM, SIGVTALRM, SIGPROF,  SIGIO,
                                   SIGPWR,  SIGXCPU, SIGXFSZ,   SIGSTKFLT};

    for (size_t i = 0; i != sizeof(handled) / sizeof(handled[0]); ++i)
        handle(handled[i], handler);
    for (size_t i = 0; i != sizeof(harmless) / sizeof(harmless[0]); ++i)
        handle(harmless[i], pass_over);
    for (int number = SIGRTMIN; number <= SIGRTMAX; ++number)
        handle(number, pass_over);
}

int breaker__process_catch_signals(void)
{
    assert(signal_pipe[0] == -1);
    if (pipe2(signal_pipe, O_CLOEXEC | O_NONBLOCK) != 0)
        return -1;
    set_handlers(on_signal);
    return signal_pipe[0];
}

int breaker__process_leave_signals(void)
{
    for (int i = 0; i != 2; ++i)
        if (signal_pipe[i] != -1)
            close(signal_pipe[i]);
    signal_pipe[0] = signal_pipe[1] = -1;
    set_handlers(pass_over);
    return 0;
}

int breaker__process_next_signal(int fd, int *value)
{
    signal_t came;

    if (read(fd, &came, sizeof(came)) != (ssize_t)sizeof(came))
        came = (signal_t){0, 0};
    *value = came.value;
    return came.number;
}
