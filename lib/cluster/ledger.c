/*
 * The ledger: at most 64 entries, sorted by their order, with an index over the tokens so that a
 * request's token is found in the same time however long the history is. The result does not depend
 * on the order in which the entries were given: every node that hears of the same entries holds the
 * same ledger.
 */
#include <assert.h>
#include <string.h>
#include <breaker/error.h>
#include <breaker/ledger.h>
#include "cluster/ledger.h"
#include "release/release_id.h"
#include "words.h"

enum {
    SLOT_BITS = 7,
    NUM_SLOTS = 1 << SLOT_BITS,
};

_Static_assert(NUM_SLOTS >= 2 * BREAKER_LEDGER_MAX, "a search ends soon, at an empty slot");
_Static_assert(BREAKER_LEDGER_MAX < UINT8_MAX, "a slot holds the number of an entry");
_Static_assert(BREAKER_LEDGER_SHARED_MAX < BREAKER_LEDGER_MAX,
               "a node's own entry has room beside all that Redis has");

/* words, not bytes: a byte at a time would take longer than the rest of a classification */
static size_t slot_of(const char *token, size_t len)
{
    const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t hash = len;
    size_t at = 0;

    for (; at + 8 <= len; at += 8) {
        hash = (hash ^ breaker__load64(token + at)) * odd;
        hash ^= hash >> 32;
    }
    hash = (hash ^ breaker__load_short(token + at, len - at)) * odd;
    return (size_t)(hash >> (64 - SLOT_BITS));
}

