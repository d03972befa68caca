#ifndef BREAKER_RELEASE_NOTICES_H
#define BREAKER_RELEASE_NOTICES_H

#include <stddef.h>
#include <breaker/release.h>
#include <breaker/view.h>

/** how many notices of one kind are told in full; the rest is counted */
#define BREAKER_NOTICES_MAX 20

/** Why a file is left out: X(symbol, what is said of the path). */
#define BREAKER__NOTICES(X)                                                                        \
    X(OUTSIDE, "left out: a symbolic link that leads out of the directory, and to none that "      \
               "`follow` names")                                                                   \
    X(DANGLING, "left out: a symbolic link to nothing")                                            \
    X(LOOP, "left out: a symbolic link that leads back to where it came from")                     \
    X(DENIED, "left out: this process may not enter or read it (permission denied)")               \
    X(SPECIAL, "left out: neither a file nor a directory")                                         \
    X(NAME, "left out: a name with a control character or a backslash")                            \
    X(LONG, "left out: a path that is too long")                                                   \
    X(NOT_CODED, "served without Content-Encoding: its bytes are not in the coding that its name " \
                 "says")                                                                           \
    X(STALE, "not used as an encoding: a stale sibling, it does not decode to the file beside it") \
    X(MEMBERS, "not used as an encoding: several gzip members, of which clients read only the "    \
               "first")

typedef enum en_breaker__notice_t {
#define X(name, text) BREAKER__NOTICE_##name,
    BREAKER__NOTICES(X)
#undef X
        BREAKER__NOTICE_KINDS,
} breaker__notice_t;

/**
 * What the host is told about one view while it loads, within bounds. Plain value; one thread.
 */
typedef struct st_breaker__notices_t {
    const breaker_release_hooks_t *hooks; /* borrowed: outlives us */
    const breaker_view_t *view;           /* borrowed: outlives us */
    /** of the view's directories the one that is told of now */
    const char *directory; /* borrowed: outlives us */
    size_t counts[BREAKER__NOTICE_KINDS];
} breaker__notices_t;

/** Begins with nothing told of a view whose files lie in `directory`. */
void breaker__notices_init(breaker__notices_t *notices, const breaker_release_hooks_t *hooks,
                           const breaker_view_t *view, const char *directory);
/** Tells of a logical path (NUL-ended), or counts it. */
void breaker__notices_add(breaker__notices_t *notices, breaker__notice_t kind, const char *path);
/** Tells how many more there were of each kind. */
void breaker__notices_finish(breaker__notices_t *notices);

/** Tells `text` of one file, whatever was told before. `path` is logical and NUL-ended. */
void breaker__notice_tell(const breaker_release_hooks_t *hooks, const breaker_view_t *view,
                          const char *directory, const char *path, const char *text);

/** the longest place, NUL included */
#define BREAKER_PLACE_MAX 512

/**
 * Writes the place of a file for people, "/srv/static/css/x.css", in at most BREAKER_PLACE_MAX
 * bytes; of a longer one the end. `path` is logical and NUL-ended; "" means the directory itself.
 */
void breaker__place_format(const char *directory, const char *path, char *dst);

#endif
