/*
 * libcurl frames the answer; this decides whether that may be believed. It is stricter than
 * libcurl: an answer that says two things about its length, or one that two readers could take for
 * two, ends here, since whatever follows it on the connection would be taken for somebody else's.
 *
 * Invariant: every field of a head that is not refused has a name of token characters and a value
 * without CR, LF and NUL.
 */
#include <limits.h>
#include <string.h>
#include <strings.h>
#include "upstream/reply/reply.h"

/* 1xx answers before the one that counts */
enum { INFORMATIONAL_MAX = 16 };
/* fields that there is room for at once */
enum { FIELDS_AT_ONCE = 16 };

static breaker__reply_state_t refuse(breaker__reply_t *self, const char *why)
{
    self->refusal = why;
    return BREAKER__REPLY_REFUSED;
}

/* RFC 9110 §5.6.2: of each byte that a name may have its lower case; 0 of others */
static const unsigned char token_bytes[256] = {
    ['!'] = '!',      ['#'] = '#',      ['$'] = '$',      ['%'] = '%',      ['&'] = '&',
    ['\''] = '\'',    ['*'] = '*',      ['+'] = '+',      ['-'] = '-',      ['.'] = '.',
    ['^'] = '^',      ['_'] = '_',      ['`'] = '`',      ['|'] = '|',      ['~'] = '~',
    ['0'] = '0',      ['1'] = '1',      ['2'] = '2',      ['3'] = '3',      ['4'] = '4',
    ['5'] = '5',      ['6'] = '6',      ['7'] = '7',      ['8'] = '8',      ['9'] = '9',
#define LETTER(upper, lower) [upper] = lower, [lower] = lower
    LETTER('A', 'a'), LETTER('B', 'b'), LETTER('C', 'c'), LETTER('D', 'd'), LETTER('E', 'e'),
    LETTER('F', 'f'), LETTER('G', 'g'), LETTER('H', 'h'), LETTER('I', 'i'), LETTER('J', 'j'),
    LETTER('K', 'k'), LETTER('L', 'l'), LETTER('M', 'm'), LETTER('N', 'n'), LETTER('O', 'o'),
    LETTER('P', 'p'), LETTER('Q', 'q'), LETTER('R', 'r'), LETTER('S', 's'), LETTER('T', 't'),
    LETTER('U', 'u'), LETTER('V', 'v'), LETTER('W', 'w'), LETTER('X', 'x'), LETTER('Y', 'y'),
    LETTER('Z', 'z'),
#undef LETTER
};

bool breaker__is_token(h2o_iovec_t text)
{
    for (size_t i = 0; i != text.len; ++i)
        if (token_bytes[(unsigned char)text.base[i]] == 0)
            return false;
    return text.len != 0;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

static h2o_iovec_t trim(const char *at, const char *end)
{
    while (at != end && is_blank(*at))
        ++at;
    while (at != end && is_blank(end[-1]))
        --end;
    return h2o_iovec_init(at, (size_t)(end - at));
}

bool breaker__list_has(h2o_iovec_t list, const char *token, size_t len)
{
    const char *at = list.base, *end = at + list.len;

    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        h2o_iovec_t each = trim(at, comma != NULL ? comma : end);
        if (each.len == len && strncasecmp(each.base, token, len) == 0)
            return true;
        if (comma == NULL)
            break;
        at = comma + 1;
    }
    return false;
}

void breaker__reply_init(breaker__reply_t *self, h2o_mem_pool_t *pool, h2o_iovec_t upgrade,
                         uint32_t max_size, uint32_t max_fields)
{
    memset(self, 0, sizeof(*self));
    self->pool = pool;
    self->upgrade = upgrade;
    self->max_size = max_size;
    self->max_fields = max_fields;
    self->length = SIZE_MAX;
}

/* ---- the first line ---- */

