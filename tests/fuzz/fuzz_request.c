/*
 * A request on its way to an application: whatever a client has put into its method, path and
 * fields, what is written either is nothing or reads back, by the letter of RFC 9112, as exactly
 * one request: that one, with one Host and at most one framing.
 *
 * An input has a line with numbers (see bits_t), one with the length of the body, and the request:
 * method, target, authority, then names and values, with 0xff between them; or a header block of
 * HTTP/2, which libh2o's own decoder reads.
 */
#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <strings.h>
#include <h2o.h>
/* needs these before it */
#include <h2o/http1.h>
#include <h2o/http2.h>
#include <h2o/http2_internal.h>
#include "fuzz.h"
#include "picohttpparser.h"
#include "upstream/request/fields.h"
#include "upstream/wire/head.h"

enum { FIELDS_MAX = 512 };

/* bits of the first line */
typedef enum en_bits_t {
    IS_BLOCK = 1,
    EMITS_VIA = 2,
    EMITS_FORWARDED = 4,
    PRESERVES_PROTO = 8,
    KEEPS_CONNECTIONS = 16,
    HAS_BODY = 32,
    IS_CHUNKED = 64,
    UPGRADES = 128,
    HAS_IPV6 = 256,
} bits_t;

typedef struct st_field_t {
    fuzz_text_t name, value;
} field_t;

/* a request, as somebody else reads it */
typedef struct st_read_t {
    fuzz_text_t method, target;
    field_t fields[FIELDS_MAX];
    size_t num;
} read_t;

static struct {
    uint64_t bits;
    h2o_globalconf_t globalconf;
    h2o_context_t ctx;
    h2o_conn_t conn;
    h2o_req_t req;
} client;

static fuzz_text_t text_of(h2o_iovec_t vec)
{
    return (fuzz_text_t){vec.base, vec.len};
}

static bool is(fuzz_text_t text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.base, word, text.len) == 0;
}

static bool is_same(fuzz_text_t a, fuzz_text_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.base, b.base, a.len) == 0);
}

static bool is_token(fuzz_text_t text)
{
    for (size_t i = 0; i != text.len; ++i)
        if (text.base[i] == '\0' || (!isalnum((unsigned char)text.base[i]) &&
                                     strchr("!#$%&'*+-.^_`|~", text.base[i]) == NULL))
            return false;
    return text.len != 0;
}

/* ---- the client ---- */

static socklen_t get_peername(h2o_conn_t *conn, struct sockaddr *address)
{
    struct sockaddr_in6 *in6 = (void *)address;
    struct sockaddr_in *in = (void *)address;

    (void)conn;
    if ((client.bits & HAS_IPV6) != 0) {
        *in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
        return sizeof(*in6);
    }
    *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(0xcb00710a)}};
    return sizeof(*in);
}

static void begin(uint64_t bits)
{
    static const h2o_conn_callbacks_t callbacks = {.get_peername = get_peername};

    memset(&client, 0, sizeof(client));
    client.bits = bits;
    client.globalconf.proxy.emit_via_header = (bits & EMITS_VIA) != 0;
    client.globalconf.proxy.emit_x_forwarded_headers = (bits & EMITS_FORWARDED) != 0;
    client.globalconf.proxy.preserve_x_forwarded_proto = (bits & PRESERVES_PROTO) != 0;
    client.ctx.globalconf = &client.globalconf;
    client.conn.ctx = &client.ctx;
    client.conn.callbacks = &callbacks;
    client.req.conn = &client.conn;
    client.req.version = (bits & IS_BLOCK) != 0 ? 0x200 : 0x101;
    h2o_mem_init_pool(&client.req.pool);
}

static fuzz_text_t take_piece(fuzz_text_t *rest)
{
    const char *end = rest->len != 0 ? memchr(rest->base, 0xff, rest->len) : NULL;
    fuzz_text_t piece = {rest->base, end != NULL ? (size_t)(end - rest->base) : rest->len};
    size_t step = piece.len + (end != NULL);

    rest->base += step;
    rest->len -= step;
    return piece;
}

static h2o_iovec_t take_copy(fuzz_text_t *rest)
{
    fuzz_text_t piece = take_piece(rest);

    return h2o_strdup(&client.req.pool, piece.base != NULL ? piece.base : "", piece.len);
}

