/*
 * libh2o hands a request on when its body is whole. A server that does so earlier says where the
 * rest is; see bin/http/upload.c.
 */
#include "upstream/request/body_source.h"

__attribute__((weak)) breaker__body_source_t *breaker__body_source_of(h2o_req_t *req)
{
    (void)req;
    return NULL;
}
