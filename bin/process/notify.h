#ifndef BREAKER_BIN_NOTIFY_H
#define BREAKER_BIN_NOTIFY_H

/**
 * Tells a service manager how the server is, by the protocol of sd_notify(3): lines such as
 * "READY=1", joined by line ends. Does nothing when NOTIFY_SOCKET is not set; complains once on
 * stderr when the socket does not take it.
 */
void breaker__notify(const char *state);

#endif
