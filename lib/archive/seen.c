/*
 * The text of `seen`, and how two of them become one. Nothing here touches a disk.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "archive/seen.h"
#include "cluster/ledger.h"
#include "release/digest.h"

#define FIRST_LINE "h2o-breaker seen 1\n"
#define END "end "

enum {
    DIGEST_CHARS = 2 * BREAKER_DIGEST_LEN,
    END_LEN = sizeof(END) - 1 + DIGEST_CHARS + 1,
    ORDER_DIGITS = 16,
    /* "token ", an order, a token, a space and a line end */
    LINE_MAX_LEN = 6 + ORDER_DIGITS + 1 + BREAKER_TOKEN_MAX + 1,
    /* the lines before the tokens, at most */
    HEAD_MAX_LEN = 256,
};

_Static_assert(HEAD_MAX_LEN + BREAKER__ARCHIVE_TOKENS_MAX * LINE_MAX_LEN + END_LEN <
                   BREAKER__SEEN_MAX,
               "the longest text is never cut");

static bool checksum(const char *base, size_t len, char *dst)
{
    uint8_t digest[BREAKER_DIGEST_LEN];
    breaker__hasher_t hasher;
    bool is_made;

    if (breaker__hasher_init(&hasher) != 0)
        return false;
    is_made = breaker__hash(&hasher, base, len, digest) == 0;
    breaker__hasher_dispose(&hasher);
    if (is_made)
        breaker__digest_format(digest, dst);
    return is_made;
}

/* ---- writing ---- */

size_t breaker__seen_write(const breaker__archived_t *archived, char *dst)
{
    char digits[DIGEST_CHARS + 1];
    size_t len;

    assert(archived->id.len != 0);
    assert(archived->num_tokens <= BREAKER__ARCHIVE_TOKENS_MAX);
    len = (size_t)sprintf(dst,
                          FIRST_LINE "release %s\nfirst %" PRIu64 "\nlast %" PRIu64 "\nblobs %s\n",
                          archived->id.text, archived->first_seen_ms, archived->last_seen_ms,
                          archived->is_whole ? "whole" : "partial");
    for (size_t i = 0; i != archived->num_tokens; ++i)
        len += (size_t)sprintf(dst + len, "token %" PRIu64 " %s\n", archived->tokens[i].order,
                               archived->tokens[i].token.text);
    if (!checksum(dst, len, digits))
        return 0;
    len += (size_t)sprintf(dst + len, END "%s\n", digits);
    assert(len < BREAKER__SEEN_MAX);
    return len;
}

/* ---- reading ---- */

static bool skip(const char **at, const char *end, const char *literal)
{
    size_t len = strlen(literal);

    assert(*at <= end);
    if ((size_t)(end - *at) < len || memcmp(*at, literal, len) != 0)
        return false;
    *at += len;
    return true;
}

/* a number below 2^53 and the byte after it */
static bool take_number(const char **at, const char *end, char after, uint64_t *ret_number)
{
    const char *begin = *at;
    uint64_t number = 0;

    for (; *at != end && **at >= '0' && **at <= '9'; ++*at) {
        if (*at - begin == ORDER_DIGITS)
            return false;
        number = number * 10 + (uint64_t)(**at - '0');
    }
    if (*at == begin || *at == end || **at != after || number >= BREAKER__ORDER_END)
        return false;
    ++*at;
    *ret_number = number;
    return true;
}

static bool take_token(const char **at, const char *end, breaker__archived_t *archived)
{
    breaker_ledger_entry_t *entry = archived->tokens + archived->num_tokens;
    const char *newline;

    if (archived->num_tokens == BREAKER__ARCHIVE_TOKENS_MAX || !skip(at, end, "token ") ||
        !take_number(at, end, ' ', &entry->order) ||
        (newline = memchr(*at, '\n', (size_t)(end - *at))) == NULL ||
        breaker_token_parse(*at, (size_t)(newline - *at), &entry->token) != 0)
        return false;
    entry->release = archived->id;
    *at = newline + 1;
    ++archived->num_tokens;
    return true;
}

