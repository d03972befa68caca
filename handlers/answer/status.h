#ifndef BREAKER_HANDLERS_STATUS_H
#define BREAKER_HANDLERS_STATUS_H

/* The statuses that a view answers with, in one table. */

/** X(code, reason phrase), RFC 9110 §15 */
#define BREAKER__STATUSES(X)                                                                       \
    X(200, "OK")                                                                                   \
    X(204, "No Content")                                                                           \
    X(206, "Partial Content")                                                                      \
    X(301, "Moved Permanently")                                                                    \
    X(302, "Found")                                                                                \
    X(304, "Not Modified")                                                                         \
    X(400, "Bad Request")                                                                          \
    X(404, "Not Found")                                                                            \
    X(405, "Method Not Allowed")                                                                   \
    X(406, "Not Acceptable")                                                                       \
    X(412, "Precondition Failed")                                                                  \
    X(414, "URI Too Long")                                                                         \
    X(416, "Range Not Satisfiable")                                                                \
    X(503, "Service Unavailable")

/** A place in the table. */
typedef enum en_breaker__status_t {
#define BREAKER__STATUS(code, reason) BREAKER__STATUS_##code,
    BREAKER__STATUSES(BREAKER__STATUS)
#undef BREAKER__STATUS
        BREAKER__NUM_STATUSES,
} breaker__status_t;

/** 200 and "OK", NUL-ended; by status. */
extern const struct st_breaker__status_line_t {
    int code;
    const char *reason;
} breaker__status_lines[BREAKER__NUM_STATUSES];

#endif
