/*
 * Five functions of libuv as libh2o should have called them. The program's own uv_read_start,
 * uv_read_stop, uv_write, uv_tcp_connect and uv_close stand before libuv's, for TCP streams and
 * timers of the loops that serve; everything else goes to libuv as it is.
 *
 * - libh2o stops reading while a request is answered and starts again after it, and libuv takes
 *   the descriptor out of its books and puts it back each time: two epoll_ctl calls a request. Here
 *   reading stops only when bytes really arrive meanwhile; that they do not is the rule.
 * - A write that the kernel takes whole has libuv change the descriptor's events once more. Here it
 *   is tried first, and completes without the poller hearing of it.
 * - A read that finds nothing is kept from libh2o, which under TLS would close the connection: it
 *   comes when a read before it filled its buffer exactly.
 * - A write that libuv refuses at once (the peer had reset the connection) is reported by a return
 *   value that libh2o drops, so that it waits for ever and the connection leaks. Here the callback
 *   is called.
 * - libh2o connects to applications behind Unix sockets as if they were TCP, which libuv refuses.
 * - libh2o closes the timers of a handler and frees them at once, while libuv goes on to use a
 * handle until its loop has run once more. Here such a timer leaves the loop inside of the call.
 *
 * Completions are delivered from the loop, never inside uv_write, a bounded number of rounds at a
 * time, and always before a stream that was closed meanwhile is freed: libuv runs closing callbacks
 * after its check handles. Most are delivered after the read callback that wrote: libh2o frees
 * the requests of one connection before it reads from the next, and finds their memory again
 * (a seventh of the instructions of an HTTP/2 request).
 */
#include <assert.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <h2o.h>
#include "net/uv_calls.h"

/* how often new completions of completions are delivered before the poller gets its turn */
#define ROUNDS_MAX 8

#define EXPORTED __attribute__((visibility("default")))

/* libuv's own */
static struct {
    int (*read_start)(uv_stream_t *, uv_alloc_cb, uv_read_cb);
    int (*read_stop)(uv_stream_t *);
    int (*write)(uv_write_t *, uv_stream_t *, const uv_buf_t *, unsigned, uv_write_cb);
    int (*tcp_connect)(uv_connect_t *, uv_tcp_t *, const struct sockaddr *, uv_connect_cb);
    void (*close)(uv_handle_t *, uv_close_cb);
} libuv;

static pthread_once_t found = PTHREAD_ONCE_INIT;
static _Thread_local breaker__uv_calls_t *own;

static void *find(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);

    if (function == NULL)
        h2o_fatal("libuv lacks a function");
    return function;
}

static void find_libuv(void)
{
    *(void **)&libuv.read_start = find("uv_read_start");
    *(void **)&libuv.read_stop = find("uv_read_stop");
    *(void **)&libuv.write = find("uv_write");
    *(void **)&libuv.tcp_connect = find("uv_tcp_connect");
    *(void **)&libuv.close = find("uv_close");
}

static bool is_ours(const uv_stream_t *stream)
{
    return own != NULL && stream->loop == own->loop && stream->type == UV_TCP;
}

/* ---- connecting ---- */

/*
 * What libuv does to connect a pipe is to the stream in it, and that is all there is in a handle of
 * TCP; failure is told by the callback alone.
 */
EXPORTED int uv_tcp_connect(uv_connect_t *req, uv_tcp_t *handle, const struct sockaddr *addr,
                            uv_connect_cb cb)
{
    pthread_once(&found, find_libuv);
    if (addr->sa_family != AF_UNIX || !is_ours((uv_stream_t *)handle))
        return libuv.tcp_connect(req, handle, addr, cb);
    uv_pipe_connect(req, (void *)handle, ((const struct sockaddr_un *)(const void *)addr)->sun_path,
                    cb);
    return 0;
}

/* ---- reading ---- */

static void on_paused_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    (void)handle, (void)size;
    *buf = uv_buf_init(NULL, 0);
}

