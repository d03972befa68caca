#ifndef BREAKER_HANDLERS_ROUTES_H
#define BREAKER_HANDLERS_ROUTES_H

/* Which handlers a plain request comes to. */
#include "answer/answer.h"
#include "fastpath/pen_http1.h"
#include "fastpath/plain.h"
#include "fastpath/report.h"

/** The paths of one host, as far as views stand first at them, on one thread. */
typedef struct st_breaker__routes_t breaker__routes_t;

/**
 * Looks at the paths of a listener. Returns NULL when nothing there can be answered past
 * libh2o: several hosts, or no path whose first handler is a view's and that has no loggers but
 * access logs and no filters but those of filters.h. After `h2o_context_init`, on the thread of the
 * context.
 */
breaker__routes_t *breaker__routes_create(h2o_context_t *ctx, h2o_hostconf_t *const *hosts);
/** Takes NULL. */
void breaker__routes_free(breaker__routes_t *routes);

/**
 * Makes the answer to a request at the time of libh2o's clock, or returns false when it is libh2o's
 * to answer, or that of a path where somebody attends to answers.
 */
bool breaker__routes_answer(breaker__routes_t *routes, breaker__plain_t *plain,
                            breaker__answer_t *ret_answer);

/**
 * Answers a request at a path where somebody attends to answers, filters that change heads or
 * access logs, and writes the answer; returns false when it is libh2o's to answer. What is written
 * is good until the next answer. Where there are logs `*ret_is_reported` is true and the report has
 * begun; who sends the answer says who asked, and ends it.
 */
bool breaker__routes_write_attended(breaker__routes_t *routes, breaker__pen_http1_t *pen,
                                    breaker__plain_t *plain, breaker__report_t *report,
                                    breaker__written_t *ret_written, bool *ret_is_reported);

#endif
