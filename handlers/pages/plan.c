/*
 * A snapshot as pages see it: which literal becomes which prefix, which request headers tell the
 * application about it, and the mark that goes into entity tags. Everything is prepared once, so
 * that a request costs a few copied pointers; everything it points to lives in the plan.
 */
#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "pages/plan.h"
#include "pages/spelling.h"

#define PREFIX_HEADER "X-Breaker-Prefix"

enum { NODE_HEADERS_MAX = 3 };

/* ---- the names of headers ---- */

/* "X-Breaker-Prefix" with "-Run" for each run of letters and digits in [at, end) */
static char *append_runs(char *dst, const char *at, const char *end)
{
    bool in_run = false;

    for (; at != end; ++at) {
        bool is_part = isalnum((unsigned char)*at);
        if (is_part && !in_run) {
            *dst++ = '-';
            *dst++ = (char)toupper((unsigned char)*at);
        } else if (is_part) {
            *dst++ = *at;
        }
        in_run = is_part;
    }
    return dst;
}

static size_t base_name(const breaker_view_t *view, char *dst)
{
    const char *name = breaker_view_name(view), *placeholder = strstr(name, BREAKER_PLACEHOLDER);
    char *end = dst;

    assert(placeholder != NULL);
    memcpy(end, PREFIX_HEADER, sizeof(PREFIX_HEADER) - 1);
    end += sizeof(PREFIX_HEADER) - 1;
    end = append_runs(end, name, placeholder);
    end = append_runs(end, placeholder + sizeof(BREAKER_PLACEHOLDER) - 1, name + strlen(name));
    return (size_t)(end - dst);
}

static bool name_is_taken(const breaker__plan_t *plan, const char *name, size_t len)
{
    for (size_t i = 0; i != plan->num_headers; ++i)
        if (plan->headers[i].name->len == len &&
            strncasecmp(plan->headers[i].name->base, name, len) == 0)
            return true;
    return false;
}

static void add_header(breaker__plan_t *plan, const char *name, size_t len, const char *value,
                       size_t value_len)
{
    h2o_header_t *header = plan->headers + plan->num_headers++;
    h2o_iovec_t *lower = h2o_mem_alloc_pool(&plan->pool, sizeof(*lower));

    /* h2o compares names in lower case and sends them as they were spelled */
    *lower = h2o_strdup(&plan->pool, name, len);
    h2o_strtolower(lower->base, lower->len);
    header->name = lower;
    header->orig_name = h2o_strdup(&plan->pool, name, len).base;
    header->value = h2o_strdup(&plan->pool, value, value_len);
}

/* One header for each view, numbered where two views would share a name. */
static void add_view_header(breaker__plan_t *plan, const breaker_view_t *view, const char *prefix,
                            size_t prefix_len)
{
    char name[sizeof(PREFIX_HEADER) + 2 * BREAKER_VIEW_NAME_MAX + 32];
    size_t base_len = base_name(view, name), len = base_len;

    for (unsigned number = 2; name_is_taken(plan, name, len); ++number)
        len = base_len + (size_t)snprintf(name + base_len, sizeof(name) - base_len, "-%u", number);
    add_header(plan, name, len, prefix, prefix_len);
}

static size_t count_views(breaker_node_t *const *nodes, size_t num_nodes)
{
    size_t num = 0;

    for (size_t i = 0; i != num_nodes; ++i)
        num += breaker_node_num_views(nodes[i]);
    return num;
}

static bool have_one_name(const breaker_view_t *a, const breaker_view_t *b)
{
    return strcmp(breaker_view_name(a), breaker_view_name(b)) == 0;
}

/* whether a view before it has its name: of another host then, and known to pages as that one */
static bool is_second(const breaker_node_t *node, size_t at)
{
    for (size_t i = 0; i != at; ++i)
        if (have_one_name(breaker_node_view(node, i), breaker_node_view(node, at)))
            return true;
    return false;
}

/* only their names count: what they say is the business of the other nodes' plans */
static void add_views_of(breaker__plan_t *plan, const breaker_node_t *node)
{
    for (size_t i = 0; i != breaker_node_num_views(node); ++i)
        if (!is_second(node, i))
            add_view_header(plan, breaker_node_view(node, i), "", 0);
}

