#ifndef BREAKER_SCRIPT_H
#define BREAKER_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/agreement.h>
#include <breaker/export.h>
#include <breaker/ledger.h>
#include <breaker/redis.h>
#include <breaker/release_id.h>
#include <breaker/token.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What the nodes of an application have in Redis, read and changed by hand: what breakerctl is made
 * of. Nodes meet in one script that Redis runs (lib/cluster/agree.lua, where its layout stands);
 * here are the commands that have it run and what it answers, as values. Pure: a link (redis.h)
 * carries them.
 *
 *   breaker_script_read ─▶ breaker_redis_command ─▶ on_reply ─▶ breaker_script_parse
 *
 * Every command asks for all there is: ledger and nodes. None of them counts as a node, so nobody
 * is noted as alive because somebody looked.
 */

/** the longest name of an application */
#define BREAKER_APP_MAX 64
/** the longest address that peers reach a node at */
#define BREAKER_ADVERTISE_MAX 280
/** the longest id of a node */
#define BREAKER_NODE_ID_MAX 64
/** the most nodes that an answer tells of, those seen last */
#define BREAKER_SCRIPT_NODES_MAX 512
/** the most words of a command: EVAL, the script, the number of keys, two keys, ten arguments and
 * the entries of a poll; and the room for all of them but the script */
#define BREAKER_SCRIPT_WORDS_MAX (5 + 10 + BREAKER_LEDGER_MAX + 1)
#define BREAKER_SCRIPT_TEXT_SIZE                                                                   \
    (1024 + (BREAKER_LEDGER_MAX + 1) * (20 + BREAKER_TOKEN_MAX + BREAKER_RELEASE_ID_MAX))

/**
 * A command, ready for `breaker_redis_command`: `argc`, `argv` and `argv_len` are handed over as
 * they are. Caller's memory, 8 KiB; it points into itself, so a copy is of no use.
 */
typedef struct st_breaker_script_command_t {
    size_t argc;
    const char *argv[BREAKER_SCRIPT_WORDS_MAX];
    size_t argv_len[BREAKER_SCRIPT_WORDS_MAX];
    /** private: the texts */
    size_t _len;
    char _text[BREAKER_SCRIPT_TEXT_SIZE];
} breaker_script_command_t;

/** A node, as Redis remembers it. Texts are printable ASCII without spaces, NUL-ended. */
typedef struct st_breaker_script_node_t {
    /** when it polled last, by Redis's clock: ms since the epoch, below 2^53 */
    uint64_t seen_ms;
    breaker_release_id_t release;
    /** where peers reach it, "host:port", or "" */
    char address[BREAKER_ADVERTISE_MAX + 1];
    char id[BREAKER_NODE_ID_MAX + 1];
} breaker_script_node_t;

/** What the script answered: the cluster at one moment. Plain value, a quarter of a MiB. */
typedef struct st_breaker_script_answer_t {
    /** Redis's clock: ms since the epoch */
    uint64_t now_ms;
    /** its entries have valid tokens and releases, and orders below 2^53 */
    breaker_answer_t ledger;
    /** whether the nodes were asked for; if not there are none here */
    bool has_nodes;
    size_t num_nodes;
    /** the one seen last comes last */
    breaker_script_node_t nodes[BREAKER_SCRIPT_NODES_MAX];
} breaker_script_answer_t;

/**
 * Writes the command that changes nothing. `app` is 1 to BREAKER_APP_MAX characters of a token's
 * alphabet, here and below. Any thread.
 */
BREAKER_EXPORT void breaker_script_read(breaker_script_command_t *command, const char *app);

/**
 * Writes the command that puts a release on top, under a new token, if the ledger knows it and it
 * is not there yet. `newest` is the release's newest entry, by which is told how its tokens are
 * made; NULL: digits alone. `wall_ms` is the caller's clock, ms since the epoch. Any thread.
 */
BREAKER_EXPORT void breaker_script_promote(breaker_script_command_t *command, const char *app,
                                           const breaker_release_id_t *release,
                                           const breaker_ledger_entry_t *newest, uint64_t wall_ms);

/**
 * Writes the command that enters a release, on top, if the ledger does not know it. Any thread.
 */
BREAKER_EXPORT void breaker_script_enter(breaker_script_command_t *command, const char *app,
                                         const breaker_release_id_t *release, uint64_t wall_ms);

/**
 * Reads the reply to a command. False, with the output untouched, when its shape, its ledger or the
 * number of its nodes is not as the script makes them. Nodes that none of ours can have written are
 * left out: other programs may have put theirs there. Any thread.
 */
BREAKER_EXPORT bool breaker_script_parse(const breaker_reply_t *reply,
                                         breaker_script_answer_t *ret_answer);

/**
 * Tells whether a node was seen within `dead_after_ms` of `now_ms`, the answer's clock. Pure; any
 * thread.
 */
BREAKER_EXPORT bool breaker_script_is_live(const breaker_script_node_t *node, uint64_t now_ms,
                                           uint64_t dead_after_ms);

#ifdef __cplusplus
}
#endif

#endif
