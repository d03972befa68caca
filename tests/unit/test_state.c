/*
 * The state file: what is written comes back, and nothing else is ever used: every cut and every
 * flipped bit is tried.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <breaker/node.h>
#include "cluster/ledger.h"
#include "cluster/state.h"
#include "tree.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

typedef struct st_world_t {
    tree_t tree;
    char path[128];
} world_t;

static int make_world(void **state)
{
    static world_t world;

    tree_create(&world.tree);
    snprintf(world.path, sizeof(world.path), "%s/state", world.tree.path);
    *state = &world;
    return 0;
}

static int free_world(void **state)
{
    world_t *world = *state;

    chmod(world->tree.path, 0755);
    tree_remove(&world->tree);
    return 0;
}

static breaker_token_t token_of(const char *text)
{
    breaker_token_t token;

    assert_int_equal(breaker_token_parse(text, strlen(text), &token), 0);
    return token;
}

static breaker_release_id_t release_of(const char *text)
{
    breaker_release_id_t id;

    assert_int_equal(breaker_release_id_parse(text, strlen(text), &id), 0);
    return id;
}

static breaker_ledger_entry_t entry_of(uint64_t order, const char *token, const char *release)
{
    return (breaker_ledger_entry_t){order, token_of(token), release_of(release)};
}

static void fill_ledger(breaker_ledger_t *ledger, size_t num)
{
    breaker_ledger_entry_t entries[BREAKER_LEDGER_MAX] = {{.order = 0}};
    char token[32];

    for (size_t i = 0; i != num; ++i) {
        snprintf(token, sizeof(token), "17185392%05zu", i);
        entries[i] = entry_of(1000 + i, token, i % 2 == 0 ? "r1" : "r2");
    }
    assert_int_equal(breaker_ledger_init(ledger, entries, num), 0);
}

static void write_bytes(const char *path, const char *base, size_t len)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(base, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static size_t read_bytes(const char *path, char *base, size_t size)
{
    FILE *file = fopen(path, "rb");
    size_t len;

    assert_non_null(file);
    len = fread(base, 1, size, file);
    assert_true(len < size);
    fclose(file);
    return len;
}

static void save(const char *path, const breaker_ledger_entry_t *own,
                 const breaker_ledger_t *ledger)
{
    breaker_error_t error = {0};

    if (breaker__state_save(path, own, ledger, &error) != 0)
        fail_msg("%s", error.message);
}

static void load(const char *path, breaker_ledger_t *ledger)
{
    breaker_error_t error = {0};

    if (breaker__state_load(path, ledger, &error) != 0)
        fail_msg("%s", error.message);
}

static void assert_same(const breaker_ledger_entry_t *a, const breaker_ledger_entry_t *b)
{
    assert_int_equal(a->order, b->order);
    assert_string_equal(a->token.text, b->token.text);
    assert_string_equal(a->release.text, b->release.text);
}

/* ---- what is written comes back ---- */

static void what_was_saved_is_loaded(void **state)
{
    const world_t *world = *state;

    for (size_t num = 0; num <= BREAKER_LEDGER_MAX; ++num) {
        breaker_ledger_t saved, loaded;
        fill_ledger(&saved, num);
        save(world->path, num != 0 ? breaker_ledger_at(&saved, num - 1) : NULL, &saved);
        load(world->path, &loaded);
        assert_int_equal(breaker_ledger_size(&loaded), num);
        for (size_t i = 0; i != num; ++i)
            assert_same(breaker_ledger_at(&loaded, i), breaker_ledger_at(&saved, i));
    }
}

static void the_longest_names_and_the_largest_order_come_back(void **state)
{
    static const char longest[] =
        "0123456789012345678901234567890123456789012345678901234567890abc";
    breaker_ledger_entry_t own = entry_of((UINT64_C(1) << 53) - 1, longest, longest),
                           zero = entry_of(0, "~", "-");
    const world_t *world = *state;
    breaker_ledger_t ledger, loaded;

    assert_int_equal(breaker_ledger_init(&ledger, &zero, 1), 0);
    save(world->path, &own, &ledger);
    load(world->path, &loaded);
    assert_int_equal(breaker_ledger_size(&loaded), 2);
    assert_same(breaker_ledger_at(&loaded, 0), &zero);
    assert_same(breaker_ledger_at(&loaded, 1), &own);
}

