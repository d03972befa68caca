/*
 * What a server thread pays for being up to date: refreshes on 1 to N threads at once, N being the
 * number of processors, while nothing is published and while a publisher publishes at a bounded
 * rate. Processor time of each thread, so that a thread that has to wait for a processor does not
 * look slow. Cases: "publication/THREADS/RATE", with the publications that were really seen.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>
#include <breaker/snapshot.h>
#include "measure.h"
#include "serving/publisher.h"
#include "serving/snapshot.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define THREADS_MAX 64
#define RUN_NS 200000000
#define BATCH 1000

/* publications a second */
static const unsigned rates[] = {0, 10, 1000};

typedef struct st_world_t {
    breaker_publisher_t *publisher;
    atomic_bool stop;
    unsigned rate;
    size_t published;
} world_t;

typedef struct st_reader_t {
    pthread_t thread;
    world_t *world;
    uint64_t refreshes, changes, busy_ns;
} reader_t;

static void publish(world_t *world)
{
    breaker__snapshot_config_t config = {.num_views = 0};
    breaker_snapshot_t *snapshot;

    measure_check(breaker__snapshot_create(&config, &snapshot) == 0, "snapshot");
    breaker__publisher_publish(world->publisher, snapshot);
}

static void *run_reader(void *data)
{
    reader_t *reader = data;
    breaker_snapshot_t *held = NULL;
    uint64_t start_ns = measure_now_ns(CLOCK_THREAD_CPUTIME_ID);

    /* at least one batch, however late this thread starts */
    do {
        for (size_t i = 0; i != BATCH; ++i) {
            reader->changes += breaker_publisher_refresh(reader->world->publisher, &held);
            measure_keep(held);
        }
        reader->refreshes += BATCH;
    } while (!atomic_load_explicit(&reader->world->stop, memory_order_relaxed));
    reader->busy_ns = measure_now_ns(CLOCK_THREAD_CPUTIME_ID) - start_ns;
    breaker_snapshot_unref(held);
    return NULL;
}

static void sleep_until(uint64_t then_ns)
{
    struct timespec then = {(time_t)(then_ns / 1000000000), (long)(then_ns % 1000000000)};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &then, NULL) != 0)
        ;
}

/* The publisher is this thread: one publication a period, none to make up for a late one. */
static void run_publisher(world_t *world)
{
    uint64_t end_ns = measure_now_ns(CLOCK_MONOTONIC) + RUN_NS;

    if (world->rate == 0) {
        sleep_until(end_ns);
        return;
    }
    while (measure_now_ns(CLOCK_MONOTONIC) < end_ns) {
        publish(world);
        ++world->published;
        sleep_until(measure_now_ns(CLOCK_MONOTONIC) + 1000000000 / world->rate);
    }
}

static void report(const reader_t *readers, size_t num, const world_t *world)
{
    uint64_t refreshes = 0, changes = 0, busy_ns = 0;

    for (size_t i = 0; i != num; ++i) {
        refreshes += readers[i].refreshes;
        changes += readers[i].changes;
        busy_ns += readers[i].busy_ns;
        /* the first one brings what was published before */
        measure_check(readers[i].changes >= 1 && readers[i].changes <= world->published + 1,
                      "changes");
    }
    printf(
        "{\"case\": \"publication/%zu/%u\", \"ns\": %.3f, \"refreshes\": %llu, \"published\": %zu, "
        "\"changes\": %llu}\n",
        num, world->rate, (double)busy_ns / (double)refreshes, (unsigned long long)refreshes,
        world->published, (unsigned long long)changes);
}

static void measure_threads(size_t num, unsigned rate)
{
    static reader_t readers[THREADS_MAX];
    world_t world = {.rate = rate};

    memset(readers, 0, sizeof(readers));
    measure_check(breaker__publisher_create(&world.publisher) == 0, "publisher");
    publish(&world);
    for (size_t i = 0; i != num; ++i) {
        readers[i].world = &world;
        measure_check(pthread_create(&readers[i].thread, NULL, run_reader, readers + i) == 0,
                      "thread");
    }
    run_publisher(&world);
    atomic_store(&world.stop, true);
    for (size_t i = 0; i != num; ++i)
        measure_check(pthread_join(readers[i].thread, NULL) == 0, "join");
    report(readers, num, &world);
    breaker__publisher_free(world.publisher);
}

int main(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t most = cores < 1 ? 1 : cores > THREADS_MAX ? THREADS_MAX : (size_t)cores;

    for (size_t rate = 0; rate != COUNT(rates); ++rate)
        for (size_t num = 1; num <= most; num = num < most && 2 * num > most ? most : 2 * num)
            measure_threads(num, rates[rate]);
    return 0;
}
