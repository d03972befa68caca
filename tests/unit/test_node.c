/*
 * A node from its configuration to its first answers, with real trees, and the rules that every
 * version of this project has had: match, older, newer, missing, override, a year of max-age.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <breaker/classify.h>
#include <breaker/error.h>
#include <breaker/node.h>
#include <breaker/url.h>
#include "node/node.h"
#include "token/token.h"
#include "tree.h"
#include "view/view.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MINTED "1718539201234"

static const uint64_t minted_ms = 1718539201234;

static breaker_node_t *make_node(const breaker_release_hooks_t *hooks)
{
    breaker_node_config_t config = {.now_ms = minted_ms};
    breaker_node_t *node;

    if (hooks != NULL)
        config.hooks = *hooks;
    assert_int_equal(breaker_node_create(&config, &node), 0);
    return node;
}

static int add_view(breaker_node_t *node, const char *name, const char *directory)
{
    breaker_view_config_t config;
    const breaker_view_t *view = NULL;
    int err;

    breaker_view_config_init(&config);
    config.name = name;
    config.directory = directory;
    err = breaker_node_add_view(node, &config, &view);
    assert_true((err == 0) == (view != NULL));
    return err;
}

static void load(breaker_node_t *node)
{
    breaker_error_t error;

    if (breaker_node_load(node, &error) != 0)
        fail_msg("%s", error.message);
}

/* ---- what it has always done ---- */

static breaker_verdict_kind_t verdict_of(breaker_node_t *node, const char *path)
{
    const breaker_view_t *views[BREAKER_VIEWS_MAX];
    size_t num_views = breaker_node_num_views(node);
    breaker_snapshot_t *held = NULL;
    breaker_views_t *set;
    breaker_verdict_kind_t kind;

    for (size_t i = 0; i != num_views; ++i)
        views[i] = breaker_node_view(node, i);
    assert_int_equal(breaker_views_create(views, num_views, &set), 0);
    assert_true(breaker_publisher_refresh(breaker_node_publisher(node), &held));
    kind = breaker_classify(held, set, path, strlen(path), true).kind;
    breaker_snapshot_unref(held);
    breaker_views_free(set);
    return kind;
}

static void the_plain_rules_hold(void **state)
{
    static const struct {
        const char *path;
        breaker_verdict_kind_t kind;
    } cases[] = {
        {"/static/" MINTED "/css/site.css", BREAKER_VERDICT_SERVE},
        {"/static/1718539201233/css/site.css", BREAKER_VERDICT_REDIRECT},
        {"/static/000000000001/css/site.css", BREAKER_VERDICT_REDIRECT},
        {"/static/1718539201235/css/site.css", BREAKER_VERDICT_RETRY},
        {"/static/9999999999999/css/site.css", BREAKER_VERDICT_RETRY},
        {"/static/" MINTED "/css/none.css", BREAKER_VERDICT_NOT_FOUND},
        {"/css/site.css", BREAKER_VERDICT_DECLINE},
    };
    breaker_node_t *node = make_node(NULL);
    tree_t tree;

    (void)state;
    tree_create(&tree);
    tree_write(&tree, "css/site.css", "body{}");
    assert_int_equal(add_view(node, "static/{breaker}", tree.path), 0);
    load(node);
    for (size_t i = 0; i != COUNT(cases); ++i)
        if (verdict_of(node, cases[i].path) != cases[i].kind)
            fail_msg("%s", cases[i].path);
    breaker_node_free(node);
    tree_remove(&tree);
}

/* the asset path of an older URL and the current prefix together are the place to go */
static void an_older_url_leads_to_the_same_asset_path(void **state)
{
    static const char older[] = "/static/1718539200000/css/site.css";
    breaker_node_t *node = make_node(NULL);
    breaker_snapshot_t *held = NULL;
    breaker_verdict_t verdict;
    const breaker_view_t *view;
    breaker_views_t *set;
    char location[128];
    tree_t tree;

    (void)state;
    tree_create(&tree);
    tree_write(&tree, "css/site.css", "body{}");
    assert_int_equal(add_view(node, "static/{breaker}", tree.path), 0);
    load(node);
    view = breaker_node_view(node, 0);
    assert_int_equal(breaker_views_create(&view, 1, &set), 0);
    breaker_publisher_refresh(breaker_node_publisher(node), &held);
    verdict = breaker_classify(held, set, older, sizeof(older) - 1, true);
    assert_int_equal(verdict.kind, BREAKER_VERDICT_REDIRECT);
    snprintf(location, sizeof(location), "%.*s%s", (int)verdict.view->prefix_len,
             verdict.view->prefix, older + verdict.match.asset_at);
    assert_string_equal(location, "/static/" MINTED "/css/site.css");
    breaker_snapshot_unref(held);
    breaker_views_free(set);
    breaker_node_free(node);
    tree_remove(&tree);
}

