#ifndef BREAKER_REDIS_H
#define BREAKER_REDIS_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>
#include <breaker/error.h>
#include <breaker/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A link to Redis: one connection on a uv loop, to a server, to the master that sentinels name, or
 * to the node of a Redis Cluster that owns our keys. hiredis is used as a codec only. Every ask is
 * answered by exactly one callback, within its time; nothing blocks, names are looked up by
 * uv_getaddrinfo; a hostile or broken server costs a connection, never the process. Used by one
 * thread, the loop's, which blocks or ignores SIGPIPE, as libuv expects of its users.
 */
typedef struct st_breaker_redis_t breaker_redis_t;

/** the most servers that one configuration names */
#define BREAKER_REDIS_URLS_MAX 16
/** the most elements of one reply, those of arrays inside arrays included, and its most bytes */
#define BREAKER_REDIS_ELEMENTS_MAX 1024
#define BREAKER_REDIS_REPLY_MAX (256 * 1024)
/** a reason, with its NUL, is no longer */
#define BREAKER_REDIS_REASON_MAX 1024

/** the most bytes of a password, without the NUL after it */
#define BREAKER_REDIS_PASSWORD_MAX 1023
/** how long a pipe with a password in it is waited for, from its open to its end, in milliseconds
 */
#define BREAKER_REDIS_PASSWORD_PATIENCE_MS 30000

/**
 * Reads the password of Redis that a file holds: 1 to BREAKER_REDIS_PASSWORD_MAX bytes, no NUL,
 * without the line ends at its end. The file may be a pipe; the call blocks until its writer has
 * closed it, or for BREAKER_REDIS_PASSWORD_PATIENCE_MS. NUL-ended; the caller wipes it when it has
 * been handed on. Fails with BREAKER_ERR_IO when the file cannot be read or the pipe is not closed
 * in time, and BREAKER_ERR_RANGE when there is no such password in it; `error` names the file and
 * never what is in it.
 */
BREAKER_EXPORT int breaker_redis_password_from_file(
    const char *path, char ret_password[BREAKER_REDIS_PASSWORD_MAX + 1], breaker_error_t *error);
/**
 * The same of an environment variable. Fails with BREAKER_ERR_NOT_FOUND when it is not set. Not
 * while another thread changes the environment.
 */
BREAKER_EXPORT int breaker_redis_password_from_environment(
    const char *name, char ret_password[BREAKER_REDIS_PASSWORD_MAX + 1], breaker_error_t *error);

/** Where Redis is. Texts are NUL-ended and copied. */
typedef struct st_breaker_redis_config_t {
    /**
     * 1 to BREAKER_REDIS_URLS_MAX of redis://[user[:password]@]host[:port][/db],
     * rediss://… (TLS, verified), unix:///path[?db=N]; user and password percent-encoded. Several:
     * the seeds of one Redis Cluster, or the sentinels when `sentinel` is set; tried in turn. Seeds
     * may also be addresses of one server or of its replicas; servers that are provably others
     * keep the link down. All have the same database.
     */
    const char *const *urls;
    size_t num_urls;
    /** the name of the master that the URLs, sentinels then, are asked for; NULL: no sentinels */
    const char *sentinel;
    /**
     * override what the URL says; NULL or "": as the URL says. Sentinels are told neither unless
     * their URL carries a user or password.
     */
    const char *user, *password;
    /**
     * the file that `password` was read from, or NULL. It is read again when a server refuses the
     * password, and if it has another one by then, that one is tried at once. A file only: a pipe
     * has its password once, and is left alone.
     */
    const char *password_file;
    /** CA certificates (PEM) instead of the system's, for rediss:// */
    const char *ca_file;
    /**
     * for servers that ask who we are, for rediss://: our certificate (PEM), with those that lead
     * to its root, and its private key without a passphrase, which is in `cert_file` too where
     * `key_file` is NULL. Both NULL: none.
     */
    const char *cert_file, *key_file;
    /**
     * 1 to 600000; 1000 and 1000 by default. Connecting to one server, with the look-up of its
     * name, all its addresses, TLS, AUTH and SELECT, and one answer. A dial may try every URL, with
     * sentinels each master too; a command that is redirected may take five times both.
     */
    uint32_t connect_timeout_ms, reply_timeout_ms;
    /**
     * 1 to 600000; 30000 by default, other values are for tests. How often sentinels are asked
     * again while the link is up, on a connection of its own. When they name another server that
     * says it is a master, the link goes down; sentinels that cannot be asked change nothing.
     * Several seeds are asked who they are (INFO, CLUSTER NODES) before the link is up for the
     * first time, for at most the connect timeout, and then first after so long, and up to 32 times
     * more rarely while nothing is found.
     */
    uint32_t sentinel_interval_ms;
} breaker_redis_config_t;

