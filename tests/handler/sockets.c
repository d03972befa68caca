/* The one place of the tests where the two flavours of libh2o make sockets in different ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <cmocka.h>
#include "sockets.h"

#if H2O_USE_LIBUV

h2o_socket_t *sockets_adopt(h2o_loop_t *loop, int fd)
{
    uv_tcp_t *tcp = h2o_mem_alloc(sizeof(*tcp));

    assert_int_equal(uv_tcp_init(loop, tcp), 0);
    assert_int_equal(uv_tcp_open(tcp, fd), 0);
    return h2o_uv_socket_create((uv_stream_t *)tcp, (uv_close_cb)free);
}

#else

h2o_socket_t *sockets_adopt(h2o_loop_t *loop, int fd)
{
    return h2o_evloop_socket_create(loop, fd, H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION);
}

#endif

h2o_socket_t *sockets_pair(h2o_loop_t *loop, int *ret_client)
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    *ret_client = fds[1];
    return sockets_adopt(loop, fds[0]);
}
