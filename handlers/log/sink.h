#ifndef BREAKER_HANDLERS_SINK_H
#define BREAKER_HANDLERS_SINK_H

/* Where lines of an access log go: a file, or a pipe into a program. Not installed. */
#include <stddef.h>
#include <breaker/breaker.h>

/** An open log, shared by all threads that write to it. */
typedef struct st_breaker__sink_t breaker__sink_t;

/**
 * Opens what `path` names as libh2o does: a file, for appending, or "|command". Returns NULL with
 * the reason in `*error`. Configuring thread.
 */
breaker__sink_t *breaker__sink_open(const char *path, breaker_error_t *error);
/** Closes it; takes NULL. Nobody writes any more. */
void breaker__sink_close(breaker__sink_t *sink);

/**
 * Writes whole lines and returns how many bytes of them are done with; a line that was written in
 * part is, and its rest goes before the next one. `*ret_errnum` is 0 when all were written, EAGAIN
 * when a reader has no room for more now, else what write(2) said. A file may hold the caller up, a
 * reader never does. Any thread.
 */
size_t breaker__sink_write(breaker__sink_t *sink, const char *lines, size_t len, int *ret_errnum);

/** Counts lines that nobody will write, because of `errnum`, and says so once a minute. Any thread.
 */
void breaker__sink_lose(breaker__sink_t *sink, uint64_t num_lines, int errnum);

/**
 * Where that is said: a line to stderr. Weak, so that a program that is linked with these objects
 * may have a function of its own in its place.
 */
void breaker__sink_tell_lost(const char *path, uint64_t num_lines, const char *reason);

#endif
