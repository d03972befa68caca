/*
 * The process that asks a master to reload, and tells a shell, a script or a service manager how it
 * went: a signal alone is heard by nobody, and has no answer. askers.h has what is said.
 *
 * A signal that comes while another one of its kind is pending is lost, with its number; so one
 * that is not heard is sent again. Those who have lost theirs together do so at different times, or
 * they would lose the next one as well.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>
#include "logs/error_log.h"
#include "master/askers.h"
#include "server/ask.h"

/* how often it is sent to one that does not say that it has heard it, and how far apart */
#define TRIES 5
#define PATIENCE_MS 2000

static int fail(int status, const char *what, pid_t pid, const char *why)
{
    breaker__complain(BREAKER_LOG_ERROR, "ask", "process %ld %s%s%s", (long)pid, what,
                      why != NULL ? ": " : "", why != NULL ? why : "");
    return status;
}

/* a socket that has a name of the kernel's, which is what the signal carries */
static int open_socket(int *value)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(addr);
    unsigned name;
    int fd, on = 1;

    if ((fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) == -1)
        return -1;
    if (bind(fd, (struct sockaddr *)&addr, sizeof(addr.sun_family)) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0 &&
        getsockname(fd, (struct sockaddr *)&addr, &len) == 0 &&
        sscanf(addr.sun_path + 1, "%5x", &name) == 1) {
        *value = (int)(BREAKER__ASKER_MARK | (name & BREAKER__ASKER_MASK));
        return fd;
    }
    close(fd);
    return -1;
}

/* anybody may send something to a socket; what counts is what the master has sent */
static bool is_from(struct msghdr *message, pid_t pid)
{
    struct ucred sender;
    struct cmsghdr *header = CMSG_FIRSTHDR(message);

    if (header == NULL || header->cmsg_level != SOL_SOCKET ||
        header->cmsg_type != SCM_CREDENTIALS || header->cmsg_len != CMSG_LEN(sizeof(sender)))
        return false;
    memcpy(&sender, CMSG_DATA(header), sizeof(sender));
    return sender.pid == pid;
}

/* from half of it to one and a half */
static int patience_ms(void)
{
    unsigned some = 0;

    /* without any it is the same time for all, which does for one */
    (void)!getrandom(&some, sizeof(some), GRND_NONBLOCK);
    return PATIENCE_MS / 2 + (int)(some % PATIENCE_MS);
}

/* the next answer, NUL-ended; false when none came for a while */
static bool receive(int fd, pid_t pid, char *text)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct iovec part = {text, BREAKER__ANSWER_MAX - 1};
    struct pollfd polled = {fd, POLLIN, 0};
    ssize_t len;

    while (poll(&polled, 1, patience_ms()) == 1) {
        struct msghdr message = {.msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = &control,
                                 .msg_controllen = sizeof(control)};
        if ((len = recvmsg(fd, &message, 0)) >= 0 && is_from(&message, pid)) {
            text[len] = '\0';
            return true;
        }
    }
    return false;
}

static int end_by(pid_t pid, const char *text)
{
    char *reason;
    long status;

    if (strcmp(text, BREAKER__ANSWER_DONE) == 0)
        return EX_OK;
    status = strtol(text, &reason, 10);
    return fail(status > 0 && status < 256 ? (int)status : EX_SOFTWARE, "goes on as before", pid,
                reason + strspn(reason, " "));
}

static int wait_for_end(int fd, pid_t pid, int number, int value)
{
    char text[BREAKER__ANSWER_MAX];
    bool is_heard = false;

    for (int tries = 0; tries != TRIES;) {
        if (!is_heard && sigqueue(pid, number, (union sigval){.sival_int = value}) != 0)
            return fail(errno == EPERM ? EX_NOPERM : EX_UNAVAILABLE, "cannot be asked", pid,
                        strerror(errno));
        if (!receive(fd, pid, text)) {
            if (!is_heard)
                ++tries;
            else if (kill(pid, 0) != 0 && errno == ESRCH)
                return fail(EX_UNAVAILABLE, "has ended", pid, NULL);
        } else if (strcmp(text, BREAKER__ANSWER_HEARD) == 0) {
            is_heard = true;
        } else if (strcmp(text, BREAKER__ANSWER_AGAIN) == 0) {
            is_heard = false;
        } else {
            return end_by(pid, text);
        }
    }
    return fail(EX_UNAVAILABLE, "was sent the signal and does not say what becomes of it", pid,
                NULL);
}

int breaker__ask(pid_t pid, int number)
{
    int value, status, fd = open_socket(&value);

    if (fd == -1)
        return fail(EX_OSERR, "cannot be asked", pid, strerror(errno));
    status = wait_for_end(fd, pid, number, value);
    close(fd);
    return status;
}
