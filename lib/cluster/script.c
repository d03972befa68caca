/*
 * Between the agreement's values and the script's texts. An answer comes from the network: it is
 * taken whole or not at all, and nothing in it is believed to be NUL-ended, sorted or short.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "cluster/script.h"
#include "cluster/agree.h"

enum {
    DIGEST_LEN = 40,
    /* exact in a double; longer numbers are none of ours */
    DIGITS_MAX = 16,
    ANSWER_PARTS = 4,
    /* by which liveness is judged where nobody is ever overtaken */
    DEFAULT_DEAD_MS = 30000,
};

/* ---- the command ---- */

static void add(breaker__poll_command_t *command, const char *base, size_t len)
{
    assert(command->argc < BREAKER__POLL_ARGS_MAX);
    command->argv[command->argc] = base;
    command->argv_len[command->argc++] = len;
}

static void add_text(breaker__poll_command_t *command, const char *text)
{
    add(command, text, strlen(text));
}

static void add_entry(breaker__poll_command_t *command, size_t at,
                      const breaker_ledger_entry_t *entry)
{
    int len = snprintf(command->entries[at], sizeof(command->entries[at]), "%" PRIu64 " %s %s",
                       entry->order, entry->token.text, entry->release.text);

    assert(len > 0 && (size_t)len < sizeof(command->entries[at]));
    add(command, command->entries[at], (size_t)len);
}

void breaker__poll_format(breaker__poll_command_t *command, const breaker__poller_t *poller,
                          const breaker_poll_t *poll, bool with_nodes)
{
    assert(poll->num_entries <= BREAKER_LEDGER_MAX + 1);
    command->argc = 0;
    add_text(command, "EVAL");
    add(command, breaker__agree_lua, breaker__agree_lua_len);
    add_text(command, "2");
    add_text(command, poller->ledger_key);
    add_text(command, poller->nodes_key);
    add(command, poller->agreement->release.text, poller->agreement->release.len);
    add_text(command, poller->address);
    add_text(command, poller->id);
    add_text(command, poll->may_mint ? "mint" : "settle");
    add(command, poller->agreement->fixed.text, poller->agreement->fixed.len);
    add_text(command, poller->agreement->suffix);
    snprintf(command->clock, sizeof(command->clock), "%" PRIu64, poll->wall_ms);
    add_text(command, command->clock);
    snprintf(command->dead_after, sizeof(command->dead_after), "%" PRIu32,
             poller->agreement->dead_after_ms);
    add_text(command, command->dead_after);
    add_text(command, poll->digest);
    add_text(command, with_nodes ? "nodes" : "");
    for (size_t i = 0; i != poll->num_entries; ++i)
        add_entry(command, i, poll->entries + i);
}

/* ---- the answer ---- */

/* the part of a line up to a space or, for the last, its end */
typedef struct st_line_t {
    const char *at, *end;
} line_t;

static bool take_word(line_t *line, bool is_last, const char **ret_base, size_t *ret_len)
{
    const char *base = line->at, *space = memchr(base, ' ', (size_t)(line->end - base));

    if ((space == NULL) != is_last)
        return false;
    *ret_base = base;
    *ret_len = (size_t)((is_last ? line->end : space) - base);
    line->at = is_last ? line->end : space + 1;
    return true;
}

static bool take_number(line_t *line, uint64_t *ret_number)
{
    const char *base;
    size_t len;
    uint64_t number = 0;

    if (!take_word(line, false, &base, &len) || len > DIGITS_MAX ||
        !breaker_token_is_decimal(base, len))
        return false;
    for (size_t i = 0; i != len; ++i)
        number = number * 10 + (uint64_t)(base[i] - '0');
    *ret_number = number;
    return true;
}

static bool take_token(line_t *line, bool is_last, breaker_token_t *ret_token)
{
    const char *base;
    size_t len;

    return take_word(line, is_last, &base, &len) && breaker_token_parse(base, len, ret_token) == 0;
}

static bool take_release(line_t *line, bool is_last, breaker_release_id_t *ret_release)
{
    const char *base;
    size_t len;

    return take_word(line, is_last, &base, &len) &&
           breaker_release_id_parse(base, len, ret_release) == 0;
}

