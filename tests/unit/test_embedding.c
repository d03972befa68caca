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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_library_that_is_loaded_tells_its_version),
        cmocka_unit_test(the_defaults_make_a_node),
        cmocka_unit_test(notices_come_with_data_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
