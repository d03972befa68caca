/*
 * A state file that processes share, and what is left of those that are killed in the act: rename
 * and fsync are ours, so a process is killed, or held, exactly there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cluster/state.h"
#include "tree.h"

typedef enum en_strike_t {
    STRIKE_NOT,
    STRIKE_AT_FSYNC,
    STRIKE_AT_RENAME,
    STRIKE_AFTER_RENAME,
    /* tells that it is there, and waits until it is let go */
    HOLD_AT_RENAME,
} strike_t;

static strike_t strike;
static int held[2], let_go[2];

int __real_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_fsync(int fd);

static void end_at_once(void)
{
    kill(getpid(), SIGKILL);
    pause();
}

int __wrap_fsync(int fd)
{
    if (strike == STRIKE_AT_FSYNC)
        end_at_once();
    /* what a power failure leaves is not what this is about */
    (void)fd;
    return 0;
}

int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    char byte = 0;
    int err;

    if (strike == STRIKE_AT_RENAME)
        end_at_once();
    if (strike == HOLD_AT_RENAME &&
        (write(held[1], &byte, 1) != 1 || read(let_go[0], &byte, 1) != 1))
        abort();
    err = __real_renameat(from_fd, from, to_fd, to);
    if (strike == STRIKE_AFTER_RENAME)
        end_at_once();
    return err;
}

/* ---- a directory and its state file ---- */

typedef struct st_world_t {
    tree_t tree;
    char path[128];
} world_t;

static int make_world(void **state)
{
    static world_t world;

    strike = STRIKE_NOT;
    tree_create(&world.tree);
    snprintf(world.path, sizeof(world.path), "%s/state", world.tree.path);
    *state = &world;
    return 0;
}

static void end_all(void);

static int free_world(void **state)
{
    world_t *world = *state;

    end_all();
    tree_remove(&world->tree);
    return 0;
}

static unsigned count_files(const world_t *world)
{
    DIR *directory = opendir(world->tree.path);
    const struct dirent *entry;
    unsigned num = 0;

    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL)
        num += entry->d_name[0] != '.';
    closedir(directory);
    return num;
}

/* a ledger of so many entries, all of them of this writer's release */
static int save(const world_t *world, const char *writer, size_t num)
{
    breaker_ledger_entry_t entries[BREAKER_LEDGER_MAX] = {{.order = 0}};
    breaker_ledger_t ledger;
    breaker_error_t error = {0};
    char token[32];

    for (size_t i = 0; i != num; ++i) {
        entries[i].order = 1000 + i;
        snprintf(token, sizeof(token), "%s-%zu", writer, i);
        if (breaker_token_parse(token, strlen(token), &entries[i].token) != 0 ||
            breaker_release_id_parse(writer, strlen(writer), &entries[i].release) != 0)
            abort();
    }
    if (breaker_ledger_init(&ledger, entries, num) != 0)
        abort();
    return breaker__state_save(world->path, NULL, &ledger, &error);
}

/* the writer whose file it is, whole */
static const char *check_whole(const world_t *world, size_t num)
{
    static breaker_release_id_t writer;
    breaker_error_t error = {0};
    breaker_ledger_t ledger;

    if (breaker__state_load(world->path, &ledger, &error) != 0)
        fail_msg("%s", error.message);
    assert_int_equal(breaker_ledger_size(&ledger), num);
    writer = breaker_ledger_at(&ledger, 0)->release;
    for (size_t i = 0; i != num; ++i)
        assert_true(breaker_release_id_equal(&breaker_ledger_at(&ledger, i)->release, &writer));
    return writer.text;
}

static pid_t spawned[8];
static size_t num_spawned;

/* what a test that failed has left running would write into the directory while it is removed */
static void end_all(void)
{
    size_t num = sizeof(spawned) / sizeof(spawned[0]);

    for (size_t i = 0; i != num_spawned && i != num; ++i)
        if (waitpid(spawned[i], NULL, WNOHANG) == 0) {
            kill(spawned[i], SIGKILL);
            waitpid(spawned[i], NULL, 0);
        }
    num_spawned = 0;
}

/* a process that saves until its end, or until `strike` ends it */
static pid_t spawn(const world_t *world, const char *writer, size_t times)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid != 0) {
        spawned[num_spawned++ % (sizeof(spawned) / sizeof(spawned[0]))] = pid;
        return pid;
    }
    for (size_t i = 0; i != times; ++i)
        if (save(world, writer, BREAKER_LEDGER_MAX) != 0)
            _exit(1);
    _exit(0);
}

