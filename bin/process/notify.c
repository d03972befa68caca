/*
 * The one datagram of sd_notify(3), so that no library is needed for it. The address in
 * NOTIFY_SOCKET is a path or, with a leading '@', a name in the abstract namespace of Linux.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "logs/error_log.h"
#include "process/notify.h"

static int send_state(const char *name, const char *state)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    size_t len = strlen(name);
    ssize_t sent = -1;
    int fd;

    if (len >= sizeof(addr.sun_path) || (name[0] != '/' && name[0] != '@')) {
        errno = EINVAL;
        return -1;
    }
    memcpy(addr.sun_path, name, len);
    if (name[0] == '@')
        addr.sun_path[0] = '\0';
    if ((fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) == -1)
        return -1;
    /* a manager that does not listen holds nobody up */
    do {
        sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
                      (const struct sockaddr *)&addr,
                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
    } while (sent == -1 && errno == EINTR);
    close(fd);
    return sent == -1 ? -1 : 0;
}

void breaker__notify(const char *state)
{
    const char *name = getenv("NOTIFY_SOCKET");

    if (name == NULL || name[0] == '\0')
        return;
    if (send_state(name, state) != 0)
        breaker__complain(BREAKER_LOG_WARNING, "notify", "NOTIFY_SOCKET %s: %s", name,
                          strerror(errno));
}
