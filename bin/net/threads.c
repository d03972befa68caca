/*
 * A thread that serves, from its first accept to its last answer.
 *
 *   start ─▶ accepting ◀─▶ paused (too many connections, or no descriptors)
 *                │ drain
 *                ▼
 *             draining: no listeners, until its last connection is gone
 *                │ all threads together
 *                ▼
 *             disposed ─▶ parked
 *
 * The count of connections never exceeds its limit. A paused thread has stopped polling, so it does
 * not spin; it looks again on every turn of its loop, which the close that makes room wakes.
 *
 * Contexts are made one after another and disposed of in the reverse order, by the threads that
 * they belong to: libh2o's status handler asserts on any other order, and until all have drained a
 * sibling may wake them. Loops outlast libh2o's configuration, whose proxies keep a timer on the
 * first one. Threads do not end but park: libh2o keeps free memory in thread-local lists that
 * nobody empties, and a thread that ends would leak it.
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <breaker/h2o.h>
#include "http/calls.h"
#include "http/reproxy.h"
#include "http2/goodbye.h"
#include "logs/error_log.h"
#include "net/loop.h"
#include "net/proxied.h"
#include "net/threads.h"
#include "thread/watch.h"

/* connections accepted in one go, so that those already open get their turn */
#define ACCEPTS_MAX 32
/* no queue of the kernel is longer */
#define BACKLOG_MAX 65535
/* seconds between two complaints of a thread about the same trouble */
#define COMPLAINT_INTERVAL_S 60

typedef struct st_thread_t thread_t;

/* a listener as one thread sees it */
typedef struct st_door_t {
    thread_t *thread; /* borrowed */
    h2o_accept_ctx_t accept_ctx;
    breaker_h2o_fastpath_t *fastpath; /* owned; NULL where it is turned off */
    breaker__watch_t *watch;          /* owned; NULL once closed */
    int fd;                           /* of the watch */
    bool is_for_proxies;
    breaker__proxied_t proxied;
} door_t;

struct st_thread_t {
    breaker__threads_t *threads; /* borrowed: outlives us */
    size_t index;
    h2o_loop_t *loop; /* owned */
    h2o_context_t ctx;
    breaker__http_calls_t calls;
    breaker__agent_t reproxy;
    breaker__goodbye_t goodbye;
    h2o_multithread_receiver_t wakeups;
    door_t *doors; /* owned; one a listener, more where there were more threads before */
    size_t num_doors;
    bool is_accepting;
    /* linked while the thread rests because the system had no descriptor or memory left */
    h2o_timeout_entry_t rest;
    h2o_timeout_entry_t grace;
    time_t complained_at;
    size_t num_connections;
    /* accepted since the start; written by this thread alone */
    atomic_size_t num_sessions;
    /* posted when the threads with a higher index have disposed of their contexts */
    sem_t turn;
};

struct st_breaker__threads_t {
    breaker__config_t *config; /* borrowed: outlives us */
    size_t num;
    size_t max_connections;
    /* the only words that the threads share, on lines of their own */
    _Alignas(64) atomic_size_t num_connections;
    _Alignas(64) atomic_bool is_draining;
    /* written before they drain */
    bool spares_idle;
    sem_t begun;
    pthread_barrier_t drained;
    /* threads that still have listeners */
    atomic_size_t num_open;
    int closed_fd; /* owned */
    int ended_fd;  /* owned */
    thread_t threads[];
};

/* ---- the count of connections ---- */

static void wake(thread_t *thread)
{
    /* without a message: it only ends the wait of the loop */
    h2o_multithread_send_message(&thread->wakeups, NULL);
}

static bool reserve_connection(breaker__threads_t *threads)
{
    size_t num = atomic_load_explicit(&threads->num_connections, memory_order_relaxed);

    do {
        if (num >= threads->max_connections)
            return false;
    } while (!atomic_compare_exchange_weak(&threads->num_connections, &num, num + 1));
    return true;
}

static void release_connection(breaker__threads_t *threads)
{
    size_t before = atomic_fetch_sub(&threads->num_connections, 1);

    assert(before != 0);
    if (before != threads->max_connections || atomic_load(&threads->is_draining))
        return;
    for (size_t i = 0; i != threads->num; ++i)
        wake(&threads->threads[i]);
}

static void on_connection_closed(void *data)
{
    thread_t *thread = data;

    assert(thread->num_connections != 0);
    --thread->num_connections;
    release_connection(thread->threads);
}

/* no other thread writes, so that it costs no lock of the bus */
static void count_session(thread_t *thread)
{
    size_t num = atomic_load_explicit(&thread->num_sessions, memory_order_relaxed);

    atomic_store_explicit(&thread->num_sessions, num + 1, memory_order_relaxed);
}