static void a_name_without_the_placeholder_is_refused(void **state)
{
    breaker_node_t *node = make_node(NULL);

    (void)state;
    assert_int_equal(add_view(node, "static", "/srv"), BREAKER_ERR_NO_PLACEHOLDER);
    assert_int_equal(add_view(node, "static/breaker", "/srv"), BREAKER_ERR_NO_PLACEHOLDER);
    assert_int_equal(add_view(node, "{breaker}/{breaker}", "/srv"), BREAKER_ERR_TWO_PLACEHOLDERS);
    assert_int_equal(breaker_node_num_views(node), 0);
    breaker_node_free(node);
}

static void an_override_counts_for_views_added_afterwards(void **state)
{
    breaker_node_t *node = make_node(NULL);

    (void)state;
    assert_int_equal(add_view(node, "a/{breaker}", "/srv"), 0);
    assert_int_equal(breaker_node_set_token(node, "v1.2.3", 6), 0);
    assert_int_equal(add_view(node, "b/{breaker}", "/srv"), 0);
    assert_int_equal(breaker_node_set_token(node, "not a token", 11), BREAKER_ERR_TOKEN_SYNTAX);
    assert_int_equal(add_view(node, "c/{breaker}", "/srv"), 0);
    assert_int_equal(breaker_node_set_token(node, NULL, 0), 0);
    assert_int_equal(add_view(node, "d/{breaker}", "/srv"), 0);

    assert_string_equal(breaker__node_token(node, 0)->text, MINTED);
    assert_string_equal(breaker__node_token(node, 1)->text, "v1.2.3");
    assert_string_equal(breaker__node_token(node, 2)->text, "v1.2.3");
    assert_string_equal(breaker__node_token(node, 3)->text, MINTED);
    breaker_node_free(node);
}

static void assets_may_be_cached_for_a_year(void **state)
{
    breaker_node_t *node = make_node(NULL);

    (void)state;
    assert_int_equal(add_view(node, "static/{breaker}", "/srv"), 0);
    assert_int_equal(breaker_view_config(breaker_node_view(node, 0))->cache_max_age_s, 31536000);
    breaker_node_free(node);
}

/* ---- configuring ---- */

static uint64_t clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void the_token_is_minted_when_the_node_is_made(void **state)
{
    breaker_token_t before, after;
    breaker_node_t *node;
    const breaker_token_t *token;

    (void)state;
    breaker_token_mint(clock_ms(), &before);
    assert_int_equal(breaker_node_create(NULL, &node), 0);
    breaker_token_mint(clock_ms(), &after);
    assert_int_equal(add_view(node, "static/{breaker}", "/srv"), 0);
    token = breaker__node_token(node, 0);
    assert_true(breaker__token_compare(before.text, before.len, token->text, token->len) <= 0);
    assert_true(breaker__token_compare(token->text, token->len, after.text, after.len) <= 0);
    breaker_node_free(node);
}

static void a_moment_that_cannot_be_minted_is_refused(void **state)
{
    breaker_node_config_t config = {.now_ms = UINT64_C(1) << 53};
    breaker_node_t *node = NULL;

    (void)state;
    assert_int_equal(breaker_node_create(&config, &node), BREAKER_ERR_RANGE);
    assert_null(node);
    breaker_node_free(NULL);
}

static void two_views_of_a_host_cannot_have_one_name(void **state)
{
    breaker_node_t *node = make_node(NULL);

    (void)state;
    assert_int_equal(add_view(node, "static/{breaker}", "/srv/a"), 0);
    assert_int_equal(add_view(node, "/static/{breaker}/", "/srv/b"), BREAKER_ERR_VIEW_TAKEN);
    assert_int_equal(add_view(node, "Static/{breaker}", "/srv/c"), 0);
    assert_int_equal(breaker_node_num_views(node), 2);
    assert_string_equal(breaker_view_name(breaker_node_view(node, 1)), "Static/{breaker}");
    assert_int_equal(breaker_view_index(breaker_node_view(node, 1)), 1);
    breaker_node_free(node);
}

