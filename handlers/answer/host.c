/*
 * libh2o 2.2.5 takes the last of several Host fields, whatever is in it; takes "http://host/path"
 * for the path of that name; and compares ports where a host is configured without one. It offers
 * no hook before it looks for host and path, so the first handler that a request comes to puts
 * right what libh2o reads it by and has it processed anew: a few times at most, because then the
 * target begins with a slash and the host is the best there is.
 */
#include <assert.h>
#include <string.h>
#include <strings.h>
#include "answer/host.h"

/* ---- the syntax ---- */

/* unreserved, sub-delims and what begins an escape; not ":" */
static bool is_of_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~%!$&'()*+,;=", c) != NULL);
}

static bool is_of_address(char c)
{
    return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || (c >= '0' && c <= '9') || c == ':' ||
           c == '.';
}

/* nothing, or ":" and a number; an empty one is the scheme's */
static bool is_port(const char *base, size_t len)
{
    unsigned long number = 0;

    if (len == 0)
        return true;
    if (base[0] != ':' || len > sizeof(":65535") - 1)
        return false;
    for (size_t i = 1; i != len; ++i) {
        if (base[i] < '0' || base[i] > '9')
            return false;
        number = number * 10 + (unsigned long)(base[i] - '0');
    }
    return number <= 65535;
}

/* an address, or what a proxy of h2o's calls the Unix socket that it asks */
static size_t skip_bracketed(const char *base, size_t len)
{
    static const char unix_socket[] = "[unix:/";
    bool is_unix =
        len >= sizeof(unix_socket) - 1 && memcmp(base, unix_socket, sizeof(unix_socket) - 1) == 0;
    size_t at = 1;

    assert(len != 0);
    while (at != len && (is_unix ? base[at] > ' ' && base[at] < 0x7f && base[at] != ']'
                                 : is_of_address(base[at])))
        ++at;
    return at;
}

bool breaker__is_host(const char *base, size_t len)
{
    size_t at = 0;

    if (len != 0 && base[0] == '[') {
        at = skip_bracketed(base, len);
        if (at == len || at == 1 || base[at] != ']')
            return false;
        ++at;
    } else {
        while (at != len && is_of_name(base[at]))
            ++at;
    }
    return is_port(base + at, len - at);
}

/* ---- the fields ---- */

/* the bytes of an HTTP/1 request, which are in the connection's buffer until it is answered */
static h2o_buffer_t *input_of(h2o_req_t *req)
{
    h2o_socket_t *sock;

    if (req->version >= 0x200 || req->conn->callbacks->get_socket == NULL)
        return NULL;
    sock = req->conn->callbacks->get_socket(req->conn);
    return sock != NULL ? sock->input : NULL;
}

/* Host lines of a head that begin before `end`; libh2o has made the names small */
static size_t count_hosts(const char *base, const char *end)
{
    size_t num = 0;

    for (const char *line = base, *next; line < end; line = next + 1) {
        size_t len = (size_t)(end - line);
        if ((next = memchr(line, '\n', len)) == NULL)
            next = end;
        if (next - line <= 1 && line != base && (line == next || line[0] == '\r'))
            break;
        num += len >= 5 && memcmp(line, "host:", 5) == 0;
    }
    return num;
}

bool breaker__host_is_ambiguous(h2o_req_t *req)
{
    h2o_iovec_t host = req->input.authority;
    const h2o_buffer_t *input = input_of(req);
    const char *base, *end;

    if (host.base != NULL && !breaker__is_host(host.base, host.len))
        return true;
    if (input == NULL)
        return false;
    base = input->bytes;
    end = base + input->size;
    /* of several fields libh2o has taken the last: others stand before its value */
    if (host.base > base && host.base < end)
        end = host.base;
    return count_hosts(base, end) > 1;
}

/* ---- the host ---- */

static bool is_named(const h2o_hostconf_t *host, h2o_iovec_t name)
{
    h2o_iovec_t own = host->authority.host;

    if (own.len != 0 && own.base[0] == '*') {
        size_t tail_len = own.len - 1;
        return tail_len < name.len &&
               strncasecmp(own.base + 1, name.base + name.len - tail_len, tail_len) == 0;
    }
    return own.len == name.len && strncasecmp(own.base, name.base, name.len) == 0;
}

