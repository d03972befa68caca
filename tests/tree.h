#ifndef BREAKER_TESTS_TREE_H
#define BREAKER_TESTS_TREE_H

/* Small directory trees that a test makes, fills and removes. Anything that fails ends the test. */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/** a directory that the test owns until `tree_remove` */
typedef struct st_tree_t {
    char path[64];
} tree_t;

static inline void tree_check(int ok, const char *what)
{
    if (!ok) {
        perror(what);
        abort();
    }
}

/** Makes an empty directory. */
static inline void tree_create(tree_t *tree)
{
    strcpy(tree->path, "/tmp/breaker-test-XXXXXX");
    tree_check(mkdtemp(tree->path) != NULL, "mkdtemp");
}

/** Writes a file, with the directories that lead to it: tree_write(&tree, "css/a.css", "a{}"). */
static inline void tree_write(const tree_t *tree, const char *path, const char *content)
{
    char full[4096];
    size_t root_len = strlen(tree->path) + 1;
    FILE *file;

    snprintf(full, sizeof(full), "%s/%s", tree->path, path);
    for (char *slash = strchr(full + root_len, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(full, 0755);
        *slash = '/';
    }
    file = fopen(full, "w");
    tree_check(file != NULL, full);
    tree_check(fputs(content, file) >= 0 && fclose(file) == 0, full);
}

static inline int tree_remove_one(const char *path, const struct stat *status, int type,
                                  struct FTW *where)
{
    (void)status, (void)type, (void)where;
    return remove(path);
}

/** Removes the directory and everything in it; what links point at stays. */
static inline void tree_remove(const tree_t *tree)
{
    tree_check(nftw(tree->path, tree_remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0, tree->path);
}

#endif
