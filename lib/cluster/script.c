/*
 * The script's layout, which agree.lua tells at its top and this file knows beside it, nobody else:
 * a command out of values, values out of an answer. An answer comes from the network and may be
 * printed on terminals: it is taken whole or not at all, nothing in it is believed to be NUL-ended,
 * sorted or short, and what is not printable ASCII does not get past this file. A field of the poll
 * is added to `words_t` and `format`, one of the answer to its reader below.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "cluster/agreement.h"
#include "cluster/script.h"
#include "token/token.h"

enum {
    DIGEST_LEN = 40,
    /* an order or a time below 2^53 has so many digits at most */
    DIGITS_MAX = 16,
    ANSWER_PARTS = 4,
    /* EVAL, the script, the number of keys, two keys and ten arguments come before the entries */
    WORDS_BEFORE_ENTRIES = 5 + 10,
    /* "<last seen> <release> <address> <node id>", and what RESP puts around each line */
    NODE_LINE_MAX = DIGITS_MAX + 1 + BREAKER_RELEASE_ID_MAX + 1 + BREAKER_ADVERTISE_MAX + 1 +
                    BREAKER_NODE_ID_MAX,
    ENTRY_LINE_MAX = DIGITS_MAX + 1 + BREAKER_TOKEN_MAX + 1 + BREAKER_RELEASE_ID_MAX,
    AROUND_LINE = sizeof("$999\r\n\r\n") - 1,
    AROUND_ALL = 128,
};

/* longer numbers are none of ours: up to here they are exact in Lua */
static const uint64_t NUMBER_END = UINT64_C(1) << 53;

/* what stands for no address */
static const char NOWHERE[] = "-";

_Static_assert(BREAKER_SCRIPT_NODES_MAX *(NODE_LINE_MAX + AROUND_LINE) +
                       BREAKER_LEDGER_MAX * (ENTRY_LINE_MAX + AROUND_LINE) + AROUND_ALL <=
                   BREAKER_REDIS_REPLY_MAX,
               "the link takes the longest answer");
_Static_assert(ANSWER_PARTS + BREAKER_SCRIPT_NODES_MAX + BREAKER_LEDGER_MAX <=
                   BREAKER_REDIS_ELEMENTS_MAX,
               "the link takes the answer of most elements");
_Static_assert(WORDS_BEFORE_ENTRIES + BREAKER_LEDGER_MAX + 1 <= BREAKER_SCRIPT_WORDS_MAX,
               "a command has room for the entries of a poll");
_Static_assert(sizeof(((breaker_answer_t *)NULL)->digest) == DIGEST_LEN + 1,
               "an answer has room for its digest");

/* ---- the command ---- */

/* what is said, in the order of ARGV; "" where there is nothing to say */
typedef struct st_words_t {
    const char *release, *address, *id, *act, *fixed, *suffix;
    uint64_t wall_ms;
    uint32_t dead_after_ms;
    const char *digest;
    bool with_nodes;
    const breaker_ledger_entry_t *entries;
    size_t num_entries;
} words_t;

static void add_word(breaker_script_command_t *command, const char *base, size_t len)
{
    assert(command->argc < BREAKER_SCRIPT_WORDS_MAX);
    command->argv[command->argc] = base;
    command->argv_len[command->argc++] = len;
}

