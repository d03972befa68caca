/*
 * The walk over a directory of a view. Every open goes by the full logical path from the pinned
 * directory through openat2 with RESOLVE_BENEATH, so that the kernel answers for it: whatever
 * happens to the tree meanwhile, no file outside it is ever opened. Opening relative to a
 * subdirectory would instead refuse links such as "css/base -> ../shared", which stay inside.
 *
 * A path that leads out, by an absolute link say, may end in the directory all the same, or in one
 * that the view names for it. Such a path is resolved step by step (resolve.c), and so is every
 * path where there is no openat2 (kernels before 5.6, old seccomp filters).
 *
 * Nothing is opened for reading before its type is known, because opening a device can have
 * effects, and everything is opened without waiting, because opening a fifo can wait for ever.
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <breaker/http/percent.h>
#include "http/percent.h"
#include "release/stamp.h"
#include "release/tree.h"
#include "view/view.h"

/** how often a resolution that raced with a rename is tried again */
#define RACES_MAX 64
/* Linux 6.8 has it, older headers have not */
#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x4000U
#endif
#define OPEN_FLAGS (O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

/** Where a walk stands. */
typedef struct st_walk_t {
    const breaker__tree_t *tree;
    size_t directory;
    breaker__arena_t *arena;
    breaker__notices_t *notices;
    breaker__listing_t *listing;
    breaker_error_t *error;
    /** directories and files met, so that links which multiply each other come to an end */
    size_t num_met;
    /** the directories that lead here, the root first */
    size_t depth;
    struct {
        dev_t dev;
        ino_t ino;
    } above[BREAKER_TREE_DEPTH_MAX + 1];
    /** the logical path of the present file or directory, NUL-ended */
    char path[BREAKER_ASSET_PATH_MAX + 1];
} walk_t;

static int walk_directory(walk_t *walk, size_t path_len);

int breaker__tree_fail(const breaker__tree_t *tree, int code, const char *path, const char *why,
                       breaker_error_t *error)
{
    char place[BREAKER_PLACE_MAX], shown[BREAKER__VIEW_SHOWN_SIZE];

    breaker__place_format(tree->directory, path, place);
    return breaker_error_set(error, code, "view %s: %s: %s", breaker__view_show(tree->view, shown),
                             place, why);
}

static bool is_denied(int system_error)
{
    return system_error == EACCES || system_error == EPERM;
}

int breaker__tree_fail_io(const breaker__tree_t *tree, int system_error, const char *path,
                          breaker_error_t *error)
{
    char text[128];

    if (system_error == EMFILE || system_error == ENFILE)
        return breaker__tree_fail(tree, BREAKER_ERR_IO, path,
                                  "too many open files: raise the limit of open files (ulimit -n, "
                                  "LimitNOFILE=) or how much the view may keep in memory",
                                  error);
    if (system_error == ECANCELED)
        return breaker__tree_fail(tree, BREAKER_ERR_CANCELLED, path,
                                  breaker_err_message(BREAKER_ERR_CANCELLED), error);
    if (system_error == ENOMEM)
        return breaker__tree_fail(tree, BREAKER_ERR_NO_MEMORY, path,
                                  breaker_err_message(BREAKER_ERR_NO_MEMORY), error);
    return breaker__tree_fail(tree, is_denied(system_error) ? BREAKER_ERR_DENIED : BREAKER_ERR_IO,
                              path, strerror_r(system_error, text, sizeof(text)), error);
}

