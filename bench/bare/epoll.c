/*
 * The bare loop on epoll(7): for each request one recv and one send, and nothing between them. What
 * a server of this kind can at best be, on one thread.
 *
 * Descriptors are watched edge-triggered, once for both directions, so that no request needs a
 * third call. The body of a large answer goes by sendfile(2), without a copy from user
 * space, and its head before it in a packet of its own: of the ways that were tried (all in one
 * file, MSG_MORE) this costs the server least, twice less than all in one.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "answer.h"

#define EVENTS_MAX 512
#define READ_MAX 16384
#define SENDFILE_MIN (64 * 1024)

typedef struct st_connection_t {
    const bare_answer_t *answer; /* borrowed */
    size_t sent;                 /* of the answer that is on its way */
    size_t owed;                 /* answers, that one included */
    int fd;
    unsigned end_state;
} connection_t;

/* What epoll gives back: the listeners first, by their index, then connections. */
static bare_answer_t answers[BARE_ANSWERS_MAX];
static size_t num_answers;

static void watch(int epoll, int fd, uint32_t events, void *data)
{
    struct epoll_event event = {.events = events, .data = {.ptr = data}};

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        bare_fail("epoll_ctl");
}

static void accept_all(int epoll, const bare_answer_t *answer)
{
    int fd, on = 1;

    while ((fd = accept4(answer->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        connection_t *connection = calloc(1, sizeof(*connection));
        if (connection == NULL)
            bare_fail("calloc");
        connection->answer = answer;
        connection->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        watch(epoll, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, connection);
    }
    if (errno != EAGAIN && errno != ECONNABORTED)
        bare_fail("accept");
}

static ssize_t send_some(connection_t *connection)
{
    const bare_answer_t *answer = connection->answer;
    size_t end = answer->len;

    if (answer->len >= SENDFILE_MIN) {
        off_t at = (off_t)(connection->sent - answer->head_len);
        if (connection->sent >= answer->head_len)
            return sendfile(connection->fd, answer->body_file, &at, answer->len - connection->sent);
        end = answer->head_len;
    }
    return send(connection->fd, answer->base + connection->sent, end - connection->sent,
                MSG_NOSIGNAL);
}

/* Sends what is owed as far as the socket takes it; false when the connection is gone. */
static bool send_owed(connection_t *connection)
{
    while (connection->owed != 0) {
        ssize_t n = send_some(connection);
        if (n < 0)
            return errno == EAGAIN;
        if ((connection->sent += (size_t)n) == connection->answer->len) {
            connection->sent = 0;
            connection->owed--;
        }
    }
    return true;
}

/* Reads what is there; false when the connection is gone. */
static bool receive(connection_t *connection)
{
    char buf[READ_MAX];
    ssize_t n;

    do {
        if ((n = recv(connection->fd, buf, sizeof(buf), 0)) <= 0)
            return n < 0 && errno == EAGAIN;
        connection->owed += bare_count_ends(&connection->end_state, buf, (size_t)n);
        /* a buffer that is not full was all there is: epoll(7), questions and answers */
    } while (n == sizeof(buf));
    return true;
}

static void on_event(connection_t *connection, uint32_t events)
{
    bool alive = (events & (EPOLLERR | EPOLLHUP)) == 0;

    if (alive && (events & EPOLLIN) != 0)
        alive = receive(connection);
    if (alive)
        alive = send_owed(connection);
    if (!alive || (events & EPOLLRDHUP) != 0) {
        close(connection->fd);
        free(connection);
    }
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS_MAX];
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    if (epoll < 0)
        bare_fail("epoll_create1");
    signal(SIGPIPE, SIG_IGN); /* sendfile has no MSG_NOSIGNAL */
    num_answers = bare_read_arguments(argc, argv, answers);
    for (size_t i = 0; i < num_answers; i++)
        watch(epoll, answers[i].listener, EPOLLIN, &answers[i]);
    for (;;) {
        int n = epoll_wait(epoll, events, EVENTS_MAX, -1);
        if (n < 0 && errno != EINTR)
            bare_fail("epoll_wait");
        for (int i = 0; i < n; i++) {
            bare_answer_t *answer = events[i].data.ptr;
            if (answer >= answers && answer < answers + num_answers)
                accept_all(epoll, answer);
            else
                on_event(events[i].data.ptr, events[i].events);
        }
    }
}
