/*
 * Snapshots. One is never written to once it is made but for its count of references and, by the
 * publisher, its number: readers need no lock while they hold a reference. A release comes in with
 * the tokens that name it, and never with another's.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <breaker/error.h>
#include <breaker/snapshot.h>
#include "cluster/ledger.h"
#include "release/release.h"
#include "serving/known.h"
#include "serving/snapshot.h"
#include "token/token.h"

static void fill_view(breaker_snapshot_view_t *dst, const breaker_view_t *view,
                      const breaker_token_t *token, const breaker_release_t *release)
{
    assert(token->len != 0);
    dst->view = view;
    dst->token = *token;
    dst->_is_decimal = breaker__token_is_decimal(token->text, token->len);
    dst->store = release != NULL ? breaker_release_store(release, breaker_view_index(view)) : NULL;
    dst->prefix_len = breaker_view_prefix(view, token->text, token->len, dst->prefix);
    assert(dst->prefix_len <= sizeof(dst->prefix));
}

/*
 * Where T stands among minted tokens that the ledger does not know: at its order, which is what its
 * digits say where it was minted. An operator's may look minted ("202611231200") and have another
 * order: nothing between the two is certain then.
 */
static void place_by_order(breaker_snapshot_view_t *dst, size_t num_digits)
{
    breaker_token_t order = {.len = 0};
    int err = breaker_token_mint(dst->_entry->order, &order), sign;

    /* no ledger has an order that cannot be minted */
    assert(err == 0);
    if (num_digits == 0) {
        dst->_older_to = order;
        return;
    }
    sign = breaker__token_compare_minted(order.text, order.len, dst->token.text, num_digits);
    if (sign < 0)
        dst->_older_to = order;
    if (sign != 0)
        dst->_newer_above = sign < 0 ? dst->token : order;
}

static void place_view(breaker_snapshot_view_t *dst, const breaker_ledger_t *ledger)
{
    const breaker_token_t *token = &dst->token;
    size_t num_digits = breaker__token_minted_digits(token->text, token->len);

    assert(dst->_older_to.len == 0);
    assert(dst->_newer_above.len == 0);
    dst->_entry = breaker__ledger_find(ledger, token->text, token->len);
    if (num_digits != 0)
        dst->_older_to = *token;
    if (dst->_entry != NULL)
        place_by_order(dst, num_digits);
}

static void take_releases(breaker_snapshot_t *snapshot, const breaker__snapshot_config_t *config)
{
    if (config->release != NULL)
        snapshot->release = breaker__release_ref(config->release);
    for (size_t i = 0; i != config->num_held; ++i)
        snapshot->held[i] = breaker__release_ref(config->held[i]);
    assert(config->num_held <= BREAKER_HELD_MAX);
    snapshot->num_held = config->num_held;
}

/* the release of this node that an entry names, or NULL */
static breaker_release_t *find_release(const breaker_snapshot_t *snapshot,
                                       const breaker_release_id_t *id)
{
    if (snapshot->release != NULL &&
        breaker_release_id_equal(breaker_release_id(snapshot->release), id))
        return snapshot->release;
    for (size_t i = 0; i != snapshot->num_held; ++i)
        if (breaker_release_id_equal(breaker_release_id(snapshot->held[i]), id))
            return snapshot->held[i];
    return NULL;
}

static bool is_relayable(const breaker__snapshot_config_t *config, const breaker_release_id_t *id)
{
    for (size_t i = 0; i != config->num_relayable; ++i)
        if (breaker_release_id_equal(config->relayable + i, id))
            return true;
    return false;
}

static void take_ledger(breaker_snapshot_t *snapshot, const breaker__snapshot_config_t *config)
{
    if (config->ledger == NULL)
        return;
    snapshot->has_ledger = true;
    snapshot->is_alone = config->is_alone;
    snapshot->ledger = *config->ledger;
    assert(breaker_ledger_size(&snapshot->ledger) <= BREAKER_LEDGER_MAX);
    for (size_t i = 0; i != breaker_ledger_size(&snapshot->ledger); ++i) {
        const breaker_release_id_t *id = &breaker_ledger_at(&snapshot->ledger, i)->release;
        snapshot->entry_release[i] = find_release(snapshot, id);
        snapshot->entry_relayable[i] = is_relayable(config, id);
    }
}

static int take_views(breaker_snapshot_t *snapshot, const breaker__snapshot_config_t *config)
{
    int err;

    snapshot->views = (breaker_snapshot_view_t *)(snapshot + 1);
    snapshot->num_views = config->num_views;
    for (size_t i = 0; i != config->num_views; ++i) {
        breaker_snapshot_view_t *view = snapshot->views + i;
        assert(breaker_view_index(config->views[i]) == i);
        fill_view(view, config->views[i], config->tokens + i, config->release);
        if (snapshot->has_ledger)
            place_view(view, &snapshot->ledger);
        if ((err = breaker__known_create(snapshot, view, &view->_known)) != 0)
            return err;
    }
    return 0;
}

int breaker__snapshot_create(const breaker__snapshot_config_t *config,
                             breaker_snapshot_t **ret_snapshot)
{
    breaker_snapshot_t *snapshot;
    int err;

    if (config->num_views > BREAKER_VIEWS_MAX || config->num_held > BREAKER_HELD_MAX)
        return BREAKER_ERR_TOO_MANY;
    snapshot = calloc(1, sizeof(*snapshot) + config->num_views * sizeof(snapshot->views[0]));
    if (snapshot == NULL)
        return BREAKER_ERR_NO_MEMORY;
    snapshot->_refs = 1;
    take_releases(snapshot, config);
    take_ledger(snapshot, config);
    if ((err = take_views(snapshot, config)) != 0) {
        breaker_snapshot_unref(snapshot);
        return err;
    }
    /* alone there is nobody who could be older */
    assert(!config->is_alone || !config->older_alive);
    snapshot->older_alive = config->older_alive;
    *ret_snapshot = snapshot;
    return 0;
}

breaker_snapshot_t *breaker_snapshot_ref(breaker_snapshot_t *snapshot)
{
    size_t before = __atomic_fetch_add(&snapshot->_refs, 1, __ATOMIC_RELAXED);

    assert(before != 0);
    return snapshot;
}

void breaker_snapshot_unref(breaker_snapshot_t *snapshot)
{
    size_t before;

    if (snapshot == NULL)
        return;
    /* release what this thread did with it, acquire what the others did before it is freed */
    before = __atomic_fetch_sub(&snapshot->_refs, 1, __ATOMIC_ACQ_REL);
    assert(before != 0);
    if (before != 1)
        return;
    for (size_t i = 0; i != snapshot->num_views; ++i)
        breaker__known_free(snapshot->views[i]._known);
    for (size_t i = 0; i != snapshot->num_held; ++i)
        breaker_release_unref(snapshot->held[i]);
    breaker_release_unref(snapshot->release);
    free(snapshot);
}
