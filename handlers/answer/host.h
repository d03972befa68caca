#ifndef BREAKER_HANDLERS_HOST_H
#define BREAKER_HANDLERS_HOST_H

/* Whom a request is for: its host, and absolute-form targets. */
#include <breaker/h2o.h>

/**
 * Tells whether a text can be the host of a request, with a port or without one (RFC 9110 §7.2,
 * RFC 3986 §3.2.2). The empty one can.
 */
bool breaker__is_host(const char *base, size_t len);

/**
 * Tells whether a request of libh2o has several Host fields, or one that is no host (RFC 9112
 * §3.2): two servers could take it for requests to different hosts.
 */
bool breaker__host_is_ambiguous(h2o_req_t *req);

/**
 * Finds the host that a Host which is one names, as libh2o and breaker__find_host do together; the
 * first one where it names none. `default_port` is the scheme's.
 */
const h2o_hostconf_t *breaker__host_named(h2o_hostconf_t *const *hosts, h2o_iovec_t authority,
                                          uint16_t default_port);

/**
 * Sees to it that a request of libh2o comes to the host and the path that it names: an
 * absolute-form target is taken apart (RFC 9112 §3.2.2), and a Host with a port finds the host that
 * is configured without one. Returns true where the request has begun anew, and whoever has asked
 * is to leave it alone. First thing in a handler that may be the first one of a path.
 */
bool breaker__find_host(h2o_req_t *req);

#endif
