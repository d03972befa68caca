#ifndef BREAKER_BIN_USER_H
#define BREAKER_BIN_USER_H

#include <stdbool.h>
#include <sys/types.h>

/** the longest name of a user, in bytes with its NUL */
#define BREAKER__USER_NAME_MAX 64

/** what `breaker__user_find` takes, for complaints */
#define BREAKER__USER_FORMS "a user, by name or number, or USER:GROUP"

/** Whom the process serves as. */
typedef struct st_breaker__user_t {
    uid_t uid;
    gid_t gid;
    /** a group was named beside the user */
    bool has_group;
    /** "" for a number that has no entry in the user database */
    char name[BREAKER__USER_NAME_MAX];
} breaker__user_t;

/**
 * Finds a user by what a configuration says: `www-data`, `1000`, `www-data:adm`, `1000:1000`. A
 * number needs no entry in the user database, as in a container; without one, and without a group,
 * its group has the same number. What could be a name is looked up as a name first. Asks the
 * databases of users and groups, so the main thread alone may call it. Returns 0, or -1 where there
 * is no such user or group.
 */
int breaker__user_find(const char *text, breaker__user_t *ret_user);

/** Tells whether the process is that user, and of that group where one was named. */
bool breaker__user_is_self(const breaker__user_t *user);

/**
 * Becomes that user for good, with the groups that the database has for the name, or with the one
 * group alone where there is no name. Returns 0, or -1 with errno.
 */
int breaker__user_become(const breaker__user_t *user);

#endif
