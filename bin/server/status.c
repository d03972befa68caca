/*
 * The process in the JSON of h2o's `status`, under the name (`?show=main`) and the keys that h2o's
 * own main program has for it, so that whoever watches h2o can watch this server. Numbers are those
 * of the whole process.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <openssl/crypto.h>
#include <h2o.h>
#include <breaker/h2o.h>
#include "config/config.h"
#include "net/threads.h"
#include "server/status.h"

/* texts of known length, and numbers */
#define STATUS_SIZE 1024

/* h2o joins the parts, and takes each part's first byte for a comma */
static h2o_iovec_t on_status(void *data, h2o_globalconf_t *globalconf, h2o_req_t *req)
{
    const breaker__config_t *config =
        H2O_STRUCT_FROM_MEMBER(breaker__config_t, globalconf, globalconf);
    const breaker__threads_t *threads = breaker__threads_of(req->conn->ctx);
    char now_text[H2O_TIMESTR_LOG_LEN + 1], begun_text[H2O_TIMESTR_LOG_LEN + 1];
    time_t now = time(NULL);
    h2o_iovec_t part = {h2o_mem_alloc_pool(&req->pool, STATUS_SIZE), 0};
    (void)data;

    h2o_time2str_log(now_text, now);
    h2o_time2str_log(begun_text, config->begun_at);
    part.len = (size_t)snprintf(part.base, STATUS_SIZE,
                                ",\n"
                                " \"server-version\": \"%s\",\n"
                                " \"openssl-version\": \"%s\",\n"
                                " \"current-time\": \"%s\",\n"
                                " \"restart-time\": \"%s\",\n"
                                " \"uptime\": %" PRId64 ",\n"
                                " \"generation\": null,\n"
                                " \"connections\": %zu,\n"
                                " \"max-connections\": %zu,\n"
                                " \"listeners\": %zu,\n"
                                " \"worker-threads\": %zu,\n"
                                " \"num-sessions\": %zu",
                                BREAKER_BIN_VERSION, OpenSSL_version(OPENSSL_VERSION), now_text,
                                begun_text, (int64_t)(now - config->begun_at),
                                breaker__threads_num_connections(threads),
                                breaker__threads_max_connections(threads), config->listeners.size,
                                config->num_threads, breaker__threads_num_sessions(threads));
    assert(part.len < STATUS_SIZE);
    return part;
}

static void read_process(void *data, h2o_context_t *ctx, breaker_h2o_process_t *ret_process)
{
    const breaker__threads_t *threads = breaker__threads_of(ctx);
    (void)data;

    *ret_process = (breaker_h2o_process_t){
        .connections = breaker__threads_num_connections(threads),
        .max_connections = breaker__threads_max_connections(threads),
        .accepted = breaker__threads_num_sessions(threads),
        .floods = breaker__threads_num_floods(threads),
    };
}

void breaker__status_tell(h2o_globalconf_t *globalconf)
{
    breaker_h2o_status_set_process(globalconf, read_process, NULL);
}

void breaker__status_register(h2o_globalconf_t *globalconf)
{
    h2o_config_register_simple_status_handler(globalconf, h2o_iovec_init(H2O_STRLIT("main")),
                                              on_status);
}
