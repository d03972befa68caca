/*
 * URLs of Redis as its clients know them, taken apart. What is accepted is what can be connected
 * to: every part has a limit, names hold what names hold, nothing decodes to NUL.
 *
 * Invariants: no message shows any part of the URL; the output is untouched unless all of the URL
 * is good.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "redis/url.h"

#define DEFAULT_PORT "6379"
#define DB_MAX 999999999u

/** a piece of the URL that is not read yet */
typedef struct st_piece_t {
    const char *base;
    size_t len;
} piece_t;

static int refuse(breaker_error_t *error, const char *what)
{
    return breaker_error_set(error, BREAKER_ERR_RANGE, "%s", what);
}

static int refuse_text(breaker_error_t *error, const char *what, int bytes_max)
{
    return breaker_error_set(error, BREAKER_ERR_RANGE,
                             "%s is longer than %d bytes or badly percent-encoded", what,
                             bytes_max);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decodes into `size` bytes, NUL included; false when it does not fit or is not well encoded. */
static bool decode(piece_t src, char *dst, size_t size)
{
    size_t written = 0;

    for (size_t i = 0; i != src.len; ++i) {
        int c = (unsigned char)src.base[i];
        if (c == '%') {
            int high, low;
            if (src.len - i < 3 || (high = hex_value(src.base[i + 1])) < 0 ||
                (low = hex_value(src.base[i + 2])) < 0)
                return false;
            c = high << 4 | low;
            i += 2;
        }
        if (c == '\0' || written + 1 >= size)
            return false;
        dst[written++] = (char)c;
    }
    dst[written] = '\0';
    return true;
}

static bool is_number(const char *text, size_t len, uint32_t max, uint32_t *ret_number)
{
    uint64_t number = 0;

    if (len == 0 || len > 10)
        return false;
    for (size_t i = 0; i != len; ++i) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(text[i] - '0');
    }
    if (number > max)
        return false;
    *ret_number = (uint32_t)number;
    return true;
}

uint16_t breaker__port_parse(const char *text, size_t len)
{
    uint32_t port = 0;

    return is_number(text, len, UINT16_MAX, &port) ? (uint16_t)port : 0;
}

static bool is_host_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_' || c == ':' || c == '%';
}

bool breaker__endpoint_set(breaker__endpoint_t *endpoint, const char *host, size_t len,
                           uint32_t port)
{
    if (len == 0 || len > BREAKER__REDIS_HOST_MAX || port == 0 || port > UINT16_MAX)
        return false;
    for (size_t i = 0; i != len; ++i)
        if (!is_host_byte(host[i]))
            return false;
    memcpy(endpoint->host, host, len);
    endpoint->host[len] = '\0';
    endpoint->port = (uint16_t)port;
    endpoint->path[0] = '\0';
    return true;
}

void breaker__endpoint_print(const breaker__endpoint_t *endpoint,
                             char dst[BREAKER__ENDPOINT_TEXT_MAX])
{
    int written;

    if (endpoint->path[0] != '\0')
        written = snprintf(dst, BREAKER__ENDPOINT_TEXT_MAX, "%s", endpoint->path);
    else if (strchr(endpoint->host, ':') != NULL)
        written = snprintf(dst, BREAKER__ENDPOINT_TEXT_MAX, "[%s]:%u", endpoint->host,
                           (unsigned)endpoint->port);
    else
        written = snprintf(dst, BREAKER__ENDPOINT_TEXT_MAX, "%s:%u", endpoint->host,
                           (unsigned)endpoint->port);
    assert(written >= 0 && (size_t)written < BREAKER__ENDPOINT_TEXT_MAX);
}

/* Cuts what stands before the first `mark` off the piece; without a mark there is nothing to cut.
 */
static bool cut(piece_t *rest, char mark, piece_t *ret_head)
{
    const char *at = rest->len != 0 ? memchr(rest->base, mark, rest->len) : NULL;

    if (at == NULL)
        return false;
    *ret_head = (piece_t){rest->base, (size_t)(at - rest->base)};
    rest->len -= ret_head->len + 1;
    rest->base = at + 1;
    return true;
}

static int parse_userinfo(piece_t info, breaker__redis_url_t *url, breaker_error_t *error)
{
    piece_t user = info;

    if (cut(&info, ':', &user)) {
        if (!decode(info, url->password, sizeof(url->password)))
            return refuse_text(error, "the password", BREAKER_REDIS_PASSWORD_MAX);
        url->has_password = url->password[0] != '\0';
    }
    if (!decode(user, url->user, sizeof(url->user)))
        return refuse_text(error, "the user", BREAKER__REDIS_USER_MAX);
    url->has_user = url->user[0] != '\0';
    if (!url->has_user && !url->has_password)
        return refuse(error, "nothing stands before the @");
    return 0;
}

