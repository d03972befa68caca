/*
 * What the scripts answer, read. An answer comes from the network and may be printed on terminals:
 * it is taken whole or not at all, nothing in it is believed to be NUL-ended, sorted or short, and
 * what is not printable ASCII does not get past this file. A field of the answer is added to its
 * reader here; its layout stands at the top of agree.lua and members.lua.
 */
#include <assert.h>
#include <string.h>
#include "cluster/agreement.h"
#include "cluster/script.h"
#include "token/token.h"

enum {
    /* an order or a time below 2^53 has so many digits at most */
    DIGITS_MAX = 16,
    ANSWER_PARTS = 8,
    MEMBERS_PARTS = 5,
    /* "<last seen> <id> <release> <address> <token> <since>" */
    NODE_LINE_MAX = DIGITS_MAX + 1 + BREAKER_NODE_ID_MAX + 1 + BREAKER_RELEASE_ID_MAX + 1 +
                    BREAKER_ADVERTISE_MAX + 1 + BREAKER_TOKEN_MAX + 1 + DIGITS_MAX,
    /* "<release> <silent> <dead-after> <address>" */
    RELEASE_LINE_MAX =
        BREAKER_RELEASE_ID_MAX + 1 + DIGITS_MAX + 1 + DIGITS_MAX + 1 + BREAKER_ADVERTISE_MAX,
    /* "<order> <token> <release> <why> <what> <when>" */
    WHY_MAX = 8,
    ENTRY_LINE_MAX = DIGITS_MAX + 1 + BREAKER_TOKEN_MAX + 1 + BREAKER_RELEASE_ID_MAX + 1 + WHY_MAX +
                     1 + BREAKER_RELEASE_ID_MAX + 1 + DIGITS_MAX,
    /* what RESP puts around each line, and around all of them */
    AROUND_LINE = sizeof("$999\r\n\r\n") - 1,
    AROUND_ALL = 128,
};

/* longer numbers are none of ours: up to here they are exact in Lua */
static const uint64_t NUMBER_END = UINT64_C(1) << 53;

_Static_assert(BREAKER_SCRIPT_PAGE_MAX *(NODE_LINE_MAX + AROUND_LINE) +
                       BREAKER_SCRIPT_PAGE_MAX * (RELEASE_LINE_MAX + AROUND_LINE) +
                       BREAKER_LEDGER_MAX * (ENTRY_LINE_MAX + AROUND_LINE) + AROUND_ALL <=
                   BREAKER_REDIS_REPLY_MAX,
               "the link takes the longest answer");
_Static_assert(ANSWER_PARTS + 2 * BREAKER_SCRIPT_PAGE_MAX + BREAKER_LEDGER_MAX <=
                   BREAKER_REDIS_ELEMENTS_MAX,
               "the link takes the answer of most elements");
_Static_assert(sizeof(((breaker_answer_t *)NULL)->digest) == BREAKER__SCRIPT_DIGEST_LEN + 1,
               "an answer has room for its digest");

/* ---- lines of the answer ---- */

/* words with one space between each two of them; `at` is NULL after the last */
typedef struct st_line_t {
    const char *at, *end;
} line_t;

static bool take_word(line_t *line, const char **ret_base, size_t *ret_len)
{
    const char *base = line->at, *space;

    if (base == NULL)
        return false;
    assert(base <= line->end);
    space = memchr(base, ' ', (size_t)(line->end - base));
    *ret_base = base;
    *ret_len = (size_t)((space != NULL ? space : line->end) - base);
    line->at = space != NULL ? space + 1 : NULL;
    return true;
}

static bool is_over(const line_t *line)
{
    return line->at == NULL;
}

static bool take_number(line_t *line, uint64_t *ret_number)
{
    const char *base;
    size_t len;
    uint64_t number = 0;

    if (!take_word(line, &base, &len) || len > DIGITS_MAX || !breaker__token_is_decimal(base, len))
        return false;
    for (size_t i = 0; i != len; ++i)
        number = number * 10 + (uint64_t)(base[i] - '0');
    *ret_number = number;
    return number < NUMBER_END;
}

static bool take_token(line_t *line, breaker_token_t *ret_token)
{
    const char *base;
    size_t len;

    return take_word(line, &base, &len) && breaker_token_parse(base, len, ret_token) == 0;
}

static bool take_release(line_t *line, breaker_release_id_t *ret_release)
{
    const char *base;
    size_t len;

    return take_word(line, &base, &len) && breaker_release_id_parse(base, len, ret_release) == 0;
}

/* any other word, which must fit with its NUL */
static bool take_text(line_t *line, char *dst, size_t size)
{
    const char *base;
    size_t len;

    if (!take_word(line, &base, &len) || len == 0 || len >= size)
        return false;
    for (size_t i = 0; i != len; ++i)
        if (base[i] <= ' ' || base[i] > '~')
            return false;
    memcpy(dst, base, len);
    dst[len] = '\0';
    return true;
}

