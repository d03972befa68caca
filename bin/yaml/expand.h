#ifndef BREAKER_BIN_EXPAND_H
#define BREAKER_BIN_EXPAND_H

#include <breaker/error.h>

/** the longest text that an expansion comes to, in bytes without its NUL */
#define BREAKER__EXPAND_MAX (1u << 20)

/**
 * Puts variables of the environment into a text: `${NAME}`, which has to be there, and
 * `${NAME:-default}`, whose default counts where the variable is unset or empty, as in sh(1)
 * (POSIX.1-2017 XCU §2.6.2). `$${` stands for `${` itself. Every other `$` stays, and what is put
 * in is not looked at again. Returns a new text that the caller frees, or NULL with the reason in
 * `error`. Reads the environment, so no thread may change it meanwhile.
 */
char *breaker__expand(const char *text, breaker_error_t *error);

#endif
