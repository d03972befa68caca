/*
 * The system calls of landlock(7), which glibc has no functions for. The second version is the
 * first that lets files be moved from one directory to another at all, which archives need.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "process/landlock.h"

#define VERSION_MIN 2
/* the first with a right to truncate, which older headers do not know */
#define VERSION_TRUNCATE 3
#define ACCESS_TRUNCATE (UINT64_C(1) << 14)

#define READING (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITING                                                                                    \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                               \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |  \
     LANDLOCK_ACCESS_FS_REFER)
#define REFUSED                                                                                    \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_SOCK |    \
     LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)
/* those that a file has, too */
#define OF_FILES (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | ACCESS_TRUNCATE)

static long version(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

static uint64_t writing(void)
{
    return WRITING | (version() >= VERSION_TRUNCATE ? ACCESS_TRUNCATE : 0);
}

int breaker__landlock_open(void)
{
    struct landlock_ruleset_attr attr = {.handled_access_fs = READING | writing() | REFUSED};

    if (version() < VERSION_MIN) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
}

void breaker__landlock_allow(int set, const char *path, bool writes)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = READING};
    struct stat st;

    if ((rule.parent_fd = open(path, O_PATH | O_CLOEXEC)) == -1)
        return;
    if (writes)
        rule.allowed_access |= writing();
    if (fstat(rule.parent_fd, &st) != 0 || !S_ISDIR(st.st_mode))
        rule.allowed_access &= OF_FILES;
    syscall(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    close(rule.parent_fd);
}

int breaker__landlock_enter(int set)
{
    int failure = 0;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_landlock_restrict_self, set, 0) != 0)
        failure = errno;
    close(set);
    errno = failure;
    return failure == 0 ? 0 : -1;
}
