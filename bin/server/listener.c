/*
 * Addresses: what `listen` says, and the sockets that come of it. Reading and binding are two
 * steps, because a configuration is checked without touching the network and a port below 1024 is
 * bound before privileges are dropped.
 *
 * The first socket of an address listens before it allows others beside it: only so does the kernel
 * refuse a port that another process of the same user listens on with SO_REUSEPORT, with whom we
 * would otherwise share the connections without a word.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "server/listener.h"
#include "config/refuse.h"

/* the kernel cuts it to net.core.somaxconn */
#define BACKLOG 65535
/* a peer that acknowledges nothing for so long is gone; slow readers that do acknowledge are not */
#define USER_TIMEOUT_MS 30000
#define KEYS "port, host, type, ssl, proxy-protocol, owner, permission"

/* one `listen` as it was read */
typedef struct st_section_t {
    yoml_t *node;
    const char *port, *host;
    bool is_unix, proxy_protocol;
    const yoml_t *ssl;
    uid_t owner;
    gid_t group;
    int mode;
} section_t;

/* ---- reading ---- */

static int read_type(const yoml_t *node, section_t *section)
{
    const char *type;

    if (!breaker__read_text(node, "type", &type))
        return -1;
    if (strcmp(type, "unix") != 0 && strcmp(type, "tcp") != 0)
        return breaker__refuse(node, "type", "got `%s`; accepted: tcp, unix", type);
    section->is_unix = strcmp(type, "unix") == 0;
    return 0;
}

static int read_owner(const yoml_t *node, section_t *section)
{
    const struct passwd *user;
    const char *name;

    if (!breaker__read_text(node, "owner", &name))
        return -1;
    if ((user = getpwnam(name)) == NULL)
        return breaker__refuse(node, "owner", "there is no user `%s`", name);
    section->owner = user->pw_uid;
    section->group = user->pw_gid;
    return 0;
}

static int read_permission(const yoml_t *node, section_t *section)
{
    const char *text = breaker__describe(node);
    size_t len = strlen(text);

    if (node->type != YOML_TYPE_SCALAR || len == 0 || len > 4 || strspn(text, "01234567") != len ||
        strtol(text, NULL, 8) > 0777)
        return breaker__refuse(node, "permission",
                               "got `%s`; accepted: an octal number from 0 to 777", text);
    section->mode = (int)strtol(text, NULL, 8);
    return 0;
}

static int read_key(const yoml_t *key, yoml_t *value, section_t *section)
{
    const char *name = breaker__describe(key);

    if (key->type == YOML_TYPE_SCALAR) {
        if (strcmp(name, "port") == 0)
            return breaker__read_text(value, "port", &section->port) ? 0 : -1;
        if (strcmp(name, "host") == 0)
            return breaker__read_text(value, "host", &section->host) ? 0 : -1;
        if (strcmp(name, "type") == 0)
            return read_type(value, section);
        if (strcmp(name, "owner") == 0)
            return read_owner(value, section);
        if (strcmp(name, "permission") == 0)
            return read_permission(value, section);
        if (strcmp(name, "proxy-protocol") == 0)
            return breaker__read_switch(value, name, &section->proxy_protocol) ? 0 : -1;
        if (strcmp(name, "ssl") == 0) {
            section->ssl = value;
            return 0;
        }
    }
    return breaker__refuse(key, "listen", "unknown key `%s`; accepted: " KEYS, name);
}

