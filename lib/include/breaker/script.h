#ifndef BREAKER_SCRIPT_H
#define BREAKER_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/agreement.h>
#include <breaker/export.h>
#include <breaker/ledger.h>
#include <breaker/peer.h>
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
 *                                                     └─ breaker_script_is_missing: once more,
 * whole
 *
 * A command names the script by its SHA-1 (EVALSHA). A Redis that does not have it, or does not let
 * this user name it so, says that, and the command is sent again with the text in it. Every command
 * asks for all there is: ledger, releases, and one page of nodes. None of them counts as a node, so
 * nobody is noted as alive because somebody looked.
 */

/** the longest name of an application */
#define BREAKER_APP_MAX 64
/** the longest id of a node */
#define BREAKER_NODE_ID_MAX 64
/** the most nodes, and the most releases, that one answer tells of: a page */
#define BREAKER_SCRIPT_PAGE_MAX 100
/** the most words of a command: EVALSHA, the script, the number of keys, four keys, thirteen
 * arguments and the entries of a poll; and the room for all of them but the script */
#define BREAKER_SCRIPT_WORDS_MAX (7 + 13 + BREAKER_LEDGER_MAX + 1)
#define BREAKER_SCRIPT_TEXT_SIZE                                                                   \
    (2048 + (BREAKER_LEDGER_MAX + 1) * (64 + BREAKER_TOKEN_MAX + 2 * BREAKER_RELEASE_ID_MAX))

/**
 * A command, ready for `breaker_redis_command`: `argc`, `argv` and `argv_len` are handed over as
 * they are. Caller's memory, less than 32 KiB; it points into itself, so a copy is of no use.
 */
typedef struct st_breaker_script_command_t {
    size_t argc;
    const char *argv[BREAKER_SCRIPT_WORDS_MAX];
    size_t argv_len[BREAKER_SCRIPT_WORDS_MAX];
    /** private: the script that is named, and the texts of the other words */
    const char *_script;
    size_t _script_len;
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
    /** the newest token of its release when it was told of the ledger last; a zeroed one: none */
    breaker_token_t token;
    /** since when it is in touch, by Redis's clock: ms since the epoch, below 2^53 */
    uint64_t since_ms;
} breaker_script_node_t;

/** A release of which a node was seen in the last ten minutes. */
typedef struct st_breaker_script_release_t {
    breaker_release_id_t id;
    /**
     * how long no node of it has polled, in ms during which Redis was provably there: an outage is
     * nobody's silence
     */
    uint64_t silent_ms;
    /** its nodes' dead-after in ms; 0: it is never overtaken */
    uint64_t dead_after_ms;
    /** where peers reach a node of it that polled lately, or "" */
    char address[BREAKER_ADVERTISE_MAX + 1];
} breaker_script_release_t;

/** What the script answered: the cluster at one moment. Plain value, a quarter of a MiB at most. */
typedef struct st_breaker_script_answer_t {
    /** its entries have valid tokens and releases, and orders below 2^53 */
    breaker_answer_t ledger;
    /** whether the releases were asked for; if not there are none here */
    bool has_releases;
    size_t num_releases;
    breaker_script_release_t releases[BREAKER_SCRIPT_PAGE_MAX];
    /** whether nodes were asked for; if not there are none here */
    bool has_nodes;
    size_t num_nodes;
    /** in the order of their ids */
    breaker_script_node_t nodes[BREAKER_SCRIPT_PAGE_MAX];
    /** after which id the next page begins; "": this was the last */
    char next[BREAKER_NODE_ID_MAX + 1];
} breaker_script_answer_t;

/**
 * Writes the command that changes nothing. `app` is 1 to BREAKER_APP_MAX characters of a token's
 * alphabet, here and below. `after` is the id after which the page of nodes begins, an answer's
 * `next`, "" for the first one. A node that stays is on exactly one of the pages, whoever comes and
 * goes between them. Any thread.
 */
BREAKER_EXPORT void breaker_script_read(breaker_script_command_t *command, const char *app,
                                        const char *after);

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

/** the most applications that one answer names, and the room for a cursor of Redis with its NUL */
#define BREAKER_SCRIPT_APPS_MAX 1000
#define BREAKER_SCRIPT_CURSOR_SIZE 24

/** The names of applications that have a ledger in Redis. */
typedef struct st_breaker_script_apps_t {
    size_t num;
    /** NUL-ended; one may be there twice */
    char names[BREAKER_SCRIPT_APPS_MAX][BREAKER_APP_MAX + 1];
    /** where to go on; "": there are no more */
    char next[BREAKER_SCRIPT_CURSOR_SIZE];
} breaker_script_apps_t;

/**
 * Writes the command that finds the names of applications, a part of them: it goes through all keys
 * of the server, some hundred at a time (SCAN, which not every user may), so an answer may have
 * none and still not be the last. `next` is an answer's, "" to begin. Any thread.
 */
BREAKER_EXPORT void breaker_script_find_apps(breaker_script_command_t *command, const char *next);

/** Reads the reply to that. False, with the output untouched, when it is none. Any thread. */
BREAKER_EXPORT bool breaker_script_parse_apps(const breaker_reply_t *reply,
                                              breaker_script_apps_t *ret_apps);

/**
 * Tells whether a reply says that Redis does not have the script, or has it no more: it has it
 * again once it was sent. Pure; any thread.
 */
BREAKER_EXPORT bool breaker_script_is_missing(const breaker_reply_t *reply);

/**
 * Tells whether a reply says that the user may not name a script by its SHA-1 (no +evalsha): it has
 * to be sent with every command. Pure; any thread.
 */
BREAKER_EXPORT bool breaker_script_is_unnamable(const breaker_reply_t *reply);

/** Puts the script itself into a command that names it. Pure; any thread. */
BREAKER_EXPORT void breaker_script_make_whole(breaker_script_command_t *command);

/**
 * Reads the reply to a command. False, with the output untouched, when its shape, its ledger or the
 * number of its nodes or releases is not as the script makes them. Nodes and releases that none of
 * ours can have written are left out: other programs may have put theirs there. Any thread.
 */
BREAKER_EXPORT bool breaker_script_parse(const breaker_reply_t *reply,
                                         breaker_script_answer_t *ret_answer);

/**
 * The script's word for why an entry was made, "join" say; "-" where that is not known. Static; any
 * thread.
 */
BREAKER_EXPORT const char *breaker_script_why(breaker_why_t why);

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