/* its entry is the oldest of 33 */
static void the_own_entry_stays_where_the_ledger_has_dropped_it(void **state)
{
    breaker_ledger_entry_t own = entry_of(1, "v1", "r0");
    const breaker_ledger_entry_t *found;
    const world_t *world = *state;
    breaker_ledger_t ledger, loaded;

    fill_ledger(&ledger, BREAKER_LEDGER_MAX);
    save(world->path, &own, &ledger);
    load(world->path, &loaded);
    found = breaker__ledger_find(&loaded, "v1", 2);
    assert_non_null(found);
    assert_same(found, &own);
    assert_int_equal(breaker_ledger_size(&loaded), BREAKER_LEDGER_MAX);
}

static void no_file_is_an_empty_ledger_without_a_word(void **state)
{
    breaker_error_t error = {0};
    const world_t *world = *state;
    breaker_ledger_t ledger;

    unlink(world->path);
    assert_int_equal(breaker__state_load(world->path, &ledger, &error), 0);
    assert_int_equal(breaker_ledger_size(&ledger), 0);
    assert_int_equal(error.code, 0);
}

static size_t count_files(const char *directory)
{
    DIR *dir = opendir(directory);
    struct dirent *entry;
    size_t num = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL)
        num += entry->d_name[0] != '.';
    closedir(dir);
    return num;
}

static void saving_leaves_one_file(void **state)
{
    const world_t *world = *state;
    breaker_ledger_t ledger;

    fill_ledger(&ledger, 3);
    save(world->path, NULL, &ledger);
    save(world->path, NULL, &ledger);
    assert_int_equal(count_files(world->tree.path), 1);
}

static void a_place_that_cannot_be_written_is_told_and_the_old_file_stays(void **state)
{
    breaker_error_t error = {0};
    const world_t *world = *state;
    breaker_ledger_t ledger, loaded;
    char path[256];

    fill_ledger(&ledger, 3);
    save(world->path, NULL, &ledger);
    snprintf(path, sizeof(path), "%s/none/state", world->tree.path);
    assert_int_equal(breaker__state_save(path, NULL, &ledger, &error), BREAKER_ERR_IO);
    assert_non_null(strstr(error.message, path));
    /* a directory has the file's name */
    snprintf(path, sizeof(path), "%s/taken", world->tree.path);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(breaker__state_save(path, NULL, &ledger, &error), BREAKER_ERR_IO);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(count_files(world->tree.path), 1);
    load(world->path, &loaded);
    assert_int_equal(breaker_ledger_size(&loaded), 3);
}

/* ---- nothing else is used ---- */

static void assert_unusable(const char *path, const char *what, size_t at)
{
    breaker_error_t error = {0};
    breaker_ledger_t ledger;

    memset(&ledger, 0xaa, sizeof(ledger));
    if (breaker__state_load(path, &ledger, &error) != BREAKER_ERR_DAMAGED)
        fail_msg("%s %zu is used", what, at);
    assert_int_equal(breaker_ledger_size(&ledger), 0);
    assert_null(breaker__ledger_find(&ledger, "v1", 2));
    assert_non_null(strstr(error.message, path));
}

static size_t make_file(const world_t *world, char *base, size_t size)
{
    breaker_ledger_entry_t own = entry_of(5000, "v2", "r2");
    breaker_ledger_t ledger;

    fill_ledger(&ledger, 4);
    save(world->path, &own, &ledger);
    return read_bytes(world->path, base, size);
}

static void a_file_cut_anywhere_is_not_used(void **state)
{
    const world_t *world = *state;
    char base[BREAKER__STATE_MAX];
    size_t len = make_file(world, base, sizeof(base));

    for (size_t cut = 0; cut != len; ++cut) {
        write_bytes(world->path, base, cut);
        assert_unusable(world->path, "cut at", cut);
    }
    for (size_t cut = 1; cut != len; ++cut) {
        write_bytes(world->path, base + cut, len - cut);
        assert_unusable(world->path, "begun at", cut);
    }
}

static void a_file_with_any_bit_flipped_is_not_used(void **state)
{
    const world_t *world = *state;
    char base[BREAKER__STATE_MAX];
    size_t len = make_file(world, base, sizeof(base));

    for (size_t bit = 0; bit != 8 * len; ++bit) {
        base[bit / 8] = (char)(base[bit / 8] ^ 1 << bit % 8);
        write_bytes(world->path, base, len);
        assert_unusable(world->path, "bit", bit);
        base[bit / 8] = (char)(base[bit / 8] ^ 1 << bit % 8);
    }
    write_bytes(world->path, base, len);
    breaker_ledger_t ledger;
    load(world->path, &ledger);
    assert_int_equal(breaker_ledger_size(&ledger), 5);
}

