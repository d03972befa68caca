#ifndef BREAKER_LIB_MOMENT_H
#define BREAKER_LIB_MOMENT_H

#include <stdint.h>

/** A moment, as the caller's clocks show it. */
typedef struct st_breaker__moment_t {
    /** milliseconds since the epoch; may jump */
    uint64_t wall_ms;
    /** milliseconds of a clock that never goes back; timers go by it */
    uint64_t mono_ms;
} breaker__moment_t;

#endif
