#ifndef BREAKER_THREAD_H
#define BREAKER_THREAD_H

#include <pthread.h>
#include <breaker/error.h>

/* a thread's name, its NUL left out (pthread_setname_np(3)) */
#define BREAKER_THREAD_NAME_MAX 15

/**
 * Starts a joinable thread that runs `run(data)` with every signal masked: signals are the host's,
 * and none of them is to be handled on a thread of ours. `name`, at most BREAKER_THREAD_NAME_MAX
 * bytes, is what ps and debuggers show. Exactly one pthread_join must follow.
 *
 * Any thread; the caller's own mask is as before when this returns. On failure returns
 * BREAKER_ERR_THREAD, says in `error` (which may be NULL) which thread and what the system said,
 * and leaves `*ret_thread` alone.
 */
int breaker__thread_start(const char *name, void *(*run)(void *), void *data, pthread_t *ret_thread,
                          breaker_error_t *error);

#endif
