#ifndef BREAKER_LIB_INTERNAL_H
#define BREAKER_LIB_INTERNAL_H

/* What the files of lib/ know of a view beyond its public face. Not installed. */
#include <stddef.h>
#include <breaker/view.h>
#include "view/hosts.h"

/** A directory of a view as texts, without slashes at their ends: "" for the root. */
typedef struct st_breaker__view_place_t {
    const char *directory; /* borrowed: the configuration's */
    size_t len;
    /** owned: symbolic links resolved, or NULL when that failed */
    char *real;
    size_t real_len;
} breaker__view_place_t;

/*
 * A view, cut up for matching and for writing prefixes. Of "assets/v{breaker}-x/pub" the head is
 * "/assets/v", the tail "-x/pub/", and of the tail the first two bytes, "-x", share the token's
 * path segment. All texts lie in one allocation with the view.
 */
struct st_breaker_view_t {
    breaker_view_config_t config; /* the texts it points at: owned */
    size_t index;
    /** owned: at least one; what is added while the node is configured comes in here */
    breaker__hosts_t hosts;
    /** whether the node, or the release, has another view of the name: then messages name a host */
    bool shares_name;
    const char *head; /* owned; begins with '/' */
    size_t head_len;
    const char *tail; /* owned; ends with '/' */
    size_t tail_len;
    /** how many bytes of the tail belong to the token's segment */
    size_t segment_tail_len;
    /** owned: where its files are, as the configuration has it, the directory first */
    breaker__view_place_t *places;
    size_t num_places;
};

/**
 * Checks everything but the directory, which may be NULL: 0 when a view can be made of the
 * configuration, or one of the codes below. Pure; any thread.
 */
int breaker__view_check(const breaker_view_config_t *config);

/**
 * Makes a view numbered `index` (its place among the node's views, below BREAKER_VIEWS_MAX).
 * Refuses with BREAKER_ERR_NO_PLACEHOLDER, _TWO_PLACEHOLDERS, _VIEW_NAME, _HEADER_SYNTAX, or
 * _RANGE for numbers, lengths, the directory and the index. The directory need not exist yet: if it
 * does, its real path is noted for `breaker_static_url`. The caller owns the view until
 * `breaker__view_free`. Any thread.
 */
int breaker__view_create(const breaker_view_config_t *config, size_t index,
                         breaker_view_t **ret_view);

/**
 * Tells whether two views are the same but for their hosts, and the numbers that they have: name,
 * directories and options, the caller's `data` included. Pure.
 */
bool breaker__view_is_same(const breaker_view_t *a, const breaker_view_t *b);

/** the longest text of `breaker__view_show`, with its NUL */
#define BREAKER__VIEW_SHOWN_SIZE (BREAKER_VIEW_NAME_MAX + BREAKER_VIEW_HOST_MAX + 16)
/**
 * Writes what messages call a view into `dst`, which has room for BREAKER__VIEW_SHOWN_SIZE bytes,
 * and returns it: its name in double quotes, followed by its first host where other views have the
 * name as well.
 */
const char *breaker__view_show(const breaker_view_t *view, char *dst);

/** Frees a view; takes NULL. Nothing made from it may be in use any more. */
void breaker__view_free(breaker_view_t *view);

#endif