static int read_section(yoml_t *node, section_t *section)
{
    *section = (section_t){.node = node, .owner = (uid_t)-1, .group = (gid_t)-1, .mode = -1};
    if (node->type == YOML_TYPE_SCALAR)
        return breaker__read_text(node, "listen", &section->port) ? 0 : -1;
    if (node->type != YOML_TYPE_MAPPING)
        return breaker__refuse(node, "listen", "got %s; accepted: a port, or a mapping with " KEYS,
                               breaker__describe(node));
    for (size_t i = 0; i != node->data.mapping.size; ++i)
        if (read_key(node->data.mapping.elements[i].key, node->data.mapping.elements[i].value,
                     section) != 0)
            return -1;
    if (section->port == NULL)
        return breaker__refuse(node, "listen", "the mandatory key `port` is missing");
    if (section->is_unix && section->host != NULL)
        return breaker__refuse(node, "listen", "a Unix socket has no `host`");
    if (!section->is_unix && (section->owner != (uid_t)-1 || section->mode != -1))
        return breaker__refuse(node, "listen", "`owner` and `permission` belong to `type: unix`");
    return 0;
}

/* ---- addresses ---- */

static char *name_address(const struct sockaddr *addr, socklen_t len)
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

static breaker__listener_t *find_listener(const breaker__listeners_t *listeners,
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

static breaker__listener_t *create_listener(breaker__listeners_t *listeners,
                                            const section_t *section, const struct sockaddr *addr,
                                            socklen_t addr_len)
{
    breaker__listener_t *listener = h2o_mem_alloc(sizeof(*listener));
    char where[1100];

    assert(addr_len <= sizeof(listener->addr));
    snprintf(where, sizeof(where), "%s:%zu:%zu", section->node->filename, section->node->line + 1,
             section->node->column + 1);
    *listener = (breaker__listener_t){.where = h2o_strdup(NULL, where, SIZE_MAX).base,
                                      .name = name_address(addr, addr_len),
                                      .addr_len = addr_len,
                                      .proxy_protocol = section->proxy_protocol,
                                      .owner = section->owner,
                                      .group = section->group,
                                      .mode = section->mode};
    memcpy(&listener->addr, addr, addr_len);
    h2o_vector_reserve(NULL, listeners, listeners->size + 1);
    listeners->entries[listeners->size++] = listener;
    return listener;
}

static void add_host(breaker__listener_t *listener, h2o_hostconf_t *host)
{
    size_t num = 0;

    for (; listener->hosts != NULL && listener->hosts[num] != NULL; ++num)
        if (listener->hosts[num] == host)
            return;
    listener->hosts = h2o_mem_realloc(listener->hosts, (num + 2) * sizeof(listener->hosts[0]));
    listener->hosts[num] = host;
    listener->hosts[num + 1] = NULL;
}

/* `is_first`: the first of the addresses that one directive stands for */
static int add_address(breaker__listeners_t *listeners, const section_t *section,
                       h2o_hostconf_t *host, const struct sockaddr *addr, socklen_t addr_len,
                       bool is_first)
{
    breaker__listener_t *listener = find_listener(listeners, addr);
    bool is_new = listener == NULL;

    if (is_new)
        listener = create_listener(listeners, section, addr, addr_len);
    else if (host == NULL)
        return breaker__refuse(section->node, "listen", "%s stands at %s already", listener->name,
                               listener->where);
    else if (listener->proxy_protocol != section->proxy_protocol)
        return breaker__refuse(section->node, "proxy-protocol", "is the other way at %s for %s",
                               listener->where, listener->name);
    else if ((listener->tls != NULL) != (section->ssl != NULL))
        return breaker__refuse(section->node, "listen", "%s is opened %s `ssl` at %s",
                               listener->name, listener->tls != NULL ? "with" : "without",
                               listener->where);

    if (host != NULL && (is_new || listener->hosts != NULL))
        add_host(listener, host);
    if (section->ssl == NULL)
        return 0;
    return breaker__tls_add(&listener->tls, section->ssl, host, is_first);
}

static int add_unix(breaker__listeners_t *listeners, const section_t *section, h2o_hostconf_t *host)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    if (strlen(section->port) >= sizeof(addr.sun_path))
        return breaker__refuse(section->node, "port",
                               "the path of a Unix socket has at most %zu "
                               "bytes",
                               sizeof(addr.sun_path) - 1);
    strcpy(addr.sun_path, section->port);
    return add_address(listeners, section, host, (const struct sockaddr *)&addr, sizeof(addr),
                       true);
}

