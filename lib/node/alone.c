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
    for (size_t i = 0; i != node->num_views; ++i)
        if (!breaker_token_equal(node->tokens + i, &node->minted))
            alone->given[i] = node->tokens[i];
    breaker__remember_tokens(node, release, &alone->memory);
    memcpy(alone->tokens, node->tokens, sizeof(alone->tokens));
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

/* the first view to which the same was given, `view` itself when it is the first */
static size_t first_like(const breaker__alone_t *alone, size_t view)
{
    size_t first = 0;

    while (!breaker_token_equal(alone->given + first, alone->given + view))
        ++first;
    assert(first <= view);
    return first;
}

static void take(breaker__proposal_t *proposal, size_t view, const breaker_ledger_entry_t *entry)
{
    breaker__alone_t *alone = &proposal->alone;
    bool is_minted = alone->given[view].len == 0;

    assert(view < BREAKER_VIEWS_MAX);
    assert(entry->token.len != 0);
    alone->tokens[view] = entry->token;
    breaker__remember(&alone->memory, entry, alone->tokens, BREAKER_VIEWS_MAX);
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
    *ret_proposal = (breaker__proposal_t){.alone = *alone, .fixed = *fixed};
    for (size_t i = 0; fixed->len != 0 && i != node->num_views; ++i)
        ret_proposal->alone.given[i] = *fixed;
    for (size_t i = 0; i != node->num_views; ++i) {
        size_t first = first_like(&ret_proposal->alone, i);

        if (first != i) {
            ret_proposal->alone.tokens[i] = ret_proposal->alone.tokens[first];
            continue;
        }
        err = agree(&alone->memory, release, ret_proposal->alone.given + i, &entry);
        if (err != 0)
            return err;
        take(ret_proposal, i, &entry);
    }
    return 0;
}

void breaker__alone_hand_out(breaker_node_t *node, const breaker__proposal_t *proposal)
{
    breaker_error_t error;

    /* no view is left without a token */
    assert(node->num_views == 0 || proposal->alone.tokens[node->num_views - 1].len != 0);
    node->alone = proposal->alone;
    if (proposal->own.token.len != 0) {
        breaker__tell_taken(node, &proposal->fixed, &proposal->own, &node->alone.memory);
        breaker__tell_clash(node, &proposal->own, &node->alone.memory);
    }
    if (node->state_path == NULL || proposal->own.token.len == 0)
        return;
    if (breaker__state_save(node->state_path, &proposal->own, &node->alone.memory, &error) != 0)
        breaker__tell(node, &error);
}
