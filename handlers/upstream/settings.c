/*
 * Defaults are libh2o's where it has the directive. Of the others: a connection that takes longer
 * than five seconds is one to a host that is gone; a head of 64 KiB is more than any browser takes.
 */
#include "upstream/settings.h"

enum {
    CONNECT_MS = 5000,
    IO_MS = 30000,
    KEEPALIVE_MS = 2000,
    UPGRADED_MS = 300000,
    HEAD_SIZE = 65536,
    FIELDS = 200,
};

void breaker__upstream_settings_init(breaker__upstream_settings_t *settings)
{
    *settings = (breaker__upstream_settings_t){
        .connect_ms = CONNECT_MS,
        .io_ms = IO_MS,
        .keepalive_ms = KEEPALIVE_MS,
        .upgraded_ms = UPGRADED_MS,
        .max_head_size = HEAD_SIZE,
        .max_fields = FIELDS,
    };
    breaker__tls_config_init(&settings->tls);
}

void breaker__upstream_settings_copy(breaker__upstream_settings_t *dst,
                                     const breaker__upstream_settings_t *src)
{
    *dst = *src;
    breaker__tls_config_ref(&dst->tls);
    if (dst->header_commands != NULL)
        h2o_mem_addref_shared(dst->header_commands);
}

void breaker__upstream_settings_dispose(breaker__upstream_settings_t *settings)
{
    breaker__tls_config_dispose(&settings->tls);
    if (settings->header_commands != NULL)
        h2o_mem_release_shared(settings->header_commands);
    settings->header_commands = NULL;
}
