#ifndef BREAKER_LIB_CLUSTER_SCRIPT_H
#define BREAKER_LIB_CLUSTER_SCRIPT_H

/*
 * The script as a node uses it: the command of a poll, and what its answer says of other releases.
 * What anybody may ask stands in breaker/script.h. Pure; not installed.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/script.h>
#include "cluster/agreement.h"

/** the text of agree.lua, NUL-ended, its bytes without the NUL, and its SHA-1 in hexadecimal */
extern const char breaker__agree_lua[];
extern const size_t breaker__agree_lua_len;
extern const char breaker__agree_lua_sha[];

/** the same of members.lua */
extern const char breaker__members_lua[];
extern const size_t breaker__members_lua_len;
extern const char breaker__members_lua_sha[];

/** what stands for no address, no token, no release and no page */
#define BREAKER__SCRIPT_NOTHING "-"
/** characters of a ledger's digest, and of a key, in hexadecimal */
#define BREAKER__SCRIPT_DIGEST_LEN 40
#define BREAKER__SCRIPT_KEY_LEN (2 * BREAKER_PEER_KEY_LEN)
/** how many values breaker_why_t has */
#define BREAKER__SCRIPT_NUM_WHYS (BREAKER_WHY_OPERATOR + 1)

/** what is around an application's name in the key of its ledger, with which all its keys begin */
#define BREAKER__SCRIPT_LEDGER_BEGIN "{"
#define BREAKER__SCRIPT_LEDGER_END "}:breaker"

/** the releases that are noticed to live beside the node's own */
#define BREAKER__ALIVE_MAX 64

/** What the polls of one node have in common. Texts are NUL-ended and not changed. */
typedef struct st_breaker__script_caller_t {
    char app[BREAKER_APP_MAX + 1];
    /** where peers reach it, or "" */
    char address[BREAKER_ADVERTISE_MAX + 1];
    char id[BREAKER_NODE_ID_MAX + 1];
    /** the id is that of an address */
    bool is_named;
    /** the port, and whether TLS is spoken there, where the address is automatic; 0: it is not */
    uint16_t auto_port;
    bool auto_tls;
    const breaker_agreement_config_t *agreement; /* borrowed: outlives us */
} breaker__script_caller_t;

/** The other releases that were not silent for dead-after, each once. */
typedef struct st_breaker__alive_t {
    size_t num;
    breaker_release_id_t releases[BREAKER__ALIVE_MAX];
} breaker__alive_t;

/** Writes the command of a poll; `with_releases` asks for the releases as well. */
void breaker__script_poll(breaker_script_command_t *command, const breaker__script_caller_t *caller,
                          const breaker__poll_t *poll, bool with_releases);

/** Writes the command with which a node goes; what is answered is of no interest. */
void breaker__script_leave(breaker_script_command_t *command,
                           const breaker__script_caller_t *caller);

/** The keys of an application, in hexadecimal and NUL-ended; "" where there is none. */
typedef struct st_breaker__script_keys_t {
    /** the newest, and the one that it took the place of */
    char key[BREAKER__SCRIPT_KEY_LEN + 1], before[BREAKER__SCRIPT_KEY_LEN + 1];
} breaker__script_keys_t;

/** What members.lua answers. Plain value, 64 KiB. */
typedef struct st_breaker__script_members_t {
    /** Redis's clock: ms since the epoch */
    uint64_t now_ms;
    breaker__script_keys_t keys;
    /** nodes with an address, in the order of their ids; none where none were asked for */
    size_t num_nodes;
    breaker_script_node_t nodes[BREAKER_SCRIPT_PAGE_MAX];
    /** after which id the next page begins; "": this was the last */
    char next[BREAKER_NODE_ID_MAX + 1];
} breaker__script_members_t;

/**
 * Writes the command that asks for the keys, and for the page of nodes after an id unless that is
 * NULL. `known` are the keys that the caller knows, `fresh` is a random one.
 */
void breaker__script_ask_members(breaker_script_command_t *command, const char *app,
                                 const breaker__script_keys_t *known, const char *fresh,
                                 const char *after);
/**
 * Reads the reply to it. False, with the output untouched, when its shape or its keys are not as
 * the script makes them; nodes that none of ours can have written are left out.
 */
bool breaker__script_parse_members(const breaker_reply_t *reply,
                                   breaker__script_members_t *ret_members);

/**
 * Tells by an answer that has the releases which of them but the node's own are alive, at most
 * BREAKER__ALIVE_MAX. Where nobody is ever overtaken (dead-after 0) the default dead-after decides.
 */
void breaker__script_alive(const breaker_script_answer_t *answer,
                           const breaker_agreement_config_t *agreement,
                           breaker__alive_t *ret_alive);

#endif
