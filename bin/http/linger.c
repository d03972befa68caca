/*
 * A connection that is closed while bytes of a request are unread, or still on their way, is reset
 * by the kernel, and the reset overtakes the answer: the client never sees its 413, and a proxy
 * takes the server for dead. So the descriptor outlives the socket of libh2o for a while, with
 * its sending side shut (RFC 9112 §9.6). It counts as a connection all that time.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "http/linger.h"
#include "thread/watch.h"

enum {
    AGE_MAX_S = 30,
    SILENCE_MAX_S = 5,
    AGE_MAX_AT_SHUTDOWN_S = 1,
    BYTES_MAX = 256 << 20,
    AGE_MAX_OF_FLOOD_S = 2,
    BYTES_MAX_OF_FLOOD = 256 << 10,
    /* a turn of the loop's worth, so that a fast sender leaves the thread to others */
    READS_MAX = 16,
};

typedef struct st_lingering_t {
    h2o_context_t *ctx;      /* borrowed: outlives us */
    breaker__watch_t *watch; /* owned */
    int fd;                  /* of the watch */
    h2o_timeout_entry_t tick;
    bool is_flood;
    int age_s, silence_s;
    size_t num_bytes;
    /* the socket's own */
    void (*on_close)(void *data);
    void *data;
} lingering_t;

static void end(lingering_t *lingering)
{
    void (*on_close)(void *) = lingering->on_close;
    void *data = lingering->data;

    h2o_timeout_unlink(&lingering->tick);
    breaker__watch_close(lingering->watch);
    free(lingering);
    if (on_close != NULL)
        on_close(data);
}

static void on_readable(void *data)
{
    lingering_t *lingering = data;
    size_t max = lingering->is_flood ? BYTES_MAX_OF_FLOOD : BYTES_MAX;
    char bytes[16384];
    ssize_t num;

    lingering->silence_s = 0;
    for (size_t i = 0; i != READS_MAX; ++i) {
        /* TCP throws them away without a copy */
        num = recv(lingering->fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_TRUNC);
        if (num < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (num > 0)
            lingering->num_bytes += (size_t)num;
        if (num <= 0 || lingering->num_bytes >= max) {
            end(lingering);
            return;
        }
    }
}

static void on_tick(h2o_timeout_entry_t *entry)
{
    lingering_t *lingering = H2O_STRUCT_FROM_MEMBER(lingering_t, tick, entry);
    h2o_context_t *ctx = lingering->ctx;
    int age_max_s = lingering->is_flood ? AGE_MAX_OF_FLOOD_S : AGE_MAX_S;

    if (ctx->shutdown_requested)
        age_max_s = AGE_MAX_AT_SHUTDOWN_S;
    if (++lingering->age_s >= age_max_s || ++lingering->silence_s >= SILENCE_MAX_S)
        end(lingering);
    else
        h2o_timeout_link(ctx->loop, &ctx->one_sec_timeout, &lingering->tick);
}

void breaker__linger(h2o_context_t *ctx, h2o_socket_t *sock, bool is_flood,
                     void (*close)(h2o_socket_t *))
{
    int fd = fcntl(h2o_socket_get_fd(sock), F_DUPFD_CLOEXEC, 0);
    lingering_t *lingering;

    /* no descriptor left: the answer takes its chance */
    if (fd == -1) {
        close(sock);
        return;
    }
    lingering = h2o_mem_alloc(sizeof(*lingering));
    memset(lingering, 0, sizeof(*lingering));
    lingering->ctx = ctx;
    lingering->fd = fd;
    lingering->is_flood = is_flood;
    lingering->on_close = sock->on_close.cb;
    lingering->data = sock->on_close.data;
    sock->on_close.cb = NULL;
    /* under TLS its last word leaves here */
    close(sock);
    shutdown(fd, SHUT_WR);
    if ((lingering->watch = breaker__watch_create(ctx->loop, fd, on_readable, lingering)) == NULL)
        h2o_fatal("a connection cannot join the event loop");
    breaker__watch_start(lingering->watch);
    lingering->tick.cb = on_tick;
    h2o_timeout_link(ctx->loop, &ctx->one_sec_timeout, &lingering->tick);
}