static int open_resolved(int root, const char *path, int flags)
{
    struct open_how how = {.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    long fd;

    /* openat2 refuses flags that have no meaning together */
    how.flags = (unsigned)(flags | ((flags & O_PATH) != 0 ? O_CLOEXEC : OPEN_FLAGS));
    for (int i = 0; i != RACES_MAX; ++i) {
        fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
            break;
    }
    return (int)fd;
}

static int open_in_steps(const breaker__tree_t *tree, const char *path, int flags)
{
    const breaker__resolution_t resolution = {&tree->root, tree->place, tree->roots,
                                              tree->num_roots};

    return breaker__resolve(&resolution, path,
                            flags | ((flags & O_PATH) != 0 ? O_CLOEXEC : OPEN_FLAGS));
}

/** Opens a logical path; "" is the directory. Returns -1 and leaves errno. */
static int open_beneath(const breaker__tree_t *tree, const char *path, int flags)
{
    int fd;

    if (*path == '\0')
        path = ".";
    if (!tree->has_openat2)
        return open_in_steps(tree, path, flags);
    if ((fd = open_resolved(tree->root.fd, path, flags)) < 0 && errno == EXDEV)
        fd = open_in_steps(tree, path, flags);
    return fd;
}

/** Finds out whether the kernel resolves beneath. */
static bool probe_openat2(int root)
{
    int fd = open_resolved(root, ".", O_PATH);

    if (fd >= 0)
        close(fd);
    return fd >= 0 || (errno != ENOSYS && errno != EPERM);
}

int breaker__tree_open(breaker__tree_t *tree, const breaker_view_t *view, const char *directory,
                       breaker_error_t *error)
{
    breaker__tree_t opened = {.view = view, .directory = directory, .num_roots = 1};
    int fd, failure;

    if (directory == NULL)
        opened.directory = breaker_view_config(view)->directory;
    fd = open(opened.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return breaker__tree_fail_io(&opened, errno, "", error);
    if ((failure = breaker__root_init(&opened.root, fd)) != 0) {
        close(fd);
        return breaker__tree_fail_io(&opened, failure, "", error);
    }
    opened.has_openat2 = probe_openat2(fd);
    opened.place = realpath(opened.directory, NULL);
    *tree = opened;
    tree->roots = &tree->root;
    return 0;
}

void breaker__tree_close(breaker__tree_t *tree)
{
    assert(tree->root.fd >= 0);
    close(tree->root.fd);
    free(tree->place);
    tree->root.fd = -1;
    tree->place = NULL;
}

int breaker__tree_open_file(const breaker__tree_t *tree, const char *path, int *ret_fd,
                            breaker__stamp_t *ret_stamp, breaker_error_t *error)
{
    struct stat status;
    int fd;

    if ((fd = open_beneath(tree, path, O_RDONLY)) < 0)
        return breaker__tree_fail_io(tree, errno, path, error);
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        close(fd);
        return breaker__tree_fail(tree, BREAKER_ERR_CHANGED, path, "no longer a regular file",
                                  error);
    }
    *ret_fd = fd;
    breaker__stamp_from(&status, ret_stamp);
    return 0;
}

void breaker__folder_close(breaker__folder_t *folder)
{
    if (folder->tree != NULL)
        close(folder->fd);
    folder->tree = NULL;
}

/** Has the folder be the directory of `len` bytes of a path. */
static bool enter(breaker__folder_t *folder, const breaker__tree_t *tree, const char *path,
                  size_t len)
{
    if (folder->tree == tree && folder->len == len && memcmp(folder->path, path, len) == 0)
        return true;
    breaker__folder_close(folder);
    memcpy(folder->path, path, len);
    folder->path[len] = '\0';
    folder->len = len;
    if ((folder->fd = open_beneath(tree, folder->path, O_PATH | O_DIRECTORY)) < 0)
        return false;
    folder->tree = tree;
    return true;
}

/* older headers have no name for what follows there */
static uint64_t mount_in(const struct statx *status)
{
    uint64_t mount;

    memcpy(&mount,
           (const char *)status + offsetof(struct statx, stx_dev_minor) +
               sizeof(status->stx_dev_minor),
           sizeof(mount));
    return (status->stx_mask & STATX_MNT_ID_UNIQUE) != 0 ? mount : 0;
}

uint64_t breaker__tree_mount_of(int fd)
{
    struct statx status;

    if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID_UNIQUE, &status) != 0)
        return 0;
    return mount_in(&status);
}

