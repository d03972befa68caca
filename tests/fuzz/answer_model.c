/* The letter of RFC 9112 §4 to §7, line by line and chunk by chunk. */
#include <assert.h>
#include <ctype.h>
#include <strings.h>
#include "answer_model.h"

enum { INFORMATIONAL_MAX = 16 };

/* a head, as far as it has been read */
typedef struct st_head_t {
    bool is_http10, is_closing, is_kept_alive, has_length, is_chunked;
    uint64_t length;
    size_t num_fields;
    fuzz_text_t upgrade;
} head_t;

void answer_append(answer_text_t *text, const char *bytes, size_t len)
{
    assert(len <= sizeof(text->bytes) - text->len);
    if (len != 0)
        memcpy(text->bytes + text->len, bytes, len);
    text->len += len;
}

static bool is_token_byte(char byte)
{
    return byte != '\0' && (isalnum((unsigned char)byte) || strchr("!#$%&'*+-.^_`|~", byte));
}

static bool is_text_byte(char byte)
{
    return byte == '\t' || ((unsigned char)byte >= 0x20 && byte != 0x7f);
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

static fuzz_text_t trimmed(fuzz_text_t text)
{
    for (; text.len != 0 && is_blank(text.base[0]); ++text.base)
        --text.len;
    while (text.len != 0 && is_blank(text.base[text.len - 1]))
        --text.len;
    return text;
}

static bool equals(fuzz_text_t text, const char *other, size_t len)
{
    return text.len == len && (len == 0 || strncasecmp(text.base, other, len) == 0);
}

static bool is(fuzz_text_t text, const char *word)
{
    return equals(text, word, strlen(word));
}

static bool names(fuzz_text_t list, fuzz_text_t word)
{
    for (size_t at = 0, end; at < list.len; at = end + 1) {
        for (end = at; end != list.len && list.base[end] != ',';)
            ++end;
        if (equals(trimmed((fuzz_text_t){list.base + at, end - at}), word.base, word.len))
            return true;
    }
    return false;
}

static bool names_word(fuzz_text_t list, const char *word)
{
    return names(list, (fuzz_text_t){word, strlen(word)});
}

/* ---- heads ---- */

static bool read_status_line(fuzz_text_t line, head_t *head, answer_t *answer)
{
    const char *p = line.base;

    if (line.len < 12 || memcmp(p, "HTTP/1.", 7) != 0 || (p[7] != '0' && p[7] != '1') ||
        p[8] != ' ' || (line.len > 12 && p[12] != ' '))
        return false;
    for (size_t i = 9; i != 12; ++i)
        if (!isdigit((unsigned char)p[i]))
            return false;
    *head = (head_t){.is_http10 = p[7] == '0'};
    answer->status = (p[9] - '0') * 100 + (p[10] - '0') * 10 + p[11] - '0';
    answer->fields.len = 0;
    return answer->status >= 100;
}

static bool read_length(fuzz_text_t value, uint64_t *ret_length)
{
    *ret_length = 0;
    if (value.len == 0 || value.len > 18)
        return false;
    for (size_t i = 0; i != value.len; ++i) {
        if (!isdigit((unsigned char)value.base[i]))
            return false;
        *ret_length = *ret_length * 10 + (uint64_t)(value.base[i] - '0');
    }
    return true;
}

static bool note_field(fuzz_text_t name, fuzz_text_t value, head_t *head)
{
    if (is(name, "content-length")) {
        if (head->has_length || !read_length(value, &head->length))
            return false;
        head->has_length = true;
    } else if (is(name, "transfer-encoding")) {
        if (head->is_chunked || !is(value, "chunked"))
            return false;
        head->is_chunked = true;
    } else if (is(name, "connection")) {
        head->is_closing |= names_word(value, "close");
        head->is_kept_alive |= names_word(value, "keep-alive");
    } else if (is(name, "upgrade")) {
        head->upgrade = value;
    }
    return true;
}

static bool read_field(fuzz_text_t line, head_t *head, answer_t *answer)
{
    fuzz_text_t name = {line.base, 0}, value;

    while (name.len != line.len && is_token_byte(line.base[name.len]))
        ++name.len;
    if (name.len == 0 || name.len == line.len || line.base[name.len] != ':' ||
        ++head->num_fields > ANSWER_FIELDS_MAX)
        return false;
    value = trimmed((fuzz_text_t){line.base + name.len + 1, line.len - name.len - 1});
    for (size_t i = 0; i != name.len; ++i) {
        char lower = (char)tolower((unsigned char)name.base[i]);
        answer_append(&answer->fields, &lower, 1);
    }
    answer_append(&answer->fields, ": ", 2);
    answer_append(&answer->fields, value.base, value.len);
    answer_append(&answer->fields, "\n", 1);
    return note_field(name, value, head);
}

/* whether what it says together makes sense */
static bool is_sound(const head_t *head, const answer_t *answer, const answer_asked_t *asked)
{
    if (head->is_chunked && (head->has_length || head->is_http10))
        return false;
    return answer->status != 101 ||
           (head->upgrade.len != 0 && names(asked->upgrade, head->upgrade));
}

/* OVER: all heads are there */
static answer_state_t read_heads(fuzz_text_t bytes, const answer_asked_t *asked, head_t *head,
                                 answer_t *answer)
{
    bool is_within = false;
    size_t at = 0;

    while (true) {
        fuzz_text_t line = {bytes.base + at, 0};
        const char *feed = at != bytes.len ? memchr(bytes.base + at, '\n', bytes.len - at) : NULL;
        size_t end = feed != NULL ? (size_t)(feed - bytes.base) + 1 : bytes.len;
        if (end > ANSWER_HEAD_MAX)
            return ANSWER_REFUSED;
        if (feed == NULL)
            return ANSWER_MORE;
        line.len = end - at - 1;
        if (line.len != 0 && line.base[line.len - 1] == '\r')
            --line.len;
        if (memchr(line.base, '\0', line.len) != NULL || memchr(line.base, '\r', line.len) != NULL)
            return ANSWER_REFUSED;
        if (!is_within)
            answer->head_at = at;
        at = end;
        if (is_within && line.len == 0) {
            is_within = false;
            if (!is_sound(head, answer, asked))
                return ANSWER_REFUSED;
            if (answer->status >= 200 || answer->status == 101)
                break;
            if (++answer->num_informational > INFORMATIONAL_MAX)
                return ANSWER_REFUSED;
        } else if (!(is_within ? read_field : read_status_line)(line, head, answer)) {
            return ANSWER_REFUSED;
        } else {
            is_within = true;
        }
    }
    answer->has_head = true;
    answer->body_at = at;
    return ANSWER_OVER;
}

/* ---- chunks ---- */

/* steps over CR LF */
static answer_state_t end_line(fuzz_text_t *rest)
{
    for (size_t i = 0; i != 2; ++i) {
        if (rest->len == 0)
            return ANSWER_MORE;
        if (rest->base[0] != "\r\n"[i])
            return ANSWER_REFUSED;
        ++rest->base;
        --rest->len;
    }
    return ANSWER_OVER;
}

static void skip(fuzz_text_t *rest, bool (*is_one)(char))
{
    for (; rest->len != 0 && is_one(rest->base[0]); ++rest->base)
        --rest->len;
}

static bool is_hex(char byte)
{
    return isxdigit((unsigned char)byte);
}

static uint64_t hex_of(const char *base, size_t len)
{
    uint64_t number = 0;

    for (size_t i = 0; i != len; ++i)
        number =
            number * 16 + (uint64_t)(strchr("0123456789abcdef", tolower((unsigned char)base[i])) -
                                     "0123456789abcdef");
    return number;
}

/* a size with its extensions and the end of its line */
static answer_state_t read_size(fuzz_text_t *rest, uint64_t *ret_size)
{
    const char *digits = rest->base;
    size_t num;

    skip(rest, is_hex);
    num = (size_t)(rest->base - digits);
    if (num > 16 || (num == 0 && rest->len != 0))
        return ANSWER_REFUSED;
    *ret_size = hex_of(digits, num);
    skip(rest, is_blank);
    if (rest->len != 0 && rest->base[0] == ';') {
        ++rest->base;
        --rest->len;
        skip(rest, is_blank);
        if (rest->len != 0 && !is_token_byte(rest->base[0]))
            return ANSWER_REFUSED;
        skip(rest, is_text_byte);
    }
    return end_line(rest);
}

/* lines of trailers up to an empty one */
static answer_state_t read_trailers(fuzz_text_t *rest)
{
    answer_state_t state = ANSWER_OVER;

    while (state == ANSWER_OVER && rest->len != 0 && rest->base[0] != '\r') {
        const char *name = rest->base;
        skip(rest, is_token_byte);
        if (rest->len == 0)
            return ANSWER_MORE;
        if (rest->base[0] != ':' || rest->base == name)
            return ANSWER_REFUSED;
        ++rest->base;
        --rest->len;
        skip(rest, is_text_byte);
        state = end_line(rest);
    }
    return state == ANSWER_OVER ? end_line(rest) : state;
}

static answer_state_t read_chunks(fuzz_text_t *rest, answer_text_t *body)
{
    answer_state_t state;
    uint64_t size;

    while ((state = read_size(rest, &size)) == ANSWER_OVER && size != 0) {
        size_t len = size < rest->len ? (size_t)size : rest->len;
        answer_append(body, rest->base, len);
        rest->base += len;
        rest->len -= len;
        if (len != size)
            return ANSWER_MORE;
        if ((state = end_line(rest)) != ANSWER_OVER)
            return state;
    }
    return state == ANSWER_OVER ? read_trailers(rest) : state;
}

/* ---- both ---- */

static answer_state_t read_body(fuzz_text_t *rest, const head_t *head, const answer_asked_t *asked,
                                answer_t *answer)
{
    uint64_t len = rest->len;
    bool has_end = true;

    if (answer->status == 101) {
        answer->is_raw = true;
        has_end = false;
    } else if (equals(asked->method, "HEAD", 4) && memcmp(asked->method.base, "HEAD", 4) == 0) {
        len = 0;
    } else if (answer->status == 204 || answer->status == 304) {
        len = 0;
    } else if (head->is_chunked) {
        answer->is_chunked = true;
        return read_chunks(rest, &answer->body);
    } else if (head->has_length) {
        len = head->length;
    } else {
        has_end = false;
    }
    if (!has_end)
        answer->at_end = ANSWER_OVER;
    if (len > rest->len || !has_end) {
        answer_append(&answer->body, rest->base, rest->len);
        return ANSWER_MORE;
    }
    answer_append(&answer->body, rest->base, (size_t)len);
    rest->base += len;
    rest->len -= (size_t)len;
    return ANSWER_OVER;
}

void answer_read(fuzz_text_t bytes, const answer_asked_t *asked, answer_t *answer)
{
    head_t head = {false};
    fuzz_text_t rest;

    memset(answer, 0, offsetof(answer_t, fields));
    answer->fields.len = answer->body.len = 0;
    answer->is_reusable = false;
    answer->at_end = ANSWER_REFUSED;
    answer->state = read_heads(bytes, asked, &head, answer);
    if (answer->state != ANSWER_OVER)
        return;
    rest = (fuzz_text_t){bytes.base + answer->body_at, bytes.len - answer->body_at};
    answer->state = read_body(&rest, &head, asked, answer);
    answer->is_reusable = answer->state == ANSWER_OVER && rest.len == 0 && !head.is_closing &&
                          (!head.is_http10 || head.is_kept_alive);
}
