/*
 * Operators name a release by what they remember of it. A text that means two is never guessed at:
 * which of them is put on top decides what every browser gets.
 */
#include <assert.h>
#include <stdbool.h>
#include <string.h>
#include "ctl/name.h"

static bool begins(const breaker_release_id_t *id, const char *text)
{
    const char *digest = breaker_release_id_digest(id);
    size_t len = strlen(text);

    return digest != NULL && len >= BREAKER__NAME_DIGEST_MIN && strncmp(digest, text, len) == 0;
}

static bool is_meant(const breaker_ledger_entry_t *entry, const char *text)
{
    const breaker_release_id_t *id = &entry->release;
    size_t len = strlen(text), label_len = breaker_release_id_label_len(id);

    if (strcmp(entry->token.text, text) == 0 || begins(id, text))
        return true;
    if (label_len == 0 || len < label_len || memcmp(id->text, text, label_len) != 0)
        return false;
    assert(text[len] == '\0');
    return len == label_len || (text[label_len] == '~' && begins(id, text + label_len + 1));
}

static bool is_listed(const breaker_release_id_t *ids, size_t num, const breaker_release_id_t *id)
{
    for (size_t i = 0; i != num; ++i)
        if (breaker_release_id_equal(ids + i, id))
            return true;
    return false;
}

size_t breaker__name_find(const breaker_ledger_t *ledger, const char *text,
                          breaker_release_id_t ret_ids[BREAKER_LEDGER_MAX])
{
    size_t num = 0;

    assert(breaker_ledger_size(ledger) <= BREAKER_LEDGER_MAX);
    for (size_t at = breaker_ledger_size(ledger); at-- != 0;) {
        const breaker_ledger_entry_t *entry = breaker_ledger_at(ledger, at);
        const breaker_release_id_t *id = &entry->release;
        if (strcmp(id->text, text) == 0) {
            ret_ids[0] = *id;
            return 1;
        }
        if (is_meant(entry, text) && !is_listed(ret_ids, num, id))
            ret_ids[num++] = *id;
    }
    return num;
}
