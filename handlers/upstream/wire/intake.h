#ifndef BREAKER_HANDLERS_UPSTREAM_INTAKE_H
#define BREAKER_HANDLERS_UPSTREAM_INTAKE_H

/* An answer in HTTP/1.1, as far as it has come (RFC 9112). No I/O. Not installed. */
#include <stdbool.h>
#include "picohttpparser.h"
#include "upstream/transfer.h"

/** What comes next. */
typedef enum en_breaker__intake_part_t {
    BREAKER__PART_HEAD,
    /** a body of a known length */
    BREAKER__PART_LENGTH,
    BREAKER__PART_CHUNKED,
    /** a body that the end of the connection ends */
    BREAKER__PART_TO_END,
    /** bytes of another protocol */
    BREAKER__PART_RAW,
    BREAKER__PART_NONE,
} breaker__intake_part_t;

/** One answer. */
typedef struct st_breaker__intake_t {
    breaker__intake_part_t part;
    bool has_begun;
    /** bytes followed the answer, and were dropped */
    bool has_surplus;
    /** bytes of a line without an end that have been looked at */
    size_t num_scanned;
    /** bytes of the body that are to come */
    size_t left;
    struct phr_chunked_decoder decoder;
    /** bytes of framing since the last byte of the body */
    size_t num_framing;
} breaker__intake_t;

/** What bytes, or their end, come to. */
typedef enum en_breaker__intake_state_t {
    BREAKER__INTAKE_MORE,
    BREAKER__INTAKE_OVER,
    /** no answer to pass on; the reply, or `transfer->failure`, says why */
    BREAKER__INTAKE_REFUSED,
} breaker__intake_state_t;

void breaker__intake_start(breaker__intake_t *intake);
/**
 * Takes `len` bytes that were appended to `transfer->received`: lines of heads are told and
 * removed, bytes of the body stay, without their framing.
 */
breaker__intake_state_t breaker__intake_take(breaker__intake_t *intake,
                                             breaker__transfer_t *transfer, size_t len);
/** Takes the end of the connection; OVER or REFUSED. */
breaker__intake_state_t breaker__intake_end(breaker__intake_t *intake,
                                            breaker__transfer_t *transfer);
/** Takes a connection that was reset, which ends nothing well. */
breaker__intake_state_t breaker__intake_reset(breaker__intake_t *intake,
                                              breaker__transfer_t *transfer);
/** How many bytes it can use now, at least one; the caller may have more, or less. */
size_t breaker__intake_room(const breaker__intake_t *intake, const breaker__transfer_t *transfer);

#endif
