/* A private redis-server and a small client; see resp.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "resp.h"

enum { START_MS = 20000, LINE_MAX_LEN = 256, ELEMENTS_MAX = 4096 };

static void die(const char *what)
{
    perror(what);
    abort();
}

/* ---- the server ---- */

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
}

static int free_port(void)
{
    struct sockaddr_in address = loopback(0);
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        die("free_port");
    close(fd);
    return ntohs(address.sin_port);
}

static void run_server(const resp_server_t *server)
{
    char port[16];

    /* the test may be killed: the server then goes with it */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(port, sizeof(port), "%d", server->port);
    if (freopen("/dev/null", "w", stdout) == NULL)
        _exit(126);
    execlp("redis-server", "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "",
           "--appendonly", "no", "--dir", server->directory, (char *)NULL);
    _exit(127);
}

static int try_connect(const resp_server_t *server)
{
    struct sockaddr_in address = loopback(server->port);
    struct timeval limit = {.tv_sec = 20};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        die("socket");
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    return fd;
}

/* false when the process ended */
static bool wait_until_it_listens(resp_server_t *server)
{
    const struct timespec pause = {.tv_nsec = 5000000};

    for (int waited_ms = 0; waited_ms < START_MS; waited_ms += 5) {
        int fd = try_connect(server);
        if (fd >= 0) {
            close(fd);
            return true;
        }
        if (waitpid(server->pid, NULL, WNOHANG) == server->pid)
            return false;
        nanosleep(&pause, NULL);
    }
    fprintf(stderr, "redis-server does not listen\n");
    abort();
}

bool resp_server_start(resp_server_t *server)
{
    /* another process may take the port in between: then the next one */
    for (int attempt = 0; attempt != 5; ++attempt) {
        strcpy(server->directory, "/tmp/breaker-redis-XXXXXX");
        if (mkdtemp(server->directory) == NULL)
            die("mkdtemp");
        server->port = free_port();
        if ((server->pid = fork()) < 0)
            die("fork");
        if (server->pid == 0)
            run_server(server);
        if (wait_until_it_listens(server))
            return true;
        rmdir(server->directory);
    }
    return false;
}

void resp_server_stop(resp_server_t *server)
{
    kill(server->pid, SIGKILL);
    if (waitpid(server->pid, NULL, 0) != server->pid)
        die("waitpid");
    rmdir(server->directory);
}

int resp_connect(const resp_server_t *server)
{
    int fd = try_connect(server);

    if (fd < 0)
        die("connect");
    return fd;
}

/* ---- the protocol ---- */

static void send_all(int fd, const char *base, size_t len)
{
    while (len != 0) {
        ssize_t sent = send(fd, base, len, MSG_NOSIGNAL);
        if (sent <= 0)
            die("send");
        base += sent;
        len -= (size_t)sent;
    }
}

static void read_all(int fd, char *base, size_t len)
{
    while (len != 0) {
        ssize_t got = recv(fd, base, len, 0);
        if (got <= 0)
            die("recv");
        base += got;
        len -= (size_t)got;
    }
}

static size_t read_line(int fd, char *line)
{
    size_t len = 0;

    do {
        if (len == LINE_MAX_LEN)
            die("a line that is too long");
        read_all(fd, line + len++, 1);
    } while (line[len - 1] != '\n');
    line[len - 2] = '\0';
    return len - 2;
}

static void read_reply(int fd, resp_t *reply);

static void read_string(int fd, resp_t *reply, int64_t len)
{
    if (len < 0) {
        reply->type = RESP_NIL;
        return;
    }
    if ((reply->text = calloc(1, (size_t)len + 3)) == NULL)
        die("calloc");
    read_all(fd, reply->text, (size_t)len + 2);
    reply->text[len] = '\0';
}

static void read_elements(int fd, resp_t *reply, int64_t num)
{
    if (num < 0) {
        reply->type = RESP_NIL;
        return;
    }
    if (num > ELEMENTS_MAX || (reply->elements = calloc((size_t)num + 1, sizeof(*reply))) == NULL)
        die("elements");
    reply->num_elements = (size_t)num;
    for (size_t i = 0; i != reply->num_elements; ++i)
        read_reply(fd, reply->elements + i);
}

static void read_reply(int fd, resp_t *reply)
{
    char line[LINE_MAX_LEN];

    read_line(fd, line);
    reply->type = line[0];
    if (line[0] == '$')
        read_string(fd, reply, strtoll(line + 1, NULL, 10));
    else if (line[0] == '*')
        read_elements(fd, reply, strtoll(line + 1, NULL, 10));
    else if (line[0] == ':')
        reply->integer = strtoll(line + 1, NULL, 10);
    else
        reply->text = strdup(line + 1);
}

resp_t *resp_command(int fd, size_t argc, const char *const *argv)
{
    resp_t *reply = calloc(1, sizeof(*reply));
    char head[32];

    if (reply == NULL)
        die("calloc");
    send_all(fd, head, (size_t)snprintf(head, sizeof(head), "*%zu\r\n", argc));
    for (size_t i = 0; i != argc; ++i) {
        size_t len = strlen(argv[i]);
        send_all(fd, head, (size_t)snprintf(head, sizeof(head), "$%zu\r\n", len));
        send_all(fd, argv[i], len);
        send_all(fd, "\r\n", 2);
    }
    read_reply(fd, reply);
    return reply;
}

static void dispose(resp_t *reply)
{
    for (size_t i = 0; i != reply->num_elements; ++i)
        dispose(reply->elements + i);
    free(reply->elements);
    free(reply->text);
}

void resp_free(resp_t *reply)
{
    dispose(reply);
    free(reply);
}
