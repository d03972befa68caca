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
    ANSWER_PARTS = 8,
    /* EVALSHA, the script, the number of keys, four keys and thirteen arguments come before the
     * entries */
    WORDS_BEFORE_ENTRIES = 7 + 13,
    /* "<last seen> <id> <release> <address> <token> <since>" */
    NODE_LINE_MAX = DIGITS_MAX + 1 + BREAKER_NODE_ID_MAX + 1 + BREAKER_RELEASE_ID_MAX + 1 +
                    BREAKER_ADVERTISE_MAX + 1 + BREAKER_TOKEN_MAX + 1 + DIGITS_MAX,
    /* "<release> <silent> <dead-after>" */
    RELEASE_LINE_MAX = BREAKER_RELEASE_ID_MAX + 1 + DIGITS_MAX + 1 + DIGITS_MAX,
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

/* what stands for no address, no token, no release and no page */
static const char NOTHING[] = "-";

/* the script's words, by breaker_why_t */
static const char *const WHY_WORDS[] = {
    [BREAKER_WHY_UNKNOWN] = "-",         [BREAKER_WHY_JOIN] = "join",
    [BREAKER_WHY_PROMOTE] = "promote",   [BREAKER_WHY_SILENCE] = "silence",
    [BREAKER_WHY_RETURN] = "return",     [BREAKER_WHY_CONFLICT] = "conflict",
    [BREAKER_WHY_OPERATOR] = "operator",
};
#define NUM_WHYS (sizeof(WHY_WORDS) / sizeof(WHY_WORDS[0]))

_Static_assert(BREAKER_SCRIPT_PAGE_MAX *(NODE_LINE_MAX + AROUND_LINE) +
                       BREAKER_SCRIPT_PAGE_MAX * (RELEASE_LINE_MAX + AROUND_LINE) +
                       BREAKER_LEDGER_MAX * (ENTRY_LINE_MAX + AROUND_LINE) + AROUND_ALL <=
                   BREAKER_REDIS_REPLY_MAX,
               "the link takes the longest answer");
_Static_assert(ANSWER_PARTS + 2 * BREAKER_SCRIPT_PAGE_MAX + BREAKER_LEDGER_MAX <=
                   BREAKER_REDIS_ELEMENTS_MAX,
               "the link takes the answer of most elements");
_Static_assert(WORDS_BEFORE_ENTRIES + BREAKER_LEDGER_MAX + 1 <= BREAKER_SCRIPT_WORDS_MAX,
               "a command has room for the entries of a poll");
_Static_assert(sizeof(((breaker_answer_t *)NULL)->digest) == DIGEST_LEN + 1,
               "an answer has room for its digest");

/* ---- the command ---- */

