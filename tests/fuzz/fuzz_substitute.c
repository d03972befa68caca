/*
 * Replacement in a stream against the definition over the whole text. An input has a line with a
 * number that says how the text is cut, lines "literal=replacement" up to an empty one, and the
 * text.
 */
#include <assert.h>
#include <stdlib.h>
#include <breaker/http/substitute.h>
#include "fuzz.h"

typedef struct st_output_t {
    size_t len, size;
    char *text; /* owned */
} output_t;

static void on_output(void *data, const char *base, size_t len)
{
    output_t *output = data;

    assert(len != 0 && len <= output->size - output->len);
    memcpy(output->text + output->len, base, len);
    output->len += len;
}

static const breaker_substitution_t *find_literal(const breaker_substitution_t *pairs, size_t num,
                                                  const char *p, size_t len)
{
    const breaker_substitution_t *best = NULL;

    for (size_t i = 0; i != num; ++i)
        if (pairs[i].literal_len <= len && memcmp(p, pairs[i].literal, pairs[i].literal_len) == 0 &&
            (best == NULL || pairs[i].literal_len > best->literal_len))
            best = &pairs[i];
    return best;
}

static void replace_whole(const breaker_substitution_t *pairs, size_t num, fuzz_text_t text,
                          output_t *output)
{
    for (size_t at = 0; at != text.len;) {
        const breaker_substitution_t *pair =
            find_literal(pairs, num, text.base + at, text.len - at);
        if (pair == NULL)
            on_output(output, text.base + at, 1);
        else if (pair->replacement_len != 0)
            on_output(output, pair->replacement, pair->replacement_len);
        at += pair != NULL ? pair->literal_len : 1;
    }
}

/** Feeds chunks of 0 to 15 bytes, or of all there is; each is freed before the next. */
static void replace_chunks(const breaker_substitution_t *pairs, size_t num, fuzz_text_t text,
                           uint64_t cuts, output_t *output)
{
    breaker_substitute_t stream;

    breaker_substitute_init(&stream, pairs, num);
    while (text.len != 0) {
        size_t len = cuts == 0 ? text.len : (size_t)(cuts >> 32) % 16;
        char *chunk;
        if (len > text.len)
            len = text.len;
        chunk = malloc(len != 0 ? len : 1);
        memcpy(chunk, text.base, len);
        breaker_substitute_feed(&stream, chunk, len, false, on_output, output);
        free(chunk);
        text.base += len;
        text.len -= len;
        cuts = cuts * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    }
    breaker_substitute_feed(&stream, NULL, 0, true, on_output, output);
}

static size_t take_pairs(fuzz_text_t *text, breaker_substitution_t *pairs)
{
    fuzz_text_t line;
    size_t num = 0;

    while (fuzz_take_line(text, &line) && line.len != 0) {
        const char *equals = memchr(line.base, '=', line.len);
        size_t literal_len = equals != NULL ? (size_t)(equals - line.base) : line.len;
        if (literal_len == 0 || literal_len > BREAKER_VIEW_PREFIX_MAX || num == BREAKER_VIEWS_MAX)
            continue;
        pairs[num].literal = line.base;
        pairs[num].literal_len = literal_len;
        pairs[num].replacement = equals != NULL ? equals + 1 : line.base;
        pairs[num].replacement_len = equals != NULL ? line.len - literal_len - 1 : 0;
        ++num;
    }
    return num;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_text_t text = {(const char *)data, size};
    uint64_t cuts = fuzz_take_number(&text);
    breaker_substitution_t pairs[BREAKER_VIEWS_MAX];
    size_t num = take_pairs(&text, pairs);
    /* a literal has a byte at least, a replacement less than the whole input */
    output_t expected = {.size = size * (text.len + 1) + 1}, got = {.size = expected.size};

    if (size > FUZZ_INPUT_MAX)
        return 0;
    expected.text = malloc(expected.size);
    got.text = malloc(got.size);
    assert(expected.text != NULL && got.text != NULL);
    replace_whole(pairs, num, text, &expected);
    replace_chunks(pairs, num, text, cuts, &got);
    assert(got.len == expected.len && memcmp(got.text, expected.text, got.len) == 0);

    got.len = 0;
    replace_chunks(pairs, num, text, 0, &got);
    assert(got.len == expected.len && memcmp(got.text, expected.text, got.len) == 0);
    free(expected.text);
    free(got.text);
    return 0;
}
