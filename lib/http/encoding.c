/*
 * Negotiation of the content coding: an Accept-Encoding value becomes the server's codings in the
 * client's order. The value comes from anybody, so it is read once, in linear time, whatever its
 * length, and a member that does not follow the grammar is as if it were not there.
 *
 * Invariants: a coding with weight 0 is never acceptable, and the order of the members changes
 * nothing: a coding that is named twice counts with its lowest weight.
 */
#include <assert.h>
#include <string.h>
#include <strings.h>
#include <breaker/http/encoding.h>
#include "http/encoding.h"
#include "http/scan.h"

/** weights of a value, by coding and at last of `*`, in thousandths */
typedef struct st_weights_t {
    int of[BREAKER_ENCODINGS + 1];
} weights_t;

#define ANY BREAKER_ENCODINGS
/** above every weight, so that the lowest of it and a weight is the weight */
#define UNNAMED 1001

static const char *const names[] = {
    [BREAKER_ENCODING_BROTLI] = "br",
    [BREAKER_ENCODING_ZSTD] = "zstd",
    [BREAKER_ENCODING_GZIP] = "gzip",
    [BREAKER_ENCODING_IDENTITY] = "identity",
    [ANY] = "*",
};

static const char *const suffixes[] = {
    [BREAKER_ENCODING_BROTLI] = ".br",
    [BREAKER_ENCODING_ZSTD] = ".zst",
    [BREAKER_ENCODING_GZIP] = ".gz",
    [BREAKER_ENCODING_IDENTITY] = "",
};

const char *breaker_encoding_name(breaker_encoding_t encoding)
{
    assert((unsigned)encoding < BREAKER_ENCODINGS);
    return names[encoding];
}

const char *breaker__encoding_suffix(breaker_encoding_t encoding)
{
    assert((unsigned)encoding < BREAKER_ENCODINGS);
    return suffixes[encoding];
}

static bool is_name(const char *base, size_t len, const char *name)
{
    return len == strlen(name) && strncasecmp(base, name, len) == 0;
}

/** Returns the place in weights_t of a coding, or -1 of one that the server does not make. */
static int find_coding(const char *base, size_t len)
{
    for (int i = 0; i <= ANY; ++i)
        if (is_name(base, len, names[i]))
            return i;
    return is_name(base, len, "x-gzip") ? BREAKER_ENCODING_GZIP : -1;
}

/** Reads a qvalue (RFC 9110 §12.4.2) in thousandths; returns -1 for anything else. */
static int parse_qvalue(const char *p, const char *end)
{
    int weight, unit = 100;

    if (p == end || (*p != '0' && *p != '1'))
        return -1;
    weight = (*p++ - '0') * 1000;
    if (p == end)
        return weight;
    if (*p++ != '.')
        return -1;
    for (; p != end; ++p, unit /= 10) {
        if (!breaker__is_digit(*p) || unit == 0)
            return -1;
        weight += (*p - '0') * unit;
    }
    return weight <= 1000 ? weight : -1;
}

/** Reads what follows the semicolon of a weight, `OWS "q=" qvalue`; -1 for anything else. */
static int parse_weight(const char *p, const char *end)
{
    p = breaker__skip_ows(p, end);
    if (end - p < 2 || (p[0] != 'q' && p[0] != 'Q') || p[1] != '=')
        return -1;
    return parse_qvalue(p + 2, end);
}

/** Reads one member without the white space around it. */
static void read_member(weights_t *weights, const char *p, const char *end)
{
    const char *semicolon, *name_end = end;
    int coding, weight = 1000;

    if (p == end)
        return;
    if ((semicolon = memchr(p, ';', (size_t)(end - p))) != NULL) {
        name_end = breaker__trim_ows(p, semicolon);
        weight = parse_weight(semicolon + 1, end);
    }
    coding = find_coding(p, (size_t)(name_end - p));
    if (coding >= 0 && weight >= 0 && weight < weights->of[coding])
        weights->of[coding] = weight;
}

static void read_value(weights_t *weights, const char *p, const char *end)
{
    while (p != end) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        const char *member_end = comma != NULL ? comma : end;
        p = breaker__skip_ows(p, member_end);
        read_member(weights, p, breaker__trim_ows(p, member_end));
        p = comma != NULL ? comma + 1 : end;
    }
}

/**
 * The rank of a coding: 0 when it is not acceptable, higher when it is liked better. Identity that
 * nobody spoke of is acceptable all the same, below everything that has a weight.
 */
static int rank_of(const weights_t *weights, int coding)
{
    int weight = weights->of[coding];

    if (weight == UNNAMED)
        weight = weights->of[ANY];
    if (weight == UNNAMED)
        return coding == BREAKER_ENCODING_IDENTITY ? 1 : 0;
    return weight == 0 ? 0 : weight + 1;
}

void breaker_encoding_negotiate(const char *base, size_t len, breaker_acceptable_t *ret_acceptable)
{
    breaker_acceptable_t acceptable = {0};
    int ranks[BREAKER_ENCODINGS];
    weights_t weights;

    for (int i = 0; i <= ANY; ++i)
        weights.of[i] = UNNAMED;
    if (base != NULL)
        read_value(&weights, base, base + len);

    for (int i = 0; i < BREAKER_ENCODINGS; ++i) {
        int rank = rank_of(&weights, i);
        size_t at = acceptable.num;
        if (rank == 0)
            continue;
        for (; at > 0 && ranks[at - 1] < rank; --at) {
            ranks[at] = ranks[at - 1];
            acceptable.encodings[at] = acceptable.encodings[at - 1];
        }
        ranks[at] = rank;
        acceptable.encodings[at] = (uint8_t)i;
        ++acceptable.num;
    }
    assert(acceptable.num <= BREAKER_ENCODINGS);
    *ret_acceptable = acceptable;
}
