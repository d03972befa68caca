#ifndef BREAKER_HANDLERS_PLAIN_H
#define BREAKER_HANDLERS_PLAIN_H

/* Plain requests: those without anything that needs libh2o. */
#include <sys/types.h>
#include "answer/request.h"
#include "picohttpparser.h"

/** more fields than browsers send; with more a request is not plain */
#define BREAKER__PLAIN_FIELDS_MAX 48

/** What reads the head of a request: picohttpparser's phr_parse_request. */
typedef int breaker__parse_fn(const char *buf, size_t len, const char **method, size_t *method_len,
                              const char **path, size_t *path_len, int *minor_version,
                              struct phr_header *headers, size_t *num_headers, size_t last_len);

/** Finds libh2o's own parser, past what a program may have put before it for libh2o to call. */
breaker__parse_fn *breaker__plain_parser(void);

/** A plain request. Texts lie in the input buffer. */
typedef struct st_breaker__plain_t {
    /** who reads it; the caller's to set */
    breaker__parse_fn *parse;
    /** all but its time */
    breaker__request_t request;
    /** the target up to its query; as short and clean as libh2o's normalised path */
    size_t path_len;
    /** all fields, in their order */
    size_t num_fields;
    struct phr_header fields[BREAKER__PLAIN_FIELDS_MAX];
} breaker__plain_t;

/** the request may be plain, but its end has not come */
#define BREAKER__PLAIN_INCOMPLETE (-1)

/**
 * Reads one HTTP/1.1 request. Returns how many bytes it takes, BREAKER__PLAIN_INCOMPLETE, or 0 when
 * it is not plain: malformed; of another method or version; with a body, an expectation, an
 * upgrade, or a Connection that is not keep-alive; with a path that has to be normalised; with a
 * field of ours in several lines. Whether the host is one is not looked at. Reads nothing beyond
 * `len`, changes nothing, allocates nothing.
 */
ssize_t breaker__plain_read(const char *base, size_t len, breaker__plain_t *ret_plain);

#endif
