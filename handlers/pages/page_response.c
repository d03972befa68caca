/*
 * The head of a response, before anything of it is sent. Pages lose what no longer holds of their
 * bytes and get a tag that names their prefixes. What cannot be rewritten though it is a page (a
 * part of one, or an encoding that nobody here reads) goes out as it is and is never stored. The
 * response's header array may be shared and read-only, so it is never written to: a new one is
 * built.
 */
#include <string.h>
#include <strings.h>
#include "answer/request.h"
#include "pages/coding.h"
#include "pages/page.h"

/* the largest page that is held until it is whole */
enum { WHOLE_MAX = 65536 };

static bool has_body(const h2o_req_t *req)
{
    return req->res.status >= 200 && req->res.status != 204 && !breaker__is_head(req);
}

static h2o_iovec_t content_type(const h2o_headers_t *headers)
{
    ssize_t at = h2o_find_header(headers, H2O_TOKEN_CONTENT_TYPE, -1);

    return at != -1 ? headers->entries[at].value : h2o_iovec_init(NULL, 0);
}

static bool is_to_be_rewritten(const breaker__page_t *page, const h2o_headers_t *headers)
{
    return breaker__types_have(&page->settings->types, content_type(headers));
}

/* RFC 9111 §5.2.2.6: nobody on the way may change the content */
static bool forbids_transforming(const h2o_headers_t *headers)
{
    ssize_t at = -1;

    while ((at = h2o_find_header(headers, H2O_TOKEN_CACHE_CONTROL, at)) != -1)
        if (h2o_contains_token(headers->entries[at].value.base, headers->entries[at].value.len,
                               H2O_STRLIT("no-transform"), ','))
            return true;
    return false;
}

static breaker_coding_t coding_of(const h2o_headers_t *headers)
{
    breaker_coding_t coding = BREAKER_CODING_IDENTITY;
    ssize_t at = -1;

    while ((at = h2o_find_header(headers, H2O_TOKEN_CONTENT_ENCODING, at)) != -1)
        coding = breaker__coding_add(coding, headers->entries[at].value.base,
                                     headers->entries[at].value.len);
    return coding;
}

static bool is_token(const h2o_header_t *header, const h2o_token_t *token)
{
    return header->name == &token->buf;
}

/* digests of bytes that are not sent (RFC 9530, and what it replaces) */
static bool is_digest(const h2o_iovec_t *name)
{
    static const char *const digests[] = {"content-md5", "digest", "repr-digest", "content-digest"};

    for (size_t i = 0; i != sizeof(digests) / sizeof(digests[0]); ++i)
        if (h2o_lcstris(name->base, name->len, digests[i], strlen(digests[i])))
            return true;
    return false;
}

/* An array of the request's own, with room for one more than there is now. */
static h2o_headers_t new_headers(h2o_req_t *req)
{
    h2o_headers_t headers = {NULL};

    h2o_vector_reserve(&req->pool, &headers, req->res.headers.size + 1);
    return headers;
}

static bool names_no_coding(const h2o_headers_t *headers, breaker_coding_t coding)
{
    return coding == BREAKER_CODING_IDENTITY &&
           h2o_find_header(headers, H2O_TOKEN_CONTENT_ENCODING, -1) != -1;
}

/* Marks a tag, or says that the header goes. */
static bool mark_etag(const breaker__page_t *page, h2o_req_t *req, h2o_header_t *header)
{
    header->value = breaker__etag_mark(&req->pool, header->value, page->prefixes->mark);
    return header->value.len != 0;
}

static bool keep_in_page(const breaker__page_t *page, h2o_req_t *req, h2o_header_t *header)
{
    if (is_token(header, H2O_TOKEN_ETAG))
        return mark_etag(page, req, header);
    return !is_token(header, H2O_TOKEN_LAST_MODIFIED) &&
           !is_token(header, H2O_TOKEN_ACCEPT_RANGES) &&
           !is_token(header, H2O_TOKEN_CONTENT_LENGTH) &&
           !is_token(header, H2O_TOKEN_CONTENT_ENCODING) && !is_digest(header->name);
}

/*
 * libh2o's chunked coding is for 200 in HTTP/1.1 only; any other page of unknown length costs the
 * connection. So one that is known to be small is held until it is whole, and its length announced
 * then; until then the old one stands for "known".
 */
static bool keeps_length(const h2o_req_t *req, breaker_coding_t coding)
{
    bool chunked = req->version >= 0x200 || (req->version == 0x101 && req->res.status == 200);

    return !chunked && coding == BREAKER_CODING_IDENTITY && has_body(req) &&
           req->res.content_length <= WHOLE_MAX;
}

/* The head of a page whose body is rewritten (or would be, were it not for HEAD). */
static void mend_page(breaker__page_t *page, h2o_req_t *req, breaker_coding_t coding)
{
    h2o_headers_t headers = new_headers(req);

    page->is_mended = true;
    page->is_decoded = coding != BREAKER_CODING_IDENTITY;

    for (size_t i = 0; i != req->res.headers.size; ++i) {
        h2o_header_t header = req->res.headers.entries[i];
        if (keep_in_page(page, req, &header))
            headers.entries[headers.size++] = header;
    }
    req->res.headers = headers;
    if (!keeps_length(req, coding))
        req->res.content_length = SIZE_MAX;
    if (coding != BREAKER_CODING_IDENTITY)
        h2o_set_header_token(&req->pool, &req->res.headers, H2O_TOKEN_VARY,
                             H2O_STRLIT("accept-encoding"));
}

