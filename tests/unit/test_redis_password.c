/* Where a password of Redis may be kept, what of it counts, and that nothing of it is repeated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "redis/password.h"
#include "scratch.h"

#define VARIABLE "BREAKER_TEST_PASSWORD"

static int make_scratch(void **state)
{
    static scratch_t scratch;

    scratch_create(&scratch);
    *state = &scratch;
    return 0;
}

static int remove_scratch(void **state)
{
    scratch_remove(*state);
    return 0;
}

static int read_file(const scratch_t *scratch, const char *base, size_t len, char *password,
                     breaker_error_t *error)
{
    char path[300];

    scratch_write(scratch, "secret", base, len);
    snprintf(path, sizeof(path), "%s/secret", scratch->path);
    return breaker_redis_password_from_file(path, password, error);
}

static void line_ends_at_the_end_do_not_count(void **state)
{
    static const struct {
        const char *text, *password;
    } cases[] = {
        {"secret", "secret"},           {"secret\n", "secret"}, {"secret\r\n", "secret"},
        {"secret\n\n", "secret"},       {"a b\n", "a b"},       {" secret ", " secret "},
        {"two\nlines\n", "two\nlines"},
    };
    char password[BREAKER_REDIS_PASSWORD_MAX + 1];
    breaker_error_t error;

    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        assert_int_equal(read_file(*state, cases[i].text, strlen(cases[i].text), password, &error),
                         0);
        assert_string_equal(password, cases[i].password);
        assert_int_equal(setenv(VARIABLE, cases[i].text, 1), 0);
        assert_int_equal(breaker_redis_password_from_environment(VARIABLE, password, &error), 0);
        assert_string_equal(password, cases[i].password);
    }
}

static void a_password_has_1_to_1023_bytes_and_no_nul(void **state)
{
    char text[BREAKER_REDIS_PASSWORD_MAX + 100], password[BREAKER_REDIS_PASSWORD_MAX + 1] = "as is";
    breaker_error_t error;

    memset(text, 'x', sizeof(text));
    assert_int_equal(read_file(*state, text, BREAKER_REDIS_PASSWORD_MAX + 1, password, &error),
                     BREAKER_ERR_RANGE);
    assert_int_equal(read_file(*state, text, sizeof(text), password, &error), BREAKER_ERR_RANGE);
    assert_non_null(strstr(error.message, "/secret: accepted: a password of 1 to 1023 bytes"));
    assert_int_equal(read_file(*state, "", 0, password, &error), BREAKER_ERR_RANGE);
    assert_int_equal(read_file(*state, "\n", 1, password, &error), BREAKER_ERR_RANGE);
    assert_int_equal(read_file(*state, "a\0b", 3, password, &error), BREAKER_ERR_RANGE);
    assert_string_equal(password, "as is");
    memcpy(text + BREAKER_REDIS_PASSWORD_MAX, "\r\n", 2);
    assert_int_equal(read_file(*state, text, BREAKER_REDIS_PASSWORD_MAX + 2, password, &error), 0);
    assert_int_equal(strlen(password), BREAKER_REDIS_PASSWORD_MAX);
}

static void what_cannot_be_read_is_named_with_the_reason(void **state)
{
    const scratch_t *scratch = *state;
    char password[BREAKER_REDIS_PASSWORD_MAX + 1], path[300];
    breaker_error_t error;

    snprintf(path, sizeof(path), "%s/none", scratch->path);
    assert_int_equal(breaker_redis_password_from_file(path, password, &error), BREAKER_ERR_IO);
    assert_non_null(strstr(error.message, "/none: No such file or directory"));
    assert_int_equal(breaker_redis_password_from_file(scratch->path, password, &error),
                     BREAKER_ERR_IO);
    assert_non_null(strstr(error.message, ": Is a directory"));
    assert_int_equal(unsetenv(VARIABLE), 0);
    assert_int_equal(breaker_redis_password_from_environment(VARIABLE, password, &error),
                     BREAKER_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, VARIABLE ": accepted: "));
}

/* as the shell's <(…) gives it: in pieces */
static void a_pipe_is_read_to_its_end(void **state)
{
    char password[BREAKER_REDIS_PASSWORD_MAX + 1], path[64];
    breaker_error_t error;
    int ends[2];
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_true((pid = fork()) >= 0);
    if (pid == 0) {
        for (const char *at = "secret\n"; *at != '\0'; ++at)
            if (write(ends[1], at, 1) != 1)
                _exit(1);
        _exit(0);
    }
    close(ends[1]);
    snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);
    assert_int_equal(breaker_redis_password_from_file(path, password, &error), 0);
    assert_string_equal(password, "secret");
    close(ends[0]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* NULL where it cannot be made */
static const char *make_fifo(const scratch_t *scratch, const char *name)
{
    static char path[300];

    snprintf(path, sizeof(path), "%s/%s", scratch->path, name);
    return mkfifo(path, 0600) == 0 ? path : NULL;
}

static void a_pipe_that_nobody_writes_into_is_not_waited_for_for_ever(void **state)
{
    const char *path = make_fifo(*state, "abandoned");
    char password[BREAKER_REDIS_PASSWORD_MAX + 1] = "as is";
    breaker_error_t error;

    assert_non_null(path);
    assert_int_equal(breaker__redis_password_read(path, 20, password, &error), BREAKER_ERR_IO);
    assert_non_null(strstr(error.message, "/abandoned: nobody has written a password there"));
    assert_non_null(strstr(error.message, "within 0.02 s; accepted: "));
    assert_string_equal(password, "as is");
}

static void a_writer_that_does_not_close_is_not_waited_for_for_ever(void **state)
{
    char password[BREAKER_REDIS_PASSWORD_MAX + 1] = "as is", path[64];
    breaker_error_t error;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "sec", 3), 3);
    snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);
    assert_int_equal(breaker__redis_password_read(path, 20, password, &error), BREAKER_ERR_IO);
    assert_null(strstr(error.message, "sec"));
    assert_string_equal(password, "as is");
    close(ends[0]);
    close(ends[1]);
}

/* the open for writing returns when the reader is there */
static void a_writer_that_comes_after_the_reader_is_waited_for(void **state)
{
    const char *path = make_fifo(*state, "late");
    char password[BREAKER_REDIS_PASSWORD_MAX + 1];
    breaker_error_t error;
    pid_t pid;

    assert_non_null(path);
    assert_true((pid = fork()) >= 0);
    if (pid == 0) {
        int fd = open(path, O_WRONLY);
        _exit(fd != -1 && write(fd, "secret\n", 7) == 7 ? 0 : 1);
    }
    assert_int_equal(breaker_redis_password_from_file(path, password, &error), 0);
    assert_string_equal(password, "secret");
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_ends_at_the_end_do_not_count),
        cmocka_unit_test(a_password_has_1_to_1023_bytes_and_no_nul),
        cmocka_unit_test(what_cannot_be_read_is_named_with_the_reason),
        cmocka_unit_test(a_pipe_is_read_to_its_end),
        cmocka_unit_test(a_pipe_that_nobody_writes_into_is_not_waited_for_for_ever),
        cmocka_unit_test(a_writer_that_does_not_close_is_not_waited_for_for_ever),
        cmocka_unit_test(a_writer_that_comes_after_the_reader_is_waited_for),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