static int parse_host(piece_t rest, breaker__redis_url_t *url, breaker_error_t *error)
{
    piece_t host = rest, port = {DEFAULT_PORT, sizeof(DEFAULT_PORT) - 1};
    bool bracketed = rest.len != 0 && rest.base[0] == '[';
    uint16_t number;

    if (bracketed) {
        rest = (piece_t){rest.base + 1, rest.len - 1};
        if (!cut(&rest, ']', &host) || memchr(host.base, ':', host.len) == NULL)
            return refuse(error, "an IPv6 address stands in brackets, like [::1]");
        if (rest.len != 0 && rest.base[0] != ':')
            return refuse(error, "between host and port stands a colon");
        if (rest.len != 0)
            port = (piece_t){rest.base + 1, rest.len - 1};
    } else if (cut(&rest, ':', &host)) {
        port = rest;
    } else {
        host = rest;
    }
    if ((number = breaker__port_parse(port.base, port.len)) == 0)
        return refuse(error, "a port is a number from 1 to 65535");
    if ((!bracketed && host.len != 0 && memchr(host.base, '%', host.len) != NULL) ||
        !breaker__endpoint_set(&url->endpoint, host.base, host.len, number))
        return breaker_error_set(error, BREAKER_ERR_RANGE,
                                 "a host is a name or an address of 1 to %d characters",
                                 BREAKER__REDIS_HOST_MAX);
    return 0;
}

/* A path is told in reasons, which are one line. */
static bool is_printable(const char *text)
{
    for (; *text != '\0'; ++text)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return false;
    return true;
}

static int parse_db(piece_t db, breaker__redis_url_t *url, breaker_error_t *error)
{
    if (!is_number(db.base, db.len, DB_MAX, &url->db))
        return breaker_error_set(error, BREAKER_ERR_RANGE, "a database is a number from 0 to %u",
                                 DB_MAX);
    return 0;
}

/* [user[:password]@]host[:port][/db] */
static int parse_tcp(piece_t rest, breaker__redis_url_t *url, breaker_error_t *error)
{
    piece_t authority, info;
    int err;

    if (cut(&rest, '/', &authority)) {
        if (rest.len != 0 && (err = parse_db(rest, url, error)) != 0)
            return err;
    } else {
        authority = rest;
    }
    if (cut(&authority, '@', &info)) {
        if (authority.len != 0 && memchr(authority.base, '@', authority.len) != NULL)
            return refuse(error, "an @ in a user or password is written %40");
        if ((err = parse_userinfo(info, url, error)) != 0)
            return err;
    }
    return parse_host(authority, url, error);
}

/* [user[:password]@]/path[?db=N] */
static int parse_unix(piece_t rest, breaker__redis_url_t *url, breaker_error_t *error)
{
    piece_t authority, path = rest, info;
    int err;

    if (!cut(&path, '/', &authority))
        return refuse(error, "a socket's path begins with /, as in unix:///run/redis.sock");
    path = (piece_t){path.base - 1, path.len + 1};
    if (cut(&authority, '@', &info) && (err = parse_userinfo(info, url, error)) != 0)
        return err;
    if (authority.len != 0)
        return refuse(error, "a socket's path begins with /, as in unix:///run/redis.sock");
    rest = path;
    if (cut(&rest, '?', &path)) {
        if (rest.len < 3 || memcmp(rest.base, "db=", 3) != 0)
            return refuse(error, "after a socket's path only ?db=N is accepted");
        if ((err = parse_db((piece_t){rest.base + 3, rest.len - 3}, url, error)) != 0)
            return err;
    }
    if (!decode(path, url->endpoint.path, sizeof(url->endpoint.path)) ||
        !is_printable(url->endpoint.path))
        return breaker_error_set(error, BREAKER_ERR_RANGE,
                                 "a socket's path is longer than %d bytes, badly percent-encoded "
                                 "or has control characters",
                                 BREAKER__REDIS_PATH_MAX);
    return 0;
}

static bool has_scheme(piece_t *rest, const char *scheme)
{
    size_t len = strlen(scheme);

    if (rest->len < len || memcmp(rest->base, scheme, len) != 0)
        return false;
    *rest = (piece_t){rest->base + len, rest->len - len};
    return true;
}

int breaker__redis_url_parse(const char *text, size_t len, breaker__redis_url_t *ret_url,
                             breaker_error_t *error)
{
    piece_t rest = {text, len};
    breaker__redis_url_t url = {.tls = false};
    int err;

    if (has_scheme(&rest, "unix://")) {
        err = parse_unix(rest, &url, error);
    } else if (has_scheme(&rest, "redis://")) {
        err = parse_tcp(rest, &url, error);
    } else if (has_scheme(&rest, "rediss://")) {
        url.tls = true;
        err = parse_tcp(rest, &url, error);
    } else {
        err = refuse(error, "it begins with redis://, rediss:// or unix://");
    }
    if (err == 0)
        *ret_url = url;
    return err;
}
