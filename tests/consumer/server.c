/*
 * An outside consumer: a small server of its own that embeds the installed handler, with its own
 * loop and listener, in whichever flavour of libh2o it is linked to. It knows nothing of this
 * project's tree but what is installed. What stands between the "embedding" and "joining" marks is
 * what README shows to embedders.
 *
 *   server DIRECTORY [REDIS_URL thread|loop]
 *
 * With a Redis it is a node of the cluster "shop", by the library's thread or on a loop of its own:
 * the one of its connections where that is uv's, else another one, on a thread. SIGTERM ends it.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* embedding: begin */
#include <breaker/h2o.h>

/* The node outlives the h2o configuration. */
static int serve_assets(h2o_globalconf_t *globalconf, h2o_pathconf_t *pathconf,
                        const char *directory, bool in_cluster, breaker_node_t **ret_node,
                        breaker_error_t *error)
{
    breaker_node_config_t node_config;
    breaker_view_config_t view_config;
    breaker_node_t *node;
    const breaker_view_t *view;
    int err;

    breaker_h2o_node_config_init(&node_config, globalconf);
    breaker_view_config_init(&view_config);
    view_config.name = "static/{breaker}";
    view_config.directory = directory;

    if ((err = breaker_node_create(&node_config, &node)) != 0 ||
        (err = breaker_node_add_view(node, &view_config, &view)) != 0 ||
        (err = breaker_h2o_static_register(pathconf, node, &view, 1)) != 0 ||
        (in_cluster && (err = breaker_node_join(node)) != 0))
        return breaker_error_set(error, err, "%s", breaker_err_message(err));
    *ret_node = node;
    return breaker_node_load(node, error); /* before h2o_context_init */
}
/* embedding: end */

/* joining: begin */
/* Without a loop of yours the cluster has a thread of its own. */
static int join_cluster(breaker_node_t *node, const char *redis_url, uv_loop_t *loop,
                        breaker_cluster_t **ret_cluster, breaker_error_t *error)
{
    breaker_cluster_config_t config;

    breaker_cluster_config_init(&config);
    config.app = "shop";
    config.redis.urls = &redis_url;
    config.redis.num_urls = 1;
    config.loop = loop;
    return breaker_cluster_start(node, &config, ret_cluster, error);
}
/* joining: end */

static h2o_globalconf_t config;
static h2o_context_t context;
static h2o_accept_ctx_t accept_ctx;
/* in a cluster, so that both ways to accept are tried */
static breaker_h2o_fastpath_t *fastpath;

static breaker_node_t *node;
static breaker_cluster_t *cluster;
static const char *redis_url;
static bool on_own_loop;

