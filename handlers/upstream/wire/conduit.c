/*
 * Without TLS a connection is its descriptor: one system call for a head with its body, and no more
 * of libcurl than what opened it. With TLS libcurl holds what it takes to read and write.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include "upstream/wire/conduit.h"

static ssize_t result_of(ssize_t num)
{
    if (num >= 0)
        return num;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? BREAKER__CONDUIT_LATER
                                                                     : BREAKER__CONDUIT_BROKEN;
}

static ssize_t result_of_tls(CURLcode result, size_t num)
{
    if (result == CURLE_OK)
        return (ssize_t)num;
    return result == CURLE_AGAIN ? BREAKER__CONDUIT_LATER : BREAKER__CONDUIT_BROKEN;
}

ssize_t breaker__conduit_send(const breaker__conduit_t *self, const h2o_iovec_t *pieces, size_t num)
{
    struct iovec parts[2];
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = num};
    size_t num_sent = 0;

    assert(num == 1 || num == 2);
    if (self->easy != NULL) {
        CURLcode result = curl_easy_send(self->easy, pieces[0].base, pieces[0].len, &num_sent);
        return result_of_tls(result, num_sent);
    }
    if (num == 1)
        return result_of(send(self->fd, pieces[0].base, pieces[0].len, MSG_NOSIGNAL));
    for (size_t i = 0; i != num; ++i)
        parts[i] = (struct iovec){pieces[i].base, pieces[i].len};
    return result_of(sendmsg(self->fd, &message, MSG_NOSIGNAL));
}

ssize_t breaker__conduit_recv(const breaker__conduit_t *self, char *bytes, size_t len)
{
    size_t num_read = 0;

    assert(len != 0);
    if (self->easy != NULL) {
        CURLcode result = curl_easy_recv(self->easy, bytes, len, &num_read);
        return result_of_tls(result, num_read);
    }
    return result_of(recv(self->fd, bytes, len, 0));
}

bool breaker__conduit_is_quiet(const breaker__conduit_t *self)
{
    char byte;

    /* what is left of a record shows on no descriptor; tickets come at any time, and are read here
     */
    if (self->easy != NULL)
        return breaker__conduit_recv(self, &byte, 1) == BREAKER__CONDUIT_LATER;
    return result_of(recv(self->fd, &byte, 1, MSG_PEEK)) == BREAKER__CONDUIT_LATER;
}
