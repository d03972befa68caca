/*
 * The releases of an archive: a directory for each, with its manifest and what was seen of it. A
 * release is there when its manifest is; a directory without one is what a killed process left, or
 * what is being put down or removed this moment.
 *
 * Everything here is written while the lock is shared and removed while it is held alone, so that
 * nobody writes into a directory that goes. Two processes that note the same release wait for each
 * other at its directory.
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "archive/opened.h"
#include "archive/releases.h"
#include "archive/seen.h"
#include "file/temporary.h"
#include "release/manifest.h"
#include "release/manifest_read.h"

static const char manifest_name[] = "manifest", seen_name[] = "seen";

/* ---- files ---- */

/*
 * Reads a whole file of at most `max` bytes. 0, a number of errno, ENOENT where there is none, or
 * EBADF where it cannot be one of ours. `*ret_inode` is set but for files that cannot be opened.
 */
static int read_file(int directory_fd, const char *name, uint64_t max, char **ret_base,
                     size_t *ret_len, ino_t *ret_inode)
{
    struct stat status;
    int fd = breaker__archive_open_file(directory_fd, name, &status), errnum = 0;
    char *base = NULL;
    size_t len = 0;

    if (fd == -1)
        return errno;
    *ret_inode = status.st_ino;
    if ((uint64_t)status.st_size > max)
        errnum = EBADF;
    else if ((base = malloc((size_t)status.st_size + 1)) == NULL)
        errnum = ENOMEM;
    while (errnum == 0 && len != (size_t)status.st_size) {
        ssize_t got = read(fd, base + len, (size_t)status.st_size - len);
        if (got > 0)
            len += (size_t)got;
        else if (got == 0 || errno != EINTR)
            errnum = got == 0 ? EBADF : errno;
    }
    close(fd);
    if (errnum != 0) {
        free(base);
        return errnum;
    }
    *ret_base = base;
    *ret_len = len;
    return 0;
}

/* writes a file in one step, on the disk before it has its name where `is_synced` */
static int write_file(breaker__archive_t *archive, int directory_fd, const char *name,
                      const char *base, size_t len, bool is_synced)
{
    breaker__temporary_t temporary;
    int errnum;

    if ((errnum =
             breaker__temporary_create(directory_fd, name, BREAKER__ARCHIVE_MODE, &temporary)) != 0)
        return breaker__archive_fail(archive, BREAKER__ARCHIVE_WRITE, errnum);
    errnum = breaker__temporary_write(&temporary, base, len);
    if (errnum == 0 && is_synced && fsync(temporary.fd) != 0)
        errnum = errno;
    if (errnum == 0)
        errnum = breaker__temporary_rename(&temporary, name);
    /* an empty directory in its place is nobody's */
    if (errnum == EISDIR && unlinkat(directory_fd, name, AT_REMOVEDIR) == 0)
        errnum = breaker__temporary_rename(&temporary, name);
    if (errnum != 0) {
        breaker__temporary_discard(&temporary);
        return breaker__archive_fail(archive, BREAKER__ARCHIVE_WRITE, errnum);
    }
    if (is_synced && fsync(directory_fd) != 0)
        return breaker__archive_fail(archive, BREAKER__ARCHIVE_SYNC, errno);
    return 0;
}

/* ---- manifests ---- */

/* 0, BREAKER_ERR_DAMAGED, or BREAKER_ERR_NO_MEMORY */
static int judge(const char *text, size_t len, const breaker_release_id_t *id,
                 breaker__manifest_t **ret_manifest)
{
    breaker__manifest_t *manifest;
    int err = breaker__manifest_read(text, len, &manifest, NULL);

    if (err != 0)
        return err == BREAKER_ERR_NO_MEMORY ? err : BREAKER_ERR_DAMAGED;
    if (!breaker__manifest_is_of(manifest, id)) {
        breaker__manifest_free(manifest);
        return BREAKER_ERR_DAMAGED;
    }
    *ret_manifest = manifest;
    return 0;
}

/* removes what is no manifest of the release, unless another process put another file there by now
 */