/* what is said, in the order of ARGV; "" where there is nothing to say */
typedef struct st_words_t {
    const char *act, *release, *address, *id, *fixed, *suffix;
    uint64_t wall_ms;
    uint32_t dead_after_ms;
    const char *digest;
    uint32_t poll_ms, fleet;
    bool with_releases;
    const char *after;
    const breaker_ledger_entry_t *entries;
    const breaker_origin_t *origins;
    size_t num_entries;
    bool is_local;
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

static void add_entry(breaker_script_command_t *command, const breaker_ledger_entry_t *entry,
                      const breaker_origin_t *origin, bool is_local)
{
    assert(origin->why < NUM_WHYS);
    if (origin->why == BREAKER_WHY_UNKNOWN)
        add(command, "%" PRIu64 " %s %s%s", entry->order, entry->token.text, entry->release.text,
            is_local ? " local" : "");
    else
        add(command, "%" PRIu64 " %s %s %s %s %" PRIu64, entry->order, entry->token.text,
            entry->release.text, WHY_WORDS[origin->why],
            origin->what.len != 0 ? origin->what.text : NOTHING, origin->when_ms);
}

static void add_key(breaker_script_command_t *command, const char *app, const char *of)
{
    add(command, BREAKER__SCRIPT_LEDGER_BEGIN "%s" BREAKER__SCRIPT_LEDGER_END "%s", app, of);
}

static void add_keys(breaker_script_command_t *command, const char *app)
{
    assert(strlen(app) <= BREAKER_APP_MAX);
    add(command, "4");
    add_key(command, app, "");
    add_key(command, app, ":nodes");
    add_key(command, app, ":state");
    add_key(command, app, ":info");
}

static void format(breaker_script_command_t *command, const char *app, const words_t *words)
{
    assert(words->num_entries <= BREAKER_LEDGER_MAX + 1);
    command->argc = 0;
    command->_len = 0;
    add(command, "EVALSHA");
    add(command, "%s", breaker__agree_lua_sha);
    add_keys(command, app);
    add(command, "%s", words->act);
    add(command, "%s", words->release);
    add(command, "%s", words->address);
    add(command, "%s", words->id);
    add(command, "%s", words->fixed);
    add(command, "%s", words->suffix);
    add(command, "%" PRIu64, words->wall_ms);
    add(command, "%" PRIu32, words->dead_after_ms);
    add(command, "%s", words->digest);
    add(command, "%" PRIu32, words->poll_ms);
    add(command, "%" PRIu32, words->fleet);
    add(command, "%s", words->with_releases ? "releases" : "");
    add(command, "%s", words->after);
    assert(command->argc == WORDS_BEFORE_ENTRIES);
    for (size_t i = 0; i != words->num_entries; ++i)
        add_entry(command, words->entries + i, words->origins + i, i == 0 && words->is_local);
    assert(command->argc == WORDS_BEFORE_ENTRIES + words->num_entries);
}

static const char *act_of(breaker__act_t act)
{
    switch (act) {
    case BREAKER__ACT_HOLD:
        return "hold";
    case BREAKER__ACT_MINT:
        return "mint";
    case BREAKER__ACT_SETTLE:
        return "settle";
    case BREAKER__ACT_PROMOTE:
        return "promote";
    }
    assert(!"an act outside its enum");
    return "";
}

static words_t words_of(const breaker__script_caller_t *caller)
{
    const breaker_agreement_config_t *agreement = caller->agreement;

    assert(agreement->release.len != 0);
    assert(caller->id[0] != '\0');
    return (words_t){
        .release = agreement->release.text,
        .address = caller->address[0] != '\0' ? caller->address : NOTHING,
        .id = caller->id,
        .fixed = agreement->fixed.text,
        .suffix = agreement->suffix,
        .dead_after_ms = agreement->dead_after_ms,
        .digest = "",
        .poll_ms = agreement->poll_ms,
        .after = NOTHING,
    };
}

void breaker__script_poll(breaker_script_command_t *command, const breaker__script_caller_t *caller,
                          const breaker__poll_t *poll, bool with_releases)
{
    words_t words = words_of(caller);

    assert(poll->digest[0] == '\0' || strlen(poll->digest) == DIGEST_LEN);
    words.act = act_of(poll->act);
    words.wall_ms = poll->wall_ms;
    words.digest = poll->digest;
    words.fleet = poll->fleet;
    words.with_releases = with_releases;
    words.entries = poll->entries;
    words.origins = poll->origins;
    words.num_entries = poll->num_entries;
    words.is_local = poll->is_local;
    format(command, caller->app, &words);
}

void breaker__script_leave(breaker_script_command_t *command,
                           const breaker__script_caller_t *caller)
{
    words_t words = words_of(caller);

    words.act = "leave";
    format(command, caller->app, &words);
}

static bool is_error(const breaker_reply_t *reply, const char *code)
{
    size_t len = strlen(code);

    return reply->type == BREAKER_REPLY_ERROR && reply->len >= len &&
           memcmp(reply->base, code, len) == 0;
}

bool breaker_script_is_missing(const breaker_reply_t *reply)
{
    return is_error(reply, "NOSCRIPT");
}

bool breaker_script_is_unnamable(const breaker_reply_t *reply)
{
    static const char command[] = "evalsha";

    return is_error(reply, "NOPERM") &&
           memmem(reply->base, reply->len, command, sizeof(command) - 1) != NULL;
}

void breaker_script_make_whole(breaker_script_command_t *command)
{
    static const char eval[] = "EVAL";

    assert(command->argc >= WORDS_BEFORE_ENTRIES);
    command->argv[0] = eval;
    command->argv_len[0] = sizeof(eval) - 1;
    command->argv[1] = breaker__agree_lua;
    command->argv_len[1] = breaker__agree_lua_len;
}

/* ---- by hand ---- */

/* without an id nobody is noted as alive */
static words_t words_by_hand(const char *release, const char *act, uint64_t wall_ms)
{
    return (words_t){
        .act = act,
        .release = release,
        .address = NOTHING,
        .id = "",
        .fixed = "",
        .suffix = "",
        .wall_ms = wall_ms,
        /* we cannot know the cluster's: with the longest one no node is forgotten because of us */
        .dead_after_ms = BREAKER_DEAD_AFTER_MAX_MS,
        .digest = "",
        .with_releases = true,
        .after = "",
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

void breaker_script_read(breaker_script_command_t *command, const char *app, const char *after)
{
    words_t words = words_by_hand("", "read", 0);

    assert(strlen(after) <= BREAKER_NODE_ID_MAX);
    words.after = after;
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

static bool take_why(line_t *line, breaker_why_t *ret_why)
{
    const char *base;
    size_t len;

    if (!take_word(line, &base, &len))
        return false;
    for (size_t i = 0; i != NUM_WHYS; ++i)
        if (strlen(WHY_WORDS[i]) == len && memcmp(WHY_WORDS[i], base, len) == 0) {
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

    if (!take_word(&rest, &base, &len) || len != 1 || base[0] != NOTHING[0])
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

static bool read_release(const breaker_reply_t *reply, breaker_script_release_t *ret_release)
{
    line_t line;

    return read_line(reply, &line) && take_release(&line, &ret_release->id) &&
           take_number(&line, &ret_release->silent_ms) &&
           take_number(&line, &ret_release->dead_after_ms) && is_over(&line);
}

static bool read_node(const breaker_reply_t *reply, breaker_script_node_t *ret_node)
{
    line_t line;

    ret_node->address[0] = '\0';
    ret_node->token = (breaker_token_t){.len = 0};
    return read_line(reply, &line) && take_number(&line, &ret_node->seen_ms) &&
           take_text(&line, ret_node->id, sizeof(ret_node->id)) &&
           take_release(&line, &ret_node->release) &&
           (take_nothing(&line) ||
            take_text(&line, ret_node->address, sizeof(ret_node->address))) &&
           (take_nothing(&line) || take_token(&line, &ret_node->token)) &&
           take_number(&line, &ret_node->since_ms) && is_over(&line);
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

static void read_nodes(const breaker_reply_t *reply, breaker_script_answer_t *answer)
{
    assert(is_page(reply));
    answer->has_nodes = reply->type != BREAKER_REPLY_NIL;
    answer->num_nodes = 0;
    for (size_t i = 0; answer->has_nodes && i != reply->num_elements; ++i)
        if (read_node(reply->elements[i], answer->nodes + answer->num_nodes))
            ++answer->num_nodes;
    assert(answer->num_nodes <= BREAKER_SCRIPT_PAGE_MAX);
    assert(answer->has_nodes || answer->num_nodes == 0);
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
    read_nodes(parts[6], ret_answer);
    strcpy(ret_answer->next, next);
    return true;
}

const char *breaker_script_why(breaker_why_t why)
{
    assert((size_t)why < NUM_WHYS);
    return WHY_WORDS[why];
}

/* ---- who lives ---- */

bool breaker_script_is_live(const breaker_script_node_t *node, uint64_t now_ms,
                            uint64_t dead_after_ms)
{
    /* what a clock that went back left in the future is live as well */
    return now_ms <= node->seen_ms || now_ms - node->seen_ms <= dead_after_ms;
}

void breaker__script_alive(const breaker_script_answer_t *answer,
                           const breaker_agreement_config_t *agreement, breaker__alive_t *ret_alive)
{
    uint32_t dead_ms = agreement->dead_after_ms;

    assert(answer->has_releases);
    if (dead_ms == 0)
        dead_ms = BREAKER_DEAD_AFTER_DEFAULT_MS;
    ret_alive->num = 0;
    for (size_t i = 0; i != answer->num_releases && ret_alive->num != BREAKER__ALIVE_MAX; ++i) {
        const breaker_script_release_t *release = answer->releases + i;
        if (release->silent_ms <= dead_ms &&
            !breaker_release_id_equal(&release->id, &agreement->release))
            ret_alive->releases[ret_alive->num++] = release->id;
    }
    assert(ret_alive->num <= BREAKER__ALIVE_MAX);
}
