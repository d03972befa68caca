/*
 * Which applications there are in Redis: those that have a ledger, found by their keys. Nodes never
 * ask this; whoever has misspelled a name does. What a key is called is script.c's to know.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <breaker/script.h>
#include "cluster/script.h"

/* keys that Redis looks at for one answer; fewer than the elements that a link takes */
#define LOOKED_AT "500"

_Static_assert(BREAKER_SCRIPT_APPS_MAX < BREAKER_REDIS_ELEMENTS_MAX, "an answer fits into a reply");

static void add(breaker_script_command_t *command, const char *word)
{
    assert(command->argc < BREAKER_SCRIPT_WORDS_MAX);
    command->argv[command->argc] = word;
    command->argv_len[command->argc++] = strlen(word);
}

void breaker_script_find_apps(breaker_script_command_t *command, const char *next)
{
    size_t len = strlen(next);

    assert(len < BREAKER_SCRIPT_CURSOR_SIZE);
    strcpy(command->_text, len != 0 ? next : "0");
    command->argc = 0;
    add(command, "SCAN");
    add(command, command->_text);
    add(command, "MATCH");
    add(command, BREAKER__SCRIPT_LEDGER_BEGIN "*" BREAKER__SCRIPT_LEDGER_END);
    add(command, "COUNT");
    add(command, LOOKED_AT);
}

/* the name in a ledger's key; what is no name is somebody else's key */
static bool read_app(const breaker_reply_t *reply, char dst[BREAKER_APP_MAX + 1])
{
    static const char begin[] = BREAKER__SCRIPT_LEDGER_BEGIN, end[] = BREAKER__SCRIPT_LEDGER_END;
    const size_t begin_len = sizeof(begin) - 1, end_len = sizeof(end) - 1;
    const char *name = reply->base + begin_len;
    size_t len;

    if (reply->type != BREAKER_REPLY_STRING || reply->len <= begin_len + end_len)
        return false;
    len = reply->len - begin_len - end_len;
    if (memcmp(reply->base, begin, begin_len) != 0 || memcmp(name + len, end, end_len) != 0 ||
        len > BREAKER_APP_MAX || !breaker_token_is_valid(name, len))
        return false;
    memcpy(dst, name, len);
    dst[len] = '\0';
    return true;
}

static bool read_cursor(const breaker_reply_t *reply, char dst[BREAKER_SCRIPT_CURSOR_SIZE])
{
    if (reply->type != BREAKER_REPLY_STRING || reply->len == 0 ||
        reply->len >= BREAKER_SCRIPT_CURSOR_SIZE)
        return false;
    for (size_t i = 0; i != reply->len; ++i)
        if (reply->base[i] < '0' || reply->base[i] > '9')
            return false;
    memcpy(dst, reply->base, reply->len);
    dst[reply->len] = '\0';
    if (strcmp(dst, "0") == 0)
        dst[0] = '\0';
    return true;
}

bool breaker_script_parse_apps(const breaker_reply_t *reply, breaker_script_apps_t *ret_apps)
{
    const breaker_reply_t *keys;
    char next[BREAKER_SCRIPT_CURSOR_SIZE];

    if (reply->type != BREAKER_REPLY_ARRAY || reply->num_elements != 2 ||
        !read_cursor(reply->elements[0], next))
        return false;
    keys = reply->elements[1];
    if (keys->type != BREAKER_REPLY_ARRAY || keys->num_elements > BREAKER_SCRIPT_APPS_MAX)
        return false;
    ret_apps->num = 0;
    for (size_t i = 0; i != keys->num_elements; ++i)
        if (read_app(keys->elements[i], ret_apps->names[ret_apps->num]))
            ++ret_apps->num;
    strcpy(ret_apps->next, next);
    assert(ret_apps->num <= BREAKER_SCRIPT_APPS_MAX);
    return true;
}
