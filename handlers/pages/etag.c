/*
 * Entity tags of pages. A page changes when the prefixes that stand in it change, though the
 * application's tag does not, so the tag that the client gets carries a mark of the prefixes; on
 * the way back the mark is taken off again, exactly, and the application compares the tag that it
 * made. What passes untouched where a page may come has a mark of its own, because a tag without
 * any may be that of a page from before the rewriting. No state is kept: every node with the same
 * prefixes understands the tags of every other.
 */
#include <assert.h>
#include <string.h>
#include "pages/etag.h"

/* W/"<opaque>;breaker=<s|w><mark>", or "<opaque>;breaker=p<mark>", strong or weak */
#define MARKER ";breaker="
#define MARKER_LEN (sizeof(MARKER) - 1)

/* what stands before the mark: how strong the tag of a page was, or that it is none */
enum { STRONG = 's', WEAK = 'w', PASSED = 'p' };

/* an entity tag taken apart (RFC 9110 §8.8.3) */
typedef struct st_tag_t {
    bool weak;
    h2o_iovec_t opaque;
} tag_t;

static bool is_opaque_char(char c)
{
    return c == 0x21 || (0x23 <= (unsigned char)c && (unsigned char)c != 0x7f);
}

/* Reads a tag at `at`; returns where it ends, or NULL. */
static char *read_tag(char *at, char *end, tag_t *ret_tag)
{
    bool weak = end - at >= 2 && at[0] == 'W' && at[1] == '/';
    char *first;

    if (weak)
        at += 2;
    if (at == end || *at != '"')
        return NULL;
    first = ++at;
    while (at != end && is_opaque_char(*at))
        ++at;
    if (at == end || *at != '"')
        return NULL;
    *ret_tag = (tag_t){weak, h2o_iovec_init(first, (size_t)(at - first))};
    return at + 1;
}

static bool read_whole_tag(h2o_iovec_t text, tag_t *ret_tag)
{
    char *end = text.base + text.len, *read = read_tag(text.base, end, ret_tag);

    return read != NULL && read == end;
}

/* The marker at the end of a tag of ours, or NULL. */
static const char *find_marker(const tag_t *tag)
{
    const size_t len = MARKER_LEN + 1 + BREAKER__MARK_LEN;
    const char *marker, *strength;

    if (tag->opaque.len < len)
        return NULL;
    marker = tag->opaque.base + tag->opaque.len - len;
    strength = marker + MARKER_LEN;
    if (memcmp(marker, MARKER, MARKER_LEN) != 0)
        return NULL;
    return *strength == PASSED || (tag->weak && (*strength == STRONG || *strength == WEAK)) ? marker
                                                                                            : NULL;
}

static bool is_passed(const char *marker)
{
    return marker[MARKER_LEN] == PASSED;
}

static bool marker_is(const char *marker, const char *mark)
{
    return memcmp(marker + MARKER_LEN + 1, mark, BREAKER__MARK_LEN) == 0;
}

static bool marker_is_current(const char *marker, const breaker__marks_t *marks)
{
    return marker_is(marker, is_passed(marker) ? marks->passed : marks->page);
}

static h2o_iovec_t make_tag(h2o_mem_pool_t *pool, bool weak, h2o_iovec_t opaque, char kind,
                            const char *mark)
{
    h2o_iovec_t parts[6];

    parts[0] = weak ? h2o_iovec_init(H2O_STRLIT("W/\"")) : h2o_iovec_init(H2O_STRLIT("\""));
    parts[1] = opaque;
    parts[2] = h2o_iovec_init(H2O_STRLIT(MARKER));
    parts[3] = h2o_iovec_init(&kind, 1);
    parts[4] = h2o_iovec_init(mark, BREAKER__MARK_LEN);
    parts[5] = h2o_iovec_init(H2O_STRLIT("\""));
    return h2o_concat_list(pool, parts, 6);
}

h2o_iovec_t breaker__etag_mark(h2o_mem_pool_t *pool, h2o_iovec_t etag, const char *mark)
{
    const char *marker;
    tag_t tag;

    if (!read_whole_tag(etag, &tag))
        return (h2o_iovec_t){NULL, 0};
    if ((marker = find_marker(&tag)) != NULL && !is_passed(marker) && marker_is(marker, mark))
        return etag;
    return make_tag(pool, true, tag.opaque, tag.weak ? WEAK : STRONG, mark);
}

