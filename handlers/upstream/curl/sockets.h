#ifndef BREAKER_HANDLERS_UPSTREAM_SOCKETS_H
#define BREAKER_HANDLERS_UPSTREAM_SOCKETS_H

/* libcurl's sockets on a loop of libh2o's. One thread. Not installed. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <curl/curl.h>
#include <h2o.h>
#include "thread/watch.h"

/** Beside CURL_POLL_IN and CURL_POLL_OUT: the other side sends nothing more, or is gone. */
enum { BREAKER__POLL_END = 8 };

/** One who watches a socket that is no longer libcurl's, or never was. Embedded by its owner. */
typedef struct st_breaker__socket_user_t {
    /** something happened that was wanted, or an error; from the loop */
    void (*on_event)(struct st_breaker__socket_user_t *user, bool is_readable, bool is_writable);
} breaker__socket_user_t;

/** The sockets of one multi handle, those of others that it opened, and some that others have. */
typedef struct st_breaker__sockets_t {
    CURLM *multi;            /* borrowed: outlives us */
    int epoll_fd;            /* of `watch` */
    breaker__watch_t *watch; /* owned */
    /** by descriptor: what is wanted, and what the kernel was told */
    struct st_breaker__interest_t {
        breaker__socket_user_t *user; /* borrowed; NULL: libcurl */
        uint8_t wanted, told;
        /** opened here; left open when libcurl closes it */
        bool is_ours, is_taken;
    } * interests; /* owned */
    size_t num_interests;
    /** libcurl has closed one; set back by others */
    bool has_closed;
    /** called when libcurl has been told of what the kernel said */
    void (*on_driven)(void *data);
    void *data;
} breaker__sockets_t;

/**
 * Sets the callbacks of `multi` for sockets. `on_driven(data)` comes from the loop after each round
 * of events. 0, or BREAKER_ERR_IO when the kernel refuses a descriptor.
 */
int breaker__sockets_init(breaker__sockets_t *sockets, CURLM *multi, h2o_loop_t *loop,
                          void (*on_driven)(void *data), void *data);
/** After `multi` has been cleaned up. */
void breaker__sockets_dispose(breaker__sockets_t *sockets);

/** CURLOPT_OPENSOCKETFUNCTION, with the sockets as its data. */
curl_socket_t breaker__sockets_open(void *sockets, curlsocktype purpose,
                                    struct curl_sockaddr *address);
/** CURLOPT_CLOSESOCKETFUNCTION, with the sockets as its data: they may outlive their handle. */
int breaker__sockets_close(void *sockets, curl_socket_t fd);

/**
 * Keeps a socket open that libcurl is about to close, and that is the caller's from then on, who
 * closes it with breaker__sockets_drop.
 */
void breaker__sockets_take(breaker__sockets_t *sockets, int fd);
/** Closes a socket that was taken. */
void breaker__sockets_drop(breaker__sockets_t *sockets, int fd);
/**
 * Has `user` told of what `wanted` says, CURL_POLL_IN, CURL_POLL_OUT, BREAKER__POLL_END, or 0,
 * until it is called again. The kernel is told of it only where that is needed.
 */
void breaker__sockets_want(breaker__sockets_t *sockets, int fd, int wanted,
                           breaker__socket_user_t *user);
/** Nobody is told any more of a socket that somebody else has, and will close. */
void breaker__sockets_forget(breaker__sockets_t *sockets, int fd);

#endif