/* the digits of "HTTP/1.1 200", NULL where it is none of ours; "HTTP/2 200" is libcurl's own */
static const char *find_status(breaker__reply_t *self, const char *line, size_t len)
{
    static const char version1[] = "HTTP/1.", version2[] = "HTTP/2 ";

    if (len > sizeof(version1) + 1 && memcmp(line, version1, sizeof(version1) - 1) == 0 &&
        (line[7] == '0' || line[7] == '1') && line[8] == ' ') {
        self->is_http10 = line[7] == '0';
        return line + 9;
    }
    self->is_http10 = false;
    return self->may_be_http2 && len > sizeof(version2) &&
                   memcmp(line, version2, sizeof(version2) - 1) == 0
               ? line + sizeof(version2) - 1
               : NULL;
}

static bool read_status(const char *at, const char *end, int *ret_status)
{
    int status = 0;

    if (end - at < 3 || (end - at > 3 && at[3] != ' '))
        return false;
    for (size_t i = 0; i != 3; ++i) {
        if (at[i] < '0' || at[i] > '9')
            return false;
        status = status * 10 + (at[i] - '0');
    }
    *ret_status = status;
    return status >= 100;
}

static h2o_iovec_t copy(breaker__reply_t *self, const char *base, size_t len)
{
    return h2o_strdup(self->pool, base, len);
}

static breaker__reply_state_t take_status(breaker__reply_t *self, const char *line, size_t len)
{
    const char *at = find_status(self, line, len), *end = line + len;

    if (at == NULL || !read_status(at, end, &self->status))
        return refuse(self, "a status line that is none of HTTP/1.1");
    at += 3;
    self->reason = end - at > 1 ? copy(self, at + 1, (size_t)(end - at - 1)) : copy(self, "", 0);
    self->is_within = true;
    self->fields.size = 0;
    self->length = SIZE_MAX;
    self->num_lengths = self->num_codings = 0;
    self->is_chunked = self->is_closing = self->is_kept_alive = self->names_fields = false;
    self->upgraded = h2o_iovec_init(NULL, 0);
    return BREAKER__REPLY_MORE;
}

/* ---- fields ---- */

static bool read_length(h2o_iovec_t value, size_t *ret_length)
{
    size_t length = 0;

    /* as many digits as cannot overflow */
    if (value.len == 0 || value.len > sizeof("999999999999999999") - 1)
        return false;
    for (size_t i = 0; i != value.len; ++i) {
        if (value.base[i] < '0' || value.base[i] > '9')
            return false;
        length = length * 10 + (size_t)(value.base[i] - '0');
    }
    *ret_length = length;
    return true;
}

static bool is(h2o_iovec_t name, const char *known, size_t len)
{
    return name.len == len && memcmp(name.base, known, len) == 0;
}

static void note_connection(breaker__reply_t *self, h2o_iovec_t value)
{
    if (h2o_lcstris(value.base, value.len, H2O_STRLIT("keep-alive"))) {
        self->is_kept_alive = true;
        return;
    }
    self->is_closing |= breaker__list_has(value, H2O_STRLIT("close"));
    self->is_kept_alive |= breaker__list_has(value, H2O_STRLIT("keep-alive"));
    self->names_fields = true;
}

static breaker__reply_state_t note(breaker__reply_t *self, const breaker__reply_field_t *field)
{
    if (is(field->name, H2O_STRLIT("content-length"))) {
        if (self->num_lengths++ != 0)
            return refuse(self, "several Content-Length");
        if (!read_length(field->value, &self->length))
            return refuse(self, "a Content-Length that is no length");
    } else if (is(field->name, H2O_STRLIT("transfer-encoding"))) {
        if (self->num_codings++ != 0)
            return refuse(self, "several Transfer-Encoding");
        if (!h2o_lcstris(field->value.base, field->value.len, H2O_STRLIT("chunked")))
            return refuse(self, "a Transfer-Encoding other than chunked");
        self->is_chunked = true;
    } else if (is(field->name, H2O_STRLIT("upgrade"))) {
        self->upgraded = field->value;
    } else if (is(field->name, H2O_STRLIT("connection"))) {
        note_connection(self, field->value);
    }
    return BREAKER__REPLY_MORE;
}