/* as libh2o does it with a field of HTTP/1 */
static void add_field(h2o_iovec_t original, h2o_iovec_t value)
{
    h2o_mem_pool_t *pool = &client.req.pool;
    h2o_iovec_t name = h2o_strdup(pool, original.base, original.len);
    const h2o_token_t *token;

    h2o_strtolower(name.base, name.len);
    token = h2o_lookup_token(name.base, name.len);
    if (token == H2O_TOKEN_UPGRADE)
        client.req.upgrade = value;
    else if (token != NULL && !token->is_init_header_special)
        h2o_add_header(pool, &client.req.headers, token, original.base, value.base, value.len);
    else if (token == NULL)
        h2o_add_header_by_str(pool, &client.req.headers, name.base, name.len, 0, original.base,
                              value.base, value.len);
}

static void take_fields(fuzz_text_t rest, h2o_iovec_t *ret_target)
{
    client.req.input.scheme = &H2O_URL_SCHEME_HTTP;
    client.req.input.method = take_copy(&rest);
    *ret_target = take_copy(&rest);
    client.req.input.authority = take_copy(&rest);
    while (rest.len != 0 && client.req.headers.size < FIELDS_MAX / 2) {
        h2o_iovec_t name = take_copy(&rest);
        add_field(name, take_copy(&rest));
    }
}

static bool take_block(fuzz_text_t block, h2o_iovec_t *ret_target)
{
    h2o_hpack_header_table_t table = {.hpack_capacity = 4096, .hpack_max_capacity = 4096};
    size_t content_length = SIZE_MAX;
    const char *why = NULL;
    int map = 0, err;

    err = h2o_hpack_parse_headers(&client.req, &table, (const uint8_t *)block.base, block.len, &map,
                                  &content_length, NULL, &why);
    h2o_hpack_dispose_header_table(&table);
    *ret_target = client.req.input.path;
    return err == 0 && client.req.input.method.base != NULL && ret_target->base != NULL &&
           client.req.input.scheme != NULL && client.req.headers.size < FIELDS_MAX / 2;
}

/* ---- what is written ---- */

static bool take_until(fuzz_text_t *rest, char end, fuzz_text_t *ret_text)
{
    const char *at = rest->len != 0 ? memchr(rest->base, end, rest->len) : NULL;

    if (at == NULL)
        return false;
    *ret_text = (fuzz_text_t){rest->base, (size_t)(at - rest->base)};
    rest->len -= ret_text->len + 1;
    rest->base = at + 1;
    return true;
}

/* a line without its CR LF */
static void take_line(fuzz_text_t *rest, fuzz_text_t *ret_line)
{
    bool has_line = take_until(rest, '\n', ret_line);

    assert(has_line && ret_line->len != 0 && ret_line->base[ret_line->len - 1] == '\r');
    --ret_line->len;
    assert(memchr(ret_line->base, '\r', ret_line->len) == NULL);
    assert(memchr(ret_line->base, '\0', ret_line->len) == NULL);
}

/* one request and nothing more, with nothing that two could read in two ways */
static void read_strictly(fuzz_text_t rest, read_t *read)
{
    fuzz_text_t line;
    bool has_all;

    take_line(&rest, &line);
    has_all = take_until(&line, ' ', &read->method) && take_until(&line, ' ', &read->target);
    assert(has_all && is(line, "HTTP/1.1"));
    assert(is_token(read->method) && read->target.len != 0);
    for (size_t i = 0; i != read->target.len; ++i)
        assert((unsigned char)read->target.base[i] > ' ' && read->target.base[i] != 0x7f);
    read->num = 0;
    for (take_line(&rest, &line); line.len != 0; take_line(&rest, &line)) {
        field_t *field = read->fields + read->num++;
        assert(read->num <= FIELDS_MAX);
        has_all = take_until(&line, ':', &field->name);
        assert(has_all && is_token(field->name) && line.len != 0 && line.base[0] == ' ');
        field->value = (fuzz_text_t){line.base + 1, line.len - 1};
    }
    assert(rest.len == 0);
}

