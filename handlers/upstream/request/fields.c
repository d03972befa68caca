/*
 * HTTP/2 carries bytes in its fields that HTTP/1.1 ends lines with, and libh2o lets some of them
 * through; so everything is looked at here before any of it is written. What concerns one
 * connection only, by its name or because Connection names it, ends here (RFC 9110 §7.6.1).
 */
#include <assert.h>
#include <string.h>
#include <netinet/in.h>
#include "upstream/request/fields.h"
#include "upstream/reply/reply.h"

/* fields that we add, at most */
enum { OWN_MAX = 8 };

/* the list while it grows */
typedef struct st_list_t {
    breaker__outgoing_field_t *entries;
    size_t num, max;
} list_t;

/* fields that are one, however many lines they came in */
typedef struct st_merged_t {
    h2o_iovec_t cookie, via, forwarded_for;
} merged_t;

/* ---- what is allowed ---- */

static bool has_bytes_below(h2o_iovec_t text, unsigned char first)
{
    for (size_t i = 0; i != text.len; ++i)
        if ((unsigned char)text.base[i] < first || text.base[i] == 0x7f)
            return true;
    return false;
}

static bool is_value(h2o_iovec_t value)
{
    for (size_t i = 0; i != value.len; ++i)
        if (value.base[i] == '\0' || value.base[i] == '\r' || value.base[i] == '\n')
            return false;
    return true;
}

static bool is_sendable(const breaker__outgoing_t *outgoing)
{
    return breaker__is_token(outgoing->method) && outgoing->target.len != 0 &&
           !has_bytes_below(outgoing->target, '!') && !has_bytes_below(outgoing->authority, '!') &&
           is_value(outgoing->upgrade);
}

/* ---- the list ---- */

static void push(list_t *list, const char *name, size_t name_len, h2o_iovec_t value)
{
    assert(list->num < list->max);
    list->entries[list->num++] =
        (breaker__outgoing_field_t){.name = h2o_iovec_init(name, name_len), .value = value};
}

static void push_own(list_t *list, const char *name, h2o_iovec_t value)
{
    push(list, name, strlen(name), value);
}

/* ---- fields of the request ---- */

static h2o_iovec_t join(h2o_mem_pool_t *pool, h2o_iovec_t before, const char *between,
                        h2o_iovec_t after)
{
    if (before.len == 0 || after.len == 0)
        return before.len == 0 ? after : before;
    return h2o_concat(pool, before, h2o_iovec_init(between, strlen(between)), after);
}

static bool is_named_by_connection(const h2o_headers_t *headers, h2o_iovec_t name)
{
    for (ssize_t at = -1; (at = h2o_find_header(headers, H2O_TOKEN_CONNECTION, at)) != -1;)
        if (breaker__list_has(headers->entries[at].value, name.base, name.len))
            return true;
    return false;
}

static bool is_forwarded_proto(const h2o_header_t *header)
{
    return h2o_memis(header->name->base, header->name->len, H2O_STRLIT("x-forwarded-proto"));
}

/* whether it goes into one of those that are one */
static bool merge(merged_t *merged, const h2o_header_t *header, h2o_req_t *req)
{
    const h2o_globalconf_t *globalconf = req->conn->ctx->globalconf;
    const void *token = header->name;

    if (token == H2O_TOKEN_COOKIE)
        merged->cookie = join(&req->pool, merged->cookie, "; ", header->value);
    else if (token == H2O_TOKEN_VIA && globalconf->proxy.emit_via_header)
        merged->via = join(&req->pool, merged->via, ", ", header->value);
    else if (token == H2O_TOKEN_X_FORWARDED_FOR && globalconf->proxy.emit_x_forwarded_headers)
        merged->forwarded_for = join(&req->pool, merged->forwarded_for, ", ", header->value);
    else
        return false;
    return true;
}

/* none of libh2o's tokens */
static bool is_of_hop(const h2o_header_t *header)
{
    return h2o_memis(header->name->base, header->name->len, H2O_STRLIT("proxy-connection"));
}

static bool is_dropped(const h2o_headers_t *headers, const h2o_header_t *header,
                       const h2o_globalconf_t *globalconf)
{
    if (h2o_iovec_is_token(header->name) &&
        ((const h2o_token_t *)(const void *)header->name)->proxy_should_drop_for_req)
        return true;
    if (is_of_hop(header))
        return true;
    if (is_forwarded_proto(header) && !globalconf->proxy.preserve_x_forwarded_proto)
        return true;
    return is_named_by_connection(headers, *header->name);
}

static bool push_headers(list_t *list, merged_t *merged, const h2o_headers_t *headers,
                         h2o_req_t *req)
{
    for (size_t i = 0; i != headers->size; ++i) {
        const h2o_header_t *header = headers->entries + i;
        if (is_dropped(headers, header, req->conn->ctx->globalconf))
            continue;
        if (!breaker__is_token(*header->name) || !is_value(header->value))
            return false;
        if (!merge(merged, header, req))
            push(list, header->orig_name != NULL ? header->orig_name : header->name->base,
                 header->name->len, header->value);
    }
    return true;
}

static h2o_headers_t headers_of(h2o_req_t *req, const breaker__upstream_settings_t *settings)
{
    h2o_headers_t headers = req->headers;

    if (settings->header_commands == NULL)
        return headers;
    memset(&headers, 0, sizeof(headers));
    h2o_vector_reserve(&req->pool, &headers, req->headers.size);
    h2o_memcpy(headers.entries, req->headers.entries,
               req->headers.size * sizeof(headers.entries[0]));
    headers.size = req->headers.size;
    for (h2o_headers_command_t *each = settings->header_commands; each->cmd != H2O_HEADERS_CMD_NULL;
         ++each)
        h2o_rewrite_headers(&req->pool, &headers, each);
    return headers;
}

