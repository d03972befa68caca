/*
 * The resolution of a path step by step, for links that lead out of a directory and may be back in
 * it, or in another one that was named. The kernel can keep a path beneath one directory, but not
 * say whether it ends in one of several.
 *
 * Every component is opened as an entry of the directory before it, as it is and without being
 * followed; a link is read off its own descriptor, and ".." goes back to the directory that the
 * walk came from, which it still holds. So what is held is at every moment a chain of directories,
 * each of which was seen in the one before, and the end is inside if one of the chain is a root, by
 * device and inode, which nobody else can have while the root is held open. What is opened for
 * reading is an entry of the last directory of that chain, again without being followed: whatever
 * is renamed meanwhile, no file is opened that did not lie in a root.
 *
 * Outside of the roots directories are only walked through; nothing there is opened for reading.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "release/resolve.h"

enum {
    /* as many as the kernel follows */
    LINKS_MAX = 40,
    /* how deep the walk may be */
    CHAIN_MAX = 160,
    REST_SIZE = 2 * PATH_MAX,
    OPENED = O_CLOEXEC | O_NOCTTY | O_NOFOLLOW,
};

typedef struct st_walk_t {
    const breaker__resolution_t *resolution;
    /* the directories that lead here; owned but for the first one where it is `from` */
    breaker__root_t chain[CHAIN_MAX];
    size_t depth;
    int num_links;
    /* what is still to be resolved, NUL-ended: it ends where the array ends */
    char rest[REST_SIZE];
    char *at;
} walk_t;

int breaker__root_init(breaker__root_t *root, int fd)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        return errno;
    *root = (breaker__root_t){.fd = fd, .dev = status.st_dev, .ino = status.st_ino};
    return 0;
}

/* ---- the chain ---- */

/* leaves errno alone */
static void pop(walk_t *walk)
{
    int kept = errno, fd = walk->chain[--walk->depth].fd;

    if (fd != walk->resolution->from->fd)
        close(fd);
    errno = kept;
}

static void pop_all(walk_t *walk)
{
    while (walk->depth != 0)
        pop(walk);
}

/* takes the directory over, also when it fails: -1 with errno */
static int push(walk_t *walk, int fd, const struct stat *status)
{
    if (walk->depth == CHAIN_MAX) {
        close(fd);
        errno = ENAMETOOLONG;
        return -1;
    }
    walk->chain[walk->depth++] = (breaker__root_t){fd, status->st_dev, status->st_ino};
    return 0;
}

static int top(const walk_t *walk)
{
    assert(walk->depth != 0);
    return walk->chain[walk->depth - 1].fd;
}

static bool is_inside(const walk_t *walk)
{
    const breaker__resolution_t *resolution = walk->resolution;

    for (size_t i = 0; i != walk->depth; ++i)
        for (size_t r = 0; r != resolution->num_roots; ++r)
            if (walk->chain[i].dev == resolution->roots[r].dev &&
                walk->chain[i].ino == resolution->roots[r].ino)
                return true;
    return false;
}

/* begins anew at the root of the file system */
static int restart(walk_t *walk)
{
    int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct stat status;

    pop_all(walk);
    if (fd < 0)
        return -1;
    if (fstat(fd, &status) != 0) {
        close(fd);
        return -1;
    }
    return push(walk, fd, &status);
}

/* ---- components ---- */

/* puts a text in front of what is still to be resolved */
static int prepend(walk_t *walk, const char *base, size_t len)
{
    if ((size_t)(walk->at - walk->rest) < len + 1) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (*walk->at != '\0' && *walk->at != '/')
        *--walk->at = '/';
    walk->at -= len;
    memcpy(walk->at, base, len);
    return 0;
}

