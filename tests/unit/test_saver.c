/* When the state file is written, by clocks that the test makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "cluster/agreement.h"
#include "cluster/saver.h"
#include "cluster/state.h"
#include "tree.h"

typedef struct st_bench_t {
    tree_t tree;
    char path[128];
    breaker__saver_t saver;
    breaker__agreement_t *agreement;
} bench_t;

static int setup(void **state)
{
    static bench_t bench;
    breaker_agreement_config_t config;

    tree_create(&bench.tree);
    snprintf(bench.path, sizeof(bench.path), "%s/state", bench.tree.path);
    breaker__agreement_config_init(&config);
    assert_int_equal(breaker_release_id_parse("r1", 2, &config.release), 0);
    assert_int_equal(breaker__agreement_create(&config, &bench.agreement), 0);
    assert_int_equal(breaker__saver_init(&bench.saver, bench.path), 0);
    *state = &bench;
    return 0;
}

static int teardown(void **state)
{
    bench_t *bench = *state;

    breaker__saver_dispose(&bench->saver);
    breaker__agreement_free(bench->agreement);
    tree_remove(&bench->tree);
    return 0;
}

static bool has_file(const bench_t *bench)
{
    return access(bench->path, F_OK) == 0;
}

/* forgets the file, so that the next one is seen */
static bool take_file(const bench_t *bench)
{
    return unlink(bench->path) == 0;
}

static int save(bench_t *bench, uint64_t now_ms)
{
    return breaker__saver_save(&bench->saver, now_ms, bench->agreement, NULL);
}

static void without_a_wish_nothing_is_due(void **state)
{
    bench_t *bench = *state;

    assert_true(breaker__saver_due_ms(&bench->saver) == UINT64_MAX);
    assert_int_equal(save(bench, 5), 0);
    assert_false(has_file(bench));
}

static void a_change_is_saved_at_once_and_the_next_one_a_second_later(void **state)
{
    bench_t *bench = *state;

    breaker__saver_want(&bench->saver);
    assert_int_equal(breaker__saver_due_ms(&bench->saver), 0);
    assert_int_equal(save(bench, 5), 0);
    assert_true(take_file(bench));
    assert_true(breaker__saver_due_ms(&bench->saver) == UINT64_MAX);
    breaker__saver_want(&bench->saver);
    breaker__saver_want(&bench->saver);
    assert_int_equal(breaker__saver_due_ms(&bench->saver), 5 + BREAKER__SAVE_EVERY_MS);
    assert_int_equal(save(bench, 4 + BREAKER__SAVE_EVERY_MS), 0);
    assert_false(has_file(bench));
    assert_int_equal(save(bench, 5 + BREAKER__SAVE_EVERY_MS), 0);
    assert_true(has_file(bench));
}

static void what_cannot_be_saved_stays_due(void **state)
{
    bench_t *bench = *state;
    breaker_error_t error = {0};

    tree_remove(&bench->tree);
    breaker__saver_want(&bench->saver);
    assert_int_equal(breaker__saver_save(&bench->saver, 5, bench->agreement, &error),
                     BREAKER_ERR_IO);
    assert_non_null(strstr(error.message, bench->path));
    assert_int_equal(breaker__saver_due_ms(&bench->saver), 5 + BREAKER__SAVE_RETRY_MS);
    assert_int_equal(save(bench, 4 + BREAKER__SAVE_RETRY_MS), 0);
    assert_int_equal(save(bench, 5 + BREAKER__SAVE_RETRY_MS), BREAKER_ERR_IO);
    tree_create(&bench->tree);
}

static void the_last_word_does_not_wait(void **state)
{
    bench_t *bench = *state;

    breaker__saver_want(&bench->saver);
    assert_int_equal(save(bench, 5), 0);
    assert_true(take_file(bench));
    breaker__saver_hasten(&bench->saver);
    assert_int_equal(save(bench, 6), 0);
    /* only what was wanted */
    assert_false(has_file(bench));
    breaker__saver_want(&bench->saver);
    breaker__saver_hasten(&bench->saver);
    assert_int_equal(save(bench, 6), 0);
    assert_true(has_file(bench));
}

static void without_a_path_nothing_is_read_or_written(void **state)
{
    bench_t *bench = *state;
    breaker_ledger_t saved;
    breaker__saver_t saver;

    assert_int_equal(breaker__saver_init(&saver, NULL), 0);
    memset(&saved, 0x55, sizeof(saved));
    assert_int_equal(breaker__saver_load(&saver, &saved, NULL), 0);
    assert_int_equal(breaker_ledger_size(&saved), 0);
    breaker__saver_want(&saver);
    assert_true(breaker__saver_due_ms(&saver) == UINT64_MAX);
    assert_int_equal(breaker__saver_save(&saver, 5, bench->agreement, NULL), 0);
    breaker__saver_dispose(&saver);
}

static void what_was_saved_is_read(void **state)
{
    bench_t *bench = *state;
    breaker_ledger_entry_t entry = {.order = 50};
    breaker_ledger_t saved;

    assert_int_equal(breaker_token_parse("v1", 2, &entry.token), 0);
    assert_int_equal(breaker_release_id_parse("r1", 2, &entry.release), 0);
    assert_int_equal(breaker__state_save(bench->path, &entry, NULL, NULL), 0);
    assert_int_equal(breaker__saver_load(&bench->saver, &saved, NULL), 0);
    assert_int_equal(breaker_ledger_size(&saved), 1);
    assert_string_equal(breaker_ledger_at(&saved, 0)->token.text, "v1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_wish_nothing_is_due),
        TEST(a_change_is_saved_at_once_and_the_next_one_a_second_later),
        TEST(what_cannot_be_saved_stays_due),
        TEST(the_last_word_does_not_wait),
        TEST(without_a_path_nothing_is_read_or_written),
        TEST(what_was_saved_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
