/*
 * The error table's two lookups, and the one place where the story of a failure is written. A
 * message is one line, whatever file names or system messages went into it, because it ends up in
 * logs and on terminals.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <breaker/error.h>

const char *breaker_err_name(int code)
{
    switch (code) {
#define X(name, value, message)                                                                    \
    case value:                                                                                    \
        return "BREAKER_ERR_" #name;
        BREAKER_ERRORS(X)
#undef X
    default:
        return "BREAKER_ERR_UNKNOWN";
    }
}

const char *breaker_err_message(int code)
{
    switch (code) {
#define X(name, value, message)                                                                    \
    case value:                                                                                    \
        return message;
        BREAKER_ERRORS(X)
#undef X
    default:
        return "unknown error";
    }
}

int breaker_error_set(breaker_error_t *error, int code, const char *format, ...)
{
    va_list args;

    assert(code != 0);
    if (error == NULL)
        return code;

    error->code = code;
    va_start(args, format);
    vsnprintf(error->message, sizeof(error->message), format, args);
    va_end(args);
    for (char *p = error->message; *p != '\0'; ++p)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    return code;
}