static const breaker_view_t *add_for(breaker_node_t *node, breaker_view_config_t config,
                                     const char *host)
{
    const breaker_view_t *view = NULL;

    config.host = host;
    assert_int_equal(breaker_node_add_view(node, &config, &view), 0);
    return view;
}

static void hosts_share_a_view_and_have_views_of_their_own(void **state)
{
    breaker_node_t *node = make_node(NULL);
    breaker_view_config_t config, other;
    const breaker_view_t *shared, *own, *view = NULL;
    char shown[BREAKER__VIEW_SHOWN_SIZE];

    (void)state;
    breaker_view_config_init(&config);
    config.name = "static/{breaker}";
    config.directory = "/srv/a";
    other = config;
    other.directory = "/srv/b";
    shared = add_for(node, config, "b.example");
    assert_string_equal(breaker__view_show(shared, shown), "\"static/{breaker}\"");
    assert_ptr_equal(add_for(node, config, "a.example"), shared);
    assert_ptr_equal(add_for(node, config, "a.example"), shared);
    own = add_for(node, other, NULL);
    assert_ptr_not_equal(own, shared);
    assert_int_equal(breaker_node_num_views(node), 2);
    assert_int_equal(breaker_view_index(own), 1);
    assert_true(breaker_view_is_for(shared, "a.example"));
    assert_true(breaker_view_is_for(shared, "b.example"));
    assert_false(breaker_view_is_for(shared, NULL));
    assert_true(breaker_view_is_for(own, NULL));
    assert_string_equal(breaker__view_show(shared, shown), "\"static/{breaker}\" of a.example");
    other.host = "b.example";
    assert_int_equal(breaker_node_add_view(node, &other, &view), BREAKER_ERR_VIEW_TAKEN);
    other.host = "";
    assert_int_equal(breaker_node_add_view(node, &other, &view), BREAKER_ERR_RANGE);
    assert_null(view);
    breaker_node_free(node);
}

/* every option that a view has */
static void a_view_that_differs_in_anything_is_another_one(void **state)
{
    static const char *const list[] = {"/srv/c"}, *const headers[] = {"X-A: b"};
    static const breaker_matched_header_t matched = {"*.js", "X-A: b"};
    breaker_view_config_t configs[24];
    breaker_node_t *node = make_node(NULL);
    size_t num = 0;

    (void)state;
    for (size_t i = 0; i != sizeof(configs) / sizeof(configs[0]); ++i) {
        breaker_view_config_init(configs + i);
        configs[i].name = "static/{breaker}";
        configs[i].directory = "/srv/a";
    }
    configs[num++].directory = "/srv/b";
    configs[num].directories = list;
    configs[num++].num_directories = 1;
    configs[num].follow = list;
    configs[num++].num_follow = 1;
    configs[num].headers = headers;
    configs[num++].num_headers = 1;
    configs[num].matched_headers = &matched;
    configs[num++].num_matched_headers = 1;
    configs[num++].strict = true;
    configs[num++].cache_max_age_s = 5;
    configs[num++].redirect_max_age_s = 5;
    configs[num++].retry_after_s = 5;
    configs[num++].allow_origin = NULL;
    configs[num++].timing_allow_origin = "*";
    configs[num++].resource_policy = "same-site";
    configs[num++].index = "index.html";
    configs[num++].fallback = "index.html";
    configs[num++].dotfiles = true;
    configs[num++].encodings = false;
    configs[num++].encoded_names = true;
    configs[num++].charset = false;
    configs[num++].memory_file_limit = 5;
    configs[num++].memory_limit = 5;
    configs[num++].data = node;
    for (size_t i = 0; i <= num; ++i) {
        char host[16];
        snprintf(host, sizeof(host), "%zu.example", i);
        add_for(node, configs[i], host);
        assert_int_equal(breaker_node_num_views(node), i + 1);
    }
    breaker_node_free(node);
}

static void a_node_has_at_most_64_views(void **state)
{
    breaker_node_t *node = make_node(NULL);
    char name[32];

    (void)state;
    for (size_t i = 0; i != BREAKER_VIEWS_MAX; ++i) {
        snprintf(name, sizeof(name), "%zu/{breaker}", i);
        assert_int_equal(add_view(node, name, "/srv"), 0);
    }
    assert_int_equal(add_view(node, "more/{breaker}", "/srv"), BREAKER_ERR_TOO_MANY);
    breaker_node_free(node);
}

