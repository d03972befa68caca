/*
 * The list of what a node holds: written and read here, so that one file knows its form. What is
 * read is accepted whole or not at all.
 */
#include <assert.h>
#include <string.h>
#include <breaker/error.h>
#include "peers/held.h"

enum { HEAD_LEN = sizeof(BREAKER__HELD_HEAD) - 1 };

static bool is_word(const char *base, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(base, word, len) == 0;
}

/* one line without its line feed */
static int parse_line(const char *base, size_t len, breaker__peers_held_t *ret_held)
{
    const char *space = memchr(base, ' ', len);
    breaker__peers_held_t held = {.is_complete = false};
    size_t rest;

    if (space == NULL || breaker_release_id_parse(base, (size_t)(space - base), &held.id) != 0)
        return BREAKER_ERR_DAMAGED;
    rest = len - (size_t)(space + 1 - base);
    held.is_complete = is_word(space + 1, rest, "complete");
    if (!held.is_complete && !is_word(space + 1, rest, "partial"))
        return BREAKER_ERR_DAMAGED;
    *ret_held = held;
    return 0;
}

int breaker__held_parse(const char *base, size_t len, breaker__peers_held_t *list, size_t *ret_num)
{
    const char *end = base + len, *line_end;
    size_t num = 0;

    if (len < HEAD_LEN || memcmp(base, BREAKER__HELD_HEAD, HEAD_LEN) != 0)
        return BREAKER_ERR_DAMAGED;
    for (const char *at = base + HEAD_LEN; at != end; at = line_end + 1) {
        if (num == BREAKER__PEERS_HELD_MAX ||
            (line_end = memchr(at, '\n', (size_t)(end - at))) == NULL ||
            parse_line(at, (size_t)(line_end - at), list + num) != 0)
            return BREAKER_ERR_DAMAGED;
        ++num;
    }
    *ret_num = num;
    return 0;
}

size_t breaker__held_format(const breaker__peers_held_t *list, size_t num, char *dst)
{
    char *at = dst;

    assert(num <= BREAKER__PEERS_HELD_MAX);
    memcpy(at, BREAKER__HELD_HEAD, HEAD_LEN);
    at += HEAD_LEN;
    for (size_t i = 0; i != num; ++i) {
        const char *word = list[i].is_complete ? " complete\n" : " partial\n";
        assert(list[i].id.len <= BREAKER_RELEASE_ID_MAX);
        memcpy(at, list[i].id.text, list[i].id.len);
        at = stpcpy(at + list[i].id.len, word);
    }
    assert((size_t)(at - dst) <= BREAKER__PEERS_HELD_LEN_MAX);
    return (size_t)(at - dst);
}