h2o_iovec_t breaker__etag_mark_passed(h2o_mem_pool_t *pool, h2o_iovec_t etag, const char *mark)
{
    const char *marker;
    tag_t tag;

    if (!read_whole_tag(etag, &tag))
        return etag;
    if ((marker = find_marker(&tag)) != NULL && is_passed(marker) && marker_is(marker, mark))
        return etag;
    return make_tag(pool, tag.weak, tag.opaque, PASSED, mark);
}

/* the tag as the application made it */
static h2o_iovec_t strip(h2o_mem_pool_t *pool, const tag_t *tag, const char *marker)
{
    bool weak = is_passed(marker) ? tag->weak : marker[MARKER_LEN] == WEAK;
    h2o_iovec_t parts[3];

    parts[0] = weak ? h2o_iovec_init(H2O_STRLIT("W/\"")) : h2o_iovec_init(H2O_STRLIT("\""));
    parts[1] = h2o_iovec_init(tag->opaque.base, (size_t)(marker - tag->opaque.base));
    parts[2] = h2o_iovec_init(H2O_STRLIT("\""));
    return h2o_concat_list(pool, parts, 3);
}

/* What the application sees of one tag; empty when nothing. `text` is the whole of it. */
static h2o_iovec_t restore(h2o_mem_pool_t *pool, h2o_iovec_t text, const tag_t *tag,
                           const breaker__marks_t *marks, breaker__etag_drop_t drop,
                           breaker__etag_pairs_t *restored)
{
    const char *marker = find_marker(tag);
    h2o_iovec_t original;

    if (marker == NULL)
        return drop == BREAKER__ETAG_DROP_UNMARKED ? (h2o_iovec_t){NULL, 0} : text;
    if (drop != BREAKER__ETAG_DROP_NONE && !marker_is_current(marker, marks))
        return (h2o_iovec_t){NULL, 0};

    original = strip(pool, tag, marker);
    h2o_vector_reserve(pool, restored, restored->size + 1);
    restored->entries[restored->size++] =
        (breaker__etag_pair_t){text, original, !is_passed(marker)};
    return original;
}

static void append(h2o_iovec_t *list, h2o_iovec_t member)
{
    if (member.len == 0)
        return;
    if (list->len != 0) {
        memcpy(list->base + list->len, ", ", 2);
        list->len += 2;
    }
    memcpy(list->base + list->len, member.base, member.len);
    list->len += member.len;
}

static char *skip_separators(char *at, char *end)
{
    while (at != end && (*at == ' ' || *at == '\t' || *at == ','))
        ++at;
    return at;
}

h2o_iovec_t breaker__etag_restore(h2o_mem_pool_t *pool, h2o_iovec_t value,
                                  const breaker__marks_t *marks, breaker__etag_drop_t drop,
                                  breaker__etag_pairs_t *restored)
{
    char *at = value.base, *end = value.base + value.len, *next;
    h2o_iovec_t list;
    tag_t tag;

    /* a member only shrinks, a separator (`,` at least) grows by a space */
    list = h2o_iovec_init(h2o_mem_alloc_pool(pool, 2 * value.len + 1), 0);
    while ((at = skip_separators(at, end)) != end) {
        if ((next = read_tag(at, end, &tag)) == NULL) {
            if (drop == BREAKER__ETAG_DROP_NONE)
                append(&list, h2o_iovec_init(at, (size_t)(end - at)));
            break;
        }
        append(&list,
               restore(pool, h2o_iovec_init(at, (size_t)(next - at)), &tag, marks, drop, restored));
        at = next;
    }
    assert(list.len <= 2 * value.len);
    return list;
}

const breaker__etag_pair_t *breaker__etag_find(const breaker__etag_pairs_t *restored,
                                               h2o_iovec_t etag)
{
    tag_t tag, original;

    if (!read_whole_tag(etag, &tag))
        return NULL;
    for (size_t i = 0; i != restored->size; ++i)
        if (read_whole_tag(restored->entries[i].original, &original) &&
            h2o_memis(tag.opaque.base, tag.opaque.len, original.opaque.base, original.opaque.len))
            return restored->entries + i;
    return NULL;
}
