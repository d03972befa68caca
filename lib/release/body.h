#ifndef BREAKER_RELEASE_BODY_H
#define BREAKER_RELEASE_BODY_H

#include <stdbool.h>
#include <stdint.h>
#include <breaker/store.h>
#include "release/disk.h"
#include "release/sealed.h"

struct st_breaker__blob_t;

/**
 * The bytes of a blob in one encoding, in memory, in an open file, or borrowed from another blob.
 * Its blob owns it, and frees it when it goes itself; nothing of it changes once the blob has it.
 */
typedef struct st_breaker__body_t {
    /** where the bytes are; nothing is prepared */
    breaker_variant_t bytes;
    breaker__sealed_file_t *file; /* owned reference: where `bytes.base` lies, or NULL */
    breaker__disk_t *disk;        /* owned: of `bytes.fd`, or NULL */
    /** owned reference: the blob whose identity bytes these are, that of a sibling; or NULL */
    struct st_breaker__blob_t *lender;
    /** whether `bytes.base` is an allocation of its own */
    bool owns_base;
    /** the next of those that their blob does not use any more */
    struct st_breaker__body_t *next;
} breaker__body_t;

/** Makes one without bytes, which are `len` in the end. Returns NULL without memory. */
breaker__body_t *breaker__body_create(breaker_encoding_t encoding, uint64_t len);
/** Frees it with whatever it has; takes NULL. Its file on disk is posted nowhere. */
void breaker__body_free(breaker__body_t *body);

/**
 * Makes room for its bytes and returns where they are to be written; they are read at `bytes.base`:
 * in a memory file if they are BREAKER_SENDFILE_MIN or more and their whole pages are at most
 * `room`, else, or where that is refused, in an allocation. `breaker__body_keep` keeps them,
 * `breaker__body_drop` undoes it; one of the two, or the end of the body, comes before `sealed` is
 * used again. The length is not 0 and at most `room`. Returns NULL without memory.
 */
char *breaker__body_begin(breaker__body_t *body, breaker__sealed_t *sealed, uint64_t room);
void breaker__body_keep(breaker__body_t *body, breaker__sealed_t *sealed);
void breaker__body_drop(breaker__body_t *body);

/** Has the body be the file of `fd`, which it takes over with what is known of it. */
void breaker__body_set_file(breaker__body_t *body, int fd, breaker__disk_t *disk);
/** Has it share the identity bytes of another blob's body, which it keeps. Returns 0 or an errno.
 */
int breaker__body_borrow(breaker__body_t *body, struct st_breaker__blob_t *lender);

/** Bytes of memory that its bytes take: whole pages in a memory file; 0 where others have them. */
uint64_t breaker__body_memory(const breaker__body_t *body);
/** Tells whether it lies in a memory file of which less than half lives. */
bool breaker__body_is_sparse(const breaker__body_t *body);

/** What a variant with bytes in memory counts for in a view's limit: whole pages in files. */
uint64_t breaker__variant_span(const breaker_variant_t *variant);

#endif
