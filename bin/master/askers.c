/*
 * Answers of the master. Only who may send it signals can ask, and an answer is no more than a
 * datagram to a name of five digits; one that cannot be delivered is forgotten, for who has gone
 * waits for nothing.
 */
#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "master/askers.h"

static void tell(unsigned name, const char *text)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    socklen_t len = (socklen_t)offsetof(struct sockaddr_un, sun_path) + 1;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd == -1)
        return;
    len += (socklen_t)snprintf(addr.sun_path + 1, sizeof(addr.sun_path) - 1, "%05x", name);
    sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&addr, len);
    close(fd);
}

static void tell_all(breaker__askers_t *askers, const char *text)
{
    for (size_t i = 0; i != askers->num; ++i)
        tell(askers->names[i], text);
    askers->num = 0;
}

void breaker__askers_add(breaker__askers_t *askers, int value)
{
    if ((value & ~BREAKER__ASKER_MASK) != BREAKER__ASKER_MARK || askers->num == BREAKER__ASKERS_MAX)
        return;
    askers->names[askers->num++] = (unsigned)(value & BREAKER__ASKER_MASK);
    tell(askers->names[askers->num - 1], BREAKER__ANSWER_HEARD);
}

void breaker__askers_move(breaker__askers_t *to, breaker__askers_t *from)
{
    assert(to->num == 0);
    *to = *from;
    from->num = 0;
}

void breaker__askers_tell_done(breaker__askers_t *askers)
{
    tell_all(askers, BREAKER__ANSWER_DONE);
}

void breaker__askers_tell_again(breaker__askers_t *askers)
{
    tell_all(askers, BREAKER__ANSWER_AGAIN);
}

void breaker__askers_tell_refused(breaker__askers_t *askers, int status, const char *reason)
{
    char text[BREAKER__ANSWER_MAX];

    assert(status != 0);
    snprintf(text, sizeof(text), "%d %s", status, reason);
    tell_all(askers, text);
}
