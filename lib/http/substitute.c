/*
 * Literals in a stream become their replacements, although the stream comes in chunks of any size
 * and ends inside a literal now and then. Text that is decided is handed out where it lies; only an
 * end of a chunk that may still become a literal is copied and held back until more is known.
 *
 * Invariants: what is held is shorter than the longest literal and is the beginning of one, so that
 * the output does not depend on how the input was cut. Text is skipped by what all literals begin
 * with, which for the prefixes of views is a slash at least.
 */
#include <assert.h>
#include <string.h>
#include <breaker/http/substitute.h>

/** A text that is searched: all that is known of the stream from some place on. */
typedef struct st_text_t {
    const char *base, *end;
    /** more may follow, so that the beginning of a literal at the end counts */
    bool open;
} text_t;

/** Where the output goes. */
typedef struct st_sink_t {
    breaker_substitute_cb on_output;
    void *data; /* borrowed */
} sink_t;

static size_t common_len(const breaker_substitution_t *a, const char *b, size_t b_len)
{
    size_t i = 0;

    while (i < a->literal_len && i < b_len && a->literal[i] == b[i])
        ++i;
    return i;
}

void breaker_substitute_init(breaker_substitute_t *stream, const breaker_substitution_t *pairs,
                             size_t num_pairs)
{
    assert(num_pairs <= BREAKER_SUBSTITUTIONS_MAX);
    stream->_pairs = pairs;
    stream->_num_pairs = num_pairs;
    stream->_longest = 0;
    stream->_common_len = num_pairs != 0 ? pairs[0].literal_len : 0;
    stream->_held_len = 0;
    for (size_t i = 0; i < num_pairs; ++i) {
        assert(pairs[i].literal_len != 0);
        assert(pairs[i].literal_len <= BREAKER_SUBSTITUTION_LITERAL_MAX);
        if (pairs[i].literal_len > stream->_longest)
            stream->_longest = pairs[i].literal_len;
        stream->_common_len = common_len(&pairs[i], pairs[0].literal, stream->_common_len);
    }
}

static void put(const sink_t *sink, const char *base, const char *end)
{
    assert(base <= end);
    if (base != end)
        sink->on_output(sink->data, base, (size_t)(end - base));
}

static void put_replacement(const sink_t *sink, const breaker_substitution_t *pair)
{
    if (pair->replacement_len != 0)
        sink->on_output(sink->data, pair->replacement, pair->replacement_len);
}

/**
 * Tells whether `len` bytes of a literal stand at `p`. The first byte in which literals may differ
 * is looked at before all others: it tells most of them apart without a call.
 */
static bool begins(const breaker_substitute_t *stream, const breaker_substitution_t *pair,
                   const char *p, size_t len)
{
    size_t at = stream->_common_len;

    assert(len <= pair->literal_len);
    return (at >= len || pair->literal[at] == p[at]) && memcmp(pair->literal, p, len) == 0;
}

/** Returns the longest literal that stands at `p`, or NULL. */
static const breaker_substitution_t *find_literal(const breaker_substitute_t *stream, const char *p,
                                                  const char *end)
{
    const breaker_substitution_t *found = NULL;
    size_t len = (size_t)(end - p);

    for (size_t i = 0; i < stream->_num_pairs; ++i) {
        const breaker_substitution_t *pair = &stream->_pairs[i];
        if (pair->literal_len <= len && begins(stream, pair, p, pair->literal_len) &&
            (found == NULL || pair->literal_len > found->literal_len))
            found = pair;
    }
    return found;
}

/** Tells whether all the text from `p` on is the beginning of a literal, and not a whole one. */
static bool is_beginning(const breaker_substitute_t *stream, const char *p, const char *end)
{
    size_t len = (size_t)(end - p);

    if (len >= stream->_longest)
        return false;
    for (size_t i = 0; i < stream->_num_pairs; ++i) {
        const breaker_substitution_t *pair = &stream->_pairs[i];
        if (len < pair->literal_len && begins(stream, pair, p, len))
            return true;
    }
    return false;
}

/**
 * Returns the first place from `p` on that begins as all literals do, as far as the text goes, or
 * the end.
 */
static const char *find_candidate(const breaker_substitute_t *stream, const text_t *text,
                                  const char *p)
{
    const char *common = stream->_pairs[0].literal, *found;
    size_t common_len = stream->_common_len;

    if (p == text->end || common_len == 0)
        return p;
    if ((found = memmem(p, (size_t)(text->end - p), common, common_len)) != NULL)
        return found;
    if (!text->open)
        return text->end;
    if ((size_t)(text->end - p) >= common_len)
        p = text->end - (common_len - 1);
    while (p != text->end && memcmp(p, common, (size_t)(text->end - p)) != 0)
        ++p;
    return p;
}

/**
 * Hands out the text up to `limit`, or further when a literal that begins before it goes on after
 * it; but stops where a literal begins that the end of the text cuts off, and says so. Returns how
 * far it came.
 */
static const char *replace(const breaker_substitute_t *stream, const text_t *text,
                           const char *limit, const sink_t *sink, bool *ret_cut)
{
    const char *put_to = text->base, *p = text->base;

    *ret_cut = false;
    while (p < limit) {
        const breaker_substitution_t *pair;
        const char *at = find_candidate(stream, text, p);
        if (at >= limit)
            break;
        if (text->open && is_beginning(stream, at, text->end)) {
            put(sink, put_to, at);
            *ret_cut = true;
            return at;
        }
        p = at + 1;
        if ((pair = find_literal(stream, at, text->end)) != NULL) {
            put(sink, put_to, at);
            put_replacement(sink, pair);
            put_to = p = at + pair->literal_len;
        }
    }
    if (put_to < limit) {
        put(sink, put_to, limit);
        put_to = limit;
    }
    return put_to;
}

static void hold(breaker_substitute_t *stream, const char *base, const char *end)
{
    stream->_held_len = (size_t)(end - base);
    assert(stream->_held_len < stream->_longest);
    memcpy(stream->_held, base, stream->_held_len);
}

/**
 * Decides about the places that are held, with as much of the chunk as the longest literal that
 * begins at the last of them can need. Returns how much of the chunk is dealt with.
 */
static size_t feed_held(breaker_substitute_t *stream, const char *base, size_t len, bool final,
                        const sink_t *sink)
{
    char joint[2 * BREAKER_SUBSTITUTION_LITERAL_MAX];
    size_t held_len = stream->_held_len;
    size_t taken = len < stream->_longest ? len : stream->_longest - 1;
    text_t text = {joint, joint + held_len + taken, !final};
    const char *stop;
    bool cut;

    memcpy(joint, stream->_held, held_len);
    if (taken != 0)
        memcpy(joint + held_len, base, taken);
    stream->_held_len = 0;
    stop = replace(stream, &text, joint + held_len, sink, &cut);
    if (!cut)
        return (size_t)(stop - joint) - held_len;
    assert(taken == len);
    hold(stream, stop, text.end);
    return len;
}

void breaker_substitute_feed(breaker_substitute_t *stream, const char *base, size_t len, bool final,
                             breaker_substitute_cb on_output, void *data)
{
    sink_t sink = {on_output, data};
    size_t from = 0;
    const char *stop;
    bool cut;

    if (stream->_held_len != 0)
        from = feed_held(stream, base, len, final, &sink);
    if (from == len)
        return;
    if (stream->_num_pairs == 0) {
        put(&sink, base, base + len);
        return;
    }
    text_t text = {base + from, base + len, !final};
    stop = replace(stream, &text, text.end, &sink, &cut);
    if (cut)
        hold(stream, stop, text.end);
}