const h2o_hostconf_t *breaker__host_named(h2o_hostconf_t *const *hosts, h2o_iovec_t authority,
                                          uint16_t default_port)
{
    h2o_iovec_t name;
    uint16_t port;

    /* an empty port is the scheme's */
    if (authority.len != 0 && authority.base[authority.len - 1] == ':')
        --authority.len;
    if (h2o_url_parse_hostport(authority.base, authority.len, &name, &port) == NULL)
        return hosts[0];
    if (port == 65535)
        port = default_port;
    for (h2o_hostconf_t *const *host = hosts; *host != NULL; ++host)
        if (((*host)->authority.port == 65535 || (*host)->authority.port == port) &&
            is_named(*host, name))
            return *host;
    return hosts[0];
}

/* the host that a Host with a port means, where libh2o has found another one; else NULL */
static const h2o_hostconf_t *better_host(const h2o_req_t *req, uint16_t *ret_port)
{
    h2o_hostconf_t **hosts = req->conn->hosts;
    h2o_iovec_t name;

    if (hosts[1] == NULL || req->input.authority.len == 0 ||
        h2o_url_parse_hostport(req->input.authority.base, req->input.authority.len, &name,
                               ret_port) == NULL ||
        *ret_port == 65535)
        return NULL;
    for (; *hosts != NULL; ++hosts)
        if (((*hosts)->authority.port == 65535 || (*hosts)->authority.port == *ret_port) &&
            is_named(*hosts, name))
            return *hosts != req->hostconf ? *hosts : NULL;
    return NULL;
}

/*
 * libh2o takes a host without a port for one of the scheme's, so the scheme gets the port that was
 * asked for, until the first handler of the right host is here.
 */
static void restore_scheme(h2o_req_t *req)
{
    if (req->input.scheme == &H2O_URL_SCHEME_HTTP || req->input.scheme == &H2O_URL_SCHEME_HTTPS)
        return;
    req->input.scheme = req->scheme = req->input.scheme->name.len == H2O_URL_SCHEME_HTTPS.name.len
                                          ? &H2O_URL_SCHEME_HTTPS
                                          : &H2O_URL_SCHEME_HTTP;
}

/* libh2o would add what the right path sets to the environment of the path that it came to first */
static void process_anew(h2o_req_t *req)
{
    req->env.size = 0;
    h2o_process_request(req);
}

static bool find_by_port(h2o_req_t *req)
{
    h2o_iovec_t *host = &req->input.authority;
    h2o_url_scheme_t *scheme;
    uint16_t port;

    /* libh2o knows no port that is empty: it is the scheme's (RFC 3986 §3.2.3) */
    if (host->len > 1 && host->base[host->len - 1] == ':' &&
        breaker__is_host(host->base, host->len)) {
        --host->len;
        process_anew(req);
        return true;
    }
    if (better_host(req, &port) == NULL)
        return false;
    scheme = h2o_mem_alloc_pool(&req->pool, sizeof(*scheme));
    *scheme = (h2o_url_scheme_t){req->input.scheme->name, port};
    req->input.scheme = scheme;
    process_anew(req);
    return true;
}

/* ---- the target ---- */

static size_t scheme_len(h2o_iovec_t target)
{
    if (target.len >= 7 && strncasecmp(target.base, "http://", 7) == 0)
        return 7;
    return target.len >= 8 && strncasecmp(target.base, "https://", 8) == 0 ? 8 : 0;
}

/* what follows the authority, which is a path at least */
static h2o_iovec_t path_after(h2o_req_t *req, const char *base, const char *end)
{
    if (base != end && *base == '/')
        return h2o_iovec_init(base, (size_t)(end - base));
    return h2o_concat(&req->pool, h2o_iovec_init(H2O_STRLIT("/")),
                      h2o_iovec_init(base, (size_t)(end - base)));
}

static bool take_apart(h2o_req_t *req)
{
    h2o_iovec_t target = req->input.path;
    size_t begin = scheme_len(target), at = begin;

    if (begin == 0 || req->version >= 0x200 || breaker__host_is_ambiguous(req))
        return false;
    while (at != target.len && target.base[at] != '/' && target.base[at] != '?')
        ++at;
    if (at == begin || target.base[begin] == ':' ||
        !breaker__is_host(target.base + begin, at - begin))
        return false;
    req->input.authority = h2o_iovec_init(target.base + begin, at - begin);
    req->input.path = path_after(req, target.base + at, target.base + target.len);
    assert(req->input.path.base[0] == '/');
    process_anew(req);
    return true;
}

bool breaker__find_host(h2o_req_t *req)
{
    restore_scheme(req);
    /* somebody has asked for another path already */
    if (req->num_reprocessed != 0 || req->res_is_delegated)
        return false;
    if (req->input.path.len != 0 && req->input.path.base[0] != '/')
        return take_apart(req);
    return req->conn->hosts[1] != NULL && find_by_port(req);
}
