#ifndef BREAKER_RELEASE_INVENTORY_LAYOUT_H
#define BREAKER_RELEASE_INVENTORY_LAYOUT_H

/*
 * The table of an inventory, in memory that two processes of one machine share: this header, for
 * each memory file a 64-bit number, where bodies begin in it (sealed.h), and the records. Whatever
 * changes here changes BREAKER__INVENTORY_MAGIC.
 */
#include <stdbool.h>
#include <stdint.h>
#include "release/inventory.h"

#define BREAKER__INVENTORY_MAGIC "breaker files 1"

typedef struct st_breaker__inventory_header_t {
    char magic[16];
    uint64_t num_files, num_records;
    /** SHA-256 of who may read what the table is of: user, group, and further groups */
    uint8_t reader[BREAKER_DIGEST_LEN];
    /** SHA-256 of all that follows */
    uint8_t digest[BREAKER_DIGEST_LEN];
} breaker__inventory_header_t;

_Static_assert(sizeof(breaker__inventory_header_t) == 96, "no padding");
_Static_assert(sizeof(breaker__record_t) == 96, "no padding");

/** Writes the digest of who this process is. */
bool breaker__inventory_reader(uint8_t *dst);
/** Writes the digest of `len` bytes. */
bool breaker__inventory_digest(const void *base, size_t len, uint8_t *dst);

#endif
