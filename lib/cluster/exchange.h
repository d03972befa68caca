#ifndef BREAKER_LIB_CLUSTER_EXCHANGE_H
#define BREAKER_LIB_CLUSTER_EXCHANGE_H

/*
 * Commands of the script over a link, one at a time, sent by the script's name where Redis has it
 * and with its text where not. Not installed. Everything on the link's thread.
 */
#include <stdbool.h>
#include <breaker/redis.h>
#include <breaker/script.h>

/** Caller's memory; `redis` and `command` are the caller's to set, in a zeroed one. */
typedef struct st_breaker__exchange_t {
    breaker_redis_t *redis; /* owned; NULL once it is over */
    /** what is sent next, or was sent last */
    breaker_script_command_t command;
    /** the link stands; a command is under way on it. Read only */
    bool is_up, is_under_way;
    /* private: the command under way has the script in it; every one must, on this connection */
    bool is_whole, must_be_whole;
} breaker__exchange_t;

/** Begins to connect; while it is down. */
void breaker__exchange_dial(breaker__exchange_t *exchange);
/** The link stands, or stands no more: what its callbacks say. */
void breaker__exchange_on_up(breaker__exchange_t *exchange);
void breaker__exchange_on_down(breaker__exchange_t *exchange);
/** Sends `command`; only while up, and with none under way. */
void breaker__exchange_send(breaker__exchange_t *exchange);
/**
 * Takes a reply. True: it is the command's. False: Redis does not have the script, and the same
 * command was sent again with its text; its reply is still to come.
 */
bool breaker__exchange_on_reply(breaker__exchange_t *exchange, const breaker_reply_t *reply);
/** Closes the connection, without a callback. */
void breaker__exchange_hang_up(breaker__exchange_t *exchange);
/** The same for good: the link is freed, as `breaker_redis_free` says. */
void breaker__exchange_end(breaker__exchange_t *exchange);

#endif
