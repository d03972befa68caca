#ifndef BREAKER_LOG_H
#define BREAKER_LOG_H

#ifdef __cplusplus
extern "C" {
#endif

/** How much a line for the host's log matters. */
typedef enum en_breaker_log_level_t {
    /** the course of things: joined, a new token, a release is held */
    BREAKER_LOG_INFO,
    /** trouble that the node goes on with */
    BREAKER_LOG_WARNING,
} breaker_log_level_t;

#ifdef __cplusplus
}
#endif

#endif
