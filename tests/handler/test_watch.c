/*
 * A watch of the server's loops tells of a connection that its peer has reset, too: whoever reads
 * then learns of it, and lets the connection go.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include "net/loop.h"
#include "thread/watch.h"

/* both ends of a connection over loopback, the first one non-blocking */
static void connect_pair(int *fds)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t len = sizeof(addr);
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, (struct sockaddr *)&addr, len), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
    assert_int_equal(listen(listener, 1), 0);
    fds[1] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fds[1], (struct sockaddr *)&addr, len), 0);
    fds[0] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(fds[0] >= 0);
    close(listener);
}

static void reset(int fd)
{
    struct linger at_once = {.l_onoff = 1};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(fd);
}

typedef struct st_reader_t {
    breaker__watch_t *watch;
    int fd, errnum;
} reader_t;

static void on_readable(void *data)
{
    reader_t *reader = data;
    char byte;

    assert_int_equal(recv(reader->fd, &byte, 1, 0), -1);
    reader->errnum = errno;
    breaker__watch_close(reader->watch);
}

static void a_reset_is_told(void **state)
{
    h2o_loop_t *loop = breaker__loop_create();
    reader_t reader = {.errnum = 0};
    int fds[2];
    (void)state;

    connect_pair(fds);
    reset(fds[1]);
    reader.fd = fds[0];
    reader.watch = breaker__watch_create(loop, fds[0], on_readable, &reader);
    breaker__watch_start(reader.watch);
    breaker__loop_run(loop, true);
    assert_int_equal(reader.errnum, ECONNRESET);
    breaker__loop_end(loop);
    breaker__loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reset_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