/* ---- accepting ---- */

static void complain(thread_t *thread, int errnum)
{
    time_t now = time(NULL);

    if (thread->complained_at != 0 && now - thread->complained_at < COMPLAINT_INTERVAL_S)
        return;
    thread->complained_at = now;
    breaker__complain(BREAKER_LOG_WARNING, "accept", "cannot accept connections for now: %s",
                      strerror(errnum));
}

/* accept(2): errors of the connection are passed by, errors of the system make the thread rest */
static bool is_shortage(int errnum)
{
    return errnum == EMFILE || errnum == ENFILE || errnum == ENOBUFS || errnum == ENOMEM;
}

static void on_rested(h2o_timeout_entry_t *entry)
{
    /* the loop's turn looks at it again */
    (void)entry;
}

static void rest(thread_t *thread, int errnum)
{
    complain(thread, errnum);
    if (h2o_timeout_is_linked(&thread->rest))
        return;
    thread->rest.cb = on_rested;
    h2o_timeout_link(thread->loop, &thread->ctx.hundred_ms_timeout, &thread->rest);
}

static void welcome(void *data, h2o_socket_t *sock)
{
    door_t *door = data;

    if (door->fastpath != NULL)
        breaker_h2o_fastpath_accept(door->fastpath, sock);
    else
        h2o_accept(&door->accept_ctx, sock);
}