static const field_t *find(const read_t *read, const char *name, size_t *ret_num)
{
    const field_t *found = NULL;

    *ret_num = 0;
    for (size_t i = 0; i != read->num; ++i)
        if (is(read->fields[i].name, name)) {
            found = read->fields + i;
            ++*ret_num;
        }
    return found;
}

/* there once, or where `value` is NULL not at all */
static void check_one(const read_t *read, const char *name, const char *value)
{
    size_t num;
    const field_t *field = find(read, name, &num);

    assert(num == (value != NULL));
    assert(value == NULL || is(field->value, value));
}

static void check_framing(const read_t *read, const breaker__outgoing_t *outgoing)
{
    bool is_chunked = outgoing->has_body && outgoing->body_len == SIZE_MAX;
    bool means_body = is_same(read->method, (fuzz_text_t){"POST", 4}) ||
                      is_same(read->method, (fuzz_text_t){"PUT", 3});
    char length[32];

    snprintf(length, sizeof(length), "%zu", outgoing->has_body ? outgoing->body_len : 0);
    check_one(read, "transfer-encoding", is_chunked ? "chunked" : NULL);
    check_one(read, "content-length",
              !is_chunked && (outgoing->has_body || means_body) ? length : NULL);
}

static void check_connection(const read_t *read, const breaker__outgoing_t *outgoing)
{
    static const char *const names[] = {
        "keep-alive",          "proxy-connection", "te",
        "proxy-authorization", "http2-settings",   "proxy-authenticate"};
    const field_t *host, *upgrade;
    size_t num;

    host = find(read, "host", &num);
    assert(num == 1 && is_same(host->value, text_of(outgoing->authority)));
    check_one(read, "connection",
              outgoing->upgrade.len != 0               ? "upgrade"
              : (client.bits & KEEPS_CONNECTIONS) != 0 ? "keep-alive"
                                                       : "close");
    upgrade = find(read, "upgrade", &num);
    assert(num == (outgoing->upgrade.len != 0));
    assert(num == 0 || is_same(upgrade->value, text_of(outgoing->upgrade)));
    for (size_t i = 0; i != sizeof(names) / sizeof(names[0]); ++i)
        check_one(read, names[i], NULL);
}

/* ---- what was asked ---- */

/* whether Connection names it: by a definition of its own */
static bool is_named(fuzz_text_t name)
{
    const h2o_headers_t *headers = &client.req.headers;

    for (size_t i = 0; i != headers->size; ++i) {
        fuzz_text_t list = text_of(headers->entries[i].value);
        if (!is(text_of(*headers->entries[i].name), "connection"))
            continue;
        for (size_t at = 0, end; at < list.len; at = end + 1) {
            fuzz_text_t word;
            for (end = at; end != list.len && list.base[end] != ',';)
                ++end;
            word = (fuzz_text_t){list.base + at, end - at};
            for (; word.len != 0 && isblank((unsigned char)word.base[0]); ++word.base)
                --word.len;
            while (word.len != 0 && isblank((unsigned char)word.base[word.len - 1]))
                --word.len;
            if (word.len == name.len && strncasecmp(word.base, name.base, name.len) == 0)
                return true;
        }
    }
    return false;
}

/* whether it is told as it came; those that are not are told otherwise, or not */
static bool is_plain(fuzz_text_t name)
{
    static const char *const others[] = {
        "connection", "keep-alive",          "proxy-connection",
        "te",         "proxy-authorization", "http2-settings",
        "cookie",     "proxy-authenticate",  "transfer-encoding",
    };

    for (size_t i = 0; i != sizeof(others) / sizeof(others[0]); ++i)
        if (is(name, others[i]))
            return false;
    if (is(name, "via") && (client.bits & EMITS_VIA) != 0)
        return false;
    if (is(name, "x-forwarded-for") && (client.bits & EMITS_FORWARDED) != 0)
        return false;
    return (!is(name, "x-forwarded-proto") || (client.bits & PRESERVES_PROTO) != 0) &&
           !is_named(name);
}

