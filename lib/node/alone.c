/*
 * The tokens of a node by itself: it is a cluster of one, and its agreement one that never hears
 * anybody, so that what is minted is decided by the same rules. Kept always: a token that was
 * handed out is remembered under its release, and every later one is above it.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "cluster/agreement.h"
#include "cluster/ledger.h"
#include "cluster/state.h"
#include "node/alone.h"
#include "node/node.h"
#include "node/remember.h"

static uint64_t wall_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void breaker__alone_begin(breaker_node_t *node, const breaker_release_id_t *release)
{
    breaker__alone_t *alone = &node->alone;

    assert(!breaker__mailbox_is_open(&node->mailbox));
    breaker__remember_tokens(node, release, &alone->memory);
    memcpy(alone->tokens, node->tokens, sizeof(alone->tokens));
    alone->minted = node->minted;
}

/* one view's token */
static int agree(const breaker_ledger_t *memory, const breaker_release_id_t *release,
                 const breaker_token_t *fixed, breaker_ledger_entry_t *ret_entry)
{
    breaker_agreement_config_t config;
    bool is_new;
    int err;

    breaker__agreement_config_init(&config);
    config.release = *release;
    config.fixed = *fixed;
    err = breaker__agreement_alone(&config, memory, wall_ms(), ret_entry, &is_new);
    assert(err != 0 || breaker_release_id_equal(&ret_entry->release, release));
    return err;
}

/* what the operator wants of a view's token: nothing where it is minted */
static breaker_token_t wanted_of(const breaker__alone_t *alone, size_t view,
                                 const breaker_token_t *fixed)
{
    assert(alone->tokens[view].len != 0);
    if (fixed->len != 0)
        return *fixed;
    if (breaker_token_equal(alone->tokens + view, &alone->minted))
        return (breaker_token_t){.len = 0};
    return alone->tokens[view];
}

/* the first view that had the same token, `view` itself when it is the first */
static size_t first_like(const breaker__alone_t *alone, size_t view)
{
    size_t first = 0;

    while (!breaker_token_equal(alone->tokens + first, alone->tokens + view))
        ++first;
    assert(first <= view);
    return first;
}

static void take(breaker__proposal_t *proposal, size_t view, const breaker_ledger_entry_t *entry,
                 bool is_minted)
{
    assert(view < BREAKER_VIEWS_MAX);
    assert(entry->token.len != 0);
    proposal->alone.tokens[view] = entry->token;
    breaker__ledger_add(&proposal->alone.memory, entry);
    if (is_minted)
        proposal->alone.minted = entry->token;
    /* the file has one entry in front: a minted one if there is one */
    if (is_minted || view == 0)
        proposal->own = *entry;
}

int breaker__alone_propose(const breaker_node_t *node, const breaker_release_id_t *release,
                           const breaker_token_t *fixed, breaker__proposal_t *ret_proposal)
{
    const breaker__alone_t *alone = &node->alone;
    breaker_ledger_entry_t entry;
    int err;

    assert(!breaker__mailbox_is_open(&node->mailbox));
    ret_proposal->alone = *alone;
    ret_proposal->own = (breaker_ledger_entry_t){.order = 0};
    for (size_t i = 0; i != node->num_views; ++i) {
        size_t first = fixed->len != 0 ? 0 : first_like(alone, i);
        breaker_token_t wanted = wanted_of(alone, i, fixed);

        if (first != i)
            ret_proposal->alone.tokens[i] = ret_proposal->alone.tokens[first];
        else if ((err = agree(&alone->memory, release, &wanted, &entry)) != 0)
            return err;
        else
            take(ret_proposal, i, &entry, wanted.len == 0);
    }
    return 0;
}

void breaker__alone_hand_out(breaker_node_t *node, const breaker__proposal_t *proposal)
{
    breaker_error_t error;

    /* no view is left without a token */
    assert(node->num_views == 0 || proposal->alone.tokens[node->num_views - 1].len != 0);
    node->alone = proposal->alone;
    if (proposal->own.token.len != 0)
        breaker__tell_clash(node, &proposal->own, &node->alone.memory);
    if (node->state_path == NULL || proposal->own.token.len == 0)
        return;
    if (breaker__state_save(node->state_path, &proposal->own, &node->alone.memory, &error) != 0)
        breaker__tell(node, &error);
}
