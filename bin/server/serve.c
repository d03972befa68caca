/*
 * The life of a process that serves, a worker or the only one. The main thread reads the
 * configuration, binds, drops privileges, has the release loaded, joins the cluster if there is
 * one, waits for its token, starts the threads that serve, and then waits for orders: everything
 * that happens to the process as a whole happens here.
 *
 * A worker tells its master what it has bound as soon as it has, and that it serves; from then on
 * the worker before it retires, whose connections end one after the other.
 *
 * A node of a cluster may wait for its token as long as Redis is away. Until it listens connections
 * are refused, so that a balancer asks another node at once. A node by itself has no other one to
 * ask, and its wait has an end: it listens first, and connections wait in the queue meanwhile.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>
#include <h2o.h>
#include <breaker/h2o.h>
#include "config/config.h"
#include "logs/error_log.h"
#include "logs/logs.h"
#include "master/channel.h"
#include "net/threads.h"
#include "process/pid_file.h"
#include "process/process.h"
#include "process/sandbox.h"
#include "server/orders.h"
#include "server/report.h"
#include "server/serve.h"
#include "server/start_line.h"

/* unless the file says: half of the descriptors that are left, since a proxied request takes two */
#define MAX_CONNECTIONS 65536
#define RESERVED_FILES 256
#define MIN_CONNECTIONS 64
/* how long it takes until the log says that the cluster has no token yet */
#define TOKEN_PATIENCE_MS 1000
/* between two looks at whether another worker's place may be taken */
#define TAKE_OVER_POLL_MS 10
/* a moment that does not come */
#define NEVER INT64_MAX

typedef struct st_server_t {
    breaker__config_t config;
    /* NULL on a single node */
    breaker_cluster_t *cluster;
    /* readable when the first snapshot is published; -1 on a single node, whose load publishes */
    int serves_fd;
    breaker__orders_t orders;
    breaker__legacy_t *legacy; /* borrowed */
    /* another worker serves on the same sockets until this one is ready */
    bool takes_over;
    breaker__logs_t logs;
    breaker__pid_file_t pid_file;
    int error_log_fd;
    size_t max_connections;
    /* of CLOCK_MONOTONIC; and how long the release took */
    int64_t begun_ms, load_ms;
} server_t;

/* reachable to the end, because the threads that serve never end */
static server_t server = {
    .serves_fd = -1, .orders = {.fd = -1}, .pid_file = {.fd = -1}, .error_log_fd = -1};

static bool has_master(const server_t *self)
{
    return self->orders.has_master;
}

/* ---- before serving ---- */

static breaker_log_field_t worker_field(void)
{
    return breaker_log_number("worker", (uint64_t)getpid());
}

static void say_stopped(const char *reason)
{
    breaker__say(BREAKER_LOG_INFO, BREAKER_LOG_EVENT, "stopped", worker_field(),
                 breaker_log_text("reason", reason));
}

