/*
 * Snapshots and their publication. References on releases are counted on their way through the
 * linker: a snapshot takes one on each of its releases and drops it when it is freed, so that taken
 * and dropped are equal exactly when every snapshot was freed once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <breaker/error.h>
#include <breaker/snapshot.h>
#include "releases.h"
#include "serving/publisher.h"
#include "serving/snapshot.h"

static atomic_size_t num_taken, num_dropped;

breaker_release_t *__real_breaker__release_ref(breaker_release_t *release);
void __real_breaker_release_unref(breaker_release_t *release);
breaker_release_t *__wrap_breaker__release_ref(breaker_release_t *release);
void __wrap_breaker_release_unref(breaker_release_t *release);

breaker_release_t *__wrap_breaker__release_ref(breaker_release_t *release)
{
    atomic_fetch_add(&num_taken, 1);
    return __real_breaker__release_ref(release);
}

void __wrap_breaker_release_unref(breaker_release_t *release)
{
    if (release != NULL)
        atomic_fetch_add(&num_dropped, 1);
    __real_breaker_release_unref(release);
}

static const fixture_file_t files[] = {{0, "a.css", "a{}"}, {1, "index.html", "<p>"}};

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

/* a configuration of both views under one token */
static breaker__snapshot_config_t config_of(const fixture_t *fixture, const breaker_token_t *tokens)
{
    return (breaker__snapshot_config_t){
        .views = (const breaker_view_t *const *)fixture->views,
        .tokens = tokens,
        .num_views = FIXTURE_VIEWS,
        .release = fixture->release,
    };
}

static breaker_snapshot_t *make_snapshot(const breaker__snapshot_config_t *config)
{
    breaker_snapshot_t *snapshot;

    assert_int_equal(breaker__snapshot_create(config, &snapshot), 0);
    return snapshot;
}

static void a_snapshot_says_what_it_was_made_of(void **state)
{
    breaker_token_t tokens[] = {token_of("11"), token_of("v2")};
    breaker__snapshot_config_t config;
    breaker_snapshot_t *snapshot;
    fixture_t fixture;

    (void)state;
    fixture_load(&fixture, "r1", files, 2);
    config = config_of(&fixture, tokens);
    config.older_alive = true;
    snapshot = make_snapshot(&config);
    memset(tokens, 'x', sizeof(tokens));

    assert_int_equal(snapshot->num_views, 2);
    assert_ptr_equal(snapshot->release, fixture.release);
    assert_false(snapshot->has_ledger);
    assert_true(snapshot->older_alive);
    for (size_t i = 0; i != 2; ++i) {
        static const char *const prefixes[] = {"/static/11/", "/assets/vv2-x/pub/"};
        const breaker_snapshot_view_t *view = snapshot->views + i;
        assert_ptr_equal(view->view, fixture.views[i]);
        assert_ptr_equal(view->store, breaker_release_store(fixture.release, i));
        assert_int_equal(view->prefix_len, strlen(prefixes[i]));
        assert_memory_equal(view->prefix, prefixes[i], view->prefix_len);
    }
    assert_string_equal(snapshot->views[0].token.text, "11");
    assert_string_equal(snapshot->views[1].token.text, "v2");
    breaker_snapshot_unref(snapshot);
    fixture_free(&fixture);
}

static void without_a_release_there_are_no_stores(void **state)
{
    breaker_token_t tokens[] = {token_of("11"), token_of("12")};
    breaker__snapshot_config_t config;
    breaker_snapshot_t *snapshot;
    fixture_t fixture;

    (void)state;
    fixture_load(&fixture, "r1", files, 2);
    config = config_of(&fixture, tokens);
    config.release = NULL;
    snapshot = make_snapshot(&config);
    assert_null(snapshot->release);
    assert_null(snapshot->views[0].store);
    assert_memory_equal(snapshot->views[1].prefix, "/assets/v12-x/pub/", 18);
    breaker_snapshot_unref(snapshot);
    breaker_snapshot_unref(NULL);
    fixture_free(&fixture);
}

