/*
 * What servers refuse, in words that say what to do about it. The texts of Redis differ between
 * versions, and those of errors inside of a script have lost their code, so both are looked for. A
 * code of Redis stays in our words, for whoever searches for it.
 *
 * Invariants: what is written is one line of printable ASCII, ended within its room, and has no
 * password in it.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "redis/refusal.h"

#define LIST "deploy/redis/users.acl lists what a user needs"
/** the name of a command, "cluster|nodes" say, that is shown */
#define COMMAND_NAME_MAX 64

static bool says(const breaker_reply_t *reply, const char *text)
{
    return memmem(reply->base, reply->len, text, strlen(text)) != NULL;
}

/* ---- permissions ---- */

/* The name in "no permissions to run the 'eval' command"; false when there is none. */
static bool find_command(const breaker_reply_t *reply, char ret_name[COMMAND_NAME_MAX + 1])
{
    static const char before[] = "permissions to run the '";
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789|._-";
    const char *end = reply->base + reply->len;
    const char *at = memmem(reply->base, reply->len, before, sizeof(before) - 1);
    size_t len = 0;

    if (at == NULL)
        return false;
    for (at += sizeof(before) - 1; at + len != end && len != COMMAND_NAME_MAX; ++len)
        if (at[len] == '\0' || strchr(letters, at[len]) == NULL)
            break;
    if (len == 0 || at + len == end || at[len] != '\'')
        return false;
    memcpy(ret_name, at, len);
    ret_name[len] = '\0';
    return true;
}

static bool is_about_keys(const breaker_reply_t *reply)
{
    return says(reply, "access one of the keys") || says(reply, "to access a key") ||
           says(reply, "access at least one of the keys");
}

bool breaker__refusal_is_permission(const breaker_reply_t *reply)
{
    return reply->type == BREAKER_REPLY_ERROR &&
           (says(reply, "NOPERM") || says(reply, "The user executing the script can't"));
}

static bool print_permission(const breaker_reply_t *reply, char *dst, size_t size)
{
    char name[COMMAND_NAME_MAX + 1];

    if (find_command(reply, name))
        snprintf(dst, size, "the user may not run '%s' (NOPERM): " LIST, name);
    else if (is_about_keys(reply))
        snprintf(dst, size, "the user may not use the keys (NOPERM): " LIST);
    else if (says(reply, "The user executing the script can't run"))
        snprintf(dst, size, "the user may not run a command of the script (NOPERM): " LIST);
    else
        return false;
    return true;
}

/* ---- the rest ---- */

static bool begins_with(const breaker_reply_t *reply, const char *text)
{
    size_t len = strlen(text);

    return reply->len >= len && memcmp(reply->base, text, len) == 0;
}

/* Redis before 7 wraps the errors of commands in a script into one of its own. */
bool breaker__refusal_is_readonly(const breaker_reply_t *reply)
{
    return reply->type == BREAKER_REPLY_ERROR &&
           (begins_with(reply, "READONLY") || says(reply, "-READONLY "));
}

/* NULL: not one that a configuration mends */
static const char *words_of_ours(const breaker_reply_t *reply)
{
    static const struct {
        const char *said, *words;
    } table[] = {
        {"NOAUTH", "a password is missing (NOAUTH)"},
        /* to a long command, a script's say, before it has looked at it */
        {"unauthenticated multibulk length", "a password is missing (NOAUTH)"},
        {"unauthenticated bulk length", "a password is missing (NOAUTH)"},
        {"WRONGPASS", "wrong user or password (WRONGPASS)"},
        {"DB index is out of range", "the server has no database of this number"},
        {"SELECT is not allowed in cluster mode", "a Redis Cluster has database 0 only"},
    };

    for (size_t i = 0; i != sizeof(table) / sizeof(table[0]); ++i)
        if (says(reply, table[i].said))
            return table[i].words;
    return NULL;
}

static void copy_printable(const breaker_reply_t *reply, char *dst, size_t size)
{
    size_t len = reply->len < size - 1 ? reply->len : size - 1;

    for (size_t i = 0; i != len; ++i)
        dst[i] = reply->base[i] >= 0x20 && reply->base[i] < 0x7f ? reply->base[i] : '?';
    dst[len] = '\0';
}

static bool repeats(const breaker_reply_t *reply, const char *password)
{
    return password != NULL && password[0] != '\0' && says(reply, password);
}

void breaker__refusal_print(const breaker_reply_t *reply, const char *password, char *dst,
                            size_t size)
{
    const char *words;

    assert(size != 0);
    if (reply->type != BREAKER_REPLY_ERROR)
        snprintf(dst, size, "an answer of another kind");
    else if (repeats(reply, password))
        snprintf(dst, size, "an error that repeats the password");
    else if ((words = words_of_ours(reply)) != NULL)
        snprintf(dst, size, "%s", words);
    else if (!print_permission(reply, dst, size))
        copy_printable(reply, dst, size);
    assert(strlen(dst) < size);
}

void breaker_redis_refusal(const breaker_reply_t *reply, char *dst, size_t size)
{
    breaker__refusal_print(reply, NULL, dst, size);
}

/* ---- AUTH ---- */

typedef struct st_auth_refusal_t {
    const char *said, *words;
    /* another password could mend it */
    bool is_of_password;
} auth_refusal_t;

static const auth_refusal_t *find_auth_refusal(const breaker_reply_t *reply)
{
    static const auth_refusal_t table[] = {
        /* quotes what it was sent: before any other */
        {"ERR unknown command", "AUTH: the server does not know this command", false},
        {"WRONGPASS", "AUTH: wrong user or password", true},
        {"invalid password", "AUTH: wrong user or password", true},
        {"without any password configured", "AUTH: the server has no password", false},
        {"no password is set", "AUTH: the server has no password", false},
        {"wrong number of arguments", "AUTH: the server knows no users, only a password", false},
        {"NOPERM", "AUTH: whoever connects may not run it (NOPERM): the user default lacks +auth",
         false},
        {"LOADING", "the server is loading its data (LOADING)", false},
        {"max number of clients", "the server has its maximum of clients", false},
        {"DENIED", "the server is in protected mode", false},
    };
    static const auth_refusal_t unknown = {NULL, "AUTH was refused", true};

    for (size_t i = 0; i != sizeof(table) / sizeof(table[0]); ++i)
        if (says(reply, table[i].said))
            return table + i;
    return &unknown;
}

const char *breaker__refusal_of_auth(const breaker_reply_t *reply)
{
    if (reply->type != BREAKER_REPLY_ERROR)
        return "AUTH: an answer of another kind";
    return find_auth_refusal(reply)->words;
}

bool breaker__refusal_is_of_password(const breaker_reply_t *reply)
{
    return reply->type == BREAKER_REPLY_ERROR && find_auth_refusal(reply)->is_of_password;
}
