/*
 * The one way to a snapshot. What a node serves comes from its coordinator or its loads, what it
 * holds of others from its holding: each of them publishes with what the other one said last. Kept
 * always: no snapshot holds the own release or two of one id; a release that was the node's own is
 * held in the very snapshot that has another; a release of the ledger that is not here is offered
 * to be fetched unless the holding has given it up, since what came with this ledger is not known
 * to it yet.
 */
#include <assert.h>
#include <string.h>
#include "cluster/ledger.h"
#include "holding/holding.h"
#include "node/node.h"
#include "node/published.h"
#include "release/release.h"
#include "serving/publisher.h"
#include "serving/snapshot.h"

int breaker__published_init(breaker__published_t *published)
{
    memset(published, 0, sizeof(*published));
    return pthread_mutex_init(&published->lock, NULL) == 0 ? 0 : BREAKER_ERR_NO_MEMORY;
}

static void drop_releases(breaker__held_set_t *held)
{
    assert(held->num_releases <= BREAKER_HELD_MAX);
    for (size_t i = 0; i != held->num_releases; ++i)
        breaker_release_unref(held->releases[i]);
    held->num_releases = 0;
}

void breaker__published_dispose(breaker__published_t *published)
{
    assert(published->next == NULL);
    breaker__published_drop(&published->issue, &published->held);
    pthread_mutex_destroy(&published->lock);
}

static void lock(breaker__published_t *published)
{
    int err = pthread_mutex_lock(&published->lock);

    assert(err == 0);
}

static void unlock(breaker__published_t *published)
{
    int err = pthread_mutex_unlock(&published->lock);

    assert(err == 0);
}

/* ---- what goes into a snapshot ---- */

static bool is_of(const breaker_release_t *release, const breaker_release_id_t *id)
{
    return release != NULL && breaker_release_id_equal(breaker_release_id(release), id);
}

static bool is_held(const breaker__held_set_t *held, const breaker_release_id_t *id)
{
    for (size_t i = 0; i != held->num_releases; ++i)
        if (is_of(held->releases[i], id))
            return true;
    return false;
}

static bool is_given_up(const breaker__held_set_t *held, const breaker_release_id_t *id)
{
    assert(held->num_given_up <= BREAKER_LEDGER_MAX);
    for (size_t i = 0; i != held->num_given_up; ++i)
        if (breaker_release_id_equal(held->given_up + i, id))
            return true;
    return false;
}

/* with the own release of before, if that is another; without the one that is the own from now on
 */
static void succeed(breaker__held_set_t *held, breaker_release_t *before, breaker_release_t *after)
{
    breaker__held_set_t was = *held;

    held->num_releases = 0;
    if (before != NULL && !is_of(before, breaker_release_id(after)))
        held->releases[held->num_releases++] = before;
    for (size_t i = 0; i != was.num_releases && held->num_releases != BREAKER_HELD_MAX; ++i)
        if (!is_of(was.releases[i], breaker_release_id(after)) &&
            !is_held(held, breaker_release_id(was.releases[i])))
            held->releases[held->num_releases++] = was.releases[i];
    assert(!is_held(held, breaker_release_id(after)));
}

/* tokens of held releases that the ledger has no room for any more, as far as there is some here */
static void fill_ledger(breaker_ledger_t *ledger, const breaker__held_set_t *held)
{
    for (size_t i = 0; i != held->num_entries; ++i) {
        if (breaker_ledger_size(ledger) == BREAKER_LEDGER_MAX)
            return;
        if (is_held(held, &held->entries[i].release) ||
            !is_given_up(held, &held->entries[i].release))
            breaker__ledger_add(ledger, held->entries + i);
    }
}

/* of the ledger's releases those that somebody else may give */
static size_t choose_relayable(const breaker_ledger_t *ledger, const breaker_release_t *own,
                               const breaker__held_set_t *held, breaker_release_id_t *dst)
{
    size_t num = 0;

    for (size_t i = 0; i != breaker_ledger_size(ledger); ++i) {
        const breaker_release_id_t *id = &breaker_ledger_at(ledger, i)->release;
        if (breaker_release_id_digest(id) != NULL && !is_of(own, id) && !is_held(held, id) &&
            !is_given_up(held, id))
            dst[num++] = *id;
    }
    assert(num <= BREAKER_LEDGER_MAX);
    return num;
}

