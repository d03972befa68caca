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
#include "server/loop.h"
#include "server/worker.h"

/* connections accepted in one go, so that those already open get their turn */
#define ACCEPTS_MAX 32
/* seconds between two complaints of a thread about the same trouble */
#define COMPLAINT_INTERVAL_S 60

typedef struct st_worker_t worker_t;

/* a listener as one thread sees it */
typedef struct st_door_t {
    worker_t *worker; /* borrowed */
    h2o_accept_ctx_t accept_ctx;
    breaker_h2o_fastpath_t *fastpath; /* owned; NULL where it is turned off */
    breaker__watch_t *watch;          /* owned; NULL once closed */
    int fd;                           /* of the watch */
} door_t;

struct st_worker_t {
    breaker__workers_t *workers; /* borrowed: outlives us */
    size_t index;
    h2o_loop_t *loop; /* owned */
    h2o_context_t ctx;
    breaker__http_calls_t calls;
    h2o_multithread_receiver_t wakeups;
    door_t *doors; /* owned; one a listener */
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

struct st_breaker__workers_t {
    breaker__config_t *config; /* borrowed: outlives us */
    size_t num;
    size_t max_connections;
    /* the only words that the threads share, on lines of their own */
    _Alignas(64) atomic_size_t num_connections;
    _Alignas(64) atomic_bool is_draining;
    sem_t begun;
    pthread_barrier_t drained;
    int ended_fd; /* owned */
    worker_t workers[];
};

/* ---- the count of connections ---- */

static void wake(worker_t *worker)
{
    /* without a message: it only ends the wait of the loop */
    h2o_multithread_send_message(&worker->wakeups, NULL);
}

static bool reserve_connection(breaker__workers_t *workers)
{
    size_t num = atomic_load_explicit(&workers->num_connections, memory_order_relaxed);

    do {
        if (num >= workers->max_connections)
            return false;
    } while (!atomic_compare_exchange_weak(&workers->num_connections, &num, num + 1));
    return true;
}

static void release_connection(breaker__workers_t *workers)
{
    size_t before = atomic_fetch_sub(&workers->num_connections, 1);

    assert(before != 0);
    if (before != workers->max_connections || atomic_load(&workers->is_draining))
        return;
    for (size_t i = 0; i != workers->num; ++i)
        wake(&workers->workers[i]);
}

static void on_connection_closed(void *data)
{
    worker_t *worker = data;

    assert(worker->num_connections != 0);
    --worker->num_connections;
    release_connection(worker->workers);
}

/* no other thread writes, so that it costs no lock of the bus */
static void count_session(worker_t *worker)
{
    size_t num = atomic_load_explicit(&worker->num_sessions, memory_order_relaxed);

    atomic_store_explicit(&worker->num_sessions, num + 1, memory_order_relaxed);
}

/* ---- accepting ---- */

static void complain(worker_t *worker, int errnum)
{
    time_t now = time(NULL);

    if (worker->complained_at != 0 && now - worker->complained_at < COMPLAINT_INTERVAL_S)
        return;
    worker->complained_at = now;
    fprintf(stderr, "h2o-breaker: cannot accept connections for now: %s\n", strerror(errnum));
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

static void rest(worker_t *worker, int errnum)
{
    complain(worker, errnum);
    if (h2o_timeout_is_linked(&worker->rest))
        return;
    worker->rest.cb = on_rested;
    h2o_timeout_link(worker->loop, &worker->ctx.hundred_ms_timeout, &worker->rest);
}

/* returns false when there is nothing more to accept for now */
static bool accept_one(door_t *door)
{
    worker_t *worker = door->worker;
    h2o_socket_t *sock;
    int fd;

    if (!reserve_connection(worker->workers))
        return false;
    if ((fd = accept4(door->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) == -1) {
        int errnum = errno;
        release_connection(worker->workers);
        if (is_shortage(errnum))
            rest(worker, errnum);
        return errnum != EAGAIN && !is_shortage(errnum);
    }
    sock = breaker__loop_adopt(worker->loop, fd);
    ++worker->num_connections;
    count_session(worker);
    sock->on_close.cb = on_connection_closed;
    sock->on_close.data = worker;
    if (door->fastpath != NULL)
        breaker_h2o_fastpath_accept(door->fastpath, sock);
    else
        h2o_accept(&door->accept_ctx, sock);
    return true;
}

static void on_acceptable(void *data)
{
    for (size_t num = 0; num != ACCEPTS_MAX && accept_one(data); ++num)
        ;
}

static bool may_accept(worker_t *worker)
{
    return !h2o_timeout_is_linked(&worker->rest) &&
           atomic_load_explicit(&worker->workers->num_connections, memory_order_relaxed) <
               worker->workers->max_connections;
}

static void update_doors(worker_t *worker)
{
    bool may = may_accept(worker);

    if (may == worker->is_accepting)
        return;
    for (size_t i = 0; i != worker->workers->config->listeners.size; ++i)
        (may ? breaker__watch_start : breaker__watch_stop)(worker->doors[i].watch);
    worker->is_accepting = may;
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

static void end_idle(worker_t *worker, bool spares_fresh)
{
    for (size_t i = 0; i != worker->workers->config->listeners.size; ++i)
        if (worker->doors[i].fastpath != NULL)
            breaker_h2o_fastpath_end_idle(worker->doors[i].fastpath, spares_fresh);
    worker->ctx.globalconf->http1.callbacks.foreach_request(&worker->ctx, on_draining_request,
                                                            &spares_fresh);
}

static void on_grace_over(h2o_timeout_entry_t *entry)
{
    end_idle(H2O_STRUCT_FROM_MEMBER(worker_t, grace, entry), false);
}

/* what waits in the queues would be reset when they close */
static void close_doors(worker_t *worker)
{
    for (size_t i = 0; i != worker->workers->config->listeners.size; ++i) {
        while (accept_one(&worker->doors[i]))
            ;
        breaker__watch_close(worker->doors[i].watch);
        worker->doors[i].watch = NULL;
    }
}

static void drain(worker_t *worker)
{
    close_doors(worker);
    h2o_context_request_shutdown(&worker->ctx);
    end_idle(worker, true);
    worker->grace.cb = on_grace_over;
    h2o_timeout_link(worker->loop, &worker->ctx.one_sec_timeout, &worker->grace);
    while (worker->num_connections != 0) {
        breaker__loop_run(worker->loop);
        h2o_filecache_clear(worker->ctx.filecache);
    }
}

/* ---- the life of a thread ---- */

static void on_wakeup(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages)
{
    (void)receiver, (void)messages;
}

static void open_doors(worker_t *worker)
{
    breaker__config_t *config = worker->workers->config;

    worker->doors = h2o_mem_alloc(config->listeners.size * sizeof(worker->doors[0]));
    for (size_t i = 0; i != config->listeners.size; ++i) {
        breaker__listener_t *listener = config->listeners.entries[i];
        door_t *door = &worker->doors[i];
        memset(door, 0, sizeof(*door));
        door->worker = worker;
        door->accept_ctx.ctx = &worker->ctx;
        door->accept_ctx.hosts =
            listener->hosts != NULL ? listener->hosts : config->globalconf.hosts;
        door->accept_ctx.ssl_ctx = listener->certificates != NULL
                                       ? breaker__certificates_context(listener->certificates)
                                       : NULL;
        door->accept_ctx.expect_proxy_line = listener->proxy_protocol;
        if (config->fast_path)
            door->fastpath = breaker_h2o_fastpath_create(&door->accept_ctx);
        door->fd = breaker__listener_take(listener, worker->index);
        door->watch = breaker__watch_create(worker->loop, door->fd, on_acceptable, door);
    }
}

static void wait_for(sem_t *sem)
{
    while (sem_wait(sem) != 0)
        assert(errno == EINTR);
}

static void begin(worker_t *worker)
{
    worker->loop = breaker__loop_create();
    h2o_context_init(&worker->ctx, worker->loop, &worker->workers->config->globalconf);
    breaker__http_calls_begin(&worker->calls, &worker->ctx);
    h2o_multithread_register_receiver(worker->ctx.queue, &worker->wakeups, on_wakeup);
    open_doors(worker);
    update_doors(worker);
}

static void dispose(worker_t *worker)
{
    assert(worker->num_connections == 0);
    h2o_timeout_unlink(&worker->rest);
    h2o_timeout_unlink(&worker->grace);
    /* libh2o leaves it linked, and then asserts that the list is empty */
    h2o_timeout_unlink(&worker->ctx.http2._graceful_shutdown_timeout);
    h2o_multithread_unregister_receiver(worker->ctx.queue, &worker->wakeups);
    for (size_t i = 0; i != worker->workers->config->listeners.size; ++i)
        breaker_h2o_fastpath_free(worker->doors[i].fastpath);
    breaker__http_calls_end(&worker->calls);
    h2o_context_dispose(&worker->ctx);
    breaker__loop_end(worker->loop);
    free(worker->doors);
}

static void dispose_in_turn(worker_t *worker)
{
    breaker__workers_t *workers = worker->workers;
    const uint64_t one = 1;

    if (worker->index + 1 != workers->num)
        wait_for(&worker->turn);
    dispose(worker);
    if (worker->index != 0)
        sem_post(&workers->workers[worker->index - 1].turn);
    else if (write(workers->ended_fd, &one, sizeof(one)) != sizeof(one))
        h2o_fatal("an eventfd does not count");
}

static void *run(void *data)
{
    worker_t *worker = data;
    breaker__workers_t *workers = worker->workers;

    begin(worker);
    sem_post(&workers->begun);
    while (!atomic_load(&workers->is_draining)) {
        update_doors(worker);
        breaker__loop_run(worker->loop);
        h2o_filecache_clear(worker->ctx.filecache);
    }
    drain(worker);
    pthread_barrier_wait(&workers->drained);
    dispose_in_turn(worker);
    while (true)
        pause();
    return NULL;
}

/* ---- all of them ---- */

static breaker__workers_t *create(breaker__config_t *config, size_t max_connections)
{
    size_t size = sizeof(breaker__workers_t) + config->num_threads * sizeof(worker_t);
    breaker__workers_t *workers;

    if (posix_memalign((void **)&workers, _Alignof(breaker__workers_t), size) != 0)
        h2o_fatal("no memory");
    memset(workers, 0, size);
    workers->config = config;
    workers->num = config->num_threads;
    workers->max_connections = max_connections;
    sem_init(&workers->begun, 0, 0);
    pthread_barrier_init(&workers->drained, NULL, (unsigned)workers->num);
    workers->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return workers;
}

breaker__workers_t *breaker__workers_start(breaker__config_t *config, size_t max_connections)
{
    breaker__workers_t *workers = create(config, max_connections);

    for (size_t i = 0; i != workers->num; ++i) {
        worker_t *worker = &workers->workers[i];
        pthread_t thread;
        int err;
        worker->workers = workers;
        worker->index = i;
        sem_init(&worker->turn, 0, 0);
        if ((err = pthread_create(&thread, NULL, run, worker)) != 0) {
            fprintf(stderr, "h2o-breaker: cannot start thread %zu of %zu: %s\n", i + 1,
                    workers->num, strerror(err));
            return NULL;
        }
        pthread_detach(thread);
        wait_for(&workers->begun);
    }
    return workers;
}

void breaker__workers_drain(breaker__workers_t *workers)
{
    assert(!atomic_load(&workers->is_draining));
    atomic_store(&workers->is_draining, true);
    for (size_t i = 0; i != workers->num; ++i)
        wake(&workers->workers[i]);
}

int breaker__workers_ended_fd(const breaker__workers_t *workers)
{
    return workers->ended_fd;
}

size_t breaker__workers_num_connections(const breaker__workers_t *workers)
{
    return atomic_load(&workers->num_connections);
}

size_t breaker__workers_max_connections(const breaker__workers_t *workers)
{
    return workers->max_connections;
}

size_t breaker__workers_num_sessions(const breaker__workers_t *workers)
{
    size_t num = 0;

    for (size_t i = 0; i != workers->num; ++i)
        num += atomic_load_explicit(&workers->workers[i].num_sessions, memory_order_relaxed);
    return num;
}

const breaker__workers_t *breaker__workers_of(const h2o_context_t *ctx)
{
    return ((const worker_t *)(const void *)((const char *)ctx - offsetof(worker_t, ctx)))->workers;
}

void breaker__workers_free(breaker__workers_t *workers)
{
    if (workers == NULL)
        return;
    for (size_t i = 0; i != workers->num; ++i)
        breaker__loop_free(workers->workers[i].loop);
    close(workers->ended_fd);
    /* the parked threads have their records to the end of the process */
}
