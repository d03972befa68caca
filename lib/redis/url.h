#ifndef BREAKER_REDIS_URL_H
#define BREAKER_REDIS_URL_H

/* A URL of Redis, taken apart. Not installed. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/redis.h>

/** limits of the parts, without the NUL at their end */
#define BREAKER__REDIS_HOST_MAX 253
#define BREAKER__REDIS_USER_MAX 255
/** what sun_path holds */
#define BREAKER__REDIS_PATH_MAX 107

/** Where a server listens: at a path, or, when that is empty, at host and port. Plain value. */
typedef struct st_breaker__endpoint_t {
    /** a name or an address, IPv6 without brackets */
    char host[BREAKER__REDIS_HOST_MAX + 1];
    uint16_t port;
    char path[BREAKER__REDIS_PATH_MAX + 1];
} breaker__endpoint_t;

/** room for any endpoint as text, with its NUL */
#define BREAKER__ENDPOINT_TEXT_MAX (BREAKER__REDIS_HOST_MAX + sizeof("[]:65535"))

typedef struct st_breaker__redis_url_t {
    breaker__endpoint_t endpoint;
    bool tls;
    bool has_user, has_password;
    /** decoded, NUL-ended */
    char user[BREAKER__REDIS_USER_MAX + 1];
    char password[BREAKER_REDIS_PASSWORD_MAX + 1];
    uint32_t db;
} breaker__redis_url_t;

/**
 * Takes a URL apart, in the forms that breaker/redis.h names. RANGE, with a message that tells what
 * is wrong and shows nothing of the URL, because a password may be anywhere in what is malformed.
 */
int breaker__redis_url_parse(const char *text, size_t len, breaker__redis_url_t *ret_url,
                             breaker_error_t *error);

/** Fills an endpoint with host and port; false when the host is no name or address, or port 0. */
bool breaker__endpoint_set(breaker__endpoint_t *endpoint, const char *host, size_t len,
                           uint32_t port);
/** Reads 1 to 65535 in decimal; 0 when it is anything else. */
uint16_t breaker__port_parse(const char *text, size_t len);

/** Writes "10.0.0.5:6379", "[::1]:6379" or the path. */
void breaker__endpoint_print(const breaker__endpoint_t *endpoint,
                             char dst[BREAKER__ENDPOINT_TEXT_MAX]);

#endif
