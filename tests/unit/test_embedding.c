/* What a program that embeds a node is told, and whose pointers it is handed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <breaker/node.h>
#include <breaker/url.h>
#include <breaker/version.h>
#include "tree.h"

/* ---- the version ---- */

static void the_library_that_is_loaded_tells_its_version(void **state)
{
    char text[32];

    (void)state;
    snprintf(text, sizeof(text), "%d.%d.%d", BREAKER_VERSION_MAJOR, BREAKER_VERSION_MINOR,
             BREAKER_VERSION_PATCH);
    assert_string_equal(BREAKER_VERSION, text);
    assert_string_equal(breaker_version(), text);
}

/* ---- a node of an embedder's ---- */

static void the_defaults_make_a_node(void **state)
{
    breaker_node_config_t config;
    breaker_node_t *node;

    (void)state;
    memset(&config, 0xff, sizeof(config));
    breaker_node_config_init(&config);
    assert_int_equal(breaker_node_create(&config, &node), 0);
    breaker_node_free(node);
}

static const char *type_of(void *data, const breaker_view_t *view, const char *path,
                           bool *ret_compressible)
{
    (void)view;
    (void)path;
    *ret_compressible = false;
    *(unsigned *)data += 1;
    return "text/plain";
}

static void on_notice(void *notice_data, const char *message)
{
    snprintf(notice_data, 256, "%s", message);
}

/* the hooks that ask may be somebody else's, libh2o's say, than the one that tells */
static void notices_come_with_data_of_their_own(void **state)
{
    unsigned num_types = 0;
    char notice[256] = "", place[128];
    breaker_node_config_t config;
    breaker_view_config_t view_config;
    const breaker_view_t *view;
    breaker_node_t *node;
    tree_t tree;

    (void)state;
    tree_create(&tree);
    tree_write(&tree, "a.txt", "a");
    snprintf(place, sizeof(place), "%s/b.txt", tree.path);
    assert_int_equal(symlink("nowhere", place), 0);
    breaker_node_config_init(&config);
    config.hooks.data = &num_types;
    config.hooks.type_of = type_of;
    config.hooks.on_notice = on_notice;
    config.hooks.notice_data = notice;
    breaker_view_config_init(&view_config);
    view_config.name = "static/{breaker}";
    view_config.directory = tree.path;
    assert_int_equal(breaker_node_create(&config, &node), 0);
    assert_int_equal(breaker_node_add_view(node, &view_config, &view), 0);
    assert_int_equal(breaker_node_load(node, NULL), 0);
    assert_int_equal(num_types, 1);
    assert_non_null(strstr(notice, "b.txt: left out"));
    breaker_node_free(node);
    tree_remove(&tree);
}

/* ---- changes ---- */

typedef struct st_changes_t {
    unsigned num;
    breaker_node_t *node;
    breaker_token_t tokens[2];
    char release[160];
    char url[128];
} changes_t;

static void on_change(void *change_data, const breaker_snapshot_t *snapshot)
{
    changes_t *changes = change_data;
    breaker_url_parts_t parts = {.path = "a.txt", .path_len = 5};
    breaker_snapshot_t *current = NULL;
    size_t len;

    ++changes->num;
    for (size_t i = 0; i != snapshot->num_views && i != 2; ++i)
        changes->tokens[i] = snapshot->views[i].token;
    snprintf(changes->release, sizeof(changes->release), "%s",
             breaker_release_id(snapshot->release)->text);
    assert_int_equal(breaker_static_url(snapshot, snapshot->views[0].view, &parts, changes->url,
                                        sizeof(changes->url), &len),
                     0);
    /* what is told of is what a request would get */
    breaker_publisher_refresh(breaker_node_publisher(changes->node), &current);
    assert_ptr_equal(current, snapshot);
    breaker_snapshot_unref(current);
}

