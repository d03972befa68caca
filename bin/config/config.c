/*
 * From a file to a configuration: libh2o's configurators, ours beside them, and the order in which
 * they run. Our limits are set first, so that directives override them. Directives that libh2o's
 * own main program has and the library has not (`listen`, `user` and so on) are defined here.
 */
#include <assert.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/stat.h>
#include <h2o.h>
#include <h2o/configurator.h>
#include "config/compress.h"
#include "config/config.h"
#include "config/custom_handler.h"
#include "config/durations.h"
#include "config/error_log_option.h"
#include "config/floods.h"
#include "config/listen.h"
#include "config/resumption.h"
#include "process/process.h"
#include "process/user.h"
#include "server/status.h"
#include "yaml/check.h"
#include "yaml/yaml.h"
#include "yaml/yaml_node.h"

/* the most threads, and the most names that are looked up at once */
#define THREADS_MAX 1024
#define NAME_LOOKUPS 8
#define SHUTDOWN_TIMEOUT_S 30
#define SHUTDOWN_TIMEOUT_MAX_S (24 * 60 * 60)

typedef struct st_configurator_t {
    h2o_configurator_t super;
    breaker__config_t *config; /* borrowed: outlives us */
} configurator_t;

static breaker__config_t *config_of(h2o_configurator_command_t *cmd)
{
    return ((configurator_t *)cmd->configurator)->config;
}

/* ---- directives ---- */

static int on_config_listen(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                            yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};

    return breaker__listen_read(&option, ctx->hostconf, &config_of(cmd)->listeners);
}

/* libh2o starts applications as the user of this name, and refuses to where it finds none */
static char *name_for_libh2o(const breaker__user_t *user, const char *text)
{
    return h2o_strdup(NULL, user->name[0] != '\0' ? user->name : text, SIZE_MAX).base;
}

static int on_config_user(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                          yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    breaker__config_t *config = config_of(cmd);
    breaker__user_t user;

    if (breaker__option_copy(&option, &config->user) != 0)
        return -1;
    if (breaker__user_find(config->user, &user) != 0)
        return breaker__option_fail(&option, "there is no user `%s`; accepted: %s", config->user,
                                    BREAKER__USER_FORMS);
    if (geteuid() != 0 && !breaker__user_is_self(&user))
        return breaker__option_fail(&option, "only root can become another user, here `%s`",
                                    config->user);
    free(config->user_name);
    config->user_name = name_for_libh2o(&user, config->user);
    ctx->globalconf->user = config->user_name;
    return 0;
}

static int on_config_pid_file(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                              yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    (void)ctx;

    return breaker__option_copy(&option, &config_of(cmd)->pid_file);
}

static int on_config_error_log(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                               yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    (void)ctx;

    return breaker__error_log_read(&option, &config_of(cmd)->error_log);
}

static int on_config_num_threads(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                                 yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    uint64_t value;
    (void)ctx;

    if (breaker__option_number(&option, "a number", 1, THREADS_MAX, &value) != 0)
        return -1;
    config_of(cmd)->num_threads = (size_t)value;
    return 0;
}

static int on_config_name_resolution_threads(h2o_configurator_command_t *cmd,
                                             h2o_configurator_context_t *ctx, yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    uint64_t value;
    (void)ctx;

    if (breaker__option_number(&option, "a number", 1, THREADS_MAX, &value) != 0)
        return -1;
    h2o_hostinfo_max_threads = (size_t)value;
    return 0;
}

/* libh2o has a template there, of which all but the last part is the directory */
static int on_config_temp_buffer_path(h2o_configurator_command_t *cmd,
                                      h2o_configurator_context_t *ctx, yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    char *template = h2o_socket_buffer_mmap_settings.fn_template;
    const char *last = strrchr(template, '/'), *path;
    size_t last_size = strlen(last) + 1, len;
    struct stat st;
    (void)ctx;

    if (breaker__option_text(&option, &path) != 0)
        return -1;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        return breaker__option_refuse(&option, "an existing directory");
    if ((len = strlen(path)) + last_size > sizeof(h2o_socket_buffer_mmap_settings.fn_template))
        return breaker__option_fail(&option, "a path of %zu bytes is too long", len);
    memmove(template + len, last, last_size);
    h2o_memcpy(template, path, len);
    return 0;
}

