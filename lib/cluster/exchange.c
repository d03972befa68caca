/*
 * One exchange after the other: a command, its reply. Redis forgets scripts when it is restarted,
 * and some users may not name one (no +evalsha), so a reply can mean that the command did not run
 * at all; then it goes out once more, whole, and nobody but this file notices. Kept always: a
 * command is under way only while the link stands, and it is repeated at most once.
 */
#include <assert.h>
#include "cluster/exchange.h"
#include "redis/link.h"

void breaker__exchange_dial(breaker__exchange_t *exchange)
{
    assert(!exchange->is_up);
    breaker_redis_dial(exchange->redis);
}

void breaker__exchange_on_up(breaker__exchange_t *exchange)
{
    assert(!exchange->is_up);
    assert(!exchange->is_under_way);
    exchange->is_up = true;
    exchange->must_be_whole = false;
}

void breaker__exchange_on_down(breaker__exchange_t *exchange)
{
    assert(exchange->redis != NULL);
    exchange->is_up = exchange->is_under_way = false;
}

static void send_once(breaker__exchange_t *exchange, bool is_whole)
{
    breaker_script_command_t *command = &exchange->command;

    assert(exchange->is_up);
    exchange->is_whole = is_whole;
    if (is_whole)
        breaker_script_make_whole(command);
    breaker_redis_command(exchange->redis, command->argc, command->argv, command->argv_len);
}

void breaker__exchange_send(breaker__exchange_t *exchange)
{
    assert(!exchange->is_under_way);
    exchange->is_under_way = true;
    send_once(exchange, exchange->must_be_whole);
}

bool breaker__exchange_on_reply(breaker__exchange_t *exchange, const breaker_reply_t *reply)
{
    assert(exchange->is_under_way);
    exchange->must_be_whole |= breaker_script_is_unnamable(reply);
    if (!exchange->is_whole && (exchange->must_be_whole || breaker_script_is_missing(reply))) {
        send_once(exchange, true);
        return false;
    }
    exchange->is_under_way = false;
    return true;
}

void breaker__exchange_hang_up(breaker__exchange_t *exchange)
{
    breaker__redis_hang_up(exchange->redis);
    breaker__exchange_on_down(exchange);
}

void breaker__exchange_end(breaker__exchange_t *exchange)
{
    assert(exchange->redis != NULL);
    exchange->is_up = exchange->is_under_way = false;
    breaker_redis_free(exchange->redis);
    exchange->redis = NULL;
}
