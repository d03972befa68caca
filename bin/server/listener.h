#ifndef BREAKER_BIN_LISTENER_H
#define BREAKER_BIN_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <h2o.h>
#include <yoml.h>
#include "server/certificates.h"

/** One address that the server listens on. */
typedef struct st_breaker__listener_t {
    /** "h2o.conf:3:9", of the directive that asked for it; owned */
    char *where;
    /** "127.0.0.1:8080", "[::]:80", "unix:/run/x"; owned */
    char *name;
    struct sockaddr_storage addr;
    socklen_t addr_len;
    bool proxy_protocol;
    /** owner and permission of a Unix socket; -1 leaves them */
    uid_t owner;
    gid_t group;
    int mode;
    /** the hosts behind it, ended by NULL, owned; or NULL for all */
    h2o_hostconf_t **hosts;
    /** owned; NULL for cleartext */
    breaker__tls_t *tls;
    /** one descriptor a thread, owned until it is taken; -1 then */
    int *fds;
    size_t num_fds;
    /** a socket file of ours is there to be removed */
    bool has_file;
} breaker__listener_t;

typedef H2O_VECTOR(breaker__listener_t *) breaker__listeners_t;

/**
 * Reads a `listen` directive (a port, a mapping, or a sequence of them) at the top level, or of a
 * host. An address that was named before gets the host and its certificate added. Nothing is bound.
 * Returns 0, or -1 after a complaint.
 */
int breaker__listeners_add(breaker__listeners_t *listeners, yoml_t *node, h2o_hostconf_t *host);

/**
 * Binds every address and listens, with a descriptor for each of `num_threads`. TCP addresses get a
 * socket a thread (SO_REUSEPORT), among which the kernel spreads connections. An address that
 * another process listens on is refused, of whatever user. Returns 0, or -1 after a complaint.
 */
int breaker__listeners_open(breaker__listeners_t *listeners, size_t num_threads);

/** Hands over the descriptor of a thread. */
int breaker__listener_take(breaker__listener_t *listener, size_t thread);

/** Removes the socket files; safe to call at any time after parsing, and again. */
void breaker__listeners_remove_files(breaker__listeners_t *listeners);

/** Closes what was not taken and frees everything. */
void breaker__listeners_dispose(breaker__listeners_t *listeners);

#endif
