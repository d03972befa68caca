#ifndef BREAKER_BENCH_MEASURE_H
#define BREAKER_BENCH_MEASURE_H

/*
 * What the programs of this directory measure with. Each prints one JSON object a line: the case,
 * nanoseconds an operation (median and lowest of the batches), allocations an operation. Under
 * callgrind they do a fixed number of operations instead, and leave one dump a case, which
 * programs.py reads: so instructions are counted without what the program does besides. Whatever
 * goes wrong here ends the program.
 */
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "allocations.h"
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#define CALLGRIND_START_INSTRUMENTATION
#define CALLGRIND_STOP_INSTRUMENTATION
#define CALLGRIND_ZERO_STATS
#define CALLGRIND_DUMP_STATS_AT(name)
#endif

#define MEASURE_BATCHES 9
#define MEASURE_BATCH_NS 1000000
#define MEASURE_OPERATIONS_MAX (1u << 24)
/** operations a case under callgrind; programs.py divides by it */
#define MEASURE_COUNTED 256

/** set by the argument --once: each case is tried, and hardly measured */
static bool measure_once;

/** Does `num` operations. */
typedef void measure_op_t(void *data, size_t num);

static inline void measure_check(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

static inline uint64_t measure_now_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/** Keeps the compiler from leaving out what computes `*result`. */
static inline void measure_keep(const void *result)
{
    __asm__ volatile("" : : "g"(result) : "memory");
}

static inline int measure_compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

/** nanoseconds an operation in one batch, of the thread's processor time */
static inline double measure_batch(measure_op_t *op, void *data, size_t num)
{
    uint64_t start_ns = measure_now_ns(CLOCK_THREAD_CPUTIME_ID);

    op(data, num);
    return (double)(measure_now_ns(CLOCK_THREAD_CPUTIME_ID) - start_ns) / (double)num;
}

/** how many operations make a batch that is long enough for the clock */
static inline size_t measure_calibrate(measure_op_t *op, void *data)
{
    size_t num = 64;

    while (!measure_once && num < MEASURE_OPERATIONS_MAX &&
           measure_batch(op, data, num) * (double)num < MEASURE_BATCH_NS)
        num *= 2;
    return num;
}

/**
 * To be called first, with the arguments of `main`. The wrapped allocator has to see what is
 * allocated, or the zeros below would mean nothing.
 */
static inline void measure_init(int argc, char **argv)
{
    size_t before = atomic_load(&num_allocations);
    void *volatile memory = malloc(1);

    measure_once = argc == 2 && strcmp(argv[1], "--once") == 0;
    measure_check(argc == 1 || measure_once, "the only argument is --once");
    free(memory);
    measure_check(atomic_load(&num_allocations) == before + 1, "allocations are not counted");
}

/** Measures an operation that must not allocate. */
static inline void measure(const char *name, measure_op_t *op, void *data)
{
    double ns[MEASURE_BATCHES];
    size_t num, before;

    if (RUNNING_ON_VALGRIND) {
        CALLGRIND_START_INSTRUMENTATION;
        op(data, MEASURE_COUNTED);
        CALLGRIND_ZERO_STATS;
        op(data, MEASURE_COUNTED);
        CALLGRIND_DUMP_STATS_AT(name);
        CALLGRIND_STOP_INSTRUMENTATION;
        return;
    }
    num = measure_calibrate(op, data);
    before = atomic_load(&num_allocations);
    for (size_t i = 0; i != MEASURE_BATCHES; ++i)
        ns[i] = measure_batch(op, data, num);
    measure_check(atomic_load(&num_allocations) == before, name);
    qsort(ns, MEASURE_BATCHES, sizeof(ns[0]), measure_compare);
    printf("{\"case\": \"%s\", \"ns\": %.2f, \"lowest_ns\": %.2f, \"allocations\": 0}\n", name,
           ns[MEASURE_BATCHES / 2], ns[0]);
}

#endif
