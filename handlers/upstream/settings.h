#ifndef BREAKER_HANDLERS_UPSTREAM_SETTINGS_H
#define BREAKER_HANDLERS_UPSTREAM_SETTINGS_H

/* What the `proxy.*` directives say of an application. Not installed. */
#include <stdbool.h>
#include <stdint.h>
#include <h2o.h>
#include "upstream/curl/tls.h"

/** A plain value; what it refers to is counted. */
typedef struct st_breaker__upstream_settings_t {
    /** until a connection stands, all addresses of the name together */
    uint32_t connect_ms;
    /** from the last byte of the request to the first of the answer; 0: as `io_ms` */
    uint32_t first_byte_ms;
    /** between two bytes of a body, in either direction */
    uint32_t io_ms;
    /** how long a connection without a request is kept; 0: not at all */
    uint32_t keepalive_ms;
    /** without a byte either way, after a connection has changed its protocol */
    uint32_t upgraded_ms;
    /** connections of one thread, 0: any number; more requests wait */
    uint32_t max_connections;
    /** bytes of an answer's head, with those of 1xx answers before it and of trailers */
    uint32_t max_head_size;
    /** fields of one head */
    uint32_t max_fields;
    bool preserve_host;
    bool proxy_protocol;
    /** whether clients may change the protocol, WebSocket say */
    bool upgrades;
    /** whether a body in chunks goes on in chunks, as it comes, and not gathered, with its length
     */
    bool chunked_requests;
    /** whether an application over TLS is spoken to in HTTP/2, which it has to know */
    bool http2;
    breaker__tls_config_t tls;
    /** `proxy.header.*`; a reference, or NULL */
    h2o_headers_command_t *header_commands;
} breaker__upstream_settings_t;

/** Defaults: those of libh2o, and of ours in `h2o-breaker.conf(5)`. */
void breaker__upstream_settings_init(breaker__upstream_settings_t *settings);
/** A copy with references of its own. */
void breaker__upstream_settings_copy(breaker__upstream_settings_t *dst,
                                     const breaker__upstream_settings_t *src);
void breaker__upstream_settings_dispose(breaker__upstream_settings_t *settings);

#endif
