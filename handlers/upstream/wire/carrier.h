#ifndef BREAKER_HANDLERS_UPSTREAM_WIRE_CARRIER_H
#define BREAKER_HANDLERS_UPSTREAM_WIRE_CARRIER_H

/* Requests over HTTP/1.1, on connections that libcurl opens. Not installed. */
#include "upstream/transfer.h"

/** For all that may go over HTTP/1.1. */
extern const breaker__carrier_t breaker__carrier_of_wire;

/** The connection had been kept, and ended before a byte of the answer. */
void breaker__carrier_retry(breaker__transfer_t *transfer);
/** Gives the connection of a transfer whose answer is 101 to another, which goes on with it. */
void breaker__carrier_pass(breaker__transfer_t *from, breaker__transfer_t *to);

#endif
