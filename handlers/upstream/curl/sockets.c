/*
 * libcurl stops caring for a socket at the end of a transfer and cares again at the start of the
 * next. Telling the kernel of both would cost two system calls a request, so it is told when that
 * makes a difference: a socket that libcurl has let go of stays watched until something happens on
 * it, which is taken for its end and said no more. A descriptor that is closed leaves the epoll
 * instance by itself, which is why libcurl closes through us.
 *
 * Invariant: `told` is what the kernel watches for, for every descriptor of the table.
 */
#include <assert.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <breaker/error.h>
#include "upstream/curl/sockets.h"

/* events that are taken at once; more wait for the next turn of the loop */
enum { BATCH = 64 };

static struct st_breaker__interest_t *find(breaker__sockets_t *self, int fd)
{
    size_t at = (size_t)fd;

    assert(fd >= 0);
    if (at >= self->num_interests) {
        size_t num = at * 2 + 64;
        self->interests = h2o_mem_realloc(self->interests, num * sizeof(self->interests[0]));
        memset(self->interests + self->num_interests, 0,
               (num - self->num_interests) * sizeof(self->interests[0]));
        self->num_interests = num;
    }
    return self->interests + at;
}

static uint32_t events_of(int wanted)
{
    return ((wanted & CURL_POLL_IN) != 0 ? (uint32_t)EPOLLIN : 0) |
           ((wanted & CURL_POLL_OUT) != 0 ? (uint32_t)EPOLLOUT : 0) |
           ((wanted & BREAKER__POLL_END) != 0 ? (uint32_t)EPOLLRDHUP : 0);
}

static void tell(breaker__sockets_t *self, int fd, struct st_breaker__interest_t *interest)
{
    struct epoll_event event = {.events = events_of(interest->wanted), .data.fd = fd};
    int what = interest->wanted == 0 ? EPOLL_CTL_DEL
               : interest->told == 0 ? EPOLL_CTL_ADD
                                     : EPOLL_CTL_MOD;

    /* the end of somebody else's connection is found by writing to it, too */
    if (epoll_ctl(self->epoll_fd, what, fd, &event) != 0 && what == EPOLL_CTL_ADD &&
        interest->wanted != BREAKER__POLL_END)
        h2o_fatal("no memory for the events of a socket");
    interest->told = interest->wanted;
}

static int on_interest(CURL *easy, curl_socket_t fd, int what, void *data, void *socket_data)
{
    breaker__sockets_t *self = data;
    struct st_breaker__interest_t *interest = find(self, fd);
    (void)easy, (void)socket_data;

    interest->wanted = (uint8_t)(what & CURL_POLL_INOUT);
    if (interest->wanted == interest->told)
        return 0;
    /* other sockets are closed without a word to us */
    if (interest->wanted != 0 || !interest->is_ours)
        tell(self, fd, interest);
    return 0;
}

curl_socket_t breaker__sockets_open(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
    breaker__sockets_t *self = data;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    (void)purpose;

    if (fd == -1)
        return CURL_SOCKET_BAD;
    *find(self, fd) = (struct st_breaker__interest_t){.is_ours = true};
    return fd;
}

int breaker__sockets_close(void *data, curl_socket_t fd)
{
    breaker__sockets_t *self = data;
    struct st_breaker__interest_t *interest = find(self, fd);

    if (interest->is_taken)
        return 0;
    self->has_closed = true;
    *interest = (struct st_breaker__interest_t){0};
    return close(fd);
}

void breaker__sockets_take(breaker__sockets_t *self, int fd)
{
    struct st_breaker__interest_t *interest = find(self, fd);

    assert(interest->is_ours);
    interest->is_taken = true;
}

void breaker__sockets_drop(breaker__sockets_t *self, int fd)
{
    struct st_breaker__interest_t *interest = find(self, fd);

    assert(interest->is_taken);
    *interest = (struct st_breaker__interest_t){0};
    close(fd);
}

void breaker__sockets_want(breaker__sockets_t *self, int fd, int wanted,
                           breaker__socket_user_t *user)
{
    struct st_breaker__interest_t *interest = find(self, fd);

    interest->user = user;
    interest->wanted = (uint8_t)wanted;
    /* what is watched for and not wanted is said no more when it happens */
    if ((interest->wanted & ~interest->told) != 0)
        tell(self, fd, interest);
}

void breaker__sockets_forget(breaker__sockets_t *self, int fd)
{
    struct st_breaker__interest_t *interest = find(self, fd);

    assert(!interest->is_ours);
    interest->wanted = 0;
    tell(self, fd, interest);
    *interest = (struct st_breaker__interest_t){0};
}

/* an error is found by whoever reads or writes; an event that is too late does no harm then */
static int select_of(uint32_t events, int wanted)
{
    if ((events & (EPOLLERR | EPOLLHUP)) != 0)
        return wanted;
    return ((events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) |
           ((events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
           ((events & EPOLLRDHUP) != 0 ? BREAKER__POLL_END : 0);
}

static void on_event(breaker__sockets_t *self, int fd, uint32_t events)
{
    struct st_breaker__interest_t *interest = find(self, fd);
    int num_running, what;

    if (interest->told == 0)
        return; /* closed by what came before it in this batch */
    what = select_of(events, interest->wanted);
    if ((what & interest->wanted) == 0) {
        tell(self, fd, interest);
        return;
    }
    if (interest->user != NULL)
        interest->user->on_event(interest->user, (what & CURL_CSELECT_IN) != 0,
                                 (what & CURL_CSELECT_OUT) != 0);
    else
        curl_multi_socket_action(self->multi, fd, what, &num_running);
}

static void on_readable(void *data)
{
    breaker__sockets_t *self = data;
    struct epoll_event events[BATCH];
    int num = epoll_wait(self->epoll_fd, events, BATCH, 0);

    for (int i = 0; i < num; ++i)
        on_event(self, events[i].data.fd, events[i].events);
    self->on_driven(self->data);
}

int breaker__sockets_init(breaker__sockets_t *self, CURLM *multi, h2o_loop_t *loop,
                          void (*on_driven)(void *data), void *data)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);

    *self =
        (breaker__sockets_t){.multi = multi, .epoll_fd = fd, .on_driven = on_driven, .data = data};
    if (fd == -1)
        return BREAKER_ERR_IO;
    if ((self->watch = breaker__watch_create(loop, fd, on_readable, self)) == NULL) {
        close(fd);
        return BREAKER_ERR_IO;
    }
    breaker__watch_start(self->watch);
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_interest);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, self);
    return 0;
}

void breaker__sockets_dispose(breaker__sockets_t *self)
{
    breaker__watch_close(self->watch);
    free(self->interests);
    *self = (breaker__sockets_t){.epoll_fd = -1};
}
