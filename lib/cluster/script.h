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

/** what is around an application's name in the key of its ledger, with which all its keys begin */
#define BREAKER__SCRIPT_LEDGER_BEGIN "{"
#define BREAKER__SCRIPT_LEDGER_END "}:breaker"

/** the releases that are noticed to live beside the node's own */
#define BREAKER__ALIVE_MAX 64

/** What the polls of one node have in common. Texts are NUL-ended and not changed. */
typedef struct st_breaker__script_caller_t {
    char app[BREAKER_APP_MAX + 1];
    /** "host:port" where peers reach it, or "" */
    char address[BREAKER_ADVERTISE_MAX + 1];
    char id[BREAKER_NODE_ID_MAX + 1];
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

/**
 * Tells by an answer that has the releases which of them but the node's own are alive, at most
 * BREAKER__ALIVE_MAX. Where nobody is ever overtaken (dead-after 0) the default dead-after decides.
 */
void breaker__script_alive(const breaker_script_answer_t *answer,
                           const breaker_agreement_config_t *agreement,
                           breaker__alive_t *ret_alive);

#endif
