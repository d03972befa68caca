/*
 * A share of a processor for a thread that nobody waits for. Low priority alone leaves a machine
 * without other work at full load, which a quota, a battery or a neighbour in the next virtual
 * machine pays for. What was used too much is slept off, so over time the share holds whatever the
 * size of the pieces.
 */
#include <assert.h>
#include <time.h>
#include "encoding/pace.h"

/** in ns: shorter sleeps are put together, longer ones cut so that a stop is noticed */
#define SLEEP_MIN 2000000
#define SLEEP_MAX 20000000

static int64_t read_clock(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void breaker__pace_init(breaker__pace_t *pace, const atomic_bool *stop, unsigned percent)
{
    assert(percent >= 1 && percent <= 100);
    pace->stop = stop;
    pace->interlude = NULL;
    pace->interlude_data = NULL;
    pace->percent = percent;
    pace->cpu_ns = read_clock(CLOCK_THREAD_CPUTIME_ID);
    pace->clock_ns = read_clock(CLOCK_MONOTONIC);
}

int64_t breaker__pace_owed(breaker__pace_t *pace, int64_t cpu_ns, int64_t clock_ns)
{
    int64_t due = (cpu_ns - pace->cpu_ns) * 100 / pace->percent;
    int64_t owed = due - (clock_ns - pace->clock_ns);

    if (owed >= -BREAKER_PACE_CREDIT_NS)
        return owed;
    pace->clock_ns += -BREAKER_PACE_CREDIT_NS - owed;
    return -BREAKER_PACE_CREDIT_NS;
}

static bool is_stopped(const breaker__pace_t *pace)
{
    return atomic_load_explicit(pace->stop, memory_order_relaxed);
}

bool breaker__pace_go_on(breaker__pace_t *pace)
{
    while (!is_stopped(pace)) {
        struct timespec sleep = {0};
        int64_t owed;

        if (pace->interlude != NULL)
            pace->interlude(pace->interlude_data);
        if (pace->percent == 100)
            return true;
        owed = breaker__pace_owed(pace, read_clock(CLOCK_THREAD_CPUTIME_ID),
                                  read_clock(CLOCK_MONOTONIC));
        if (owed < SLEEP_MIN)
            return true;
        sleep.tv_nsec = owed < SLEEP_MAX ? (long)owed : SLEEP_MAX;
        nanosleep(&sleep, NULL);
    }
    return false;
}
