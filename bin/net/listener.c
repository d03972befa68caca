/*
 * The sockets that the server listens on. They come of addresses that config/listen.c has read:
 * reading, binding and listening are three steps, because a configuration is checked without
 * touching the network, a port below 1024 is bound before privileges are dropped, and nobody is to
 * connect before the first answer can be right. A bound address refuses connections.
 *
 * An address is ours alone from the moment it is bound. Sockets that are bound and do not listen
 * let others bind beside them while all have SO_REUSEADDR, so ours have it only when they are made
 * and when they listen. And the first socket of an address listens before it allows others beside
 * it: only so does the kernel refuse a port that another process of the same user listens on with
 * SO_REUSEPORT, with whom we would otherwise share the connections without a word.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "net/listener.h"

/* the kernel cuts it to net.core.somaxconn */
#define BACKLOG 65535
/* a peer that acknowledges nothing for so long is gone; slow readers that do acknowledge are not */
#define USER_TIMEOUT_MS 30000

/* ---- addresses ---- */

char *breaker__listener_name(const struct sockaddr *addr, socklen_t len)
{
    char host[NI_MAXHOST], port[NI_MAXSERV], name[NI_MAXHOST + NI_MAXSERV + 4];

    if (addr->sa_family == AF_UNIX)
        snprintf(name, sizeof(name), "unix:%s", ((const struct sockaddr_un *)addr)->sun_path);
    else if (getnameinfo(addr, len, host, sizeof(host), port, sizeof(port),
                         NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        snprintf(name, sizeof(name), "an address without a name");
    else
        snprintf(name, sizeof(name), addr->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
    return h2o_strdup(NULL, name, SIZE_MAX).base;
}

breaker__listener_t *breaker__listeners_find(const breaker__listeners_t *listeners,
                                             const struct sockaddr *addr)
{
    for (size_t i = 0; i != listeners->size; ++i) {
        breaker__listener_t *listener = listeners->entries[i];
        /* port 0 is another one every time */
        if (h2o_socket_compare_address((struct sockaddr *)&listener->addr,
                                       (struct sockaddr *)(uintptr_t)addr) == 0 &&
            h2o_socket_getport((struct sockaddr *)(uintptr_t)addr) != 0)
            return listener;
    }
    return NULL;
}

breaker__listener_t *breaker__listeners_add(breaker__listeners_t *listeners, const char *where,
                                            const struct sockaddr *addr, socklen_t addr_len)
{
    breaker__listener_t *listener = h2o_mem_alloc(sizeof(*listener));

    assert(addr_len <= sizeof(listener->addr));
    *listener = (breaker__listener_t){.where = h2o_strdup(NULL, where, SIZE_MAX).base,
                                      .name = breaker__listener_name(addr, addr_len),
                                      .addr_len = addr_len,
                                      .owner = (uid_t)-1,
                                      .group = (gid_t)-1,
                                      .mode = -1};
    memcpy(&listener->addr, addr, addr_len);
    h2o_vector_reserve(NULL, listeners, listeners->size + 1);
    listeners->entries[listeners->size++] = listener;
    return listener;
}

/* ---- sockets ---- */

static bool is_unix(const breaker__listener_t *listener)
{
    return listener->addr.ss_family == AF_UNIX;
}

static int complain(const breaker__listener_t *listener, const char *what, int errnum)
{
    char line[1024];

    snprintf(line, sizeof(line), "%s: listen: %s: %s%s%s", listener->where, listener->name, what,
             errnum != 0 ? ": " : "", errnum != 0 ? strerror(errnum) : "");
    breaker__option_tell(false, line);
    return -1;
}

static int set_flag(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value));
}

/* options that accepted connections inherit, so that they cost no system call each */
static void set_inherited(int fd)
{
    set_flag(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_flag(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);
    set_flag(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_flag(fd, IPPROTO_TCP, TCP_KEEPIDLE, 30);
    set_flag(fd, IPPROTO_TCP, TCP_KEEPINTVL, 10);
    set_flag(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

static int bind_tcp(const breaker__listener_t *listener, bool reuses_address, bool reuses_port)
{
    int family = listener->addr.ss_family;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);

    if (fd == -1)
        return -1;
    if (set_flag(fd, SOL_SOCKET, SO_REUSEADDR, reuses_address) == 0 &&
        set_flag(fd, SOL_SOCKET, SO_REUSEPORT, reuses_port) == 0 &&
        (family != AF_INET6 || set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) == 0)) {
        set_inherited(fd);
        if (bind(fd, (const struct sockaddr *)&listener->addr, listener->addr_len) == 0)
            return fd;
    }
    int errnum = errno;
    close(fd);
    errno = errnum;
    return -1;
}

/* port 0 has become a real one, which the other threads' sockets and the log need */
static int learn_port(breaker__listener_t *listener)
{
    if (h2o_socket_getport((struct sockaddr *)&listener->addr) != 0)
        return 0;
    listener->addr_len = sizeof(listener->addr);
    if (getsockname(listener->fds[0], (struct sockaddr *)&listener->addr, &listener->addr_len) != 0)
        return complain(listener, "getsockname", errno);
    free(listener->name);
    listener->name =
        breaker__listener_name((const struct sockaddr *)&listener->addr, listener->addr_len);
    return 0;
}

/* all threads accept from one queue, where the kernel has no queue for each */
static int share_first(breaker__listener_t *listener)
{
    listener->is_shared = true;
    for (size_t i = 1; i != listener->num_fds; ++i) {
        if (listener->fds[i] != -1)
            close(listener->fds[i]);
        if ((listener->fds[i] = fcntl(listener->fds[0], F_DUPFD_CLOEXEC, 0)) == -1)
            return complain(listener, "dup", errno);
    }
    return 0;
}

static int set_flag_of_all(breaker__listener_t *listener, int name, int value)
{
    for (size_t i = 0; i != listener->num_fds; ++i)
        if (set_flag(listener->fds[i], SOL_SOCKET, name, value) != 0)
            return -1;
    return 0;
}

static int complain_of_use(const breaker__listener_t *listener, int errnum)
{
    return errnum == EADDRINUSE ? complain(listener, "the address is in use by another process", 0)
                                : complain(listener, "cannot listen", errnum);
}

/* a port that connections of a process before us still have is bound with SO_REUSEADDR only */
static int bind_first(const breaker__listener_t *listener)
{
    int fd = bind_tcp(listener, false, false);

    if (fd == -1 && errno == EADDRINUSE)
        return bind_tcp(listener, true, false);
    return fd;
}

/* the same with what is held, of which nothing is closed */
static int share_held(breaker__listener_t *listener)
{
    listener->is_shared = true;
    for (size_t i = listener->num_held; i != listener->num_fds; ++i) {
        int fd = listener->fds[i % listener->num_held];
        if ((listener->fds[i] = fcntl(fd, F_DUPFD_CLOEXEC, 0)) == -1)
            return complain(listener, "dup", errno);
    }
    return 0;
}

/* more threads than before: the sockets that listen already let others in */
static int bind_further_tcp(breaker__listener_t *listener)
{
    if (listener->num_held == listener->num_fds)
        return 0;
    for (size_t i = 0; i != listener->num_held; ++i)
        if (set_flag(listener->fds[i], SOL_SOCKET, SO_REUSEPORT, 1) != 0 ||
            set_flag(listener->fds[i], SOL_SOCKET, SO_REUSEADDR, 1) != 0)
            return share_held(listener);
    for (size_t i = listener->num_held; i != listener->num_fds; ++i)
        if ((listener->fds[i] = bind_tcp(listener, true, true)) == -1)
            return complain(listener, "cannot bind once for each thread", errno);
    return 0;
}

static int bind_all_tcp(breaker__listener_t *listener)
{
    if ((listener->fds[0] = bind_first(listener)) == -1)
        return complain_of_use(listener, errno);
    if (learn_port(listener) != 0)
        return -1;
    if (set_flag(listener->fds[0], SOL_SOCKET, SO_REUSEADDR, 1) != 0)
        return complain(listener, "SO_REUSEADDR", errno);
    for (size_t i = 1; i != listener->num_fds; ++i)
        if ((listener->fds[i] = bind_tcp(listener, true, false)) == -1)
            return complain(listener, "cannot bind once for each thread", errno);
    if (set_flag_of_all(listener, SO_REUSEADDR, 0) != 0)
        return complain(listener, "SO_REUSEADDR", errno);
    return 0;
}

/* the kernel wants it of each socket; without it connections take a round trip more */
static void allow_fast_open(const breaker__listener_t *listener)
{
    for (size_t i = 0; listener->fast_open_max != 0 && i != listener->num_fds; ++i)
        if (set_flag(listener->fds[i], IPPROTO_TCP, TCP_FASTOPEN, listener->fast_open_max) != 0) {
            complain(listener, "without TCP Fast Open", errno);
            return;
        }
}

static int listen_tcp(breaker__listener_t *listener)
{
    allow_fast_open(listener);
    /* connections inherit it, without which they would keep the next process from the port */
    if (set_flag_of_all(listener, SO_REUSEADDR, 1) != 0)
        return complain(listener, "SO_REUSEADDR", errno);
    if (listen(listener->fds[0], BACKLOG) != 0)
        return complain_of_use(listener, errno);
    if (listener->num_fds == 1 || listener->is_shared)
        return 0;
    if (set_flag_of_all(listener, SO_REUSEPORT, 1) != 0) {
        complain(listener, "the threads share one queue, without SO_REUSEPORT", errno);
        return share_first(listener);
    }
    for (size_t i = 1; i != listener->num_fds; ++i)
        if (listen(listener->fds[i], BACKLOG) != 0)
            return complain(listener, "cannot listen once for each thread", errno);
    return 0;
}

/*
 * Removes the file of a server that is gone; refuses one that lives, and what is no socket. One
 * that does not listen yet refuses streams like one that is gone; what tells them apart is that a
 * live one refuses datagrams as the wrong type.
 */
static int clear_path(const breaker__listener_t *listener)
{
    const char *path = ((const struct sockaddr_un *)&listener->addr)->sun_path;
    struct stat st;
    int fd, err;

    if (lstat(path, &st) != 0)
        return errno == ENOENT ? 0 : complain(listener, "cannot listen", errno);
    if (!S_ISSOCK(st.st_mode))
        return complain(listener, "there is a file in the way that is not a socket", 0);
    if ((fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) == -1)
        return complain(listener, "cannot listen", errno);
    err =
        connect(fd, (const struct sockaddr *)&listener->addr, listener->addr_len) == 0 ? 0 : errno;
    close(fd);
    if (err != ECONNREFUSED)
        return err == 0 || err == EPROTOTYPE
                   ? complain(listener, "the address is in use by another process", 0)
                   : complain(listener, "cannot listen", err);
    return unlink(path) == 0 || errno == ENOENT ? 0 : complain(listener, "cannot replace", errno);
}

static int set_owner(const breaker__listener_t *listener)
{
    const char *path = ((const struct sockaddr_un *)&listener->addr)->sun_path;

    if (listener->owner != (uid_t)-1 && chown(path, listener->owner, listener->group) != 0)
        return complain(listener, "cannot change the owner", errno);
    if (listener->mode != -1 && chmod(path, (mode_t)listener->mode) != 0)
        return complain(listener, "cannot change the permission", errno);
    return 0;
}

static int bind_unix(breaker__listener_t *listener)
{
    if (clear_path(listener) != 0)
        return -1;
    if ((listener->fds[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) == -1)
        return complain(listener, "cannot listen", errno);
    if (bind(listener->fds[0], (const struct sockaddr *)&listener->addr, listener->addr_len) != 0)
        return complain(listener, "cannot listen", errno);
    listener->has_file = true;
    return set_owner(listener) != 0 ? -1 : share_first(listener);
}

static int listen_unix(breaker__listener_t *listener)
{
    if (listen(listener->fds[0], BACKLOG) != 0)
        return complain(listener, "cannot listen", errno);
    return 0;
}

/* ---- what is held already ---- */

/*
 * A service manager's socket of all IPv6 addresses takes the connections to all IPv4 addresses as
 * well, unless it was told not to, and nobody else can bind those.
 */
static bool is_covered(const breaker__listener_t *listener, const breaker__held_list_t *held)
{
    const struct sockaddr_in *addr = (const void *)&listener->addr;
    const breaker__held_t *found;
    char name[sizeof("[::]:65535")];
    int v6only = 1;
    socklen_t size = sizeof(v6only);

    if (listener->addr.ss_family != AF_INET || addr->sin_addr.s_addr != htonl(INADDR_ANY))
        return false;
    snprintf(name, sizeof(name), "[::]:%u", ntohs(addr->sin_port));
    return (found = breaker__held_find(held, name)) != NULL && found->is_given &&
           getsockopt(found->fds[0], IPPROTO_IPV6, IPV6_V6ONLY, &v6only, &size) == 0 && v6only == 0;
}

/* the descriptors are the listener's from here on */
static void take_held(breaker__listener_t *listener, breaker__held_t *held, size_t num_threads)
{
    size_t num = held->num_fds > num_threads ? held->num_fds : num_threads;

    listener->fds = h2o_mem_alloc(num * sizeof(listener->fds[0]));
    for (size_t i = 0; i != num; ++i)
        listener->fds[i] = i < held->num_fds ? held->fds[i] : -1;
    listener->num_fds = num;
    listener->num_held = held->num_fds;
    held->num_fds = 0;
}

static int bind_held(breaker__listener_t *listener, breaker__held_t *held, size_t num_threads)
{
    take_held(listener, held, num_threads);
    if (!is_unix(listener) && !held->is_given)
        return bind_further_tcp(listener);
    for (size_t i = 0; i != listener->num_held && !is_unix(listener); ++i)
        set_inherited(listener->fds[i]);
    if (!held->is_given && set_owner(listener) != 0)
        return -1;
    return share_held(listener);
}

static int bind_new(breaker__listener_t *listener, size_t num_threads)
{
    listener->num_fds = num_threads;
    listener->fds = h2o_mem_alloc(num_threads * sizeof(listener->fds[0]));
    for (size_t i = 0; i != num_threads; ++i)
        listener->fds[i] = -1;
    return (is_unix(listener) ? bind_unix : bind_all_tcp)(listener);
}

int breaker__listeners_bind(breaker__listeners_t *listeners, size_t num_threads,
                            breaker__held_list_t *held)
{
    assert(num_threads != 0);
    for (size_t i = 0; i != listeners->size; ++i) {
        breaker__listener_t *listener = listeners->entries[i];
        breaker__held_t *found = breaker__held_find(held, listener->name);
        int err = 0;
        if (found != NULL)
            err = bind_held(listener, found, num_threads);
        else if (!is_covered(listener, held))
            err = bind_new(listener, num_threads);
        if (err != 0)
            return -1;
    }
    return 0;
}

size_t breaker__listener_num_sockets(const breaker__listener_t *listener)
{
    return listener->is_shared ? 1 : listener->num_fds;
}

int breaker__listeners_listen(breaker__listeners_t *listeners)
{
    for (size_t i = 0; i != listeners->size; ++i) {
        breaker__listener_t *listener = listeners->entries[i];
        if (listener->num_fds == 0)
            continue;
        assert(listener->fds[0] != -1);
        if ((is_unix(listener) ? listen_unix : listen_tcp)(listener) != 0)
            return -1;
    }
    return 0;
}

int breaker__listener_take(breaker__listener_t *listener, size_t index)
{
    int fd = listener->fds[index];

    assert(index < listener->num_fds);
    assert(fd != -1);
    listener->fds[index] = -1;
    return fd;
}

void breaker__listeners_remove_files(breaker__listeners_t *listeners)
{
    for (size_t i = 0; i != listeners->size; ++i) {
        breaker__listener_t *listener = listeners->entries[i];
        const char *path = ((const struct sockaddr_un *)&listener->addr)->sun_path;
        /* the user that we have become may not be allowed to: the next start replaces it */
        if (listener->has_file && unlink(path) != 0 && errno != ENOENT && errno != EACCES &&
            errno != EPERM)
            complain(listener, "cannot remove", errno);
        listener->has_file = false;
    }
}

void breaker__listeners_dispose(breaker__listeners_t *listeners)
{
    for (size_t i = 0; i != listeners->size; ++i) {
        breaker__listener_t *listener = listeners->entries[i];
        for (size_t j = 0; j != listener->num_fds; ++j)
            if (listener->fds[j] != -1)
                close(listener->fds[j]);
        breaker__certificates_free(listener->certificates);
        free(listener->hosts);
        free(listener->fds);
        free(listener->where);
        free(listener->name);
        free(listener);
    }
    free(listeners->entries);
    *listeners = (breaker__listeners_t){NULL};
}

/* ---- where peers reach it ---- */

static bool is_loopback(const struct sockaddr_storage *addr)
{
    if (addr->ss_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr);
    return addr->ss_family == AF_INET &&
           ntohl(((const struct sockaddr_in *)(const void *)addr)->sin_addr.s_addr) >> 24 == 127;
}

breaker__listener_t *breaker__listeners_find_public(const breaker__listeners_t *listeners)
{
    breaker__listener_t *local = NULL;

    for (size_t i = 0; i != listeners->size; ++i) {
        breaker__listener_t *listener = listeners->entries[i];
        if (listener->addr.ss_family == AF_UNIX || listener->proxy_protocol)
            continue;
        if (!is_loopback(&listener->addr))
            return listener;
        if (local == NULL)
            local = listener;
    }
    return local;
}