static int wait_for(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* ---- what is left ---- */

static void killed_processes_leave_one_file_at_most_and_the_next_one_none(void **state)
{
    static const strike_t strikes[] = {STRIKE_AT_FSYNC, STRIKE_AT_RENAME, STRIKE_AFTER_RENAME};
    const world_t *world = *state;

    assert_int_equal(save(world, "before", BREAKER_LEDGER_MAX), 0);
    for (unsigned i = 0; i != 60; ++i) {
        int status;
        strike = strikes[i % 3];
        status = wait_for(spawn(world, "killed", 1));
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        strike = STRIKE_NOT;
        assert_string_equal(check_whole(world, BREAKER_LEDGER_MAX), i < 2 ? "before" : "killed");
        assert_int_equal(count_files(world), strikes[i % 3] == STRIKE_AFTER_RENAME ? 1 : 2);
    }
    strike = STRIKE_AT_RENAME;
    wait_for(spawn(world, "killed", 1));
    strike = STRIKE_NOT;
    assert_int_equal(count_files(world), 2);
    assert_int_equal(save(world, "after", BREAKER_LEDGER_MAX), 0);
    assert_int_equal(count_files(world), 1);
    assert_string_equal(check_whole(world, BREAKER_LEDGER_MAX), "after");
}

/* wherever it happens to be just then */
static void processes_killed_at_any_time_leave_a_whole_file(void **state)
{
    const world_t *world = *state;

    assert_int_equal(save(world, "before", BREAKER_LEDGER_MAX), 0);
    for (unsigned i = 0; i != 100; ++i) {
        pid_t pid = spawn(world, "killed", 1000000);
        usleep(i * 37 % 1500);
        kill(pid, SIGKILL);
        wait_for(pid);
        check_whole(world, BREAKER_LEDGER_MAX);
        assert_true(count_files(world) <= 2);
    }
    assert_int_equal(save(world, "after", BREAKER_LEDGER_MAX), 0);
    assert_int_equal(count_files(world), 1);
}

/* the old and the new process of a restart; one of them stands still in the middle */
static void a_living_writers_file_is_not_taken_for_a_left_one(void **state)
{
    const world_t *world = *state;
    char byte = 0;
    pid_t pid;

    assert_int_equal(pipe(held), 0);
    assert_int_equal(pipe(let_go), 0);
    strike = HOLD_AT_RENAME;
    pid = spawn(world, "old", 1);
    strike = STRIKE_NOT;
    assert_int_equal(read(held[0], &byte, 1), 1);
    for (unsigned i = 0; i != 20; ++i)
        assert_int_equal(save(world, "new", BREAKER_LEDGER_MAX), 0);
    assert_int_equal(count_files(world), 2);
    assert_string_equal(check_whole(world, BREAKER_LEDGER_MAX), "new");
    assert_int_equal(write(let_go[1], &byte, 1), 1);
    assert_int_equal(wait_for(pid), 0);
    assert_string_equal(check_whole(world, BREAKER_LEDGER_MAX), "old");
    assert_int_equal(count_files(world), 1);
    for (unsigned i = 0; i != 2; ++i) {
        close(held[i]);
        close(let_go[i]);
    }
}

/* and everybody who looks meanwhile finds one of them */
static void processes_that_save_at_once_never_tear_the_file(void **state)
{
    const world_t *world = *state;
    static const char *const writers[] = {"first", "second", "third"};
    unsigned looks = 0;

    assert_int_equal(save(world, "before", BREAKER_LEDGER_MAX), 0);
    for (size_t i = 0; i != 3; ++i)
        spawn(world, writers[i], 400);
    for (unsigned ended = 0; ended != 3; ++looks) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        check_whole(world, BREAKER_LEDGER_MAX);
        assert_true(count_files(world) <= 1 + 3 + 3);
        if (pid > 0) {
            assert_int_equal(status, 0);
            ++ended;
        }
    }
    assert_true(looks >= 3);
    assert_int_equal(save(world, "after", 1), 0);
    assert_int_equal(count_files(world), 1);
}

static void put(const world_t *world, const char *name)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", world->tree.path, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
}

static void what_is_not_left_by_a_save_stays(void **state)
{
    static const char *const names[] = {"state.backup",
                                        "state.1234",
                                        "state.new-",
                                        "state.new-0123456789abcde",
                                        "state.new-0123456789abcdef0",
                                        "state.new-0123456789abcdeg",
                                        "state2.new-0123456789abcdef",
                                        "tate.new-0123456789abcdef"};
    const world_t *world = *state;
    char path[256];

    for (size_t i = 0; i != sizeof(names) / sizeof(names[0]); ++i)
        put(world, names[i]);
    put(world, "state.new-0123456789abcdef");
    snprintf(path, sizeof(path), "%s/state.new-0000000000000000", world->tree.path);
    assert_int_equal(mkdir(path, 0755), 0);
    snprintf(path, sizeof(path), "%s/state.new-0000000000000001", world->tree.path);
    assert_int_equal(symlink("state.backup", path), 0);
    assert_int_equal(save(world, "mine", 1), 0);
    /* all but the one that looks like a left one, and the state file */
    assert_int_equal(count_files(world), sizeof(names) / sizeof(names[0]) + 2 + 1);
    assert_string_equal(check_whole(world, 1), "mine");
}

static void a_path_without_a_directory_is_in_the_working_one(void **state)
{
    const world_t *world = *state;
    world_t here = *world;
    char back[1024];

    assert_non_null(getcwd(back, sizeof(back)));
    assert_int_equal(chdir(world->tree.path), 0);
    strcpy(here.path, "state");
    strike = STRIKE_AT_RENAME;
    wait_for(spawn(&here, "killed", 1));
    strike = STRIKE_NOT;
    assert_int_equal(count_files(world), 1);
    assert_int_equal(save(&here, "mine", 1), 0);
    assert_int_equal(count_files(world), 1);
    assert_int_equal(chdir(back), 0);
    assert_string_equal(check_whole(world, 1), "mine");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_world, free_world)
    const struct CMUnitTest tests[] = {
        TEST(killed_processes_leave_one_file_at_most_and_the_next_one_none),
        TEST(processes_killed_at_any_time_leave_a_whole_file),
        TEST(a_living_writers_file_is_not_taken_for_a_left_one),
        TEST(processes_that_save_at_once_never_tear_the_file),
        TEST(what_is_not_left_by_a_save_stays),
        TEST(a_path_without_a_directory_is_in_the_working_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
