/*
 * Which tokens a view knows, and which of them are answered with bytes of this node without a
 * judgement: T and those of other releases that are held. Of the other tokens of the node's own
 * release the older ones are led to T, and a newer one is T by the next publication.
 *
 * The table is made with the snapshot and never changes. T has the first slot that it asks for. The
 * multiplier is chosen among a few so that the other tokens with bytes nearly always have theirs as
 * well: a search for one of them ends after one comparison.
 */
#include <assert.h>
#include <stdlib.h>
#include <breaker/error.h>
#include "cluster/ledger.h"
#include "serving/known.h"

enum {
    NUM_TOKENS_MAX = BREAKER_LEDGER_MAX + 1,
    SLOTS_PER_TOKEN = 2,
    /* so that a token that is not known seldom meets T, and is not compared with it */
    MIN_SLOT_BITS = 7,
    NUM_MULTIPLIERS = 32,
};

/* the tokens of a view: those with assets come first, T before all */
typedef struct st_found_t {
    size_t num, num_with_assets;
    breaker__known_token_t tokens[NUM_TOKENS_MAX];
} found_t;

static void add(found_t *found, const breaker_store_t *store, const breaker_ledger_entry_t *entry,
                const breaker_token_t *token)
{
    bool is_short = token->len < 8;

    assert(found->num < NUM_TOKENS_MAX);
    found->tokens[found->num++] = (breaker__known_token_t){
        .first =
            is_short ? breaker__load_short(token->text, token->len) : breaker__load64(token->text),
        .last = is_short ? 0 : breaker__load64(token->text + token->len - 8),
        .len = token->len,
        .text = token->text,
        .store = store,
        .entry = entry,
    };
}

/* the assets of a held release, or NULL */
static const breaker_store_t *held_store(const breaker_snapshot_t *snapshot,
                                         const breaker_snapshot_view_t *view, size_t at)
{
    const breaker_release_t *release = snapshot->entry_release[at];

    if (release == NULL || release == snapshot->release)
        return NULL;
    return breaker_release_store(release, breaker_view_index(view->view));
}

static void add_entries(found_t *found, const breaker_snapshot_t *snapshot,
                        const breaker_snapshot_view_t *view, bool with_assets)
{
    const breaker_ledger_t *ledger = &snapshot->ledger;

    for (size_t at = 0; at != breaker_ledger_size(ledger); ++at) {
        const breaker_ledger_entry_t *entry = breaker_ledger_at(ledger, at);
        const breaker_store_t *store = held_store(snapshot, view, at);
        if (entry != view->_entry && (store != NULL) == with_assets)
            add(found, store, entry, &entry->token);
    }
}

static void find(found_t *found, const breaker_snapshot_t *snapshot,
                 const breaker_snapshot_view_t *view)
{
    found->num = 0;
    add(found, view->store, view->_entry, &view->token);
    add_entries(found, snapshot, view, true);
    found->num_with_assets = found->num;
    add_entries(found, snapshot, view, false);
}

/* returns how many of the tokens with assets have another slot than their own */
static size_t place(breaker__known_t *known, const breaker__known_token_t *tokens,
                    const found_t *found)
{
    size_t num_moved = 0;

    assert(found->num < known->num_slots);
    for (size_t i = 0; i != known->num_slots; ++i)
        known->slots[i] = NULL;
    for (size_t i = 0; i != found->num; ++i) {
        size_t slot = breaker__known_slot(known, tokens[i].first, tokens[i].last);
        num_moved += i < found->num_with_assets && known->slots[slot] != NULL;
        while (known->slots[slot] != NULL)
            slot = (slot + 1) & (known->num_slots - 1);
        known->slots[slot] = tokens + i;
    }
    return num_moved;
}

static void place_well(breaker__known_t *known, const breaker__known_token_t *tokens,
                       const found_t *found)
{
    /* odd, and so are its powers */
    const uint64_t base = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t best = base;
    size_t least = SIZE_MAX;

    known->odd = base;
    for (size_t i = 0; i != NUM_MULTIPLIERS && least != 0; ++i, known->odd *= base) {
        size_t num_moved = place(known, tokens, found);
        if (num_moved >= least)
            continue;
        least = num_moved;
        best = known->odd;
    }
    known->odd = best;
    place(known, tokens, found);
    assert(known->odd % 2 == 1);
}

int breaker__known_create(const breaker_snapshot_t *snapshot, const breaker_snapshot_view_t *view,
                          breaker__known_t **ret_known)
{
    breaker__known_token_t *tokens;
    breaker__known_t *known;
    unsigned num_bits = MIN_SLOT_BITS;
    found_t found;

    find(&found, snapshot, view);
    while ((size_t)1 << num_bits < found.num * SLOTS_PER_TOKEN)
        ++num_bits;
    known = malloc(sizeof(*known) + (sizeof(known->slots[0]) << num_bits) +
                   found.num * sizeof(*tokens));
    if (known == NULL)
        return BREAKER_ERR_NO_MEMORY;
    known->num_slots = (size_t)1 << num_bits;
    known->shift = 64 - num_bits;
    tokens = (breaker__known_token_t *)(known->slots + known->num_slots);
    memcpy(tokens, found.tokens, found.num * sizeof(*tokens));
    place_well(known, tokens, &found);
    *ret_known = known;
    return 0;
}

const breaker__known_token_t *breaker__known_search(const breaker__known_t *known,
                                                    const char *token, size_t len, size_t slot)
{
    const breaker__known_token_t *found;

    for (; (found = known->slots[slot]) != NULL; slot = (slot + 1) & (known->num_slots - 1))
        if (found->len == len && breaker__same(found->text, token, len))
            return found;
    return NULL;
}

void breaker__known_free(breaker__known_t *known)
{
    free(known);
}
