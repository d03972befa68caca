/*
 * Counters that cost a request two plain instructions: each thread has a set of its own, which is
 * read, number by number, while it goes on. A sum is therefore not of one moment, but no number in
 * it ever goes back.
 */
#include <stdlib.h>
#include <string.h>
#include "thread/counters.h"

enum { CACHE_LINE = 64 };

void breaker__count_init(breaker__count_t *count)
{
    int err;

    memset(count, 0, sizeof(*count));
    err = pthread_mutex_init(&count->lock, NULL);
    assert(err == 0);
    (void)err;
    h2o_linklist_init_anchor(&count->threads);
}

void breaker__count_dispose(breaker__count_t *count)
{
    assert(h2o_linklist_is_empty(&count->threads));
    pthread_mutex_destroy(&count->lock);
}

breaker__counters_t *breaker__counters_create(breaker__count_t *count)
{
    size_t size = (sizeof(breaker__counters_t) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    breaker__counters_t *counters = aligned_alloc(CACHE_LINE, size);

    if (counters == NULL)
        h2o_fatal("no memory");
    memset(counters, 0, size);
    pthread_mutex_lock(&count->lock);
    h2o_linklist_insert(&count->threads, &counters->link);
    pthread_mutex_unlock(&count->lock);
    return counters;
}

static uint64_t get(const _Atomic uint64_t *number)
{
    return atomic_load_explicit(number, memory_order_relaxed);
}

static void move(_Atomic uint64_t *to, const _Atomic uint64_t *from)
{
    atomic_store_explicit(to, get(to) + get(from), memory_order_relaxed);
}

void breaker__counters_free(breaker__count_t *count, breaker__counters_t *counters)
{
    pthread_mutex_lock(&count->lock);
    for (size_t i = 0; i != BREAKER_VIEWS_MAX; ++i) {
        for (size_t j = 0; j != BREAKER__NUM_STATUSES; ++j)
            move(count->gone.views[i].answers + j, counters->views[i].answers + j);
        move(&count->gone.views[i].bytes, &counters->views[i].bytes);
        move(&count->gone.parked[i], &counters->parked[i]);
        move(&count->gone.fetched[i], &counters->fetched[i]);
    }
    breaker__waits_move(&count->gone.news_waits, &counters->news_waits);
    breaker__waits_move(&count->gone.bytes_waits, &counters->bytes_waits);
    h2o_linklist_unlink(&counters->link);
    pthread_mutex_unlock(&count->lock);
    free(counters);
}

static uint64_t *sum_of(breaker_h2o_counters_t *sum, breaker__status_t status)
{
    switch (status) {
    case BREAKER__STATUS_200:
        return &sum->served;
    case BREAKER__STATUS_204:
        return &sum->preflights;
    case BREAKER__STATUS_206:
        return &sum->partial;
    case BREAKER__STATUS_301:
    case BREAKER__STATUS_302:
        return &sum->redirected;
    case BREAKER__STATUS_304:
        return &sum->not_modified;
    case BREAKER__STATUS_404:
        return &sum->not_found;
    case BREAKER__STATUS_503:
        return &sum->retry_later;
    case BREAKER__STATUS_400:
    case BREAKER__STATUS_405:
    case BREAKER__STATUS_406:
    case BREAKER__STATUS_412:
    case BREAKER__STATUS_414:
    case BREAKER__STATUS_416:
        return &sum->refused;
    case BREAKER__NUM_STATUSES:
        break;
    }
    assert(!"a status outside its enum");
    return NULL;
}

static void add(const breaker__counters_t *counters, size_t view, breaker_h2o_counters_t *sum)
{
    for (breaker__status_t i = 0; i != BREAKER__NUM_STATUSES; ++i)
        *sum_of(sum, i) += get(counters->views[view].answers + i);
    sum->bytes += get(&counters->views[view].bytes);
    sum->parked += get(&counters->parked[view]);
    sum->fetched += get(&counters->fetched[view]);
}

void breaker__count_read(breaker__count_t *count, size_t view, breaker_h2o_counters_t *sum)
{
    assert(view < BREAKER_VIEWS_MAX);
    pthread_mutex_lock(&count->lock);
    add(&count->gone, view, sum);
    for (h2o_linklist_t *link = count->threads.next; link != &count->threads; link = link->next)
        add(H2O_STRUCT_FROM_MEMBER(breaker__counters_t, link, link), view, sum);
    pthread_mutex_unlock(&count->lock);
}

void breaker__count_read_waits(breaker__count_t *count, breaker__waits_sum_t *news,
                               breaker__waits_sum_t *bytes)
{
    pthread_mutex_lock(&count->lock);
    breaker__waits_read(&count->gone.news_waits, news);
    breaker__waits_read(&count->gone.bytes_waits, bytes);
    for (h2o_linklist_t *link = count->threads.next; link != &count->threads; link = link->next) {
        const breaker__counters_t *counters =
            H2O_STRUCT_FROM_MEMBER(breaker__counters_t, link, link);
        breaker__waits_read(&counters->news_waits, news);
        breaker__waits_read(&counters->bytes_waits, bytes);
    }
    pthread_mutex_unlock(&count->lock);
}
