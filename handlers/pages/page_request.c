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
    /** the answer may be a page, as far as the path and what is asked for tell */
    bool may_be_page;
} traits_t;

static bool accepts_page(const breaker__types_t *types, const h2o_headers_t *headers)
{
    ssize_t at = -1;

    while ((at = h2o_find_header(headers, H2O_TOKEN_ACCEPT, at)) != -1)
        if (breaker__types_are_asked(types, headers->entries[at].value))
            return true;
    return false;
}

/* whether a path of this name is a page, or may be one */
static bool is_named_like_page(const breaker__types_t *types, const h2o_req_t *req)
{
    h2o_iovec_t ext = h2o_get_filext(req->path_normalized.base, req->path_normalized.len);
    h2o_mimemap_type_t *type = NULL;

    if (ext.base != NULL && req->pathconf->mimemap != NULL)
        type = h2o_mimemap_get_type_by_extension(req->pathconf->mimemap, ext);
    return type == NULL || type->type == H2O_MIMEMAP_TYPE_DYNAMIC ||
           breaker__types_have(types, type->data.mimetype);
}

static traits_t traits_of(const breaker__types_t *types, const h2o_req_t *req)
{
    return (traits_t){
        .safe = h2o_memis(req->method.base, req->method.len, H2O_STRLIT("GET")) ||
                h2o_memis(req->method.base, req->method.len, H2O_STRLIT("HEAD")),
        .may_be_page = is_named_like_page(types, req) || accepts_page(types, &req->headers),
    };
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

static bool restore_tags(breaker__page_t *page, h2o_req_t *req, h2o_header_t *header,
                         breaker__etag_drop_t drop)
{
    header->value =
        breaker__etag_restore(&req->pool, header->value, &page->plan->marks, drop, &page->restored);
    return header->value.len != 0;
}

/* Changes a header or says that it goes. */
static bool keep_header(breaker__page_t *page, h2o_req_t *req, const traits_t *traits,
                        h2o_header_t *header)
{
    const h2o_iovec_t *name = header->name;

    if (name == &H2O_TOKEN_IF_MODIFIED_SINCE->buf)
        return !traits->safe;
    if (name == &H2O_TOKEN_RANGE->buf)
        return !traits->may_be_page;
    if (name == &H2O_TOKEN_IF_RANGE->buf)
        return !traits->may_be_page && restore_tags(page, req, header, BREAKER__ETAG_DROP_NONE);
    if (name == &H2O_TOKEN_IF_NONE_MATCH->buf && traits->safe)
        return restore_tags(page, req, header,
                            traits->may_be_page ? BREAKER__ETAG_DROP_UNMARKED
                                                : BREAKER__ETAG_DROP_STALE);
    /* an edit goes by the application's state, which no prefix changes: nothing may drop out of its
     * conditions */
    if (name == &H2O_TOKEN_IF_NONE_MATCH->buf || name == &H2O_TOKEN_IF_MATCH->buf)
        return restore_tags(page, req, header, BREAKER__ETAG_DROP_NONE);
    return !is_our_name(name) || breaker__page_is_others(page, req, header);
}

void breaker__page_prepare_request(breaker__page_t *page, h2o_req_t *req)
{
    const breaker__plan_t *plan = page->plan;
    traits_t traits = traits_of(&page->settings->types, req);
    h2o_header_t *entries;
    size_t kept = 0;

    page->wants_marks = traits.safe && traits.may_be_page;
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
