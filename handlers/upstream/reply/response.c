/*
 * What of an answer is the client's. Fields of the connection to the application end here, those
 * that it names in its Connection, too (RFC 9110 §7.6.1); what libh2o makes of others is as in its
 * own proxy: Server, Link, X-Compress-Hint, Location.
 */
#include <string.h>
#include "upstream/reply/response.h"

static const h2o_iovec_t *find(const breaker__reply_t *reply, const char *name, size_t len)
{
    for (size_t i = 0; i != reply->fields.size; ++i)
        if (h2o_memis(reply->fields.entries[i].name.base, reply->fields.entries[i].name.len, name,
                      len))
            return &reply->fields.entries[i].value;
    return NULL;
}

bool breaker__response_is_redirect(const h2o_req_t *req, const breaker__reply_t *reply)
{
    return req->res_is_delegated && reply->status >= 300 && reply->status <= 399 &&
           reply->status != 304 && find(reply, H2O_STRLIT("location")) != NULL;
}

void breaker__response_redirect(h2o_req_t *req, const breaker__reply_t *reply)
{
    const h2o_iovec_t *location = find(reply, H2O_STRLIT("location"));

    h2o_send_redirect_internal(req, h2o_get_redirect_method(req->method, reply->status),
                               location->base, location->len, 1);
}

/* ---- fields ---- */

/* {NULL} where it leads elsewhere */
static h2o_iovec_t rewrite_location(h2o_req_t *req, h2o_iovec_t location, const h2o_url_t *origin,
                                    h2o_iovec_t base)
{
    const h2o_iovec_t elsewhere = {NULL, 0};
    h2o_url_t url;

    if (base.base == NULL || h2o_url_parse(location.base, location.len, &url) != 0)
        return elsewhere;
    if (url.scheme != origin->scheme || !h2o_url_hosts_are_equal(&url, origin) ||
        h2o_url_get_port(&url) != h2o_url_get_port(origin))
        return elsewhere;
    if (url.path.len < origin->path.len ||
        memcmp(url.path.base, origin->path.base, origin->path.len) != 0)
        return elsewhere;
    return h2o_concat(
        &req->pool, req->input.scheme->name, h2o_iovec_init(H2O_STRLIT("://")),
        req->input.authority, base,
        h2o_iovec_init(url.path.base + origin->path.len, url.path.len - origin->path.len));
}

static int hint_of(h2o_iovec_t value)
{
    if (h2o_lcstris(value.base, value.len, H2O_STRLIT("on")))
        return H2O_COMPRESS_HINT_ENABLE;
    if (h2o_lcstris(value.base, value.len, H2O_STRLIT("off")))
        return H2O_COMPRESS_HINT_DISABLE;
    return H2O_COMPRESS_HINT_AUTO;
}

static bool is_named_by_connection(const breaker__reply_t *reply, h2o_iovec_t name)
{
    static const char connection[] = "connection";

    if (!reply->names_fields)
        return false;
    for (size_t i = 0; i != reply->fields.size; ++i) {
        const breaker__reply_field_t *field = reply->fields.entries + i;
        if (h2o_memis(field->name.base, field->name.len, connection, sizeof(connection) - 1) &&
            breaker__list_has(field->value, name.base, name.len))
            return true;
    }
    return false;
}

/* of the connection, too, and none that libh2o drops */
static bool is_of_hop(h2o_iovec_t name)
{
    return h2o_memis(name.base, name.len, H2O_STRLIT("proxy-connection")) ||
           h2o_memis(name.base, name.len, H2O_STRLIT("te")) ||
           h2o_memis(name.base, name.len, H2O_STRLIT("trailer"));
}

static bool is_dropped(const h2o_req_t *req, const breaker__reply_t *reply,
                       const h2o_token_t *token, h2o_iovec_t name)
{
    /* 426 says by Upgrade what it wants (RFC 9110 §15.5.22); HTTP/2 has none (RFC 9113 §8.2.2) */
    if (token == H2O_TOKEN_UPGRADE)
        return reply->status != 426 || req->version >= 0x200;
    if (token != NULL && token->proxy_should_drop_for_res)
        return true;
    return token == H2O_TOKEN_CONTENT_LENGTH || is_of_hop(name) ||
           is_named_by_connection(reply, name);
}

/* {NULL} where the field is not passed on */
static h2o_iovec_t value_for_client(h2o_req_t *req, const h2o_token_t *token, h2o_iovec_t value,
                                    const h2o_url_t *origin, h2o_iovec_t location_base)
{
    const h2o_iovec_t none = {NULL, 0};

    if (token == H2O_TOKEN_LOCATION) {
        h2o_iovec_t rewritten = rewrite_location(req, value, origin, location_base);
        return rewritten.base != NULL ? rewritten : value;
    }
    if (token == H2O_TOKEN_LINK) {
        value = h2o_push_path_in_link_header(req, value.base, value.len);
        return value.len != 0 ? value : none;
    }
    if (token == H2O_TOKEN_SERVER && !req->conn->ctx->globalconf->proxy.preserve_server_header)
        return none;
    if (token == H2O_TOKEN_X_COMPRESS_HINT) {
        req->compress_hint = (char)hint_of(value);
        return none;
    }
    return value;
}

static void add(h2o_req_t *req, const h2o_token_t *token, const breaker__reply_field_t *field,
                h2o_iovec_t value)
{
    if (token != NULL)
        h2o_add_header(&req->pool, &req->res.headers, token, field->original_name, value.base,
                       value.len);
    else
        h2o_add_header_by_str(&req->pool, &req->res.headers, field->name.base, field->name.len, 0,
                              field->original_name, value.base, value.len);
}

/* HTTP/2 has no reasons, and some clients of HTTP/1.1 take a line without one for an error */
static const char *reason_of(const breaker__reply_t *reply)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {409, "Conflict"},
        {410, "Gone"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {500, "Internal Server Error"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    };

    if (reply->reason.len != 0)
        return reply->reason.base;
    for (size_t i = 0; i != sizeof(reasons) / sizeof(reasons[0]); ++i)
        if (reasons[i].status == reply->status)
            return reasons[i].reason;
    return "Unknown";
}

void breaker__response_write(h2o_req_t *req, const breaker__reply_t *reply, const h2o_url_t *origin,
                             h2o_iovec_t location_base)
{
    req->res.status = reply->status;
    req->res.reason = reason_of(reply);
    /* RFC 9110 §8.6: none with 1xx and 204 */
    req->res.content_length =
        reply->status != 101 && reply->status != 204 ? reply->length : SIZE_MAX;
    for (size_t i = 0; i != reply->fields.size; ++i) {
        const breaker__reply_field_t *field = reply->fields.entries + i;
        const h2o_token_t *token = h2o_lookup_token(field->name.base, field->name.len);
        h2o_iovec_t value;
        if (is_dropped(req, reply, token, field->name))
            continue;
        value = value_for_client(req, token, field->value, origin, location_base);
        if (value.base != NULL)
            add(req, token, field, value);
    }
}
