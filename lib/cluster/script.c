/*
 * The commands of the scripts, out of values. The layout stands at the top of agree.lua and
 * members.lua; beside them this file and script_answer.c know it, nobody else. A field of the poll
 * is added to `words_t` and `format`.
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
    /* EVALSHA, the script, the number of keys, four keys and thirteen arguments come before the
     * entries */
    WORDS_BEFORE_ENTRIES = 7 + 13,
};

/* the script's words, by breaker_why_t */
static const char *const WHY_WORDS[] = {
    [BREAKER_WHY_UNKNOWN] = "-",         [BREAKER_WHY_JOIN] = "join",
    [BREAKER_WHY_PROMOTE] = "promote",   [BREAKER_WHY_SILENCE] = "silence",
    [BREAKER_WHY_RETURN] = "return",     [BREAKER_WHY_CONFLICT] = "conflict",
    [BREAKER_WHY_OPERATOR] = "operator",
};

_Static_assert(sizeof(WHY_WORDS) / sizeof(WHY_WORDS[0]) == BREAKER__SCRIPT_NUM_WHYS,
               "every reason has a word");
_Static_assert(WORDS_BEFORE_ENTRIES + BREAKER_LEDGER_MAX + 1 <= BREAKER_SCRIPT_WORDS_MAX,
               "a command has room for the entries of a poll");

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
    assert(origin->why < BREAKER__SCRIPT_NUM_WHYS);
    if (origin->why == BREAKER_WHY_UNKNOWN)
        add(command, "%" PRIu64 " %s %s%s", entry->order, entry->token.text, entry->release.text,
            is_local ? " local" : "");
    else
        add(command, "%" PRIu64 " %s %s %s %s %" PRIu64, entry->order, entry->token.text,
            entry->release.text, WHY_WORDS[origin->why],
            origin->what.len != 0 ? origin->what.text : BREAKER__SCRIPT_NOTHING, origin->when_ms);
}

static void add_key(breaker_script_command_t *command, const char *app, const char *of)
{
    add(command, BREAKER__SCRIPT_LEDGER_BEGIN "%s" BREAKER__SCRIPT_LEDGER_END "%s", app, of);
}

/* begins the command of a script */
static void begin(breaker_script_command_t *command, const char *script, size_t script_len,
                  const char *sha)
{
    command->argc = 0;
    command->_len = 0;
    command->_script = script;
    command->_script_len = script_len;
    add(command, "EVALSHA");
    add(command, "%s", sha);
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
    begin(command, breaker__agree_lua, breaker__agree_lua_len, breaker__agree_lua_sha);
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
        .address = caller->address[0] != '\0' ? caller->address : BREAKER__SCRIPT_NOTHING,
        .id = caller->id,
        .fixed = agreement->fixed.text,
        .suffix = agreement->suffix,
        .dead_after_ms = agreement->dead_after_ms,
        .digest = "",
        .poll_ms = agreement->poll_ms,
        .after = BREAKER__SCRIPT_NOTHING,
    };
}

void breaker__script_poll(breaker_script_command_t *command, const breaker__script_caller_t *caller,
                          const breaker__poll_t *poll, bool with_releases)
{
    words_t words = words_of(caller);

    assert(poll->digest[0] == '\0' || strlen(poll->digest) == BREAKER__SCRIPT_DIGEST_LEN);
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

void breaker__script_ask_members(breaker_script_command_t *command, const char *app,
                                 const breaker__script_keys_t *known, const char *fresh,
                                 const char *after)
{
    assert(strlen(fresh) == BREAKER__SCRIPT_KEY_LEN);
    begin(command, breaker__members_lua, breaker__members_lua_len, breaker__members_lua_sha);
    add(command, "3");
    add_key(command, app, ":key");
    add_key(command, app, ":nodes");
    add_key(command, app, ":info");
    add(command, "%s", fresh);
    add(command, "%s", known->key);
    add(command, "%s", known->before);
    add(command, "%s", after != NULL ? after : BREAKER__SCRIPT_NOTHING);
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

    assert(command->argc >= 2);
    assert(command->_script_len != 0);
    command->argv[0] = eval;
    command->argv_len[0] = sizeof(eval) - 1;
    command->argv[1] = command->_script;
    command->argv_len[1] = command->_script_len;
}

/* ---- by hand ---- */

/* without an id nobody is noted as alive */
static words_t words_by_hand(const char *release, const char *act, uint64_t wall_ms)
{
    return (words_t){
        .act = act,
        .release = release,
        .address = BREAKER__SCRIPT_NOTHING,
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

/* ---- words ---- */

const char *breaker_script_why(breaker_why_t why)
{
    assert((size_t)why < BREAKER__SCRIPT_NUM_WHYS);
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