static void add(breaker_script_command_t *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(breaker_script_command_t *command, const char *format, ...)
{
    char *base = command->_text + command->_len;
    size_t room = sizeof(command->_text) - command->_len;
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(base, room, format, args);
    va_end(args);
    assert(len >= 0);
    assert((size_t)len < room);
    command->_len += (size_t)len + 1;
    add_word(command, base, (size_t)len);
}

static void format(breaker_script_command_t *command, const char *app, const words_t *words)
{
    assert(strlen(app) <= BREAKER_APP_MAX);
    assert(words->num_entries <= BREAKER_LEDGER_MAX + 1);
    command->argc = 0;
    command->_len = 0;
    add(command, "EVAL");
    add_word(command, breaker__agree_lua, breaker__agree_lua_len);
    add(command, "2");
    add(command, "{%s}:breaker", app);
    add(command, "{%s}:breaker:nodes", app);
    add(command, "%s", words->release);
    add(command, "%s", words->address);
    add(command, "%s", words->id);
    add(command, "%s", words->act);
    add(command, "%s", words->fixed);
    add(command, "%s", words->suffix);
    add(command, "%" PRIu64, words->wall_ms);
    add(command, "%" PRIu32, words->dead_after_ms);
    add(command, "%s", words->digest);
    add(command, "%s", words->with_nodes ? "nodes" : "");
    assert(command->argc == WORDS_BEFORE_ENTRIES);
    for (size_t i = 0; i != words->num_entries; ++i)
        add(command, "%" PRIu64 " %s %s", words->entries[i].order, words->entries[i].token.text,
            words->entries[i].release.text);
    assert(command->argc == WORDS_BEFORE_ENTRIES + words->num_entries);
}

static const char *act_of(const breaker__poll_t *poll)
{
    switch (poll->act) {
    case BREAKER__ACT_SETTLE:
        return "settle";
    case BREAKER__ACT_PROMOTE:
        return "promote";
    case BREAKER__ACT_HOLD:
    case BREAKER__ACT_MINT:
        break;
    }
    return "mint";
}

void breaker__script_poll(breaker_script_command_t *command, const breaker__script_caller_t *caller,
                          const breaker__poll_t *poll, bool with_nodes)
{
    const breaker_agreement_config_t *agreement = caller->agreement;
    const words_t words = {
        .release = agreement->release.text,
        .address = caller->address[0] != '\0' ? caller->address : NOWHERE,
        .id = caller->id,
        .act = act_of(poll),
        .fixed = agreement->fixed.text,
        .suffix = agreement->suffix,
        .wall_ms = poll->wall_ms,
        .dead_after_ms = agreement->dead_after_ms,
        .digest = poll->digest,
        .with_nodes = with_nodes,
        .entries = poll->entries,
        .num_entries = poll->num_entries,
    };

    assert(agreement->release.len != 0);
    assert(caller->id[0] != '\0');
    assert(poll->digest[0] == '\0' || strlen(poll->digest) == DIGEST_LEN);
    format(command, caller->app, &words);
}

/* ---- by hand ---- */

/* without an id nobody is noted as alive */
static words_t words_by_hand(const char *release, const char *act, uint64_t wall_ms)
{
    return (words_t){
        .release = release,
        .address = NOWHERE,
        .id = "",
        .act = act,
        .fixed = "",
        .suffix = "",
        .wall_ms = wall_ms,
        /* we cannot know the cluster's: with the longest one no node is forgotten because of us */
        .dead_after_ms = BREAKER_DEAD_AFTER_MAX_MS,
        .digest = "",
        .with_nodes = true,
    };
}

/* how the script makes a release's tokens, told by one that it has made or was given */
typedef struct st_naming_t {
    char fixed[BREAKER_TOKEN_MAX + 1];
    char suffix[BREAKER_TOKEN_MAX + 1];
} naming_t;

static naming_t naming_of(const breaker_ledger_entry_t *entry)
{
    naming_t naming = {.fixed = ""};
    size_t suffix_max = sizeof(((breaker_agreement_config_t *)NULL)->suffix) - 1;
    char digits[24];
    size_t len, text_len = entry->token.len;
    const char *text = entry->token.text;

    assert(strlen(text) == text_len);
    /* minted: the order, and perhaps a suffix */
    len = (size_t)snprintf(digits, sizeof(digits), "%012" PRIu64, entry->order);
    if (strncmp(text, digits, len) == 0 && (text[len] == '\0' || text[len] == '-') &&
        text_len - len <= suffix_max) {
        strcpy(naming.suffix, text + len);
        return naming;
    }
    /* the operator's, and perhaps the order of a later entry of the same token */
    strcpy(naming.fixed, text);
    len = (size_t)snprintf(digits, sizeof(digits), ".%" PRIu64, entry->order);
    if (text_len > len && strcmp(text + text_len - len, digits) == 0)
        naming.fixed[text_len - len] = '\0';
    assert(naming.fixed[0] != '\0');
    assert(naming.suffix[0] == '\0');
    return naming;
}

void breaker_script_read(breaker_script_command_t *command, const char *app)
{
    const words_t words = words_by_hand("", "", 0);

    format(command, app, &words);
}

void breaker_script_promote(breaker_script_command_t *command, const char *app,
                            const breaker_release_id_t *release,
                            const breaker_ledger_entry_t *newest, uint64_t wall_ms)
{
    words_t words = words_by_hand(release->text, "promote", wall_ms);
    naming_t naming = {.fixed = ""};

    assert(release->len != 0);
    assert(newest == NULL || breaker_release_id_equal(&newest->release, release));
    if (newest != NULL)
        naming = naming_of(newest);
    words.fixed = naming.fixed;
    words.suffix = naming.suffix;
    format(command, app, &words);
}

void breaker_script_enter(breaker_script_command_t *command, const char *app,
                          const breaker_release_id_t *release, uint64_t wall_ms)
{
    const words_t words = words_by_hand(release->text, "mint", wall_ms);

    assert(release->len != 0);
    format(command, app, &words);
}

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

static bool read_entry(const breaker_reply_t *reply, breaker_ledger_entry_t *ret_entry)
{
    line_t line;

    return read_line(reply, &line) && take_number(&line, &ret_entry->order) &&
           take_token(&line, &ret_entry->token) && take_release(&line, &ret_entry->release) &&
           is_over(&line);
}

static bool read_node(const breaker_reply_t *reply, breaker_script_node_t *ret_node)
{
    line_t line;

    if (!read_line(reply, &line) || !take_number(&line, &ret_node->seen_ms) ||
        !take_release(&line, &ret_node->release) ||
        !take_text(&line, ret_node->address, sizeof(ret_node->address)) ||
        !take_text(&line, ret_node->id, sizeof(ret_node->id)) || !is_over(&line))
        return false;
    if (strcmp(ret_node->address, NOWHERE) == 0)
        ret_node->address[0] = '\0';
    return true;
}

/* ---- parts of the answer ---- */

static bool read_digest(const breaker_reply_t *reply, breaker_answer_t *ret_ledger)
{
    if (reply->type != BREAKER_REPLY_STRING || reply->len != DIGEST_LEN)
        return false;
    for (size_t i = 0; i != DIGEST_LEN; ++i)
        if (memchr("0123456789abcdef", reply->base[i], 16) == NULL)
            return false;
    memcpy(ret_ledger->digest, reply->base, DIGEST_LEN);
    ret_ledger->digest[DIGEST_LEN] = '\0';
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
        if (!read_entry(reply->elements[i], ret_ledger->entries + i))
            return false;
    ret_ledger->num_entries = reply->num_elements;
    return true;
}

static bool is_list_of_nodes(const breaker_reply_t *reply)
{
    return reply->type == BREAKER_REPLY_NIL ||
           (reply->type == BREAKER_REPLY_ARRAY && reply->num_elements <= BREAKER_SCRIPT_NODES_MAX);
}

/* cannot fail any more, so it writes to where the nodes belong */
static void read_nodes(const breaker_reply_t *reply, breaker_script_answer_t *answer)
{
    assert(is_list_of_nodes(reply));
    answer->has_nodes = reply->type != BREAKER_REPLY_NIL;
    answer->num_nodes = 0;
    for (size_t i = 0; answer->has_nodes && i != reply->num_elements; ++i)
        if (read_node(reply->elements[i], answer->nodes + answer->num_nodes))
            ++answer->num_nodes;
    assert(answer->num_nodes <= BREAKER_SCRIPT_NODES_MAX);
    assert(answer->has_nodes || answer->num_nodes == 0);
}

bool breaker_script_parse(const breaker_reply_t *reply, breaker_script_answer_t *ret_answer)
{
    const breaker_reply_t *clock, *nodes;
    breaker_answer_t ledger = {.fleet = 0};

    if (reply->type != BREAKER_REPLY_ARRAY || reply->num_elements != ANSWER_PARTS)
        return false;
    clock = reply->elements[1];
    nodes = reply->elements[3];
    if (clock->type != BREAKER_REPLY_INTEGER || clock->integer < 0)
        return false;
    if (!read_digest(reply->elements[0], &ledger) || !read_ledger(reply->elements[2], &ledger) ||
        !is_list_of_nodes(nodes))
        return false;
    ledger.now_ms = (uint64_t)clock->integer;
    ret_answer->now_ms = (uint64_t)clock->integer;
    ret_answer->ledger = ledger;
    read_nodes(nodes, ret_answer);
    return true;
}

/* ---- who lives ---- */

bool breaker_script_is_live(const breaker_script_node_t *node, uint64_t now_ms,
                            uint64_t dead_after_ms)
{
    /* what a clock that went back left in the future is live as well */
    return now_ms <= node->seen_ms || now_ms - node->seen_ms <= dead_after_ms;
}

static void note_alive(breaker__alive_t *alive, const breaker_release_id_t *release)
{
    for (size_t i = 0; i != alive->num; ++i)
        if (breaker_release_id_equal(alive->releases + i, release))
            return;
    assert(alive->num < BREAKER__ALIVE_MAX);
    alive->releases[alive->num++] = *release;
}

void breaker__script_alive(const breaker_script_answer_t *answer,
                           const breaker_agreement_config_t *agreement, breaker__alive_t *ret_alive)
{
    uint32_t dead_ms = agreement->dead_after_ms;

    assert(answer->has_nodes);
    assert(answer->num_nodes <= BREAKER_SCRIPT_NODES_MAX);
    if (dead_ms == 0)
        dead_ms = BREAKER_DEAD_AFTER_DEFAULT_MS;
    ret_alive->num = 0;
    /* those seen last count if there are too many */
    for (size_t i = answer->num_nodes; i-- != 0 && ret_alive->num != BREAKER__ALIVE_MAX;) {
        const breaker_script_node_t *node = answer->nodes + i;
        if (breaker_script_is_live(node, answer->now_ms, dead_ms) &&
            !breaker_release_id_equal(&node->release, &agreement->release))
            note_alive(ret_alive, &node->release);
    }
}
