#ifndef BREAKER_RELEASE_SEALED_H
#define BREAKER_RELEASE_SEALED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/store.h>

/**
 * The length of a memory file, in bytes; a body that is longer gets a file of its length. Only
 * what is written takes memory, and the rest of the last huge page where 256 KiB or more of it are
 * used; so this costs address space (twice) and saves descriptors: two files that follow each other
 * hold more than one such length between them. A file lives as long as a body in it, and cannot
 * give back the pages of its dead ones; see `breaker__sealed_is_sparse`.
 */
#define BREAKER_SEALED_FILE (UINT64_C(64) << 20)

/**
 * One memory file; bodies lie in it one after the other, each from a page's beginning on. Counted
 * references: one is of whoever writes to it, one of each body that was kept.
 */
typedef struct st_breaker__sealed_file_t {
    atomic_size_t refs;
    int fd;           /* owned */
    const char *base; /* owned: `size` bytes mapped for reading; never moves */
    char *window;     /* owned: the same, for writing; NULL once nothing is written any more */
    uint64_t size;
    /** bodies begin at multiples of it: a page, or less where small ones are packed */
    uint64_t unit;
    uint64_t allocated; /* the writer's or adopter's: bytes that have their pages */
    /** what was kept, and of it what lives; whole pages */
    _Atomic uint64_t used, live;
} breaker__sealed_file_t;

/**
 * Who writes bodies, and the file that they go to, as long as it is written to. A plain value,
 * zeroed at first. One thread at a time; the bytes of bodies that were kept are read by any.
 */
typedef struct st_breaker__sealed_t {
    breaker__sealed_file_t *file;   /* owned reference, or NULL */
    breaker__sealed_file_t *packed; /* the same, of small bodies */
    /** the length of a file, or 0 for BREAKER_SEALED_FILE; whole pages */
    uint64_t file_size;
    /** the system would not make a file: bodies have allocations of their own from then on */
    bool refused;
    /**
     * bodies below BREAKER_SENDFILE_MIN lie in memory files as well, close together and without a
     * descriptor to send them from: for a load whose memory another process is to take over
     */
    bool packs;
} breaker__sealed_t;

/** What a body of this length takes of memory: whole pages. */
uint64_t breaker__sealed_span(uint64_t len);

/**
 * Makes room for a body of `len` bytes, more than 0, and returns where they are to be written, all
 * of them, before they are read. Sets `base`, `memory_fd` and `memory_offset` of `variant`, where
 * they are read from then on. The next call gives the same room again unless
 * `breaker__sealed_keep` came between. Returns NULL and leaves `variant` alone when the system has
 * no memory files, or none any more.
 */
char *breaker__sealed_begin(breaker__sealed_t *sealed, uint64_t len, breaker_variant_t *variant);
/**
 * Keeps what was begun last. The file that is returned lives until `breaker__sealed_let_go` says
 * that this body is not used any more.
 */
breaker__sealed_file_t *breaker__sealed_keep(breaker__sealed_t *sealed, uint64_t len);
/**
 * Takes over a file that another process wrote bodies to, each at a multiple of `unit`, and that
 * nobody can write to any more. Returns it with one reference, the caller's, which
 * `breaker__sealed_unref` drops; NULL, and `fd` is closed, where it is no such file.
 */
breaker__sealed_file_t *breaker__sealed_adopt(int fd, uint64_t unit);
/** Keeps a body of `len` bytes at an offset of such a file, where all of them are. */
void breaker__sealed_keep_adopted(breaker__sealed_file_t *file, uint64_t offset, uint64_t len,
                                  breaker_variant_t *variant);
/** Says that nothing more of it is kept: what is not counts as dead from now on. */
void breaker__sealed_settle_adopted(breaker__sealed_file_t *file);
void breaker__sealed_unref(breaker__sealed_file_t *file);
/** Gives up a body of `len` bytes that was kept in this file. Any thread. */
void breaker__sealed_let_go(breaker__sealed_file_t *file, uint64_t len);
/**
 * Tells whether less than half of what was kept in a file lives: then a body that is kept in
 * another one instead may save more memory than it takes. Any thread that has a body in it.
 */
bool breaker__sealed_is_sparse(const breaker__sealed_file_t *file);

/** Says that nothing is written for now: no way to write is left in this process or out of it. */
void breaker__sealed_finish(breaker__sealed_t *sealed);
/** Ends writing, as if never to begin again; takes a zeroed one as well. Bodies live on. */
void breaker__sealed_dispose(breaker__sealed_t *sealed);

#endif
