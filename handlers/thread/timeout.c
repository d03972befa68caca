/*
 * The end of a timeout of ours. On libuv h2o_timeout_dispose only begins to close the timer, which
 * the loop still writes to in its next turn; so the memory goes when libuv has let go of it.
 */
#include <assert.h>
#include "thread/timeout.h"

#if H2O_USE_LIBUV

static void on_closed(uv_handle_t *timer)
{
    free(H2O_STRUCT_FROM_MEMBER(h2o_timeout_t, _backend.timer, timer));
}

static void let_go(h2o_loop_t *loop, h2o_timeout_t *timeout)
{
    (void)loop;
    uv_close((uv_handle_t *)&timeout->_backend.timer, on_closed);
}

#else

static void let_go(h2o_loop_t *loop, h2o_timeout_t *timeout)
{
    h2o_timeout_dispose(loop, timeout);
    free(timeout);
}

#endif

h2o_timeout_t *breaker__timeout_create(h2o_loop_t *loop, uint64_t millis)
{
    h2o_timeout_t *timeout = h2o_mem_alloc(sizeof(*timeout));

    h2o_timeout_init(loop, timeout, millis);
    return timeout;
}

void breaker__timeout_free(h2o_loop_t *loop, h2o_timeout_t *timeout)
{
    assert(h2o_linklist_is_empty(&timeout->_entries));
    let_go(loop, timeout);
}
