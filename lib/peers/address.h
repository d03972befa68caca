#ifndef BREAKER_PEERS_ADDRESS_H
#define BREAKER_PEERS_ADDRESS_H

/* Where a node may be asked, and where it never is. Pure. Not installed. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <breaker/network.h>
#include <breaker/peer.h>

/** the most ranges of addresses of one configuration */
#define BREAKER__CIDRS_MAX 64
/** the longest URL of a peer, its NUL left out: "https://" and what it advertises */
#define BREAKER__PEER_URL_MAX (BREAKER_ADVERTISE_MAX + 8)

/** Which addresses may be asked. Plain value; zeroed, all but those that never are. */
typedef struct st_breaker__reach_t {
    size_t num_cidrs; /* 0: no bounds */
    breaker_network_t cidrs[BREAKER__CIDRS_MAX];
    /** this node's own address is on loopback: then its peers may be there, too */
    bool allows_loopback;
} breaker__reach_t;

/**
 * Tells whether a connection to an address may be made. Refused are: what is outside the ranges,
 * where there are some; link-local addresses (cloud providers hand out secrets there), multicast,
 * broadcast, reserved and unspecified ones, whatever the ranges say; loopback, unless
 * `allows_loopback` or a range that lies within loopback allows it; other families than IPv4 and
 * IPv6. Any thread.
 */
bool breaker__reach_allows(const breaker__reach_t *reach, const struct sockaddr *address);

/**
 * Tells whether an address that a node advertises is on loopback as far as its text shows:
 * 127.0.0.0/8, ::1, "localhost". NULL is not. Any thread.
 */
bool breaker__address_is_loopback(const char *address);

/**
 * Makes the URL that paths are appended to, "http://10.0.0.7:8080", out of what a node advertises:
 * "host:port", "[v6]:port", and either with "http://" or "https://" before it. The host has
 * letters, digits, '.', '-' and '_' only, in brackets digits of IPv6: no user, no path, nothing
 * that another reader could take apart differently. `dst` has BREAKER__PEER_URL_MAX + 1 bytes.
 * Fails with BREAKER_ERR_RANGE. Any thread.
 */
int breaker__address_url(const char *address, size_t len, char *dst);

#endif