static bool read_line(const breaker_reply_t *reply, line_t *ret_line)
{
    if (reply->type != BREAKER_REPLY_STRING)
        return false;
    *ret_line = (line_t){reply->base, reply->base + reply->len};
    return true;
}

static bool is_text(const char *base, size_t len, const char *text)
{
    return strlen(text) == len && memcmp(text, base, len) == 0;
}

static bool take_why(line_t *line, breaker_why_t *ret_why)
{
    const char *base;
    size_t len;

    if (!take_word(line, &base, &len))
        return false;
    for (size_t i = 0; i != BREAKER__SCRIPT_NUM_WHYS; ++i)
        if (is_text(base, len, breaker_script_why((breaker_why_t)i))) {
            *ret_why = (breaker_why_t)i;
            return true;
        }
    return false;
}

/* the word, or "-" for none, which is left zeroed */
static bool take_nothing(line_t *line)
{
    line_t rest = *line;
    const char *base;
    size_t len;

    if (!take_word(&rest, &base, &len) || !is_text(base, len, BREAKER__SCRIPT_NOTHING))
        return false;
    *line = rest;
    return true;
}

static bool read_origin(line_t *line, breaker_origin_t *ret_origin)
{
    *ret_origin = (breaker_origin_t){.why = BREAKER_WHY_UNKNOWN};
    return take_why(line, &ret_origin->why) &&
           (take_nothing(line) || take_release(line, &ret_origin->what)) &&
           take_number(line, &ret_origin->when_ms);
}

static bool read_entry(const breaker_reply_t *reply, breaker_ledger_entry_t *ret_entry,
                       breaker_origin_t *ret_origin)
{
    line_t line;

    return read_line(reply, &line) && take_number(&line, &ret_entry->order) &&
           take_token(&line, &ret_entry->token) && take_release(&line, &ret_entry->release) &&
           read_origin(&line, ret_origin) && is_over(&line);
}

/* "" where there is none; there is room for the longest */
static bool take_address(line_t *line, char *dst)
{
    dst[0] = '\0';
    return take_nothing(line) || take_text(line, dst, BREAKER_ADVERTISE_MAX + 1);
}

static bool read_release(const breaker_reply_t *reply, breaker_script_release_t *ret_release)
{
    line_t line;

    return read_line(reply, &line) && take_release(&line, &ret_release->id) &&
           take_number(&line, &ret_release->silent_ms) &&
           take_number(&line, &ret_release->dead_after_ms) &&
           take_address(&line, ret_release->address) && is_over(&line);
}

static bool read_node(const breaker_reply_t *reply, breaker_script_node_t *ret_node)
{
    line_t line;

    ret_node->token = (breaker_token_t){.len = 0};
    return read_line(reply, &line) && take_number(&line, &ret_node->seen_ms) &&
           take_text(&line, ret_node->id, sizeof(ret_node->id)) &&
           take_release(&line, &ret_node->release) && take_address(&line, ret_node->address) &&
           (take_nothing(&line) || take_token(&line, &ret_node->token)) &&
           take_number(&line, &ret_node->since_ms) && is_over(&line);
}

/* ---- parts of the answer ---- */

static bool is_hex(const char *base, size_t len)
{
    for (size_t i = 0; i != len; ++i)
        if (memchr("0123456789abcdef", base[i], 16) == NULL)
            return false;
    return true;
}

static bool read_digest(const breaker_reply_t *reply, breaker_answer_t *ret_ledger)
{
    if (reply->type != BREAKER_REPLY_STRING || reply->len != BREAKER__SCRIPT_DIGEST_LEN ||
        !is_hex(reply->base, reply->len))
        return false;
    memcpy(ret_ledger->digest, reply->base, BREAKER__SCRIPT_DIGEST_LEN);
    ret_ledger->digest[BREAKER__SCRIPT_DIGEST_LEN] = '\0';
    return true;
}

static bool read_number(const breaker_reply_t *reply, uint64_t max, uint64_t *ret_number)
{
    if (reply->type != BREAKER_REPLY_INTEGER || reply->integer < 0 ||
        (uint64_t)reply->integer > max)
        return false;
    *ret_number = (uint64_t)reply->integer;
    return true;
}

static bool read_pace(const breaker_reply_t *fleet, const breaker_reply_t *interval,
                      breaker_answer_t *ret_ledger)
{
    uint64_t number, interval_ms;

    if (!read_number(fleet, UINT32_MAX, &number) ||
        !read_number(interval, UINT32_MAX, &interval_ms))
        return false;
    ret_ledger->fleet = (uint32_t)number;
    ret_ledger->interval_ms = (uint32_t)interval_ms;
    return true;
}