/* false where a character is none of a name; `len` is not 0 */
static bool lower_name(char *dst, const char *name, size_t len)
{
    unsigned char lower, all = 1;

    for (size_t i = 0; i != len; ++i) {
        lower = token_bytes[(unsigned char)name[i]];
        dst[i] = (char)lower;
        all = lower != 0 ? all : 0;
    }
    dst[len] = '\0';
    return all != 0;
}

static void push(breaker__reply_t *self, const breaker__reply_field_t *field)
{
    if (self->fields.size == self->fields.capacity)
        h2o_vector_reserve(self->pool, &self->fields, self->fields.size + FIELDS_AT_ONCE);
    self->fields.entries[self->fields.size++] = *field;
}

static breaker__reply_state_t take_field(breaker__reply_t *self, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);
    size_t name_len = colon != NULL ? (size_t)(colon - line) : 0;
    breaker__reply_field_t field;
    char *own;

    if (is_blank(line[0]))
        return refuse(self, "a folded line");
    if (name_len == 0)
        return refuse(self, "a line without a field name");
    if (self->fields.size == self->max_fields)
        return refuse(self, "more fields than proxy.max-fields");
    /* the line, and its name once more */
    own = h2o_mem_alloc_pool(self->pool, len + 1 + name_len + 1);
    memcpy(own, line, len);
    field.original_name = own;
    field.name = h2o_iovec_init(own + len + 1, name_len);
    field.value = trim(own + name_len + 1, own + len);
    field.value.base[field.value.len] = '\0';
    if (!lower_name(field.name.base, line, name_len))
        return refuse(self, "a field name with a character that is not allowed");
    push(self, &field);
    return note(self, &field);
}

/* ---- the end ---- */

static breaker__reply_state_t end_informational(breaker__reply_t *self)
{
    if (++self->num_informational > INFORMATIONAL_MAX)
        return refuse(self, "more than 16 answers of 1xx");
    return BREAKER__REPLY_INFORMATIONAL;
}

static bool is_change_asked_for(const breaker__reply_t *self)
{
    return self->upgrade.len != 0 && self->upgraded.len != 0 &&
           breaker__list_has(self->upgrade, self->upgraded.base, self->upgraded.len);
}

static breaker__reply_state_t end_head(breaker__reply_t *self)
{
    self->is_within = false;
    if (self->num_codings != 0 && self->num_lengths != 0)
        return refuse(self, "Content-Length and Transfer-Encoding");
    if (self->num_codings != 0 && self->is_http10)
        return refuse(self, "Transfer-Encoding in HTTP/1.0");
    if (self->status == 101) {
        if (!is_change_asked_for(self))
            return refuse(self, "101 for a protocol that was not asked for");
    } else if (self->status < 200) {
        return end_informational(self);
    }
    self->is_complete = true;
    return BREAKER__REPLY_FINAL;
}

static bool has_byte(const char *line, size_t len, char byte)
{
    return memchr(line, byte, len) != NULL;
}

static size_t strip_end(const char *line, size_t len)
{
    if (len != 0 && line[len - 1] == '\n')
        --len;
    if (len != 0 && line[len - 1] == '\r')
        --len;
    return len;
}

breaker__reply_state_t breaker__reply_take(breaker__reply_t *self, const char *line, size_t len)
{
    if (self->refusal != NULL)
        return BREAKER__REPLY_REFUSED;
    if (len > self->max_size - self->size)
        return refuse(self, "a head longer than proxy.max-header-bytes");
    self->size += len;
    if (self->is_complete)
        return BREAKER__REPLY_FINAL;
    len = strip_end(line, len);
    if (has_byte(line, len, '\0') || has_byte(line, len, '\r') || has_byte(line, len, '\n'))
        return refuse(self, "CR, LF or NUL within a line");
    if (!self->is_within)
        return take_status(self, line, len);
    return len == 0 ? end_head(self) : take_field(self, line, len);
}