/* what the path's first node says of itself */
static void add_node_headers(breaker__plan_t *plan)
{
    const breaker_snapshot_view_t *view = plan->views[0];
    const breaker_release_t *release = plan->snapshot->release;
    const breaker_release_id_t *id = release != NULL ? breaker_release_id(release) : NULL;

    add_header(plan, H2O_STRLIT("X-Breaker-Token"), view->token.text, view->token.len);
    add_header(plan, H2O_STRLIT(PREFIX_HEADER), view->prefix, view->prefix_len);
    if (id != NULL && breaker_release_id_label_len(id) != 0)
        add_header(plan, H2O_STRLIT("X-Breaker-Release-Label"), id->text,
                   breaker_release_id_label_len(id));
    assert(plan->num_headers <= NODE_HEADERS_MAX);
}

static void add_headers(breaker__plan_t *plan, breaker_node_t *const *earlier, size_t num_earlier)
{
    size_t num_others = count_views(earlier, num_earlier), num_not_ours;

    plan->headers = h2o_mem_alloc_pool(
        &plan->pool, (num_others + plan->num_views + NODE_HEADERS_MAX) * sizeof(plan->headers[0]));
    add_node_headers(plan);
    for (size_t i = 0; i != num_earlier; ++i)
        add_views_of(plan, earlier[i]);
    num_not_ours = num_others != 0 ? plan->num_headers : 0;
    for (size_t i = 0; i != plan->num_views; ++i)
        add_view_header(plan, plan->views[i]->view, plan->views[i]->prefix,
                        plan->views[i]->prefix_len);
    plan->headers += num_not_ours;
    plan->num_headers -= num_not_ours;
}

/* ---- substitution and its mark ---- */

static uint64_t hash_text(uint64_t hash, const char *base, size_t len)
{
    for (size_t i = 0; i != len; ++i)
        hash = (hash ^ (unsigned char)base[i]) * UINT64_C(0x100000001b3);
    /* a byte that no literal and no prefix has, so that texts cannot run into each other */
    return (hash ^ 0xff) * UINT64_C(0x100000001b3);
}

static void put_mark(char *mark, uint64_t hash)
{
    char text[BREAKER__MARK_LEN + 1];

    snprintf(text, sizeof(text), "%016" PRIx64, hash);
    memcpy(mark, text, BREAKER__MARK_LEN);
}

/* FNV-1a: nobody gains by two sets of prefixes with one mark, and it is the same on every node */
static uint64_t hash_pairs(const breaker__plan_t *plan, const breaker__prefixes_t *prefixes,
                           bool with_replacements)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ plan->settings_hash;

    for (size_t i = 0; i != prefixes->num_pairs; ++i) {
        const breaker_substitution_t *pair = prefixes->pairs + i;
        hash = hash_text(hash, pair->literal, pair->literal_len);
        if (with_replacements)
            hash = hash_text(hash, pair->replacement, pair->replacement_len);
    }
    return hash;
}

static size_t spell(breaker__plan_t *plan, const char *prefix, size_t len, unsigned spelling,
                    const char **ret_text)
{
    char text[BREAKER_SUBSTITUTION_LITERAL_MAX];
    h2o_iovec_t copy = h2o_strdup(&plan->pool, text, breaker__spell(text, prefix, len, spelling));

    *ret_text = copy.base;
    return copy.len;
}

/* a view's prefix under a token, in all spellings */
static void add_pairs(breaker__plan_t *plan, breaker__prefixes_t *dst, const breaker_view_t *view,
                      const breaker_token_t *token)
{
    char literal[BREAKER_VIEW_PREFIX_MAX], prefix[BREAKER_VIEW_PREFIX_MAX];
    size_t len =
        breaker_view_prefix(view, BREAKER_PLACEHOLDER, sizeof(BREAKER_PLACEHOLDER) - 1, literal);
    size_t prefix_len = breaker_view_prefix(view, token->text, token->len, prefix);

    for (unsigned i = 0; i != BREAKER__SPELLINGS; ++i) {
        breaker_substitution_t *pair = dst->pairs + dst->num_pairs++;
        pair->literal_len = spell(plan, literal, len, i, &pair->literal);
        pair->replacement_len = spell(plan, prefix, prefix_len, i, &pair->replacement);
    }
}

