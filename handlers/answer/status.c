/* The table of statuses. Whoever writes an answer takes code and reason from here. */
#include "answer/status.h"

const struct st_breaker__status_line_t breaker__status_lines[BREAKER__NUM_STATUSES] = {
#define BREAKER__STATUS(code, reason) {code, reason},
    BREAKER__STATUSES(BREAKER__STATUS)
#undef BREAKER__STATUS
};
