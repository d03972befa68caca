/* A private redis-server; see server.h. */
#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "server.h"

enum { START_MS = 20000, ATTEMPTS = 5 };

static void die(const char *what)
{
    perror(what);
    exit(2);
}

/* ---- processors ---- */

/* the first one that we may use, or all the others; false when there is no other */
static bool choose_processors(bool is_first, cpu_set_t *ret_chosen)
{
    cpu_set_t allowed;
    size_t first = 0;

    if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0 || CPU_COUNT(&allowed) < 2)
        return false;
    while (!CPU_ISSET(first, &allowed))
        ++first;
    assert(first < CPU_SETSIZE);
    *ret_chosen = allowed;
    CPU_CLR(first, ret_chosen);
    if (is_first) {
        CPU_ZERO(ret_chosen);
        CPU_SET(first, ret_chosen);
    }
    return true;
}

/* what all of them may use is known before anybody has left one of them */
static cpu_set_t servers_processor;
static bool has_processor;

void server_leave_processor(void)
{
    cpu_set_t others;

    assert(!has_processor);
    has_processor = choose_processors(true, &servers_processor);
    if (has_processor && choose_processors(false, &others))
        sched_setaffinity(0, sizeof(others), &others);
}

/* ---- the process ---- */

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
}

/*
 * Below the range of ports that outgoing connections get: while the server is down one of the nodes
 * that dial it would else be given its port, and be connected to itself.
 */
static int free_port(void)
{
    int on = 1;

    for (int port = 10000 + getpid() * 37 % 20000; port < 32700; ++port) {
        struct sockaddr_in address = loopback(port);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), err;

        if (fd < 0)
            die("socket");
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        err = bind(fd, (struct sockaddr *)&address, sizeof(address));
        close(fd);
        if (err == 0)
            return port;
    }
    die("no free port");
    return 0;
}

/* in the child */
static void run(const server_t *server)
{
    char port[16], master_port[16], clients[16];
    const char *argv[24] = {"redis-server",
                            "--port",
                            port,
                            "--bind",
                            "127.0.0.1",
                            "--save",
                            "",
                            "--appendonly",
                            "no",
                            "--maxclients",
                            clients,
                            "--repl-diskless-sync-delay",
                            "0",
                            "--dir",
                            server->directory};

    /* we may be killed: the server then goes with us */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (has_processor)
        sched_setaffinity(0, sizeof(servers_processor), &servers_processor);
    snprintf(port, sizeof(port), "%d", server->port);
    snprintf(clients, sizeof(clients), "%u", server->clients_max);
    if (server->master_port != 0) {
        snprintf(master_port, sizeof(master_port), "%d", server->master_port);
        argv[15] = "--replicaof";
        argv[16] = "127.0.0.1";
        argv[17] = master_port;
    }
    if (freopen("/dev/null", "w", stdout) == NULL)
        _exit(126);
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

void server_start(server_t *server)
{
    assert(server->pid == 0);
    if ((server->pid = fork()) < 0)
        die("fork");
    if (server->pid == 0)
        run(server);
}

static bool accepts(int port)
{
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int err;

    if (fd < 0)
        die("socket");
    err = connect(fd, (struct sockaddr *)&address, sizeof(address));
    close(fd);
    return err == 0;
}

/* false when the process ended */
static bool wait_until_it_accepts(server_t *server)
{
    const struct timespec pause = {.tv_nsec = 5000000};

    assert(server->pid != 0);
    for (int waited_ms = 0; waited_ms < START_MS; waited_ms += 5) {
        if (accepts(server->port))
            return true;
        if (waitpid(server->pid, NULL, WNOHANG) == server->pid) {
            server->pid = 0;
            return false;
        }
        nanosleep(&pause, NULL);
    }
    fprintf(stderr, "redis-server does not listen\n");
    exit(2);
}

bool server_create(server_t *server, unsigned clients_max, int master_port)
{
    *server = (server_t){.clients_max = clients_max, .master_port = master_port};
    strcpy(server->directory, "/tmp/breaker-fleet-XXXXXX");
    if (mkdtemp(server->directory) == NULL)
        die("mkdtemp");
    /* another process may take the port in between: then the next one */
    for (int attempt = 0; attempt != ATTEMPTS; ++attempt) {
        server->port = free_port();
        server_start(server);
        if (wait_until_it_accepts(server))
            return true;
    }
    server_dispose(server);
    return false;
}

void server_kill(server_t *server)
{
    if (server->pid == 0)
        return;
    kill(server->pid, SIGKILL);
    if (waitpid(server->pid, NULL, 0) != server->pid)
        die("waitpid");
    server->pid = 0;
}

void server_pause(const server_t *server)
{
    assert(server->pid != 0);
    kill(server->pid, SIGSTOP);
}

void server_resume(const server_t *server)
{
    assert(server->pid != 0);
    kill(server->pid, SIGCONT);
}

void server_drop_dump(const server_t *server)
{
    char path[64];

    snprintf(path, sizeof(path), "%s/dump.rdb", server->directory);
    unlink(path);
}

void server_dispose(server_t *server)
{
    if (server->directory[0] == '\0')
        return;
    server_kill(server);
    server_drop_dump(server);
    rmdir(server->directory);
    server->directory[0] = '\0';
}

uint64_t server_used_us(const server_t *server)
{
    struct timespec used;
    clockid_t clock;

    assert(server->pid != 0);
    if (clock_getcpuclockid(server->pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
        die("the processor time of redis-server");
    return (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
}
