/*
 * Directives of libh2o's format language, written as libh2o writes them, for a tenth of the price:
 * its printf costs more than all that an asset takes otherwise. What is seldom used (environment,
 * ports, strftime, TLS, HTTP/2 …) is left to its code, see format.c.
 */
#include <assert.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "log/directive.h"

typedef breaker__directive_t directive_t;
typedef breaker__entry_t entry_t;

/* ---- the request ---- */

static bool put_method(entry_t *entry, const directive_t *directive, h2o_req_t *req)
{
    (void)directive;
    breaker__entry_put_escaped(entry, req->input.method.base, req->input.method.len);
    return true;
}

static void put_version(entry_t *entry, h2o_req_t *req)
{
    if (breaker__entry_has_room(entry, sizeof("HTTP/1.1")))
        entry->at += h2o_stringify_protocol_version(entry->at, req->version);
}

static bool put_protocol(entry_t *entry, const directive_t *directive, h2o_req_t *req)
{
    (void)directive;
    put_version(entry, req);
    return true;
}

static bool put_request_line(entry_t *entry, const directive_t *directive, h2o_req_t *req)
{
    put_method(entry, directive, req);
    breaker__entry_put_byte(entry, ' ');
    breaker__entry_put_escaped(entry, req->input.path.base, req->input.path.len);
    breaker__entry_put_byte(entry, ' ');
    put_version(entry, req);
    return true;
}

static size_t path_len(const h2o_req_t *req)
{
    return req->input.query_at == SIZE_MAX ? req->input.path.len : req->input.query_at;
}

static bool put_path(entry_t *entry, const directive_t *directive, h2o_req_t *req)
{
    (void)directive;
    breaker__entry_put_escaped(entry, req->input.path.base, path_len(req));
    return true;
}

static bool put_query(entry_t *entry, const directive_t *directive, h2o_req_t *req)
{
    size_t at = path_len(req);
    (void)directive;

    breaker__entry_put_escaped(entry, req->input.path.base + at, req->input.path.len - at);
    return true;
}

static bool put_authority(entry_t *entry, const directive_t *directive, h2o_req_t *req)
{
    (void)directive;
    breaker__entry_put_escaped(entry, req->input.authority.base, req->input.authority.len);
    return true;
}

static bool put_host(entry_t *entry, const directive_t *directive, h2o_req_t *req)
{
    h2o_iovec_t host = req->hostconf->authority.hostport;
    (void)directive;

    breaker__entry_put_escaped(entry, host.base, host.len);
    return true;
}

static bool put_user(entry_t *entry, const directive_t *directive, h2o_req_t *req)
{
    h2o_iovec_t *user = h2o_req_getenv(req, H2O_STRLIT("REMOTE_USER"), 0);
    (void)directive;

    if (user == NULL)
        return false;
    breaker__entry_put_escaped(entry, user->base, user->len);
    return true;
}

/* ---- the connection ---- */

static char *put_octet(char *at, uint8_t octet)
{
    if (octet >= 100)
        *at++ = (char)('0' + octet / 100);
    if (octet >= 10)
        *at++ = (char)('0' + octet / 10 % 10);
    *at++ = (char)('0' + octet % 10);
    return at;
}

static void put_ipv4(entry_t *entry, const struct sockaddr_in *addr)
{
    const uint8_t *octets = (const uint8_t *)&addr->sin_addr;

    if (!breaker__entry_has_room(entry, INET_ADDRSTRLEN))
        return;
    for (size_t i = 0; i != 4; ++i) {
        entry->at = put_octet(entry->at, octets[i]);
        *entry->at++ = '.';
    }
    --entry->at;
}