static bool is_ours(const field_t *field)
{
    static const char *const ours[] = {"host",           "connection",        "upgrade",
                                       "content-length", "transfer-encoding", "cookie"};

    for (size_t i = 0; i != sizeof(ours) / sizeof(ours[0]); ++i)
        if (is(field->name, ours[i]))
            return true;
    if (is(field->name, "via"))
        return (client.bits & EMITS_VIA) != 0;
    if (is(field->name, "x-forwarded-for"))
        return (client.bits & EMITS_FORWARDED) != 0;
    return is(field->name, "x-forwarded-proto") &&
           (client.bits & (EMITS_FORWARDED | PRESERVES_PROTO)) == EMITS_FORWARDED;
}

/* what is not ours is what came, in the same order */
static void check_fields(const read_t *read)
{
    const h2o_headers_t *headers = &client.req.headers;
    size_t at = 0;

    for (size_t i = 0; i != headers->size; ++i) {
        fuzz_text_t name = text_of(*headers->entries[i].name);
        if (!is_plain(name))
            continue;
        while (at != read->num && is_ours(read->fields + at))
            ++at;
        assert(at != read->num && read->fields[at].name.len == name.len);
        assert(strncasecmp(read->fields[at].name.base, name.base, name.len) == 0);
        assert(is_same(read->fields[at].value, text_of(headers->entries[i].value)));
        ++at;
    }
    while (at != read->num && is_ours(read->fields + at))
        ++at;
    assert(at == read->num);
}

/* ---- refusals ---- */

static bool has_only_visible(fuzz_text_t text)
{
    for (size_t i = 0; i != text.len; ++i)
        if ((unsigned char)text.base[i] <= ' ' || text.base[i] == 0x7f)
            return false;
    return true;
}

static bool has_line_end(fuzz_text_t text)
{
    for (size_t i = 0; i != text.len; ++i)
        if (text.base[i] == '\0' || text.base[i] == '\r' || text.base[i] == '\n')
            return true;
    return false;
}

/* nobody is refused for nothing */
static bool is_blameless(const breaker__outgoing_t *outgoing)
{
    const h2o_headers_t *headers = &client.req.headers;

    if (!is_token(text_of(outgoing->method)) || outgoing->target.len == 0 ||
        !has_only_visible(text_of(outgoing->target)) ||
        !has_only_visible(text_of(outgoing->authority)) || has_line_end(text_of(outgoing->upgrade)))
        return false;
    for (size_t i = 0; i != headers->size; ++i)
        if (!is_token(text_of(*headers->entries[i].name)) ||
            has_line_end(text_of(headers->entries[i].value)))
            return false;
    return true;
}

static void check(h2o_iovec_t target, uint64_t body_len)
{
    breaker__upstream_settings_t settings = {.keepalive_ms =
                                                 (client.bits & KEEPS_CONNECTIONS) != 0 ? 2000 : 0};
    breaker__outgoing_t outgoing = {.method = client.req.input.method,
                                    .target = target,
                                    .authority = client.req.input.authority};
    static read_t read;
    h2o_iovec_t head;

    client.req.method = client.req.input.method;
    client.req.authority = client.req.input.authority;
    outgoing.has_body = (client.bits & HAS_BODY) != 0;
    if (outgoing.has_body)
        outgoing.body_len = (client.bits & IS_CHUNKED) != 0 ? SIZE_MAX : (size_t)body_len / 2;
    if ((client.bits & UPGRADES) != 0 && !outgoing.has_body && client.req.version < 0x200)
        outgoing.upgrade = client.req.upgrade;
    if (!breaker__outgoing_build(&outgoing, &client.req, &settings)) {
        assert(!is_blameless(&outgoing));
        return;
    }
    head = breaker__head_write(&client.req.pool, &outgoing);
    read_strictly(text_of(head), &read);
    assert(is_same(read.method, text_of(outgoing.method)));
    assert(is_same(read.target, text_of(outgoing.target)));
    check_framing(&read, &outgoing);
    check_connection(&read, &outgoing);
    check_fields(&read);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_text_t text = {(const char *)data, size};
    uint64_t bits = fuzz_take_number(&text), body_len = fuzz_take_number(&text);
    h2o_iovec_t target;
    bool has_request = true;

    if (size > FUZZ_INPUT_MAX)
        return 0;
    begin(bits);
    if ((bits & IS_BLOCK) == 0)
        take_fields(text, &target);
    else
        has_request = take_block(text, &target);
    if (has_request)
        check(target, body_len);
    h2o_mem_clear_pool(&client.req.pool);
    return 0;
}
