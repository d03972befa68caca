#ifndef BREAKER_REDIS_SERVERS_H
#define BREAKER_REDIS_SERVERS_H

/* The servers that a link may talk to, and as whom: its configuration, checked and copied. Not
 * installed. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/redis.h>
#include "redis/connection.h"
#include "redis/tls.h"
#include "redis/url.h"

typedef struct st_breaker__servers_t {
    breaker__redis_url_t *urls; /* owned */
    size_t num_urls;
    char *sentinel, *user; /* owned; NULL: see the configuration */
    /** owned: BREAKER_REDIS_PASSWORD_MAX + 1 bytes, which stay where they are; NULL as those */
    char *password;
    char *password_file;         /* owned; NULL: none that can be read again */
    breaker__tls_context_t *tls; /* owned; NULL when no URL wants it */
    uint32_t connect_timeout_ms, reply_timeout_ms, sentinel_interval_ms;
} breaker__servers_t;

/**
 * Fills a zeroed one, which is to be disposed of even where this fails: with what
 * `breaker_redis_create` refuses, the place in `error`.
 */
int breaker__servers_init(breaker__servers_t *servers, const breaker_redis_config_t *config,
                          breaker_error_t *error);
/** True when they are several, and no sentinels: the seeds of one Redis Cluster. */
bool breaker__servers_are_seeds(const breaker__servers_t *servers);
/** The password of a server that the URL `via` led to, borrowed, or NULL. */
const char *breaker__servers_password(const breaker__servers_t *servers,
                                      const breaker__redis_url_t *via);
/** What a file had when it was read again. */
typedef enum en_breaker__renewal_t {
    /** there is no file */
    BREAKER__RENEWAL_NONE,
    /** the password that we have already */
    BREAKER__RENEWAL_SAME,
    /** another one, which every connection says from now on */
    BREAKER__RENEWAL_NEW,
    /** nothing that can be read */
    BREAKER__RENEWAL_FAILED,
} breaker__renewal_t;

/**
 * Reads the password again where it is kept in a file; what goes wrong is told in `error`, without
 * what is in the file. Reads a small file and never waits for a pipe.
 */
breaker__renewal_t breaker__servers_renew_password(breaker__servers_t *servers,
                                                   breaker_error_t *error);
/** Frees what it owns, secrets wiped. Connections to its servers must be gone. */
void breaker__servers_dispose(breaker__servers_t *servers);

/**
 * What a connection to `endpoint` needs, which the URL `via` led to; `is_sentinel`: it is asked for
 * a master. Borrows from the servers.
 */
breaker__connection_config_t breaker__servers_connection(const breaker__servers_t *servers,
                                                         const breaker__redis_url_t *via,
                                                         const breaker__endpoint_t *endpoint,
                                                         bool is_sentinel);

#endif
