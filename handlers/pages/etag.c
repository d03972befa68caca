/*
 * Entity tags of pages. A page changes when the prefixes that stand in it change, though the
 * application's tag does not, so the tag that the client gets carries a mark of the prefixes; on
 * the way back the mark is taken off again, exactly, and the application compares the tag that it
 * made. No state is kept: every node with the same prefixes understands the tags of every other.
 */
#include <assert.h>
#include <string.h>
#include "pages/etag.h"
#include "pages/plan.h"

/* W/"<opaque>;breaker=<s|w><mark>" */
#define MARKER ";breaker="
#define MARKER_LEN (sizeof(MARKER) - 1)

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

    if (!tag->weak || tag->opaque.len < len)
        return NULL;
    marker = tag->opaque.base + tag->opaque.len - len;
    strength = marker + MARKER_LEN;
    if (memcmp(marker, MARKER, MARKER_LEN) != 0 || (*strength != 's' && *strength != 'w'))
        return NULL;
    return marker;
}

static bool marker_is_current(const char *marker, const char *mark)
{
    return memcmp(marker + MARKER_LEN + 1, mark, BREAKER__MARK_LEN) == 0;
}

h2o_iovec_t breaker__etag_mark(h2o_mem_pool_t *pool, h2o_iovec_t etag, const char *mark)
{
    h2o_iovec_t parts[5];
    const char *marker;
    tag_t tag;

    if (!read_whole_tag(etag, &tag))
        return (h2o_iovec_t){NULL, 0};
    if ((marker = find_marker(&tag)) != NULL && marker_is_current(marker, mark))
        return etag;
    parts[0] = h2o_iovec_init(H2O_STRLIT("W/\""));
    parts[1] = tag.opaque;
    parts[2] =
        tag.weak ? h2o_iovec_init(H2O_STRLIT(MARKER "w")) : h2o_iovec_init(H2O_STRLIT(MARKER "s"));
    parts[3] = h2o_iovec_init(mark, BREAKER__MARK_LEN);
    parts[4] = h2o_iovec_init(H2O_STRLIT("\""));
    return h2o_concat_list(pool, parts, 5);
}

/* the tag as the application made it */
static h2o_iovec_t strip(h2o_mem_pool_t *pool, const tag_t *tag, const char *marker)
{
    h2o_iovec_t parts[3];

    parts[0] = marker[MARKER_LEN] == 'w' ? h2o_iovec_init(H2O_STRLIT("W/\""))
                                         : h2o_iovec_init(H2O_STRLIT("\""));
    parts[1] = h2o_iovec_init(tag->opaque.base, (size_t)(marker - tag->opaque.base));
    parts[2] = h2o_iovec_init(H2O_STRLIT("\""));
    return h2o_concat_list(pool, parts, 3);
}

/* What the application sees of one tag; empty when nothing. `text` is the whole of it. */
static h2o_iovec_t restore(h2o_mem_pool_t *pool, h2o_iovec_t text, const tag_t *tag,
                           const char *mark, breaker__etag_drop_t drop,
                           breaker__etag_pairs_t *restored)
{
    const char *marker = find_marker(tag);
    h2o_iovec_t original;

    if (marker == NULL)
        return drop == BREAKER__ETAG_DROP_UNMARKED ? (h2o_iovec_t){NULL, 0} : text;
    if (drop != BREAKER__ETAG_DROP_NONE && !marker_is_current(marker, mark))
        return (h2o_iovec_t){NULL, 0};

    original = strip(pool, tag, marker);
    h2o_vector_reserve(pool, restored, restored->size + 1);
    restored->entries[restored->size++] = (breaker__etag_pair_t){text, original};
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

h2o_iovec_t breaker__etag_restore(h2o_mem_pool_t *pool, h2o_iovec_t value, const char *mark,
                                  breaker__etag_drop_t drop, breaker__etag_pairs_t *restored)
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
               restore(pool, h2o_iovec_init(at, (size_t)(next - at)), &tag, mark, drop, restored));
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
