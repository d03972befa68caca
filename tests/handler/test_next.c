/*
 * A node that loads other files again and again while several threads answer requests from it: no
 * request fails, what comes under a token are the bytes of the release that the token names, and
 * nothing of the old releases stays.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <breaker/h2o.h>
#include "loopback.h"
#include "tree.h"

/* with the thread sanitizer everything takes ten times as long */
#ifdef __SANITIZE_THREAD__
#define NUM_LOADS 40
#else
#define NUM_LOADS 200
#endif

enum {
    NUM_THREADS = 3,
    NUM_TREES = 4,
    /* from here on descriptors and memory are compared */
    NUM_WARM = 20,
    DEADLINE_MS = 120000,
    /* in memory as one piece, in a memory file, and on disk */
    SMALL_LEN = 1000,
    LARGE_LEN = 300000,
    DISK_LEN = 700000,
    /* what the allocator may keep for itself; a release that stays has 300 KB at least */
    SLACK_LEN = 6 << 20,
};

/* what a sanitizer keeps of memory that was freed says nothing of ours */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define COMPARES_MEMORY false
#else
#define COMPARES_MEMORY true
#endif

typedef struct st_world_t {
    tree_t tree;
    breaker_node_t *node;
    const breaker_view_t *view;
    h2o_globalconf_t types; /* for the hooks of the node */
    atomic_bool stop;
    atomic_uint num_loaded, num_requests[NUM_THREADS], num_redirects, num_ended;
} world_t;

typedef struct st_worker_t {
    world_t *world;
    size_t index;
    loopback_server_t server;
    breaker_snapshot_t *current;
    breaker_token_t first;
} worker_t;

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void rest_ms(uint64_t ms)
{
    nanosleep(&(struct timespec){(time_t)(ms / 1000), (long)(ms % 1000) * 1000000}, NULL);
}

static void pause_ms(void)
{
    rest_ms(1);
}

/* an assertion of cmocka ends a test by a jump, which other threads cannot */
static void check(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

/* ---- the threads that serve ---- */

static size_t length_of(const char *name)
{
    return strcmp(name, "small") == 0   ? SMALL_LEN
           : strcmp(name, "large") == 0 ? LARGE_LEN
                                        : DISK_LEN;
}

static void check_body(const loopback_t *exchange, const char *name, char letter)
{
    const char *bytes = exchange->body->bytes;
    size_t len = exchange->body->size;

    check(!exchange->error && exchange->complete, "an answer broke off");
    check(len == length_of(name), "an answer has another length");
    check(bytes[0] == letter, "bytes of another release");
    check(memcmp(bytes, bytes + 1, len - 1) == 0, "bytes of two releases");
}

/* returns the status; `letter` is whose bytes a 200 must have */
static int get(worker_t *worker, const breaker_token_t *token, const char *name, char letter)
{
    loopback_t *exchange;
    char path[128];
    int status;

    snprintf(path, sizeof(path), "/static/%s/%s", token->text, name);
    exchange = loopback_open(&worker->server, "GET", path);
    loopback_run(exchange);
    status = exchange->status;
    if (status == 200)
        check_body(exchange, name, letter);
    else
        check(status == 301 && loopback_response_header(exchange, "location") != NULL,
              "neither 200 nor 301");
    loopback_close(exchange);
    atomic_fetch_add(&worker->world->num_requests[worker->index], 1);
    return status;
}

static char letter_of(const breaker_snapshot_t *snapshot)
{
    return breaker_release_id(snapshot->release)->text[0];
}

static void ask_for_all(worker_t *worker)
{
    static const char *const names[] = {"small", "large", "disk"};
    breaker_token_t token;
    char letter;

    breaker_publisher_refresh(breaker_node_publisher(worker->world->node), &worker->current);
    token = worker->current->views[0].token;
    letter = letter_of(worker->current);
    for (size_t i = 0; i != 3; ++i) {
        /* the server's own snapshot may be a later one by now */
        get(worker, &token, names[i], letter);
        if (get(worker, &worker->first, names[i], letter_of(worker->current)) == 301)
            atomic_fetch_add(&worker->world->num_redirects, 1);
        else
            check(breaker_token_equal(&worker->first, &token), "an old token is still answered");
    }
}

static void *run_worker(void *data)
{
    worker_t *worker = data;
    world_t *world = worker->world;
    breaker_publisher_t *publisher = breaker_node_publisher(world->node);

    loopback_server_init(&worker->server);
    check(breaker_h2o_static_register(worker->server.path, world->node, &world->view, 1) == 0,
          "no handler");
    loopback_server_start(&worker->server);
    breaker_publisher_refresh(publisher, &worker->current);
    worker->first = worker->current->views[0].token;
    while (!atomic_load(&world->stop)) {
        uint64_t began = now_ms();

        ask_for_all(worker);
        /* the loader has the lowest priority, and the processors may be few: it gets one of them,
         * however long an answer takes with a sanitizer */
        rest_ms(1 + 2 * (now_ms() - began));
    }
    breaker_snapshot_unref(worker->current);
    loopback_server_dispose(&worker->server);
    atomic_fetch_add(&world->num_ended, 1);
    /* libh2o keeps buffers for each thread, and loses them with it: this one stays */
    for (;;)
        pause();
    return NULL;
}

/* every thread has let go of what it had before this was called */
static void wait_for_requests(world_t *world)
{
    uint64_t end = now_ms() + DEADLINE_MS;

    for (size_t i = 0; i != NUM_THREADS; ++i) {
        unsigned before = atomic_load(&world->num_requests[i]);

        for (; atomic_load(&world->num_requests[i]) < before + 12; pause_ms())
            assert_true(now_ms() < end);
    }
}

/* ---- the one that loads ---- */

static size_t count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    size_t num = 0;

    assert_non_null(directory);
    while (readdir(directory) != NULL)
        ++num;
    closedir(directory);
    return num;
}

