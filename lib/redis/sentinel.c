/*
 * Sentinels are asked where a master is, and whom they name is asked whether it is one: during a
 * failover they may name the old one for a while, and it may have come back as a replica. See
 * "Guidelines for Redis clients with support for Redis Sentinel" in the documentation of Redis.
 */
#include <string.h>
#include "redis/codec.h"
#include "redis/sentinel.h"

int breaker__sentinel_question(const char *name, char **ret_base, size_t *ret_len)
{
    const char *argv[] = {"SENTINEL", "get-master-addr-by-name", name};
    const size_t lens[] = {strlen(argv[0]), strlen(argv[1]), strlen(name)};

    return breaker__command_format(3, argv, lens, ret_base, ret_len);
}

const char *breaker__sentinel_answer(const breaker_reply_t *reply, breaker__endpoint_t *endpoint)
{
    const breaker_reply_t *host, *port;

    if (reply->type == BREAKER_REPLY_NIL)
        return "this sentinel does not know the master";
    if (reply->type != BREAKER_REPLY_ARRAY || reply->num_elements != 2 ||
        reply->elements[0]->type != BREAKER_REPLY_STRING ||
        reply->elements[1]->type != BREAKER_REPLY_STRING)
        return "this is not how a sentinel answers";
    host = reply->elements[0];
    port = reply->elements[1];
    if (!breaker__endpoint_set(endpoint, host->base, host->len,
                               breaker__port_parse(port->base, port->len)))
        return "this sentinel names no address";
    return NULL;
}

int breaker__role_question(char **ret_base, size_t *ret_len)
{
    const char *argv[] = {"ROLE"};
    const size_t lens[] = {4};

    return breaker__command_format(1, argv, lens, ret_base, ret_len);
}

bool breaker__role_is_master(const breaker_reply_t *reply)
{
    const breaker_reply_t *role;

    if (reply->type != BREAKER_REPLY_ARRAY || reply->num_elements == 0)
        return false;
    role = reply->elements[0];
    return role->type == BREAKER_REPLY_STRING && role->len == 6 &&
           memcmp(role->base, "master", 6) == 0;
}
