#ifndef BREAKER_LIB_INTERNAL_H
#define BREAKER_LIB_INTERNAL_H

/* What the files of lib/ know of a view beyond its public face. Not installed. */
#include <stddef.h>
#include <breaker/view.h>

/*
 * A view, cut up for matching and for writing prefixes. Of "assets/v{breaker}-x/pub" the head is
 * "/assets/v", the tail "-x/pub/", and of the tail the first two bytes, "-x", share the token's
 * path segment. All texts lie in one allocation with the view.
 */
struct st_breaker_view_t {
    breaker_view_config_t config; /* the texts it points at: owned */
    size_t index;
    const char *head; /* owned; begins with '/' */
    size_t head_len;
    const char *tail; /* owned; ends with '/' */
    size_t tail_len;
    /** how many bytes of the tail belong to the token's segment */
    size_t segment_tail_len;
    /** the directory without slashes at its end; "" for the root */
    size_t directory_len;
    char *real_directory; /* owned; symbolic links resolved, or NULL when that failed */
    size_t real_directory_len;
};

#endif