static void make_changing_node(changes_t *changes, const tree_t *tree, bool joined)
{
    breaker_node_config_t config;
    breaker_view_config_t view_config;
    const breaker_view_t *view;

    breaker_node_config_init(&config);
    config.now_ms = 1718539201234;
    config.on_change = on_change;
    config.change_data = changes;
    assert_int_equal(breaker_node_create(&config, &changes->node), 0);
    breaker_view_config_init(&view_config);
    view_config.directory = tree->path;
    view_config.name = "static/{breaker}";
    assert_int_equal(breaker_node_add_view(changes->node, &view_config, &view), 0);
    view_config.name = "more/{breaker}";
    assert_int_equal(breaker_node_set_token(changes->node, "v2", 2), 0);
    assert_int_equal(breaker_node_add_view(changes->node, &view_config, &view), 0);
    if (joined)
        assert_int_equal(breaker_node_join(changes->node), 0);
}

static void a_node_by_itself_tells_of_its_load(void **state)
{
    breaker_release_t *release;
    changes_t changes = {0};
    tree_t tree;

    (void)state;
    tree_create(&tree);
    tree_write(&tree, "a.txt", "a");
    make_changing_node(&changes, &tree, false);
    assert_int_equal(changes.num, 0);
    assert_int_equal(breaker_node_load(changes.node, NULL), 0);
    assert_int_equal(changes.num, 1);
    assert_string_equal(changes.tokens[0].text, "1718539201234");
    assert_string_equal(changes.tokens[1].text, "v2");
    assert_string_equal(changes.url, "/static/1718539201234/a.txt");
    release = breaker_node_release(changes.node);
    assert_string_equal(changes.release, breaker_release_id(release)->text);
    breaker_release_unref(release);
    breaker_node_free(changes.node);
    assert_int_equal(changes.num, 1);
    tree_remove(&tree);
}

static void publish(breaker_node_t *node, const char *text, const char *other, bool older_alive)
{
    breaker_release_t *release = breaker_node_release(node);
    breaker_ledger_entry_t entry = {.order = 1};
    breaker_token_t token;
    breaker_ledger_t ledger;

    entry.release = *breaker_release_id(release);
    assert_int_equal(breaker_token_parse(other, strlen(other), &entry.token), 0);
    assert_int_equal(breaker_ledger_init(&ledger, &entry, 1), 0);
    assert_int_equal(breaker_token_parse(text, strlen(text), &token), 0);
    assert_int_equal(breaker_node_publish(node, release, &token, &ledger, older_alive), 0);
    breaker_release_unref(release);
}

static void a_node_of_a_cluster_tells_of_each_token_once(void **state)
{
    changes_t changes = {0};
    tree_t tree;

    (void)state;
    tree_create(&tree);
    tree_write(&tree, "a.txt", "a");
    make_changing_node(&changes, &tree, true);
    assert_int_equal(breaker_node_load(changes.node, NULL), 0);
    assert_int_equal(changes.num, 0);
    publish(changes.node, "100", "1", false);
    assert_int_equal(changes.num, 1);
    assert_string_equal(changes.tokens[0].text, "100");
    assert_string_equal(changes.tokens[1].text, "100");
    /* only the history and who is alive are news */
    publish(changes.node, "100", "2", false);
    publish(changes.node, "100", "2", true);
    assert_int_equal(changes.num, 1);
    publish(changes.node, "101", "2", true);
    assert_int_equal(changes.num, 2);
    assert_string_equal(changes.url, "/static/101/a.txt");
    /* back again is a change, too */
    publish(changes.node, "100", "2", true);
    assert_int_equal(changes.num, 3);
    breaker_node_free(changes.node);
    tree_remove(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_library_that_is_loaded_tells_its_version),
        cmocka_unit_test(the_defaults_make_a_node),
        cmocka_unit_test(notices_come_with_data_of_their_own),
        cmocka_unit_test(a_node_by_itself_tells_of_its_load),
        cmocka_unit_test(a_node_of_a_cluster_tells_of_each_token_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