static void nothing_can_be_configured_once_loaded(void **state)
{
    breaker_node_t *node = make_node(NULL);
    breaker_error_t error = {0};
    tree_t tree;

    (void)state;
    tree_create(&tree);
    assert_int_equal(breaker_node_set_label(node, "not an id", 9), BREAKER_ERR_TOKEN_SYNTAX);
    assert_int_equal(breaker_node_set_label(node, "2026.11.23-1", 12), 0);
    assert_int_equal(add_view(node, "static/{breaker}", tree.path), 0);
    load(node);
    assert_int_equal(add_view(node, "more/{breaker}", tree.path), BREAKER_ERR_STATE);
    assert_int_equal(breaker_node_set_token(node, "v1", 2), BREAKER_ERR_STATE);
    assert_int_equal(breaker_node_set_label(node, "r", 1), BREAKER_ERR_STATE);
    assert_int_equal(breaker_node_load(node, &error), BREAKER_ERR_STATE);
    assert_int_equal(error.code, BREAKER_ERR_STATE);
    breaker_node_free(node);
    tree_remove(&tree);
}

/* ---- loading ---- */

static void the_first_snapshot_is_published_by_the_load(void **state)
{
    breaker_node_t *node = make_node(NULL);
    breaker_snapshot_t *held = NULL;
    char url[64];
    size_t len;
    tree_t tree;

    (void)state;
    tree_create(&tree);
    tree_write(&tree, "a.css", "a{}");
    assert_int_equal(breaker_node_set_label(node, "2026.11.23-1", 12), 0);
    assert_int_equal(add_view(node, "static/{breaker}", tree.path), 0);
    assert_false(breaker_publisher_refresh(breaker_node_publisher(node), &held));
    assert_null(held);

    load(node);
    assert_true(breaker_publisher_refresh(breaker_node_publisher(node), &held));
    assert_int_equal(held->generation, 1);
    assert_memory_equal(breaker_release_id(held->release)->text, "2026.11.23-1~", 13);
    assert_int_equal(breaker_store_size(held->views[0].store), 1);
    assert_false(held->has_ledger);
    assert_int_equal(held->num_held, 0);
    assert_int_equal(breaker_static_url(held, breaker_node_view(node, 0),
                                        &(breaker_url_parts_t){.path = "a.css", .path_len = 5}, url,
                                        sizeof(url), &len),
                     0);
    assert_string_equal(url, "/static/" MINTED "/a.css");
    breaker_snapshot_unref(held);
    breaker_node_free(node);
    tree_remove(&tree);
}

static void a_failed_load_publishes_nothing_and_may_be_tried_again(void **state)
{
    breaker_node_t *node = make_node(NULL);
    breaker_error_t error = {0};
    breaker_snapshot_t *held = NULL;
    char directory[128];
    tree_t tree;

    (void)state;
    tree_create(&tree);
    snprintf(directory, sizeof(directory), "%s/later", tree.path);
    assert_int_equal(add_view(node, "static/{breaker}", directory), 0);
    assert_true(breaker_node_load(node, &error) < 0);
    assert_non_null(strstr(error.message, directory));
    assert_false(breaker_publisher_refresh(breaker_node_publisher(node), &held));
    assert_true(breaker_node_load(node, NULL) < 0);

    tree_write(&tree, "later/a.css", "a{}");
    load(node);
    assert_int_equal(verdict_of(node, "/static/" MINTED "/a.css"), BREAKER_VERDICT_SERVE);
    breaker_node_free(node);
    tree_remove(&tree);
}

static void a_node_without_views_loads(void **state)
{
    breaker_node_t *node = make_node(NULL);
    breaker_snapshot_t *held = NULL;

    (void)state;
    load(node);
    breaker_node_wait_encoded(node);
    assert_true(breaker_publisher_refresh(breaker_node_publisher(node), &held));
    assert_int_equal(held->num_views, 0);
    breaker_snapshot_unref(held);
    breaker_node_free(node);
}

/* ---- the background ---- */

