/*
 * The state file follows the agreement within a second, so that a ledger that changes with
 * every answer does not cost two fsyncs each time; a disk that refuses is asked again, not given
 * up. Kept always: what was wanted stays due until a file has it, and without a path nothing is
 * ever due.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "cluster/agreement.h"
#include "cluster/saver.h"
#include "cluster/state.h"

int breaker__saver_init(breaker__saver_t *saver, const char *path)
{
    *saver = (breaker__saver_t){.path = NULL};
    if (path == NULL)
        return 0;
    saver->path = strdup(path);
    return saver->path != NULL ? 0 : BREAKER_ERR_NO_MEMORY;
}

void breaker__saver_dispose(breaker__saver_t *saver)
{
    free(saver->path);
    *saver = (breaker__saver_t){.path = NULL};
}

int breaker__saver_load(const breaker__saver_t *saver, breaker_ledger_t *ret_ledger,
                        breaker_error_t *error)
{
    assert(!saver->is_due);
    assert(saver->from_ms == 0);
    if (saver->path != NULL)
        return breaker__state_load(saver->path, ret_ledger, error);
    return breaker_ledger_init(ret_ledger, NULL, 0);
}

void breaker__saver_want(breaker__saver_t *saver)
{
    /* without a file nothing was ever saved */
    assert(saver->path != NULL || saver->from_ms == 0);
    saver->is_due = saver->path != NULL;
}

uint64_t breaker__saver_due_ms(const breaker__saver_t *saver)
{
    assert(!saver->is_due || saver->path != NULL);
    return saver->is_due ? saver->from_ms : UINT64_MAX;
}

int breaker__saver_save(breaker__saver_t *saver, uint64_t now_ms,
                        const breaker__agreement_t *agreement, breaker_error_t *error)
{
    int err;

    if (now_ms < breaker__saver_due_ms(saver))
        return 0;
    assert(saver->path != NULL);
    err = breaker__state_save(saver->path, breaker__agreement_own(agreement),
                              breaker__agreement_ledger(agreement), error);
    saver->is_due = err != 0;
    saver->from_ms = now_ms + (err != 0 ? BREAKER__SAVE_RETRY_MS : BREAKER__SAVE_EVERY_MS);
    assert(saver->from_ms > now_ms);
    return err;
}

void breaker__saver_hasten(breaker__saver_t *saver)
{
    assert(!saver->is_due || saver->path != NULL);
    saver->from_ms = 0;
}
