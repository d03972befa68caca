#ifndef BREAKER_PEERS_HELD_H
#define BREAKER_PEERS_HELD_H

/*
 * The list of what a node holds, as nodes send it to each other: the line "h2o-breaker held 1",
 * then one line a release, its id, a space, and "complete" or "partial". Pure. Not installed.
 */
#include <stdbool.h>
#include <stddef.h>
#include <breaker/release_id.h>

/** the most releases of such a list */
#define BREAKER__PEERS_HELD_MAX 32
/** the first line */
#define BREAKER__HELD_HEAD "h2o-breaker held 1\n"
/** bytes of the longest line, its line feed included */
#define BREAKER__HELD_LINE_MAX (BREAKER_RELEASE_ID_MAX + sizeof(" complete\n") - 1)
/** bytes of the longest list */
#define BREAKER__PEERS_HELD_LEN_MAX                                                                \
    (sizeof(BREAKER__HELD_HEAD) - 1 + BREAKER__PEERS_HELD_MAX * BREAKER__HELD_LINE_MAX)

/** A release that peers say they hold. Plain value. */
typedef struct st_breaker__peers_held_t {
    breaker_release_id_t id;
    /** one of them has all its files */
    bool is_complete;
} breaker__peers_held_t;

/**
 * Reads a list, which may come from anybody, into `list`, which has room for
 * BREAKER__PEERS_HELD_MAX. Fails with BREAKER_ERR_DAMAGED for what is none, or longer. Any thread.
 */
int breaker__held_parse(const char *base, size_t len, breaker__peers_held_t *list, size_t *ret_num);

/** Writes a list of at most BREAKER__PEERS_HELD_MAX, BREAKER__PEERS_HELD_LEN_MAX bytes at most, and
 * returns how many; no NUL. Any thread. */
size_t breaker__held_format(const breaker__peers_held_t *list, size_t num, char *dst);

#endif
