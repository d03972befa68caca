#ifndef BREAKER_HANDLERS_ENTRY_H
#define BREAKER_HANDLERS_ENTRY_H

/* A line of an access log in the making. Not installed. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Plain value. Once it is full nothing more is written, and what has been is worth nothing. */
typedef struct st_breaker__entry_t {
    char *at;
    const char *end;
    bool is_full;
    /** what clients send is escaped as JSON has it, else as Apache does; by libh2o's rules */
    bool is_json;
} breaker__entry_t;

/** Tells whether there is room for `len` bytes; where there is not the entry is full from now on.
 */
static inline bool breaker__entry_has_room(breaker__entry_t *entry, size_t len)
{
    if ((size_t)(entry->end - entry->at) < len)
        entry->is_full = true;
    return !entry->is_full;
}

/** Writes one byte as it is: a call would cost more. */
static inline void breaker__entry_put_byte(breaker__entry_t *entry, char byte)
{
    if (breaker__entry_has_room(entry, 1))
        *entry->at++ = byte;
}

/** Writes a text as it is. */
void breaker__entry_put(breaker__entry_t *entry, const char *base, size_t len);
/** Writes a text that is somebody else's. */
void breaker__entry_put_escaped(breaker__entry_t *entry, const char *base, size_t len);
/** Writes a number in decimal. */
void breaker__entry_put_number(breaker__entry_t *entry, uint64_t number);
/** The same with zeros in front, so that it has `num_digits` digits, at most 20. */
void breaker__entry_put_padded(breaker__entry_t *entry, uint64_t number, size_t num_digits);
/** Writes what stands for a value that is not there. */
void breaker__entry_put_null(breaker__entry_t *entry);

#endif
