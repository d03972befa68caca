/* The library's own version, beside the one that its users were compiled for. */
#include <breaker/version.h>

const char *breaker_version(void)
{
    return BREAKER_VERSION;
}