static int on_config_max_connections(h2o_configurator_command_t *cmd,
                                     h2o_configurator_context_t *ctx, yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    uint64_t value;
    (void)ctx;

    if (breaker__option_number(&option, "a number", 1, INT32_MAX, &value) != 0)
        return -1;
    config_of(cmd)->max_connections = (size_t)value;
    return 0;
}

static int on_config_shutdown_timeout(h2o_configurator_command_t *cmd,
                                      h2o_configurator_context_t *ctx, yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    uint64_t value;
    (void)ctx;

    if (breaker__option_seconds(&option, 0, SHUTDOWN_TIMEOUT_MAX_S, &value) != 0)
        return -1;
    config_of(cmd)->shutdown_timeout_s = (unsigned)value;
    return 0;
}

static int on_config_shutdown_delay(h2o_configurator_command_t *cmd,
                                    h2o_configurator_context_t *ctx, yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    (void)ctx;

    return breaker__option_span(&option, &config_of(cmd)->shutdown_delay_ms);
}

static int on_config_duration_stats(h2o_configurator_command_t *cmd,
                                    h2o_configurator_context_t *ctx, yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    (void)ctx;

    return breaker__option_switch(&option, &config_of(cmd)->duration_stats);
}

static int on_config_tcp_fastopen(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                                  yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    uint64_t value;
    (void)ctx;

    if (breaker__option_number(&option, "a number", 0, UINT16_MAX, &value) != 0)
        return -1;
    config_of(cmd)->fast_open_max = (int)value;
    return 0;
}

static int on_config_session_resumption(h2o_configurator_command_t *cmd,
                                        h2o_configurator_context_t *ctx, yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    (void)ctx;

    return breaker__resumption_read(&option, &config_of(cmd)->resumption);
}

static int on_config_fast_path(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                               yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    (void)ctx;

    return breaker__option_switch(&option, &config_of(cmd)->fast_path);
}

static int on_config_sandbox(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                             yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    (void)ctx;

    return breaker__option_switch(&option, &config_of(cmd)->sandbox);
}

static int on_config_flood(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx,
                           yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    (void)ctx;

    return breaker__floods_read(&option, &config_of(cmd)->calm);
}

static void define_ours(breaker__config_t *config)
{
    static const struct {
        const char *name;
        int levels;
        h2o_configurator_command_cb cb;
    } commands[] = {
        {"listen", H2O_CONFIGURATOR_FLAG_GLOBAL | H2O_CONFIGURATOR_FLAG_HOST, on_config_listen},
        {"user", H2O_CONFIGURATOR_FLAG_GLOBAL, on_config_user},
        {"pid-file", H2O_CONFIGURATOR_FLAG_GLOBAL, on_config_pid_file},
        {"error-log", H2O_CONFIGURATOR_FLAG_GLOBAL, on_config_error_log},
        {"num-threads", H2O_CONFIGURATOR_FLAG_GLOBAL, on_config_num_threads},
        {"num-name-resolution-threads", H2O_CONFIGURATOR_FLAG_GLOBAL,
         on_config_name_resolution_threads},
        {"temp-buffer-path", H2O_CONFIGURATOR_FLAG_GLOBAL, on_config_temp_buffer_path},
        {"max-connections", H2O_CONFIGURATOR_FLAG_GLOBAL, on_config_max_connections},
        {"shutdown-timeout", H2O_CONFIGURATOR_FLAG_GLOBAL, on_config_shutdown_timeout},
        {"shutdown-delay", H2O_CONFIGURATOR_FLAG_GLOBAL, on_config_shutdown_delay},
        /* found before libh2o's of this name: see durations.c */
        {"duration-stats", H2O_CONFIGURATOR_FLAG_GLOBAL, on_config_duration_stats},
        {"tcp-fastopen", H2O_CONFIGURATOR_FLAG_GLOBAL, on_config_tcp_fastopen},
        {"ssl-session-resumption", H2O_CONFIGURATOR_FLAG_GLOBAL, on_config_session_resumption},
        {"breaker.fast-path", H2O_CONFIGURATOR_FLAG_GLOBAL, on_config_fast_path},
        {"sandbox", H2O_CONFIGURATOR_FLAG_GLOBAL, on_config_sandbox},
    };
    configurator_t *ours = (void *)h2o_configurator_create(&config->globalconf, sizeof(*ours));

    ours->config = config;
    for (size_t i = 0; i != sizeof(commands) / sizeof(commands[0]); ++i)
        h2o_configurator_define_command(&ours->super, commands[i].name, commands[i].levels,
                                        commands[i].cb);
    for (size_t i = 0; breaker__floods_directive(i) != NULL; ++i)
        h2o_configurator_define_command(&ours->super, breaker__floods_directive(i),
                                        H2O_CONFIGURATOR_FLAG_GLOBAL, on_config_flood);
}

