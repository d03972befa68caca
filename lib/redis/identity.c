/*
 * Who a server is. INFO tells of all servers what they are, and of one by itself the id of its
 * data's history (master_replid), which its replicas share and which no two masters have in common.
 * Nodes of a cluster have a history each, so they are asked whom they know (CLUSTER NODES): one
 * line for each node, its own marked "myself".
 *
 * Invariant: what is not said plainly proves nothing; two servers differ only where both said who
 * they are.
 */
#include <assert.h>
#include <string.h>
#include "redis/codec.h"
#include "redis/identity.h"

/* a piece of an answer */
typedef struct st_text_t {
    const char *base;
    size_t len;
} text_t;

static bool is_text(text_t text, const char *expected)
{
    return text.len == strlen(expected) && memcmp(text.base, expected, text.len) == 0;
}

/* Cuts off what stands before `end`, or all there is. */
static text_t cut(text_t *rest, char end)
{
    const char *found = rest->len != 0 ? memchr(rest->base, end, rest->len) : NULL;
    text_t piece = {rest->base, found != NULL ? (size_t)(found - rest->base) : rest->len};
    size_t gone = found != NULL ? piece.len + 1 : piece.len;

    assert(gone <= rest->len);
    rest->base += gone;
    rest->len -= gone;
    return piece;
}

static text_t cut_line(text_t *rest)
{
    text_t line = cut(rest, '\n');

    if (line.len != 0 && line.base[line.len - 1] == '\r')
        --line.len;
    return line;
}

static bool is_id(text_t text)
{
    if (text.len != BREAKER__IDENTITY_ID_LEN)
        return false;
    for (size_t i = 0; i != text.len; ++i)
        if ((text.base[i] < '0' || text.base[i] > '9') &&
            (text.base[i] < 'a' || text.base[i] > 'f'))
            return false;
    return true;
}

static void set_id(breaker__identity_t *identity, text_t text)
{
    assert(text.len == BREAKER__IDENTITY_ID_LEN);
    memcpy(identity->id, text.base, text.len);
    identity->id[text.len] = '\0';
}

static int format(size_t argc, const char *const *argv, char **ret_base, size_t *ret_len)
{
    size_t lens[2];

    assert(argc <= sizeof(lens) / sizeof(lens[0]));
    for (size_t i = 0; i != argc; ++i)
        lens[i] = strlen(argv[i]);
    return breaker__command_format(argc, argv, lens, ret_base, ret_len);
}

/* ---- INFO ---- */

int breaker__identity_question(char **ret_base, size_t *ret_len)
{
    const char *argv[] = {"INFO"};

    return format(1, argv, ret_base, ret_len);
}

/* The value of "name:value" in its lines; empty when there is none. */
static text_t field_of(const breaker_reply_t *info, const char *name)
{
    text_t rest = {info->base, info->len};

    while (rest.len != 0) {
        text_t line = cut_line(&rest);
        if (is_text(cut(&line, ':'), name))
            return line;
    }
    return rest;
}

bool breaker__identity_read(const breaker_reply_t *reply, breaker__identity_t *ret_identity)
{
    breaker__identity_t identity = {.is_cluster = false};
    text_t role, history;

    if (reply->type != BREAKER_REPLY_STRING)
        return false;
    role = field_of(reply, "role");
    history = field_of(reply, "master_replid");
    if ((!is_text(role, "master") && !is_text(role, "slave")) || !is_id(history))
        return false;
    identity.is_cluster = is_text(field_of(reply, "cluster_enabled"), "1");
    identity.is_replica = is_text(role, "slave");
    if (!identity.is_cluster) {
        set_id(&identity, history);
        identity.is_void =
            identity.is_replica && !is_text(field_of(reply, "master_link_status"), "up");
    }
    *ret_identity = identity;
    return true;
}

/* ---- CLUSTER NODES ---- */

int breaker__identity_nodes_question(char **ret_base, size_t *ret_len)
{
    const char *argv[] = {"CLUSTER", "NODES"};

    return format(2, argv, ret_base, ret_len);
}

static bool has_flag(text_t flags, const char *flag)
{
    while (flags.len != 0)
        if (is_text(cut(&flags, ','), flag))
            return true;
    return false;
}

bool breaker__identity_read_nodes(const breaker_reply_t *reply, const char *other,
                                  breaker__identity_t *identity)
{
    text_t rest = {reply->base, reply->len}, own = {NULL, 0};
    bool knows_other = false, has_slots = false;
    size_t num_nodes = 0;

    assert(identity->is_cluster);
    if (reply->type != BREAKER_REPLY_STRING)
        return false;
    for (; rest.len != 0; ++num_nodes) {
        /* id address flags master ping pong epoch state slot… */
        text_t line = cut_line(&rest), id = cut(&line, ' '), flags;
        if (!is_id(id))
            return false;
        cut(&line, ' ');
        flags = cut(&line, ' ');
        for (int i = 0; i != 5; ++i)
            cut(&line, ' ');
        if (has_flag(flags, "myself"))
            own = id;
        knows_other |= is_text(id, other);
        has_slots |= line.len != 0;
    }
    if (own.base == NULL)
        return false;
    set_id(identity, own);
    identity->knows_other = knows_other;
    identity->is_void = num_nodes == 1 && !has_slots;
    return true;
}

/* ---- two of them ---- */

bool breaker__identity_differ(const breaker__identity_t *one, const breaker__identity_t *other)
{
    if (one->id[0] == '\0' || other->id[0] == '\0' || one->is_void || other->is_void)
        return false;
    if (one->is_cluster && other->is_cluster && (one->knows_other || other->knows_other))
        return false;
    return one->is_cluster != other->is_cluster || strcmp(one->id, other->id) != 0;
}