typedef struct st_observed_t {
    pthread_t loader;
    /* what the encoding thread was seen to be */
    atomic_bool encoded_elsewhere;
    atomic_int nice;
    atomic_int policy;
    /* the encoder waits here until the test lets it go on */
    atomic_bool held_back;
    atomic_int num_prepared, num_unprepared;
} observed_t;

static const char *type_of(void *data, const breaker_view_t *view, const char *path,
                           bool *ret_compressible)
{
    (void)data, (void)view, (void)path;
    *ret_compressible = true;
    return "text/css";
}

static void *prepare(void *data, const breaker_view_t *view, const breaker_asset_t *asset,
                     const breaker_variant_t *variant)
{
    observed_t *observed = data;
    struct sched_param param;
    int policy;
    (void)view, (void)asset, (void)variant;

    atomic_fetch_add(&observed->num_prepared, 1);
    if (pthread_equal(pthread_self(), observed->loader))
        return observed;
    pthread_getschedparam(pthread_self(), &policy, &param);
    atomic_store(&observed->policy, policy);
    atomic_store(&observed->nice, getpriority(PRIO_PROCESS, (id_t)gettid()));
    atomic_store(&observed->encoded_elsewhere, true);
    while (atomic_load(&observed->held_back))
        sched_yield();
    return observed;
}

static void unprepare(void *data, void *prepared)
{
    observed_t *observed = data;

    assert_ptr_equal(prepared, observed);
    atomic_fetch_add(&observed->num_unprepared, 1);
}

static breaker_release_hooks_t hooks_of(observed_t *observed)
{
    observed->loader = pthread_self();
    return (breaker_release_hooks_t){
        .data = observed, .type_of = type_of, .prepare = prepare, .unprepare = unprepare};
}

static void write_compressible(const tree_t *tree, size_t num)
{
    char name[32], content[4096];

    memset(content, 'a', sizeof(content) - 1);
    content[sizeof(content) - 1] = '\0';
    for (size_t i = 0; i != num; ++i) {
        snprintf(name, sizeof(name), "%zu.css", i);
        content[i] = 'b';
        tree_write(tree, name, content);
    }
}

static size_t count_encoded(const breaker_snapshot_t *snapshot)
{
    const breaker_store_t *store = snapshot->views[0].store;
    size_t num = 0;

    for (size_t i = 0; i != breaker_store_size(store); ++i)
        num += breaker_asset_variant(breaker_store_at(store, i), BREAKER_ENCODING_BROTLI) != NULL;
    return num;
}

static void encodings_follow_in_the_background_at_low_priority(void **state)
{
    observed_t observed = {.held_back = true};
    breaker_release_hooks_t hooks = hooks_of(&observed);
    breaker_node_t *node = make_node(&hooks);
    breaker_snapshot_t *held = NULL;
    int before = getpriority(PRIO_PROCESS, 0);
    tree_t tree;

    (void)state;
    tree_create(&tree);
    write_compressible(&tree, 8);
    assert_int_equal(add_view(node, "static/{breaker}", tree.path), 0);
    load(node);
    /* no encoding can be there yet, and everything is served */
    breaker_publisher_refresh(breaker_node_publisher(node), &held);
    assert_int_equal(count_encoded(held), 0);
    assert_int_equal(verdict_of(node, "/static/" MINTED "/7.css"), BREAKER_VERDICT_SERVE);

    atomic_store(&observed.held_back, false);
    breaker_node_wait_encoded(node);
    assert_int_equal(count_encoded(held), 8);
    assert_true(observed.encoded_elsewhere);
    assert_int_equal(observed.nice, 19);
    assert_int_equal(observed.policy, SCHED_BATCH);
    assert_int_equal(getpriority(PRIO_PROCESS, 0), before);
    breaker_node_wait_encoded(node);
    breaker_snapshot_unref(held);
    breaker_node_free(node);
    assert_int_equal(observed.num_unprepared, observed.num_prepared);
    tree_remove(&tree);
}

/*
 * The linker routes the library's pthread_join through here, which is called when the encoder has
 * been told to stop: only now is it let go, so that what it does afterwards is what the stop left.
 */
static observed_t *joined;
int __real_pthread_join(pthread_t thread, void **ret);
int __wrap_pthread_join(pthread_t thread, void **ret);

int __wrap_pthread_join(pthread_t thread, void **ret)
{
    if (joined != NULL)
        atomic_store(&joined->held_back, false);
    return __real_pthread_join(thread, ret);
}