/* in the order of h2o's main program */
static void define_theirs(h2o_globalconf_t *globalconf)
{
    breaker__compress_register_configurator(globalconf);
    h2o_expires_register_configurator(globalconf);
    h2o_errordoc_register_configurator(globalconf);
    h2o_fastcgi_register_configurator(globalconf);
    h2o_file_register_configurator(globalconf);
    h2o_throttle_resp_register_configurator(globalconf);
    h2o_headers_register_configurator(globalconf);
    h2o_reproxy_register_configurator(globalconf);
    h2o_redirect_register_configurator(globalconf);
    h2o_status_register_configurator(globalconf);
    breaker__status_register(globalconf);
    h2o_http2_debug_state_register_configurator(globalconf);
}

/* ---- the whole ---- */

static void on_notice(void *data, const char *message)
{
    (void)data;
    if (!breaker__error_log_has_begun())
        fprintf(stderr, "[breaker] %s\n", message);
    else
        breaker__error_log_say(&(const breaker_log_event_t){
            .level = BREAKER_LOG_WARNING,
            .component = "node",
            .kind = BREAKER_LOG_EVENT,
            .name = "notice",
            .fields = (const breaker_log_field_t[]){breaker_log_text("reason", message)},
            .num_fields = 1});
}

void breaker__config_init(breaker__config_t *config)
{
    breaker_node_config_t node_config;

    memset(config, 0, sizeof(*config));
    config->begun_at = time(NULL);
    config->num_threads = breaker__process_num_cpus();
    config->shutdown_timeout_s = SHUTDOWN_TIMEOUT_S;
    config->fast_path = true;
    config->sandbox = BREAKER_SANDBOX;
    breaker__calm_limits_init(&config->calm);
    h2o_hostinfo_max_threads = NAME_LOOKUPS;

    h2o_config_init(&config->globalconf);
    breaker_h2o_set_limits(&config->globalconf);
    breaker_h2o_add_types(config->globalconf.mimemap);
    /* no Server field unless `server-name` asks for one: it costs a printf a response */
    config->globalconf.server_name = h2o_iovec_init(H2O_STRLIT(""));

    breaker_h2o_node_config_init(&node_config, &config->globalconf);
    node_config.hooks.on_notice = on_notice;
    if (breaker_node_create(&node_config, &config->node) != 0)
        h2o_fatal("no memory");
    define_ours(config);
    define_theirs(&config->globalconf);
    breaker__custom_handler_register_configurator(&config->globalconf);
    breaker_h2o_register_configurator(&config->globalconf, config->node);
}

/* what comes after is said as the file wants it */
static int begin_error_log(breaker__config_t *config, yoml_t *root, bool checks_only)
{
    const breaker__option_t option = {.key = "error-log", .node = yoml_get(root, "error-log")};

    if (option.node == NULL || checks_only)
        return 0;
    if (breaker__error_log_read(&option, &config->error_log) != 0)
        return -1;
    /* people read text, and what is wrong with a file that they have just written */
    if (config->error_log.format != BREAKER__LOG_AS_TEXT)
        breaker__error_log_begin(config->error_log.format, config->error_log.level);
    return 0;
}