static void a_file_with_bytes_behind_or_inside_is_not_used(void **state)
{
    const world_t *world = *state;
    char base[BREAKER__STATE_MAX], longer[BREAKER__STATE_MAX];
    size_t len = make_file(world, base, sizeof(base));

    for (size_t at = 0; at <= len; ++at) {
        memcpy(longer, base, at);
        longer[at] = '1';
        memcpy(longer + at + 1, base + at, len - at);
        write_bytes(world->path, longer, len + 1);
        assert_unusable(world->path, "a byte at", at);
    }
}

static void lines_that_are_no_entries_are_not_used_however_right_the_checksum(void **state)
{
    static const char *const bodies[] = {
        "entry 5 v1\\n",
        "entry 5 v1 r1 r2\\n",
        "entry  v1 r1\\n",
        "entry -5 v1 r1\\n",
        "entry 5x v1 r1\\n",
        "entry 9007199254740992 v1 r1\\n",
        "entry 99999999999999999999 v1 r1\\n",
        "entry 5 .. r1\\n",
        "entry 5 v1 r/1\\n",
        "entry 5 v1 r1\\nown 6 v2 r1\\n",
        "other 5 v1 r1\\n",
        "\\n",
        "entry 5 v1 r1",
    };
    const world_t *world = *state;
    char command[1024];

    for (size_t i = 0; i != COUNT(bodies); ++i) {
        snprintf(command, sizeof(command),
                 "cd %s && printf 'h2o-breaker state 2\\n%s' >state && "
                 "printf 'end %%s\\n' $(sha256sum <state | cut -c1-64) >>state",
                 world->tree.path, bodies[i]);
        assert_int_equal(system(command), 0);
        assert_unusable(world->path, bodies[i], i);
    }
}

static void foreign_files_are_not_used(void **state)
{
    const world_t *world = *state;
    char huge[BREAKER__STATE_MAX + 1];

    write_bytes(world->path, "h2o-breaker state 3\n", 20);
    assert_unusable(world->path, "version", 3);
    memset(huge, 'x', sizeof(huge));
    write_bytes(world->path, huge, sizeof(huge));
    assert_unusable(world->path, "size", sizeof(huge));
    unlink(world->path);
    assert_int_equal(mkfifo(world->path, 0600), 0);
    assert_unusable(world->path, "a pipe", 0);
    unlink(world->path);
    assert_int_equal(mkdir(world->path, 0700), 0);
    assert_unusable(world->path, "a directory", 0);
    assert_int_equal(rmdir(world->path), 0);
}

/* what a version with releases of one word wrote */
static void an_older_versions_file_is_read(void **state)
{
    const world_t *world = *state;
    breaker_ledger_t ledger;
    char command[1024];

    snprintf(command, sizeof(command),
             "cd %s && printf 'h2o-breaker state 1\\nown 2000 v2 r1\\nentry 1000 v1 %%s\\n' "
             "$(printf '' | sha256sum | cut -c1-64) >state && "
             "printf 'end %%s\\n' $(sha256sum <state | cut -c1-64) >>state",
             world->tree.path);
    assert_int_equal(system(command), 0);
    load(world->path, &ledger);
    assert_int_equal(breaker_ledger_size(&ledger), 2);
    assert_int_equal(breaker__ledger_find(&ledger, "v2", 2)->order, 2000);
    assert_string_equal(breaker__ledger_find(&ledger, "v2", 2)->release.text, "r1");
    assert_int_equal(breaker__ledger_find(&ledger, "v1", 2)->release.len, 64);
    /* and written anew as it is written now */
    save(world->path, NULL, &ledger);
    load(world->path, &ledger);
    assert_int_equal(breaker_ledger_size(&ledger), 2);
}

/* ---- a single node ---- */

static void on_notice(void *data, const char *message)
{
    snprintf(data, 512, "%s", message);
}

