#ifndef BREAKER_HANDLERS_UPSTREAM_HTTP2_H
#define BREAKER_HANDLERS_UPSTREAM_HTTP2_H

/* Requests that libcurl carries from their first byte to the last, over HTTP/2. Not installed. */
#include "upstream/transfer.h"

/** For requests without an Upgrade. */
extern const breaker__carrier_t breaker__carrier_of_http2;

#endif