static bool is_port(const char *text)
{
    size_t len = strlen(text);

    return len >= 1 && len <= 5 && strspn(text, "0123456789") == len &&
           strtol(text, NULL, 10) <= 65535;
}

/* a name may stand for an address twice, as in many /etc/hosts */
static bool is_repeated(const struct addrinfo *found, const struct addrinfo *ai)
{
    for (; found != ai; found = found->ai_next)
        if (h2o_socket_compare_address(found->ai_addr, ai->ai_addr) == 0)
            return true;
    return false;
}

static int add_tcp(breaker__listeners_t *listeners, const section_t *section, h2o_hostconf_t *host)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_protocol = IPPROTO_TCP,
                                   .ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV | AI_PASSIVE};
    struct addrinfo *found;
    int err, ret = 0;

    if (!is_port(section->port))
        return breaker__refuse(section->node, "listen",
                               "got port `%s`; accepted: a number from 0 (any free port) to 65535",
                               section->port);
    if ((err = getaddrinfo(section->host, section->port, &hints, &found)) != 0)
        return breaker__refuse(section->node, "listen", "host `%s`: %s",
                               section->host != NULL ? section->host : "any", gai_strerror(err));
    for (const struct addrinfo *ai = found; ai != NULL && ret == 0; ai = ai->ai_next)
        if (!is_repeated(found, ai))
            ret = add_address(listeners, section, host, ai->ai_addr, ai->ai_addrlen, ai == found);
    freeaddrinfo(found);
    return ret;
}

static int add_sequence(breaker__listeners_t *listeners, yoml_t *node, h2o_hostconf_t *host)
{
    if (node->data.sequence.size == 0)
        return breaker__refuse(node, "listen", "the sequence is empty");
    for (size_t i = 0; i != node->data.sequence.size; ++i) {
        yoml_t *element = node->data.sequence.elements[i];
        if (element->type == YOML_TYPE_SEQUENCE)
            return breaker__refuse(element, "listen", "a sequence stands in a sequence");
        if (breaker__listeners_add(listeners, element, host) != 0)
            return -1;
    }
    return 0;
}

int breaker__listeners_add(breaker__listeners_t *listeners, yoml_t *node, h2o_hostconf_t *host)
{
    section_t section;

    if (node->type == YOML_TYPE_SEQUENCE)
        return add_sequence(listeners, node, host);
    if (read_section(node, &section) != 0)
        return -1;
    return section.is_unix ? add_unix(listeners, &section, host)
                           : add_tcp(listeners, &section, host);
}

/* ---- sockets ---- */

static int complain(const breaker__listener_t *listener, const char *what, int errnum)
{
    fprintf(stderr, "%s: listen: %s: %s%s%s\n", listener->where, listener->name, what,
            errnum != 0 ? ": " : "", errnum != 0 ? strerror(errnum) : "");
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

static int open_tcp(const breaker__listener_t *listener, bool shares_port)
{
    int family = listener->addr.ss_family;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);

    if (fd == -1)
        return -1;
    if (set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1) == 0 &&
        (!shares_port || set_flag(fd, SOL_SOCKET, SO_REUSEPORT, 1) == 0) &&
        (family != AF_INET6 || set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) == 0)) {
        set_inherited(fd);
        if (bind(fd, (const struct sockaddr *)&listener->addr, listener->addr_len) == 0 &&
            listen(fd, BACKLOG) == 0)
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
    listener->name = name_address((const struct sockaddr *)&listener->addr, listener->addr_len);
    return 0;
}

/* all threads accept from one queue, where the kernel has no queue for each */
static int share_first(breaker__listener_t *listener)
{
    for (size_t i = 1; i != listener->num_fds; ++i)
        if ((listener->fds[i] = fcntl(listener->fds[0], F_DUPFD_CLOEXEC, 0)) == -1)
            return complain(listener, "dup", errno);
    return 0;
}

