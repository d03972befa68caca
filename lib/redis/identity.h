#ifndef BREAKER_REDIS_IDENTITY_H
#define BREAKER_REDIS_IDENTITY_H

/* Who a server is, and whether two of them are one store. Pure. Not installed. */
#include <stdbool.h>
#include <stddef.h>
#include <breaker/redis.h>

/** the ids of Redis: of a node of a cluster, of the history of a data set */
#define BREAKER__IDENTITY_ID_LEN 40

/** A value. What a server said of itself at one moment. */
typedef struct st_breaker__identity_t {
    /** it is a node of a Redis Cluster */
    bool is_cluster;
    /**
     * of a cluster's node its own; or else that of the history of its data, which a replica has in
     * common with its master. "" while it is not known.
     */
    char id[BREAKER__IDENTITY_ID_LEN + 1];
    bool is_replica;
    /** it holds nothing that could be another truth: a replica that has not reached its master, a
     * node without slots that knows no other */
    bool is_void;
    /** of a cluster's node: it knows the one that was asked for */
    bool knows_other;
} breaker__identity_t;

/** Formats the question who a server is (INFO); `breaker__command_free` frees it. */
int breaker__identity_question(char **ret_base, size_t *ret_len);
/** Reads the answer; false when it is none. The id of a cluster's node is missing in it. */
bool breaker__identity_read(const breaker_reply_t *reply, breaker__identity_t *ret_identity);

/** Formats the question whom a cluster's node knows; `breaker__command_free` frees it. */
int breaker__identity_nodes_question(char **ret_base, size_t *ret_len);
/**
 * Adds the answer to what a cluster's node is; false when it is none. `other` is the id that
 * knows_other is about, "" for nobody.
 */
bool breaker__identity_read_nodes(const breaker_reply_t *reply, const char *other,
                                  breaker__identity_t *identity);

/**
 * True when two servers, asked at the same time, cannot be one store: neither of them knows the
 * other in its cluster, nor have they the history of their data in common.
 */
bool breaker__identity_differ(const breaker__identity_t *one, const breaker__identity_t *other);

#endif
