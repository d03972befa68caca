/*
 * Ties libcurl's multi interface to a uv loop: libcurl says which sockets it waits for and for how
 * long, the loop says what happened to them.
 *
 * Invariants: `pending` counts the handles of the loop that are ours, the timer and one for each
 * socket; memory goes when it is 0, after `close`. A socket's handle is given up as soon as libcurl
 * says that it needs it no more, which is before it closes the socket.
 */
#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <breaker/error.h>
#include "peers/multi.h"

struct st_breaker__multi_t {
    uv_loop_t *loop; /* borrowed: outlives us */
    CURLM *curl;     /* owned */
    uv_timer_t timer;
    unsigned pending;
    bool is_closed;
    void (*on_done)(void *data, CURL *easy, CURLcode result);
    void *data;
    void (*on_gone)(void *gone_data);
    void *gone_data;
};

/* what the loop knows of one socket; frees itself */
typedef struct st_watch_t {
    uv_poll_t poll;
    curl_socket_t fd;
    breaker__multi_t *multi; /* borrowed: waits for us */
} watch_t;

static void unref(breaker__multi_t *multi)
{
    assert(multi->pending != 0);
    if (--multi->pending != 0)
        return;
    assert(multi->is_closed);
    if (multi->on_gone != NULL)
        multi->on_gone(multi->gone_data);
    free(multi);
}

/* ---- what has ended ---- */

static void tell_done(breaker__multi_t *multi)
{
    CURLMsg *message;
    int left;

    while (!multi->is_closed && (message = curl_multi_info_read(multi->curl, &left)) != NULL) {
        CURL *easy = message->easy_handle;
        CURLcode result = message->data.result;
        assert(message->msg == CURLMSG_DONE);
        /* the message goes with it */
        curl_multi_remove_handle(multi->curl, easy);
        multi->on_done(multi->data, easy, result);
    }
}

static void act(breaker__multi_t *multi, curl_socket_t fd, int events)
{
    int running;

    assert(!multi->is_closed);
    curl_multi_socket_action(multi->curl, fd, events, &running);
    tell_done(multi);
}

/* ---- sockets ---- */

static void on_watch_closed(uv_handle_t *handle)
{
    watch_t *watch = handle->data;
    breaker__multi_t *multi = watch->multi;

    free(watch);
    unref(multi);
}

static void drop_watch(watch_t *watch)
{
    uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    watch_t *watch = poll->data;
    int flags = 0;

    if (status < 0)
        flags |= CURL_CSELECT_ERR;
    if ((events & UV_READABLE) != 0)
        flags |= CURL_CSELECT_IN;
    if ((events & UV_WRITABLE) != 0)
        flags |= CURL_CSELECT_OUT;
    act(watch->multi, watch->fd, flags);
}

static watch_t *watch_socket(breaker__multi_t *multi, curl_socket_t fd)
{
    watch_t *watch = malloc(sizeof(*watch));

    if (watch == NULL)
        return NULL;
    *watch = (watch_t){.fd = fd, .multi = multi};
    if (uv_poll_init_socket(multi->loop, &watch->poll, fd) != 0) {
        free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    ++multi->pending;
    return watch;
}

/* without a handle nothing happens on the socket, and the transfer's time runs out */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *watch_data)
{
    breaker__multi_t *multi = data;
    watch_t *watch = watch_data;
    int events = 0;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watch != NULL)
            drop_watch(watch);
        curl_multi_assign(multi->curl, fd, NULL);
        return 0;
    }
    if (watch == NULL && (watch = watch_socket(multi, fd)) == NULL)
        return 0;
    curl_multi_assign(multi->curl, fd, watch);
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
        events |= UV_READABLE;
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
        events |= UV_WRITABLE;
    uv_poll_start(&watch->poll, events, on_poll);
    return 0;
}

/* ---- time ---- */

static void on_timer(uv_timer_t *timer)
{
    act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timeout(CURLM *curl, long timeout_ms, void *data)
{
    breaker__multi_t *multi = data;

    (void)curl;
    if (multi->is_closed)
        return 0;
    if (timeout_ms < 0) {
        uv_timer_stop(&multi->timer);
        return 0;
    }
    /* the loop's time may be that of a while ago, and libcurl does not ask twice */
    uv_update_time(multi->loop);
    uv_timer_start(&multi->timer, on_timer, (uint64_t)timeout_ms, 0);
    return 0;
}

/* ---- the handle ---- */

static CURLM *create_curl(breaker__multi_t *multi, unsigned connections)
{
    CURLM *curl = curl_multi_init();

    if (curl == NULL)
        return NULL;
    curl_multi_setopt(curl, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(curl, CURLMOPT_SOCKETDATA, multi);
    curl_multi_setopt(curl, CURLMOPT_TIMERFUNCTION, on_timeout);
    curl_multi_setopt(curl, CURLMOPT_TIMERDATA, multi);
    curl_multi_setopt(curl, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)connections);
    curl_multi_setopt(curl, CURLMOPT_MAXCONNECTS, (long)connections);
    curl_multi_setopt(curl, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    return curl;
}

breaker__multi_t *breaker__multi_create(uv_loop_t *loop, unsigned connections,
                                        void (*on_done)(void *data, CURL *easy, CURLcode result),
                                        void *data)
{
    breaker__multi_t *multi = malloc(sizeof(*multi));

    assert(connections != 0);
    if (multi == NULL)
        return NULL;
    *multi = (breaker__multi_t){.loop = loop, .pending = 1, .on_done = on_done, .data = data};
    if ((multi->curl = create_curl(multi, connections)) == NULL) {
        free(multi);
        return NULL;
    }
    uv_timer_init(loop, &multi->timer);
    multi->timer.data = multi;
    return multi;
}

static void on_timer_closed(uv_handle_t *handle)
{
    unref(handle->data);
}

void breaker__multi_close(breaker__multi_t *multi, void (*on_gone)(void *gone_data),
                          void *gone_data)
{
    assert(!multi->is_closed);
    multi->is_closed = true;
    multi->on_gone = on_gone;
    multi->gone_data = gone_data;
    /* gives up the sockets of idle connections, by on_socket where they are waited for */
    curl_multi_cleanup(multi->curl);
    multi->curl = NULL;
    uv_close((uv_handle_t *)&multi->timer, on_timer_closed);
}

int breaker__multi_add(breaker__multi_t *multi, CURL *easy)
{
    assert(!multi->is_closed);
    return curl_multi_add_handle(multi->curl, easy) == CURLM_OK ? 0 : BREAKER_ERR_NO_MEMORY;
}

void breaker__multi_remove(breaker__multi_t *multi, CURL *easy)
{
    assert(!multi->is_closed);
    curl_multi_remove_handle(multi->curl, easy);
}
