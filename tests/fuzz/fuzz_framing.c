/*
 * How the body of a request is framed. There are servers that put a folded line to the one before,
 * those that take it for a field and those that pass it by; that count the first length, or the
 * last; to whom chunks go before a length, or after it, or are nothing in HTTP/1.0. What is not
 * called ambiguous is the same body to all of them. An input is the head of a request.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include "fuzz.h"
#include "http/framing.h"

enum { FIELDS_MAX = 100, VALUE_MAX = 256 };

/* who reads */
typedef enum en_reader_t {
    UNFOLDS = 1,
    TAKES_FOLDED = 2,
    TAKES_LAST = 4,
    PREFERS_LENGTH = 8,
    KNOWS_VERSION = 16,
    NUM_READERS = 32,
} reader_t;

/* a body: "chunked", the text of its length, or "" */
typedef struct st_body_t {
    char text[VALUE_MAX];
} body_t;

static fuzz_text_t trimmed(fuzz_text_t text)
{
    for (; text.len != 0 && (text.base[0] == ' ' || text.base[0] == '\t'); ++text.base)
        --text.len;
    while (text.len != 0 && (text.base[text.len - 1] == ' ' || text.base[text.len - 1] == '\t'))
        --text.len;
    return text;
}

static bool is(fuzz_text_t text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.base, word, text.len) == 0;
}

static void append(body_t *body, const char *before, fuzz_text_t text)
{
    size_t len = strlen(body->text);

    snprintf(body->text + len, sizeof(body->text) - len, "%s%.*s", before, (int)text.len,
             text.base);
}

static void take_field(fuzz_text_t name, fuzz_text_t value, reader_t reader, body_t *length,
                       body_t *coding)
{
    body_t *body = is(name, "content-length")      ? length
                   : is(name, "transfer-encoding") ? coding
                                                   : NULL;

    if (body == NULL || (body->text[0] != '\0' && (reader & TAKES_LAST) == 0))
        return;
    *body = (body_t){"="};
    append(body, "", trimmed(value));
}

static body_t read_as(const struct phr_header *headers, size_t num, int minor_version,
                      reader_t reader)
{
    body_t length = {""}, coding = {""}, *last = NULL;

    for (size_t i = 0; i != num; ++i) {
        fuzz_text_t name = {headers[i].name, headers[i].name_len};
        fuzz_text_t value = {headers[i].value, headers[i].value_len};
        if (headers[i].name != NULL) {
            take_field(name, value, reader, &length, &coding);
            last = is(name, "content-length")      ? &length
                   : is(name, "transfer-encoding") ? &coding
                                                   : NULL;
        } else if ((reader & UNFOLDS) != 0) {
            if (last != NULL)
                append(last, " ", trimmed(value));
        } else if ((reader & TAKES_FOLDED) != 0) {
            const char *colon = value.len != 0 ? memchr(value.base, ':', value.len) : NULL;
            if (colon == NULL)
                continue;
            name = trimmed((fuzz_text_t){value.base, (size_t)(colon - value.base)});
            value = (fuzz_text_t){colon + 1, value.len - (size_t)(colon + 1 - value.base)};
            take_field(name, value, reader, &length, &coding);
        }
    }
    if ((reader & KNOWS_VERSION) != 0 && minor_version == 0)
        coding = (body_t){""};
    if (coding.text[0] == '\0' || (length.text[0] != '\0' && (reader & PREFERS_LENGTH) != 0))
        return length;
    return coding;
}

static bool is_length(const char *text)
{
    return text[0] == '=' && text[1] != '\0' && strlen(text) <= 19 &&
           strspn(text + 1, "0123456789") == strlen(text) - 1;
}

/* a length with a blank after it is none, to us and to libh2o */
static void check_body(const breaker__framing_t *framing, const body_t *body)
{
    const char *text = body->text;

    assert(framing->has_body == (framing->is_chunked || framing->length != 0));
    if (framing->is_chunked || framing->length == UINT64_MAX)
        return;
    assert(text[0] == '\0' || is_length(text));
    assert(framing->length == (text[0] == '\0' ? 0 : strtoull(text + 1, NULL, 10)));
}

static void check_hidden(struct phr_header *headers, size_t num)
{
    static const char *const hidden[] = {"content-length", "transfer-encoding", "expect"};
    struct phr_header before[FIELDS_MAX];
    char name[] = "connection";
    size_t left = num, at = 0;

    memcpy(before, headers, sizeof(before));
    breaker__framing_hide(headers, &left, name);
    assert(left != 0 && left <= num && headers[left - 1].name == name);
    assert(headers[left - 1].value_len == 5 && memcmp(headers[left - 1].value, "close", 5) == 0);
    for (size_t i = 0; i != num; ++i) {
        fuzz_text_t text = {before[i].name, before[i].name_len};
        if (text.base != NULL &&
            (is(text, hidden[0]) || is(text, hidden[1]) || is(text, hidden[2])))
            continue;
        assert(at != left - 1 && memcmp(&before[i], &headers[at], sizeof(before[i])) == 0);
        ++at;
    }
    assert(at == left - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct phr_header headers[FIELDS_MAX];
    size_t num = FIELDS_MAX, method_len, path_len;
    const char *method, *path;
    int minor_version, taken;
    breaker__framing_t framing;
    body_t body, other;

    if (size > FUZZ_INPUT_MAX)
        return 0;
    memset(headers, 0, sizeof(headers));
    taken = phr_parse_request((const char *)data, size, &method, &method_len, &path, &path_len,
                              &minor_version, headers, &num, 0);
    if (taken <= 0)
        return 0;
    framing = breaker__framing_read(headers, num, minor_version);
    body = read_as(headers, num, minor_version, 0);
    if (!framing.is_ambiguous)
        check_body(&framing, &body);
    for (unsigned reader = 1; !framing.is_ambiguous && reader != NUM_READERS; ++reader) {
        other = read_as(headers, num, minor_version, (reader_t)reader);
        assert(strcmp(body.text, other.text) == 0);
    }
    if (framing.has_body)
        check_hidden(headers, num);
    return 0;
}
