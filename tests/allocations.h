#ifndef BREAKER_TESTS_ALLOCATIONS_H
#define BREAKER_TESTS_ALLOCATIONS_H

/*
 * Counts what the code under test allocates. The linker routes the calls of the test and of the
 * static library through here (breaker_counts_allocations in tests/unit/CMakeLists.txt), so this
 * works under the sanitizers too, which have allocators of their own. Include it in one file of a
 * program. A test that expects 0 shows first that something else is counted.
 */
#include <stdatomic.h>
#include <stddef.h>

static atomic_size_t num_allocations;

void *__real_malloc(size_t size);
void *__real_calloc(size_t num, size_t size);
void *__real_realloc(void *before, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t num, size_t size);
void *__wrap_realloc(void *before, size_t size);

void *__wrap_malloc(size_t size)
{
    atomic_fetch_add(&num_allocations, 1);
    return __real_malloc(size);
}

void *__wrap_calloc(size_t num, size_t size)
{
    atomic_fetch_add(&num_allocations, 1);
    return __real_calloc(num, size);
}

void *__wrap_realloc(void *before, size_t size)
{
    atomic_fetch_add(&num_allocations, 1);
    return __real_realloc(before, size);
}

#endif
