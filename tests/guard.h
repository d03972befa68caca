#ifndef BREAKER_TESTS_GUARD_H
#define BREAKER_TESTS_GUARD_H

/*
 * Inputs that end at an inaccessible page, so that a parser which reads one byte too far crashes
 * in every build, sanitized or not. Blocks are mapped, not allocated: a test that counts
 * allocations does not see them. Needs nothing but libc.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/** the bytes of whole pages, at least one, that hold `len` bytes */
static inline size_t guarded_span(size_t len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    return len == 0 ? page : (len + page - 1) / page * page;
}

/**
 * Returns `len` zeroed bytes whose last is followed by an inaccessible page; for `len` 0 a pointer
 * that must not be read at all. Not aligned. Ends the test when there is no memory.
 */
static inline char *guarded_alloc(size_t len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), span = guarded_span(len);
    char *map = mmap(NULL, span + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (map == MAP_FAILED || mprotect(map + span, page, PROT_NONE) != 0) {
        perror("guarded_alloc");
        abort();
    }
    return map + span - len;
}

/** Returns a copy of `len` bytes that ends at an inaccessible page; no NUL is added. */
static inline char *guarded_copy(const char *src, size_t len)
{
    char *dst = guarded_alloc(len);

    if (len != 0)
        memcpy(dst, src, len);
    return dst;
}

/** Frees what one of the two returned for `len` bytes. */
static inline void guarded_free(char *base, size_t len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), span = guarded_span(len);

    munmap(base + len - span, span + page);
}

#endif
