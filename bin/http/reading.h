#ifndef BREAKER_BIN_READING_H
#define BREAKER_BIN_READING_H

/* How much is read from one connection in one turn of the loop: see reading.c. */
#include <stddef.h>

/** Of one thread. */
typedef struct st_breaker__reading_t {
    /* the descriptor of the last read, if that filled its buffer, and what it and those before it
       have brought in a row */
    int fd;
    size_t num_bytes;
} breaker__reading_t;

/** Begins to bound the reads of this thread, until the end. The memory is the caller's. */
void breaker__reading_begin(breaker__reading_t *reading);
void breaker__reading_end(breaker__reading_t *reading);

#endif
