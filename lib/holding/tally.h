#ifndef BREAKER_HOLDING_TALLY_H
#define BREAKER_HOLDING_TALLY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/figures.h>

/** `breaker_fetches_t`, as it is counted. */
typedef struct st_breaker__fetch_tally_t {
    _Atomic uint64_t ok, bytes, absent, failed, refused;
} breaker__fetch_tally_t;

/**
 * The numbers of a holding. Only its thread writes them, without a locked instruction; any thread
 * reads them at any time. Zeroed, nothing was counted. Part of the holding.
 */
typedef struct st_breaker__tally_t {
    breaker__fetch_tally_t peer_manifests, peer_files, archive_files;
    _Atomic uint64_t complete, partial, awaited, blobs_lacking, memory, files, peers;
} breaker__tally_t;

/** The holding's thread. */
static inline void breaker__tally_set(_Atomic uint64_t *number, uint64_t value)
{
    atomic_store_explicit(number, value, memory_order_relaxed);
}

static inline void breaker__tally_add(_Atomic uint64_t *number, uint64_t more)
{
    breaker__tally_set(number, atomic_load_explicit(number, memory_order_relaxed) + more);
}

/** Something came, `len` bytes of it. The holding's thread. */
static inline void breaker__tally_ok(breaker__fetch_tally_t *tally, uint64_t len)
{
    breaker__tally_add(&tally->ok, 1);
    breaker__tally_add(&tally->bytes, len);
}

/** Nothing came: nobody has it, or else it failed. The holding's thread. */
static inline void breaker__tally_nothing(breaker__fetch_tally_t *tally, bool is_absent)
{
    breaker__tally_add(is_absent ? &tally->absent : &tally->failed, 1);
}

/** Copies all but what is here for now, which the blobs know. Any thread. */
void breaker__tally_read(const breaker__tally_t *tally, breaker_holding_figures_t *ret_figures);

#endif