static void join_or_exit(uv_loop_t *loop)
{
    breaker_error_t error;

    if (join_cluster(node, redis_url, loop, &cluster, &error) != 0) {
        fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
}

static void accept_connection(h2o_socket_t *sock)
{
    if (fastpath != NULL)
        breaker_h2o_fastpath_accept(fastpath, sock);
    else
        h2o_accept(&accept_ctx, sock);
}

#if H2O_USE_LIBUV
static void on_connection(uv_stream_t *listener, int status)
{
    uv_tcp_t *connection;

    if (status != 0)
        return;
    connection = h2o_mem_alloc(sizeof(*connection));
    uv_tcp_init(listener->loop, connection);
    if (uv_accept(listener, (uv_stream_t *)connection) != 0) {
        uv_close((uv_handle_t *)connection, (uv_close_cb)free);
        return;
    }
    uv_tcp_nodelay(connection, 1);
    accept_connection(h2o_uv_socket_create((uv_stream_t *)connection, (uv_close_cb)free));
}

static void on_term(uv_signal_t *signal, int number)
{
    (void)number;
    uv_stop(signal->loop);
}

static void run(int fd)
{
    static uv_loop_t loop;
    static uv_tcp_t listener;
    static uv_signal_t term;

    uv_loop_init(&loop);
    h2o_context_init(&context, &loop, &config);
    if (redis_url != NULL)
        fastpath = breaker_h2o_fastpath_create(&accept_ctx);
    uv_signal_init(&loop, &term);
    uv_signal_start(&term, on_term, SIGTERM);
    uv_tcp_init(&loop, &listener);
    uv_tcp_open(&listener, fd);
    if (redis_url != NULL)
        join_or_exit(on_own_loop ? &loop : NULL);
    if (uv_listen((uv_stream_t *)&listener, SOMAXCONN, on_connection) == 0)
        uv_run(&loop, UV_RUN_DEFAULT);
    breaker_cluster_stop(cluster);
    /* the memory of the cluster goes once the loop has run; connections may keep it running */
    uv_run(&loop, UV_RUN_NOWAIT);
    uv_run(&loop, UV_RUN_NOWAIT);
}
#else
static void on_connection(h2o_socket_t *listener, const char *err)
{
    h2o_socket_t *connection;

    if (err == NULL && (connection = h2o_evloop_socket_accept(listener)) != NULL)
        accept_connection(connection);
}

/* ---- a loop of uv, on a thread, beside the one of the connections ---- */

static uv_async_t leave;

/** What a loop still knows of once everything that was ours is closed is somebody's mistake. */
static void end_loop(uv_loop_t *loop)
{
    uv_run(loop, UV_RUN_DEFAULT);
    if (uv_loop_close(loop) != 0) {
        fprintf(stderr, "the loop is not empty\n");
        exit(1);
    }
}

static void on_leave(uv_async_t *async)
{
    breaker_cluster_stop(cluster);
    uv_close((uv_handle_t *)async, NULL);
}

static void *run_cluster(void *data)
{
    uv_loop_t *loop = data;

    join_or_exit(loop);
    end_loop(loop);
    return NULL;
}

static volatile sig_atomic_t is_over;

static void on_term(int number)
{
    (void)number;
    is_over = 1;
}

static void run(int fd)
{
    static uv_loop_t uv_loop;
    h2o_evloop_t *loop = h2o_evloop_create();
    h2o_socket_t *listener;
    pthread_t thread;

    signal(SIGTERM, on_term);
    h2o_context_init(&context, loop, &config);
    if (redis_url != NULL)
        fastpath = breaker_h2o_fastpath_create(&accept_ctx);
    if (on_own_loop) {
        uv_loop_init(&uv_loop);
        uv_async_init(&uv_loop, &leave, on_leave);
        if (pthread_create(&thread, NULL, run_cluster, &uv_loop) != 0)
            exit(1);
    } else if (redis_url != NULL) {
        join_or_exit(NULL);
    }
    listener = h2o_evloop_socket_create(loop, fd, H2O_SOCKET_FLAG_DONT_READ);
    h2o_socket_read_start(listener, on_connection);
    while (!is_over)
        h2o_evloop_run(loop, 100);
    if (on_own_loop) {
        uv_async_send(&leave);
        pthread_join(thread, NULL);
    } else {
        breaker_cluster_stop(cluster);
    }
}
#endif

/** Listens on a free port of the loopback interface and says which one it is. */
static int listen_on_loopback(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd == -1 || bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, SOMAXCONN) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        perror("listen");
        exit(1);
    }
    printf("listening on %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    breaker_error_t error;
    h2o_hostconf_t *host;

    if (argc != 2 &&
        (argc != 4 || (strcmp(argv[3], "thread") != 0 && strcmp(argv[3], "loop") != 0))) {
        fprintf(stderr, "usage: %s DIRECTORY [REDIS_URL thread|loop]\n", argv[0]);
        return 2;
    }
    if (argc == 4) {
        redis_url = argv[2];
        on_own_loop = strcmp(argv[3], "loop") == 0;
    }
    signal(SIGPIPE, SIG_IGN);
    h2o_config_init(&config);
    host = h2o_config_register_host(&config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    if (serve_assets(&config, h2o_config_register_path(host, "/", 0), argv[1], redis_url != NULL,
                     &node, &error) != 0) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    accept_ctx.ctx = &context;
    accept_ctx.hosts = config.hosts;
    run(listen_on_loopback());
    return 0;
}
