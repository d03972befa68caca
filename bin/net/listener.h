#ifndef BREAKER_BIN_LISTENER_H
#define BREAKER_BIN_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <h2o.h>
#include "master/held.h"
#include "net/certificates.h"

/** One address that the server listens on. */
typedef struct st_breaker__listener_t {
    /** "h2o.conf:3:9", of the directive that asked for it; owned */
    char *where;
    /** "127.0.0.1:8080", "[::]:80", "unix:/run/x"; owned */
    char *name;
    struct sockaddr_storage addr;
    socklen_t addr_len;
    bool proxy_protocol;
    /** how many connections may wait whose first data came with their SYN (RFC 7413); 0: none */
    int fast_open_max;
    /** owner and permission of a Unix socket; -1 leaves them */
    uid_t owner;
    gid_t group;
    int mode;
    /** the hosts that it leads to, ended by NULL, owned; or NULL for all */
    h2o_hostconf_t **hosts;
    /** owned; NULL for cleartext */
    breaker__certificates_t *certificates;
    /**
     * at least one descriptor a thread, owned until it is taken, -1 then; the first `num_held` were
     * held before. None at all where a held socket of another address takes its connections
     */
    int *fds;
    size_t num_fds, num_held;
    /** all descriptors are of the first one's socket */
    bool is_shared;
    /** a socket file of ours is there to be removed */
    bool has_file;
} breaker__listener_t;

typedef H2O_VECTOR(breaker__listener_t *) breaker__listeners_t;

/** "127.0.0.1:8080", "[::]:80", "unix:/run/x" of an address; the caller's. */
char *breaker__listener_name(const struct sockaddr *addr, socklen_t len);

/** The listener of an address, or NULL; port 0 is never the same address twice. */
breaker__listener_t *breaker__listeners_find(const breaker__listeners_t *listeners,
                                             const struct sockaddr *addr);

/**
 * The first one that speaks HTTP to anybody; one to this machine only, where there is no other, or
 * NULL.
 */
breaker__listener_t *breaker__listeners_find_public(const breaker__listeners_t *listeners);

/**
 * Adds the listener of an address that has none yet, in cleartext, for all hosts and with the owner
 * and permission that a file gets by itself. `where` is copied. Nothing is bound. Never NULL.
 */
breaker__listener_t *breaker__listeners_add(breaker__listeners_t *listeners, const char *where,
                                            const struct sockaddr *addr, socklen_t addr_len);

/**
 * Binds every address, with a descriptor for each of `num_threads`. TCP addresses get a socket a
 * thread (SO_REUSEPORT), among which the kernel spreads connections. An address that another
 * process has, of whatever user, is refused; from here on it is ours, and refuses connections. What
 * is held already is taken from there, all of it, however many threads there are now: connections
 * may be waiting in every queue. What is left in `held` is of no listener. Returns 0, or -1 after a
 * complaint.
 */
int breaker__listeners_bind(breaker__listeners_t *listeners, size_t num_threads,
                            breaker__held_list_t *held);

/** How many sockets of their own its descriptors are, those first. */
size_t breaker__listener_num_sockets(const breaker__listener_t *listener);

/**
 * Listens on every address that was bound: connections are queued from here on. Once; no privilege
 * is needed. Returns 0, or -1 after a complaint.
 */
int breaker__listeners_listen(breaker__listeners_t *listeners);

/** Hands over a descriptor. */
int breaker__listener_take(breaker__listener_t *listener, size_t index);

/** Removes the socket files; safe to call at any time after reading, and again. */
void breaker__listeners_remove_files(breaker__listeners_t *listeners);

/** Closes what was not taken and frees everything. */
void breaker__listeners_dispose(breaker__listeners_t *listeners);

#endif
