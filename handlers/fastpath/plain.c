/*
 * Tells plain requests from all others. The parser is the very one that libh2o's HTTP/1 uses, so
 * both see the same request in the same bytes; what is plain is then a list of conditions that a
 * browser's request for an asset meets. A doubt is never resolved here: it makes the request
 * libh2o's.
 */
#include <assert.h>
#include <dlfcn.h>
#include <string.h>
#include <strings.h>
#include "fastpath/plain.h"

/* the first letter tells most fields of one length apart, "Accept" from "Expect" */
static bool is(const struct phr_header *header, const char *name)
{
    return (header->name[0] | 0x20) == name[0] &&
           strncasecmp(header->name, name, header->name_len) == 0;
}

/* every request has it, and a call costs more than four letters are long */
static bool is_host(const struct phr_header *header)
{
    uint32_t name, host;

    assert(header->name_len == sizeof(host));
    memcpy(&name, header->name, sizeof(name));
    memcpy(&host, "host", sizeof(host));
    return (name | UINT32_C(0x20202020)) == host;
}

/* a field that decides about an asset, once */
static bool take(breaker_field_t *field, const struct phr_header *header)
{
    if (field->base != NULL)
        return false;
    *field = (breaker_field_t){header->value, header->value_len};
    return true;
}

static bool is_keep_alive(const struct phr_header *header)
{
    return header->value_len == sizeof("keep-alive") - 1 &&
           strncasecmp(header->value, "keep-alive", header->value_len) == 0;
}

/* returns false for a field that makes the request libh2o's */
static bool read_field(const struct phr_header *header, breaker__request_t *request)
{
    breaker__fields_t *fields = &request->fields;
    breaker_conditions_t *conditions = &fields->conditions;

    /* a folded line */
    if (header->name == NULL)
        return false;
    switch (header->name_len) {
    case sizeof("host") - 1:
        return !is_host(header) || take(&request->host, header);
    case sizeof("range") - 1:
        return !is(header, "range") || take(&fields->range, header);
    case sizeof("expect") - 1: /* and origin */
        if (is(header, "expect"))
            return false;
        return !is(header, "origin") || take(&request->origin, header);
    case sizeof("upgrade") - 1:
        return !is(header, "upgrade");
    case sizeof("if-match") - 1: /* and if-range */
        if (is(header, "if-match"))
            return take(&conditions->if_match, header);
        return !is(header, "if-range") || take(&fields->if_range, header);
    case sizeof("connection") - 1:
        return !is(header, "connection") || is_keep_alive(header);
    case sizeof("if-none-match") - 1:
        return !is(header, "if-none-match") || take(&conditions->if_none_match, header);
    case sizeof("content-length") - 1:
        return !is(header, "content-length");
    case sizeof("accept-encoding") - 1:
        return !is(header, "accept-encoding") || take(&fields->accept_encoding, header);
    case sizeof("transfer-encoding") - 1: /* and if-modified-since */
        if (is(header, "if-modified-since"))
            return take(&conditions->if_modified_since, header);
        return !is(header, "transfer-encoding");
    case sizeof("if-unmodified-since") - 1:
        return !is(header, "if-unmodified-since") || take(&conditions->if_unmodified_since, header);
    default:
        return true;
    }
}

static bool read_method(const char *method, size_t len, bool *ret_is_head)
{
    *ret_is_head = len == 4 && memcmp(method, "HEAD", 4) == 0;
    return *ret_is_head || (len == 3 && memcmp(method, "GET", 3) == 0);
}

/* the part of a target that libh2o would take as it is for the normalised path; 0 when none is */
static size_t clean_path_len(const char *target, size_t len)
{
    const char *query = memchr(target, '?', len);
    size_t path_len = query != NULL ? (size_t)(query - target) : len;

    if (len > BREAKER__TARGET_MAX || path_len == 0 || target[0] != '/' ||
        memchr(target, '%', path_len) != NULL)
        return 0;
    for (const char *dot = target; (dot = memchr(dot, '.', (size_t)(target + path_len - dot)));
         ++dot)
        if (dot[-1] == '/')
            return 0;
    return path_len;
}

breaker__parse_fn *breaker__plain_parser(void)
{
    breaker__parse_fn *parse;

    *(void **)&parse = dlsym(RTLD_NEXT, "phr_parse_request");
    return parse != NULL ? parse : phr_parse_request;
}

ssize_t breaker__plain_read(const char *base, size_t len, breaker__plain_t *ret_plain)
{
    breaker__request_t *request = &ret_plain->request;
    struct phr_header *headers = ret_plain->fields;
    size_t num_headers = BREAKER__PLAIN_FIELDS_MAX, method_len;
    const char *method;
    int minor_version, taken;

    taken = ret_plain->parse(base, len, &method, &method_len, &request->target,
                             &request->target_len, &minor_version, headers, &num_headers, 0);
    if (taken == PHR_INCOMPLETE)
        return BREAKER__PLAIN_INCOMPLETE;
    if (taken < 0 || minor_version != 1 || !read_method(method, method_len, &request->is_head))
        return 0;
    assert((size_t)taken <= len);
    ret_plain->num_fields = num_headers;
    ret_plain->path_len = clean_path_len(request->target, request->target_len);
    if (ret_plain->path_len == 0)
        return 0;
    request->is_of_other_method = request->is_preflight = false;
    request->has_body = request->is_ambiguous = false;
    request->norm_indexes = NULL;
    request->by_libh2o = NULL;
    request->path_len = ret_plain->path_len;
    request->origin = request->host = (breaker_field_t){.base = NULL};
    breaker__fields_init(&request->fields);
    for (size_t i = 0; i != num_headers; ++i)
        if (!read_field(headers + i, request))
            return 0;
    return taken;
}