/* under one token for all views, or for NULL each under its own */
static void fill_prefixes(breaker__plan_t *plan, const breaker_token_t *token,
                          breaker__prefixes_t *dst)
{
    size_t num = plan->num_views;

    dst->pairs = h2o_mem_alloc_pool(&plan->pool, num * BREAKER__SPELLINGS * sizeof(dst->pairs[0]));
    dst->num_pairs = 0;
    for (size_t i = 0; i != num; ++i)
        add_pairs(plan, dst, plan->views[i]->view, token != NULL ? token : &plan->views[i]->token);
    put_mark(dst->mark, hash_pairs(plan, dst, true));
}

/* ---- other releases ---- */

static bool is_named(const breaker_release_id_t *id, h2o_iovec_t name)
{
    return h2o_memis(name.base, name.len, id->text, id->len) ||
           h2o_memis(name.base, name.len, id->text, breaker_release_id_label_len(id));
}

const breaker__prefixes_t *breaker__plan_prefixes(breaker__plan_t *plan, h2o_iovec_t release)
{
    const breaker_ledger_t *ledger = &plan->snapshot->ledger;
    const breaker_release_t *own = plan->snapshot->release;

    if (own != NULL && is_named(breaker_release_id(own), release))
        return &plan->own;
    for (size_t at = breaker_ledger_size(ledger); at-- != 0;) {
        const breaker_ledger_entry_t *entry = breaker_ledger_at(ledger, at);
        if (!is_named(&entry->release, release))
            continue;
        if (plan->others[at] == NULL) {
            breaker__prefixes_t *made = h2o_mem_alloc_pool(&plan->pool, sizeof(*made));
            fill_prefixes(plan, &entry->token, made);
            plan->others[at] = made;
        }
        return plan->others[at];
    }
    return NULL;
}

/* ---- the views ---- */

static bool is_known(const breaker__plan_t *plan, const breaker_view_t *view)
{
    for (size_t i = 0; i != plan->num_views; ++i)
        if (have_one_name(plan->views[i]->view, view))
            return true;
    return false;
}

/* whether all views of its name have one prefix */
static bool is_certain(const breaker_snapshot_t *snapshot, const breaker_snapshot_view_t *view)
{
    for (size_t i = 0; i != snapshot->num_views; ++i)
        if (have_one_name(snapshot->views[i].view, view->view) &&
            !breaker_token_equal(&snapshot->views[i].token, &view->token))
            return false;
    return true;
}

/* those of the page's host, then, for assets that another host has, those of the others */
static void list_views(breaker__plan_t *plan, uint64_t of_host)
{
    const breaker_snapshot_t *snapshot = plan->snapshot;

    for (size_t i = 0; i != snapshot->num_views; ++i)
        if ((of_host >> i & 1) != 0)
            plan->views[plan->num_views++] = snapshot->views + i;
    for (size_t i = 0; i != snapshot->num_views; ++i)
        if (!is_known(plan, snapshot->views[i].view) && is_certain(snapshot, snapshot->views + i))
            plan->views[plan->num_views++] = snapshot->views + i;
    assert(plan->num_views <= snapshot->num_views);
}

/* ---- the plan ---- */

static void on_dispose(void *_plan)
{
    breaker__plan_t *plan = _plan;

    h2o_mem_clear_pool(&plan->pool);
    breaker_snapshot_unref(plan->snapshot);
}

breaker__plan_t *breaker__plan_create(breaker_snapshot_t *snapshot, uint64_t of_host,
                                      breaker_node_t *const *earlier, size_t num_earlier,
                                      uint64_t settings_hash)
{
    breaker__plan_t *plan;

    assert(snapshot->num_views <= BREAKER_VIEWS_MAX);
    plan = h2o_mem_alloc_shared(NULL, sizeof(*plan), on_dispose);
    memset(plan, 0, sizeof(*plan));
    h2o_mem_init_pool(&plan->pool);
    plan->snapshot = breaker_snapshot_ref(snapshot);
    list_views(plan, of_host);
    if (plan->num_views == 0) {
        h2o_mem_release_shared(plan);
        return NULL;
    }
    add_headers(plan, earlier, num_earlier);
    plan->settings_hash = settings_hash;
    fill_prefixes(plan, NULL, &plan->own);
    memcpy(plan->marks.page, plan->own.mark, BREAKER__MARK_LEN);
    put_mark(plan->marks.passed, hash_pairs(plan, &plan->own, false));
    return plan;
}
