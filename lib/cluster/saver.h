#ifndef BREAKER_LIB_CLUSTER_SAVER_H
#define BREAKER_LIB_CLUSTER_SAVER_H

/* When a cluster's state file is written: not at every change, and after trouble less often still.
 * Not installed. */
#include <stdbool.h>
#include <stdint.h>
#include <breaker/error.h>
#include <breaker/ledger.h>
#include "cluster/agreement.h"

/** the file is written at most so often; after a failure less often still */
#define BREAKER__SAVE_EVERY_MS 1000
#define BREAKER__SAVE_RETRY_MS 10000

/** Caller's memory; the fields are private. A zeroed one has no file, and none of this does much.
 */
typedef struct st_breaker__saver_t {
    char *path; /* owned, or NULL */
    bool is_due;
    uint64_t from_ms;
} breaker__saver_t;

/** `path` is copied; NULL: no file. BREAKER_ERR_NO_MEMORY. */
int breaker__saver_init(breaker__saver_t *saver, const char *path);
void breaker__saver_dispose(breaker__saver_t *saver);

/** Reads what was saved, as `breaker__state_load` does; without a file nothing was. */
int breaker__saver_load(const breaker__saver_t *saver, breaker_ledger_t *ret_ledger,
                        breaker_error_t *error);
/** Something changed that is worth saving. */
void breaker__saver_want(breaker__saver_t *saver);
/** When `breaker__saver_save` has something to do, or UINT64_MAX. Milliseconds that never go back,
 * here and below. */
uint64_t breaker__saver_due_ms(const breaker__saver_t *saver);
/** Writes the file if that is due now. Blocking. Trouble is told by `error` and tried again. */
int breaker__saver_save(breaker__saver_t *saver, uint64_t now_ms,
                        const breaker__agreement_t *agreement, breaker_error_t *error);
/** What is worth saving is worth it now, however soon after the time before. */
void breaker__saver_hasten(breaker__saver_t *saver);

#endif
