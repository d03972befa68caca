/*
 * What `listen` says: addresses, whose hosts and certificates may come from several directives.
 * What was said of an address first holds for it (TLS or not, the PROXY protocol), because that is
 * settled before a client has named a host.
 */
#include <netdb.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include "config/address.h"
#include "config/listen.h"

#define KEYS "port, host, type, ssl, proxy-protocol, owner, permission"

/* one `listen` as it was read */
typedef struct st_section_t {
    const breaker__option_t *directive; /* borrowed; for errors of the whole */
    breaker__option_t port;             /* without a node until it was met */
    const char *host;
    breaker__address_t address;
    bool is_unix;
    bool proxy_protocol;
    breaker__option_t ssl; /* without a node where it says nothing */
    uid_t owner;
    gid_t group;
    int mode;
} section_t;

/* ---- reading ---- */

static int read_type(const breaker__option_t *option, section_t *section)
{
    static const char *const names[] = {"tcp", "unix"};
    size_t type;

    if (breaker__option_choice(option, names, 2, &type) != 0)
        return -1;
    section->is_unix = type == 1;
    return 0;
}

static int read_owner(const breaker__option_t *option, section_t *section)
{
    const struct passwd *user;
    const char *name;

    if (breaker__option_text(option, &name) != 0)
        return -1;
    if ((user = getpwnam(name)) == NULL)
        return breaker__option_fail(option, "there is no user `%s`", name);
    section->owner = user->pw_uid;
    section->group = user->pw_gid;
    return 0;
}

static int read_permission(const breaker__option_t *option, section_t *section)
{
    const char *text = breaker__option_describe(option->node);
    size_t len = strlen(text);

    /* what is no scalar is described by words, never by digits */
    if (len == 0 || len > 4 || strspn(text, "01234567") != len || strtol(text, NULL, 8) > 0777)
        return breaker__option_refuse(option, "an octal number from 0 to 777");
    section->mode = (int)strtol(text, NULL, 8);
    return 0;
}

static int read_key(const breaker__option_t *option, void *data)
{
    section_t *section = data;
    const char *key = option->key;

    if (strcmp(key, "port") == 0) {
        section->port = *option;
        return 0;
    }
    if (strcmp(key, "host") == 0)
        return breaker__option_text(option, &section->host);
    if (strcmp(key, "type") == 0)
        return read_type(option, section);
    if (strcmp(key, "owner") == 0)
        return read_owner(option, section);
    if (strcmp(key, "permission") == 0)
        return read_permission(option, section);
    if (strcmp(key, "proxy-protocol") == 0)
        return breaker__option_switch(option, &section->proxy_protocol);
    if (strcmp(key, "ssl") == 0) {
        section->ssl = *option;
        return 0;
    }
    return breaker__option_unknown(option, KEYS);
}

/* what stands at `port`, or alone; with `type: unix` it is a path as it is */
static int read_address(section_t *section)
{
    const breaker__option_t *option = &section->port;
    const char *text, *accepted;

    if (breaker__option_text(option, &text) != 0)
        return -1;
    if (section->is_unix && strncmp(text, "unix:", 5) != 0)
        section->address = (breaker__address_t){.is_unix = true, .port = text};
    else if ((accepted = breaker__address_parse(text, &section->address)) != NULL)
        return breaker__option_refuse(option, accepted);
    section->is_unix = section->address.is_unix;
    return 0;
}

static int read_host(section_t *section)
{
    if (section->host == NULL)
        return 0;
    if (section->is_unix)
        return breaker__option_fail(section->directive, "a Unix socket has no `host`");
    if (section->address.host[0] != '\0')
        return breaker__option_fail(section->directive, "`port` names a host, and so does `host`");
    if (strlen(section->host) >= sizeof(section->address.host))
        return breaker__option_fail(section->directive, "a `host` of more than %zu bytes",
                                    sizeof(section->address.host) - 1);
    strcpy(section->address.host, section->host);
    return 0;
}

static int read_section(const breaker__option_t *option, section_t *section)
{
    *section = (section_t){.directive = option, .owner = (uid_t)-1, .group = (gid_t)-1, .mode = -1};
    if (option->node->type == YOML_TYPE_SCALAR) {
        section->port = *option;
        return read_address(section);
    }
    if (option->node->type != YOML_TYPE_MAPPING)
        return breaker__option_refuse(option, BREAKER__ADDRESS_FORMS ", or a mapping with " KEYS);
    if (breaker__option_each(option, KEYS, read_key, section) != 0)
        return -1;
    if (section->port.node == NULL)
        return breaker__option_missing(option, "port");
    if (read_address(section) != 0 || read_host(section) != 0)
        return -1;
    if (!section->is_unix && (section->owner != (uid_t)-1 || section->mode != -1))
        return breaker__option_fail(option, "`owner` and `permission` belong to a Unix socket");
    return 0;
}

