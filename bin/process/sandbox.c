/*
 * What a process that serves may do with files, as landlock(7) enforces it: a fault in it, or a
 * link in a directory that others write to, does not reach farther than the configuration.
 *
 * Rules hold for the directories that are there when they are made, whatever their names lead to
 * later. So where a path leads through a link, which deploys switch to another release, what lies
 * beside the link's end may be read as well, and where it names a file, what lies beside the file,
 * for files are replaced. But neither opens a directory of the system's own, / or one right below.
 *
 * System calls are not filtered: each would cost a third more (seccomp(2)), and what a filter would
 * keep from happening, the execution of programs above all, is refused here.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include "logs/error_log.h"
#include "logs/logs.h"
#include "process/landlock.h"
#include "process/sandbox.h"

/* ---- paths ---- */

/* the end of what a path names above its last part; 0 where that is the root, or where it stands */
static size_t parent_len(const char *path)
{
    size_t len = strlen(path);

    while (len > 1 && path[len - 1] == '/')
        --len;
    while (len != 0 && path[len - 1] != '/')
        --len;
    while (len != 0 && path[len - 1] == '/')
        --len;
    return len;
}

/* an absolute path without links, of two parts at least */
static bool is_deep(const char *path)
{
    return strchr(path + 1, '/') != NULL;
}

/* the directory that a path lies in, wherever that really is; false where there is none */
static bool find_parent(const char *path, char *ret_parent)
{
    char text[PATH_MAX];
    int len = (int)parent_len(path);
    const char *shown = len != 0 ? path : path[0] == '/' ? "/" : ".";

    snprintf(text, sizeof(text), "%.*s", len != 0 ? len : 1, shown);
    return realpath(text, ret_parent) != NULL;
}

static void allow_beside(int set, const char *path, bool writes)
{
    char parent[PATH_MAX];

    if (find_parent(path, parent) && is_deep(parent))
        breaker__landlock_allow(set, parent, writes);
}

/* a link may lead elsewhere tomorrow, beside where it leads to today */
static void allow_beside_ends_of_links(int set, const char *path)
{
    char part[PATH_MAX], end[PATH_MAX];
    struct stat st;
    size_t len = 0;

    while (path[len] != '\0') {
        len += strspn(path + len, "/");
        len += strcspn(path + len, "/");
        if ((size_t)snprintf(part, sizeof(part), "%.*s", (int)len, path) < sizeof(part) &&
            lstat(part, &st) == 0 && S_ISLNK(st.st_mode) && realpath(part, end) != NULL)
            allow_beside(set, end, false);
    }
}

static void allow_file(int set, const char *path)
{
    breaker__landlock_allow(set, path, false);
    allow_beside(set, path, false);
    allow_beside_ends_of_links(set, path);
}

/* beneath a directory; made now, as it would be later, it needs nothing of what lies beside it */
static void allow_keeping(int set, const char *path)
{
    struct stat st;

    if (mkdir(path, 0755) == 0 || stat(path, &st) == 0)
        breaker__landlock_allow(set, path, true);
    else
        allow_beside(set, path, true);
}

static void allow_replacing(int set, const char *path)
{
    char parent[PATH_MAX];

    if (find_parent(path, parent) && parent[1] != '\0')
        breaker__landlock_allow(set, parent, true);
}

/* ---- what is allowed ---- */

/* what names are looked up with, and certificates of others are checked with */
static void allow_system(int set)
{
    /* files in /etc are replaced, and that of name servers is a link where a service writes it */
    static const char *const read[] = {"/etc", "/usr", "/lib", "/lib64", "/dev/urandom"};
    /* OpenSSL's, for certificates that are elsewhere */
    static const char *const variables[] = {"SSL_CERT_FILE", "SSL_CERT_DIR"};

    for (size_t i = 0; i != sizeof(read) / sizeof(read[0]); ++i)
        breaker__landlock_allow(set, read[i], false);
    for (size_t i = 0; i != sizeof(variables) / sizeof(variables[0]); ++i)
        if (secure_getenv(variables[i]) != NULL)
            allow_file(set, secure_getenv(variables[i]));
    allow_beside_ends_of_links(set, "/etc/resolv.conf");
    breaker__landlock_allow(set, "/dev/null", true);
}

/* long bodies, here and in libh2o */
static void allow_temporary(int set)
{
    const char *directory = secure_getenv("TMPDIR");

    breaker__landlock_allow(set, directory != NULL ? directory : "/var/tmp", true);
    breaker__landlock_allow(set, "/tmp", true);
}

static void allow_named(int set, const breaker__path_t *path)
{
    switch (path->use) {
    case BREAKER__PATH_READ:
        breaker__landlock_allow(set, path->text, false);
        allow_beside_ends_of_links(set, path->text);
        break;
    case BREAKER__PATH_READ_FILE:
        allow_file(set, path->text);
        break;
    case BREAKER__PATH_KEEP:
        allow_keeping(set, path->text);
        break;
    case BREAKER__PATH_REPLACE:
        allow_replacing(set, path->text);
        break;
    }
}

/* what a master would do in its place */
static void allow_alone(int set, const breaker__config_t *config)
{
    breaker__logs_t logs = {.num = 0};

    breaker__logs_find(&logs);
    for (size_t i = 0; i != logs.num; ++i)
        allow_replacing(set, logs.entries[i].path);
    breaker__logs_dispose(&logs);
    if (config->pid_file != NULL)
        allow_replacing(set, config->pid_file);
    for (size_t i = 0; i != config->listeners.size; ++i) {
        const breaker__listener_t *listener = config->listeners.entries[i];
        if (listener->has_file)
            allow_replacing(set,
                            ((const struct sockaddr_un *)(const void *)&listener->addr)->sun_path);
    }
}

void breaker__sandbox_enter(const breaker__config_t *config, bool is_alone)
{
    int set;

    if (!config->sandbox)
        return;
    if ((set = breaker__landlock_open()) != -1) {
        allow_system(set);
        allow_temporary(set);
        for (size_t i = 0; i != config->paths.num; ++i)
            allow_named(set, config->paths.entries + i);
        if (is_alone)
            allow_alone(set, config);
        if (breaker__landlock_enter(set) == 0)
            return;
    }
    breaker__complain(BREAKER_LOG_WARNING, "sandbox",
                      "sandbox: %s; every file that the user may read or write is open to the "
                      "server",
                      errno == ENOSYS || errno == EOPNOTSUPP
                          ? "the kernel has no landlock of version 2"
                          : strerror(errno));
}
