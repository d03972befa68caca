/* Another client of the same Redis; see load.h. What it owes grows with the clock, up to a bound.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "fleet.h"
#include "load.h"

enum {
    SLICE_US = 400,
    /* what was not done while the server was away is not done later */
    DEBT_MAX_US = 50000,
    REST_US = 1000,
    RECONNECT_US = 20000,
};

/* a script that only reads is counted apart from those of the nodes; it takes SLICE_US or so, and
 * whoever sets the load measures what comes of it */
static const char BUSY[] = "*3\r\n$7\r\nEVAL_RO\r\n$45\r\n"
                           "local x = 0 for i = 1, 20000 do x = x + i end"
                           "\r\n$1\r\n0\r\n";

typedef struct st_load_orders_t {
    atomic_uint permille;
} orders_t;

/* ---- in the process ---- */

static void rest(unsigned us)
{
    const struct timespec pause = {.tv_nsec = (long)us * 1000};

    nanosleep(&pause, NULL);
}

static int dial(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    if (fd < 0)
        return -1;
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

/* the answer is one short line, whatever it is */
static int ask(int fd)
{
    char line[256];

    if (send(fd, BUSY, sizeof(BUSY) - 1, MSG_NOSIGNAL) != (ssize_t)sizeof(BUSY) - 1)
        return -1;
    return recv(fd, line, sizeof(line), 0) > 0 ? 0 : -1;
}

static void run(orders_t *orders, int port)
{
    uint64_t before_us = fleet_clock_us(), debt_ns = 0;
    int fd = -1;

    for (;;) {
        uint64_t now_us = fleet_clock_us();
        debt_ns += (now_us - before_us) * atomic_load(&orders->permille);
        if (debt_ns > UINT64_C(1000) * DEBT_MAX_US)
            debt_ns = UINT64_C(1000) * DEBT_MAX_US;
        before_us = now_us;
        if (fd < 0 && (fd = dial(port)) < 0) {
            rest(RECONNECT_US);
        } else if (debt_ns < UINT64_C(1000) * SLICE_US) {
            rest(REST_US);
        } else if (ask(fd) == 0) {
            debt_ns -= UINT64_C(1000) * SLICE_US;
        } else {
            close(fd);
            fd = -1;
        }
    }
}

/* ---- from outside ---- */

void load_start(load_t *load, int port)
{
    assert(load->pid == 0);
    load->orders =
        mmap(NULL, sizeof(orders_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (load->orders == MAP_FAILED || (load->pid = fork()) < 0)
        abort();
    if (load->pid == 0) {
        /* we may be killed: it goes with us */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        run(load->orders, port);
    }
}

void load_set(load_t *load, unsigned permille)
{
    assert(load->pid != 0);
    atomic_store(&load->orders->permille, permille);
}

unsigned load_permille(const load_t *load)
{
    return load->pid != 0 ? atomic_load(&load->orders->permille) : 0;
}

void load_stop(load_t *load)
{
    if (load->pid == 0)
        return;
    kill(load->pid, SIGKILL);
    waitpid(load->pid, NULL, 0);
    munmap(load->orders, sizeof(orders_t));
    *load = (load_t){.pid = 0};
}