/* bytes, or the end, came while nobody wanted to know: now the stop takes effect */
static void on_paused_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    (void)nread, (void)buf;
    libuv.read_stop(stream);
    /* at the end of the stream libuv has stopped by itself, and leaves these */
    stream->alloc_cb = NULL;
    stream->read_cb = NULL;
}

EXPORTED int uv_read_stop(uv_stream_t *stream)
{
    pthread_once(&found, find_libuv);
    if (!is_ours(stream) || stream->alloc_cb == NULL || uv_is_closing((uv_handle_t *)stream))
        return libuv.read_stop(stream);
    stream->alloc_cb = on_paused_alloc;
    stream->read_cb = on_paused_read;
    return 0;
}

static void deliver_once(breaker__uv_calls_t *calls);

/* one round only: what its completions write is delivered when every stream has been read */
static void read_and_deliver(uv_read_cb reader, uv_stream_t *stream, ssize_t nread,
                             const uv_buf_t *buf)
{
    assert(own != NULL);
    /* nothing there after all: under TLS libh2o takes it for an error and closes the connection */
    if (nread == 0)
        return;
    reader(stream, nread, buf);
    if (own->first != NULL)
        deliver_once(own);
}

static void on_read_0(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    read_and_deliver(own->readers[0], stream, nread, buf);
}

static void on_read_1(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    read_and_deliver(own->readers[1], stream, nread, buf);
}

/* a callback that also delivers; the same one where libh2o has more of them than we know of */
static uv_read_cb delivering(uv_read_cb reader)
{
    static const uv_read_cb on_read[] = {on_read_0, on_read_1};

    for (size_t i = 0; i != sizeof(on_read) / sizeof(on_read[0]); ++i) {
        if (own->readers[i] == NULL)
            own->readers[i] = reader;
        if (own->readers[i] == reader)
            return on_read[i];
    }
    return reader;
}

EXPORTED int uv_read_start(uv_stream_t *stream, uv_alloc_cb alloc_cb, uv_read_cb read_cb)
{
    pthread_once(&found, find_libuv);
    if (!is_ours(stream))
        return libuv.read_start(stream, alloc_cb, read_cb);
    if (stream->alloc_cb != on_paused_alloc)
        return libuv.read_start(stream, alloc_cb, delivering(read_cb));
    stream->alloc_cb = alloc_cb;
    stream->read_cb = delivering(read_cb);
    return 0;
}

/* ---- writing ---- */

static uv_write_t **next_of(uv_write_t *req)
{
    return (uv_write_t **)&req->reserved[0];
}

static void complete_later(uv_write_t *req, uv_stream_t *stream, uv_write_cb cb, int status)
{
    req->handle = stream;
    req->cb = cb;
    *next_of(req) = NULL;
    req->reserved[1] = (void *)(intptr_t)status;
    *own->behind = req;
    own->behind = next_of(req);
}

static size_t count_bytes(const uv_buf_t *bufs, unsigned num)
{
    size_t len = 0;

    for (unsigned i = 0; i != num; ++i)
        len += bufs[i].len;
    return len;
}

/* hands libuv what the kernel has not taken yet */
static int write_rest(uv_write_t *req, uv_stream_t *stream, const uv_buf_t *bufs, unsigned num,
                      size_t written, uv_write_cb cb)
{
    uv_buf_t *rest;
    int err;

    while (written >= bufs->len) {
        written -= bufs->len;
        ++bufs, --num;
    }
    rest = h2o_mem_alloc(sizeof(rest[0]) * num);
    h2o_memcpy(rest, bufs, sizeof(rest[0]) * num);
    rest[0].base += written;
    rest[0].len -= written;
    err = libuv.write(req, stream, rest, num, cb);
    free(rest);
    return err;
}

