/*
 * A thread's share of a processor: what it owes by two clocks that the test makes up, and a stop
 * that ends the longest sleep.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include "encoding/pace.h"

#define MS INT64_C(1000000)

static const atomic_bool go_on;

static breaker__pace_t pace_of(unsigned percent)
{
    return (breaker__pace_t){.stop = &go_on, .percent = percent};
}

static void what_was_used_beyond_the_share_is_owed(void **state)
{
    static const struct {
        unsigned percent;
        int64_t cpu, clock, owed;
    } cases[] = {
        {50, 10, 10, 10},  {50, 10, 20, 0}, {50, 10, 25, -5},           {25, 10, 10, 30},
        {1, 50, 50, 4950}, {99, 99, 99, 1}, {10, 3600000, 0, 36000000}, {10, 0, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        breaker__pace_t pace = pace_of(cases[i].percent);

        assert_int_equal(breaker__pace_owed(&pace, cases[i].cpu * MS, cases[i].clock * MS),
                         cases[i].owed * MS);
    }
}

static void a_thread_that_was_kept_from_running_catches_up_a_little_only(void **state)
{
    breaker__pace_t pace = pace_of(50);

    (void)state;
    /* an hour without a processor, then a second of work */
    assert_int_equal(breaker__pace_owed(&pace, 0, 3600000 * MS), -BREAKER_PACE_CREDIT_NS);
    assert_int_equal(breaker__pace_owed(&pace, 1000 * MS, 3601000 * MS),
                     1000 * MS - BREAKER_PACE_CREDIT_NS);
}

/** Pieces of any size, slept off as owed: the share is what it is to be. */
static void the_share_holds_over_time_whatever_the_pieces(void **state)
{
    static const unsigned percents[] = {1, 7, 30, 50, 99};

    (void)state;
    for (size_t i = 0; i != sizeof(percents) / sizeof(percents[0]); ++i) {
        breaker__pace_t pace = pace_of(percents[i]);
        int64_t cpu = 0, clock = 0;
        uint32_t random = 1;

        for (int pieces = 0; pieces != 10000; ++pieces) {
            int64_t piece, owed;

            random = random * 1664525 + 1013904223;
            piece = (random >> 8) % (60 * MS);
            cpu += piece;
            clock += piece;
            if ((owed = breaker__pace_owed(&pace, cpu, clock)) > 0)
                clock += owed;
        }
        assert_in_range(cpu * 1000 / clock, percents[i] * 10 - 1, percents[i] * 10);
    }
}

static void the_whole_processor_owes_nothing(void **state)
{
    breaker__pace_t pace;

    (void)state;
    breaker__pace_init(&pace, &go_on, 100);
    pace.cpu_ns -= 3600000 * MS;
    assert_true(breaker__pace_go_on(&pace));
}

typedef struct st_sleeper_t {
    atomic_bool stop, sleeping;
    bool answer;
} sleeper_t;

static void *owe_days(void *data)
{
    sleeper_t *sleeper = data;
    breaker__pace_t pace;

    breaker__pace_init(&pace, &sleeper->stop, 1);
    pace.cpu_ns -= 3600000 * MS;
    atomic_store(&sleeper->sleeping, true);
    sleeper->answer = breaker__pace_go_on(&pace);
    return NULL;
}

/* were the stop not noticed, this would sleep for four days */
static void a_stop_ends_the_longest_sleep(void **state)
{
    sleeper_t sleeper = {.answer = true};
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, owe_days, &sleeper), 0);
    while (!atomic_load(&sleeper.sleeping))
        sched_yield();
    atomic_store(&sleeper.stop, true);
    pthread_join(thread, NULL);
    assert_false(sleeper.answer);
}

/** Works until the real clocks say that it has slept. */
static void a_thread_with_a_small_share_does_sleep(void **state)
{
    breaker__pace_t pace;
    int64_t began;

    (void)state;
    breaker__pace_init(&pace, &go_on, 10);
    began = pace.clock_ns;
    pace.cpu_ns -= 5 * MS; /* as if 5 ms had been worked: 50 ms of time are due */
    assert_true(breaker__pace_go_on(&pace));
    breaker__pace_init(&pace, &go_on, 10);
    assert_true(pace.clock_ns - began >= 45 * MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_used_beyond_the_share_is_owed),
        cmocka_unit_test(a_thread_that_was_kept_from_running_catches_up_a_little_only),
        cmocka_unit_test(the_share_holds_over_time_whatever_the_pieces),
        cmocka_unit_test(the_whole_processor_owes_nothing),
        cmocka_unit_test(a_stop_ends_the_longest_sleep),
        cmocka_unit_test(a_thread_with_a_small_share_does_sleep),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
