#ifndef BREAKER_HANDLERS_STATUS_USERS_H
#define BREAKER_HANDLERS_STATUS_USERS_H

/* Who may look, by name and password. */
#include <h2o.h>
#include <breaker/error.h>

/** limits of a file of users: how many, bytes of it, and bytes of what a client says */
#define BREAKER__USERS_MAX 64
#define BREAKER__USERS_FILE_MAX 65536
#define BREAKER__CREDENTIALS_MAX 512
/** bytes of a password, as many as bcrypt looks at: what SHA takes grows with them */
#define BREAKER__PASSWORD_MAX 72

/** The users of a file, as htpasswd(1) writes it. Shared by all threads. */
typedef struct st_breaker__users_t breaker__users_t;

/** What is known of credentials. */
typedef enum en_breaker__users_verdict_t {
    BREAKER__USERS_RIGHT,
    /** wrong, or none at all */
    BREAKER__USERS_WRONG,
    /** not looked at: others are just being hashed, or were wrong a moment ago */
    BREAKER__USERS_LATER,
} breaker__users_verdict_t;

/**
 * Reads a file of lines NAME:HASH; empty lines and those that begin with # are passed over. A hash
 * is one of crypt(5): bcrypt of a cost of 10 at most, SHA-256 or SHA-512 of 100,000 rounds at most.
 * Fails with BREAKER_ERR_IO and BREAKER_ERR_RANGE, and names the line in `error`, but nothing that
 * stands in it. Configuring thread.
 */
int breaker__users_read(const char *path, breaker__users_t **ret_users, breaker_error_t *error);
/** Takes NULL. */
void breaker__users_free(breaker__users_t *users);

/**
 * Judges the value of an Authorization header (RFC 7617); no base: there is none. A password longer
 * than BREAKER__PASSWORD_MAX is wrong, whatever the file says. The first time that right ones come
 * they are hashed, which takes as long as a hash does, about a tenth of a second at most; then they
 * are remembered. After wrong ones no others are hashed for 19 times as long. Any thread.
 */
breaker__users_verdict_t breaker__users_judge(breaker__users_t *users, h2o_iovec_t authorization);

#endif
