/*
 * What waits and what is served. One release is served, another may wait for a token; the own entry
 * of the agreement names the one that goes with its token, so the two change places in the very
 * publication that has the new token. Kept always: there is a release that is served, it is not the
 * one that waits, and what was wanted stays due until the node has taken it.
 */
#include <assert.h>
#include "cluster/agreement.h"
#include "cluster/publication.h"

void breaker__publication_init(breaker__publication_t *publication, breaker_node_t *node,
                               breaker_release_t *release, bool adopts_any)
{
    assert(release != NULL);
    *publication = (breaker__publication_t){
        .node = node,
        .release = release,
        .adopts_any = adopts_any,
        .is_placed = true,
    };
}

void breaker__publication_dispose(breaker__publication_t *publication)
{
    assert(publication->next != publication->release);
    breaker_release_unref(publication->release);
    breaker_release_unref(publication->next);
    *publication = (breaker__publication_t){.node = NULL};
}

/* ---- what waits ---- */

static void refuse(breaker__publication_t *publication, breaker_release_t *next)
{
    /* what is refused never waited here */
    assert(publication->next == NULL);
    breaker_node_refuse_next(publication->node, next,
                             "a cluster whose nodes share all files has one token for all of "
                             "them: other files come with a restart");
    breaker_release_unref(next);
}

const breaker_release_t *breaker__publication_look(breaker__publication_t *publication,
                                                   breaker_token_t *ret_token)
{
    breaker_release_t *next = breaker_node_next(publication->node, ret_token);

    if (next == NULL)
        return NULL;
    if (publication->adopts_any) {
        refuse(publication, next);
        return NULL;
    }
    if (publication->next != NULL) {
        /* the node has another one only after this one was published */
        assert(next == publication->next);
        breaker_release_unref(next);
        return NULL;
    }
    assert(next != publication->release);
    return publication->next = next;
}

/* ---- what is due ---- */

void breaker__publication_want(breaker__publication_t *publication)
{
    assert(publication->release != NULL);
    publication->is_due = true;
}

/* whether nodes of a release that is older than ours still live, and hand out its URLs */
static bool sees_older(const breaker__agreement_t *agreement, const breaker__alive_t *alive)
{
    const breaker_ledger_t *ledger = breaker__agreement_ledger(agreement);
    const breaker_ledger_entry_t *own = breaker__agreement_own(agreement), *newest;

    assert(alive->num <= BREAKER__ALIVE_MAX);
    for (size_t i = 0; own != NULL && i != alive->num; ++i) {
        newest = breaker_ledger_newest(ledger, alive->releases + i);
        if (newest != NULL && newest->order < own->order)
            return true;
    }
    return false;
}

void breaker__publication_on_alive(breaker__publication_t *publication,
                                   const breaker__agreement_t *agreement,
                                   const breaker__alive_t *alive)
{
    bool older_alive = sees_older(agreement, alive);

    publication->is_due |= older_alive != publication->older_alive;
    publication->older_alive = older_alive;
}

/* ---- what is served ---- */

/* the own entry names the release that goes with its token: the next one as soon as it has one */
static breaker_release_t *release_of(const breaker__publication_t *publication,
                                     const breaker_ledger_entry_t *own)
{
    breaker_release_t *release = publication->release, *next = publication->next;

    assert(next == NULL || !publication->adopts_any);
    if (next != NULL && breaker_release_id_equal(breaker_release_id(next), &own->release))
        return next;
    assert(publication->adopts_any ||
           breaker_release_id_equal(breaker_release_id(release), &own->release));
    return release;
}

static void serve_next(breaker__publication_t *publication)
{
    assert(publication->next != NULL);
    breaker_release_unref(publication->release);
    publication->release = publication->next;
    publication->next = NULL;
}

void breaker__publication_on_place(breaker__publication_t *publication,
                                   const breaker__agreement_t *agreement)
{
    bool placed = breaker__agreement_is_placed(agreement);

    publication->is_due |= placed != publication->is_placed;
    publication->is_placed = placed;
}

/*
 * Above all that the node remembers, and no further: what is newer than that, and older than the
 * proposal, may stand above the token, and to redirect it there could lead back.
 */
static uint64_t least_order(const breaker_ledger_t *ledger, const breaker_ledger_entry_t *own)
{
    for (size_t at = breaker_ledger_size(ledger); at-- != 0;) {
        const breaker_ledger_entry_t *entry = breaker_ledger_at(ledger, at);
        if (!breaker_token_equal(&entry->token, &own->token))
            return entry->order + 1;
    }
    return 0;
}

/* where all nodes share all files, "any" is what this node has loaded */
static breaker_ledger_t ledger_to_publish(const breaker__publication_t *publication,
                                          const breaker__agreement_t *agreement)
{
    const breaker_release_id_t *any = &breaker__agreement_config(agreement)->release;
    const breaker_ledger_t *ledger = breaker__agreement_ledger(agreement);
    const breaker_release_id_t *id = breaker_release_id(publication->release);
    const breaker_ledger_entry_t *own = breaker__agreement_own(agreement);
    breaker_ledger_entry_t entries[BREAKER_LEDGER_MAX];
    breaker_ledger_t published;
    size_t size = breaker_ledger_size(ledger);
    int err;

    for (size_t i = 0; i != size; ++i) {
        entries[i] = *breaker_ledger_at(ledger, i);
        if (!publication->is_placed && breaker_token_equal(&entries[i].token, &own->token))
            entries[i].order = least_order(ledger, own);
        if (publication->adopts_any && breaker_release_id_equal(&entries[i].release, any))
            entries[i].release = *id;
    }
    err = breaker_ledger_init(&published, entries, size);
    assert(err == 0);
    return published;
}

int breaker__publication_publish(breaker__publication_t *publication,
                                 const breaker__agreement_t *agreement)
{
    const breaker_ledger_entry_t *own = breaker__agreement_own(agreement);
    breaker_release_t *release;
    breaker_ledger_t ledger;
    int err;

    if (own == NULL || !publication->is_due)
        return 0;
    release = release_of(publication, own);
    ledger = ledger_to_publish(publication, agreement);
    err = breaker_node_publish(publication->node, release, &own->token, &ledger,
                               publication->older_alive);
    if (err != 0)
        return err;
    if (release == publication->next)
        serve_next(publication);
    assert(publication->release == release);
    publication->is_due = false;
    publication->is_ready = true;
    return 0;
}

bool breaker__publication_is_ready(const breaker__publication_t *publication)
{
    /* what was published once is served, whatever is due */
    assert(!publication->is_ready || publication->release != NULL);
    return publication->is_ready;
}