/*
 * A 304 confirms the tag that the client named, not the one that the application was shown. Where
 * the application says that it is of another release than the client's copy, it has compared the
 * two all the same, and the copy's assets are as good as they were.
 */
static void mend_not_modified(breaker__page_t *page, h2o_req_t *req)
{
    ssize_t at = h2o_find_header(&req->res.headers, H2O_TOKEN_ETAG, -1);
    const breaker__etag_pair_t *restored = NULL;
    h2o_headers_t headers;

    if (at != -1)
        restored = breaker__etag_find(&page->restored, req->res.headers.entries[at].value);
    if (restored == NULL)
        return;
    headers = new_headers(req);
    for (size_t i = 0; i != req->res.headers.size; ++i) {
        h2o_header_t header = req->res.headers.entries[i];
        if (is_token(&header, H2O_TOKEN_ETAG))
            header.value = restored->marked;
        if (!restored->is_page || !is_token(&header, H2O_TOKEN_LAST_MODIFIED))
            headers.entries[headers.size++] = header;
    }
    req->res.headers = headers;
    page->is_mended = restored->is_page;
}

/* Marks the tag of what is no page, or says that the header goes. */
static bool mark_passed(const breaker__page_t *page, h2o_req_t *req, h2o_header_t *header)
{
    /* prefixes stand in its head, which a 304 need not send again */
    if (page->is_mended)
        return mark_etag(page, req, header);
    header->value = breaker__etag_mark_passed(&req->pool, header->value, page->plan->marks.passed);
    return true;
}

/* What is no page says so in its tag, where a page might have come: see etag.c. */
static void mend_passed(const breaker__page_t *page, h2o_req_t *req)
{
    ssize_t at = h2o_find_header(&req->res.headers, H2O_TOKEN_ETAG, -1);
    h2o_headers_t headers;

    if (at == -1 || !(page->wants_marks || page->is_mended))
        return;
    headers = new_headers(req);
    for (size_t i = 0; i != req->res.headers.size; ++i) {
        h2o_header_t header = req->res.headers.entries[i];
        if (!is_token(&header, H2O_TOKEN_ETAG) || mark_passed(page, req, &header))
            headers.entries[headers.size++] = header;
    }
    req->res.headers = headers;
}

/* A page that goes out unread: no cache may keep it, and no validator may bring it back. */
static void forbid_storing(h2o_req_t *req)
{
    h2o_headers_t headers = new_headers(req);

    for (size_t i = 0; i != req->res.headers.size; ++i) {
        const h2o_header_t *header = req->res.headers.entries + i;
        if (!is_token(header, H2O_TOKEN_CACHE_CONTROL) && !is_token(header, H2O_TOKEN_EXPIRES) &&
            !is_token(header, H2O_TOKEN_ETAG) && !is_token(header, H2O_TOKEN_LAST_MODIFIED))
            headers.entries[headers.size++] = *header;
    }
    req->res.headers = headers;
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CACHE_CONTROL, NULL,
                   H2O_STRLIT("no-store"));
}

/* A page that cannot be read; what is found out later is said by page_stream.c. */
static bool is_unreadable(const breaker__page_t *page, h2o_req_t *req, breaker_coding_t coding)
{
    if (breaker__is_wide_charset(content_type(&req->res.headers))) {
        breaker__page_say(page, req, BREAKER__PAGE_WIDE);
        return true;
    }
    return req->res.status == 206 || coding == BREAKER_CODING_OTHER;
}

static h2o_ostream_t **setup_page(breaker__page_t *page, h2o_req_t *req, h2o_ostream_t **slot)
{
    breaker_coding_t coding = coding_of(&req->res.headers);
    breaker_decoder_t *decoder = NULL;

    if (coding != BREAKER_CODING_IDENTITY && coding != BREAKER_CODING_OTHER && has_body(req) &&
        (decoder = breaker_decoder_create(coding)) == NULL)
        coding = BREAKER_CODING_OTHER;
    if (is_unreadable(page, req, coding)) {
        breaker_decoder_free(decoder);
        forbid_storing(req);
        return slot;
    }
    if (names_no_coding(&req->res.headers, coding))
        breaker__page_say(page, req, BREAKER__PAGE_NO_CODING);
    mend_page(page, req, coding);
    return has_body(req) ? breaker__page_stream(page, req, decoder, slot) : slot;
}

h2o_ostream_t **breaker__page_setup_response(breaker__page_t *page, h2o_req_t *req,
                                             h2o_ostream_t **slot)
{
    page->is_mended = breaker__page_mend_links(page, req);
    page->is_decoded = false;
    if (req->res.status == 304) {
        mend_not_modified(page, req);
        return slot;
    }
    if (forbids_transforming(&req->res.headers))
        req->compress_hint = H2O_COMPRESS_HINT_DISABLE;
    if (!is_to_be_rewritten(page, &req->res.headers)) {
        mend_passed(page, req);
        return slot;
    }
    /* without a mark: the next request for it is answered whole */
    if (forbids_transforming(&req->res.headers)) {
        breaker__page_say(page, req, BREAKER__PAGE_NO_TRANSFORM);
        return slot;
    }
    return setup_page(page, req, slot);
}
