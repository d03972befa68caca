#ifndef BREAKER_HANDLERS_ANSWER_H
#define BREAKER_HANDLERS_ANSWER_H

/* An answer as a value: decided once, then written by a pen. */
#include "answer/fixed.h"
#include "answer/judge.h"
#include "answer/line.h"
#include "answer/status.h"

/** the most headers that only the request decides: of a redirect, or of several parts */
#define BREAKER__LINES_MAX 3
/** an answer without a Content-Length */
#define BREAKER__NO_LENGTH UINT64_MAX

/**
 * Everything that a client is told, and nothing of how it is written. Plain value: what it points
 * at lives as long as the request, as `kept`, or as the thread's context. On the wire come, after
 * the lines that libh2o writes by itself, the headers of the head, then the lines, then the body.
 */
typedef struct st_breaker__answer_t {
    breaker__status_t status;
    /** the view's, the asset's; never NULL */
    const breaker__head_t *head;
    /** of the head's headers, the shared ones only: a 304 */
    bool has_shared_only;
    /** a body in several parts of the variant, see multipart.h: as many as `judgement.ranges` */
    bool is_in_parts;
    /** nothing is read after this request: see breaker__request_t.has_body */
    bool ends_connection;
    uint8_t num_lines;
    breaker__line_t lines[BREAKER__LINES_MAX];
    /** the Content-Length, or BREAKER__NO_LENGTH */
    uint64_t length;
    /**
     * The body: `body_len` bytes from `body_at` on, of the variant, or of the head's own where
     * `variant` is NULL. None for HEAD and 304. With parts, `body_len` is 0.
     */
    const breaker_variant_t *variant;
    uint64_t body_at, body_len;
    /** media type of a part, NUL-ended; unset without parts */
    const char *part_type;
    /** what the fields made of the asset; unset where there is none */
    breaker__judgement_t judgement;
    /**
     * Where bytes of the variant come in that are not here yet, taken for this answer and given
     * back by the pen, or NULL; how often these, and bytes that have gone in the middle, are looked
     * for, NULL: never; and for how long the latter. Unset where the variant has its bytes in
     * memory.
     */
    breaker_spool_t *spool;
    h2o_timeout_t *look_timeout;
    uint64_t look_for_ms;
    /** what has to outlive the answer: libh2o's shared memory of this thread, or NULL */
    void *kept;
    /**
     * keeps bytes that are here for now, or NULL; for the pen, which drops it. Unset where there is
     * no body of a variant, and where that is in memory
     */
    breaker_pin_t *pin;
} breaker__answer_t;

/** Who writes. */
typedef enum en_breaker__pen_t {
    /** pen_h2o.h, which writes everything */
    BREAKER__PEN_H2O,
    /** fastpath/pen_http1.h */
    BREAKER__PEN_HTTP1,
} breaker__pen_t;

/**
 * Tells whether a pen can write an answer. That to HTTP/1 writes neither several parts, nor a body
 * from disk, which is read in pieces that are each checked, nor the last answer of a connection.
 */
static inline bool breaker__can_write(breaker__pen_t pen, const breaker__answer_t *answer)
{
    if (pen == BREAKER__PEN_H2O)
        return true;
    if (answer->is_in_parts || answer->ends_connection)
        return false;
    return answer->body_len == 0 || answer->variant == NULL || answer->variant->base != NULL;
}

/** Of one handler on one thread, see static.h. */
struct st_breaker__static_context_t;

/**
 * Makes the answer to a request by the verdict on its path, by the snapshot that the thread's lease
 * has now, and counts it. Returns false, and counts nothing, when there is none now: for a request
 * that is somebody else's (DECLINE), that may be answered better when it has waited (REFRESH,
 * RELAY, and SERVE with a body of which no byte is here), or whose answer the pen cannot write. No
 * lock but where the bytes are here for now only or coming in, no allocation, and no system call
 * but one fstat(2) for a body from disk. On the thread of the context.
 */
bool breaker__answer(struct st_breaker__static_context_t *ctx, const breaker_verdict_t *verdict,
                     const breaker__request_t *request, breaker__pen_t pen,
                     breaker__answer_t *ret_answer);

/** Makes an answer that needs nothing but its status. */
void breaker__answer_fixed(breaker__answer_t *ret_answer, const breaker__fixed_t *fixed,
                           breaker__status_t status, bool is_head);

#endif
