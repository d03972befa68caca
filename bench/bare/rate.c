/*
 * An open-loop client for HTTP/1.1: requests are due at times fixed beforehand, whatever the server
 * does, and a request's latency runs from the moment it was due to the last byte of its answer. So
 * a server that stalls is charged for everybody who would have come meanwhile ("coordinated
 * omission" cannot hide it). Gaps between requests are exponential, as of many independent users,
 * from a fixed seed: every server meets the same arrivals.
 *
 * It never sleeps, because waking up would be part of what it measures; give it a core of its own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 60000
#define REQUESTS_MAX 20000000
#define EVENTS_MAX 256
#define READ_MAX (256 * 1024)
#define DRAIN_NS 10000000000U
#define SECOND_NS 1000000000.0

typedef struct st_connection_t {
    int fd;
    uint64_t due_ns; /* when its request should have been sent */
    size_t received; /* of its answer */
    bool counted;
} connection_t;

typedef struct st_run_t {
    const char *message; /* borrowed: what is sent, over and over */
    size_t message_len;
    size_t answer_len; /* what each answer has, head included */
    char status_line[16];
    connection_t *connections;
    size_t num_connections;
    size_t *idle; /* a ring of indices: all connections take turns */
    size_t idle_first, num_idle;
    double rate;
    uint64_t random;
    uint32_t *latencies_us;
    size_t num_latencies, max_latencies;
    size_t in_flight, waited; /* waited: due while every connection was busy */
    int epoll;
} run_t;

static char buf[READ_MAX];

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "rate: %s: %s\n", what, errno != 0 ? strerror(errno) : "unexpected");
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

/* xorshift64* */
static double next_gap_ns(run_t *run)
{
    double uniform;

    run->random ^= run->random >> 12;
    run->random ^= run->random << 25;
    run->random ^= run->random >> 27;
    uniform = (double)((run->random * 0x2545F4914F6CDD1DU) >> 11) / 9007199254740992.0;
    return -log(1 - uniform) * SECOND_NS / run->rate;
}

