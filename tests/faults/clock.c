/* A clock of redis-server that a test may set: preloaded, it adds to gettimeofday(2) the
 * microseconds that stand in the file that BREAKER_TEST_CLOCK names, as a number of the machine.
 * The file is mapped, so a step happens at once, while the server runs; clocks that only run
 * forward stay as they are. Debian's redis-server does not run under libfaketime: its allocator
 * asks for the time before that library can answer. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *offset_us;

__attribute__((constructor)) static void map_offset(void)
{
    const char *path = getenv("BREAKER_TEST_CLOCK");
    int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);

    if (fd == -1)
        return;
    void *mapped = mmap(NULL, sizeof(*offset_us), PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped != MAP_FAILED)
        offset_us = mapped;
}

__attribute__((visibility("default"))) int gettimeofday(struct timeval *restrict ret_time,
                                                        void *restrict zone)
{
    struct timespec now;

    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return -1;
    int64_t us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    if (offset_us != NULL)
        us += *offset_us;
    ret_time->tv_sec = us / 1000000;
    ret_time->tv_usec = us % 1000000;
    return 0;
}
