/*
 * Minting: who has a token, what a new one is called, and above what it stands. Kept always: a new
 * entry's order is above all that the ledger knows, and its token is nobody else's in it. So
 * whatever a node hands out leads forward, and no token ever names two releases that one node knows
 * of.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "cluster/agreement.h"
#include "cluster/ledger.h"
#include "cluster/mint.h"
#include "release/release_id.h"

enum {
    /* '.' and an order in decimal */
    END_MAX = 1 + 16,
};

/* Products and sums are exact in Lua's numbers too. */
static uint64_t spread_of(const breaker_release_id_t *release)
{
    uint32_t hash = 0;

    assert(release->len <= BREAKER_RELEASE_ID_MAX);
    for (size_t i = 0; i != release->len; ++i)
        hash = (hash * 131 + (unsigned char)release->text[i]) % 999983;
    return hash % BREAKER__MINT_SPREAD_END;
}

uint64_t breaker__mint_order(uint64_t clock_ms, const breaker_ledger_entry_t *newest,
                             const breaker_release_id_t *release)
{
    assert(newest == NULL || newest->order < BREAKER__ORDER_END);
    if (newest == NULL || clock_ms > newest->order)
        return clock_ms;
    return newest->order + 1 + spread_of(release);
}

/* ---- what a token is called ---- */

/* the text, cut so that the end fits, and the end */
static breaker_token_t join(const char *text, size_t len, const char *end, size_t end_len)
{
    char joined[BREAKER_TOKEN_MAX];
    breaker_token_t token = {.len = 0};
    int err;

    assert(end_len < sizeof(joined));
    if (len > sizeof(joined) - end_len)
        len = sizeof(joined) - end_len;
    memcpy(joined, text, len);
    memcpy(joined + len, end, end_len);
    err = breaker_token_parse(joined, len + end_len, &token);
    assert(err == 0);
    return token;
}

/* the operator's token and the order, "v1.1718539201234", or the minted one */
static breaker_token_t token_of(const breaker_agreement_config_t *config, uint64_t order)
{
    breaker_token_t digits = {.len = 0};
    char end[END_MAX] = ".";
    size_t num_zeros = 0;
    int err = breaker_token_mint(order, &digits);

    assert(err == 0);
    if (config->fixed.len == 0)
        return join(digits.text, digits.len, config->suffix, strlen(config->suffix));
    while (num_zeros + 1 < digits.len && digits.text[num_zeros] == '0')
        ++num_zeros;
    assert(digits.len - num_zeros < sizeof(end));
    memcpy(end + 1, digits.text + num_zeros, digits.len - num_zeros);
    return join(config->fixed.text, config->fixed.len, end, 1 + digits.len - num_zeros);
}

size_t breaker__mint_base_len(const breaker_ledger_entry_t *entry)
{
    char end[END_MAX + 1];
    size_t len = (size_t)snprintf(end, sizeof(end), ".%" PRIu64, entry->order);

    assert(len < sizeof(end));
    if (entry->token.len <= len ||
        memcmp(entry->token.text + entry->token.len - len, end, len) != 0)
        return 0;
    return entry->token.len - len;
}

bool breaker__mint_is_made_so(const breaker_agreement_config_t *config,
                              const breaker_ledger_entry_t *entry)
{
    breaker_token_t made;

    assert(entry->order < BREAKER__ORDER_END);
    if (!breaker_release_id_equal(&entry->release, &config->release))
        return false;
    if (config->fixed.len != 0 && breaker_token_equal(&entry->token, &config->fixed))
        return true;
    made = token_of(config, entry->order);
    return breaker_token_equal(&entry->token, &made);
}

/* ---- a new entry ---- */

/*
 * The operator's token was never heard of. "v1.1718539201234" is what became of "v1", which may
 * have been trimmed since: it must not come back above its successor, to which clients were
 * redirected.
 */
static bool is_fixed_new(const breaker_agreement_config_t *config, const breaker_ledger_t *ledger)
{
    const breaker_token_t *fixed = &config->fixed;
    const breaker_ledger_entry_t *mine = breaker_ledger_newest(ledger, &config->release);

    assert(fixed->len <= BREAKER_TOKEN_MAX);
    if (fixed->len == 0 || breaker__ledger_find_token(ledger, fixed) != NULL)
        return false;
    return mine == NULL || mine->token.len <= fixed->len || mine->token.text[fixed->len] != '.' ||
           memcmp(mine->token.text, fixed->text, fixed->len) != 0;
}

bool breaker__mint(const breaker_agreement_config_t *config, const breaker_ledger_t *ledger,
                   uint64_t wall_ms, breaker_ledger_entry_t *ret_entry)
{
    const breaker_ledger_entry_t *newest = breaker_ledger_newest(ledger, NULL);
    bool takes_fixed = is_fixed_new(config, ledger);
    breaker_ledger_entry_t entry = {.release = config->release};

    assert(breaker__release_id_is_valid(config->release.text, config->release.len));
    if (wall_ms >= BREAKER__ORDER_END)
        wall_ms = BREAKER__ORDER_END - 1;
    entry.order = breaker__mint_order(wall_ms, newest, &config->release);
    /* every turn meets another entry of the ledger, so there are at most 65 */
    for (; entry.order < BREAKER__ORDER_END; ++entry.order) {
        entry.token = takes_fixed ? config->fixed : token_of(config, entry.order);
        if (breaker__ledger_find_token(ledger, &entry.token) == NULL) {
            assert(newest == NULL || entry.order > newest->order);
            *ret_entry = entry;
            return true;
        }
    }
    return false;
}
