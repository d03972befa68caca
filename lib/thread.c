/*
 * How the library starts a thread, whatever it is for. The mask is set around the start, not by the
 * new thread, because a signal may come before its first instruction. pthread_create returns what
 * went wrong and leaves errno alone, so what errno says afterwards belongs to somebody else.
 */
#include <assert.h>
#include <signal.h>
#include <string.h>
#include "thread.h"

int breaker__thread_start(const char *name, void *(*run)(void *), void *data, pthread_t *ret_thread,
                          breaker_error_t *error)
{
    sigset_t all, before;
    pthread_t thread;
    int errnum;

    assert(strlen(name) <= BREAKER_THREAD_NAME_MAX);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    errnum = pthread_create(&thread, NULL, run, data);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (errnum != 0)
        return breaker_error_set(error, BREAKER_ERR_THREAD, "cannot start the thread %s: %s", name,
                                 strerror(errnum));
    /* a thread without its name works as well */
    pthread_setname_np(thread, name);
    *ret_thread = thread;
    return 0;
}
