/*
 * A format is a list of pieces, each a directive and the text after it, made when the log is
 * opened. Whether a text is a format libh2o decides, and what a line says it would have said:
 * tests/handler/test_access_log.c compares them. A directive that nobody here writes is a small
 * format of libh2o's own.
 *
 * In JSON a value that is not there takes the quotation marks around it along, so that `null`
 * stands there alone: those at the ends of the texts before and after its directive.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "log/directive.h"
#include "log/format.h"

enum {
    /* libh2o puts its reasons there, without a bound of its own */
    REASON_MAX = 256,
    /* what libh2o is given for a value at first */
    VALUE_MAX = 2048,
    /* of a time that strftime(3) writes, with its NUL */
    TIME_MAX = 1024,
};

static const char combined[] = "%h %l %u %t \"%r\" %s %b \"%{Referer}i\" \"%{User-agent}i\"";

typedef struct st_piece_t {
    breaker__directive_t directive;
    /* of the directive alone where libh2o writes it, with its quotation marks; owned */
    h2o_logconf_t *by_libh2o;
    /* it goes without its quotation marks where it has no value */
    bool is_quoted;
    /* what follows; owned */
    char *text;
    size_t len;
} piece_t;

struct st_breaker__format_t {
    bool is_json;
    bool shows_response;
    size_t num_headers;
    h2o_iovec_t *headers[BREAKER__FORMAT_HEADERS_MAX]; /* borrowed: the directives' */
    h2o_iovec_t opening;                               /* before the first piece; owned */
    size_t num;
    piece_t *pieces; /* owned */
};

/* ---- reading ---- */

/* returns the end of the text that follows a directive; `%%` is a percent sign */
static const char *read_text(const char *at, char **ret_text, size_t *ret_len)
{
    char *text = h2o_mem_alloc(strlen(at) + sizeof("\n"));
    size_t len = 0;

    while (*at != '\0' && (*at != '%' || at[1] == '%')) {
        at += *at == '%';
        text[len++] = *at++;
    }
    if (*at == '\0')
        text[len++] = '\n';
    *ret_text = text;
    *ret_len = len;
    return at;
}

/* a name that libh2o keeps with the headers of a request */
static bool is_kept(const h2o_iovec_t *name)
{
    return !h2o_iovec_is_token(name) ||
           !H2O_STRUCT_FROM_MEMBER(h2o_token_t, buf, name)->is_init_header_special;
}

static void list_headers(breaker__format_t *format, const breaker__directive_t *directive)
{
    format->shows_response |= directive->is_of_response;
    if (!directive->is_of_request || !is_kept(directive->name))
        return;
    if (format->num_headers < BREAKER__FORMAT_HEADERS_MAX)
        format->headers[format->num_headers] = directive->name;
    ++format->num_headers;
}

/* the mark that is open at the end of a text, which began with `quote` open; 0: none */
static char open_quote(const char *text, size_t len, char quote, bool *ret_just_opened)
{
    *ret_just_opened = false;
    for (size_t i = 0; i != len; ++i) {
        size_t num_escapes = 0;
        *ret_just_opened = false;
        while (num_escapes != i && text[i - num_escapes - 1] == '\\')
            ++num_escapes;
        if (quote != 0 && text[i] == quote) {
            if (num_escapes % 2 == 0)
                quote = 0;
        } else if (quote == 0 && (text[i] == '"' || text[i] == '\'')) {
            quote = text[i];
            *ret_just_opened = true;
        }
    }
    return quote;
}

/* what libh2o is to write: the directive, and the marks that it would take away by itself */
static h2o_logconf_t *compile_piece(const char *text, size_t len, char quote, bool is_json)
{
    char *whole = h2o_mem_alloc(len + sizeof("\"\""));
    size_t at = 0;
    char reason[REASON_MAX];
    h2o_logconf_t *compiled;

    if (quote != 0)
        whole[at++] = quote;
    memcpy(whole + at, text, len);
    at += len;
    if (quote != 0)
        whole[at++] = quote;
    whole[at] = '\0';
    compiled = h2o_logconf_compile(
        whole, is_json ? H2O_LOGCONF_ESCAPE_JSON : H2O_LOGCONF_ESCAPE_APACHE, reason);
    assert(compiled != NULL);
    free(whole);
    return compiled;
}

static void read_pieces(breaker__format_t *format, const char *at)
{
    bool just_opened;
    char quote;

    at = read_text(at, &format->opening.base, &format->opening.len);
    quote = open_quote(format->opening.base, format->opening.len, 0, &just_opened);
    while (*at != '\0') {
        const char *begin = at, *end;
        piece_t *piece = format->pieces + format->num++;
        *piece = (piece_t){.text = NULL};
        end = breaker__directive_read(begin, &piece->directive);
        at = read_text(end, &piece->text, &piece->len);
        piece->is_quoted =
            format->is_json && just_opened && piece->len != 0 && piece->text[0] == quote;
        if (piece->directive.put == NULL)
            piece->by_libh2o = compile_piece(begin, (size_t)(end - begin),
                                             piece->is_quoted ? quote : 0, format->is_json);
        list_headers(format, &piece->directive);
        quote = open_quote(piece->text, piece->len, quote, &just_opened);
    }
}