static int listen_tcp(breaker__listener_t *listener)
{
    if ((listener->fds[0] = open_tcp(listener, false)) == -1)
        return errno == EADDRINUSE
                   ? complain(listener, "the address is in use by another process", 0)
                   : complain(listener, "cannot listen", errno);
    if (learn_port(listener) != 0)
        return -1;
    if (listener->num_fds == 1)
        return 0;
    if (set_flag(listener->fds[0], SOL_SOCKET, SO_REUSEPORT, 1) != 0) {
        complain(listener, "the threads share one queue, without SO_REUSEPORT", errno);
        return share_first(listener);
    }
    for (size_t i = 1; i != listener->num_fds; ++i)
        if ((listener->fds[i] = open_tcp(listener, true)) == -1)
            return complain(listener, "cannot listen once for each thread", errno);
    return 0;
}

/* removes the file of a server that is gone; refuses one that lives, and what is no socket */
static int clear_path(const breaker__listener_t *listener)
{
    const char *path = ((const struct sockaddr_un *)&listener->addr)->sun_path;
    struct stat st;
    int fd, err;

    if (lstat(path, &st) != 0)
        return errno == ENOENT ? 0 : complain(listener, "cannot listen", errno);
    if (!S_ISSOCK(st.st_mode))
        return complain(listener, "there is a file in the way that is not a socket", 0);
    if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) == -1)
        return complain(listener, "cannot listen", errno);
    err =
        connect(fd, (const struct sockaddr *)&listener->addr, listener->addr_len) == 0 ? 0 : errno;
    close(fd);
    if (err != ECONNREFUSED)
        return err == 0 || err == EAGAIN
                   ? complain(listener, "the address is in use by another process", 0)
                   : complain(listener, "cannot listen", err);
    return unlink(path) == 0 || errno == ENOENT ? 0 : complain(listener, "cannot replace", errno);
}

static int listen_unix(breaker__listener_t *listener)
{
    const char *path = ((const struct sockaddr_un *)&listener->addr)->sun_path;

    if (clear_path(listener) != 0)
        return -1;
    if ((listener->fds[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) == -1)
        return complain(listener, "cannot listen", errno);
    if (bind(listener->fds[0], (const struct sockaddr *)&listener->addr, listener->addr_len) != 0)
        return complain(listener, "cannot listen", errno);
    listener->has_file = true;
    if (listener->owner != (uid_t)-1 && chown(path, listener->owner, listener->group) != 0)
        return complain(listener, "cannot change the owner", errno);
    if (listener->mode != -1 && chmod(path, (mode_t)listener->mode) != 0)
        return complain(listener, "cannot change the permission", errno);
    if (listen(listener->fds[0], BACKLOG) != 0)
        return complain(listener, "cannot listen", errno);
    return share_first(listener);
}

int breaker__listeners_open(breaker__listeners_t *listeners, size_t num_threads)
{
    assert(num_threads != 0);
    for (size_t i = 0; i != listeners->size; ++i) {
        breaker__listener_t *listener = listeners->entries[i];
        listener->num_fds = num_threads;
        listener->fds = h2o_mem_alloc(num_threads * sizeof(listener->fds[0]));
        for (size_t j = 0; j != num_threads; ++j)
            listener->fds[j] = -1;
    }
    for (size_t i = 0; i != listeners->size; ++i) {
        breaker__listener_t *listener = listeners->entries[i];
        if ((listener->addr.ss_family == AF_UNIX ? listen_unix(listener) : listen_tcp(listener)) !=
            0)
            return -1;
    }
    return 0;
}

int breaker__listener_take(breaker__listener_t *listener, size_t thread)
{
    int fd = listener->fds[thread];

    assert(thread < listener->num_fds);
    assert(fd != -1);
    listener->fds[thread] = -1;
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
        breaker__tls_free(listener->tls);
        free(listener->hosts);
        free(listener->fds);
        free(listener->where);
        free(listener->name);
        free(listener);
    }
    free(listeners->entries);
    *listeners = (breaker__listeners_t){NULL};
}
