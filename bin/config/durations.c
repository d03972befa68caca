/*
 * `duration-stats: ON`. libh2o makes one logger for all paths and puts it into the list of each of
 * them, as often as the path has handlers. But a list owns its loggers, so that the one would be
 * freed many times, and a request be counted once for every handler. Here each path has one of its
 * own, which hands on to libh2o's; the first of them also owns it.
 */
#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <h2o.h>
#include "config/durations.h"

typedef struct st_durations_t {
    h2o_logger_t super;
    h2o_logger_t *all; /* libh2o's; owned by the first */
} durations_t;

static void on_log(h2o_logger_t *_self, h2o_req_t *req)
{
    durations_t *self = (void *)_self;

    self->all->log_access(self->all, req);
}

static void on_context_init(h2o_logger_t *_self, h2o_context_t *ctx)
{
    durations_t *self = (void *)_self;

    self->all->on_context_init(self->all, ctx);
}

static void on_context_dispose(h2o_logger_t *_self, h2o_context_t *ctx)
{
    durations_t *self = (void *)_self;
    void *measured = h2o_context_get_logger_context(ctx, self->all);

    self->all->on_context_dispose(self->all, ctx);
    /* libh2o frees what is in it */
    free(measured);
}

static void on_dispose(h2o_logger_t *_self)
{
    durations_t *self = (void *)_self;

    free(self->all);
}

/* a configuration of one path with one handler is given exactly one logger */
static h2o_logger_t *take_logger(h2o_globalconf_t *globalconf)
{
    h2o_pathconf_t path = {.handlers = {.size = 1}};
    h2o_hostconf_t host = {.paths = {.entries = &path, .size = 1}};
    h2o_hostconf_t *hosts[] = {&host, NULL};
    h2o_globalconf_t lent = {.hosts = hosts, ._num_config_slots = globalconf->_num_config_slots};
    h2o_logger_t *logger;

    h2o_duration_stats_register(&lent);
    assert(path.loggers.size == 1);
    globalconf->_num_config_slots = lent._num_config_slots;
    logger = path.loggers.entries[0];
    free(path.loggers.entries);
    return logger;
}

static void add(h2o_pathconf_t *pathconf, h2o_logger_t *all, bool is_first)
{
    durations_t *self = (void *)h2o_create_logger(pathconf, sizeof(*self));

    self->all = all;
    self->super.log_access = on_log;
    if (!is_first)
        return;
    self->super.on_context_init = on_context_init;
    self->super.on_context_dispose = on_context_dispose;
    self->super.dispose = on_dispose;
}

void breaker__durations_register(h2o_globalconf_t *globalconf)
{
    h2o_logger_t *all = take_logger(globalconf);
    bool is_first = true;

    for (size_t i = 0; globalconf->hosts[i] != NULL; ++i)
        for (size_t j = 0; j != globalconf->hosts[i]->paths.size; ++j) {
            add(globalconf->hosts[i]->paths.entries + j, all, is_first);
            is_first = false;
        }
    if (is_first)
        free(all);
}