/* ---- fields of ours ---- */

static char *put_byte(char *dst, unsigned char byte)
{
    if (byte >= 100)
        *dst++ = (char)('0' + byte / 100);
    if (byte >= 10)
        *dst++ = (char)('0' + byte / 10 % 10);
    *dst++ = (char)('0' + byte % 10);
    return dst;
}

/* what libh2o makes of it, for a tenth of the time, with every request */
static h2o_iovec_t address4_of(h2o_mem_pool_t *pool, const struct sockaddr_in *address)
{
    const unsigned char *bytes = (const void *)&address->sin_addr;
    char *text = h2o_mem_alloc_pool(pool, sizeof("255.255.255.255")), *dst = text;

    for (size_t i = 0; i != 4; ++i) {
        if (i != 0)
            *dst++ = '.';
        dst = put_byte(dst, bytes[i]);
    }
    return h2o_iovec_init(text, (size_t)(dst - text));
}

static h2o_iovec_t address_of(h2o_req_t *req)
{
    struct sockaddr_storage address;
    socklen_t len = req->conn->callbacks->get_peername(req->conn, (void *)&address);
    char text[NI_MAXHOST];
    size_t text_len;

    if (len != 0 && address.ss_family == AF_INET)
        return address4_of(&req->pool, (const void *)&address);
    if (len == 0 || (text_len = h2o_socket_getnumerichost((void *)&address, len, text)) == SIZE_MAX)
        return h2o_iovec_init(NULL, 0);
    return h2o_strdup(&req->pool, text, text_len);
}

static h2o_iovec_t via_of(h2o_req_t *req)
{
    char version[sizeof("1.1 ")];

    if (req->version >= 0x200)
        memcpy(version, "2 ", sizeof("2 "));
    else
        snprintf(version, sizeof(version), "1.%c ", req->version == 0x100 ? '0' : '1');
    return h2o_concat(&req->pool, h2o_iovec_init(version, strlen(version)), req->input.authority);
}

static void push_forwarded(list_t *list, const merged_t *merged, h2o_req_t *req)
{
    const h2o_globalconf_t *globalconf = req->conn->ctx->globalconf;

    if (merged->cookie.len != 0)
        push_own(list, "cookie", merged->cookie);
    if (globalconf->proxy.emit_x_forwarded_headers) {
        if (!globalconf->proxy.preserve_x_forwarded_proto)
            push_own(list, "x-forwarded-proto", req->input.scheme->name);
        push_own(list, "x-forwarded-for",
                 join(&req->pool, merged->forwarded_for, ", ", address_of(req)));
    }
    if (globalconf->proxy.emit_via_header)
        push_own(list, "via", join(&req->pool, merged->via, ", ", via_of(req)));
}

static bool is_post_or_put(h2o_req_t *req)
{
    return h2o_memis(req->method.base, req->method.len, H2O_STRLIT("POST")) ||
           h2o_memis(req->method.base, req->method.len, H2O_STRLIT("PUT"));
}

static void push_framing(list_t *list, const breaker__outgoing_t *outgoing, h2o_req_t *req,
                         const breaker__upstream_settings_t *settings)
{
    push_own(list, "host", outgoing->authority);
    if (outgoing->upgrade.len != 0) {
        push_own(list, "connection", h2o_iovec_init(H2O_STRLIT("upgrade")));
        push_own(list, "upgrade", outgoing->upgrade);
    } else {
        push_own(list, "connection",
                 settings->keepalive_ms != 0 ? h2o_iovec_init(H2O_STRLIT("keep-alive"))
                                             : h2o_iovec_init(H2O_STRLIT("close")));
    }
    /* RFC 9110 §8.6: a method that means a body says that there is none */
    if (!outgoing->has_body && is_post_or_put(req))
        push_own(list, "content-length", h2o_iovec_init(H2O_STRLIT("0")));
}

bool breaker__outgoing_build(breaker__outgoing_t *outgoing, h2o_req_t *req,
                             const breaker__upstream_settings_t *settings)
{
    h2o_headers_t headers = headers_of(req, settings);
    list_t list = {.max = headers.size + OWN_MAX};
    merged_t merged = {.cookie = {NULL, 0}};

    if (!is_sendable(outgoing))
        return false;
    list.entries = h2o_mem_alloc_pool(&req->pool, list.max * sizeof(list.entries[0]));
    push_framing(&list, outgoing, req, settings);
    if (!push_headers(&list, &merged, &headers, req))
        return false;
    push_forwarded(&list, &merged, req);
    outgoing->fields.entries = list.entries;
    outgoing->fields.size = list.num;
    return true;
}

static bool has_method(const breaker__outgoing_t *outgoing, const char *method, size_t len)
{
    return h2o_memis(outgoing->method.base, outgoing->method.len, method, len);
}

bool breaker__outgoing_is_head(const breaker__outgoing_t *outgoing)
{
    return has_method(outgoing, H2O_STRLIT("HEAD"));
}

bool breaker__outgoing_is_repeatable(const breaker__outgoing_t *outgoing)
{
    return !outgoing->has_body && outgoing->upgrade.len == 0 &&
           (has_method(outgoing, H2O_STRLIT("GET")) || has_method(outgoing, H2O_STRLIT("HEAD")));
}
