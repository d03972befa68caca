/*
 * Accept-Encoding against a second reading of RFC 9110 §12.5.3, by a regular expression for each
 * member: what is acceptable, in which order, and that the order of the members changes nothing.
 */
#include <assert.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <breaker/http/encoding.h>
#include "fuzz.h"

/** weight in thousandths of each coding and at last of `*`, or -1 when it is not named */
typedef int weights_t[BREAKER_ENCODINGS + 1];

static const char *const names[BREAKER_ENCODINGS + 1] = {"br", "zstd", "gzip", "identity", "*"};

static const regex_t *member_pattern(void)
{
    static regex_t pattern;
    static bool compiled;

    if (!compiled) {
        int error = regcomp(&pattern,
                            "^[ \t]*([^][ \t;()<>@:\\\"/?={},]+)"
                            "([ \t]*;[ \t]*[qQ]=(0(\\.[0-9]{0,3})?|1(\\.0{0,3})?))?[ \t]*$",
                            REG_EXTENDED);
        assert(error == 0);
        compiled = true;
    }
    return &pattern;
}

/** Reads one NUL-ended member. */
static void read_member(const char *member, weights_t weights)
{
    regmatch_t groups[4];
    int weight = 1000;

    if (regexec(member_pattern(), member, 4, groups, 0) != 0)
        return;
    if (groups[3].rm_so >= 0) {
        double q = strtod(member + groups[3].rm_so, NULL);
        weight = (int)(q * 1000 + 0.5);
    }
    for (int i = 0; i <= BREAKER_ENCODINGS; ++i) {
        const char *name = member + groups[1].rm_so;
        size_t len = (size_t)(groups[1].rm_eo - groups[1].rm_so);
        bool is_alias =
            i == BREAKER_ENCODING_GZIP && len == 6 && strncasecmp(name, "x-gzip", 6) == 0;
        if ((is_alias || (len == strlen(names[i]) && strncasecmp(name, names[i], len) == 0)) &&
            (weights[i] < 0 || weight < weights[i]))
            weights[i] = weight;
    }
}

static void read_value(const char *text, size_t len, weights_t weights)
{
    char member[FUZZ_INPUT_MAX + 1];
    size_t at = 0;

    for (int i = 0; i <= BREAKER_ENCODINGS; ++i)
        weights[i] = -1;
    for (size_t i = 0; i <= len; ++i) {
        if (i != len && text[i] != ',') {
            member[at++] = text[i];
            continue;
        }
        member[at] = '\0';
        if (strlen(member) == at)
            read_member(member, weights);
        at = 0;
    }
}

/** Twice the weight that counts for a coding; 1 for identity that nothing was said of. */
static int effective(const weights_t weights, int coding)
{
    int weight = weights[coding] >= 0 ? weights[coding] : weights[BREAKER_ENCODINGS];

    if (weight >= 0)
        return 2 * weight;
    return coding == BREAKER_ENCODING_IDENTITY ? 1 : 0;
}

static void check(const breaker_acceptable_t *acceptable, const weights_t weights)
{
    bool seen[BREAKER_ENCODINGS] = {false};

    assert(acceptable->num <= BREAKER_ENCODINGS);
    for (size_t i = 0; i != acceptable->num; ++i) {
        int coding = acceptable->encodings[i];
        assert(coding < BREAKER_ENCODINGS && !seen[coding]);
        assert(effective(weights, coding) > 0);
        seen[coding] = true;
        if (i != 0) {
            int before = acceptable->encodings[i - 1];
            int difference = effective(weights, before) - effective(weights, coding);
            assert(difference > 0 || (difference == 0 && before < coding));
        }
    }
    for (int i = 0; i != BREAKER_ENCODINGS; ++i)
        assert(seen[i] == (effective(weights, i) > 0));
}

/** Writes the members in reverse order. */
static void reverse(const char *text, size_t len, char *dst)
{
    size_t end = len;

    for (size_t i = len; i-- != 0;) {
        if (text[i] != ',')
            continue;
        memcpy(dst, text + i + 1, end - i - 1);
        dst += end - i - 1;
        *dst++ = ',';
        end = i;
    }
    if (end != 0)
        memcpy(dst, text, end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    breaker_acceptable_t acceptable, again;
    weights_t weights;
    char *reversed;

    if (size > FUZZ_INPUT_MAX)
        return 0;
    read_value(text, size, weights);
    breaker_encoding_negotiate(text, size, &acceptable);
    check(&acceptable, weights);

    reversed = malloc(size + 1);
    reverse(text, size, reversed);
    breaker_encoding_negotiate(reversed, size, &again);
    assert(again.num == acceptable.num);
    assert(memcmp(again.encodings, acceptable.encodings, acceptable.num) == 0);
    free(reversed);
    return 0;
}
