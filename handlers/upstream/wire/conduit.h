#ifndef BREAKER_HANDLERS_UPSTREAM_CONDUIT_H
#define BREAKER_HANDLERS_UPSTREAM_CONDUIT_H

/* Bytes to and from an application, over a connection that libcurl opened. Not installed. */
#include <stdbool.h>
#include <sys/types.h>
#include <curl/curl.h>
#include <h2o.h>

/** A plain value; of one thread, and never waits. */
typedef struct st_breaker__conduit_t {
    int fd;
    /** of a connection over TLS, which is read and written with it; else NULL */
    CURL *easy;
} breaker__conduit_t;

/** What a call comes to that moved nothing. */
enum {
    BREAKER__CONDUIT_END = 0,
    BREAKER__CONDUIT_LATER = -1,
    BREAKER__CONDUIT_BROKEN = -2,
};

/**
 * Sends the beginning of what is in one or two pieces, with at least one byte. Returns how many
 * bytes went, or LATER or BROKEN.
 */
ssize_t breaker__conduit_send(const breaker__conduit_t *conduit, const h2o_iovec_t *pieces,
                              size_t num);
/** Reads up to `len` bytes, at least one. Returns how many, or END, LATER or BROKEN. */
ssize_t breaker__conduit_recv(const breaker__conduit_t *conduit, char *bytes, size_t len);

/**
 * Tells whether a connection that nobody uses is as it was left: neither ended nor with bytes that
 * nobody asked for. TLS has bytes of its own, which are none.
 */
bool breaker__conduit_is_quiet(const breaker__conduit_t *conduit);

#endif
