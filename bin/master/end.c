/*
 * What becomes known of a process when it is no more: its own status, or the signal that killed it,
 * which a shell shows as 128 and its number.
 */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include "master/end.h"

void breaker__end_describe(int status, char *dst, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(dst, size, "was killed by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else
        snprintf(dst, size, "ended with status %d", WEXITSTATUS(status));
}

int breaker__end_exit_status(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
