#ifndef BREAKER_BIN_PROXY_HEADER_H
#define BREAKER_BIN_PROXY_HEADER_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

/** the longest header that is taken, in bytes, what follows its addresses included */
#define BREAKER__PROXY_HEADER_MAX 4096

/** Whom a proxy speaks for. */
typedef struct st_breaker__proxy_header_t {
    struct sockaddr_storage client;
    /** 0 where the header names no address: the proxy speaks for itself, or for a local client */
    socklen_t client_len;
} breaker__proxy_header_t;

/**
 * Reads the header of the PROXY protocol, version 1 or 2 (haproxy.org/download/2.8/doc/
 * proxy-protocol.txt), with which a connection begins. Returns how many bytes it has; 0 when more
 * have to come, all that are there being of the header; -1 when it is none, one that is longer than
 * BREAKER__PROXY_HEADER_MAX, or one whose checksum is wrong.
 */
ssize_t breaker__proxy_header_parse(const char *base, size_t len,
                                    breaker__proxy_header_t *ret_header);

#endif
