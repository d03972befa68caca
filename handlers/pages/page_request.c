/*
 * The request as the application sees it. It must not be able to give an answer that the rewriting
 * would make wrong: a 304 for a page whose prefixes have changed since, a part of a page whose
 * offsets the substitution moves, or a page made from headers that a client forged. Nobody knows
 * yet whether a page will come, so the measures go by what the client asks for; on a path that
 * turns out to be no page they cost a full answer at worst.
 */
#include <string.h>
#include <strings.h>
#include "pages/page.h"

#define OUR_HEADERS "x-breaker-"

/* what the request says about itself */
typedef struct st_traits_t {
    /** GET or HEAD: conditions are about caches, not about edits */
    bool safe;
    /** whoever asks wants a page, or would get one */
    bool wants_page;
    /** the answer may be a page, as far as the path tells */
    bool may_be_page;
} traits_t;

static bool contains_html(const char *base, size_t len)
{
    static const char html[] = "text/html";
    const size_t html_len = sizeof(html) - 1;

    for (size_t i = 0; i + html_len <= len; ++i)
        if (strncasecmp(base + i, html, html_len) == 0)
            return true;
    return false;
}

static bool accepts_html(const h2o_headers_t *headers)
{
    ssize_t at = -1;

    while ((at = h2o_find_header(headers, H2O_TOKEN_ACCEPT, at)) != -1)
        if (contains_html(headers->entries[at].value.base, headers->entries[at].value.len))
            return true;
    return false;
}

static traits_t traits_of(const h2o_req_t *req)
{
    h2o_iovec_t ext = h2o_get_filext(req->path_normalized.base, req->path_normalized.len);
    h2o_mimemap_type_t *type = NULL;
    traits_t traits = {
        .safe = h2o_memis(req->method.base, req->method.len, H2O_STRLIT("GET")) ||
                h2o_memis(req->method.base, req->method.len, H2O_STRLIT("HEAD")),
        .wants_page = accepts_html(&req->headers),
    };

    if (ext.base != NULL && req->pathconf->mimemap != NULL)
        type = h2o_mimemap_get_type_by_extension(req->pathconf->mimemap, ext);
    if (type == NULL || type->type == H2O_MIMEMAP_TYPE_DYNAMIC)
        traits.may_be_page = true;
    else if (contains_html(type->data.mimetype.base, type->data.mimetype.len))
        traits.wants_page = true;
    traits.may_be_page |= traits.wants_page;
    return traits;
}

/* An underscore counts as a hyphen: CGI and its descendants cannot tell the two apart. */
static bool is_our_name(const h2o_iovec_t *name)
{
    const size_t len = sizeof(OUR_HEADERS) - 1;

    if (name->len < len)
        return false;
    for (size_t i = 0; i != len; ++i) {
        char c = name->base[i] == '_' ? '-' : name->base[i];
        if (h2o_tolower(c) != OUR_HEADERS[i])
            return false;
    }
    return true;
}

/* Changes a header or says that it goes. */
static bool keep_header(breaker__page_t *page, h2o_req_t *req, const traits_t *traits,
                        h2o_header_t *header)
{
    const h2o_iovec_t *name = header->name;
    breaker__etag_drop_t drop = BREAKER__ETAG_DROP_NONE;

    if (name == &H2O_TOKEN_IF_MODIFIED_SINCE->buf)
        return !traits->safe;
    if (name == &H2O_TOKEN_RANGE->buf || name == &H2O_TOKEN_IF_RANGE->buf)
        return !traits->may_be_page;
    if (name == &H2O_TOKEN_IF_NONE_MATCH->buf || name == &H2O_TOKEN_IF_MATCH->buf) {
        /* an edit goes by the application's state, which no prefix changes: nothing may drop out of
         * its conditions */
        if (traits->safe && name == &H2O_TOKEN_IF_NONE_MATCH->buf)
            drop = traits->wants_page ? BREAKER__ETAG_DROP_UNMARKED : BREAKER__ETAG_DROP_STALE;
        header->value = breaker__etag_restore(&req->pool, header->value, page->plan->own.mark, drop,
                                              &page->restored);
        return header->value.len != 0;
    }
    return !is_our_name(name) || breaker__page_is_others(page, req, header);
}

void breaker__page_prepare_request(breaker__page_t *page, h2o_req_t *req)
{
    const breaker__plan_t *plan = page->plan;
    traits_t traits = traits_of(req);
    h2o_header_t *entries;
    size_t kept = 0;

    for (size_t i = 0; i != req->headers.size; ++i) {
        h2o_header_t header = req->headers.entries[i];
        if (keep_header(page, req, &traits, &header))
            req->headers.entries[kept++] = header;
    }
    req->headers.size = kept;

    h2o_vector_reserve(&req->pool, &req->headers, kept + plan->num_headers);
    entries = req->headers.entries + kept;
    memcpy(entries, plan->headers, plan->num_headers * sizeof(entries[0]));
    req->headers.size = kept + plan->num_headers;
}