static void listen_to_holding(breaker_node_t *node)
{
    breaker_holding_config_t config = *breaker_node_holding(node);

    config.on_log = breaker__error_log_on_event;
    if (breaker_node_set_holding(node, &config, NULL) != 0)
        h2o_fatal("no memory");
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int load_release(server_t *self)
{
    int64_t begun_ms = now_ms();
    breaker_error_t error = {0};
    char user[64];

    listen_to_holding(self->config.node);
    if (breaker_node_load(self->config.node, &error) == 0) {
        self->load_ms = now_ms() - begun_ms;
        return 0;
    }
    breaker__process_user(user, sizeof(user));
    breaker__complain(BREAKER_LOG_ERROR, "load", "cannot load the release as user %s: %s", user,
                      error.message);
    return -1;
}

/* releases may be large: meanwhile the main thread takes orders */
typedef struct st_loading_t {
    server_t *server;
    int done_fd;
    int err;
} loading_t;

static void *run_loading(void *data)
{
    loading_t *loading = data;
    const uint64_t one = 1;

    loading->err = load_release(loading->server);
    if (write(loading->done_fd, &one, sizeof(one)) != sizeof(one))
        h2o_fatal("an eventfd does not count");
    return NULL;
}

static void remove_files(server_t *self)
{
    breaker__listeners_remove_files(&self->config.listeners);
    breaker__pid_file_remove(&self->pid_file);
}

/* ends the process without waiting for anyone; threads may be anywhere */
static _Noreturn void end_at_once(server_t *self, int status)
{
    if (status != EX_OK)
        breaker__report_failure(self->legacy);
    remove_files(self);
    breaker__logs_flush(&self->logs);
    fflush(NULL);
    _exit(status);
}

/* for poll(2); -1 without an end */
static int time_left_ms(int64_t ends_ms)
{
    int64_t left_ms = ends_ms - now_ms();

    if (ends_ms == NEVER)
        return -1;
    return left_ms > 0 ? (int)left_ms : 0;
}

/*
 * Waits until an eventfd has counted, and takes it, or until a moment of `now_ms`; returns the
 * order that came instead, or BREAKER__ORDER_NONE.
 */
static breaker__order_t wait_or_order(server_t *self, int fd, int64_t ends_ms, bool *ret_timed_out)
{
    eventfd_t count;

    *ret_timed_out = false;
    while (true) {
        struct pollfd polled[] = {{self->orders.fd, POLLIN, 0}, {fd, POLLIN, 0}};
        int num = poll(polled, 2, time_left_ms(ends_ms));
        breaker__order_t order;
        if (num == -1 && errno != EINTR)
            h2o_fatal("poll");
        if ((order = breaker__orders_next(&self->orders)) != BREAKER__ORDER_NONE)
            return order;
        if (num > 0 && polled[1].revents != 0 && eventfd_read(fd, &count) == 0)
            return BREAKER__ORDER_NONE;
        if (ends_ms != NEVER && now_ms() >= ends_ms) {
            *ret_timed_out = true;
            return BREAKER__ORDER_NONE;
        }
    }
}

static int load_beside_orders(server_t *self)
{
    loading_t loading = {self, eventfd(0, EFD_CLOEXEC), 0};
    pthread_t thread;
    bool timed_out;
    int err;

    if (loading.done_fd == -1) {
        breaker__complain(BREAKER_LOG_ERROR, "start", "cannot make an eventfd: %s",
                          strerror(errno));
        return -1;
    }
    if ((err = pthread_create(&thread, NULL, run_loading, &loading)) != 0) {
        breaker__complain(BREAKER_LOG_ERROR, "start", "cannot start the thread that loads: %s",
                          strerror(err));
        close(loading.done_fd);
        return -1;
    }
    if (wait_or_order(self, loading.done_fd, NEVER, &timed_out) != BREAKER__ORDER_NONE) {
        say_stopped("stopped while the release was loaded");
        end_at_once(self, EX_OK);
    }
    pthread_join(thread, NULL);
    close(loading.done_fd);
    return loading.err;
}

static size_t choose_max_connections(const breaker__config_t *config, size_t num_files)
{
    size_t fitting = num_files > RESERVED_FILES ? (num_files - RESERVED_FILES) / 2 : 0;

    if (fitting < MIN_CONNECTIONS)
        fitting = MIN_CONNECTIONS;
    if (config->max_connections == 0)
        return fitting < MAX_CONNECTIONS ? fitting : MAX_CONNECTIONS;
    if (config->max_connections > num_files)
        breaker__complain(
            BREAKER_LOG_WARNING, "max-connections",
            "max-connections %zu is more than the %zu descriptors that RLIMIT_NOFILE allows",
            config->max_connections, num_files);
    return config->max_connections;
}

static bool is_clustered(server_t *self)
{
    return breaker_h2o_cluster_config(&self->config.globalconf) != NULL;
}

/* what is held and of no listener any more stays the master's */
static int bind_all(server_t *self, breaker__held_list_t *held)
{
    int err = breaker__listeners_bind(&self->config.listeners, self->config.num_threads, held);

    for (size_t i = 0; i != held->num && !has_master(self); ++i)
        if (held->entries[i].num_fds != 0)
            breaker__complain(BREAKER_LOG_WARNING, "listen-fds", "LISTEN_FDS: no `listen` names %s",
                              held->entries[i].name);
    breaker__held_let_go(held);
    if (err == 0 && has_master(self))
        breaker__report_bound(&self->orders, &self->config.listeners);
    return err;
}

static int write_pid(server_t *self)
{
    const char *path = self->config.pid_file;

    if (path == NULL)
        return 0;
    if (breaker__pid_file_write(&self->pid_file, path, has_master(self) ? getppid() : getpid()) !=
        0)
        return -1;
    /* what names the master is the master's */
    if (has_master(self)) {
        breaker__report(&self->orders, BREAKER__SAY_PID_FILE, path, &self->pid_file.fd, 1);
        breaker__pid_file_let_go(&self->pid_file);
    }
    return 0;
}

/* everything that may need root: ports, logs, the pid file */
static int acquire(server_t *self, breaker__held_list_t *held)
{
    breaker__config_t *config = &self->config;

    self->max_connections = choose_max_connections(config, breaker__process_raise_files());
    if (config->error_log.path != NULL &&
        (self->error_log_fd =
             breaker__error_log_open(config->error_log.path, self->legacy->stderr_fd)) == -1)
        return EX_CANTCREAT;
    if (bind_all(self, held) != 0)
        return EX_UNAVAILABLE;
    if (!is_clustered(self) && breaker__listeners_listen(&config->listeners) != 0)
        return EX_UNAVAILABLE;
    return write_pid(self) == 0 ? EX_OK : EX_CANTCREAT;
}

static int become_user(const breaker__config_t *config)
{
    return config->user != NULL ? breaker__process_become(config->user) : 0;
}

/* where lines go from here on, or -1: where they go already */
static int error_log_fd(const server_t *self)
{
    if (self->config.error_log.path != NULL)
        return self->error_log_fd;
    return self->legacy->has_error_log ? self->legacy->stderr_fd : -1;
}

/* from here on stdout and stderr are the log, and the master's lines are like ours */
static void redirect_log(server_t *self)
{
    int fd = error_log_fd(self);
    char text[64];

    if (fd != -1 && breaker__error_log_redirect(fd) != 0)
        h2o_fatal("dup2");
    snprintf(text, sizeof(text), "%d %s", self->config.error_log.path != NULL,
             breaker__error_log_form());
    breaker__report(&self->orders, BREAKER__SAY_ERROR_LOG, text, &fd, fd != -1 ? 1 : 0);
    if (self->error_log_fd != -1)
        close(self->error_log_fd);
    self->error_log_fd = -1;
}

/* ---- the cluster ---- */

static void on_cluster_ready(void *data)
{
    if (eventfd_write(*(const int *)data, 1) != 0)
        h2o_fatal("an eventfd does not count");
}

/* where peers reach a node that says so by itself */
static void set_port(const breaker__listeners_t *listeners, breaker_cluster_config_t *config)
{
    breaker__listener_t *listener = breaker__listeners_find_public(listeners);

    if (listener == NULL)
        return;
    config->advertise_port =
        (uint16_t)h2o_socket_getport((struct sockaddr *)(void *)&listener->addr);
    config->advertise_tls = listener->certificates != NULL;
}

static int join_cluster(server_t *self)
{
    const breaker_cluster_config_t *said = breaker_h2o_cluster_config(&self->config.globalconf);
    breaker_cluster_config_t config;
    breaker_error_t error = {0};

    if (said == NULL)
        return 0;
    if ((self->serves_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) == -1) {
        breaker__complain(BREAKER_LOG_ERROR, "start", "cannot make an eventfd: %s",
                          strerror(errno));
        return -1;
    }
    config = *said;
    config.data = &self->serves_fd;
    config.on_log = breaker__error_log_on_event;
    config.on_ready = on_cluster_ready;
    set_port(&self->config.listeners, &config);
    if (breaker_cluster_start(self->config.node, &config, &self->cluster, &error) == 0)
        return 0;
    breaker__complain(BREAKER_LOG_ERROR, "cluster", "breaker.cluster: %s", error.message);
    return -1;
}

static void leave_cluster(server_t *self)
{
    breaker_cluster_stop(self->cluster);
    self->cluster = NULL;
    if (self->serves_fd != -1)
        close(self->serves_fd);
    self->serves_fd = -1;
}

/*
 * Until the cluster has a token for this node no answer could be right, so nobody can connect and
 * the service manager is not told that it is ready. Returns the order that ended the wait, or
 * BREAKER__ORDER_NONE.
 */
static breaker__order_t wait_for_token(server_t *self)
{
    breaker__order_t order;
    bool timed_out;

    if (self->serves_fd == -1)
        return BREAKER__ORDER_NONE;
    order = wait_or_order(self, self->serves_fd, now_ms() + TOKEN_PATIENCE_MS, &timed_out);
    if (order != BREAKER__ORDER_NONE || !timed_out)
        return order;
    breaker__say(BREAKER_LOG_INFO, BREAKER_LOG_EVENT, "waiting",
                 breaker_log_text("reason", "waiting for the cluster's token; connections are "
                                            "refused until then"));
    breaker__report_state(&self->orders, "STATUS=waiting for the cluster's token");
    return wait_or_order(self, self->serves_fd, NEVER, &timed_out);
}

/*
 * That others have its own release a worker can wait for only where the one before finds it in the
 * archive: nobody reaches this one yet.
 */
static bool is_to_wait(const server_t *self)
{
    switch (breaker_node_readiness(self->config.node)) {
    case BREAKER_NOT_READY_FETCHING:
        return true;
    case BREAKER_NOT_READY_UNSHARED:
        return breaker_node_holding(self->config.node)->archive != NULL;
    case BREAKER_READY:
    case BREAKER_NOT_READY_NO_TOKEN:
        break;
    }
    return false;
}

/*
 * Whoever takes another worker's place waits until it has what live nodes serve, that worker's
 * release too, and they have its own, for as long as `breaker.ready-timeout` says: visitors are not
 * to miss anything.
 */
static breaker__order_t wait_to_take_over(server_t *self)
{
    breaker__order_t order = BREAKER__ORDER_NONE;
    bool timed_out;

    while (self->takes_over && !self->orders.is_alone && order == BREAKER__ORDER_NONE &&
           is_to_wait(self))
        order = wait_or_order(self, -1, now_ms() + TAKE_OVER_POLL_MS, &timed_out);
    return order;
}

/* ---- serving ---- */

/*
 * Balancers are told first, by the health checks, and have the time to send their requests to other
 * nodes while this one still answers. A second signal shortens that.
 */
static void announce_end(server_t *self)
{
    uint32_t delay_ms = self->config.shutdown_delay_ms;
    bool timed_out;

    breaker_h2o_health_drain(&self->config.globalconf);
    if (delay_ms == 0)
        return;
    breaker__say(BREAKER_LOG_INFO, BREAKER_LOG_EVENT, "unready", worker_field(),
                 breaker_log_span("delay", delay_ms));
    breaker__report_state(&self->orders,
                          "STOPPING=1\nSTATUS=waiting for balancers to send no more requests");
    wait_or_order(self, -1, now_ms() + delay_ms, &timed_out);
}

/* connections are cut; the other nodes still hear that this one is gone */
static _Noreturn void cut(server_t *self, const breaker__threads_t *threads, const char *why)
{
    breaker__say(BREAKER_LOG_WARNING, BREAKER_LOG_EVENT, "cut", worker_field(),
                 breaker_log_word("why", why),
                 breaker_log_number("connections", breaker__threads_num_connections(threads)));
    leave_cluster(self);
    end_at_once(self, EX_OK);
}

static void wait_or_cut(server_t *self, const breaker__threads_t *threads, int fd, int64_t ends_ms)
{
    bool timed_out;

    if (wait_or_order(self, fd, ends_ms, &timed_out) != BREAKER__ORDER_NONE)
        cut(self, threads, "told-again");
    if (timed_out)
        cut(self, threads, "shutdown-timeout");
}

static void drain(server_t *self, breaker__threads_t *threads, bool is_retired)
{
    int64_t ends_ms = now_ms() + (int64_t)self->config.shutdown_timeout_s * 1000;

    breaker__say(BREAKER_LOG_INFO, BREAKER_LOG_EVENT, "draining", worker_field(),
                 breaker_log_word("why", is_retired ? "retired" : "stopping"),
                 breaker_log_number("connections", breaker__threads_num_connections(threads)));
    if (!is_retired) {
        breaker__report_state(&self->orders, "STOPPING=1\nSTATUS=finishing the requests in flight");
        breaker__report(&self->orders, BREAKER__SAY_CLOSING, "", NULL, 0);
    }
    breaker__threads_drain(threads, is_retired);
    wait_or_cut(self, threads, breaker__threads_closed_fd(threads), ends_ms);
    breaker__report(&self->orders, BREAKER__SAY_CLOSED, "", NULL, 0);
    wait_or_cut(self, threads, breaker__threads_ended_fd(threads), ends_ms);
    /* as long as it answered it was one of them */
    leave_cluster(self);
}

static breaker__threads_t *open_doors(server_t *self)
{
    breaker__threads_t *threads;

    if (is_clustered(self) && breaker__listeners_listen(&self->config.listeners) != 0)
        end_at_once(self, EX_UNAVAILABLE);
    if ((threads = breaker__threads_start(&self->config, self->max_connections)) == NULL)
        end_at_once(self, EX_OSERR);
    if (self->takes_over && !self->orders.is_alone)
        breaker_node_set_ready(self->config.node);
    breaker_node_set_predecessor(self->config.node, false);
    breaker__start_line_log(&self->config, now_ms() - self->begun_ms);
    breaker__report_minted(&self->orders, self->config.node);
    breaker__report_ready(&self->orders, "READY=1\nSTATUS=serving");
    return threads;
}

static void stop_waiting(server_t *self)
{
    say_stopped("stopping before the cluster had a token");
    breaker__report_state(&self->orders, "STOPPING=1");
}

static int serve(server_t *self)
{
    breaker__threads_t *threads = NULL;
    bool timed_out;

    if (wait_for_token(self) == BREAKER__ORDER_NONE &&
        wait_to_take_over(self) == BREAKER__ORDER_NONE) {
        threads = open_doors(self);
        breaker__order_t order = wait_or_order(self, -1, NEVER, &timed_out);
        if (order == BREAKER__ORDER_CUT)
            cut(self, threads, "told-again");
        if (order == BREAKER__ORDER_STOP)
            announce_end(self);
        drain(self, threads, order == BREAKER__ORDER_RETIRE);
    } else {
        stop_waiting(self);
        leave_cluster(self);
    }
    remove_files(self);
    breaker__config_dispose(&self->config);
    breaker__threads_free(threads);
    return EX_OK;
}

static int start(server_t *self, breaker__legacy_t *legacy)
{
    int status;

    self->takes_over = legacy->has_predecessor;
    breaker_node_set_predecessor(self->config.node, self->takes_over);
    status = acquire(self, &legacy->held);

    if (status == EX_OK && become_user(&self->config) != 0)
        status = EX_NOPERM;
    if (status == EX_OK)
        breaker__sandbox_enter(&self->config, !has_master(self));
    breaker__take_minted(self->config.node, legacy->minted);
    breaker__take_inventory(&self->orders, self->config.node, &legacy->inventory);
    if (status == EX_OK && load_beside_orders(self) != 0)
        status = EX_CONFIG;
    if (status != EX_OK) {
        remove_files(self);
        return status;
    }
    breaker__report_inventory(&self->orders, self->config.node);
    breaker__error_log_hold_last(false);
    redirect_log(self);
    breaker__start_line_log_release(self->config.node, self->load_ms);
    breaker__logs_find(&self->logs);
    self->logs.globalconf = &self->config.globalconf;
    if (has_master(self))
        breaker__report_logs(&self->orders, &self->logs);
    if (join_cluster(self) != 0)
        end_at_once(self, EX_CONFIG);
    return serve(self);
}

/* ---- the two ways in ---- */

static int read_config(server_t *self, const char *path, bool checks_only)
{
    self->begun_ms = now_ms();
    breaker_h2o_tune_allocator();
    setvbuf(stdout, NULL, _IOLBF, 0);
    setvbuf(stderr, NULL, _IOLBF, 0);
    breaker__config_init(&self->config);
    return breaker__config_load(&self->config, path, checks_only);
}

int breaker__check(const char *config_file)
{
    server_t *self = &server;

    if (read_config(self, config_file, true) != 0)
        return EX_CONFIG;
    if (become_user(&self->config) != 0)
        return EX_NOUSER;
    if (load_release(self) != 0)
        return EX_CONFIG;
    breaker__config_dispose(&self->config);
    printf("configuration OK\n");
    return EX_OK;
}

static int run(const char *config_file, breaker__legacy_t *legacy)
{
    server_t *self = &server;

    self->legacy = legacy;
    if (read_config(self, config_file, false) != 0)
        return EX_CONFIG;
    breaker__error_log_begin(self->config.error_log.format, self->config.error_log.level);
    if (breaker__orders_open(&self->orders, legacy->channel, &self->logs) != 0) {
        breaker__complain(BREAKER_LOG_ERROR, "start", "cannot catch signals: %s", strerror(errno));
        return EX_OSERR;
    }
    return start(self, legacy);
}

int breaker__serve(const char *config_file, breaker__legacy_t *legacy)
{
    int status;

    /* a master that has a log says why, in the line that says what comes of it */
    breaker__error_log_hold_last(legacy->channel != -1 && breaker__error_log_has_begun());
    status = run(config_file, legacy);
    if (status != EX_OK)
        breaker__report_failure(legacy);
    return status;
}