/* the token of the first view, which has none of the operator's, and of the second, which has */
static void start_given(const world_t *world, const char *label, const char *given, uint64_t now_ms,
                        char tokens[2][80], char *notice)
{
    breaker_node_config_t config = {.now_ms = now_ms,
                                    .hooks = {.on_notice = on_notice, .notice_data = notice}};
    static const char *const names[] = {"a/{breaker}", "b/{breaker}"};
    breaker_snapshot_t *held = NULL;
    breaker_view_config_t view;
    const breaker_view_t *added;
    breaker_error_t error;
    breaker_node_t *node;
    char directory[128];

    snprintf(directory, sizeof(directory), "%s/site", world->tree.path);
    assert_int_equal(breaker_node_create(&config, &node), 0);
    assert_int_equal(breaker_node_set_state_path(node, world->path), 0);
    if (label != NULL)
        assert_int_equal(breaker_node_set_label(node, label, strlen(label)), 0);
    for (size_t i = 0; i != 2; ++i) {
        breaker_view_config_init(&view);
        view.name = names[i];
        view.directory = directory;
        assert_int_equal(breaker_node_add_view(node, &view, &added), 0);
        assert_int_equal(breaker_node_set_token(node, given, strlen(given)), 0);
    }
    if (breaker_node_load(node, &error) != 0)
        fail_msg("%s", error.message);
    assert_int_equal(breaker_node_set_state_path(node, NULL), BREAKER_ERR_STATE);
    assert_true(breaker_publisher_refresh(breaker_node_publisher(node), &held));
    for (size_t i = 0; i != 2; ++i)
        strcpy(tokens[i], held->views[i].token.text);
    /* what it remembers orders its tokens, and nobody is asked for others */
    assert_true(held->has_ledger && held->is_alone);
    breaker_snapshot_unref(held);
    breaker_node_free(node);
}

static void start_labelled(const world_t *world, const char *label, uint64_t now_ms,
                           char tokens[2][80], char *notice)
{
    start_given(world, label, "v1", now_ms, tokens, notice);
}

static void start_node(const world_t *world, uint64_t now_ms, char tokens[2][80], char *notice)
{
    start_labelled(world, NULL, now_ms, tokens, notice);
}

static void a_restarted_node_has_its_token_again(void **state)
{
    const world_t *world = *state;
    char tokens[2][80], notice[512] = "";

    unlink(world->path);
    tree_write(&world->tree, "site/a.css", "a{}");
    start_node(world, 1718539201234, tokens, notice);
    assert_string_equal(tokens[0], "1718539201234");
    assert_string_equal(tokens[1], "v1");
    start_node(world, 1718539209999, tokens, notice);
    assert_string_equal(tokens[0], "1718539201234");
    assert_string_equal(tokens[1], "v1");
    assert_string_equal(notice, "");
    tree_write(&world->tree, "site/a.css", "b{}");
    start_node(world, 1718539209999, tokens, notice);
    assert_string_equal(tokens[0], "1718539209999");
    write_bytes(world->path, "damaged", 7);
    start_node(world, 1718539210000, tokens, notice);
    assert_string_equal(tokens[0], "1718539210000");
    assert_non_null(strstr(notice, world->path));
}

static void a_release_that_comes_back_to_a_node_leads_nobody_back(void **state)
{
    const world_t *world = *state;
    char tokens[2][80], notice[512] = "";

    unlink(world->path);
    tree_write(&world->tree, "site/a.css", "first");
    start_node(world, 1718539201000, tokens, notice);
    tree_write(&world->tree, "site/a.css", "other");
    start_node(world, 1718539202000, tokens, notice);
    tree_write(&world->tree, "site/a.css", "first");
    start_node(world, 1718539203000, tokens, notice);
    assert_string_equal(tokens[0], "1718539203000");
    start_node(world, 1718539204000, tokens, notice);
    assert_string_equal(tokens[0], "1718539203000");
}

static void changed_files_under_one_label_are_told_and_have_a_token_of_their_own(void **state)
{
    const world_t *world = *state;
    char tokens[2][80], notice[512] = "";

    unlink(world->path);
    tree_write(&world->tree, "site/a.css", "first");
    start_labelled(world, "2026.11.23-1", 1718539201000, tokens, notice);
    start_labelled(world, "2026.11.23-1", 1718539202000, tokens, notice);
    assert_string_equal(tokens[0], "1718539201000");
    assert_string_equal(notice, "");
    tree_write(&world->tree, "site/a.css", "other");
    start_labelled(world, "2026.11.23-1", 1718539203000, tokens, notice);
    assert_string_equal(tokens[0], "1718539203000");
    assert_non_null(strstr(notice, "has the label of 2026.11.23-1~"));
    assert_non_null(strstr(notice, "reproducible"));
    /* it is said when it happens, not at every start */
    notice[0] = '\0';
    start_labelled(world, "2026.11.23-1", 1718539204000, tokens, notice);
    assert_string_equal(tokens[0], "1718539203000");
    assert_string_equal(notice, "");
}

