/*
 * Header blocks of HTTP/2 before their fields are made: one that libh2o's decoder makes more fields
 * of than are allowed has been refused by then. An input has a line with the most fields, and a
 * block.
 */
#include <assert.h>
#include <stdlib.h>
#include "fuzz.h"
#include "http2/calm.h"

/* how many fields libh2o makes; of Host and Content-Length it makes none. SIZE_MAX: it refuses */
static size_t count_made(fuzz_text_t block)
{
    h2o_hpack_header_table_t table = {.hpack_capacity = 4096, .hpack_max_capacity = 4096};
    size_t content_length = SIZE_MAX, num;
    h2o_req_t req;
    const char *why = NULL;
    int map = 0, err;

    memset(&req, 0, sizeof(req));
    h2o_mem_init_pool(&req.pool);
    err = h2o_hpack_parse_headers(&req, &table, (const uint8_t *)block.base, block.len, &map,
                                  &content_length, NULL, &why);
    num = req.headers.size + (size_t)__builtin_popcount((unsigned)map);
    h2o_hpack_dispose_header_table(&table);
    h2o_mem_clear_pool(&req.pool);
    return err == 0 || err == H2O_HTTP2_ERROR_INVALID_HEADER_CHAR ? num : SIZE_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_text_t block = {(const char *)data, size};
    size_t max = (size_t)fuzz_take_number(&block) % 64, num;
    breaker__calm_limits_t limits = {.header_list_size = (uint32_t)max * 32};
    const char *why;

    if (size > FUZZ_INPUT_MAX)
        return 0;
    why = breaker__calm_block(&limits, (const uint8_t *)block.base, block.len);
    num = count_made(block);
    if (max == 0 || block.len <= max)
        assert(why == NULL);
    else if (num != SIZE_MAX && num > max)
        assert(why != NULL);
    return 0;
}
