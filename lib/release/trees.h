#ifndef BREAKER_RELEASE_TREES_H
#define BREAKER_RELEASE_TREES_H

#include "release/tree.h"

enum {
    BREAKER__TREES_MAX = 1 + BREAKER_VIEW_DIRECTORIES_MAX,
    BREAKER__ROOTS_MAX = BREAKER__TREES_MAX + BREAKER_VIEW_FOLLOW_MAX,
};

_Static_assert((int)BREAKER__TREES_MAX <= 16, "breaker__path_t has a bit for each");

/** The directories of a view, pinned, the one that wins first. */
typedef struct st_breaker__trees_t {
    const breaker_view_t *view; /* borrowed: outlives us */
    breaker__tree_t items[BREAKER__TREES_MAX];
    size_t num;
    /** where links may end: in the trees, whose descriptors are theirs, and in the directories that
     * the view follows links to, whose descriptors are owned */
    breaker__root_t roots[BREAKER__ROOTS_MAX];
    size_t num_roots;
} breaker__trees_t;

/**
 * Pins the directories of a view, and those that it follows links to; `directory`, where it is not
 * NULL, in the place of the first one, and outliving the trees. The caller, who does not move them,
 * owns them until `breaker__trees_close`.
 */
int breaker__trees_open(breaker__trees_t *trees, const breaker_view_t *view, const char *directory,
                        breaker_error_t *error);
/** Lets go of the directories. */
void breaker__trees_close(breaker__trees_t *trees);

/**
 * Lists the files that the view serves, in bytewise order, each path once, with the directories
 * that have it. Otherwise like `breaker__tree_list`.
 */
int breaker__trees_list(const breaker__trees_t *trees, breaker__arena_t *arena,
                        breaker__notices_t *notices, breaker__listing_t *listing,
                        breaker_error_t *error);

#endif