/* the next directive, after its percent sign and what may follow that, or NULL */
static const char *find_directive(const char *at)
{
    while ((at = strchr(at, '%')) != NULL && at[1] == '%')
        at += 2;
    return at != NULL ? at + 1 + strspn(at + 1, "<>") : NULL;
}

/* libh2o copies what follows an open brace to where its reasons go */
static bool is_bounded(const char *at)
{
    while ((at = find_directive(at)) != NULL)
        if (*at == '{' && (at = strchr(at, '}')) == NULL)
            return false;
    return true;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

/* whether strftime(3), which takes what a log's format names as it is, makes something of it */
static bool shows_time(const char *name, size_t len)
{
    const time_t second = 1;
    struct tm parts;
    char *format = h2o_strdup(NULL, name, len).base, memory[TIME_MAX];
    bool is_shown =
        localtime_r(&second, &parts) != NULL && strftime(memory, TIME_MAX, format, &parts) != 0;

    free(format);
    return is_shown;
}

#pragma GCC diagnostic pop

/* libh2o takes a time of no bytes for one that has no room, and gives it more, for ever */
static bool show_times(const char *at)
{
    while ((at = find_directive(at)) != NULL) {
        const char *end = *at == '{' ? strchr(at, '}') : NULL;
        if (end == NULL)
            continue;
        if (end[1] == 't' && !shows_time(at + 1, (size_t)(end - at) - 1))
            return false;
        at = end;
    }
    return true;
}

static int check(const char *text, int escape, breaker_error_t *error)
{
    char reason[REASON_MAX];
    h2o_logconf_t *compiled;

    if (!is_bounded(text))
        return breaker_error_set(error, BREAKER_ERR_RANGE, "a brace is not closed");
    if (!show_times(text))
        return breaker_error_set(error, BREAKER_ERR_RANGE,
                                 "a time, %%{...}t, is written in 1 to %d bytes", TIME_MAX - 1);
    if ((compiled = h2o_logconf_compile(text, escape, reason)) == NULL)
        return breaker_error_set(error, BREAKER_ERR_RANGE, "%s", reason);
    h2o_logconf_dispose(compiled);
    return 0;
}

breaker__format_t *breaker__format_create(const char *text, int escape, breaker_error_t *ret_error)
{
    breaker__format_t *format;

    if (text == NULL)
        text = combined;
    if (check(text, escape, ret_error) != 0)
        return NULL;
    format = h2o_mem_alloc(sizeof(*format));
    memset(format, 0, sizeof(*format));
    format->is_json = escape == H2O_LOGCONF_ESCAPE_JSON;
    /* a directive has two characters at least */
    format->pieces = h2o_mem_alloc((strlen(text) / 2 + 1) * sizeof(format->pieces[0]));
    read_pieces(format, text);
    return format;
}

void breaker__format_free(breaker__format_t *format)
{
    if (format == NULL)
        return;
    for (size_t i = 0; i != format->num; ++i) {
        piece_t *piece = format->pieces + i;
        breaker__directive_dispose(&piece->directive);
        if (piece->by_libh2o != NULL)
            h2o_logconf_dispose(piece->by_libh2o);
        free(piece->text);
    }
    free(format->opening.base);
    free(format->pieces);
    free(format);
}

size_t breaker__format_headers(const breaker__format_t *format, h2o_iovec_t *const **ret_headers)
{
    *ret_headers = format->headers;
    return format->num_headers;
}

bool breaker__format_shows_response(const breaker__format_t *format)
{
    return format->shows_response;
}

/* ---- writing ---- */

/* what libh2o ends with a line's end */
static void put_by_libh2o(breaker__entry_t *entry, const piece_t *piece, h2o_req_t *req)
{
    char memory[VALUE_MAX], *value;
    size_t len = sizeof(memory);

    value = h2o_log_request(piece->by_libh2o, req, &len, memory);
    assert(len != 0);
    breaker__entry_put(entry, value, len - 1);
    if (value != memory)
        free(value);
}

/* returns how much of the text after it is written already, or goes */
static size_t put_value(breaker__entry_t *entry, const piece_t *piece, h2o_req_t *req)
{
    bool is_quoted = piece->is_quoted;

    if (piece->by_libh2o != NULL) {
        entry->at -= is_quoted;
        put_by_libh2o(entry, piece, req);
        return is_quoted;
    }
    if (piece->directive.put(entry, &piece->directive, req))
        return 0;
    entry->at -= is_quoted;
    breaker__entry_put_null(entry);
    return is_quoted;
}

size_t breaker__format_write(const breaker__format_t *format, h2o_req_t *req, char *dst,
                             size_t size)
{
    breaker__entry_t entry = {.at = dst, .end = dst + size, .is_json = format->is_json};

    breaker__entry_put(&entry, format->opening.base, format->opening.len);
    for (size_t i = 0; i != format->num && !entry.is_full; ++i) {
        const piece_t *piece = format->pieces + i;
        size_t from = put_value(&entry, piece, req);
        if (piece->len - from == 1)
            breaker__entry_put_byte(&entry, piece->text[from]);
        else
            breaker__entry_put(&entry, piece->text + from, piece->len - from);
    }
    return entry.is_full ? 0 : (size_t)(entry.at - dst);
}
