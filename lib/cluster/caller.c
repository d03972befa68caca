/*
 * Who a node is to the others. Its id is made of its address, so that a restart is the same node
 * again; without an address it is random, and the node of before is forgotten after a while.
 */
#include <assert.h>
#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "cluster/caller.h"
#include "redis/link.h"
#include "release/digest.h"
#include "token/token.h"

enum { PORT_DIGITS_MAX = 5 };

/* ---- what may be advertised ---- */

static bool is_printable(const char *text)
{
    for (; *text != '\0'; ++text)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

static const char *skip(const char *text, const char *scheme)
{
    size_t len = strlen(scheme);

    return strncmp(text, scheme, len) == 0 ? text + len : text;
}

static bool is_port(const char *text)
{
    size_t len = strlen(text);

    return len <= PORT_DIGITS_MAX && breaker__token_is_decimal(text, len) && atoi(text) >= 1 &&
           atoi(text) <= 65535;
}

bool breaker__caller_is_address(const char *text)
{
    const char *host = skip(skip(text, "https://"), "http://"), *colon = strrchr(host, ':');

    if (strcmp(text, BREAKER__ADVERTISE_AUTO) == 0)
        return true;
    if (strlen(text) > BREAKER_ADVERTISE_MAX || !is_printable(text) ||
        strpbrk(host, "/@?#%\\") != NULL)
        return false;
    if (colon == NULL || colon == host || !is_port(colon + 1))
        return false;
    /* IPv6 stands in brackets, or its last part would be the port */
    return host[0] == '[' ? colon[-1] == ']' : memchr(host, ':', (size_t)(colon - host)) == NULL;
}

/* ---- the id ---- */

static int hash(const char *text, uint8_t ret_digest[BREAKER_DIGEST_LEN])
{
    breaker__hasher_t hasher = {.algorithm = NULL};
    int err = breaker__hasher_init(&hasher);

    if (err == 0)
        err = breaker__hash(&hasher, text, strlen(text), ret_digest);
    breaker__hasher_dispose(&hasher);
    return err;
}

static void set_id(breaker__script_caller_t *caller, uint64_t id)
{
    snprintf(caller->id, sizeof(caller->id), "%016" PRIx64, id);
}

static int name_by_address(breaker__script_caller_t *caller)
{
    uint8_t digest[BREAKER_DIGEST_LEN];
    uint64_t id;
    int err = hash(caller->address, digest);

    if (err != 0)
        return err;
    memcpy(&id, digest, sizeof(id));
    set_id(caller, id);
    caller->is_named = true;
    return 0;
}

static void name_by_chance(breaker__script_caller_t *caller)
{
    uint64_t id;
    ssize_t got = getrandom(&id, sizeof(id), 0);

    /* so few bytes are never interrupted */
    assert(got == sizeof(id));
    set_id(caller, id);
}

int breaker__caller_init(breaker__script_caller_t *caller, const breaker_cluster_config_t *config,
                         const breaker_agreement_config_t *agreement)
{
    const char *advertise = config->advertise;

    assert(strlen(config->app) <= BREAKER_APP_MAX);
    assert(advertise == NULL || breaker__caller_is_address(advertise));
    caller->agreement = agreement;
    strcpy(caller->app, config->app);
    name_by_chance(caller);
    if (advertise == NULL)
        return 0;
    if (strcmp(advertise, BREAKER__ADVERTISE_AUTO) == 0) {
        assert(config->advertise_port != 0);
        caller->auto_port = config->advertise_port;
        caller->auto_tls = config->advertise_tls;
        return 0;
    }
    strcpy(caller->address, advertise);
    return name_by_address(caller);
}

/* ---- an address of its own ---- */

/* without a scope: that of an interface means nothing to others */
static bool write_host(const struct sockaddr_storage *address, char dst[INET6_ADDRSTRLEN])
{
    const void *bytes = address->ss_family == AF_INET6
                            ? (const void *)&((const struct sockaddr_in6 *)address)->sin6_addr
                            : (const void *)&((const struct sockaddr_in *)address)->sin_addr;

    return inet_ntop(address->ss_family, bytes, dst, INET6_ADDRSTRLEN) != NULL;
}

bool breaker__caller_on_up(breaker__script_caller_t *caller, const breaker_redis_t *redis)
{
    struct sockaddr_storage local;
    char host[INET6_ADDRSTRLEN];

    if (caller->auto_port == 0)
        return true;
    if (!breaker__redis_local(redis, &local) || !write_host(&local, host))
        return false;
    snprintf(caller->address, sizeof(caller->address), "%s%s%s%s:%u",
             caller->auto_tls ? "https://" : "", local.ss_family == AF_INET6 ? "[" : "", host,
             local.ss_family == AF_INET6 ? "]" : "", (unsigned)caller->auto_port);
    return caller->is_named || name_by_address(caller) == 0;
}