/* what a server of files said a while ago is not enough: opening asks it, and so does this */
static bool look_at(int directory, const char *name, breaker__stamp_t *ret_stamp)
{
    struct statx status;

    if (statx(directory, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_FORCE_SYNC,
              STATX_BASIC_STATS | STATX_MNT_ID_UNIQUE, &status) != 0 ||
        (status.stx_mask & STATX_BASIC_STATS) != STATX_BASIC_STATS || mount_in(&status) == 0 ||
        !S_ISREG(status.stx_mode))
        return false;
    *ret_stamp = (breaker__stamp_t){
        .dev = makedev(status.stx_dev_major, status.stx_dev_minor),
        .ino = status.stx_ino,
        .size = (off_t)status.stx_size,
        .mtime = {status.stx_mtime.tv_sec, status.stx_mtime.tv_nsec},
        .ctime = {status.stx_ctime.tv_sec, status.stx_ctime.tv_nsec},
        .nlink = status.stx_nlink,
        .mode = status.stx_mode,
        .uid = status.stx_uid,
        .gid = status.stx_gid,
        .mount = mount_in(&status),
    };
    return true;
}

bool breaker__tree_look(const breaker__tree_t *tree, breaker__folder_t *folder, const char *path,
                        breaker__stamp_t *ret_stamp)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash != NULL ? (size_t)(slash - path) : 0;

    assert(len <= BREAKER_ASSET_PATH_MAX);
    return enter(folder, tree, path, len) &&
           look_at(folder->fd, slash != NULL ? slash + 1 : path, ret_stamp);
}

static int add_file(walk_t *walk, size_t path_len)
{
    breaker__listing_t *listing = walk->listing;
    const char *base;

    if (listing->num == listing->capacity) {
        size_t capacity = listing->capacity == 0 ? 64 : listing->capacity * 2;
        breaker__path_t *paths = realloc(listing->paths, capacity * sizeof(*paths));

        if (paths == NULL)
            return breaker__tree_fail_io(walk->tree, ENOMEM, walk->path, walk->error);
        listing->paths = paths;
        listing->capacity = capacity;
    }
    if ((base = breaker__arena_copy(walk->arena, walk->path, path_len)) == NULL)
        return breaker__tree_fail_io(walk->tree, ENOMEM, walk->path, walk->error);
    assert(listing->num < listing->capacity);
    listing->paths[listing->num++] =
        (breaker__path_t){base, (uint32_t)path_len, (uint16_t)(1u << walk->directory)};
    return 0;
}

/** Leaves the present path out, with a notice. */
static int leave_out(walk_t *walk, breaker__notice_t notice)
{
    breaker__notices_add(walk->notices, notice, walk->path);
    return 0;
}

/**
 * What cannot be entered is left out if this process may not, and below the directory itself, and
 * the view does not want it all; everything else is a failure.
 */
static int refuse(walk_t *walk, int system_error)
{
    if (is_denied(system_error) && walk->path[0] != '\0' &&
        !breaker_view_config(walk->tree->view)->strict)
        return leave_out(walk, BREAKER__NOTICE_DENIED);
    return breaker__tree_fail_io(walk->tree, system_error, walk->path, walk->error);
}

/** A symbolic link, or a file system that does not tell types: looks without opening. */
static int walk_unknown(walk_t *walk, size_t path_len)
{
    struct stat status;
    int fd = open_beneath(walk->tree, walk->path, O_PATH), failure;

    if (fd < 0) {
        if (errno == EXDEV)
            return leave_out(walk, BREAKER__NOTICE_OUTSIDE);
        if (errno == ELOOP)
            return leave_out(walk, BREAKER__NOTICE_LOOP);
        if (errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG)
            return leave_out(walk, BREAKER__NOTICE_DANGLING);
        return refuse(walk, errno);
    }
    failure = fstat(fd, &status) != 0 ? errno : 0;
    close(fd);
    if (failure != 0)
        return breaker__tree_fail_io(walk->tree, failure, walk->path, walk->error);
    if (S_ISREG(status.st_mode))
        return add_file(walk, path_len);
    if (S_ISDIR(status.st_mode))
        return walk_directory(walk, path_len);
    return leave_out(walk, BREAKER__NOTICE_SPECIAL);
}

static bool is_hidden(const walk_t *walk, const char *name)
{
    return name[0] == '.' && strcmp(name, ".well-known") != 0 &&
           !breaker_view_config(walk->tree->view)->dotfiles;
}

