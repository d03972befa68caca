#ifndef BREAKER_TESTS_SOCKETS_H
#define BREAKER_TESTS_SOCKETS_H

/* Sockets of the loop for tests that speak HTTP/1 in bytes. */
#include <h2o.h>

/** libh2o's socket over a connected, non-blocking descriptor, which it owns from now on. */
h2o_socket_t *sockets_adopt(h2o_loop_t *loop, int fd);

/** A connected pair: the server's end as libh2o's socket, and the client's, non-blocking. */
h2o_socket_t *sockets_pair(h2o_loop_t *loop, int *ret_client);

#endif
