/*
 * Users by name and by number. Containers run as numbers that no database knows, and what has no
 * name has no further groups: then those that the process was started with are given up.
 */
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "process/user.h"

/* user and group with the colon */
#define TEXT_MAX (2 * BREAKER__USER_NAME_MAX)

/* all ones mean "leave as it is" to the system */
static bool parse_id(const char *text, unsigned *ret_id)
{
    unsigned long long id;

    if (text[0] == '\0' || strlen(text) > 10 || strspn(text, "0123456789") != strlen(text))
        return false;
    if ((id = strtoull(text, NULL, 10)) >= UINT32_MAX)
        return false;
    *ret_id = (unsigned)id;
    return true;
}

static int find_user(const char *text, breaker__user_t *user)
{
    const struct passwd *entry = getpwnam(text);

    if (entry == NULL) {
        if (!parse_id(text, &user->uid))
            return -1;
        user->gid = user->uid;
        entry = getpwuid(user->uid);
    }
    if (entry == NULL)
        return 0;
    if (strlen(entry->pw_name) >= sizeof(user->name))
        return -1;
    user->uid = entry->pw_uid;
    user->gid = entry->pw_gid;
    strcpy(user->name, entry->pw_name);
    return 0;
}

static int find_group(const char *text, breaker__user_t *user)
{
    const struct group *entry = getgrnam(text);

    user->has_group = true;
    if (entry != NULL)
        user->gid = entry->gr_gid;
    else if (!parse_id(text, &user->gid))
        return -1;
    return 0;
}

int breaker__user_find(const char *text, breaker__user_t *ret_user)
{
    breaker__user_t user = {.has_group = false};
    char name[TEXT_MAX], *colon;

    if (strlen(text) >= sizeof(name))
        return -1;
    strcpy(name, text);
    if ((colon = strchr(name, ':')) != NULL)
        *colon = '\0';
    if (find_user(name, &user) != 0 || (colon != NULL && find_group(colon + 1, &user) != 0))
        return -1;
    *ret_user = user;
    return 0;
}

bool breaker__user_is_self(const breaker__user_t *user)
{
    return user->uid == geteuid() && (!user->has_group || user->gid == getegid());
}

static int set_groups(const breaker__user_t *user)
{
    return user->name[0] != '\0' ? initgroups(user->name, user->gid) : setgroups(1, &user->gid);
}

int breaker__user_become(const breaker__user_t *user)
{
    return setgid(user->gid) == 0 && set_groups(user) == 0 && setuid(user->uid) == 0 ? 0 : -1;
}