static int make_snapshot(const breaker_node_t *node, const breaker__issue_t *issue,
                         const breaker__held_set_t *held, breaker_snapshot_t **ret_snapshot)
{
    breaker_release_id_t relayable[BREAKER_LEDGER_MAX];
    breaker_ledger_t ledger = issue->ledger;
    breaker__snapshot_config_t config = {
        .views = (const breaker_view_t *const *)node->views,
        .tokens = issue->tokens,
        .num_views = node->num_views,
        .release = issue->release,
        .held = held->releases,
        .num_held = held->num_releases,
        .ledger = issue->has_ledger ? &ledger : NULL,
        .relayable = relayable,
        .is_alone = !breaker__mailbox_is_open(&node->mailbox),
        .older_alive = issue->older_alive,
    };

    assert(issue->release != NULL);
    assert(node->holding != NULL || held->num_releases == 0);
    if (node->holding != NULL && issue->has_ledger) {
        fill_ledger(&ledger, held);
        config.num_relayable = choose_relayable(&ledger, issue->release, held, relayable);
    }
    return breaker__snapshot_create(&config, ret_snapshot);
}

/* ---- publication ---- */

int breaker__published_prepare(breaker_node_t *node, const breaker__issue_t *issue)
{
    breaker__published_t *published = &node->published;
    int err;

    lock(published);
    assert(published->next == NULL);
    published->next_issue = *issue;
    published->next_held = published->held;
    if (node->holding != NULL)
        succeed(&published->next_held, published->issue.release, issue->release);
    err = make_snapshot(node, issue, &published->next_held, &published->next);
    if (err != 0)
        unlock(published);
    return err;
}

static void take_references(const breaker__issue_t *issue, const breaker__held_set_t *held)
{
    if (issue->release != NULL)
        breaker__release_ref(issue->release);
    for (size_t i = 0; i != held->num_releases; ++i)
        breaker__release_ref(held->releases[i]);
}

/* what is dropped here is freed by the last snapshot that has it */
static void replace(breaker__published_t *published, const breaker__issue_t *issue,
                    const breaker__held_set_t *held)
{
    breaker_release_t *release = published->issue.release;
    breaker__held_set_t before = published->held;

    take_references(issue, held);
    published->issue = *issue;
    published->held = *held;
    breaker_release_unref(release);
    drop_releases(&before);
}

void breaker__published_commit(breaker_node_t *node)
{
    breaker__published_t *published = &node->published;
    const breaker_release_t *before = published->issue.release;

    assert(published->next != NULL);
    breaker__publisher_publish(node->publisher, published->next);
    breaker__node_note_published(node);
    published->next = NULL;
    published->num_changes += before != published->next_issue.release;
    replace(published, &published->next_issue, &published->next_held);
    unlock(published);
    if (node->holding != NULL)
        breaker__holding_on_published(node->holding);
}

void breaker__published_cancel(breaker_node_t *node)
{
    breaker__published_t *published = &node->published;

    assert(published->next != NULL);
    breaker_snapshot_unref(published->next);
    published->next = NULL;
    unlock(published);
}

/* ---- the holding's side ---- */

static int publish_held(breaker_node_t *node, const breaker__held_set_t *held)
{
    breaker__published_t *published = &node->published;
    breaker_snapshot_t *snapshot;
    int err;

    assert(published->next == NULL);
    if (published->issue.release != NULL) {
        assert(!is_held(held, breaker_release_id(published->issue.release)));
        if ((err = make_snapshot(node, &published->issue, held, &snapshot)) != 0)
            return err;
        breaker__publisher_publish(node->publisher, snapshot);
    }
    published->next_issue = published->issue;
    replace(published, &published->next_issue, held);
    return 0;
}

int breaker__published_hold(breaker_node_t *node, const breaker__held_set_t *held,
                            uint64_t num_changes)
{
    breaker__published_t *published = &node->published;
    int err;

    assert(held->num_releases <= BREAKER_HELD_MAX);
    lock(published);
    err = num_changes == published->num_changes ? publish_held(node, held) : BREAKER_ERR_BUSY;
    unlock(published);
    return err;
}

void breaker__published_read(breaker_node_t *node, breaker__issue_t *ret_issue,
                             breaker__held_set_t *ret_held, uint64_t *ret_num_changes)
{
    breaker__published_t *published = &node->published;

    lock(published);
    assert(published->next == NULL);
    *ret_issue = published->issue;
    *ret_held = published->held;
    *ret_num_changes = published->num_changes;
    take_references(ret_issue, ret_held);
    unlock(published);
}

void breaker__published_drop(breaker__issue_t *issue, breaker__held_set_t *held)
{
    breaker_release_unref(issue->release);
    issue->release = NULL;
    drop_releases(held);
}
