/*
 * A small file is replaced by renaming a temporary one, which is on the disk by then, to its name.
 * Files are found by the directory, which is opened first and synced last, so that a name that
 * changes meanwhile changes nothing. What killed processes left is removed on every write, so it
 * never adds up.
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "file/replace.h"
#include "file/temporary.h"

enum {
    PATH_LEN_MAX = 4096,
    /* entries of one directory */
    LOOKED_AT_MAX = 4096,
};

typedef struct st_place_t {
    const char *path;
    /* the directory's, with its slash, or "." */
    char directory[PATH_LEN_MAX];
    int directory_fd;
    /* the file's name in it; into path */
    const char *name;
} place_t;

static int fail_io(breaker_error_t *error, const char *what, const char *path, int errnum)
{
    return breaker_error_set(error, BREAKER_ERR_IO, "%s %s: %s", what, path, strerror(errnum));
}

static int open_place(const char *path, place_t *place, breaker_error_t *error)
{
    const char *slash = strrchr(path, '/');

    if (strlen(path) >= PATH_LEN_MAX)
        return breaker_error_set(error, BREAKER_ERR_IO, "the path of the state file is too long");
    place->path = path;
    place->name = slash != NULL ? slash + 1 : path;
    snprintf(place->directory, sizeof(place->directory), "%.*s",
             slash != NULL ? (int)(place->name - path) : 1, slash != NULL ? path : ".");
    place->directory_fd = open(place->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return place->directory_fd != -1
               ? 0
               : fail_io(error, "cannot open the directory of", place->path, errno);
}

/* best effort: what is left now may be removed the next time */
static void remove_all_left(const place_t *place)
{
    int fd = openat(place->directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd != -1 ? fdopendir(fd) : NULL;
    const struct dirent *entry;

    if (directory == NULL && fd != -1)
        close(fd);
    if (directory == NULL)
        return;
    for (unsigned i = 0; i != LOOKED_AT_MAX && (entry = readdir(directory)) != NULL; ++i)
        if (breaker__temporary_is_named(place->name, entry->d_name))
            breaker__temporary_remove_left(place->directory_fd, entry->d_name);
    closedir(directory);
}

static int write_and_rename(const place_t *place, const char *base, size_t len,
                            breaker_error_t *error)
{
    breaker__temporary_t temporary;
    int errnum, err = 0;

    if ((errnum = breaker__temporary_create(place->directory_fd, place->name, 0644, &temporary)) !=
        0)
        return fail_io(error, "cannot create a file beside", place->path, errnum);
    errnum = breaker__temporary_write(&temporary, base, len);
    if (errnum == 0 && fsync(temporary.fd) != 0)
        errnum = errno;
    if (errnum != 0)
        err = fail_io(error, "cannot write a file beside", place->path, errnum);
    else if ((errnum = breaker__temporary_rename(&temporary, place->name)) != 0)
        err = fail_io(error, "cannot replace", place->path, errnum);
    if (err != 0)
        breaker__temporary_discard(&temporary);
    return err;
}

int breaker__replace_file(const char *path, const char *base, size_t len, breaker_error_t *error)
{
    place_t place;
    int err;

    if ((err = open_place(path, &place, error)) != 0)
        return err;
    remove_all_left(&place);
    err = write_and_rename(&place, base, len, error);
    /* the new name is on the disk only when its directory is */
    if (err == 0 && fsync(place.directory_fd) != 0)
        err = fail_io(error, "cannot sync the directory of", place.path, errno);
    close(place.directory_fd);
    return err;
}
