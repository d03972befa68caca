/*
 * Which release a page is of. Behind a balancer the application that renders a page may be of
 * another release than the node in front of it; it says so in a response header, which nobody else
 * sees. The page then gets the prefixes of that release, whether the node holds it or not: whoever
 * is asked for the assets knows how to get them.
 */
#include <assert.h>
#include "pages/page.h"

#define RELEASE_HEADER "x-breaker-release"

/* FNV-1a, never 0 */
static uint64_t hash_of(h2o_iovec_t name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i != name.len; ++i)
        hash = (hash ^ (unsigned char)name.base[i]) * UINT64_C(0x100000001b3);
    return hash != 0 ? hash : 1;
}

/* whether the log is to hear of a name: once, and of the first few */
static bool is_news(breaker__unknown_t *unknown, h2o_iovec_t name)
{
    uint64_t hash = hash_of(name);

    for (size_t i = 0; i != BREAKER__UNKNOWN_MAX; ++i) {
        uint64_t before = 0;
        if (atomic_compare_exchange_strong(unknown->names + i, &before, hash))
            return true;
        if (before == hash)
            return false;
    }
    return false;
}

/* the release may be younger than the node's news of the cluster */
static void wonder_at(const breaker__page_t *page, h2o_req_t *req, h2o_iovec_t name)
{
    breaker_release_id_t id;
    bool is_id = breaker_release_id_parse(name.base, name.len, &id) == 0;

    if (is_id && breaker_node_is_joined(page->node))
        breaker_node_want_refresh(page->node);
    if (is_news(&page->settings->unknown, name))
        h2o_req_log_error(req, "breaker",
                          "X-Breaker-Release: %s is no release that this node has heard of; the "
                          "page gets the node's own token",
                          is_id ? id.text : "what the application sent");
}

/* the response's headers without this one, in an array of the request's own */
static void take_out(h2o_req_t *req)
{
    h2o_headers_t headers = {NULL};

    h2o_vector_reserve(&req->pool, &headers, req->res.headers.size);
    for (size_t i = 0; i != req->res.headers.size; ++i) {
        const h2o_header_t *header = req->res.headers.entries + i;
        if (!h2o_lcstris(header->name->base, header->name->len, H2O_STRLIT(RELEASE_HEADER)))
            headers.entries[headers.size++] = *header;
    }
    req->res.headers = headers;
}

void breaker__page_choose_release(breaker__page_t *page, h2o_req_t *req, bool is_last)
{
    ssize_t at = h2o_find_header_by_str(&req->res.headers, H2O_STRLIT(RELEASE_HEADER), -1);
    const breaker__prefixes_t *prefixes;
    h2o_iovec_t name;

    page->prefixes = &page->plan->own;
    if (at == -1)
        return;
    name = req->res.headers.entries[at].value;
    prefixes = breaker__plan_prefixes(page->plan, name);
    if (prefixes != NULL)
        page->prefixes = prefixes;
    else
        wonder_at(page, req, name);
    if (is_last)
        take_out(req);
    assert(page->prefixes->num_pairs == page->plan->own.num_pairs);
}