/* root serves as nobody unless the file says otherwise, as h2o does; other directives ask for it */
static int assume_user(breaker__config_t *config, const char *path, yoml_t *root)
{
    breaker_error_t error;

    if (geteuid() != 0 || yoml_get(root, "user") != NULL)
        return 0;
    if (getpwnam("nobody") == NULL) {
        breaker_error_set(&error, BREAKER_ERR_RANGE,
                          "%s: user: missing, and there is no user `nobody` to serve as", path);
        breaker__option_tell(false, error.message);
        return -1;
    }
    config->user = h2o_strdup(NULL, H2O_STRLIT("nobody")).base;
    config->globalconf.user = config->user;
    return 0;
}

/* of all listeners, wherever the directives stand among theirs */
static void complete_listeners(breaker__config_t *config)
{
    for (size_t i = 0; i != config->listeners.size; ++i) {
        breaker__listener_t *listener = config->listeners.entries[i];
        listener->fast_open_max = config->fast_open_max;
        if (listener->certificates != NULL && config->resumption.lifetime_s != 0)
            breaker__certificates_set_resumption(listener->certificates, &config->resumption);
    }
}

static int apply(breaker__config_t *config, const char *path, yoml_t *root, bool checks_only)
{
    const breaker__option_t whole = {.node = root};
    h2o_globalconf_t *globalconf = &config->globalconf;

    if (begin_error_log(config, root, checks_only) != 0 ||
        breaker__check_keys(globalconf, root) != 0)
        return -1;
    if (yoml_get(root, "hosts") == NULL)
        return breaker__option_missing(&whole, "hosts");
    if (assume_user(config, path, root) != 0)
        return -1;
    /* nobody uploads to static files, but to an application */
    if (breaker__has_application(root))
        globalconf->max_request_entity_size = H2O_DEFAULT_MAX_REQUEST_ENTITY_SIZE;
    if (h2o_configurator_apply(globalconf, root, checks_only) != 0)
        return -1;
    if (config->listeners.size == 0)
        return breaker__option_fail(
            &whole, "the key `listen` is missing, at the top level and in every host");
    complete_listeners(config);
    breaker__paths_find(&config->paths, root);
    if (config->duration_stats)
        breaker__durations_register(globalconf);
    /* h2o's own measure: open files are kept for one turn of the loop */
    globalconf->filecache.capacity = globalconf->http2.max_concurrent_requests_per_connection * 2;
    breaker__status_tell(globalconf);
    if (breaker_h2o_cluster_config(globalconf) != NULL &&
        breaker_h2o_peers_register(globalconf, config->node) != 0)
        return breaker__option_fail(&whole, "%s", breaker_err_message(BREAKER_ERR_NO_MEMORY));
    return 0;
}

int breaker__config_load(breaker__config_t *config, const char *path, bool checks_only)
{
    breaker_error_t error = {0};
    yoml_t *root = breaker__yaml_load(path, breaker__may_repeat, &error);
    int err;

    if (root == NULL) {
        breaker__option_tell(false, error.message);
        return -1;
    }
    err = apply(config, path, root, checks_only);
    breaker__yaml_node_unref(root);
    return err;
}

void breaker__config_dispose(breaker__config_t *config)
{
    breaker__listeners_dispose(&config->listeners);
    /* libh2o leaves the proxy's context to the process */
    SSL_CTX_free(config->globalconf.proxy.ssl_ctx);
    /* its threads ask libh2o's map of media types */
    breaker_node_stop(config->node);
    h2o_config_dispose(&config->globalconf);
    breaker_node_free(config->node);
    free(config->user);
    free(config->user_name);
    free(config->pid_file);
    free(config->error_log.path);
    breaker__paths_dispose(&config->paths);
}
