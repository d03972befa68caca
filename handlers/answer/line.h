#ifndef BREAKER_HANDLERS_LINE_H
#define BREAKER_HANDLERS_LINE_H

/* Headers that are different from one answer to the next. */
#include <breaker/h2o.h>

typedef enum en_breaker__line_kind_t {
    /** the value is the text */
    BREAKER__LINE_TEXT,
    /**
     * Location: "../" some times, the text, and the rest of the request's target, percent-encoded
     * where it is not
     */
    BREAKER__LINE_LOCATION,
    /**
     * Location of a directory: "./" unless the text is a whole path, the text, "/" and the query,
     * percent-encoded where they are not
     */
    BREAKER__LINE_DIRECTORY,
    /** Content-Range of one range, RFC 9110 §14.4 */
    BREAKER__LINE_CONTENT_RANGE,
    /** Content-Range that names the size only */
    BREAKER__LINE_UNSATISFIED_RANGE,
    /** Content-Type of an answer in several parts, RFC 9110 §14.6; replaces the head's */
    BREAKER__LINE_MULTIPART_TYPE,
} breaker__line_kind_t;

/** what every boundary of ours begins with */
#define BREAKER__BOUNDARY_PREFIX "breaker-"

/** A header whose value is still to be written. Plain value; the texts are borrowed. */
typedef struct st_breaker__line_t {
    breaker__line_kind_t kind;
    /** in lower case, as long as the process: of a token of libh2o's where there is one */
    const h2o_iovec_t *name;
    /** the value, the prefix of a Location, or what is unique of a boundary */
    h2o_iovec_t text;
    /** for a Location: as it was sent; and how many segments up it begins */
    h2o_iovec_t tail;
    size_t num_up;
    /** for a Content-Range */
    breaker_range_t range;
    uint64_t size;
} breaker__line_t;

/** The most bytes that the value takes. */
size_t breaker__line_value_max(const breaker__line_t *line);
/** Writes the value and returns the end. */
char *breaker__line_put_value(char *dst, const breaker__line_t *line);

/** the most bytes that `breaker__put_content_range` takes */
#define BREAKER__CONTENT_RANGE_MAX                                                                 \
    (sizeof("bytes 18446744073709551615-18446744073709551615/") - 1 + 20)
/** Writes the value of a Content-Range of one range and returns the end. */
char *breaker__put_content_range(char *dst, breaker_range_t range, uint64_t size);

#endif
