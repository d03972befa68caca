#ifndef BREAKER_TESTS_SCRATCH_H
#define BREAKER_TESTS_SCRATCH_H

/*
 * Real trees for tests: a directory of its own for each, removed afterwards whatever lies in it.
 * Whatever the file system refuses here ends the test program.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/** A scratch directory; `path` is absolute. */
typedef struct st_scratch_t {
    char path[256];
    int fd;
} scratch_t;

static inline void scratch_check(int ok, const char *what)
{
    if (!ok) {
        perror(what);
        abort();
    }
}

/** Makes an empty directory that everybody may read. */
static inline void scratch_create(scratch_t *scratch)
{
    const char *base = getenv("TMPDIR");

    snprintf(scratch->path, sizeof(scratch->path), "%s/breaker-test-XXXXXX",
             base != NULL ? base : "/tmp");
    scratch_check(mkdtemp(scratch->path) != NULL, scratch->path);
    scratch_check(chmod(scratch->path, 0755) == 0, scratch->path);
    scratch->fd = open(scratch->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    scratch_check(scratch->fd >= 0, scratch->path);
}

/** Makes the directories that lead to a relative path. */
static inline void scratch_parents(const scratch_t *scratch, const char *path)
{
    char *parent = strdup(path);

    scratch_check(parent != NULL, path);
    for (char *slash = parent; (slash = strchr(slash, '/')) != NULL; ++slash) {
        *slash = '\0';
        (void)mkdirat(scratch->fd, parent, 0755);
        *slash = '/';
    }
    free(parent);
}

/** Writes a file, its directories included. */
static inline void scratch_write(const scratch_t *scratch, const char *path, const void *base,
                                 size_t len)
{
    int fd;

    scratch_parents(scratch, path);
    fd = openat(scratch->fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    scratch_check(fd >= 0, path);
    while (len != 0) {
        ssize_t put = write(fd, base, len);

        scratch_check(put > 0, path);
        base = (const char *)base + put;
        len -= (size_t)put;
    }
    scratch_check(close(fd) == 0, path);
}

/** Writes a file of text. */
static inline void scratch_text(const scratch_t *scratch, const char *path, const char *text)
{
    scratch_write(scratch, path, text, strlen(text));
}

/** Makes a symbolic link, its directories included. */
static inline void scratch_link(const scratch_t *scratch, const char *path, const char *target)
{
    scratch_parents(scratch, path);
    scratch_check(symlinkat(target, scratch->fd, path) == 0, path);
}

/** Removes what lies in an open directory, which it closes. */
static inline void scratch_empty(int fd)
{
    DIR *directory = fdopendir(fd);
    struct dirent *entry;

    scratch_check(directory != NULL, "fdopendir");
    while ((entry = readdir(directory)) != NULL) {
        int child;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlinkat(fd, entry->d_name, 0) == 0)
            continue;
        child = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        scratch_check(child >= 0, entry->d_name);
        scratch_empty(child);
        scratch_check(unlinkat(fd, entry->d_name, AT_REMOVEDIR) == 0, entry->d_name);
    }
    closedir(directory);
}

/** Removes the directory and everything in it. */
static inline void scratch_remove(scratch_t *scratch)
{
    scratch_empty(scratch->fd);
    scratch_check(rmdir(scratch->path) == 0, scratch->path);
}

#endif
