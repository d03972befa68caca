/*
 * Messages between processes. The first byte says what a message is about, the rest is its text. A
 * record that does not fit, or whose descriptors do not, is none of ours: both sides are one
 * program, or two versions of it that have agreed on the letters by their table (master_table.h).
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include "master/channel.h"

#define CONTROL_SIZE CMSG_SPACE(BREAKER__MESSAGE_FDS_MAX * sizeof(int))

int breaker__channel_open(int *ret_master, int *ret_worker)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return -1;
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) {
        int errnum = errno;
        close(ends[0]);
        close(ends[1]);
        errno = errnum;
        return -1;
    }
    *ret_master = ends[0];
    *ret_worker = ends[1];
    return 0;
}

static void attach(struct msghdr *header, char *control, const int *fds, size_t num_fds)
{
    struct cmsghdr *rights;

    header->msg_control = control;
    header->msg_controllen = CMSG_SPACE(num_fds * sizeof(int));
    memset(control, 0, header->msg_controllen);
    rights = CMSG_FIRSTHDR(header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(num_fds * sizeof(int));
    memcpy(CMSG_DATA(rights), fds, num_fds * sizeof(int));
}

int breaker__channel_send(int fd, breaker__say_t say, const char *text, const int *fds,
                          size_t num_fds)
{
    _Alignas(struct cmsghdr) char control[CONTROL_SIZE];
    char letter = (char)say;
    struct iovec parts[] = {{&letter, 1}, {(void *)(uintptr_t)text, strlen(text)}};
    struct msghdr header = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t sent;

    assert(strlen(text) < BREAKER__MESSAGE_TEXT_MAX);
    assert(num_fds <= BREAKER__MESSAGE_FDS_MAX);
    if (num_fds != 0)
        attach(&header, control, fds, num_fds);
    do {
        sent = sendmsg(fd, &header, MSG_NOSIGNAL);
    } while (sent == -1 && errno == EINTR);
    return sent == -1 ? -1 : 0;
}

static void take_descriptors(struct msghdr *header, breaker__message_t *message)
{
    for (struct cmsghdr *each = CMSG_FIRSTHDR(header); each != NULL;
         each = CMSG_NXTHDR(header, each)) {
        if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_RIGHTS)
            continue;
        message->num_fds = (each->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        assert(message->num_fds <= BREAKER__MESSAGE_FDS_MAX);
        memcpy(message->fds, CMSG_DATA(each), message->num_fds * sizeof(int));
    }
}

int breaker__channel_receive(int fd, breaker__message_t *ret_message)
{
    _Alignas(struct cmsghdr) char control[CONTROL_SIZE];
    char letter;
    struct iovec parts[] = {{&letter, 1}, {ret_message->text, BREAKER__MESSAGE_TEXT_MAX - 1}};
    struct msghdr header = {.msg_iov = parts,
                            .msg_iovlen = 2,
                            .msg_control = control,
                            .msg_controllen = sizeof(control)};
    ssize_t size;

    do {
        size = recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (size == -1 && errno == EINTR);
    if (size == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return 0;
    if (size <= 0)
        return -1;
    ret_message->say = (breaker__say_t)letter;
    ret_message->text[size - 1] = '\0';
    ret_message->num_fds = 0;
    take_descriptors(&header, ret_message);
    if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0)
        return 1;
    for (size_t i = 0; i != ret_message->num_fds; ++i)
        close(ret_message->fds[i]);
    return -1;
}
