/*
 * How much is read in a row: from sockets so much and no more at a time, from files all there is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "http/reading.h"

enum { ROW_MAX = 16 << 10, MORE = 24 << 10 };

static char bytes[MORE];

/* both ends of a connection that has more in it than is read in a row */
static void connect_full(int *fds)
{
    int size = 1 << 20;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    for (size_t sent = 0; sent != MORE; sent += 4096)
        assert_int_equal(write(fds[1], bytes, 4096), 4096);
}

/* reads of a size until there is nothing more; returns how much came */
static size_t read_row(int fd, size_t size)
{
    size_t sum = 0;
    ssize_t num;

    while ((num = read(fd, bytes, size)) > 0) {
        sum += (size_t)num;
        if ((size_t)num != size)
            return sum;
    }
    assert_int_equal(num, -1);
    assert_int_equal(errno, EAGAIN);
    return sum;
}

static void a_row_of_reads_from_a_socket_ends(void **state)
{
    breaker__reading_t reading;
    int fds[2];

    (void)state;
    connect_full(fds);
    breaker__reading_begin(&reading);
    assert_int_equal(read_row(fds[0], 8192), ROW_MAX);
    assert_int_equal(read_row(fds[0], 8192), MORE - ROW_MAX);
    breaker__reading_end(&reading);
    close(fds[0]);
    close(fds[1]);
}

static void a_large_buffer_is_not_filled_at_once(void **state)
{
    breaker__reading_t reading;
    int fds[2];

    (void)state;
    connect_full(fds);
    breaker__reading_begin(&reading);
    assert_int_equal(read(fds[0], bytes, MORE), ROW_MAX);
    assert_int_equal(read(fds[0], bytes, MORE), MORE - ROW_MAX);
    breaker__reading_end(&reading);
    close(fds[0]);
    close(fds[1]);
}

static void rows_of_two_connections_are_not_one(void **state)
{
    breaker__reading_t reading;
    int first[2], second[2];

    (void)state;
    connect_full(first);
    connect_full(second);
    breaker__reading_begin(&reading);
    for (size_t sum = 0; sum != 24 << 10; sum += 4096) {
        assert_int_equal(read(first[0], bytes, 4096), 4096);
        assert_int_equal(read(second[0], bytes, 4096), 4096);
    }
    breaker__reading_end(&reading);
    for (size_t i = 0; i != 2; ++i) {
        close(first[i]);
        close(second[i]);
    }
}

static void a_file_is_read_to_its_end(void **state)
{
    breaker__reading_t reading;
    int fd = memfd_create("file", 0);

    (void)state;
    assert_int_equal(write(fd, bytes, MORE), MORE);
    lseek(fd, 0, SEEK_SET);
    breaker__reading_begin(&reading);
    for (size_t sum = 0; sum != MORE; sum += 4096)
        assert_int_equal(read(fd, bytes, 4096), 4096);
    assert_int_equal(read(fd, bytes, 4096), 0);
    lseek(fd, 0, SEEK_SET);
    assert_int_equal(read(fd, bytes, MORE), MORE);
    breaker__reading_end(&reading);
    close(fd);
}

static void other_threads_read_as_ever(void **state)
{
    int fds[2];

    (void)state;
    connect_full(fds);
    assert_int_equal(read_row(fds[0], 4096), MORE);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_of_reads_from_a_socket_ends),
        cmocka_unit_test(a_large_buffer_is_not_filled_at_once),
        cmocka_unit_test(rows_of_two_connections_are_not_one),
        cmocka_unit_test(a_file_is_read_to_its_end),
        cmocka_unit_test(other_threads_read_as_ever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
