/*
 * Blocks of text without a header for each: ten thousand paths cost their bytes and little more.
 * Nothing is ever freed alone. The newest block is the one that is filled; a text that is longer
 * than a block gets one of its own after it, so that a long text does not end a block early.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "release/arena.h"

typedef struct st_breaker__arena_block_t {
    struct st_breaker__arena_block_t *next;
    size_t used;
    size_t size;
    char bytes[];
} block_t;

void breaker__arena_init(breaker__arena_t *arena)
{
    arena->blocks = NULL;
    arena->memory = 0;
}

void breaker__arena_dispose(breaker__arena_t *arena)
{
    block_t *block = arena->blocks;

    while (block != NULL) {
        block_t *next = block->next;

        free(block);
        block = next;
    }
    breaker__arena_init(arena);
}

static block_t *add_block(breaker__arena_t *arena, size_t need)
{
    size_t size = need > BREAKER_ARENA_BLOCK ? need : BREAKER_ARENA_BLOCK;
    block_t **at = &arena->blocks;
    block_t *block;

    if ((block = malloc(sizeof(*block) + size)) == NULL)
        return NULL;
    if (need > BREAKER_ARENA_BLOCK && arena->blocks != NULL)
        at = &arena->blocks->next;
    block->next = *at;
    block->used = 0;
    block->size = size;
    *at = block;
    arena->memory += sizeof(*block) + size;
    return block;
}

const char *breaker__arena_copy(breaker__arena_t *arena, const char *base, size_t len)
{
    block_t *block = arena->blocks;
    char *text;

    if (block == NULL || block->size - block->used < len + 1)
        if ((block = add_block(arena, len + 1)) == NULL)
            return NULL;
    assert(block->size - block->used >= len + 1);
    text = block->bytes + block->used;
    memcpy(text, base, len);
    text[len] = '\0';
    block->used += len + 1;
    return text;
}
