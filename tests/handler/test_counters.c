/* The counters of a handler's threads: read while they count, and kept when they end. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "thread/counters.h"

enum { VIEW = 7, OTHER_VIEW = 8, NUM_THREADS = 3, ANSWERS = 200000 };

static breaker_h2o_counters_t read_view(breaker__count_t *count, size_t view)
{
    breaker_h2o_counters_t sum;

    memset(&sum, 0, sizeof(sum));
    breaker__count_read(count, view, &sum);
    return sum;
}

static void every_status_is_counted_under_one_name(void **state)
{
    breaker__count_t count;
    breaker__counters_t *counters;
    breaker_h2o_counters_t sum;
    (void)state;

    breaker__count_init(&count);
    counters = breaker__counters_create(&count);
    for (breaker__status_t i = 0; i != BREAKER__NUM_STATUSES; ++i)
        breaker__counters_add(counters, VIEW, i, i + 1);
    breaker__counters_add_parked(counters, VIEW);
    sum = read_view(&count, VIEW);
    assert_int_equal(sum.served, 1);
    assert_int_equal(sum.partial, 1);
    assert_int_equal(sum.not_modified, 1);
    assert_int_equal(sum.redirected, 2);
    assert_int_equal(sum.not_found, 1);
    assert_int_equal(sum.retry_later, 1);
    assert_int_equal(sum.preflights, 1);
    assert_int_equal(sum.refused, BREAKER__NUM_STATUSES - 8);
    assert_int_equal(sum.parked, 1);
    assert_int_equal(sum.bytes, BREAKER__NUM_STATUSES * (BREAKER__NUM_STATUSES + 1) / 2);
    sum = read_view(&count, OTHER_VIEW);
    assert_int_equal(sum.served + sum.refused + sum.parked, 0);
    breaker__counters_free(&count, counters);
    breaker__count_dispose(&count);
}

static void what_a_thread_counted_stays_when_it_ends(void **state)
{
    breaker__count_t count;
    breaker__counters_t *one, *two;
    (void)state;

    breaker__count_init(&count);
    one = breaker__counters_create(&count);
    two = breaker__counters_create(&count);
    breaker__counters_add(one, VIEW, BREAKER__STATUS_200, 7);
    breaker__counters_add(two, VIEW, BREAKER__STATUS_200, 5);
    breaker__counters_add_parked(one, VIEW);
    breaker__counters_free(&count, one);
    assert_int_equal(read_view(&count, VIEW).served, 2);
    assert_int_equal(read_view(&count, VIEW).parked, 1);
    assert_int_equal(read_view(&count, VIEW).bytes, 12);
    breaker__counters_free(&count, two);
    assert_int_equal(read_view(&count, VIEW).served, 2);
    breaker__count_dispose(&count);
}

static void *count_many(void *_count)
{
    breaker__count_t *count = _count;
    breaker__counters_t *counters = breaker__counters_create(count);

    for (int i = 0; i != ANSWERS; ++i)
        breaker__counters_add(counters, VIEW, BREAKER__STATUS_304, 0);
    breaker__counters_free(count, counters);
    return NULL;
}

static void numbers_are_read_while_threads_count_and_never_go_back(void **state)
{
    breaker__count_t count;
    pthread_t threads[NUM_THREADS];
    uint64_t last = 0;
    (void)state;

    breaker__count_init(&count);
    for (int i = 0; i != NUM_THREADS; ++i)
        assert_int_equal(pthread_create(threads + i, NULL, count_many, &count), 0);
    while (last != (uint64_t)NUM_THREADS * ANSWERS) {
        uint64_t now = read_view(&count, VIEW).not_modified;
        assert_true(now >= last);
        assert_true(now <= (uint64_t)NUM_THREADS * ANSWERS);
        last = now;
    }
    for (int i = 0; i != NUM_THREADS; ++i)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(read_view(&count, VIEW).not_modified, (uint64_t)NUM_THREADS * ANSWERS);
    breaker__count_dispose(&count);
}

static void waits_are_in_the_first_bucket_that_is_long_enough(void **state)
{
    breaker__count_t count;
    breaker__counters_t *counters;
    breaker__waits_sum_t news = {.sum_ms = 0}, bytes = {.sum_ms = 0};
    (void)state;

    breaker__count_init(&count);
    counters = breaker__counters_create(&count);
    breaker__waits_add(&counters->news_waits, 0);
    breaker__waits_add(&counters->news_waits, 10);
    breaker__waits_add(&counters->news_waits, 11);
    breaker__waits_add(&counters->bytes_waits, 10001);
    breaker__count_read_waits(&count, &news, &bytes);
    assert_int_equal(news.buckets[0], 2);
    assert_int_equal(news.buckets[1], 1);
    assert_int_equal(news.sum_ms, 21);
    assert_int_equal(bytes.buckets[BREAKER__WAIT_BOUNDS], 1);
    breaker__counters_free(&count, counters);
    memset(&news, 0, sizeof(news));
    breaker__count_read_waits(&count, &news, &bytes);
    assert_int_equal(news.sum_ms, 21);
    assert_int_equal(bytes.buckets[BREAKER__WAIT_BOUNDS], 2);
    breaker__count_dispose(&count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_is_counted_under_one_name),
        cmocka_unit_test(what_a_thread_counted_stays_when_it_ends),
        cmocka_unit_test(waits_are_in_the_first_bucket_that_is_long_enough),
        cmocka_unit_test(numbers_are_read_while_threads_count_and_never_go_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