/* bytewise, a proper prefix first: the order where nothing else decides */
static int compare_bytes(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

int breaker__ledger_entry_compare(const breaker_ledger_entry_t *a, const breaker_ledger_entry_t *b)
{
    int order;

    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    order = compare_bytes(a->token.text, a->token.len, b->token.text, b->token.len);
    if (order != 0)
        return order;
    return compare_bytes(a->release.text, a->release.len, b->release.text, b->release.len);
}

static int check_entry(const breaker_ledger_entry_t *entry)
{
    if (!breaker_token_is_valid(entry->token.text, entry->token.len))
        return BREAKER_ERR_TOKEN_SYNTAX;
    if (!breaker__release_id_is_valid(entry->release.text, entry->release.len))
        return BREAKER_ERR_RELEASE_SYNTAX;
    return entry->order < BREAKER__ORDER_END ? 0 : BREAKER_ERR_RANGE;
}

/* whether no other entry with this token comes before it; of two equal ones the first counts */
static bool is_birth(const breaker_ledger_entry_t *entries, size_t num, size_t at)
{
    assert(at < num);
    for (size_t i = 0; i != num; ++i) {
        if (i == at || !breaker_token_equal(&entries[i].token, &entries[at].token))
            continue;
        int order = breaker__ledger_entry_compare(&entries[i], &entries[at]);
        if (order < 0 || (order == 0 && i < at))
            return false;
    }
    return true;
}

static void copy_entry(breaker_ledger_entry_t *dst, const breaker_ledger_entry_t *src)
{
    int err;

    dst->order = src->order;
    err = breaker_token_parse(src->token.text, src->token.len, &dst->token);
    assert(err == 0);
    err = breaker_release_id_parse(src->release.text, src->release.len, &dst->release);
    assert(err == 0);
}

/* keeps the entries sorted; a full ledger loses its oldest */
static void insert_entry(breaker_ledger_t *ledger, const breaker_ledger_entry_t *entry)
{
    breaker_ledger_entry_t *entries = ledger->_entries;
    size_t at = ledger->_num;

    while (at != 0 && breaker__ledger_entry_compare(entry, &entries[at - 1]) < 0)
        --at;
    if (ledger->_num < BREAKER_LEDGER_MAX) {
        memmove(entries + at + 1, entries + at, (ledger->_num - at) * sizeof(*entries));
        ++ledger->_num;
    } else {
        if (at == 0)
            return;
        --at;
        memmove(entries, entries + 1, at * sizeof(*entries));
    }
    copy_entry(entries + at, entry);
    assert(ledger->_num <= BREAKER_LEDGER_MAX);
    assert(at == 0 || breaker__ledger_entry_compare(&entries[at - 1], &entries[at]) < 0);
    assert(at + 1 == ledger->_num ||
           breaker__ledger_entry_compare(&entries[at], &entries[at + 1]) < 0);
}

static void remove_entry(breaker_ledger_t *ledger, size_t at)
{
    breaker_ledger_entry_t *entries = ledger->_entries;

    assert(at < ledger->_num);
    --ledger->_num;
    memmove(entries + at, entries + at + 1, (ledger->_num - at) * sizeof(*entries));
}

static void index_entries(breaker_ledger_t *ledger)
{
    assert(ledger->_num <= BREAKER_LEDGER_MAX);
    memset(ledger->_slots, 0, sizeof(ledger->_slots));
    for (size_t i = 0; i != ledger->_num; ++i) {
        const breaker_token_t *token = &ledger->_entries[i].token;
        size_t slot = slot_of(token->text, token->len);
        while (ledger->_slots[slot] != 0)
            slot = (slot + 1) % NUM_SLOTS;
        ledger->_slots[slot] = (uint8_t)(i + 1);
    }
}

int breaker_ledger_init(breaker_ledger_t *ledger, const breaker_ledger_entry_t *entries, size_t num)
{
    int err;

    for (size_t i = 0; i != num; ++i)
        if ((err = check_entry(entries + i)) != 0)
            return err;
    memset(ledger, 0, sizeof(*ledger));
    for (size_t i = 0; i != num; ++i)
        if (is_birth(entries, num, i))
            insert_entry(ledger, entries + i);
    assert(ledger->_num <= num);
    /* one token at least is born first */
    assert(num == 0 || ledger->_num != 0);
    index_entries(ledger);
    return 0;
}

static bool is_kept(const breaker_ledger_entry_t *entry, const breaker_ledger_t *kept)
{
    return breaker__ledger_find(kept, entry->token.text, entry->token.len) != NULL;
}

/* false where the new entry would be the one that goes */
static bool make_room(breaker_ledger_t *ledger, const breaker_ledger_entry_t *entry,
                      const breaker_ledger_t *kept)
{
    size_t oldest = 0;

    assert(ledger->_num == BREAKER_LEDGER_MAX);
    while (oldest != ledger->_num && is_kept(ledger->_entries + oldest, kept))
        ++oldest;
    if (oldest == ledger->_num)
        return false;
    if (!is_kept(entry, kept) &&
        breaker__ledger_entry_compare(entry, ledger->_entries + oldest) < 0)
        return false;
    remove_entry(ledger, oldest);
    return true;
}

bool breaker__ledger_add_beside(breaker_ledger_t *ledger, const breaker_ledger_entry_t *entry,
                                const breaker_ledger_t *kept)
{
    const breaker_ledger_entry_t *known;

    if (check_entry(entry) != 0)
        return false;
    known = breaker__ledger_find(ledger, entry->token.text, entry->token.len);
    if (known != NULL) {
        if (!breaker_release_id_equal(&known->release, &entry->release) ||
            known->order <= entry->order)
            return false;
        remove_entry(ledger, (size_t)(known - ledger->_entries));
    } else if (ledger->_num == BREAKER_LEDGER_MAX && !make_room(ledger, entry, kept)) {
        return false;
    }
    insert_entry(ledger, entry);
    index_entries(ledger);
    assert(breaker__ledger_find(ledger, entry->token.text, entry->token.len) != NULL);
    return true;
}

bool breaker__ledger_add(breaker_ledger_t *ledger, const breaker_ledger_entry_t *entry)
{
    const breaker_ledger_t none = {._num = 0};

    return breaker__ledger_add_beside(ledger, entry, &none);
}

const breaker_ledger_entry_t *breaker_ledger_newest(const breaker_ledger_t *ledger,
                                                    const breaker_release_id_t *release)
{
    assert(ledger->_num <= BREAKER_LEDGER_MAX);
    for (size_t at = ledger->_num; at-- != 0;)
        if (release == NULL || breaker_release_id_equal(&ledger->_entries[at].release, release))
            return ledger->_entries + at;
    return NULL;
}

size_t breaker_ledger_size(const breaker_ledger_t *ledger)
{
    return ledger->_num;
}

const breaker_ledger_entry_t *breaker_ledger_at(const breaker_ledger_t *ledger, size_t at)
{
    assert(at < ledger->_num);
    return ledger->_entries + at;
}

const breaker_ledger_entry_t *breaker__ledger_find(const breaker_ledger_t *ledger,
                                                   const char *token, size_t len)
{
    if (len == 0 || len > BREAKER_TOKEN_MAX)
        return NULL;
    for (size_t slot = slot_of(token, len); ledger->_slots[slot] != 0;
         slot = (slot + 1) % NUM_SLOTS) {
        const breaker_ledger_entry_t *entry = ledger->_entries + ledger->_slots[slot] - 1;
        if (entry->token.len == len && breaker__same(entry->token.text, token, len))
            return entry;
    }
    return NULL;
}

const breaker_ledger_entry_t *breaker__ledger_find_token(const breaker_ledger_t *ledger,
                                                         const breaker_token_t *token)
{
    return breaker__ledger_find(ledger, token->text, token->len);
}

const breaker_ledger_entry_t *breaker__ledger_find_clash(const breaker_ledger_t *ledger,
                                                         const breaker_release_id_t *release)
{
    assert(ledger->_num <= BREAKER_LEDGER_MAX);
    for (size_t at = ledger->_num; at-- != 0;)
        if (breaker__release_id_clashes(&ledger->_entries[at].release, release))
            return ledger->_entries + at;
    return NULL;
}
