/*
 * The error log. Events come from everywhere in the process and are written at once; nothing waits
 * in memory, so that the last line of a process that dies is there. What libh2o and libc print to
 * `stderr` (stdio(3)) passes through a stream of ours and becomes events as well; only what is
 * written to the descriptor itself, by the sanitizers, say, does not.
 *
 * A line is shorter than what a pipe takes in one piece, and a pipe that is full is passed by.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <h2o.h>
#include <option.h>
#include "log/sink.h"
#include "logs/error_log.h"

/* "<4>", what service managers read of a line's level (sd-daemon(3)) */
#define PREFIX_LEN 3
#define REASON_SIZE 2048

_Static_assert(PREFIX_LEN + BREAKER_LOG_LINE_SIZE <= 4096, "a line is written in one piece");

static const char *const format_names[] = {BREAKER__LOG_FORMATS};
static const char *const level_names[] = {BREAKER__LOG_LEVELS};

static struct {
    bool has_begun;
    breaker__log_format_t format;
    breaker_log_level_t level;
    /* stderr is the journal's */
    bool is_journal;
    /* lines that could not be written */
    atomic_size_t num_lost;
    /* the last line was written in part only */
    atomic_bool is_torn;
    char last[REASON_SIZE];
    /* a last word that is somebody else's to say; without a name there is none */
    struct {
        pthread_mutex_t lock;
        bool is_on;
        const char *name;
        uint64_t time_ms;
        char reason[REASON_SIZE];
    } held;
    /* of what others print: the end of it that is no line yet; under the lock of their stream */
    char begun_line[BREAKER_LOG_LINE_SIZE];
    size_t begun_len;
} error_log = {.held.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- one line, one write ---- */

/* "DEVICE:INODE" of what the journal reads, as systemd.exec(5) has it */
static bool is_journal(void)
{
    const char *text = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;

    return text != NULL && sscanf(text, "%llu:%llu", &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &st) == 0 && st.st_dev == (dev_t)device &&
           st.st_ino == (ino_t)inode;
}

/* of syslog(3) */
static char digit_of(breaker_log_level_t level)
{
    switch (level) {
    case BREAKER_LOG_INFO:
        return '6';
    case BREAKER_LOG_WARNING:
        return '4';
    case BREAKER_LOG_ERROR:
        return '3';
    }
    assert(!"a level outside its enum");
    return '3';
}

/* what a disk had room for of a line stands by itself, so that the next one can be read */
static void end_torn_line(void)
{
    if (atomic_exchange(&error_log.is_torn, false) && write(STDERR_FILENO, "\n", 1) != 1)
        atomic_store(&error_log.is_torn, true);
}

static bool put(const char *line, size_t len)
{
    struct pollfd polled = {STDERR_FILENO, POLLOUT, 0};
    ssize_t written;

    /* a pipe that is said to take something takes as much as a line */
    if (poll(&polled, 1, 0) != 1 || (polled.revents & POLLOUT) == 0)
        return false;
    end_torn_line();
    written = write(STDERR_FILENO, line, len);
    if (written > 0 && written != (ssize_t)len)
        atomic_store(&error_log.is_torn, true);
    return written == (ssize_t)len;
}

static bool put_event(const breaker_log_event_t *event)
{
    char memory[PREFIX_LEN + BREAKER_LOG_LINE_SIZE], *line = memory + PREFIX_LEN;
    size_t len = error_log.format == BREAKER__LOG_AS_JSON ? breaker_log_print_json(event, line)
                                                          : breaker_log_print_text(event, line);

    line[len++] = '\n';
    if (!error_log.is_journal)
        return put(line, len);
    memcpy(memory, (char[]){'<', digit_of(event->level), '>'}, PREFIX_LEN);
    return put(memory, PREFIX_LEN + len);
}

static bool put_lost(size_t num, uint64_t time_ms)
{
    const breaker_log_field_t field = breaker_log_number("lines", num);
    const breaker_log_event_t event = {.level = BREAKER_LOG_ERROR,
                                       .time_ms = time_ms,
                                       .component = "server",
                                       .kind = BREAKER_LOG_TROUBLE,
                                       .name = "log-lost",
                                       .fields = &field,
                                       .num_fields = 1};

    return put_event(&event);
}

/* what is missing is said before what comes after it */
static void write_event(const breaker_log_event_t *event)
{
    size_t num = atomic_exchange(&error_log.num_lost, 0);

    if (num != 0 && put_lost(num, event->time_ms))
        num = 0;
    if (num != 0 || !put_event(event))
        atomic_fetch_add(&error_log.num_lost, num + 1);
}

static const char *reason_of(const breaker_log_event_t *event)
{
    for (size_t i = 0; i != event->num_fields; ++i)
        if (strcmp(event->fields[i].key, "reason") == 0)
            return event->fields[i].text;
    return NULL;
}

/* nobody may have typed the command, but a service manager */
static const char *plain_prefix(breaker_log_level_t level)
{
    static char prefix[PREFIX_LEN + 1];

    if (!is_journal())
        return "";
    snprintf(prefix, sizeof(prefix), "<%c>", digit_of(level));
    return prefix;
}

/* for a person who has just typed a command, and whom the course of things does not concern */
static void write_plain(const breaker_log_event_t *event)
{
    const char *reason = reason_of(event);

    if (reason != NULL)
        fprintf(stderr, "%sh2o-breaker: %s\n", plain_prefix(event->level), reason);
}

void breaker__error_log_write(const breaker_log_event_t *event)
{
    int errnum = errno;

    if (!error_log.has_begun)
        write_plain(event);
    else if (event->level >= error_log.level)
        write_event(event);
    errno = errnum;
}

void breaker__error_log_on_event(void *data, const breaker_log_event_t *event)
{
    (void)data;
    breaker__error_log_write(event);
}

/* ---- what is said here ---- */

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void keep(const char *reason)
{
    if (reason != NULL)
        snprintf(error_log.last, sizeof(error_log.last), "%s", reason);
}

static void write_held(void)
{
    const breaker_log_field_t field = breaker_log_text("reason", error_log.held.reason);

    if (error_log.held.name != NULL)
        breaker__error_log_write(&(const breaker_log_event_t){.level = BREAKER_LOG_ERROR,
                                                              .time_ms = error_log.held.time_ms,
                                                              .component = "server",
                                                              .kind = BREAKER_LOG_TROUBLE,
                                                              .name = error_log.held.name,
                                                              .fields = &field,
                                                              .num_fields = 1});
    error_log.held.name = NULL;
}

void breaker__error_log_hold_last(bool holds)
{
    pthread_mutex_lock(&error_log.held.lock);
    write_held();
    error_log.held.is_on = holds;
    pthread_mutex_unlock(&error_log.held.lock);
}

/* whether it is said later, or by somebody else; what is held already was not the last */
static bool hold(const char *name, const char *reason)
{
    bool is_on;

    pthread_mutex_lock(&error_log.held.lock);
    write_held();
    if ((is_on = error_log.held.is_on)) {
        error_log.held.name = name;
        error_log.held.time_ms = now_ms();
        snprintf(error_log.held.reason, sizeof(error_log.held.reason), "%s", reason);
    }
    pthread_mutex_unlock(&error_log.held.lock);
    return is_on;
}

void breaker__error_log_say(const breaker_log_event_t *event)
{
    breaker_log_event_t whole = *event;

    whole.time_ms = now_ms();
    if (whole.component == NULL)
        whole.component = "server";
    if (whole.level == BREAKER_LOG_ERROR)
        keep(reason_of(event));
    breaker__error_log_write(&whole);
}

void breaker__complain(breaker_log_level_t level, const char *name, const char *format, ...)
{
    int errnum = errno;
    char reason[REASON_SIZE];
    va_list args;

    va_start(args, format);
    vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
    if (level == BREAKER_LOG_ERROR && hold(name, reason))
        keep(reason);
    else
        breaker__say(level, BREAKER_LOG_TROUBLE, name, breaker_log_text("reason", reason));
    errno = errnum;
}

const char *breaker__error_log_last(void)
{
    return error_log.last;
}

/* what is wrong with the configuration names its place, and is the whole line on a terminal */
void breaker__option_tell(bool is_warning, const char *line)
{
    if (error_log.has_begun) {
        breaker__complain(is_warning ? BREAKER_LOG_WARNING : BREAKER_LOG_ERROR, "configuration",
                          "%s", line);
        return;
    }
    fprintf(stderr, "%s%s\n", plain_prefix(is_warning ? BREAKER_LOG_WARNING : BREAKER_LOG_ERROR),
            line);
    if (!is_warning)
        keep(line);
}

void breaker__sink_tell_lost(const char *path, uint64_t num_lines, const char *reason)
{
    breaker__say(BREAKER_LOG_ERROR, BREAKER_LOG_TROUBLE, "log-lost", breaker_log_text("log", path),
                 breaker_log_number("lines", num_lines), breaker_log_text("reason", reason));
}

/* ---- what others print ---- */

static void say_line(void)
{
    error_log.begun_line[error_log.begun_len] = '\0';
    error_log.begun_len = 0;
    if (error_log.begun_line[0] == '\0')
        return;
    breaker__error_log_say(&(const breaker_log_event_t){
        .level = BREAKER_LOG_WARNING,
        .component = "h2o",
        .kind = BREAKER_LOG_TROUBLE,
        .name = "printed",
        .fields = (const breaker_log_field_t[]){breaker_log_text("reason", error_log.begun_line)},
        .num_fields = 1});
}

/* of fopencookie(3) */
static ssize_t on_print(void *cookie, const char *base, size_t len)
{
    (void)cookie;
    for (size_t i = 0; i != len; ++i) {
        if (base[i] == '\n' || error_log.begun_len == sizeof(error_log.begun_line) - 1)
            say_line();
        if (base[i] != '\n')
            error_log.begun_line[error_log.begun_len++] = base[i];
    }
    return (ssize_t)len;
}

/* glibc lets a program have another stream of this name */
static void take_stream(void)
{
    const cookie_io_functions_t functions = {.write = on_print};
    FILE *stream = fopencookie(NULL, "w", functions);

    if (stream == NULL)
        h2o_fatal("no memory");
    setvbuf(stream, NULL, _IOLBF, BUFSIZ);
    fflush(stderr);
    stderr = stream;
}

/* ---- its form ---- */

void breaker__error_log_begin(breaker__log_format_t format, breaker_log_level_t level)
{
    if (!error_log.has_begun)
        take_stream();
    error_log.has_begun = true;
    error_log.format = format;
    error_log.level = level;
    error_log.is_journal = is_journal();
}

bool breaker__error_log_has_begun(void)
{
    return error_log.has_begun;
}

const char *breaker__error_log_form(void)
{
    static char form[32];

    snprintf(form, sizeof(form), "%s %s", format_names[error_log.format],
             level_names[error_log.level]);
    return form;
}

/* the place of a name, or the number of names */
static size_t find(const char *const *names, size_t num, const char *name)
{
    size_t at = 0;

    while (at != num && strcmp(names[at], name) != 0)
        ++at;
    return at;
}

void breaker__error_log_begin_as(const char *form)
{
    const size_t num_formats = sizeof(format_names) / sizeof(format_names[0]);
    const size_t num_levels = sizeof(level_names) / sizeof(level_names[0]);
    char format[16], level[16];
    size_t format_at, level_at;

    if (sscanf(form, "%15s %15s", format, level) != 2)
        return;
    format_at = find(format_names, num_formats, format);
    level_at = find(level_names, num_levels, level);
    if (format_at != num_formats && level_at != num_levels)
        breaker__error_log_begin((breaker__log_format_t)format_at, (breaker_log_level_t)level_at);
}

/* ---- where it goes ---- */

static int spawn(const char *command, int input_fd, int stderr_fd)
{
    char *argv[] = {"/bin/sh", "-c", (char *)(uintptr_t)command, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    pid_t pid;
    int err;

    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_adddup2(&actions, input_fd, STDIN_FILENO);
    if (stderr_fd != -1)
        posix_spawn_file_actions_adddup2(&actions, stderr_fd, STDERR_FILENO);
    else
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    /* what a terminal sends to the server's group ends the server, which has things to say yet */
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP);
    err = posix_spawn(&pid, argv[0], &actions, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return err;
}

static int open_command(const char *command, int stderr_fd)
{
    int fds[2], err;

    if (pipe2(fds, O_CLOEXEC) != 0)
        return -1;
    err = spawn(command, fds[0], stderr_fd);
    close(fds[0]);
    if (err == 0)
        return fds[1];
    close(fds[1]);
    errno = err;
    return -1;
}

int breaker__error_log_open(const char *path, int stderr_fd)
{
    /* a pipe by name that nobody reads would have us wait for who does */
    int fd = path[0] == '|'
                 ? open_command(path + 1, stderr_fd)
                 : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0644);

    if (fd == -1)
        breaker__complain(BREAKER_LOG_ERROR, "log", "cannot open the error log %s: %s", path,
                          errno == ENXIO ? "nobody reads it" : strerror(errno));
    return fd;
}

int breaker__error_log_redirect(int fd)
{
    if (dup2(fd, STDOUT_FILENO) == -1 || dup2(fd, STDERR_FILENO) == -1)
        return -1;
    error_log.is_journal = is_journal();
    return 0;
}
