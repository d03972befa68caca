#ifndef BREAKER_TESTS_SCRIPT_BENCH_H
#define BREAKER_TESTS_SCRIPT_BENCH_H

/*
 * The script in a real Redis, as a user who may do no more than deploy/redis/users.acl lets a node
 * do, and a second connection that may do everything. Polls are written down with nothing but what
 * matters to the test. Time is what the test makes of it: it is in keys that the test changes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cluster/script.h"
#include "resp.h"

#define LEDGER "{shop}:breaker"
#define NODES "{shop}:breaker:nodes"
#define STATE "{shop}:breaker:state"
#define INFO "{shop}:breaker:info"
#define NUM_KEYS 4

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { ENTRIES_MAX = 64 };

typedef struct st_bench_t {
    resp_server_t server;
    /** the test's own, and the node's */
    int admin, node;
} bench_t;

/**
 * What a poll says, as texts. NULL: as the node n1 of release "mine" says it at 1000 ms, who polls
 * once a second and overtakes nobody.
 */
typedef struct st_ask_t {
    bool is_asked;
    const char *act, *release, *address, *id, *fixed, *suffix, *clock, *dead, *digest, *poll,
        *fleet, *releases, *cursor;
    const char *entries[ENTRIES_MAX + 2];
} ask_t;

#define ASK(...) (&(ask_t){.is_asked = true, __VA_ARGS__})

/** the parts of an answer */
enum {
    ANSWER_DIGEST,
    ANSWER_NOW,
    ANSWER_FLEET,
    ANSWER_INTERVAL,
    ANSWER_LEDGER,
    ANSWER_RELEASES,
    ANSWER_PAGE,
    ANSWER_NEXT,
    ANSWER_PARTS,
};

/** cmocka's set-up and tear-down of a group; the state is a bench_t. */
int bench_set_up(void **state);
int bench_tear_down(void **state);

/** A connection of a user of deploy/redis/users.acl; the caller closes it. */
int bench_connect(const bench_t *bench, const char *user);
/** Redis learns the script, as by the first EVAL. */
void bench_load(const bench_t *bench);

/** Any command, ended by NULL; the caller frees the reply. */
resp_t *command(int fd, const char *first, ...) __attribute__((sentinel));
/** The same as the admin, which must succeed; the second returns an integer reply. */
void must(const bench_t *bench, const char *first, ...) __attribute__((sentinel));
int64_t must_tell(const bench_t *bench, const char *first, ...) __attribute__((sentinel));
/** All keys go; the script stays. */
void flush(const bench_t *bench);

/** What the four keys hold, as one text, which the caller frees. */
char *all_there_is(const bench_t *bench);

/** One poll, by EVALSHA; the caller frees the reply. */
resp_t *poll(const bench_t *bench, const ask_t *ask);
/** The same over any connection. */
resp_t *poll_through(int fd, const ask_t *ask);
/** One poll whose answer is of no interest, but which must have one. */
void tell(const bench_t *bench, const ask_t *ask);

/** An element of a reply, which must be an array. */
const resp_t *at(const resp_t *reply, size_t index);

/**
 * What the ledger of an answer must be, one line after the other with a '|' after each: "<order>
 * <token> <release>", without the reasons.
 */
void check_ledger(const resp_t *reply, const char *expected);
/** The same of a poll's answer. */
void check_answer(const bench_t *bench, const ask_t *ask, const char *expected);
/** What the newest entry says of its origin, without the time: "<why> <what>". */
void check_reason(const bench_t *bench, const char *expected);
/** What the poll fails with, or what is in the error. */
void check_error(const bench_t *bench, const ask_t *ask, const char *expected);

#endif
