/*
 * Requests that wait. A token that nobody here knows may be a minute old deploy on a peer: instead
 * of a 503 its request waits for one refresh of the ledger. A release that is held, or about to be,
 * may have its bytes elsewhere yet: its request waits until they are here. Waiting ones are looked
 * at from one timer a thread, which runs only while there are any, so that nothing that comes needs
 * a message between threads. A parked request hangs on its own pool: when the client goes away, on
 * whatever protocol and for whatever reason, libh2o clears the pool and the place is free again.
 */
#include <assert.h>
#include <time.h>
#include "thread/park.h"
#include "thread/timeout.h"

enum { PARK_MS = 300, LOOK_EVERY_MS = 10 };

typedef breaker__parked_t parked_t;

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* also of one whose client has gone */
static void count(const parked_t *parked)
{
    breaker__counters_t *counters = parked->lot->counters;
    breaker__waits_t *waits =
        parked->wait == BREAKER__WAIT_NEWS ? &counters->news_waits : &counters->bytes_waits;

    assert(parked->wait != BREAKER__WAIT_NONE);
    breaker__waits_add(waits, now_ms() - parked->since_ms);
}

void breaker__lot_leave(parked_t *parked)
{
    if (!h2o_linklist_is_linked(&parked->link))
        return;
    h2o_linklist_unlink(&parked->link);
    count(parked);
    breaker_node_return_place(parked->lot->node);
    if (h2o_linklist_is_empty(&parked->lot->waiting) && h2o_timeout_is_linked(&parked->lot->look))
        h2o_timeout_unlink(&parked->lot->look);
}

static void on_pool_dispose(void *parked)
{
    breaker__lot_leave(parked);
}

/* how long a request may wait in all for what it waits for now */
static uint64_t span_ms(const parked_t *parked)
{
    assert(parked->wait != BREAKER__WAIT_NONE);
    return parked->wait == BREAKER__WAIT_NEWS ? PARK_MS
                                              : breaker_node_fetch_timeout_ms(parked->lot->node);
}

static void look_at(parked_t *parked)
{
    breaker__lot_t *lot = parked->lot;
    bool refreshed = breaker_node_freshness(lot->node).answered_ms >= parked->since_ms;
    breaker__wait_t wait = lot->answer(lot->data, parked, refreshed);

    /* the answer may have ended the request, and with it the memory that we stand on */
    if (wait == BREAKER__WAIT_NONE)
        return;
    parked->wait = wait;
    if (now_ms() - parked->since_ms >= span_ms(parked))
        lot->settle(lot->data, parked, refreshed);
}

/*
 * An answer may dispose of other requests of its connection, parked ones among them. So each is
 * taken from a list that disposal takes from as well, and is put back before it is looked at.
 */
static void on_look(h2o_timeout_entry_t *entry)
{
    breaker__lot_t *lot = H2O_STRUCT_FROM_MEMBER(breaker__lot_t, look, entry);
    h2o_linklist_t turn;

    h2o_linklist_init_anchor(&turn);
    h2o_linklist_insert_list(&turn, &lot->waiting);
    while (!h2o_linklist_is_empty(&turn)) {
        parked_t *parked = H2O_STRUCT_FROM_MEMBER(parked_t, link, turn.next);
        h2o_linklist_unlink(&parked->link);
        h2o_linklist_insert(&lot->waiting, &parked->link);
        look_at(parked);
    }
    if (!h2o_linklist_is_empty(&lot->waiting) && !h2o_timeout_is_linked(&lot->look))
        h2o_timeout_link(lot->loop, lot->timeout, &lot->look);
}

void breaker__lot_init(breaker__lot_t *lot, breaker_node_t *node, h2o_loop_t *loop)
{
    lot->node = node;
    lot->loop = loop;
    lot->look.cb = on_look;
    lot->timeout = breaker__timeout_create(loop, LOOK_EVERY_MS);
    h2o_linklist_init_anchor(&lot->waiting);
}

void breaker__lot_dispose(breaker__lot_t *lot)
{
    assert(h2o_linklist_is_empty(&lot->waiting));
    assert(!h2o_timeout_is_linked(&lot->look));
    breaker__timeout_free(lot->loop, lot->timeout);
}

bool breaker__may_wait(const breaker_node_t *node)
{
    return breaker_node_is_joined(node) || breaker_node_fetch_timeout_ms(node) != 0;
}

/* whether what is waited for may come */
static bool may_come(const breaker_node_t *node, breaker__wait_t wait)
{
    assert(wait != BREAKER__WAIT_NONE);
    return wait == BREAKER__WAIT_NEWS ? breaker_node_freshness(node).reachable
                                      : breaker_node_fetch_timeout_ms(node) != 0;
}

bool breaker__lot_park(breaker__lot_t *lot, h2o_req_t *req, breaker__wait_t wait)
{
    parked_t *parked;

    if (!may_come(lot->node, wait) || !breaker_node_reserve_place(lot->node))
        return false;
    parked = h2o_mem_alloc_shared(&req->pool, sizeof(*parked), on_pool_dispose);
    *parked = (parked_t){.lot = lot, .req = req, .since_ms = now_ms(), .wait = wait};
    h2o_linklist_insert(&lot->waiting, &parked->link);
    if (!h2o_timeout_is_linked(&lot->look))
        h2o_timeout_link(lot->loop, lot->timeout, &lot->look);
    return true;
}
