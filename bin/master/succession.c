/*
 * From the moment in which a worker serves to the one in which it alone does. Both accept from the
 * same sockets meanwhile; whoever has been told that a reload is done, and connects, is to meet the
 * configuration that was loaded.
 */
#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <h2o.h>
#include "master/succession.h"

/* a worker that is told to retire closes its listeners in the next turn of its loops */
#define CLOSING_MAX_MS 3000

void breaker__succession_begin(breaker__succession_t *succession, const breaker__worker_t *worker,
                               const breaker__worker_t *before, const char *state, int64_t now_ms)
{
    assert(succession->worker == 0);
    assert(worker->pid != 0);
    *succession = (breaker__succession_t){
        .worker = worker->pid,
        .before = before != NULL ? before->pid : 0,
        .ends_ms = now_ms + CLOSING_MAX_MS,
        .state = h2o_strdup(NULL, state, SIZE_MAX).base,
    };
}

bool breaker__succession_is_over(const breaker__succession_t *succession,
                                 const breaker__workers_t *workers, int64_t now_ms)
{
    const breaker__worker_t *before;

    if (succession->worker == 0)
        return false;
    before = breaker__workers_find_pid(workers, succession->before);
    return before == NULL || before->has_closed || now_ms >= succession->ends_ms ||
           breaker__workers_find_pid(workers, succession->worker) == NULL;
}

int64_t breaker__succession_ends_ms(const breaker__succession_t *succession)
{
    return succession->worker != 0 ? succession->ends_ms : INT64_MAX;
}

void breaker__succession_end(breaker__succession_t *succession)
{
    free(succession->state);
    *succession = (breaker__succession_t){.worker = 0};
}
