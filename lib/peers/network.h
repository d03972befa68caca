#ifndef BREAKER_PEERS_NETWORK_H
#define BREAKER_PEERS_NETWORK_H

/* Addresses as the ranges see them. Pure. Not installed. */
#include <stdbool.h>
#include <breaker/network.h>

/** An address of IPv4 or IPv6 in 16 bytes; false for other families. */
bool breaker__network_read(const struct sockaddr *from, uint8_t *ret_address);

/** One in a text, IPv4 without a mapping or IPv6, NUL-ended. Returns how many bits it has, or 0. */
unsigned breaker__network_parse_ip(const char *text, uint8_t *ret_address);

/** Whether such an address is in a range, or in any of them. */
bool breaker__network_has(const breaker_network_t *network, const uint8_t *address);
bool breaker__networks_have(const breaker_network_t *list, size_t num, const uint8_t *address);

#endif
