/*
 * Several ranges in one body. The boundary is made of the tag: as likely as any to be absent from
 * the bytes, and the same whenever the answer is.
 */
#include <assert.h>
#include <string.h>
#include "answer/http1_text.h"
#include "answer/multipart.h"

#define DELIMITER "\r\n--" BREAKER__BOUNDARY_PREFIX
#define TYPE "\r\nContent-Type: "
#define RANGE "\r\nContent-Range: "
#define END "\r\n\r\n"
#define CLOSE "--\r\n"

h2o_iovec_t breaker__multipart_boundary(const breaker_variant_t *variant)
{
    /* without the quotes */
    return h2o_iovec_init(variant->etag + 1, BREAKER_ETAG_LEN - 2);
}

static char *put_delimiter(char *dst, const breaker__answer_t *answer, bool is_first)
{
    /* the empty line of the head stands before the first */
    size_t skipped = is_first ? 2 : 0;
    h2o_iovec_t boundary = breaker__multipart_boundary(answer->variant);

    dst = breaker__http1_put(dst, &DELIMITER[skipped], sizeof(DELIMITER) - 1 - skipped);
    return breaker__http1_put(dst, boundary.base, boundary.len);
}

static size_t delimiter_len(bool is_first)
{
    return sizeof(DELIMITER) - 1 - (is_first ? 2 : 0) + BREAKER_ETAG_LEN - 2;
}

static size_t head_len(const breaker__answer_t *answer, size_t part)
{
    char range[BREAKER__CONTENT_RANGE_MAX];
    char *end =
        breaker__put_content_range(range, answer->judgement.ranges[part], answer->variant->len);

    return delimiter_len(part == 0) + sizeof(TYPE) - 1 + strlen(answer->part_type) + sizeof(RANGE) -
           1 + (size_t)(end - range) + sizeof(END) - 1;
}

uint64_t breaker__multipart_len(const breaker__answer_t *answer)
{
    const breaker__judgement_t *judgement = &answer->judgement;
    uint64_t len = delimiter_len(false) + sizeof(CLOSE) - 1;

    assert(answer->is_in_parts);
    for (size_t i = 0; i != judgement->num_ranges; ++i)
        len += head_len(answer, i) + judgement->ranges[i].last - judgement->ranges[i].first + 1;
    return len;
}

h2o_iovec_t breaker__multipart_head(h2o_mem_pool_t *pool, const breaker__answer_t *answer,
                                    size_t part)
{
    size_t len = head_len(answer, part);
    char *text = h2o_mem_alloc_pool(pool, len), *at;

    assert(part < answer->judgement.num_ranges);
    at = put_delimiter(text, answer, part == 0);
    at = breaker__http1_put(at, H2O_STRLIT(TYPE));
    at = breaker__http1_put(at, answer->part_type, strlen(answer->part_type));
    at = breaker__http1_put(at, H2O_STRLIT(RANGE));
    at = breaker__put_content_range(at, answer->judgement.ranges[part], answer->variant->len);
    at = breaker__http1_put(at, H2O_STRLIT(END));
    assert((size_t)(at - text) == len);
    return h2o_iovec_init(text, len);
}

h2o_iovec_t breaker__multipart_end(h2o_mem_pool_t *pool, const breaker__answer_t *answer)
{
    size_t len = delimiter_len(false) + sizeof(CLOSE) - 1;
    char *text = h2o_mem_alloc_pool(pool, len), *at;

    at = put_delimiter(text, answer, false);
    at = breaker__http1_put(at, H2O_STRLIT(CLOSE));
    assert((size_t)(at - text) == len);
    return h2o_iovec_init(text, len);
}