/* a connection without an address has what stands for nothing, in quotation marks as well */
static bool put_peer(entry_t *entry, const directive_t *directive, h2o_req_t *req)
{
    struct sockaddr_storage addr;
    socklen_t len = req->conn->callbacks->get_peername(req->conn, (struct sockaddr *)&addr);
    size_t text_len;
    (void)directive;

    if (len != 0 && addr.ss_family == AF_INET) {
        put_ipv4(entry, (const struct sockaddr_in *)(const void *)&addr);
        return true;
    }
    if (!breaker__entry_has_room(entry, NI_MAXHOST))
        return true;
    if (len == 0 || (text_len = h2o_socket_getnumerichost((struct sockaddr *)&addr, len,
                                                          entry->at)) == SIZE_MAX)
        breaker__entry_put_null(entry);
    else
        entry->at += text_len;
    return true;
}

static bool put_connection_id(entry_t *entry, const directive_t *directive, h2o_req_t *req)
{
    (void)directive;
    breaker__entry_put_number(entry, req->conn->id);
    return true;
}

/* ---- the response ---- */

static bool put_bytes_sent(entry_t *entry, const directive_t *directive, h2o_req_t *req)
{
    (void)directive;
    breaker__entry_put_number(entry, req->bytes_sent);
    return true;
}

static bool put_status(entry_t *entry, const directive_t *directive, h2o_req_t *req)
{
    int status = directive->is_original ? req->res.original.status : req->res.status;

    assert(status >= 0);
    breaker__entry_put_number(entry, (uint64_t)status);
    return true;
}

/* ---- headers ---- */

static h2o_headers_t *headers_of(const directive_t *directive, h2o_req_t *req)
{
    if (directive->is_of_request)
        return &req->headers;
    return directive->is_original ? &req->res.original.headers : &req->res.headers;
}

static bool put_header(entry_t *entry, const directive_t *directive, h2o_req_t *req)
{
    const h2o_headers_t *headers = headers_of(directive, req);
    h2o_iovec_t *name = directive->name;
    const h2o_header_t *header;
    ssize_t at;

    if (h2o_iovec_is_token(name))
        at = h2o_find_header(headers, H2O_STRUCT_FROM_MEMBER(h2o_token_t, buf, name), -1);
    else
        at = h2o_find_header_by_str(headers, name->base, name->len, -1);
    if (at == -1)
        return false;
    header = headers->entries + at;
    breaker__entry_put_escaped(entry, header->value.base, header->value.len);
    return true;
}

/* ---- time ---- */

static bool has_time(const h2o_req_t *req)
{
    return req->processed_at.at.tv_sec != 0;
}

static bool put_time(entry_t *entry, const directive_t *directive, h2o_req_t *req)
{
    (void)directive;
    if (!has_time(req))
        return false;
    breaker__entry_put_byte(entry, '[');
    breaker__entry_put(entry, req->processed_at.str->log, H2O_TIMESTR_LOG_LEN);
    breaker__entry_put_byte(entry, ']');
    return true;
}

static bool put_seconds(entry_t *entry, const directive_t *directive, h2o_req_t *req)
{
    (void)directive;
    if (!has_time(req))
        return false;
    breaker__entry_put_number(entry, (uint32_t)req->processed_at.at.tv_sec);
    return true;
}

static bool put_milliseconds(entry_t *entry, const directive_t *directive, h2o_req_t *req)
{
    const struct timeval *at = &req->processed_at.at;
    (void)directive;

    if (!has_time(req))
        return false;
    breaker__entry_put_number(entry, (uint64_t)at->tv_sec * 1000 + (uint64_t)at->tv_usec / 1000);
    return true;
}

static bool put_span(entry_t *entry, const directive_t *directive, h2o_req_t *req)
{
    int64_t span_us;

    if (!directive->compute(req, &span_us))
        return false;
    /* of a clock that was set meanwhile; libh2o's digits are none then, but the line goes on */
    if (span_us < 0)
        span_us = 0;
    breaker__entry_put_number(entry, (uint64_t)(span_us / 1000000));
    if (span_us % 1000000 != 0) {
        breaker__entry_put_byte(entry, '.');
        breaker__entry_put_padded(entry, (uint64_t)(span_us % 1000000), 6);
    }
    return true;
}

static bool put_nothing(entry_t *entry, const directive_t *directive, h2o_req_t *req)
{
    (void)entry, (void)directive, (void)req;
    return false;
}

