/*
 * The thread that holds. It is woken for whatever other threads leave, and looks at everything
 * then. No other thread waits for this one but its end.
 */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <uv.h>
#include "holding/holding.h"
#include "holding/inbox.h"
#include "node/node.h"
#include "thread.h"

struct st_breaker__holding_t {
    breaker_node_t *node; /* borrowed: outlives us */
    breaker__inbox_t inbox;
    atomic_bool stop;
    pthread_t thread;
    bool is_started;
    uv_loop_t loop;
    uv_async_t wake;
};

static bool is_stopped(const breaker__holding_t *holding)
{
    return atomic_load_explicit(&holding->stop, memory_order_relaxed);
}

static void close_handles(breaker__holding_t *holding)
{
    uv_close((uv_handle_t *)&holding->wake, NULL);
}

static void on_wake(uv_async_t *wake)
{
    breaker__holding_t *holding = wake->data;

    if (is_stopped(holding))
        close_handles(holding);
    else
        breaker__node_set_ready(holding->node);
}

static void *run(void *data)
{
    breaker__holding_t *holding = data;

    uv_run(&holding->loop, UV_RUN_DEFAULT);
    assert(is_stopped(holding));
    return NULL;
}

static void wake(breaker__holding_t *holding)
{
    int err = uv_async_send(&holding->wake);

    assert(err == 0);
}

/* ---- its life ---- */

static int init_loop(breaker__holding_t *holding)
{
    if (uv_loop_init(&holding->loop) != 0)
        return BREAKER_ERR_IO;
    if (uv_async_init(&holding->loop, &holding->wake, on_wake) != 0) {
        uv_loop_close(&holding->loop);
        return BREAKER_ERR_IO;
    }
    holding->wake.data = holding;
    return 0;
}

int breaker__holding_create(breaker_node_t *node, breaker__holding_t **ret_holding)
{
    breaker__holding_t *holding = calloc(1, sizeof(*holding));
    int err;

    if (holding == NULL)
        return BREAKER_ERR_NO_MEMORY;
    if ((err = breaker__inbox_init(&holding->inbox)) != 0) {
        free(holding);
        return err;
    }
    if ((err = init_loop(holding)) != 0) {
        breaker__inbox_dispose(&holding->inbox);
        free(holding);
        return err;
    }
    atomic_init(&holding->stop, false);
    holding->node = node;
    *ret_holding = holding;
    return 0;
}

static void on_wanted(void *data)
{
    wake(data);
}

int breaker__holding_start(breaker__holding_t *holding, breaker_error_t *error)
{
    int err;

    assert(!holding->is_started);
    breaker__blobs_listen(breaker__node_blobs(holding->node), on_wanted, holding);
    wake(holding);
    err = breaker__thread_start("breaker-holding", run, holding, &holding->thread, error);
    holding->is_started = err == 0;
    return err;
}

static void stop_thread(breaker__holding_t *holding)
{
    int err;

    atomic_store_explicit(&holding->stop, true, memory_order_relaxed);
    wake(holding);
    err = pthread_join(holding->thread, NULL);
    assert(err == 0);
}

/* without a thread the handles still have to be closed */
static void close_loop(breaker__holding_t *holding)
{
    int err;

    if (!holding->is_started) {
        close_handles(holding);
        uv_run(&holding->loop, UV_RUN_DEFAULT);
    }
    err = uv_loop_close(&holding->loop);
    assert(err == 0);
}

void breaker__holding_free(breaker__holding_t *holding)
{
    if (holding == NULL)
        return;
    if (holding->is_started)
        stop_thread(holding);
    breaker__blobs_listen(breaker__node_blobs(holding->node), NULL, NULL);
    close_loop(holding);
    breaker__inbox_dispose(&holding->inbox);
    free(holding);
}

/* ---- from other threads ---- */

void breaker__holding_on_published(breaker__holding_t *holding)
{
    wake(holding);
}

int breaker__holding_set_peers(breaker__holding_t *holding, const breaker_peers_t *peers)
{
    int err = breaker__inbox_put_peers(&holding->inbox, peers);

    if (err == 0)
        wake(holding);
    return err;
}

bool breaker__holding_take_wants_peers(breaker__holding_t *holding)
{
    return atomic_exchange_explicit(&holding->inbox.wants_peers, false, memory_order_relaxed);
}

void breaker__holding_want(breaker__holding_t *holding, const breaker_release_id_t *release)
{
    if (breaker__inbox_put_wanted(&holding->inbox, release))
        wake(holding);
}

bool breaker__holding_keys(breaker__holding_t *holding, uint64_t *generation,
                           breaker__peer_keys_t *ret_keys)
{
    return breaker__inbox_keys(&holding->inbox, generation, ret_keys);
}