static bool read_ledger(const breaker_reply_t *reply, breaker_answer_t *ret_ledger)
{
    ret_ledger->unchanged = reply->type == BREAKER_REPLY_NIL;
    ret_ledger->num_entries = 0;
    if (ret_ledger->unchanged)
        return true;
    if (reply->type != BREAKER_REPLY_ARRAY || reply->num_elements > BREAKER_LEDGER_MAX)
        return false;
    for (size_t i = 0; i != reply->num_elements; ++i)
        if (!read_entry(reply->elements[i], ret_ledger->entries + i, ret_ledger->origins + i))
            return false;
    ret_ledger->num_entries = reply->num_elements;
    return true;
}

static bool is_page(const breaker_reply_t *reply)
{
    return reply->type == BREAKER_REPLY_NIL ||
           (reply->type == BREAKER_REPLY_ARRAY && reply->num_elements <= BREAKER_SCRIPT_PAGE_MAX);
}

/* these two cannot fail any more, so they write to where lists belong */

static void read_releases(const breaker_reply_t *reply, breaker_script_answer_t *answer)
{
    assert(is_page(reply));
    answer->has_releases = reply->type != BREAKER_REPLY_NIL;
    answer->num_releases = 0;
    for (size_t i = 0; answer->has_releases && i != reply->num_elements; ++i)
        if (read_release(reply->elements[i], answer->releases + answer->num_releases))
            ++answer->num_releases;
    assert(answer->num_releases <= BREAKER_SCRIPT_PAGE_MAX);
}

static size_t read_nodes(const breaker_reply_t *reply,
                         breaker_script_node_t nodes[BREAKER_SCRIPT_PAGE_MAX])
{
    size_t num = 0;

    assert(is_page(reply));
    for (size_t i = 0; reply->type != BREAKER_REPLY_NIL && i != reply->num_elements; ++i)
        if (read_node(reply->elements[i], nodes + num))
            ++num;
    assert(num <= BREAKER_SCRIPT_PAGE_MAX);
    return num;
}

static bool read_next(const breaker_reply_t *reply, char ret_next[BREAKER_NODE_ID_MAX + 1])
{
    line_t line;

    ret_next[0] = '\0';
    if (!read_line(reply, &line))
        return false;
    return reply->len == 0 ||
           (take_text(&line, ret_next, BREAKER_NODE_ID_MAX + 1) && is_over(&line));
}

bool breaker_script_parse(const breaker_reply_t *reply, breaker_script_answer_t *ret_answer)
{
    breaker_reply_t *const *parts = reply->elements;
    breaker_answer_t ledger;
    char next[BREAKER_NODE_ID_MAX + 1];

    if (reply->type != BREAKER_REPLY_ARRAY || reply->num_elements != ANSWER_PARTS)
        return false;
    if (!read_digest(parts[0], &ledger) || !read_number(parts[1], INT64_MAX, &ledger.now_ms) ||
        !read_pace(parts[2], parts[3], &ledger) || !read_ledger(parts[4], &ledger) ||
        !is_page(parts[5]) || !is_page(parts[6]) || !read_next(parts[7], next))
        return false;
    ret_answer->ledger = ledger;
    read_releases(parts[5], ret_answer);
    ret_answer->has_nodes = parts[6]->type != BREAKER_REPLY_NIL;
    ret_answer->num_nodes = read_nodes(parts[6], ret_answer->nodes);
    strcpy(ret_answer->next, next);
    return true;
}

/* ---- keys ---- */

/* "" for none, where that may be */
static bool read_key(const breaker_reply_t *reply, bool may_lack,
                     char ret_key[BREAKER__SCRIPT_KEY_LEN + 1])
{
    if (reply->type != BREAKER_REPLY_STRING || !is_hex(reply->base, reply->len))
        return false;
    if (reply->len != BREAKER__SCRIPT_KEY_LEN && !(may_lack && reply->len == 0))
        return false;
    memcpy(ret_key, reply->base, reply->len);
    ret_key[reply->len] = '\0';
    return true;
}

bool breaker__script_parse_members(const breaker_reply_t *reply,
                                   breaker__script_members_t *ret_members)
{
    breaker_reply_t *const *parts = reply->elements;
    char next[BREAKER_NODE_ID_MAX + 1];
    breaker__script_keys_t keys;
    uint64_t now_ms;

    if (reply->type != BREAKER_REPLY_ARRAY || reply->num_elements != MEMBERS_PARTS)
        return false;
    if (!read_number(parts[0], INT64_MAX, &now_ms) || !read_key(parts[1], false, keys.key) ||
        !read_key(parts[2], true, keys.before) || !is_page(parts[3]) || !read_next(parts[4], next))
        return false;
    ret_members->now_ms = now_ms;
    ret_members->keys = keys;
    ret_members->num_nodes = read_nodes(parts[3], ret_members->nodes);
    strcpy(ret_members->next, next);
    return true;
}