static bool read_line(const breaker_reply_t *reply, line_t *ret_line)
{
    if (reply->type != BREAKER_REPLY_STRING)
        return false;
    *ret_line = (line_t){reply->base, reply->base + reply->len};
    return true;
}

static bool read_entry(const breaker_reply_t *reply, breaker_ledger_entry_t *ret_entry)
{
    line_t line;

    return read_line(reply, &line) && take_number(&line, &ret_entry->order) &&
           take_token(&line, false, &ret_entry->token) &&
           take_release(&line, true, &ret_entry->release);
}

static bool read_ledger(const breaker_reply_t *reply, breaker_answer_t *answer)
{
    answer->unchanged = reply->type == BREAKER_REPLY_NIL;
    answer->num_entries = 0;
    if (answer->unchanged)
        return true;
    if (reply->type != BREAKER_REPLY_ARRAY || reply->num_elements > BREAKER_LEDGER_MAX)
        return false;
    for (size_t i = 0; i != reply->num_elements; ++i)
        if (!read_entry(reply->elements[i], answer->entries + i))
            return false;
    answer->num_entries = reply->num_elements;
    return true;
}

static bool read_digest(const breaker_reply_t *reply, breaker_answer_t *answer)
{
    if (reply->type != BREAKER_REPLY_STRING || reply->len != DIGEST_LEN)
        return false;
    for (size_t i = 0; i != DIGEST_LEN; ++i)
        if (memchr("0123456789abcdef", reply->base[i], 16) == NULL)
            return false;
    memcpy(answer->digest, reply->base, DIGEST_LEN);
    answer->digest[DIGEST_LEN] = '\0';
    return true;
}

/* whether a node was seen lately; false as well for what no node of ours wrote */
static bool read_node(const breaker_reply_t *reply, uint64_t from_ms,
                      breaker_release_id_t *ret_release)
{
    const char *base;
    uint64_t seen_ms;
    size_t len;
    line_t line;

    return read_line(reply, &line) && take_number(&line, &seen_ms) &&
           take_release(&line, false, ret_release) && take_word(&line, false, &base, &len) &&
           take_word(&line, true, &base, &len) && seen_ms >= from_ms;
}

static void note_alive(breaker__alive_t *alive, const breaker_release_id_t *own,
                       const breaker_release_id_t *release)
{
    if (alive->num == BREAKER__ALIVE_MAX || breaker_release_id_equal(own, release))
        return;
    for (size_t i = 0; i != alive->num; ++i)
        if (breaker_release_id_equal(alive->releases + i, release))
            return;
    alive->releases[alive->num++] = *release;
}

static bool read_nodes(const breaker_reply_t *reply, const breaker__poller_t *poller,
                       uint64_t now_ms, breaker__alive_t *alive)
{
    uint64_t dead_ms =
        poller->agreement->dead_after_ms != 0 ? poller->agreement->dead_after_ms : DEFAULT_DEAD_MS;
    breaker_release_id_t release;

    if (reply->type != BREAKER_REPLY_ARRAY)
        return false;
    alive->num = 0;
    /* the newest last: they are what counts if there are too many */
    for (size_t i = reply->num_elements; i-- != 0;)
        if (read_node(reply->elements[i], now_ms > dead_ms ? now_ms - dead_ms : 0, &release))
            note_alive(alive, &poller->agreement->release, &release);
    return true;
}

bool breaker__poll_parse(const breaker_reply_t *reply, const breaker__poller_t *poller,
                         breaker_answer_t *ret_answer, breaker__alive_t *ret_alive)
{
    breaker_answer_t answer;
    breaker__alive_t alive;
    bool has_nodes;

    if (reply->type != BREAKER_REPLY_ARRAY || reply->num_elements != ANSWER_PARTS)
        return false;
    if (reply->elements[1]->type != BREAKER_REPLY_INTEGER || reply->elements[1]->integer < 0)
        return false;
    if (!read_digest(reply->elements[0], &answer) || !read_ledger(reply->elements[2], &answer))
        return false;
    has_nodes = reply->elements[3]->type != BREAKER_REPLY_NIL;
    if (has_nodes &&
        !read_nodes(reply->elements[3], poller, (uint64_t)reply->elements[1]->integer, &alive))
        return false;
    *ret_answer = answer;
    if (has_nodes)
        *ret_alive = alive;
    return true;
}
