#ifndef BREAKER_HANDLERS_REPORT_H
#define BREAKER_HANDLERS_REPORT_H

/* What access logs hear of an answer past libh2o. Not installed. */
#include "answer/answer.h"
#include "fastpath/plain.h"

/** What the loggers of a path look at. Plain value, made once. */
typedef struct st_breaker__reported_t {
    h2o_hostconf_t *hostconf; /* borrowed: the configuration's */
    h2o_pathconf_t *pathconf; /* borrowed: likewise */
    bool shows_response;
    size_t num_headers;
    /** borrowed: the formats' */
    h2o_iovec_t **headers;
} breaker__reported_t;

/** Whose answers are reported: a connection. Plain value. */
typedef struct st_breaker__asker_t {
    h2o_socket_t *sock;
    /** as libh2o counts connections */
    uint64_t id;
    /** which request of the connection it is, from 1 on */
    uint64_t request_index;
    struct timeval connected_at;
    /** when its first bytes came */
    struct timeval begun_at;
} breaker__asker_t;

/** One answer, as its loggers are going to see it: of one thread. */
typedef struct st_breaker__report_t breaker__report_t;

/** Tells whether all loggers of a path, which may have none, hear of answers past libh2o. */
bool breaker__are_reported(const h2o_pathconf_t *pathconf);

/** Looks at the loggers of such a path; `breaker__reported_dispose` frees what is in it. */
void breaker__reported_init(breaker__reported_t *reported, h2o_hostconf_t *hostconf,
                            h2o_pathconf_t *pathconf);
void breaker__reported_dispose(breaker__reported_t *reported);

/** Never NULL. */
breaker__report_t *breaker__report_create(h2o_context_t *ctx);
/** Takes NULL. */
void breaker__report_free(breaker__report_t *report);

/**
 * Begins with the answer to a request, in the place of the one before. The bytes of the request
 * stay where they are until the end, and so does what the answer keeps.
 */
void breaker__report_begin(breaker__report_t *report, const breaker__reported_t *reported,
                           const breaker__plain_t *plain, const breaker__answer_t *answer);

/** Says who asked. */
void breaker__report_set_asker(breaker__report_t *report, const breaker__asker_t *asker);

/** Has it last beyond this turn of the loop. */
void breaker__report_keep(breaker__report_t *report);

/** Tells the loggers that the answer has ended, in whatever way, now. The socket is still open. */
void breaker__report_end(breaker__report_t *report);

#endif
