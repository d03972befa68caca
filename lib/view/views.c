/*
 * A set of views, compiled for matching: a trie over the heads, the texts before the placeholders.
 * A node holds a run of bytes that all heads below it share and then tells them apart by one byte,
 * so a path is compared once, whatever the number of views. Every node knows the longest candidate
 * that ends there or above; the candidates after it follow in the order in which they are asked.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <breaker/error.h>
#include <breaker/view.h>
#include "view/view.h"
#include "words.h"

/* every node but the leaves parts two heads or ends one */
enum { NODES_MAX = 2 * BREAKER_VIEWS_MAX };

/* index + 1 of a node or a candidate; 0 is none */
typedef uint8_t link_t;

typedef struct st_candidate_t {
    const breaker_view_t *view; /* borrowed: outlives the set */
    link_t next;
} candidate_t;

typedef struct st_trie_node_t {
    const char *run; /* borrowed from a view's head */
    size_t run_len;
    /* the first candidate of the heads that end here, or else further up */
    link_t candidate;
    link_t children[256];
} trie_node_t;

struct st_breaker_views_t {
    size_t num_candidates, num_nodes;
    candidate_t candidates[BREAKER_VIEWS_MAX]; /* sorted by head, then as they were given */
    trie_node_t nodes[];                       /* the root is the first */
};

/* ---- compiling ---- */

static int compare_heads(const breaker_view_t *a, const breaker_view_t *b)
{
    size_t common = a->head_len < b->head_len ? a->head_len : b->head_len;
    int order = memcmp(a->head, b->head, common);

    if (order != 0)
        return order;
    return (a->head_len > b->head_len) - (a->head_len < b->head_len);
}

/* stable, so that of two views with one head the earlier one is asked first */
static void sort_views(breaker_views_t *set, const breaker_view_t *const *views, size_t num)
{
    for (size_t i = 0; i != num; ++i) {
        size_t at = i;
        while (at != 0 && compare_heads(views[i], set->candidates[at - 1].view) < 0) {
            set->candidates[at] = set->candidates[at - 1];
            --at;
        }
        set->candidates[at] = (candidate_t){.view = views[i]};
    }
    set->num_candidates = num;
}

/* how far the heads of a sorted range agree after `depth` */
static size_t common_run(const breaker_views_t *set, size_t first, size_t end, size_t depth)
{
    const breaker_view_t *a = set->candidates[first].view, *b = set->candidates[end - 1].view;
    size_t at = depth;

    while (at != a->head_len && at != b->head_len && a->head[at] == b->head[at])
        ++at;
    return at - depth;
}

/* chains the heads that end at `depth`, then what is asked after them; returns where they end */
static size_t chain_candidates(breaker_views_t *set, size_t first, size_t end, size_t depth,
                               link_t *candidate)
{
    link_t behind = *candidate;
    size_t at = first;

    while (at != end && set->candidates[at].view->head_len == depth) {
        ++at;
        set->candidates[at - 1].next = (link_t)(at + 1);
    }
    if (at == first)
        return at;
    set->candidates[at - 1].next = behind;
    *candidate = (link_t)(first + 1);
    return at;
}

/* makes the node of the heads in a sorted range that agree in their first `depth` bytes */
static link_t build_node(breaker_views_t *set, size_t first, size_t end, size_t depth,
                         link_t candidate)
{
    size_t index = set->num_nodes++, child_end;
    trie_node_t *node = set->nodes + index;

    assert(first < end);
    assert(index < NODES_MAX);
    node->run = set->candidates[first].view->head + depth;
    node->run_len = common_run(set, first, end, depth);
    depth += node->run_len;
    node->candidate = candidate;
    first = chain_candidates(set, first, end, depth, &node->candidate);
    for (; first != end; first = child_end) {
        unsigned char byte = (unsigned char)set->candidates[first].view->head[depth];
        child_end = first + 1;
        while (child_end != end &&
               (unsigned char)set->candidates[child_end].view->head[depth] == byte)
            ++child_end;
        node->children[byte] = build_node(set, first, child_end, depth, node->candidate);
    }
    return (link_t)(index + 1);
}

int breaker_views_create(const breaker_view_t *const *views, size_t num_views,
                         breaker_views_t **ret_views)
{
    breaker_views_t *set;

    if (num_views == 0)
        return BREAKER_ERR_RANGE;
    if (num_views > BREAKER_VIEWS_MAX)
        return BREAKER_ERR_TOO_MANY;
    set = calloc(1, sizeof(*set) + 2 * num_views * sizeof(set->nodes[0]));
    if (set == NULL)
        return BREAKER_ERR_NO_MEMORY;
    sort_views(set, views, num_views);
    build_node(set, 0, num_views, 0, 0);
    assert(set->num_nodes <= 2 * num_views);
    *ret_views = set;
    return 0;
}

void breaker_views_free(breaker_views_t *views)
{
    free(views);
}

/* ---- matching ---- */

/* the first candidate for a path: that of the longest head with which the path begins */
static link_t find_candidate(const breaker_views_t *set, const char *path, size_t len)
{
    const trie_node_t *node = set->nodes;
    link_t candidate = 0, child;
    size_t at = 0;

    while (len - at >= node->run_len && breaker__same(path + at, node->run, node->run_len)) {
        candidate = node->candidate;
        at += node->run_len;
        if (at == len || (child = node->children[(unsigned char)path[at]]) == 0)
            break;
        node = set->nodes + child - 1;
    }
    return candidate;
}

/* `segment_end` is the place of the slash after the token's segment */
static bool match_tail(const breaker_view_t *view, const char *path, size_t len, size_t segment_end,
                       breaker_view_match_t *ret_match)
{
    size_t token_end;

    if (segment_end - view->head_len < view->segment_tail_len)
        return false;
    token_end = segment_end - view->segment_tail_len;
    if (len - token_end < view->tail_len ||
        !breaker__same(path + token_end, view->tail, view->tail_len))
        return false;
    *ret_match = (breaker_view_match_t){
        .view = view,
        .token_at = view->head_len,
        .token_len = token_end - view->head_len,
        .asset_at = token_end + view->tail_len,
    };
    return true;
}

bool breaker_views_match(const breaker_views_t *views, const char *path, size_t len,
                         breaker_view_match_t *ret_match)
{
    const char *slash = NULL;
    size_t head_len = 0;

    for (link_t link = find_candidate(views, path, len); link != 0;) {
        const candidate_t *candidate = views->candidates + link - 1;
        /* looked for once for all views with one head; no head is empty */
        if (candidate->view->head_len != head_len) {
            head_len = candidate->view->head_len;
            slash = memchr(path + head_len, '/', len - head_len);
        }
        if (slash != NULL &&
            match_tail(candidate->view, path, len, (size_t)(slash - path), ret_match))
            return true;
        link = candidate->next;
    }
    return false;
}