static size_t resident_len(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long size, resident;

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu %lu", &size, &resident), 2);
    fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

static void on_done(void *data, breaker_next_end_t end, const breaker_error_t *error)
{
    world_t *world = data;

    check(end == BREAKER_NEXT_PUBLISHED, error != NULL ? error->message : "not published");
    atomic_fetch_add(&world->num_loaded, 1);
}

static void load_next(world_t *world, unsigned num)
{
    char path[80], label[2] = {(char)('a' + num % NUM_TREES), '\0'};
    const char *const directories[] = {path};
    uint64_t end = now_ms() + DEADLINE_MS;
    breaker_next_t next;

    snprintf(path, sizeof(path), "%s/%s", world->tree.path, label);
    breaker_next_init(&next);
    next.directories = directories;
    next.label = label;
    next.data = world;
    next.on_done = on_done;
    assert_int_equal(breaker_node_load_next(world->node, &next), 0);
    for (; atomic_load(&world->num_loaded) != num; pause_ms())
        assert_true(now_ms() < end);
}

static void write_file(const world_t *world, char letter, const char *name)
{
    size_t len = length_of(name);
    char path[16], *content = malloc(len + 1);

    assert_non_null(content);
    memset(content, letter, len);
    content[len] = '\0';
    snprintf(path, sizeof(path), "%c/%s", letter, name);
    tree_write(&world->tree, path, content);
    free(content);
}

static void make_node(world_t *world)
{
    breaker_node_config_t config;
    breaker_view_config_t view_config;
    char path[80];

    h2o_config_init(&world->types);
    breaker_h2o_node_config_init(&config, &world->types);
    assert_int_equal(breaker_node_create(&config, &world->node), 0);
    assert_int_equal(breaker_node_set_label(world->node, "a", 1), 0);
    snprintf(path, sizeof(path), "%s/a", world->tree.path);
    breaker_view_config_init(&view_config);
    view_config.name = "static/{breaker}";
    view_config.directory = path;
    view_config.memory_file_limit = LARGE_LEN;
    assert_int_equal(breaker_node_add_view(world->node, &view_config, &world->view), 0);
    assert_int_equal(breaker_node_load(world->node, NULL), 0);
}

static int setup(void **state)
{
    world_t *world = calloc(1, sizeof(*world));

    assert_non_null(world);
    tree_create(&world->tree);
    for (char letter = 'a'; letter != 'a' + NUM_TREES; ++letter) {
        write_file(world, letter, "small");
        write_file(world, letter, "large");
        write_file(world, letter, "disk");
    }
    make_node(world);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    world_t *world = *state;

    breaker_node_free(world->node);
    h2o_config_dispose(&world->types);
    tree_remove(&world->tree);
    free(world);
    return 0;
}

static void no_request_notices_that_other_files_are_loaded(void **state)
{
    world_t *world = *state;
    static worker_t workers[NUM_THREADS];
    size_t num_descriptors = 0, resident = 0, num_at_end, resident_at_end;

    for (size_t i = 0; i != NUM_THREADS; ++i) {
        pthread_t thread;

        workers[i].world = world;
        workers[i].index = i;
        assert_int_equal(pthread_create(&thread, NULL, run_worker, workers + i), 0);
        pthread_detach(thread);
    }
    wait_for_requests(world);
    for (unsigned num = 1; num <= NUM_LOADS; ++num) {
        load_next(world, num);
        if (num != NUM_WARM)
            continue;
        wait_for_requests(world);
        num_descriptors = count_descriptors();
        resident = resident_len();
    }
    wait_for_requests(world);
    num_at_end = count_descriptors();
    resident_at_end = resident_len();

    atomic_store(&world->stop, true);
    for (uint64_t end = now_ms() + DEADLINE_MS; atomic_load(&world->num_ended) != NUM_THREADS;
         pause_ms())
        assert_true(now_ms() < end);
    assert_int_equal(num_at_end, num_descriptors);
    if (COMPARES_MEMORY)
        assert_true(resident_at_end <= resident + SLACK_LEN);
    assert_true(atomic_load(&world->num_redirects) != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_request_notices_that_other_files_are_loaded, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