/* ---- reading ---- */

static breaker__put_value_fn *of_letter(char letter)
{
    static const struct {
        char letter;
        breaker__put_value_fn *put;
    } known[] = {{'b', put_bytes_sent},   {'H', put_protocol}, {'h', put_peer},
                 {'l', put_nothing},      {'m', put_method},   {'q', put_query},
                 {'r', put_request_line}, {'s', put_status},   {'t', put_time},
                 {'U', put_path},         {'u', put_user},     {'V', put_authority},
                 {'v', put_host}};

    for (size_t i = 0; i != sizeof(known) / sizeof(known[0]); ++i)
        if (known[i].letter == letter)
            return known[i].put;
    return NULL;
}

static bool is_name(const char *base, size_t len, const char *name)
{
    return strlen(name) == len && strncasecmp(base, name, len) == 0;
}

/* those of libh2o are in its header */
static void read_extended(directive_t *directive, const char *base, size_t len)
{
    static const struct {
        const char *name;
        int (*compute)(h2o_req_t *req, int64_t *ret_us);
    } spans[] = {{"connect-time", h2o_time_compute_connect_time},
                 {"request-header-time", h2o_time_compute_header_time},
                 {"request-body-time", h2o_time_compute_body_time},
                 {"request-total-time", h2o_time_compute_request_total_time},
                 {"process-time", h2o_time_compute_process_time},
                 {"response-time", h2o_time_compute_response_time},
                 {"duration", h2o_time_compute_duration}};

    if (is_name(base, len, "connection-id"))
        directive->put = put_connection_id;
    for (size_t i = 0; i != sizeof(spans) / sizeof(spans[0]); ++i)
        if (is_name(base, len, spans[i].name)) {
            directive->put = put_span;
            directive->compute = spans[i].compute;
        }
}

static void read_clock(directive_t *directive, const char *base, size_t len)
{
    if (len == 3 && memcmp(base, "sec", 3) == 0)
        directive->put = put_seconds;
    else if (len == 4 && memcmp(base, "msec", 4) == 0)
        directive->put = put_milliseconds;
}

static void read_header(directive_t *directive, const char *base, size_t len, bool is_of_request)
{
    h2o_iovec_t name = h2o_strdup(NULL, base, len);
    const h2o_token_t *token;

    directive->is_of_request = is_of_request;
    directive->is_of_response = !is_of_request;
    h2o_strtolower(name.base, name.len);
    token = h2o_lookup_token(name.base, name.len);
    /* of a response there may be several, and all are shown */
    if (is_of_request || token != H2O_TOKEN_SET_COOKIE)
        directive->put = put_header;
    if (token != NULL) {
        free(name.base);
        directive->name = (h2o_iovec_t *)(uintptr_t)&token->buf;
    } else {
        directive->name = h2o_mem_alloc(sizeof(*directive->name));
        *directive->name = name;
    }
}

/* "name}x" after a brace */
static const char *read_braced(directive_t *directive, const char *base)
{
    const char *end = strchr(base, '}');
    size_t len;

    assert(end != NULL);
    len = (size_t)(end - base);
    if (end[1] == 'i' || end[1] == 'o')
        read_header(directive, base, len, end[1] == 'i');
    else if (end[1] == 'x')
        read_extended(directive, base, len);
    else if (end[1] == 't')
        read_clock(directive, base, len);
    return end + 2;
}

const char *breaker__directive_read(const char *text, directive_t *directive)
{
    assert(*text == '%');
    *directive = (directive_t){NULL};
    for (++text; *text == '<' || *text == '>'; ++text)
        directive->is_original = *text == '<';
    if (*text == '{')
        return read_braced(directive, text + 1);
    directive->put = of_letter(*text);
    return text + 1;
}

void breaker__directive_dispose(directive_t *directive)
{
    if (directive->name == NULL || h2o_iovec_is_token(directive->name))
        return;
    free(directive->name->base);
    free(directive->name);
}
