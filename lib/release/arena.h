#ifndef BREAKER_RELEASE_ARENA_H
#define BREAKER_RELEASE_ARENA_H

#include <stddef.h>

/** the bytes of one block; a longer text gets a block of its own */
#define BREAKER_ARENA_BLOCK 65536

/**
 * Texts that live and die together: the paths and media types of one store. Plain value; the
 * texts stay where they are when it is moved.
 */
typedef struct st_breaker__arena_t {
    struct st_breaker__arena_block_t *blocks; /* owned; the newest first */
    /** what the blocks take */
    size_t memory;
} breaker__arena_t;

/** Begins empty. */
void breaker__arena_init(breaker__arena_t *arena);
/** Frees every text. The arena is empty afterwards. */
void breaker__arena_dispose(breaker__arena_t *arena);
/** Copies a text and adds a NUL. Returns NULL when there is no memory. */
const char *breaker__arena_copy(breaker__arena_t *arena, const char *base, size_t len);

#endif
