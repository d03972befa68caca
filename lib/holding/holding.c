/*
 * The thread that holds. It is woken for whatever other threads leave, looks at everything then,
 * and does what takes long in pieces of a few milliseconds, so that what a request waits for never
 * waits for what nobody waits for. Kept always: nothing is held whose manifest has not the digest
 * of its id; nothing is filled with bytes that were not checked; no other thread waits for this
 * one but its end, and that waits for no peer.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "cluster/ledger.h"
#include "holding/parts.h"
#include "node/node.h"
#include "release/release.h"
#include "thread.h"

enum {
    /* how often it is looked whether something is due: while something is lacking, and else */
    BUSY_EVERY_MS = 50,
    IDLE_EVERY_MS = 2000,
    /* what it brings unasked must not take the processor from the threads that serve; a tenth of
     * one is left to it however busy they are, since requests wait for it as well */
    NICE = 10,
};

static uint64_t clock_ms(clockid_t id)
{
    struct timespec now;
    int err = clock_gettime(id, &now);

    assert(err == 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

breaker__moment_t breaker__holding_now(void)
{
    return (breaker__moment_t){clock_ms(CLOCK_REALTIME), clock_ms(CLOCK_MONOTONIC)};
}

static bool is_stopped(const breaker__holding_t *holding)
{
    return atomic_load_explicit(&holding->stop, memory_order_relaxed);
}

/* ---- the loop ---- */

static void close_handles(breaker__holding_t *holding)
{
    pthread_mutex_lock(&holding->wake_lock);
    assert(!holding->is_closed);
    holding->is_closed = true;
    pthread_mutex_unlock(&holding->wake_lock);
    uv_close((uv_handle_t *)&holding->wake, NULL);
    uv_close((uv_handle_t *)&holding->timer, NULL);
    uv_close((uv_handle_t *)&holding->work, NULL);
}

static void end(breaker__holding_t *holding)
{
    assert(is_stopped(holding));
    breaker__peers_free(holding->client, NULL, NULL);
    holding->client = NULL;
    breaker__spooling_end(holding);
    close_handles(holding);
}

/* releases that requests wait for; what is no more in the ledger is nobody's wish */
static void take_wanted(breaker__holding_t *holding)
{
    breaker_release_id_t wanted[BREAKER__WANTED_MAX];
    size_t num = breaker__inbox_take_wanted(&holding->inbox, wanted);

    for (size_t i = 0; i != num; ++i) {
        breaker__tracked_t *known = breaker__catalog_find(&holding->catalog, wanted + i);
        if (known == NULL || known->release != NULL || known->is_wanted)
            continue;
        known->is_wanted = true;
        if (known->ask != 0 && holding->client != NULL)
            breaker__peers_hurry(holding->client, known->ask);
    }
}

static bool is_lacking(const breaker__holding_t *holding)
{
    for (size_t i = 0; i != holding->catalog.num; ++i) {
        const breaker__tracked_t *known = holding->catalog.list[i];
        if (known->stays && !known->is_complete)
            return true;
    }
    return holding->source.num_asks != 0;
}

/* what whoever watches is told; the totals are counted where they come up */
static void count(breaker__holding_t *holding)
{
    breaker__tally_t *tally = &holding->tally;
    uint64_t complete = 0, partial = 0, awaited = 0, lacking = 0;

    for (size_t i = 0; i != holding->catalog.num; ++i) {
        const breaker__tracked_t *known = holding->catalog.list[i];
        if (known->is_own || !known->stays)
            continue;
        complete += known->is_complete;
        awaited += known->release == NULL;
        partial += known->release != NULL && !known->is_complete;
        lacking += known->release != NULL && !known->is_complete ? known->missing.num : 0;
    }
    breaker__tally_set(&tally->complete, complete);
    breaker__tally_set(&tally->partial, partial);
    breaker__tally_set(&tally->awaited, awaited);
    breaker__tally_set(&tally->blobs_lacking, lacking);
    breaker__tally_set(&tally->memory, holding->source.memory);
    breaker__tally_set(&tally->files, holding->source.num_files);
    breaker__tally_set(&tally->peers, holding->num_peers);
}

static void look_around(breaker__holding_t *holding)
{
    /* first, and often: a request waits */
    breaker__source_serve(holding);
    breaker__spooling_look(holding);
    breaker__asking_update(holding);
    take_wanted(holding);
    breaker__held_update(holding);
    breaker__asking_make_known(holding);
    if (breaker__held_lacks_manifest(holding))
        breaker__asking_want_peers(holding);
    breaker__held_tell_ready(holding);
    count(holding);
}

static void on_work(uv_idle_t *work)
{
    breaker__holding_t *holding = work->data;
    bool is_more;

    if (is_stopped(holding))
        return;
    breaker__source_serve(holding);
    is_more = breaker__held_step(holding);
    is_more |= breaker__source_step(holding);
    /* what is kept for later comes after what is lacking now */
    is_more = is_more || breaker__archiving_step(holding);
    breaker__held_tell_ready(holding);
    count(holding);
    if (!is_more)
        uv_idle_stop(work);
}

void breaker__holding_go_on(breaker__holding_t *holding)
{
    uv_idle_start(&holding->work, on_work);
}

static void on_timer(uv_timer_t *timer)
{
    breaker__holding_t *holding = timer->data;
    breaker_readiness_t readiness;
    bool is_busy;

    look_around(holding);
    readiness = breaker_node_readiness(holding->node);
    is_busy = is_lacking(holding) || readiness == BREAKER_NOT_READY_FETCHING ||
              readiness == BREAKER_NOT_READY_UNSHARED;
    uv_timer_start(timer, on_timer, is_busy ? BUSY_EVERY_MS : IDLE_EVERY_MS, 0);
    breaker__holding_go_on(holding);
}

/* mostly it is a blob that a request waits for */
static void on_wake(uv_async_t *wake)
{
    breaker__holding_t *holding = wake->data;

    if (is_stopped(holding))
        end(holding);
    else if (atomic_exchange(&holding->has_news, false))
        on_timer(&holding->timer);
    else
        breaker__source_serve(holding);
}

static void *run(void *data)
{
    breaker__holding_t *holding = data;

    breaker__thread_give_way(NICE, NULL);
    uv_run(&holding->loop, UV_RUN_DEFAULT);
    assert(is_stopped(holding));
    return NULL;
}

/* until the loop ends, which other threads cannot know */
static void wake(breaker__holding_t *holding)
{
    int err = pthread_mutex_lock(&holding->wake_lock);

    assert(err == 0);
    if (!holding->is_closed)
        err = uv_async_send(&holding->wake);
    assert(err == 0);
    pthread_mutex_unlock(&holding->wake_lock);
}

/* ---- its life ---- */

static int init_loop(breaker__holding_t *holding)
{
    int err;

    if (pthread_mutex_init(&holding->wake_lock, NULL) != 0)
        return BREAKER_ERR_NO_MEMORY;
    if (uv_loop_init(&holding->loop) != 0)
        return BREAKER_ERR_IO;
    if (uv_async_init(&holding->loop, &holding->wake, on_wake) != 0) {
        uv_loop_close(&holding->loop);
        return BREAKER_ERR_IO;
    }
    err = uv_timer_init(&holding->loop, &holding->timer);
    err |= uv_idle_init(&holding->loop, &holding->work);
    assert(err == 0);
    holding->wake.data = holding->timer.data = holding->work.data = holding;
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
    atomic_init(&holding->has_news, false);
    holding->node = node;
    holding->config = breaker_node_holding(node);
    holding->log.data = holding->config->log_data;
    holding->log.on_log = holding->config->on_log;
    holding->log.component = "holding";
    breaker__archiving_open(holding);
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
    atomic_store(&holding->has_news, true);
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

void breaker__holding_stop(breaker__holding_t *holding)
{
    /* stopped before */
    if (holding == NULL || holding->is_closed)
        return;
    if (holding->is_started)
        stop_thread(holding);
    breaker__blobs_listen(breaker__node_blobs(holding->node), NULL, NULL);
    close_loop(holding);
}

void breaker__holding_free(breaker__holding_t *holding)
{
    if (holding == NULL)
        return;
    assert(holding->is_closed);
    breaker__source_dispose(&holding->source);
    breaker__archiving_close(holding);
    breaker__catalog_dispose(&holding->catalog);
    breaker__peers_told_dispose(&holding->told);
    breaker__inbox_dispose(&holding->inbox);
    pthread_mutex_destroy(&holding->wake_lock);
    free(holding);
}

void breaker__holding_remember(const breaker__holding_t *holding, breaker_ledger_t *memory)
{
    const breaker__catalog_t *catalog = &holding->catalog;

    assert(!holding->is_started);
    for (size_t i = 0; i != catalog->num; ++i)
        for (size_t j = 0; j != catalog->list[i]->about.num_tokens; ++j)
            if (breaker_ledger_size(memory) != BREAKER_LEDGER_MAX)
                breaker__ledger_add(memory, catalog->list[i]->about.tokens + j);
}

/* ---- from other threads ---- */

static void tell(breaker__holding_t *holding)
{
    atomic_store(&holding->has_news, true);
    wake(holding);
}

void breaker__holding_on_published(breaker__holding_t *holding)
{
    tell(holding);
}

int breaker__holding_set_peers(breaker__holding_t *holding, const breaker_peers_t *peers)
{
    int err = breaker__inbox_put_peers(&holding->inbox, peers);

    if (err == 0)
        tell(holding);
    return err;
}

bool breaker__holding_take_wants_peers(breaker__holding_t *holding)
{
    return atomic_exchange_explicit(&holding->inbox.wants_peers, false, memory_order_relaxed);
}

void breaker__holding_want(breaker__holding_t *holding, const breaker_release_id_t *release)
{
    if (breaker__inbox_put_wanted(&holding->inbox, release))
        tell(holding);
}

bool breaker__holding_keys(breaker__holding_t *holding, uint64_t *generation,
                           breaker__peer_keys_t *ret_keys)
{
    return breaker__inbox_keys(&holding->inbox, generation, ret_keys);
}

void breaker__holding_figures(const breaker__holding_t *holding,
                              breaker_holding_figures_t *ret_figures)
{
    breaker__tally_read(&holding->tally, ret_figures);
}
