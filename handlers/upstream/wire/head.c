/*
 * Measured, then copied: a head is one allocation of its pool, and no format is read.
 *
 * Invariant: what is written is as long as what was measured.
 */
#include <assert.h>
#include <string.h>
#include "upstream/wire/head.h"

static const char version[] = " HTTP/1.1\r\n",
                  length_name[] = "content-length: ", chunked[] = "transfer-encoding: chunked\r\n";

/* digits of a length, as text */
typedef struct st_digits_t {
    char bytes[sizeof("18446744073709551615")];
    size_t from;
} digits_t;

static digits_t digits_of(size_t number)
{
    digits_t digits = {.from = sizeof(digits.bytes)};

    do
        digits.bytes[--digits.from] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    return digits;
}

static char *put(char *dst, const char *bytes, size_t len)
{
    memcpy(dst, bytes, len);
    return dst + len;
}

static char *put_text(char *dst, h2o_iovec_t text)
{
    return text.len != 0 ? put(dst, text.base, text.len) : dst;
}

static size_t measure(const breaker__outgoing_t *outgoing)
{
    size_t len = outgoing->proxy_header.len + outgoing->method.len + 1 + outgoing->target.len +
                 sizeof(version) - 1 + sizeof(length_name) - 1 + sizeof(digits_t) + 2 + 2;

    for (size_t i = 0; i != outgoing->fields.size; ++i)
        len += outgoing->fields.entries[i].name.len + outgoing->fields.entries[i].value.len + 4;
    return len;
}

static char *put_framing(char *dst, size_t body_len)
{
    digits_t digits = digits_of(body_len);

    if (body_len == SIZE_MAX)
        return put(dst, chunked, sizeof(chunked) - 1);
    dst = put(dst, length_name, sizeof(length_name) - 1);
    dst = put(dst, digits.bytes + digits.from, sizeof(digits.bytes) - digits.from);
    return put(dst, "\r\n", 2);
}

h2o_iovec_t breaker__head_write(h2o_mem_pool_t *pool, const breaker__outgoing_t *outgoing)
{
    size_t room = measure(outgoing);
    char *head = h2o_mem_alloc_pool(pool, room), *dst = head;

    dst = put_text(dst, outgoing->proxy_header);
    dst = put_text(dst, outgoing->method);
    *dst++ = ' ';
    dst = put_text(dst, outgoing->target);
    dst = put(dst, version, sizeof(version) - 1);
    for (size_t i = 0; i != outgoing->fields.size; ++i) {
        const breaker__outgoing_field_t *field = outgoing->fields.entries + i;
        dst = put_text(dst, field->name);
        dst = put(dst, ": ", 2);
        dst = put_text(dst, field->value);
        dst = put(dst, "\r\n", 2);
    }
    if (outgoing->has_body)
        dst = put_framing(dst, outgoing->body_len);
    dst = put(dst, "\r\n", 2);
    assert((size_t)(dst - head) <= room);
    return h2o_iovec_init(head, (size_t)(dst - head));
}