/* takes the next component, "" at the end; `*ret_is_directory` where a slash follows it */
static int take(walk_t *walk, char name[NAME_MAX + 1], bool *ret_is_directory)
{
    size_t len;

    walk->at += strspn(walk->at, "/");
    len = strcspn(walk->at, "/");
    if (len > NAME_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(name, walk->at, len);
    name[len] = '\0';
    walk->at += len;
    *ret_is_directory = *walk->at == '/';
    return 0;
}

static int go_up(walk_t *walk)
{
    const breaker__resolution_t *resolution = walk->resolution;

    if (walk->depth > 1) {
        pop(walk);
        return 0;
    }
    /* the parent of the file system's root is that root */
    if (top(walk) != resolution->from->fd)
        return 0;
    if (resolution->place == NULL) {
        errno = EXDEV;
        return -1;
    }
    if (prepend(walk, "..", 2) != 0 ||
        prepend(walk, resolution->place, strlen(resolution->place)) != 0)
        return -1;
    return restart(walk);
}

static int follow_link(walk_t *walk, int link)
{
    char target[PATH_MAX];
    ssize_t len = readlinkat(link, "", target, sizeof(target));

    if (len < 0)
        return -1;
    if (len == 0 || (size_t)len == sizeof(target)) {
        errno = len == 0 ? ENOENT : ENAMETOOLONG;
        return -1;
    }
    if (++walk->num_links > LINKS_MAX) {
        errno = ELOOP;
        return -1;
    }
    if (prepend(walk, target, (size_t)len) != 0)
        return -1;
    return target[0] == '/' ? restart(walk) : 0;
}

/* ---- the end ---- */

/* opens an entry of the last directory, which was looked at, as the caller wants it: 0, or -1 */
static int finish(walk_t *walk, const char *name, int flags, int *ret_fd)
{
    if (!is_inside(walk)) {
        errno = EXDEV;
        return -1;
    }
    *ret_fd = openat(top(walk), name, flags | OPENED);
    return *ret_fd >= 0 ? 0 : -1;
}

/* leaves errno alone */
static void drop(int fd)
{
    int kept = errno;

    close(fd);
    errno = kept;
}

/* goes on with an entry that was opened as it is, and takes it over; returns like `step` */
static int enter(walk_t *walk, int fd, const char *name, bool is_directory, int flags, int *ret_fd)
{
    struct stat status;
    int err = fstat(fd, &status);

    if (err == 0 && S_ISDIR(status.st_mode))
        return push(walk, fd, &status) == 0 ? 1 : -1;
    if (err == 0 && S_ISLNK(status.st_mode))
        err = follow_link(walk, fd);
    drop(fd);
    if (err != 0)
        return -1;
    if (S_ISLNK(status.st_mode))
        return 1;
    if (!is_directory)
        return finish(walk, name, flags, ret_fd);
    errno = ENOTDIR;
    return -1;
}

/* one component. 1: there is more to do; 0: `*ret_fd` is the end; -1 with errno */
static int step(walk_t *walk, int flags, int *ret_fd)
{
    char name[NAME_MAX + 1];
    bool is_directory;
    int fd;

    if (take(walk, name, &is_directory) != 0)
        return -1;
    if (name[0] == '\0')
        return finish(walk, ".", flags, ret_fd);
    if (strcmp(name, ".") == 0)
        return 1;
    if (strcmp(name, "..") == 0)
        return go_up(walk) == 0 ? 1 : -1;
    if ((fd = openat(top(walk), name, O_PATH | O_NOFOLLOW | O_CLOEXEC)) < 0)
        return -1;
    return enter(walk, fd, name, is_directory, flags, ret_fd);
}

int breaker__resolve(const breaker__resolution_t *resolution, const char *path, int flags)
{
    walk_t walk = {.resolution = resolution, .chain = {*resolution->from}, .depth = 1};
    int fd = -1, more;

    assert(resolution->num_roots != 0);
    walk.at = walk.rest + sizeof(walk.rest) - 1;
    more = prepend(&walk, path, strlen(path)) == 0 ? 1 : -1;
    while (more == 1)
        more = step(&walk, flags, &fd);
    pop_all(&walk);
    return more == 0 ? fd : -1;
}
