#ifndef BREAKER_BIN_ERROR_LOG_H
#define BREAKER_BIN_ERROR_LOG_H

#include <stdbool.h>
#include <breaker/log.h>

/*
 * What the process says once it runs: one line an event, on stderr, each with a single write(2), so
 * that lines of the master, of workers and of their threads do not mix. What cannot be written,
 * because a disk is full or the program that reads does not, is left out and counted: the log never
 * holds up who serves. Until `breaker__error_log_begin` was called lines are for the terminal:
 * the reason alone.
 */

typedef enum {
    BREAKER__LOG_AS_TEXT,
    BREAKER__LOG_AS_JSON,
} breaker__log_format_t;

/** the names of formats and of levels, in the order of their enums */
#define BREAKER__LOG_FORMATS "text", "json"
#define BREAKER__LOG_LEVELS "info", "warning", "error"

/** What the configuration says of it. Zeroed: everything, as text, on stderr as it is. */
typedef struct st_breaker__error_log_config_t {
    /** a file, "|" and a command, or NULL for stderr; owned */
    char *path;
    breaker__log_format_t format;
    /** what matters less is not written */
    breaker_log_level_t level;
} breaker__error_log_config_t;

/**
 * From here on lines are events in this form; also those that libh2o and others write to `stderr`
 * (stdio(3)). Called again it changes the form. Main thread, while no other one writes.
 */
void breaker__error_log_begin(breaker__log_format_t format, breaker_log_level_t level);
bool breaker__error_log_has_begun(void);
/** The form, for a process that is to have the same; "json info", say. Static until it changes. */
const char *breaker__error_log_form(void);
/** Begins by what that function returned; nonsense is nothing. */
void breaker__error_log_begin_as(const char *form);

/**
 * Opens a file for appending, or starts the command after a "|" with the log as its input; it is
 * not the child of a signal's sender, and ends when nobody has its input open any more. Its own
 * stderr is `stderr_fd`, or nothing if that is -1. Returns a descriptor, close-on-exec, or -1 after
 * a line.
 */
int breaker__error_log_open(const char *path, int stderr_fd);
/** Makes a descriptor, which stays the caller's, stdout and stderr. Returns 0, or -1 with errno. */
int breaker__error_log_redirect(int fd);

/** Writes an event. Any thread; errno stays. */
void breaker__error_log_write(const breaker_log_event_t *event);
/** The same as a callback of clusters and of held releases. */
void breaker__error_log_on_event(void *data, const breaker_log_event_t *event);
/** Writes an event of now, of the component "server" where it names none. Any thread. */
void breaker__error_log_say(const breaker_log_event_t *event);
/** The same of a level, a kind, a name, and one field or more. */
#define breaker__say(level_, kind_, name_, ...)                                                    \
    breaker__error_log_say(&(const breaker_log_event_t){                                           \
        .level = level_,                                                                           \
        .kind = kind_,                                                                             \
        .name = name_,                                                                             \
        .fields = (const breaker_log_field_t[]){__VA_ARGS__},                                      \
        .num_fields =                                                                              \
            sizeof((const breaker_log_field_t[]){__VA_ARGS__}) / sizeof(breaker_log_field_t)})
/** Says trouble whose one field is the reason, formatted as by printf. Any thread. */
void breaker__complain(breaker_log_level_t level, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/**
 * Whether the last thing that breaker__complain said as an error is kept back, because a master
 * says it when this process has ended of it. What turns out not to be the last is written, and what
 * is kept when this is called.
 */
void breaker__error_log_hold_last(bool holds);

/** The reason of the last error that was said, "" if there was none. Main thread. */
const char *breaker__error_log_last(void);

#endif