/** A reply, as RESP2 has them; borrowed during the callback. */
typedef struct st_breaker_reply_t {
    enum {
        BREAKER_REPLY_NIL,
        BREAKER_REPLY_STATUS,
        BREAKER_REPLY_ERROR,
        BREAKER_REPLY_INTEGER,
        BREAKER_REPLY_STRING,
        BREAKER_REPLY_ARRAY,
    } type;
    int64_t integer;
    /** status, error, string: not NUL-ended */
    const char *base;
    size_t len;
    struct st_breaker_reply_t *const *elements;
    size_t num_elements;
} breaker_reply_t;

/**
 * Writes what a reply that was not hoped for says, as one line of printable ASCII, cut to `size`
 * (at least 1) with its NUL: that a password is missing or wrong, which command a user lacks and
 * where the list of commands is, or else the server's own words, which have a secret in them only
 * if the server repeats one.
 */
BREAKER_EXPORT void breaker_redis_refusal(const breaker_reply_t *reply, char *dst, size_t size);

/** The link stands: authenticated, database selected, a master when sentinels were asked. */
typedef void (*breaker_redis_up_cb)(void *data);
/**
 * It is closed, or could not be made; when nothing was asked, it broke by itself, or sentinels name
 * another master. `reason` is one
 * line without secrets that names the servers that were tried, "server: why" and "; " between them,
 * the last one, which decided, always whole. A line of too many begins with "...; " in place of the
 * first ones. Borrowed during the callback.
 */
typedef void (*breaker_redis_down_cb)(void *data, const char *reason);
/**
 * Something that changes nothing but should be known, one line like a reason: seeds cannot be asked
 * who they are because the user may not. Said once. No call of the link may be made from inside it.
 */
typedef void (*breaker_redis_notice_cb)(void *data, const char *notice);
/** The reply to the last command; errors of Redis are replies of type ERROR. */
typedef void (*breaker_redis_reply_cb)(void *data, const breaker_reply_t *reply);

typedef struct st_breaker_redis_callbacks_t {
    void *data;
    breaker_redis_up_cb on_up;
    breaker_redis_down_cb on_down;
    breaker_redis_reply_cb on_reply;
    breaker_redis_notice_cb on_notice; /* may be NULL */
} breaker_redis_callbacks_t;

BREAKER_EXPORT void breaker_redis_config_init(breaker_redis_config_t *config);

/**
 * Makes a link that is down. Fails with the place in `error`: BREAKER_ERR_RANGE for a malformed
 * URL, their number, several databases, a timeout or a text out of its bounds, BREAKER_ERR_IO for a
 * file of certificates or a key that cannot be read, BREAKER_ERR_NO_MEMORY. A server that cannot be
 * reached is told by `on_down` alone.
 */
BREAKER_EXPORT int breaker_redis_create(uv_loop_t *loop, const breaker_redis_config_t *config,
                                        const breaker_redis_callbacks_t *callbacks,
                                        breaker_redis_t **ret_redis, breaker_error_t *error);
/*
 * All calls below may be made from inside the callbacks but on_notice.
 */

/**
 * Begins to connect. `on_up` or `on_down` follows, once, never before this returns. Only while
 * down.
 */
BREAKER_EXPORT void breaker_redis_dial(breaker_redis_t *redis);
/**
 * Sends a command; `on_reply` or `on_down` follows, once, never before this returns. Only while up
 * and with no command under way. MOVED and ASK are followed inside, five hops at most, then the
 * seeds are asked; READONLY closes the link, for another dial may lead to the master. A command of
 * more than 1,024 words or 1 MiB closes it too.
 */
BREAKER_EXPORT void breaker_redis_command(breaker_redis_t *redis, size_t argc,
                                          const char *const *argv, const size_t *argv_len);
/**
 * Hangs up and frees, once the loop has closed the handles: it must run once more, or, when the
 * name of a server is being looked up, until that is over. Takes NULL.
 */
BREAKER_EXPORT void breaker_redis_free(breaker_redis_t *redis);
/**
 * What the link talks to now, "10.0.0.5:6379", or did last, or "" before the first dial; for logs,
 * no secrets. Borrowed, and changed by whatever connects.
 */
BREAKER_EXPORT const char *breaker_redis_peer(const breaker_redis_t *redis);

#ifdef __cplusplus
}
#endif

#endif