static void an_operators_token_on_changed_files_gets_its_order_appended(void **state)
{
    const world_t *world = *state;
    char tokens[2][80], again[2][80], notice[512] = "";

    unlink(world->path);
    tree_write(&world->tree, "site/a.css", "first");
    start_node(world, 1718539201000, tokens, notice);
    assert_string_equal(tokens[1], "v1");
    tree_write(&world->tree, "site/a.css", "other");
    start_node(world, 1718539202000, tokens, notice);
    assert_memory_equal(tokens[1], "v1.1718539202", 13);
    /* it is said when it happens, not at every start */
    assert_non_null(strstr(notice, "token v1 is that of release "));
    assert_non_null(strstr(notice, tokens[1]));
    notice[0] = '\0';
    start_node(world, 1718539203000, again, notice);
    assert_string_equal(again[1], tokens[1]);
    assert_string_equal(notice, "");
}

/* the files stay, and the operator gives them one token after the other */
static void a_token_that_is_handed_out_is_remembered_however_many_others_there_were(void **state)
{
    const world_t *world = *state;
    char tokens[2][80], given[16], notice[512] = "";
    const breaker_ledger_entry_t *own;
    breaker_ledger_t ledger;

    unlink(world->path);
    tree_write(&world->tree, "site/a.css", "first");
    for (unsigned i = 0; i != BREAKER_LEDGER_MAX + 8; ++i) {
        snprintf(given, sizeof(given), "w%u", i);
        start_given(world, NULL, given, 1718539201000 + i, tokens, notice);
        assert_string_equal(tokens[0], "1718539201000");
        assert_string_equal(tokens[1], given);
    }
    assert_string_equal(notice, "");
    load(world->path, &ledger);
    assert_int_equal(breaker_ledger_size(&ledger), BREAKER_LEDGER_MAX);
    own = breaker__ledger_find(&ledger, tokens[0], strlen(tokens[0]));
    assert_non_null(own);
    assert_int_equal(own->order, 1718539201000);
    assert_null(breaker__ledger_find(&ledger, "w0", 2));
}

static void a_file_without_an_order_left_is_told_and_left_alone(void **state)
{
    breaker_ledger_entry_t last = entry_of((UINT64_C(1) << 53) - 1, "last", "other");
    const world_t *world = *state;
    char tokens[2][80], notice[512] = "";
    breaker_ledger_t ledger;

    tree_write(&world->tree, "site/a.css", "first");
    save(world->path, &last, NULL);
    start_node(world, 1718539201000, tokens, notice);
    assert_string_equal(tokens[0], "1718539201000");
    assert_string_equal(tokens[1], "v1");
    assert_non_null(strstr(notice, "none above last"));
    load(world->path, &ledger);
    assert_int_equal(breaker_ledger_size(&ledger), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_saved_is_loaded),
        cmocka_unit_test(the_longest_names_and_the_largest_order_come_back),
        cmocka_unit_test(the_own_entry_stays_where_the_ledger_has_dropped_it),
        cmocka_unit_test(no_file_is_an_empty_ledger_without_a_word),
        cmocka_unit_test(saving_leaves_one_file),
        cmocka_unit_test(a_place_that_cannot_be_written_is_told_and_the_old_file_stays),
        cmocka_unit_test(a_file_cut_anywhere_is_not_used),
        cmocka_unit_test(a_file_with_any_bit_flipped_is_not_used),
        cmocka_unit_test(a_file_with_bytes_behind_or_inside_is_not_used),
        cmocka_unit_test(lines_that_are_no_entries_are_not_used_however_right_the_checksum),
        cmocka_unit_test(foreign_files_are_not_used),
        cmocka_unit_test(an_older_versions_file_is_read),
        cmocka_unit_test(a_release_that_comes_back_to_a_node_leads_nobody_back),
        cmocka_unit_test(changed_files_under_one_label_are_told_and_have_a_token_of_their_own),
        cmocka_unit_test(an_operators_token_on_changed_files_gets_its_order_appended),
        cmocka_unit_test(a_token_that_is_handed_out_is_remembered_however_many_others_there_were),
        cmocka_unit_test(a_file_without_an_order_left_is_told_and_left_alone),
        cmocka_unit_test(a_restarted_node_has_its_token_again),
    };
    return cmocka_run_group_tests(tests, make_world, free_world);
}