static void freeing_a_node_ends_its_background_early(void **state)
{
    enum { NUM_FILES = 20 };
    observed_t observed = {.held_back = true};
    breaker_release_hooks_t hooks = hooks_of(&observed);
    breaker_node_t *node = make_node(&hooks);
    tree_t tree;

    (void)state;
    tree_create(&tree);
    write_compressible(&tree, NUM_FILES);
    assert_int_equal(add_view(node, "static/{breaker}", tree.path), 0);
    load(node);
    while (!atomic_load(&observed.encoded_elsewhere))
        sched_yield();
    joined = &observed;
    breaker_node_free(node);
    joined = NULL;
    /* of each file the identity, early and for good, and of one at most what was begun */
    assert_in_range(observed.num_prepared, 2 * NUM_FILES + 1, 2 * NUM_FILES + BREAKER_ENCODINGS);
    assert_int_equal(observed.num_unprepared, observed.num_prepared);
    tree_remove(&tree);
}

static void how_encodings_are_made_is_set_until_the_load(void **state)
{
    breaker_node_config_t config = {.now_ms = minted_ms, .encoding = {.cpu_percent = 101}};
    breaker_encoding_config_t encoding = {.cpu_percent = 30};
    breaker_node_t *node;

    (void)state;
    assert_int_equal(breaker_node_create(&config, &node), BREAKER_ERR_RANGE);
    config.encoding.cpu_percent = 100;
    assert_int_equal(breaker_node_create(&config, &node), 0);
    assert_int_equal(breaker_node_encoding(node)->cpu_percent, 100);
    assert_int_equal(breaker_node_set_encoding(node, &encoding), 0);
    encoding.cpu_percent = 101;
    assert_int_equal(breaker_node_set_encoding(node, &encoding), BREAKER_ERR_RANGE);
    assert_int_equal(breaker_node_encoding(node)->cpu_percent, 30);
    load(node);
    encoding.cpu_percent = 10;
    assert_int_equal(breaker_node_set_encoding(node, &encoding), BREAKER_ERR_STATE);
    breaker_node_free(node);
}

static void *wait_encoded(void *data)
{
    breaker_node_wait_encoded(data);
    return NULL;
}

static void several_threads_may_wait_for_the_encodings(void **state)
{
    observed_t observed = {.held_back = true};
    breaker_release_hooks_t hooks = hooks_of(&observed);
    breaker_node_t *node = make_node(&hooks);
    pthread_t threads[4];
    tree_t tree;

    (void)state;
    tree_create(&tree);
    write_compressible(&tree, 4);
    assert_int_equal(add_view(node, "static/{breaker}", tree.path), 0);
    load(node);
    for (size_t i = 0; i != COUNT(threads); ++i)
        assert_int_equal(pthread_create(threads + i, NULL, wait_encoded, node), 0);
    atomic_store(&observed.held_back, false);
    for (size_t i = 0; i != COUNT(threads); ++i)
        pthread_join(threads[i], NULL);
    breaker_node_free(node);
    tree_remove(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plain_rules_hold),
        cmocka_unit_test(an_older_url_leads_to_the_same_asset_path),
        cmocka_unit_test(a_name_without_the_placeholder_is_refused),
        cmocka_unit_test(an_override_counts_for_views_added_afterwards),
        cmocka_unit_test(assets_may_be_cached_for_a_year),
        cmocka_unit_test(the_token_is_minted_when_the_node_is_made),
        cmocka_unit_test(a_moment_that_cannot_be_minted_is_refused),
        cmocka_unit_test(two_views_of_a_host_cannot_have_one_name),
        cmocka_unit_test(hosts_share_a_view_and_have_views_of_their_own),
        cmocka_unit_test(a_view_that_differs_in_anything_is_another_one),
        cmocka_unit_test(a_node_has_at_most_64_views),
        cmocka_unit_test(nothing_can_be_configured_once_loaded),
        cmocka_unit_test(the_first_snapshot_is_published_by_the_load),
        cmocka_unit_test(a_failed_load_publishes_nothing_and_may_be_tried_again),
        cmocka_unit_test(a_node_without_views_loads),
        cmocka_unit_test(encodings_follow_in_the_background_at_low_priority),
        cmocka_unit_test(freeing_a_node_ends_its_background_early),
        cmocka_unit_test(how_encodings_are_made_is_set_until_the_load),
        cmocka_unit_test(several_threads_may_wait_for_the_encodings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
