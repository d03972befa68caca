/* How the library starts a thread: its mask, its name, and the story when the system has none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>
#include "thread.h"

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *data);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *data);

/* how the thread is called that starts another one, which inherits it */
static char inherited[BREAKER_THREAD_NAME_MAX + 1];
/* what pthread_create is to return instead of starting anything; 0 starts a thread */
static int refusal;

/* errno says something else than what is returned, as it may with every C library */
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *data)
{
    prctl(PR_GET_NAME, inherited);
    if (refusal == 0)
        return __real_pthread_create(thread, attributes, run, data);
    errno = ENOMEM;
    return refusal;
}

typedef struct st_look_t {
    sem_t may_end;
    sigset_t mask;
} look_t;

static void *look_around(void *data)
{
    look_t *look = data;

    pthread_sigmask(SIG_SETMASK, NULL, &look->mask);
    while (sem_wait(&look->may_end) != 0)
        ;
    return look;
}

static pthread_t start(look_t *look, const char *name)
{
    breaker_error_t error;
    pthread_t thread;

    assert_int_equal(sem_init(&look->may_end, 0, 0), 0);
    if (breaker__thread_start(name, look_around, look, &thread, &error) != 0)
        fail_msg("%s", error.message);
    return thread;
}

static void end(look_t *look, pthread_t thread)
{
    void *ret;

    sem_post(&look->may_end);
    assert_int_equal(pthread_join(thread, &ret), 0);
    assert_ptr_equal(ret, look);
    sem_destroy(&look->may_end);
}

static void every_signal_is_masked_on_the_new_thread(void **state)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGPIPE, SIGUSR1, SIGALRM};
    look_t look;

    (void)state;
    end(&look, start(&look, "looks"));
    for (size_t i = 0; i != sizeof(numbers) / sizeof(numbers[0]); ++i)
        assert_int_equal(sigismember(&look.mask, numbers[i]), 1);
}

static void the_starting_thread_keeps_its_mask(void **state)
{
    sigset_t mask, found;
    look_t look;

    (void)state;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    end(&look, start(&look, "looks"));
    pthread_sigmask(SIG_SETMASK, NULL, &found);
    assert_int_equal(sigismember(&found, SIGUSR2), 1);
    assert_int_equal(sigismember(&found, SIGTERM), 0);
}

static void it_has_its_name(void **state)
{
    char name[BREAKER_THREAD_NAME_MAX + 1];
    look_t look;
    pthread_t thread = start(&look, "fifteen-letters");

    (void)state;
    assert_int_equal(pthread_getname_np(thread, name, sizeof(name)), 0);
    assert_string_equal(name, "fifteen-letters");
    end(&look, thread);
}

static void it_has_its_name_from_its_first_instruction(void **state)
{
    char before[BREAKER_THREAD_NAME_MAX + 1], after[BREAKER_THREAD_NAME_MAX + 1];
    look_t look;

    (void)state;
    prctl(PR_GET_NAME, before);
    end(&look, start(&look, "looks"));
    assert_string_equal(inherited, "looks");
    prctl(PR_GET_NAME, after);
    assert_string_equal(after, before);
}

static void a_refusal_says_what_pthread_create_returned(void **state)
{
    pthread_t thread = pthread_self();
    breaker_error_t error = {0};

    (void)state;
    refusal = EAGAIN;
    assert_int_equal(breaker__thread_start("never", look_around, NULL, &thread, &error),
                     BREAKER_ERR_THREAD);
    refusal = 0;
    assert_int_equal(error.code, BREAKER_ERR_THREAD);
    assert_non_null(strstr(error.message, "never"));
    assert_non_null(strstr(error.message, strerror(EAGAIN)));
    assert_null(strstr(error.message, strerror(ENOMEM)));
    assert_true(pthread_equal(thread, pthread_self()));
}

static void a_refusal_leaves_the_mask_as_it_was(void **state)
{
    pthread_t thread;
    sigset_t mask, found;

    (void)state;
    sigemptyset(&mask);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    refusal = EAGAIN;
    assert_int_equal(breaker__thread_start("never", look_around, NULL, &thread, NULL),
                     BREAKER_ERR_THREAD);
    refusal = 0;
    pthread_sigmask(SIG_SETMASK, NULL, &found);
    assert_int_equal(sigismember(&found, SIGTERM), 0);
}

typedef struct st_way_t {
    int policy, nice;
} way_t;

static way_t way(void)
{
    return (way_t){sched_getscheduler(0), getpriority(PRIO_PROCESS, (id_t)gettid())};
}

static void *give_way_for_a_while(void *data)
{
    way_t *ways = data;
    breaker__scheduling_t before;

    breaker__thread_give_way(5, &before);
    ways[0] = way();
    breaker__thread_go_ahead(&before);
    ways[1] = way();
    breaker__thread_give_way(3, NULL);
    ways[2] = way();
    return NULL;
}

static void a_thread_gives_way_and_goes_ahead_but_for_its_nice_value(void **state)
{
    way_t own = way(), ways[3];
    pthread_t thread;
    (void)state;

    if (own.policy != SCHED_OTHER || own.nice > 5)
        skip();
    assert_int_equal(breaker__thread_start("gives-way", give_way_for_a_while, ways, &thread, NULL),
                     0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(ways[0].policy, SCHED_BATCH);
    assert_int_equal(ways[1].policy, SCHED_OTHER);
    assert_int_equal(ways[2].policy, SCHED_BATCH);
    for (size_t i = 0; i != 3; ++i)
        assert_int_equal(ways[i].nice, 5);
    /* nobody else's */
    assert_int_equal(way().policy, own.policy);
    assert_int_equal(way().nice, own.nice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_signal_is_masked_on_the_new_thread),
        cmocka_unit_test(the_starting_thread_keeps_its_mask),
        cmocka_unit_test(it_has_its_name),
        cmocka_unit_test(it_has_its_name_from_its_first_instruction),
        cmocka_unit_test(a_refusal_says_what_pthread_create_returned),
        cmocka_unit_test(a_refusal_leaves_the_mask_as_it_was),
        cmocka_unit_test(a_thread_gives_way_and_goes_ahead_but_for_its_nice_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