/* returns false when there is nothing more to accept for now */
static bool accept_one(door_t *door)
{
    thread_t *thread = door->thread;
    h2o_socket_t *sock;
    int fd;

    if (!reserve_connection(thread->threads))
        return false;
    if ((fd = accept4(door->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) == -1) {
        int errnum = errno;
        release_connection(thread->threads);
        if (is_shortage(errnum))
            rest(thread, errnum);
        return errnum != EAGAIN && !is_shortage(errnum);
    }
    sock = breaker__loop_adopt(thread->loop, fd);
    ++thread->num_connections;
    count_session(thread);
    sock->on_close.cb = on_connection_closed;
    sock->on_close.data = thread;
    if (door->is_for_proxies)
        breaker__proxied_accept(&door->proxied, sock);
    else
        welcome(door, sock);
    return true;
}

static void on_acceptable(void *data)
{
    for (size_t num = 0; num != ACCEPTS_MAX && accept_one(data); ++num)
        ;
}

static bool may_accept(thread_t *thread)
{
    return !h2o_timeout_is_linked(&thread->rest) &&
           atomic_load_explicit(&thread->threads->num_connections, memory_order_relaxed) <
               thread->threads->max_connections;
}

static void update_doors(thread_t *thread)
{
    bool may = may_accept(thread);

    if (may == thread->is_accepting)
        return;
    for (size_t i = 0; i != thread->num_doors; ++i)
        (may ? breaker__watch_start : breaker__watch_stop)(thread->doors[i].watch);
    thread->is_accepting = may;
}

static void take_turn(thread_t *thread)
{
    bool is_due = breaker__turns_next(&thread->calls.turns);

    breaker__loop_run(thread->loop, !is_due);
    h2o_filecache_clear(thread->ctx.filecache);
}

/* ---- draining ---- */

/*
 * Ends an idle connection by ending its input: a request that has reached the kernel is read first
 * and answered, then libh2o meets the end of the stream and closes.
 */
static void end_if_idle(h2o_req_t *req, bool spares_fresh)
{
    h2o_socket_t *sock = req->conn->callbacks->get_socket(req->conn);
    h2o_iovec_t nth = req->conn->callbacks->log_.http1.request_index(req);

    if (!h2o_socket_is_reading(sock) || sock->input->size != 0)
        return;
    /* the client of a fresh connection, as yet without a request, is about to send it */
    if (spares_fresh && h2o_memis(nth.base, nth.len, H2O_STRLIT("1")))
        return;
    shutdown(h2o_socket_get_fd(sock), SHUT_RD);
}

static int on_draining_request(h2o_req_t *req, void *spares_fresh)
{
    /* what is in flight is the connection's last */
    req->http1_is_persistent = 0;
    end_if_idle(req, *(const bool *)spares_fresh);
    return 0;
}

static void end_idle(thread_t *thread, bool spares_fresh)
{
    for (size_t i = 0; i != thread->num_doors; ++i)
        if (thread->doors[i].fastpath != NULL)
            breaker_h2o_fastpath_end_idle(thread->doors[i].fastpath, spares_fresh);
    thread->ctx.globalconf->http1.callbacks.foreach_request(&thread->ctx, on_draining_request,
                                                            &spares_fresh);
}

static void on_grace_over(h2o_timeout_entry_t *entry)
{
    thread_t *thread = H2O_STRUCT_FROM_MEMBER(thread_t, grace, entry);

    end_idle(thread, false);
    for (size_t i = 0; i != thread->num_doors; ++i)
        breaker__proxied_end(&thread->doors[i].proxied);
}

/*
 * What waits in the queues would be reset when they close for good. Where another process has them
 * as well, this takes what it can get in one go, and the other one the rest.
 */
static void close_doors(thread_t *thread)
{
    for (size_t i = 0; i != thread->num_doors; ++i) {
        for (size_t num = 0; num != BACKLOG_MAX && accept_one(&thread->doors[i]); ++num)
            ;
        breaker__watch_stop(thread->doors[i].watch);
    }
    breaker__loop_forget_stopped(thread->loop);
    for (size_t i = 0; i != thread->num_doors; ++i) {
        breaker__watch_close(thread->doors[i].watch);
        thread->doors[i].watch = NULL;
    }
}

static void signal_fd(int fd)
{
    const uint64_t one = 1;

    if (write(fd, &one, sizeof(one)) != sizeof(one))
        h2o_fatal("an eventfd does not count");
}

static void drain(thread_t *thread)
{
    close_doors(thread);
    if (atomic_fetch_sub(&thread->threads->num_open, 1) == 1)
        signal_fd(thread->threads->closed_fd);
    breaker__goodbye_begin(&thread->goodbye, &thread->ctx);
    if (!thread->threads->spares_idle) {
        end_idle(thread, true);
        thread->grace.cb = on_grace_over;
        h2o_timeout_link(thread->loop, &thread->ctx.one_sec_timeout, &thread->grace);
    }
    while (thread->num_connections != 0)
        take_turn(thread);
}

/* ---- the life of a thread ---- */

static void on_wakeup(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages)
{
    (void)receiver, (void)messages;
}

static void open_door(thread_t *thread, door_t *door, breaker__listener_t *listener, int fd)
{
    breaker__config_t *config = thread->threads->config;

    memset(door, 0, sizeof(*door));
    door->thread = thread;
    door->accept_ctx.ctx = &thread->ctx;
    door->accept_ctx.hosts = listener->hosts != NULL ? listener->hosts : config->globalconf.hosts;
    door->accept_ctx.ssl_ctx = listener->certificates != NULL
                                   ? breaker__certificates_context(listener->certificates)
                                   : NULL;
    door->is_for_proxies = listener->proxy_protocol;
    breaker__proxied_init(&door->proxied, &thread->ctx, listener->name, welcome, door);
    if (config->fast_path)
        door->fastpath = breaker_h2o_fastpath_create(&door->accept_ctx);
    door->fd = fd;
    /* Polled and accepted from by us: a thread that must not accept stops polling, where uv_listen
     * would go on and hold one connection back. */
    if ((door->watch = breaker__watch_create(thread->loop, fd, on_acceptable, door)) == NULL)
        h2o_fatal("a listener cannot join the event loop");
}

/* every descriptor has one thread, and every thread at least one descriptor of every listener */
static size_t num_doors(const thread_t *thread, const breaker__listener_t *listener)
{
    size_t num_threads = thread->threads->num;

    return (listener->num_fds + num_threads - 1 - thread->index) / num_threads;
}

static void open_doors(thread_t *thread)
{
    breaker__listeners_t *listeners = &thread->threads->config->listeners;
    size_t num = 0;

    for (size_t i = 0; i != listeners->size; ++i)
        num += num_doors(thread, listeners->entries[i]);
    thread->doors = h2o_mem_alloc((num + 1) * sizeof(thread->doors[0]));
    for (size_t i = 0; i != listeners->size; ++i) {
        breaker__listener_t *listener = listeners->entries[i];
        for (size_t j = thread->index; j < listener->num_fds; j += thread->threads->num)
            open_door(thread, thread->doors + thread->num_doors++, listener,
                      breaker__listener_take(listener, j));
    }
    assert(thread->num_doors == num);
}

static void wait_for(sem_t *sem)
{
    while (sem_wait(sem) != 0)
        assert(errno == EINTR);
}

static void begin(thread_t *thread)
{
    thread->loop = breaker__loop_create();
    h2o_context_init(&thread->ctx, thread->loop, &thread->threads->config->globalconf);
    breaker__http_calls_begin(&thread->calls, &thread->ctx, &thread->threads->config->calm);
    breaker__reproxy_begin(&thread->reproxy, &thread->ctx);
    h2o_multithread_register_receiver(thread->ctx.queue, &thread->wakeups, on_wakeup);
    open_doors(thread);
    update_doors(thread);
}

static void dispose(thread_t *thread)
{
    assert(thread->num_connections == 0);
    h2o_timeout_unlink(&thread->rest);
    h2o_timeout_unlink(&thread->grace);
    breaker__goodbye_end(&thread->goodbye);
    h2o_multithread_unregister_receiver(thread->ctx.queue, &thread->wakeups);
    for (size_t i = 0; i != thread->num_doors; ++i)
        breaker_h2o_fastpath_free(thread->doors[i].fastpath);
    breaker__reproxy_end(&thread->reproxy);
    breaker__http_calls_end(&thread->calls);
    h2o_context_dispose(&thread->ctx);
    breaker__loop_end(thread->loop);
    free(thread->doors);
}

static void dispose_in_turn(thread_t *thread)
{
    breaker__threads_t *threads = thread->threads;

    if (thread->index + 1 != threads->num)
        wait_for(&thread->turn);
    dispose(thread);
    if (thread->index != 0)
        sem_post(&threads->threads[thread->index - 1].turn);
    else
        signal_fd(threads->ended_fd);
}

static void *run(void *data)
{
    thread_t *thread = data;
    breaker__threads_t *threads = thread->threads;

    begin(thread);
    sem_post(&threads->begun);
    while (!atomic_load(&threads->is_draining)) {
        update_doors(thread);
        take_turn(thread);
    }
    drain(thread);
    pthread_barrier_wait(&threads->drained);
    dispose_in_turn(thread);
    while (true)
        pause();
    return NULL;
}

/* ---- all of them ---- */

static breaker__threads_t *create(breaker__config_t *config, size_t max_connections)
{
    size_t size = sizeof(breaker__threads_t) + config->num_threads * sizeof(thread_t);
    breaker__threads_t *threads;

    if (posix_memalign((void **)&threads, _Alignof(breaker__threads_t), size) != 0)
        h2o_fatal("no memory");
    memset(threads, 0, size);
    threads->config = config;
    threads->num = config->num_threads;
    threads->max_connections = max_connections;
    sem_init(&threads->begun, 0, 0);
    pthread_barrier_init(&threads->drained, NULL, (unsigned)threads->num);
    atomic_store(&threads->num_open, threads->num);
    threads->closed_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    threads->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return threads;
}

breaker__threads_t *breaker__threads_start(breaker__config_t *config, size_t max_connections)
{
    breaker__threads_t *threads = create(config, max_connections);

    for (size_t i = 0; i != threads->num; ++i) {
        thread_t *thread = &threads->threads[i];
        pthread_t id;
        int err;
        thread->threads = threads;
        thread->index = i;
        sem_init(&thread->turn, 0, 0);
        if ((err = pthread_create(&id, NULL, run, thread)) != 0) {
            breaker__complain(BREAKER_LOG_ERROR, "threads", "cannot start thread %zu of %zu: %s",
                              i + 1, threads->num, strerror(err));
            return NULL;
        }
        pthread_detach(id);
        wait_for(&threads->begun);
    }
    return threads;
}

void breaker__threads_drain(breaker__threads_t *threads, bool spares_idle)
{
    assert(!atomic_load(&threads->is_draining));
    threads->spares_idle = spares_idle;
    atomic_store(&threads->is_draining, true);
    for (size_t i = 0; i != threads->num; ++i)
        wake(&threads->threads[i]);
}

int breaker__threads_closed_fd(const breaker__threads_t *threads)
{
    return threads->closed_fd;
}

int breaker__threads_ended_fd(const breaker__threads_t *threads)
{
    return threads->ended_fd;
}

size_t breaker__threads_num_connections(const breaker__threads_t *threads)
{
    return atomic_load(&threads->num_connections);
}

size_t breaker__threads_max_connections(const breaker__threads_t *threads)
{
    return threads->max_connections;
}

size_t breaker__threads_num_sessions(const breaker__threads_t *threads)
{
    size_t num = 0;

    for (size_t i = 0; i != threads->num; ++i)
        num += atomic_load_explicit(&threads->threads[i].num_sessions, memory_order_relaxed);
    return num;
}

size_t breaker__threads_num_floods(const breaker__threads_t *threads)
{
    size_t num = 0;

    for (size_t i = 0; i != threads->num; ++i)
        num +=
            atomic_load_explicit(&threads->threads[i].calls.turns.num_calmed, memory_order_relaxed);
    return num;
}

const breaker__threads_t *breaker__threads_of(const h2o_context_t *ctx)
{
    return ((const thread_t *)(const void *)((const char *)ctx - offsetof(thread_t, ctx)))->threads;
}

void breaker__threads_free(breaker__threads_t *threads)
{
    if (threads == NULL)
        return;
    for (size_t i = 0; i != threads->num; ++i)
        breaker__loop_free(threads->threads[i].loop);
    close(threads->closed_fd);
    close(threads->ended_fd);
    /* the parked threads have their records to the end of the process */
}