static void drop_manifest(breaker__archive_t *archive, int release_fd,
                          const breaker_release_id_t *id, ino_t inode)
{
    struct stat now;

    breaker__archive_tell(archive, BREAKER__ARCHIVE_MANIFEST, id->text);
    if (fstatat(release_fd, manifest_name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
        (inode == 0 || now.st_ino == inode))
        unlinkat(release_fd, manifest_name, S_ISDIR(now.st_mode) ? AT_REMOVEDIR : 0);
}

/* what is there and is not the release's is removed; BREAKER_ERR_STATE for another version's */
static int read_manifest(breaker__archive_t *archive, int release_fd,
                         const breaker_release_id_t *id, char **ret_text, size_t *ret_len,
                         breaker__manifest_t **ret_manifest)
{
    ino_t inode = 0;
    char *text = NULL;
    size_t len;
    int errnum = read_file(release_fd, manifest_name, BREAKER__MANIFEST_MAX, &text, &len, &inode);
    int err = BREAKER_ERR_DAMAGED;

    if (errnum == ENOENT)
        return BREAKER_ERR_NOT_FOUND;
    if (errnum != 0 && errnum != EBADF)
        return breaker__archive_fail(archive, BREAKER__ARCHIVE_READ, errnum);
    if (errnum == 0)
        /* a later version is not ours to judge */
        err = breaker__manifest_is_of_later_version(text, len) ? BREAKER_ERR_STATE
                                                               : judge(text, len, id, ret_manifest);
    if (err == 0) {
        *ret_text = text;
        *ret_len = len;
        return 0;
    }
    free(text);
    if (err != BREAKER_ERR_DAMAGED)
        return err;
    drop_manifest(archive, release_fd, id, inode);
    return BREAKER_ERR_NOT_FOUND;
}

/* 0, BREAKER_ERR_NOT_FOUND, or what the file system says; -1 in `ret_fd` unless 0 */
static int open_release(breaker__archive_t *archive, const breaker_release_id_t *id, int *ret_fd)
{
    int fd;

    *ret_fd = -1;
    if (breaker__archive_is_stopped(archive))
        return BREAKER_ERR_CANCELLED;
    if (archive->releases_fd == -1)
        return BREAKER_ERR_NOT_FOUND;
    if ((fd = breaker__archive_open_directory(archive->releases_fd, id->text, false)) == -1)
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
                   ? BREAKER_ERR_NOT_FOUND
                   : breaker__archive_fail(archive, BREAKER__ARCHIVE_READ, errno);
    *ret_fd = fd;
    return 0;
}

int breaker__archive_read_manifest(breaker__archive_t *archive, const breaker_release_id_t *id,
                                   char **ret_text, size_t *ret_len,
                                   breaker__manifest_t **ret_manifest)
{
    int release_fd, err;

    if ((err = open_release(archive, id, &release_fd)) != 0)
        return err;
    err = read_manifest(archive, release_fd, id, ret_text, ret_len, ret_manifest);
    close(release_fd);
    return err;
}

int breaker__archive_manifest(breaker__archive_t *archive, const breaker_release_id_t *id,
                              char **ret_text, size_t *ret_len)
{
    breaker__manifest_t *manifest;
    int err = breaker__archive_read_manifest(archive, id, ret_text, ret_len, &manifest);

    if (err == 0)
        breaker__manifest_free(manifest);
    return err == BREAKER_ERR_STATE ? BREAKER_ERR_NOT_FOUND : err;
}

/* ---- what was seen ---- */

/* what stands there; an empty one where there is nothing that can be used */
static int read_seen(breaker__archive_t *archive, int release_fd, const breaker_release_id_t *id,
                     breaker__archived_t *ret_archived)
{
    char *text;
    size_t len;
    ino_t inode;
    int errnum = read_file(release_fd, seen_name, BREAKER__SEEN_MAX, &text, &len, &inode);
    bool is_read;

    *ret_archived = (breaker__archived_t){.id = *id};
    if (errnum == ENOENT)
        return 0;
    if (errnum != 0 && errnum != EBADF)
        return breaker__archive_fail(archive, BREAKER__ARCHIVE_READ, errnum);
    is_read = errnum == 0 && breaker__seen_read(text, len, id, ret_archived);
    if (errnum == 0)
        free(text);
    if (!is_read)
        breaker__archive_tell(archive, BREAKER__ARCHIVE_SEEN, id->text);
    return 0;
}

/* everything that was written before this reaches the disk before what follows */
static int sync_blobs(breaker__archive_t *archive)
{
    return syncfs(archive->releases_fd) == 0
               ? 0
               : breaker__archive_fail(archive, BREAKER__ARCHIVE_SYNC, errno);
}

/* a notice of trouble that is over may be given again when it comes back */
static void forget_trouble(breaker__archive_t *archive)
{
    archive->told[BREAKER__ARCHIVE_WRITE] = false;
    archive->told[BREAKER__ARCHIVE_SYNC] = false;
    archive->told[BREAKER__ARCHIVE_LOCKED] = false;
}

/* with the release's directory locked */
static int note(breaker__archive_t *archive, int release_fd, const breaker__archived_t *archived)
{
    breaker__archived_t known;
    char text[BREAKER__SEEN_MAX];
    uint64_t last_seen_ms;
    bool is_new, was_whole;
    size_t len;
    int err;

    if ((err = read_seen(archive, release_fd, &archived->id, &known)) != 0)
        return err;
    was_whole = known.is_whole;
    last_seen_ms = known.last_seen_ms;
    is_new = breaker__seen_merge(&known, archived);
    if (!is_new && known.last_seen_ms == last_seen_ms)
        return 0;
    if (known.is_whole && !was_whole && (err = sync_blobs(archive)) != 0)
        return err;
    if ((len = breaker__seen_write(&known, text)) == 0)
        return BREAKER_ERR_NO_MEMORY;
    err = write_file(archive, release_fd, seen_name, text, len, is_new);
    if (err == 0 && known.is_whole && !was_whole)
        forget_trouble(archive);
    return err;
}

static int note_locked(breaker__archive_t *archive, int release_fd,
                       const breaker__archived_t *archived)
{
    int err;

    if ((err = breaker__archive_lock(archive, release_fd, LOCK_EX)) != 0)
        return err;
    err = note(archive, release_fd, archived);
    breaker__archive_unlock(release_fd);
    return err;
}

int breaker__archive_note(breaker__archive_t *archive, const breaker__archived_t *archived)
{
    int release_fd, err;

    if ((err = breaker__archive_lock(archive, archive->releases_fd, LOCK_SH)) != 0)
        return err;
    if ((err = open_release(archive, &archived->id, &release_fd)) == 0) {
        err = faccessat(release_fd, manifest_name, F_OK, AT_SYMLINK_NOFOLLOW) == 0
                  ? note_locked(archive, release_fd, archived)
                  : BREAKER_ERR_NOT_FOUND;
        close(release_fd);
    }
    breaker__archive_unlock(archive->releases_fd);
    return err;
}

/* ---- putting down ---- */

static int put_manifest(breaker__archive_t *archive, int release_fd, const breaker_release_id_t *id,
                        const char *base, size_t len)
{
    breaker__manifest_t *manifest;
    size_t known_len;
    char *known;
    int err = read_manifest(archive, release_fd, id, &known, &known_len, &manifest);

    if (err == 0) {
        free(known);
        breaker__manifest_free(manifest);
        return 0;
    }
    /* one of another version makes room for this one */
    if (err != BREAKER_ERR_NOT_FOUND && err != BREAKER_ERR_STATE)
        return err;
    if ((err = write_file(archive, release_fd, manifest_name, base, len, false)) == 0)
        archive->size += breaker__archive_blocks(len) + BREAKER__ARCHIVE_BLOCK;
    return err;
}

/* makes the directory; something else of this name that is none has no place there */
static int make_release(const breaker__archive_t *archive, const breaker_release_id_t *id)
{
    int fd = breaker__archive_open_directory(archive->releases_fd, id->text, true);

    if (fd != -1 || (errno != ENOTDIR && errno != ELOOP))
        return fd;
    if (unlinkat(archive->releases_fd, id->text, 0) != 0)
        return -1;
    return breaker__archive_open_directory(archive->releases_fd, id->text, true);
}

static int put_locked(breaker__archive_t *archive, const breaker__archived_t *archived,
                      const char *manifest, size_t len)
{
    int release_fd, err;

    if ((release_fd = make_release(archive, &archived->id)) == -1)
        return breaker__archive_fail(archive, BREAKER__ARCHIVE_WRITE, errno);
    if ((err = put_manifest(archive, release_fd, &archived->id, manifest, len)) == 0)
        err = note_locked(archive, release_fd, archived);
    close(release_fd);
    /* nothing in it, where the manifest could not be written */
    if (err != 0)
        unlinkat(archive->releases_fd, archived->id.text, AT_REMOVEDIR);
    return err;
}

int breaker__archive_put_release(breaker__archive_t *archive, const breaker__archived_t *archived,
                                 const char *manifest, size_t len)
{
    int errnum, err;

    assert(breaker_release_id_digest(&archived->id) != NULL);
    /* nobody could read it again */
    if (len > BREAKER__MANIFEST_MAX)
        return BREAKER_ERR_TOO_LONG;
    if (breaker__archive_is_stopped(archive))
        return BREAKER_ERR_CANCELLED;
    if ((errnum = breaker__archive_make_rooms(archive)) != 0)
        return breaker__archive_fail(archive, BREAKER__ARCHIVE_WRITE, errnum);
    if ((err = breaker__archive_lock(archive, archive->releases_fd, LOCK_SH)) != 0)
        return err;
    err = put_locked(archive, archived, manifest, len);
    breaker__archive_unlock(archive->releases_fd);
    return err;
}

/* ---- listing ---- */

typedef struct st_list_t {
    breaker__archived_t *releases; /* owned */
    size_t num, capacity;
} list_t;

static uint64_t in_ms(struct timespec time)
{
    return time.tv_sec < 0 ? 0 : (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

int breaker__archive_describe(breaker__archive_t *archive, const breaker_release_id_t *id,
                              breaker__archived_t *ret_archived)
{
    struct stat status;
    int release_fd, err;

    if ((err = open_release(archive, id, &release_fd)) != 0)
        return err;
    if (fstatat(release_fd, manifest_name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(status.st_mode))
        err = BREAKER_ERR_NOT_FOUND;
    else
        err = read_seen(archive, release_fd, id, ret_archived);
    close(release_fd);
    if (err == 0 && ret_archived->last_seen_ms == 0)
        ret_archived->first_seen_ms = ret_archived->last_seen_ms = in_ms(status.st_mtim);
    return err;
}

static int add(list_t *list, const breaker__archived_t *archived)
{
    if (list->num == list->capacity) {
        size_t capacity = list->capacity != 0 ? list->capacity * 2 : 16;
        breaker__archived_t *releases = realloc(list->releases, capacity * sizeof(*releases));
        if (releases == NULL)
            return BREAKER_ERR_NO_MEMORY;
        list->releases = releases;
        list->capacity = capacity;
    }
    list->releases[list->num++] = *archived;
    return 0;
}

static int add_entry(breaker__archive_t *archive, const char *name, list_t *list)
{
    breaker__archived_t archived;
    breaker_release_id_t id;
    int err;

    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return 0;
    if (breaker_release_id_parse(name, strlen(name), &id) != 0 ||
        breaker_release_id_digest(&id) == NULL) {
        breaker__archive_tell(archive, BREAKER__ARCHIVE_FOREIGN, name);
        return 0;
    }
    if (list->num == BREAKER__ARCHIVE_RELEASES_MAX) {
        breaker__archive_tell(archive, BREAKER__ARCHIVE_MANY, NULL);
        return 0;
    }
    err = breaker__archive_describe(archive, &id, &archived);
    if (err == BREAKER_ERR_NOT_FOUND || err == BREAKER_ERR_IO)
        return 0;
    return err == 0 ? add(list, &archived) : err;
}

static int compare_seen(const void *a, const void *b)
{
    const breaker__archived_t *x = a, *y = b;

    if (x->last_seen_ms != y->last_seen_ms)
        return x->last_seen_ms > y->last_seen_ms ? -1 : 1;
    return strcmp(x->id.text, y->id.text);
}

DIR *breaker__archive_open_names(int directory_fd)
{
    int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *names = fd != -1 ? fdopendir(fd) : NULL;

    if (names == NULL && fd != -1) {
        int errnum = errno;
        close(fd);
        errno = errnum;
    }
    return names;
}

int breaker__archive_list(breaker__archive_t *archive, breaker__archived_t **ret_list,
                          size_t *ret_num)
{
    list_t list = {.releases = NULL};
    const struct dirent *entry;
    DIR *names;
    int err = 0;

    if (archive->releases_fd == -1) {
        *ret_list = NULL;
        *ret_num = 0;
        return 0;
    }
    if ((names = breaker__archive_open_names(archive->releases_fd)) == NULL)
        return breaker__archive_fail(archive, BREAKER__ARCHIVE_READ, errno);
    while (err == 0 && (entry = readdir(names)) != NULL)
        err = add_entry(archive, entry->d_name, &list);
    closedir(names);
    if (err != 0) {
        free(list.releases);
        return err;
    }
    if (list.num != 0)
        qsort(list.releases, list.num, sizeof(*list.releases), compare_seen);
    *ret_list = list.releases;
    *ret_num = list.num;
    return 0;
}

/* ---- removing ---- */

/* the manifest first: without it there is no release any more, whoever is killed after that */
static void empty_release(breaker__archive_t *archive, int release_fd)
{
    const struct dirent *entry;
    struct stat status;
    DIR *names;

    if (fstatat(release_fd, manifest_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
        unlinkat(release_fd, manifest_name, 0) == 0) {
        breaker__archive_shrink(archive, (uint64_t)status.st_size);
        breaker__archive_shrink(archive, 0);
    }
    unlinkat(release_fd, seen_name, 0);
    if ((names = breaker__archive_open_names(release_fd)) == NULL)
        return;
    while ((entry = readdir(names)) != NULL)
        if (breaker__temporary_is_named(manifest_name, entry->d_name) ||
            breaker__temporary_is_named(seen_name, entry->d_name))
            unlinkat(release_fd, entry->d_name, 0);
    closedir(names);
}

int breaker__archive_remove(breaker__archive_t *archive, const breaker_release_id_t *id)
{
    int release_fd, err;

    if ((err = open_release(archive, id, &release_fd)) != 0)
        return err == BREAKER_ERR_NOT_FOUND ? 0 : err;
    empty_release(archive, release_fd);
    close(release_fd);
    if (unlinkat(archive->releases_fd, id->text, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return 0;
    /* somebody keeps other files there: they are nobody's release any more */
    if (errno == ENOTEMPTY || errno == EEXIST) {
        breaker__archive_tell(archive, BREAKER__ARCHIVE_FOREIGN, id->text);
        return 0;
    }
    return breaker__archive_fail(archive, BREAKER__ARCHIVE_WRITE, errno);
}

int breaker__archive_drop(breaker__archive_t *archive, const breaker_release_id_t *id)
{
    int err;

    if ((err = breaker__archive_lock(archive, archive->releases_fd, LOCK_EX)) != 0)
        return err;
    err = breaker__archive_remove(archive, id);
    breaker__archive_unlock(archive->releases_fd);
    return err;
}

/* ---- what was left ---- */

static void tidy_release(breaker__archive_t *archive, int release_fd)
{
    DIR *names = breaker__archive_open_names(release_fd);
    const struct dirent *entry;

    if (names == NULL)
        return;
    while (!breaker__archive_is_stopped(archive) && (entry = readdir(names)) != NULL)
        if (breaker__temporary_is_named(manifest_name, entry->d_name) ||
            breaker__temporary_is_named(seen_name, entry->d_name))
            breaker__temporary_remove_left(release_fd, entry->d_name);
    closedir(names);
}

static void tidy_entry(breaker__archive_t *archive, const char *name, int64_t before_s)
{
    breaker_release_id_t id;
    struct stat status;
    int release_fd;
    bool is_old;

    if (breaker_release_id_parse(name, strlen(name), &id) != 0 ||
        breaker_release_id_digest(&id) == NULL || open_release(archive, &id, &release_fd) != 0)
        return;
    is_old = fstat(release_fd, &status) == 0 && status.st_ctim.tv_sec < before_s;
    tidy_release(archive, release_fd);
    if (is_old && faccessat(release_fd, manifest_name, F_OK, AT_SYMLINK_NOFOLLOW) != 0 &&
        errno == ENOENT)
        breaker__archive_remove(archive, &id);
    close(release_fd);
}

void breaker__archive_tidy(breaker__archive_t *archive, int64_t before_s)
{
    DIR *names = breaker__archive_open_names(archive->releases_fd);
    const struct dirent *entry;

    if (names == NULL)
        return;
    while ((entry = readdir(names)) != NULL)
        tidy_entry(archive, entry->d_name, before_s);
    closedir(names);
}

uint64_t breaker__archive_measure(const breaker__archive_t *archive,
                                  const breaker__archived_t *list, size_t num)
{
    char path[sizeof(list->id.text) + sizeof(manifest_name)];
    struct stat status;
    uint64_t size = 0;

    for (size_t i = 0; i != num; ++i) {
        snprintf(path, sizeof(path), "%s/%s", list[i].id.text, manifest_name);
        if (fstatat(archive->releases_fd, path, &status, AT_SYMLINK_NOFOLLOW) == 0)
            size += breaker__archive_blocks((uint64_t)status.st_size) + BREAKER__ARCHIVE_BLOCK;
    }
    return size;
}
