#ifndef BREAKER_NETWORK_H
#define BREAKER_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <breaker/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A range of addresses: those whose first `bits` bits are these. IPv4 is ::ffff:a.b.c.d. Plain
 * value.
 */
typedef struct st_breaker_network_t {
    uint8_t address[16];
    unsigned bits; /* 0 to 128; of IPv4 96 to 128 */
} breaker_network_t;

/**
 * Reads "10.0.0.0/8", "fd00::/8" or a single address, not NUL-ended. Bits after the prefix must be
 * 0, so that a slip of the pen is seen. Fails with BREAKER_ERR_RANGE. Any thread.
 */
BREAKER_EXPORT int breaker_network_parse(const char *text, size_t len,
                                         breaker_network_t *ret_network);

/**
 * Tells whether an address is in one of `num` ranges; one that is neither of IPv4 nor of IPv6 is in
 * none. Pure.
 */
BREAKER_EXPORT bool breaker_networks_have(const breaker_network_t *list, size_t num,
                                          const struct sockaddr *address);

#ifdef __cplusplus
}
#endif

#endif