static void ledger_entries_know_what_the_node_can_do_for_them(void **state)
{
    breaker_token_t tokens[] = {token_of("13"), token_of("13")};
    breaker_release_id_t relayable[] = {release_of("peer"), release_of("never-heard-of")};
    breaker__snapshot_config_t config;
    breaker_ledger_t ledger;
    breaker_snapshot_t *snapshot;
    fixture_t mine, kept;

    (void)state;
    fixture_load(&mine, "mine", files, 2);
    fixture_load(&kept, "kept", files, 2);
    breaker_ledger_entry_t entries[] = {
        {10, token_of("10"), release_of("gone")},
        {11, token_of("11"), *breaker_release_id(kept.release)},
        {12, token_of("12"), release_of("peer")},
        {13, token_of("13"), *breaker_release_id(mine.release)},
        {14, token_of("14"), *breaker_release_id(mine.release)},
    };
    assert_int_equal(breaker_ledger_init(&ledger, entries, 5), 0);
    config = config_of(&mine, tokens);
    config.held = &kept.release;
    config.num_held = 1;
    config.ledger = &ledger;
    config.relayable = relayable;
    config.num_relayable = 2;
    snapshot = make_snapshot(&config);
    memset(&ledger, 0xff, sizeof(ledger));

    assert_true(snapshot->has_ledger);
    assert_int_equal(breaker_ledger_size(&snapshot->ledger), 5);
    assert_null(snapshot->entry_release[0]);
    assert_ptr_equal(snapshot->entry_release[1], kept.release);
    assert_null(snapshot->entry_release[2]);
    assert_ptr_equal(snapshot->entry_release[3], mine.release);
    assert_ptr_equal(snapshot->entry_release[4], mine.release);
    for (size_t i = 0; i != 5; ++i)
        assert_int_equal(snapshot->entry_relayable[i], i == 2);
    breaker_snapshot_unref(snapshot);
    fixture_free(&kept);
    fixture_free(&mine);
}

static void limits_are_refused(void **state)
{
    breaker_token_t tokens[] = {token_of("11"), token_of("12")};
    breaker__snapshot_config_t config;
    breaker_snapshot_t *snapshot = NULL;
    fixture_t fixture;

    (void)state;
    fixture_load(&fixture, "r1", files, 2);
    config = config_of(&fixture, tokens);
    config.num_held = BREAKER_HELD_MAX + 1;
    assert_int_equal(breaker__snapshot_create(&config, &snapshot), BREAKER_ERR_TOO_MANY);
    config.num_held = 0;
    config.num_views = BREAKER_VIEWS_MAX + 1;
    assert_int_equal(breaker__snapshot_create(&config, &snapshot), BREAKER_ERR_TOO_MANY);
    assert_null(snapshot);
    fixture_free(&fixture);
}

static void a_snapshot_keeps_its_releases(void **state)
{
    breaker_token_t tokens[] = {token_of("11"), token_of("12")};
    breaker__snapshot_config_t config;
    breaker_snapshot_t *snapshot;
    fixture_t mine, kept;
    const breaker_asset_t *asset;

    (void)state;
    fixture_load(&mine, "mine", files, 2);
    fixture_load(&kept, "kept", files, 2);
    config = config_of(&mine, tokens);
    config.held = &kept.release;
    config.num_held = 1;
    snapshot = make_snapshot(&config);
    breaker_release_unref(mine.release);
    breaker_release_unref(kept.release);
    mine.release = kept.release = NULL;

    asset = breaker_store_find(snapshot->views[0].store, "a.css", 5);
    assert_non_null(asset);
    assert_memory_equal(breaker_asset_variant(asset, BREAKER_ENCODING_IDENTITY)->base, "a{}", 3);
    assert_memory_equal(breaker_release_id(snapshot->held[0])->text, "kept~", 5);
    breaker_snapshot_ref(snapshot);
    breaker_snapshot_unref(snapshot);
    assert_memory_equal(breaker_release_id(snapshot->held[0])->text, "kept~", 5);
    breaker_snapshot_unref(snapshot);
    fixture_free(&kept);
    fixture_free(&mine);
}

static void a_reader_sees_what_is_published_once(void **state)
{
    breaker_token_t tokens[] = {token_of("11"), token_of("12")};
    breaker_publisher_t *publisher;
    breaker_snapshot_t *held = NULL, *first, *second;
    breaker__snapshot_config_t config;
    fixture_t fixture;

    (void)state;
    fixture_load(&fixture, "r1", files, 2);
    config = config_of(&fixture, tokens);
    first = make_snapshot(&config);
    second = make_snapshot(&config);
    assert_int_equal(breaker__publisher_create(&publisher), 0);
    assert_false(breaker_publisher_refresh(publisher, &held));
    assert_null(held);

    breaker__publisher_publish(publisher, first);
    assert_true(breaker_publisher_refresh(publisher, &held));
    assert_ptr_equal(held, first);
    assert_int_equal(held->generation, 1);
    assert_false(breaker_publisher_refresh(publisher, &held));

    breaker__publisher_publish(publisher, second);
    assert_int_equal(held->views[0].token.len, 2); /* still good */
    assert_true(breaker_publisher_refresh(publisher, &held));
    assert_ptr_equal(held, second);
    assert_int_equal(held->generation, 2);

    breaker__publisher_free(publisher);
    breaker__publisher_free(NULL);
    assert_int_equal(held->generation, 2); /* the reader's own reference */
    breaker_snapshot_unref(held);
    fixture_free(&fixture);
}