static int walk_entry(walk_t *walk, const struct dirent *entry, size_t parent_len)
{
    size_t name_len = strlen(entry->d_name), len = parent_len;

    if (is_hidden(walk, entry->d_name))
        return 0;
    if (parent_len + 1 + name_len > BREAKER_ASSET_PATH_MAX)
        return leave_out(walk, BREAKER__NOTICE_LONG);
    if (len != 0)
        walk->path[len++] = '/';
    memcpy(walk->path + len, entry->d_name, name_len + 1);
    len += name_len;

    if (!breaker__path_is_clean(entry->d_name, name_len))
        return leave_out(walk, BREAKER__NOTICE_NAME);
    if (++walk->num_met > BREAKER_ASSETS_MAX)
        return breaker__tree_fail(walk->tree, BREAKER_ERR_TOO_MANY, walk->path,
                                  "more files and directories than a view may have", walk->error);
    switch (entry->d_type) {
    case DT_REG:
        return add_file(walk, len);
    case DT_DIR:
        return walk_directory(walk, len);
    case DT_LNK:
    case DT_UNKNOWN:
        return walk_unknown(walk, len);
    default:
        return leave_out(walk, BREAKER__NOTICE_SPECIAL);
    }
}

static int walk_entries(walk_t *walk, DIR *directory, size_t path_len)
{
    for (;;) {
        const struct dirent *entry;
        int err;

        errno = 0;
        if ((entry = readdir(directory)) == NULL) {
            return errno != 0 ? refuse(walk, errno) : 0;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        err = walk_entry(walk, entry, path_len);
        walk->path[path_len] = '\0';
        if (err != 0)
            return err;
    }
}

static bool is_above(const walk_t *walk, const struct stat *status)
{
    for (size_t i = 0; i != walk->depth; ++i)
        if (walk->above[i].dev == status->st_dev && walk->above[i].ino == status->st_ino)
            return true;
    return false;
}

/** Walks an open directory, which it closes. */
static int walk_opened(walk_t *walk, int fd, size_t path_len)
{
    struct stat status;
    DIR *directory;
    int err;

    if (fstat(fd, &status) != 0 || (directory = fdopendir(fd)) == NULL) {
        err = breaker__tree_fail_io(walk->tree, errno, walk->path, walk->error);
        close(fd);
        return err;
    }
    if (is_above(walk, &status)) {
        err = leave_out(walk, BREAKER__NOTICE_LOOP);
    } else {
        walk->above[walk->depth].dev = status.st_dev;
        walk->above[walk->depth].ino = status.st_ino;
        ++walk->depth;
        err = walk_entries(walk, directory, path_len);
        --walk->depth;
    }
    closedir(directory);
    return err;
}

static int walk_directory(walk_t *walk, size_t path_len)
{
    int fd;

    if (walk->depth > BREAKER_TREE_DEPTH_MAX)
        return breaker__tree_fail(walk->tree, BREAKER_ERR_TOO_MANY, walk->path,
                                  "directories lie too deep in each other", walk->error);
    if ((fd = open_beneath(walk->tree, walk->path, O_RDONLY | O_DIRECTORY)) < 0)
        return refuse(walk, errno);
    return walk_opened(walk, fd, path_len);
}

int breaker__tree_list(const breaker__tree_t *tree, size_t directory, breaker__arena_t *arena,
                       breaker__notices_t *notices, breaker__listing_t *listing,
                       breaker_error_t *error)
{
    walk_t *walk;
    int err;

    assert(directory <= UINT8_MAX);
    if ((walk = calloc(1, sizeof(*walk))) == NULL)
        return breaker__tree_fail_io(tree, ENOMEM, "", error);
    walk->tree = tree;
    walk->directory = directory;
    walk->arena = arena;
    walk->notices = notices;
    walk->listing = listing;
    walk->error = error;
    walk->num_met = listing->num;
    notices->directory = tree->directory;
    err = walk_directory(walk, 0);
    assert(walk->depth == 0);
    free(walk);
    return err;
}

void breaker__listing_dispose(breaker__listing_t *listing)
{
    free(listing->paths);
    memset(listing, 0, sizeof(*listing));
}