EXPORTED int uv_write(uv_write_t *req, uv_stream_t *stream, const uv_buf_t *bufs, unsigned num,
                      uv_write_cb cb)
{
    size_t len;
    int written, err;

    pthread_once(&found, find_libuv);
    if (!is_ours(stream))
        return libuv.write(req, stream, bufs, num, cb);
    len = count_bytes(bufs, num);
    written = uv_try_write(stream, bufs, num);
    if (written >= 0 && (size_t)written == len) {
        complete_later(req, stream, cb, 0);
        return 0;
    }
    err = written > 0 ? write_rest(req, stream, bufs, num, (size_t)written, cb)
                      : libuv.write(req, stream, bufs, num, cb);
    if (err < 0)
        complete_later(req, stream, cb, err);
    return 0;
}

/* ---- completions ---- */

static void complete(uv_write_t *req)
{
    req->cb(req, (int)(intptr_t)req->reserved[1]);
}

static uv_write_t *take_all(breaker__uv_calls_t *calls)
{
    uv_write_t *first = calls->first;

    calls->first = NULL;
    calls->behind = &calls->first;
    return first;
}

/* those whose stream will be freed before the next round; they do not lead to more */
static void complete_closing(breaker__uv_calls_t *calls)
{
    uv_write_t **link = &calls->first, *req;

    while ((req = *link) != NULL) {
        if (!uv_is_closing((uv_handle_t *)req->handle)) {
            link = next_of(req);
            continue;
        }
        if ((*link = *next_of(req)) == NULL)
            calls->behind = link;
        complete(req);
    }
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle;
}

static void deliver_once(breaker__uv_calls_t *calls)
{
    uv_write_t *req = take_all(calls), *next;

    for (; req != NULL; req = next) {
        next = *next_of(req);
        complete(req);
    }
}

static void deliver(breaker__uv_calls_t *calls)
{
    for (size_t round = 0; round != ROUNDS_MAX && calls->first != NULL; ++round)
        deliver_once(calls);
    if (calls->first == NULL) {
        uv_idle_stop(&calls->idle);
        return;
    }
    complete_closing(calls);
    uv_idle_start(&calls->idle, on_idle);
}

static void on_prepare(uv_prepare_t *prepare)
{
    deliver(prepare->data);
}

static void on_check(uv_check_t *check)
{
    deliver(check->data);
}

/* ---- timers ---- */

/* a timer that is stopped hangs in the loop's list of handles and nowhere else */
static void close_at_once(uv_timer_t *timer)
{
    void **link = (void *)&timer->handle_queue, **after = link[0], **before = link[1];

    uv_timer_stop(timer);
    before[0] = after;
    after[1] = before;
}

EXPORTED void uv_close(uv_handle_t *handle, uv_close_cb cb)
{
    pthread_once(&found, find_libuv);
    if (own != NULL && handle->loop == own->loop && handle->type == UV_TIMER && cb == NULL)
        close_at_once((uv_timer_t *)handle);
    else
        libuv.close(handle, cb);
}

/* ---- the life of a loop ---- */

void breaker__uv_calls_begin(breaker__uv_calls_t *calls, uv_loop_t *loop)
{
    assert(own == NULL);
    pthread_once(&found, find_libuv);
    calls->loop = loop;
    memset(calls->readers, 0, sizeof(calls->readers));
    calls->first = NULL;
    calls->behind = &calls->first;
    uv_prepare_init(loop, &calls->prepare);
    uv_check_init(loop, &calls->check);
    uv_idle_init(loop, &calls->idle);
    calls->prepare.data = calls->check.data = calls;
    uv_prepare_start(&calls->prepare, on_prepare);
    uv_check_start(&calls->check, on_check);
    own = calls;
}

void breaker__uv_calls_end(breaker__uv_calls_t *calls)
{
    assert(own == calls);
    while (calls->first != NULL)
        deliver(calls);
    uv_close((uv_handle_t *)&calls->prepare, NULL);
    uv_close((uv_handle_t *)&calls->check, NULL);
    uv_close((uv_handle_t *)&calls->idle, NULL);
    own = NULL;
}
