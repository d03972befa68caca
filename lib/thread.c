/*
 * How the library starts a thread, whatever it is for. The mask is set around the start, not by the
 * new thread, because a signal may come before its first instruction. The name is inherited in the
 * same way: pthread_setname_np of another thread goes by /proc, which a sandbox may shut, and what
 * was once looked at there has the kernel search for it when the process is reaped, on a busy
 * machine for a third of a second of its parent's time. pthread_create returns what went wrong and
 * leaves errno alone, so what errno says afterwards belongs to somebody else.
 */
#include <assert.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "thread.h"

int breaker__thread_start(const char *name, void *(*run)(void *), void *data, pthread_t *ret_thread,
                          breaker_error_t *error)
{
    char name_before[BREAKER_THREAD_NAME_MAX + 1];
    sigset_t all, before;
    pthread_t thread;
    int errnum;

    assert(strlen(name) <= BREAKER_THREAD_NAME_MAX);
    sigfillset(&all);
    prctl(PR_GET_NAME, name_before);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    /* a thread without its name works as well */
    prctl(PR_SET_NAME, name);
    errnum = pthread_create(&thread, NULL, run, data);
    prctl(PR_SET_NAME, name_before);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (errnum != 0)
        return breaker_error_set(error, BREAKER_ERR_THREAD, "cannot start the thread %s: %s", name,
                                 strerror(errnum));
    *ret_thread = thread;
    return 0;
}

/*
 * The scheduler lets a thread that wakes take the processor from one with a longer slice at once,
 * from any other one only when the running slice is over, which is milliseconds. So who is to give
 * way asks for a long slice. It is the longest that the system grants.
 */
enum { SLICE_NS = 100 * 1000 * 1000 };

/* false: the system knows no such call, or none for this thread */
static bool get_scheduling(breaker__scheduling_t *ret_now)
{
    *ret_now = (breaker__scheduling_t){.size = sizeof(*ret_now)};
    return syscall(SYS_sched_getattr, 0, ret_now, sizeof(*ret_now), 0) == 0;
}

void breaker__thread_give_way(int nice, breaker__scheduling_t *ret_before)
{
    breaker__scheduling_t now, wanted;

    assert(nice >= 0);
    assert(nice <= 19);
    /* size 0: there is nothing to go back to */
    if (ret_before != NULL)
        ret_before->size = 0;
    if (!get_scheduling(&now) || (now.policy != SCHED_OTHER && now.policy != SCHED_BATCH))
        return;
    wanted = now;
    wanted.policy = SCHED_BATCH;
    wanted.nice = now.nice > nice ? now.nice : nice;
    wanted.slice_ns = SLICE_NS;
    if (syscall(SYS_sched_setattr, 0, &wanted, 0) != 0)
        return;
    if (ret_before != NULL) {
        *ret_before = now;
        ret_before->nice = wanted.nice;
    }
}

void breaker__thread_go_ahead(const breaker__scheduling_t *before)
{
    if (before->size != 0)
        (void)syscall(SYS_sched_setattr, 0, before, 0);
}
