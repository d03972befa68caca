/*
 * An outside consumer: a small server of its own that embeds the installed handler, with its own
 * loop and listener, in whichever flavour of libh2o it is linked to. It knows nothing of this
 * project's tree but what is installed. What stands between the two "embedding" marks is what
 * README shows to embedders.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* embedding: begin */
#include <breaker/h2o.h>

static int serve_assets(h2o_globalconf_t *globalconf, h2o_pathconf_t *pathconf,
                        const char *directory, breaker_error_t *error)
{
    breaker_node_config_t node_config;
    breaker_view_config_t view_config;
    breaker_node_t *node; /* outlives the h2o configuration */
    const breaker_view_t *view;
    int err;

    breaker_h2o_node_config_init(&node_config, globalconf);
    breaker_view_config_init(&view_config);
    view_config.name = "static/{breaker}";
    view_config.directory = directory;

    if ((err = breaker_node_create(&node_config, &node)) != 0 ||
        (err = breaker_node_add_view(node, &view_config, &view)) != 0 ||
        (err = breaker_h2o_static_register(pathconf, node, &view, 1)) != 0)
        return breaker_error_set(error, err, "%s", breaker_err_message(err));
    return breaker_node_load(node, error); /* before h2o_context_init */
}
/* embedding: end */

static h2o_globalconf_t config;
static h2o_context_t context;
static h2o_accept_ctx_t accept_ctx;

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
    h2o_accept(&accept_ctx, h2o_uv_socket_create((uv_stream_t *)connection, (uv_close_cb)free));
}

static void run(int fd)
{
    static uv_loop_t loop;
    static uv_tcp_t listener;

    uv_loop_init(&loop);
    h2o_context_init(&context, &loop, &config);
    uv_tcp_init(&loop, &listener);
    uv_tcp_open(&listener, fd);
    if (uv_listen((uv_stream_t *)&listener, SOMAXCONN, on_connection) == 0)
        uv_run(&loop, UV_RUN_DEFAULT);
}
#else
static void on_connection(h2o_socket_t *listener, const char *err)
{
    h2o_socket_t *connection;

    if (err == NULL && (connection = h2o_evloop_socket_accept(listener)) != NULL)
        h2o_accept(&accept_ctx, connection);
}

static void run(int fd)
{
    h2o_evloop_t *loop = h2o_evloop_create();
    h2o_socket_t *listener;

    h2o_context_init(&context, loop, &config);
    listener = h2o_evloop_socket_create(loop, fd, H2O_SOCKET_FLAG_DONT_READ);
    h2o_socket_read_start(listener, on_connection);
    for (;;)
        h2o_evloop_run(loop, INT32_MAX);
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

    if (argc != 2) {
        fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    h2o_config_init(&config);
    host = h2o_config_register_host(&config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    if (serve_assets(&config, h2o_config_register_path(host, "/", 0), argv[1], &error) != 0) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    accept_ctx.ctx = &context;
    accept_ctx.hosts = config.hosts;
    run(listen_on_loopback());
    return 1;
}
