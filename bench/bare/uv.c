/*
 * The bare loop on libuv, as its manual would write it: one uv_read_start for a connection's life,
 * each answer tried at once and queued only where the socket takes no more. On one thread.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "answer.h"

#define BACKLOG 16384
#define READ_MAX 65536

typedef struct st_connection_t {
    uv_tcp_t tcp; /* first: a handle is its connection */
    const bare_answer_t *answer;
    unsigned end_state;
} connection_t;

static uv_loop_t *loop;
static char read_buf[READ_MAX];

static void check(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "%s: %s\n", what, uv_strerror(result));
        exit(1);
    }
}

static void on_close(uv_handle_t *handle)
{
    free(handle);
}

static void end(connection_t *connection)
{
    if (!uv_is_closing((uv_handle_t *)&connection->tcp))
        uv_close((uv_handle_t *)&connection->tcp, on_close);
}

static void on_written(uv_write_t *write, int status)
{
    if (status < 0)
        end((connection_t *)write->handle);
    free(write);
}

static void answer_one(connection_t *connection)
{
    uv_stream_t *stream = (uv_stream_t *)&connection->tcp;
    uv_buf_t buf = uv_buf_init(connection->answer->base, (unsigned)connection->answer->len);
    uv_write_t *write;
    int n = uv_try_write(stream, &buf, 1);

    if (n == (int)buf.len)
        return;
    if (n < 0 && n != UV_EAGAIN) {
        end(connection);
        return;
    }
    if (n > 0)
        buf = uv_buf_init(buf.base + n, (unsigned)buf.len - (unsigned)n);
    if ((write = malloc(sizeof(*write))) == NULL)
        bare_fail("malloc");
    check(uv_write(write, stream, &buf, 1, on_written), "uv_write");
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(read_buf, sizeof(read_buf));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    connection_t *connection = (connection_t *)stream;
    size_t ends;

    if (n < 0) {
        end(connection);
        return;
    }
    ends = bare_count_ends(&connection->end_state, buf->base, (size_t)n);
    while (ends-- != 0 && !uv_is_closing((uv_handle_t *)stream))
        answer_one(connection);
}

static void on_connection(uv_stream_t *listener, int status)
{
    connection_t *connection = calloc(1, sizeof(*connection));

    check(status, "accept");
    if (connection == NULL)
        bare_fail("calloc");
    connection->answer = listener->data;
    check(uv_tcp_init(loop, &connection->tcp), "uv_tcp_init");
    check(uv_accept(listener, (uv_stream_t *)&connection->tcp), "uv_accept");
    uv_tcp_nodelay(&connection->tcp, 1);
    check(uv_read_start((uv_stream_t *)&connection->tcp, on_alloc, on_read), "uv_read_start");
}

int main(int argc, char **argv)
{
    static bare_answer_t answers[BARE_ANSWERS_MAX];
    static uv_tcp_t listeners[BARE_ANSWERS_MAX];
    size_t count;

    signal(SIGPIPE, SIG_IGN);
    loop = uv_default_loop();
    count = bare_read_arguments(argc, argv, answers);
    for (size_t i = 0; i < count; i++) {
        uv_stream_t *listener = (uv_stream_t *)&listeners[i];
        check(uv_tcp_init(loop, &listeners[i]), "uv_tcp_init");
        check(uv_tcp_open(&listeners[i], answers[i].listener), "uv_tcp_open");
        listener->data = &answers[i];
        check(uv_listen(listener, BACKLOG, on_connection), "uv_listen");
    }
    return uv_run(loop, UV_RUN_DEFAULT);
}
