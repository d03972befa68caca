#ifndef BREAKER_HANDLERS_JUDGE_H
#define BREAKER_HANDLERS_JUDGE_H

/* What the fields of a request make of an asset: conditionals, ranges, encodings. */
#include "answer/request.h"

/** The Accept-Encoding that a thread saw last, and what it came to. */
typedef struct st_breaker__negotiated_t {
    size_t len;
    bool valid;
    char text[128];
    breaker_acceptable_t acceptable;
} breaker__negotiated_t;

typedef enum en_breaker__judged_t {
    BREAKER__JUDGED_WHOLE,
    /** 206 with `ranges` */
    BREAKER__JUDGED_PARTIAL,
    /** 304 */
    BREAKER__JUDGED_NOT_MODIFIED,
    /** 406; there is no variant then */
    BREAKER__JUDGED_NOT_ACCEPTABLE,
    /** 412 */
    BREAKER__JUDGED_PRECONDITION_FAILED,
    /** 416 */
    BREAKER__JUDGED_UNSATISFIABLE,
} breaker__judged_t;

typedef struct st_breaker__judgement_t {
    breaker__judged_t kind;
    const breaker_variant_t *variant; /* borrowed: the asset's */
    size_t num_ranges;
    breaker_range_t ranges[BREAKER_RANGES_MAX];
} breaker__judgement_t;

/**
 * Decides how a GET or HEAD for an asset is answered. `negotiated` is the calling thread's, or NULL
 * for a view without encodings. No allocation.
 */
void breaker__judge(breaker__judgement_t *judgement, const breaker_asset_t *asset,
                    breaker__negotiated_t *negotiated, const breaker__request_t *request);

#endif
