/*
 * The directories of one view as one tree: of two files with one path the one in the earlier
 * directory is served, if this process may read it, and the other one is as if it were not there.
 * A link may end in any of the
 * directories, or in one that the view follows links to; nothing of the latter is listed by itself.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "release/trees.h"

static int add_tree(breaker__trees_t *trees, const char *directory, breaker_error_t *error)
{
    breaker__tree_t *tree = trees->items + trees->num;
    int err;

    assert(trees->num < BREAKER__TREES_MAX);
    assert(trees->num == trees->num_roots);
    if ((err = breaker__tree_open(tree, trees->view, directory, error)) != 0)
        return err;
    trees->roots[trees->num_roots++] = tree->root;
    ++trees->num;
    return 0;
}

static int add_followed(breaker__trees_t *trees, const char *directory, breaker_error_t *error)
{
    const breaker__tree_t place = {.view = trees->view, .directory = directory};
    int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC), failure;

    assert(trees->num_roots < BREAKER__ROOTS_MAX);
    if (fd < 0)
        return breaker__tree_fail_io(&place, errno, "", error);
    if ((failure = breaker__root_init(trees->roots + trees->num_roots, fd)) != 0) {
        close(fd);
        return breaker__tree_fail_io(&place, failure, "", error);
    }
    ++trees->num_roots;
    return 0;
}

static int add_all(breaker__trees_t *trees, const char *directory, breaker_error_t *error)
{
    const breaker_view_config_t *config = breaker_view_config(trees->view);
    int err = add_tree(trees, directory, error);

    for (size_t i = 0; err == 0 && i != config->num_directories; ++i)
        err = add_tree(trees, config->directories[i], error);
    for (size_t i = 0; err == 0 && i != config->num_follow; ++i)
        err = add_followed(trees, config->follow[i], error);
    return err;
}

int breaker__trees_open(breaker__trees_t *trees, const breaker_view_t *view, const char *directory,
                        breaker_error_t *error)
{
    int err;

    trees->view = view;
    trees->num = trees->num_roots = 0;
    if ((err = add_all(trees, directory, error)) != 0) {
        breaker__trees_close(trees);
        return err;
    }
    for (size_t i = 0; i != trees->num; ++i) {
        trees->items[i].roots = trees->roots;
        trees->items[i].num_roots = trees->num_roots;
    }
    return 0;
}

void breaker__trees_close(breaker__trees_t *trees)
{
    for (size_t i = trees->num; i < trees->num_roots; ++i)
        close(trees->roots[i].fd);
    for (size_t i = 0; i != trees->num; ++i)
        breaker__tree_close(trees->items + i);
    trees->num = trees->num_roots = 0;
}

/* ---- the listing ---- */

static int compare_paths(const void *a, const void *b)
{
    const breaker__path_t *x = a, *y = b;
    int order = strcmp(x->base, y->base);

    return order != 0 ? order : x->directories - y->directories;
}

/* of several equal paths one stays, and knows all their directories: the first may be unreadable */
static void join_equal(breaker__listing_t *listing)
{
    size_t num = 0;

    for (size_t i = 0; i != listing->num; ++i)
        if (num == 0 || strcmp(listing->paths[num - 1].base, listing->paths[i].base) != 0)
            listing->paths[num++] = listing->paths[i];
        else
            listing->paths[num - 1].directories |= listing->paths[i].directories;
    listing->num = num;
}

int breaker__trees_list(const breaker__trees_t *trees, breaker__arena_t *arena,
                        breaker__notices_t *notices, breaker__listing_t *listing,
                        breaker_error_t *error)
{
    int err = 0;

    memset(listing, 0, sizeof(*listing));
    for (size_t i = 0; err == 0 && i != trees->num; ++i)
        err = breaker__tree_list(trees->items + i, i, arena, notices, listing, error);
    if (err != 0 || listing->num == 0)
        return err;
    qsort(listing->paths, listing->num, sizeof(*listing->paths), compare_paths);
    join_equal(listing);
    return 0;
}