/* ---- addresses ---- */

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

static breaker__listener_t *create_listener(breaker__listeners_t *listeners,
                                            const section_t *section, const struct sockaddr *addr,
                                            socklen_t addr_len)
{
    const yoml_t *node = section->directive->node;
    breaker__listener_t *listener;
    char where[1100];

    snprintf(where, sizeof(where), "%s:%zu:%zu", node->filename, node->line + 1, node->column + 1);
    listener = breaker__listeners_add(listeners, where, addr, addr_len);
    listener->proxy_protocol = section->proxy_protocol;
    listener->owner = section->owner;
    listener->group = section->group;
    listener->mode = section->mode;
    return listener;
}

/* whether what was said before of an address leaves room for what a host says of it now */
static int check_shared(const breaker__listener_t *listener, const section_t *section,
                        const h2o_hostconf_t *host)
{
    const breaker__option_t *directive = section->directive;

    if (host == NULL)
        return breaker__option_fail(directive, "%s stands at %s already", listener->name,
                                    listener->where);
    if (listener->proxy_protocol != section->proxy_protocol)
        return breaker__option_fail(directive, "proxy-protocol is the other way at %s for %s",
                                    listener->where, listener->name);
    if ((listener->certificates != NULL) != (section->ssl.node != NULL))
        return breaker__option_fail(directive, "%s is opened %s `ssl` at %s", listener->name,
                                    listener->certificates != NULL ? "with" : "without",
                                    listener->where);
    return 0;
}

/* `is_first`: the first of the addresses that one directive stands for */
static int add_address(breaker__listeners_t *listeners, const section_t *section,
                       h2o_hostconf_t *host, const struct sockaddr *addr, socklen_t addr_len,
                       bool is_first)
{
    breaker__listener_t *listener = breaker__listeners_find(listeners, addr);
    bool is_new = listener == NULL;

    if (is_new)
        listener = create_listener(listeners, section, addr, addr_len);
    else if (check_shared(listener, section, host) != 0)
        return -1;
    if (host != NULL && (is_new || listener->hosts != NULL))
        add_host(listener, host);
    if (section->ssl.node == NULL)
        return 0;
    return breaker__certificates_add(&listener->certificates, &section->ssl, host, is_first);
}

static int add_unix(breaker__listeners_t *listeners, const section_t *section, h2o_hostconf_t *host)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    if (strlen(section->address.port) >= sizeof(addr.sun_path))
        return breaker__option_fail(section->directive,
                                    "the path of a Unix socket has at most %zu bytes",
                                    sizeof(addr.sun_path) - 1);
    strcpy(addr.sun_path, section->address.port);
    return add_address(listeners, section, host, (const struct sockaddr *)&addr, sizeof(addr),
                       true);
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
    const char *name = section->address.host[0] != '\0' ? section->address.host : NULL;
    struct addrinfo *found;
    int err;

    if ((err = getaddrinfo(name, section->address.port, &hints, &found)) != 0)
        return breaker__option_fail(section->directive, "host `%s`: %s",
                                    name != NULL ? name : "any", gai_strerror(err));
    for (const struct addrinfo *ai = found; ai != NULL && err == 0; ai = ai->ai_next)
        if (!is_repeated(found, ai))
            err = add_address(listeners, section, host, ai->ai_addr, ai->ai_addrlen, ai == found);
    freeaddrinfo(found);
    return err;
}

static int add_one(breaker__listeners_t *listeners, const breaker__option_t *option,
                   h2o_hostconf_t *host)
{
    section_t section;

    if (read_section(option, &section) != 0)
        return -1;
    return section.is_unix ? add_unix(listeners, &section, host)
                           : add_tcp(listeners, &section, host);
}

int breaker__listen_read(const breaker__option_t *option, h2o_hostconf_t *host,
                         breaker__listeners_t *listeners)
{
    const yoml_sequence_t *sequence = &option->node->data.sequence;
    breaker__option_t element = *option;

    if (option->node->type != YOML_TYPE_SEQUENCE)
        return add_one(listeners, option, host);
    if (sequence->size == 0)
        return breaker__option_fail(option, "the sequence is empty");
    for (size_t i = 0; i != sequence->size; ++i) {
        element.node = sequence->elements[i];
        if (add_one(listeners, &element, host) != 0)
            return -1;
    }
    return 0;
}
