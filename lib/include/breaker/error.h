#ifndef BREAKER_ERROR_H
#define BREAKER_ERROR_H

#include <stddef.h>
#include <breaker/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The error table: one row per code, X(symbol, value, message). Functions that can fail return 0 or
 * one of these negative values, and leave their outputs untouched when they fail.
 */
#define BREAKER_ERRORS(X)                                                                          \
    X(NO_MEMORY, -1, "out of memory")                                                              \
    X(TOKEN_SYNTAX, -2, "a token is 1 to 64 characters of A-Z a-z 0-9 . _ ~ -, and not . or ..")   \
    X(NO_PLACEHOLDER, -3, "a view's name must contain the placeholder {breaker}")                  \
    X(TWO_PLACEHOLDERS, -4, "a view's name must contain the placeholder {breaker} only once")      \
    X(VIEW_NAME, -5,                                                                               \
      "a view's name is a URL path of 1 to 255 characters of A-Z a-z 0-9 -._~!$&'()*+,;=:@/ "      \
      "around "                                                                                    \
      "the placeholder, without empty segments, '.' and '..'")                                     \
    X(VIEW_TAKEN, -6, "the host has another view of this name already")                            \
    X(TOO_MANY, -7, "a stated limit is reached")                                                   \
    X(RANGE, -8, "a value is outside its bounds")                                                  \
    X(HEADER_SYNTAX, -9,                                                                           \
      "a header is \"Name: value\" without control characters, and none that the server sets")     \
    X(NOT_FOUND, -10, "no such thing")                                                             \
    X(OUTSIDE, -11, "the path leads out of the directory")                                         \
    X(IO, -12, "the file system refused")                                                          \
    X(CHANGED, -13, "the file changed while it was read")                                          \
    X(NOT_ENCODED, -14, "the bytes do not decode to the expected content")                         \
    X(TOO_LONG, -15, "the output does not fit")                                                    \
    X(STATE, -16, "not possible in this state")                                                    \
    X(THREAD, -17, "a thread could not be started")                                                \
    X(UNREACHABLE, -18, "a server cannot be reached, or refuses")                                  \
    X(BUSY, -19, "another one is under way")                                                       \
    X(CANCELLED, -20, "it was given up before its end")                                            \
    X(RELEASE_SYNTAX, -21,                                                                         \
      "a release's id is 1 to 108 characters of A-Z a-z 0-9 . _ ~ -, and not . or ..")             \
    X(NOT_READY, -22, "there is no token yet")                                                     \
    X(DAMAGED, -23, "the file is damaged, or none of ours")                                        \
    X(DENIED, -24, "this process may not read it")                                                 \
    X(PATTERN_SYNTAX, -25,                                                                         \
      "a pattern is 1 to 255 bytes as *.js, /*.html or js/**, without control characters, empty "  \
      "segments and a slash at its end; { and } want a backslash")

enum {
#define X(name, value, message) BREAKER_ERR_##name = value,
    BREAKER_ERRORS(X)
#undef X
};

/**
 * A place for the story of a failure: which file, which view, what the system said. Plain value,
 * usually on the caller's stack. Functions that take one accept NULL.
 */
typedef struct st_breaker_error_t {
    /** the code that the function returned as well, or 0 */
    int code;
    /** one line without a line end, NUL-ended, never longer than the array */
    char message[1024];
} breaker_error_t;

/**
 * Returns the symbol of a code, "BREAKER_ERR_IO" say, or "BREAKER_ERR_UNKNOWN". Never NULL; static
 * memory. Any thread.
 */
BREAKER_EXPORT const char *breaker_err_name(int code);

/**
 * Returns the table's sentence for a code, or "unknown error". Never NULL; static memory. Any
 * thread.
 */
BREAKER_EXPORT const char *breaker_err_message(int code);

/**
 * Fills `error` (which may be NULL) with `code` and a printf-formatted line, cut at the end of the
 * array, control characters replaced by '?', and returns `code`, so that a failing function can
 * end with it. `code` must not be 0.
 */
BREAKER_EXPORT int breaker_error_set(breaker_error_t *error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#ifdef __cplusplus
}
#endif

#endif
