/* The seam of loop.h over h2o's own event loop. */
#include "net/loop.h"

const char *breaker__loop_flavour(void)
{
    return "evloop";
}

const h2o_iovec_t *breaker__loop_alpn(void)
{
    static const h2o_iovec_t protocols[] = {
        {H2O_STRLIT("h2")}, {H2O_STRLIT("http/1.1")}, {NULL, 0}};

    return protocols;
}

h2o_loop_t *breaker__loop_create(void)
{
    return h2o_evloop_create();
}

void breaker__loop_end(h2o_loop_t *loop)
{
    h2o_evloop_run(loop, 0);
}

void breaker__loop_free(h2o_loop_t *loop)
{
    h2o_evloop_destroy(loop);
}

void breaker__loop_run(h2o_loop_t *loop, bool waits)
{
    h2o_evloop_run(loop, waits ? INT32_MAX : 0);
}

h2o_socket_t *breaker__loop_adopt(h2o_loop_t *loop, int fd)
{
    return h2o_evloop_socket_create(loop, fd, H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION);
}

void breaker__loop_forget_stopped(h2o_loop_t *loop)
{
    /* it tells epoll what has changed before it waits, and closes without telling it */
    h2o_evloop_run(loop, 0);
}