/* whether the text ends with the checksum of the rest; `*ret_end` is where the rest ends */
static bool has_checksum(const char *base, size_t len, const char **ret_end)
{
    char digits[DIGEST_CHARS + 1];
    const char *at;

    if (len < END_LEN || base[len - 1] != '\n')
        return false;
    at = *ret_end = base + len - END_LEN;
    return skip(&at, base + len, END) && checksum(base, len - END_LEN, digits) &&
           memcmp(at, digits, DIGEST_CHARS) == 0;
}

bool breaker__seen_read(const char *base, size_t len, const breaker_release_id_t *id,
                        breaker__archived_t *ret_archived)
{
    breaker__archived_t archived = {.id = *id};
    const char *at = base, *end;

    if (!has_checksum(base, len, &end) || !skip(&at, end, FIRST_LINE) ||
        !skip(&at, end, "release ") || !skip(&at, end, id->text) || !skip(&at, end, "\nfirst ") ||
        !take_number(&at, end, '\n', &archived.first_seen_ms) || !skip(&at, end, "last ") ||
        !take_number(&at, end, '\n', &archived.last_seen_ms) || !skip(&at, end, "blobs "))
        return false;
    archived.is_whole = skip(&at, end, "whole\n");
    if (!archived.is_whole && !skip(&at, end, "partial\n"))
        return false;
    while (at != end)
        if (!take_token(&at, end, &archived))
            return false;
    *ret_archived = archived;
    return true;
}

/* ---- merging ---- */

static breaker_ledger_entry_t *find_token(breaker__archived_t *archived,
                                          const breaker_token_t *token)
{
    for (size_t i = 0; i != archived->num_tokens; ++i)
        if (breaker_token_equal(&archived->tokens[i].token, token))
            return archived->tokens + i;
    return NULL;
}

static breaker_ledger_entry_t *find_oldest(breaker__archived_t *archived)
{
    breaker_ledger_entry_t *oldest = archived->tokens;

    assert(archived->num_tokens != 0);
    for (size_t i = 1; i != archived->num_tokens; ++i)
        if (archived->tokens[i].order < oldest->order)
            oldest = archived->tokens + i;
    return oldest;
}

static bool merge_token(breaker__archived_t *archived, const breaker_ledger_entry_t *entry)
{
    breaker_ledger_entry_t *known;

    if (!breaker_token_is_valid(entry->token.text, entry->token.len) ||
        entry->order >= BREAKER__ORDER_END ||
        !breaker_release_id_equal(&entry->release, &archived->id))
        return false;
    if ((known = find_token(archived, &entry->token)) != NULL) {
        if (known->order <= entry->order)
            return false;
    } else if (archived->num_tokens != BREAKER__ARCHIVE_TOKENS_MAX) {
        known = archived->tokens + archived->num_tokens++;
    } else if ((known = find_oldest(archived))->order >= entry->order) {
        return false;
    }
    *known = *entry;
    return true;
}

bool breaker__seen_merge(breaker__archived_t *archived, const breaker__archived_t *other)
{
    bool is_new = false;

    assert(breaker_release_id_equal(&archived->id, &other->id));
    assert(other->num_tokens <= BREAKER__ARCHIVE_TOKENS_MAX);
    if (other->first_seen_ms != 0 && other->first_seen_ms < BREAKER__ORDER_END &&
        (archived->first_seen_ms == 0 || other->first_seen_ms < archived->first_seen_ms)) {
        archived->first_seen_ms = other->first_seen_ms;
        is_new = true;
    }
    if (other->last_seen_ms < BREAKER__ORDER_END && other->last_seen_ms > archived->last_seen_ms)
        archived->last_seen_ms = other->last_seen_ms;
    if (other->is_whole && !archived->is_whole)
        archived->is_whole = is_new = true;
    for (size_t i = 0; i != other->num_tokens; ++i)
        is_new |= merge_token(archived, other->tokens + i);
    return is_new;
}