/* ---- threads ---- */

enum { NUM_READERS = 4, NUM_SEEN = 500 };

typedef struct st_reader_t {
    breaker_publisher_t *publisher;
    const atomic_bool *stop;
    pthread_t thread;
    /* how many snapshots the reader has taken up */
    atomic_size_t num_seen;
    size_t num_wrong;
} reader_t;

/* a snapshot that was freed or half made would not say this */
static bool is_whole(const breaker_snapshot_t *snapshot)
{
    return snapshot->num_views == FIXTURE_VIEWS && snapshot->views[0].prefix_len == 11 &&
           memcmp(snapshot->views[0].prefix, "/static/11/", 11) == 0 &&
           breaker_store_find(snapshot->views[0].store, "a.css", 5) != NULL;
}

static void *read_until_stopped(void *data)
{
    reader_t *reader = data;
    breaker_snapshot_t *held = NULL;
    uint64_t last = 0;

    while (!atomic_load(reader->stop)) {
        if (breaker_publisher_refresh(reader->publisher, &held)) {
            if (held->generation <= last || !is_whole(held))
                ++reader->num_wrong;
            last = held->generation;
            atomic_fetch_add(&reader->num_seen, 1);
        } else {
            /* where threads take turns, the publisher wants one too */
            sched_yield();
        }
    }
    breaker_snapshot_unref(held);
    return NULL;
}

static bool have_all_seen_enough(reader_t *readers)
{
    for (size_t i = 0; i != NUM_READERS; ++i)
        if (atomic_load(&readers[i].num_seen) < NUM_SEEN)
            return false;
    return true;
}

static void start_readers(reader_t *readers, breaker_publisher_t *publisher,
                          const atomic_bool *stop)
{
    for (size_t i = 0; i != NUM_READERS; ++i) {
        readers[i].publisher = publisher;
        readers[i].stop = stop;
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_until_stopped, readers + i),
                         0);
    }
}

static void readers_race_a_publisher_and_every_snapshot_is_freed_once(void **state)
{
    breaker_token_t tokens[] = {token_of("11"), token_of("12")};
    breaker__snapshot_config_t config;
    reader_t readers[NUM_READERS] = {0};
    breaker_publisher_t *publisher;
    size_t taken, dropped, num_published = 0;
    atomic_bool stop = false;
    fixture_t fixture;

    (void)state;
    fixture_load(&fixture, "r1", files, 2);
    config = config_of(&fixture, tokens);
    assert_int_equal(breaker__publisher_create(&publisher), 0);
    taken = num_taken;
    dropped = num_dropped;
    start_readers(readers, publisher, &stop);
    for (; !have_all_seen_enough(readers); ++num_published)
        breaker__publisher_publish(publisher, make_snapshot(&config));
    atomic_store(&stop, true);
    for (size_t i = 0; i != NUM_READERS; ++i) {
        pthread_join(readers[i].thread, NULL);
        assert_int_equal(readers[i].num_wrong, 0);
    }
    assert_int_equal(num_taken - taken, num_published);
    assert_int_equal(num_dropped - dropped, num_published - 1); /* one is still published */
    breaker__publisher_free(publisher);
    assert_int_equal(num_dropped - dropped, num_published);
    fixture_free(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_snapshot_says_what_it_was_made_of),
        cmocka_unit_test(without_a_release_there_are_no_stores),
        cmocka_unit_test(ledger_entries_know_what_the_node_can_do_for_them),
        cmocka_unit_test(limits_are_refused),
        cmocka_unit_test(a_snapshot_keeps_its_releases),
        cmocka_unit_test(a_reader_sees_what_is_published_once),
        cmocka_unit_test(readers_race_a_publisher_and_every_snapshot_is_freed_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