static void connect_one(run_t *run, size_t index, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct epoll_event event = {.events = EPOLLIN, .data = {.u64 = index}};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (epoll_ctl(run->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        fail("epoll_ctl");
    run->connections[index].fd = fd;
    run->idle[run->num_idle++] = index;
}

static void send_request(run_t *run, uint64_t due_ns, bool counted)
{
    size_t index = run->idle[run->idle_first];
    connection_t *connection = &run->connections[index];

    run->idle_first = (run->idle_first + 1) % run->num_connections;
    run->num_idle--;
    connection->due_ns = due_ns;
    connection->received = 0;
    connection->counted = counted;
    run->in_flight++;
    if (send(connection->fd, run->message, run->message_len, MSG_NOSIGNAL) !=
        (ssize_t)run->message_len)
        fail("send");
}

static void on_answered(run_t *run, size_t index)
{
    connection_t *connection = &run->connections[index];
    uint64_t us = (now_ns() - connection->due_ns) / 1000;

    if (connection->counted) {
        if (run->num_latencies == run->max_latencies)
            fail("more requests than there is room for");
        run->latencies_us[run->num_latencies++] = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
    }
    run->idle[(run->idle_first + run->num_idle++) % run->num_connections] = index;
    run->in_flight--;
}

static void on_readable(run_t *run, size_t index)
{
    connection_t *connection = &run->connections[index];
    ssize_t n = recv(connection->fd, buf, sizeof(buf), MSG_DONTWAIT);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0)
        fail("the server hung up");
    errno = 0;
    if (connection->received == 0 && ((size_t)n < strlen(run->status_line) ||
                                      memcmp(buf, run->status_line, strlen(run->status_line)) != 0))
        fail("an answer of another status");
    if ((connection->received += (size_t)n) > run->answer_len)
        fail("an answer that is too long");
    if (connection->received == run->answer_len)
        on_answered(run, index);
}

static void look(run_t *run)
{
    struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(run->epoll, events, EVENTS_MAX, 0);

    if (n < 0 && errno != EINTR)
        fail("epoll_wait");
    for (int i = 0; i < n; i++)
        on_readable(run, events[i].data.u64);
}

static void run_for(run_t *run, double warm_up_s, double seconds)
{
    uint64_t start = now_ns();
    uint64_t counted_from = start + (uint64_t)(warm_up_s * SECOND_NS);
    uint64_t end = counted_from + (uint64_t)(seconds * SECOND_NS);
    double due = (double)start + next_gap_ns(run);
    uint64_t last_waited = 0;

    while ((uint64_t)due < end || run->in_flight != 0) {
        uint64_t now = now_ns();
        while ((uint64_t)due <= now && (uint64_t)due < end) {
            if (run->num_idle == 0) {
                run->waited += last_waited != (uint64_t)due;
                last_waited = (uint64_t)due;
                break;
            }
            send_request(run, (uint64_t)due, (uint64_t)due >= counted_from);
            due += next_gap_ns(run);
        }
        look(run);
        errno = ETIMEDOUT;
        if (now > end + DRAIN_NS)
            fail("the server does not keep up");
    }
}

static int compare(const void *x, const void *y)
{
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;

    return (a > b) - (a < b);
}

static uint32_t percentile(const run_t *run, double share)
{
    size_t at = (size_t)ceil(share * (double)run->num_latencies);

    return run->latencies_us[at != 0 ? at - 1 : 0];
}

static void print(run_t *run)
{
    errno = 0;
    if (run->num_latencies == 0)
        fail("no answers");
    qsort(run->latencies_us, run->num_latencies, sizeof(*run->latencies_us), compare);
    printf("{\"requests\": %zu, \"waited\": %zu, \"p50_us\": %u, \"p90_us\": %u, "
           "\"p99_us\": %u, \"p999_us\": %u, \"max_us\": %u}\n",
           run->num_latencies, run->waited, percentile(run, 0.5), percentile(run, 0.9),
           percentile(run, 0.99), percentile(run, 0.999), percentile(run, 1));
}

static void *allocate(size_t count, size_t size)
{
    void *p = calloc(count, size);

    if (p == NULL)
        fail("calloc");
    return p;
}

static double number(const char *text, double most)
{
    char *end;
    double value = strtod(text, &end);

    if (*end != '\0' || !(value > 0) || value > most) {
        fprintf(stderr, "rate: %s is not a number above 0 up to %g\n", text, most);
        exit(2);
    }
    return value;
}

int main(int argc, char **argv)
{
    run_t run = {.random = 0x9E3779B97F4A7C15U};
    double warm_up_s, seconds;
    uint16_t port;

    if (argc != 9) {
        fprintf(stderr,
                "usage: %s PORT CONNECTIONS RATE WARM_UP_S SECONDS STATUS ANSWER_BYTES "
                "MESSAGE\n",
                argv[0]);
        return 2;
    }
    port = (uint16_t)number(argv[1], 65535);
    run.num_connections = (size_t)number(argv[2], CONNECTIONS_MAX);
    run.rate = number(argv[3], 1e7);
    warm_up_s = number(argv[4], 60);
    seconds = number(argv[5], 600);
    snprintf(run.status_line, sizeof(run.status_line), "HTTP/1.1 %d ", (int)number(argv[6], 599));
    run.answer_len = (size_t)number(argv[7], 1e9);
    run.message = argv[8];
    run.message_len = strlen(run.message);
    /* the arrivals are random, their number is close to what is expected */
    run.max_latencies = (size_t)fmin(run.rate * seconds * 1.2 + 1000, REQUESTS_MAX);
    run.latencies_us = allocate(run.max_latencies, sizeof(*run.latencies_us));
    run.connections = allocate(run.num_connections, sizeof(*run.connections));
    run.idle = allocate(run.num_connections, sizeof(*run.idle));
    if ((run.epoll = epoll_create1(EPOLL_CLOEXEC)) < 0)
        fail("epoll_create1");
    for (size_t i = 0; i < run.num_connections; i++)
        connect_one(&run, i, port);
    run_for(&run, warm_up_s, seconds);
    print(&run);
    free(run.latencies_us);
    free(run.connections);
    free(run.idle);
    return 0;
}
