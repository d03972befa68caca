/*
 * libh2o takes the last Transfer-Encoding, or the first Content-Length, and says nothing of others;
 * it takes chunks in HTTP/1.0, and passes folded lines by. Whoever stands in front of us may have
 * read such a request otherwise, and what follows it on the connection is then somebody else's.
 */
#include <assert.h>
#include <string.h>
#include <strings.h>
#include "http/framing.h"

static bool is(const struct phr_header *header, const char *name, size_t len)
{
    return header->name_len == len && strncasecmp(header->name, name, len) == 0;
}

static bool is_length(const struct phr_header *header)
{
    return is(header, "content-length", sizeof("content-length") - 1);
}

static bool is_coding(const struct phr_header *header)
{
    return is(header, "transfer-encoding", sizeof("transfer-encoding") - 1);
}

static bool is_expectation(const struct phr_header *header)
{
    return is(header, "expect", sizeof("expect") - 1);
}

/* " Transfer-Encoding: chunked": the rest of the line before to us, to others a field */
static bool is_field_of_body(const struct phr_header *folded)
{
    const char *at = folded->value, *end = at + folded->value_len, *colon;
    struct phr_header field = {NULL};

    assert(folded->name == NULL);
    while (at != end && (*at == ' ' || *at == '\t'))
        ++at;
    if ((colon = memchr(at, ':', (size_t)(end - at))) == NULL)
        return false;
    while (colon != at && (colon[-1] == ' ' || colon[-1] == '\t'))
        --colon;
    field.name = at;
    field.name_len = (size_t)(colon - at);
    return is_length(&field) || is_coding(&field);
}

static uint64_t read_length(const char *base, size_t len)
{
    uint64_t length = 0;

    /* beyond every limit; and what is none, which libh2o refuses as well */
    if (len == 0 || len > sizeof("999999999999999999") - 1)
        return UINT64_MAX;
    for (size_t i = 0; i != len; ++i) {
        if (base[i] < '0' || base[i] > '9')
            return UINT64_MAX;
        length = length * 10 + (uint64_t)(base[i] - '0');
    }
    return length;
}

breaker__framing_t breaker__framing_read(const struct phr_header *headers, size_t num,
                                         int minor_version)
{
    breaker__framing_t framing = {false};
    size_t num_lengths = 0, num_codings = 0;
    bool is_ours = false;

    for (size_t i = 0; i != num; ++i) {
        /* the rest of the line before */
        if (headers[i].name == NULL) {
            framing.is_ambiguous |= is_ours || is_field_of_body(headers + i);
            continue;
        }
        is_ours = true;
        if (is_length(headers + i)) {
            ++num_lengths;
            framing.length = read_length(headers[i].value, headers[i].value_len);
        } else if (is_coding(headers + i)) {
            ++num_codings;
        } else {
            is_ours = false;
            framing.expects |= is_expectation(headers + i);
        }
    }
    framing.is_chunked = num_codings != 0;
    framing.has_body = framing.is_chunked || framing.length != 0;
    framing.is_ambiguous |=
        num_lengths + num_codings > 1 || (minor_version == 0 && framing.is_chunked);
    return framing;
}

void breaker__framing_hide(struct phr_header *headers, size_t *num, char *name)
{
    size_t left = 0;

    for (size_t i = 0; i != *num; ++i)
        if (headers[i].name == NULL ||
            !(is_length(headers + i) || is_coding(headers + i) || is_expectation(headers + i)))
            headers[left++] = headers[i];
    /* the place of the field that said that there is a body */
    assert(left != *num);
    headers[left++] = (struct phr_header){name, sizeof("connection") - 1, "close", 5};
    *num = left;
}
