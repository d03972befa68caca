/*
 * `access-log`, with what h2o lets it say and mean: a log at a level is for all paths below it, and
 * several at a level, or at several, are all written. It goes ahead of libh2o's own directive of
 * the name, whoever registers that. A format is looked at when the file is only checked, too.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <option.h>
#include "config/configurator.h"
#include "log/access_log.h"

/* the logs of one level */
typedef struct st_level_t {
    size_t num, max;
    breaker_h2o_access_log_t **logs; /* owned, with a reference each */
} level_t;

typedef struct st_log_configurator_t {
    h2o_configurator_t super;
    level_t *level, stack[H2O_CONFIGURATOR_NUM_LEVELS + 1];
    /* all that there are; in no level, for whoever flushes them */
    level_t all;
} log_configurator_t;

/* what the value of the directive says */
typedef struct st_said_t {
    const char *path, *format;
    const yoml_t *format_node;
    size_t escape;
} said_t;

/* ---- levels ---- */

static void add(level_t *level, breaker_h2o_access_log_t *log)
{
    if (level->num == level->max) {
        level->max = level->max * 2 + 4;
        level->logs = h2o_mem_realloc(level->logs, level->max * sizeof(level->logs[0]));
    }
    breaker__access_log_ref(log);
    level->logs[level->num++] = log;
}

static void clear(level_t *level)
{
    for (size_t i = 0; i != level->num; ++i)
        breaker_h2o_access_log_close(level->logs[i]);
    free(level->logs);
    *level = (level_t){0, 0, NULL};
}

static int on_enter(h2o_configurator_t *_self, h2o_configurator_context_t *ctx, yoml_t *node)
{
    log_configurator_t *self = (void *)_self;
    level_t *outer = self->level++;
    (void)ctx, (void)node;

    assert(self->level < self->stack + H2O_CONFIGURATOR_NUM_LEVELS + 1);
    *self->level = (level_t){0, 0, NULL};
    for (size_t i = 0; i != outer->num; ++i)
        add(self->level, outer->logs[i]);
    return 0;
}

static int on_exit_level(h2o_configurator_t *_self, h2o_configurator_context_t *ctx, yoml_t *node)
{
    log_configurator_t *self = (void *)_self;
    (void)node;

    for (size_t i = 0; ctx->pathconf != NULL && i != self->level->num; ++i)
        breaker_h2o_access_log_register(ctx->pathconf, self->level->logs[i]);
    clear(self->level--);
    return 0;
}

/* a configuration that failed leaves levels open; libh2o calls it twice */
static int on_dispose(h2o_configurator_t *_self)
{
    log_configurator_t *self = (void *)_self;

    while (self->level != self->stack)
        clear(self->level--);
    clear(&self->all);
    return 0;
}

/* ---- the directive ---- */

static const char keys[] = "path, format, escape";

static int read_entry(const breaker__option_t *entry, void *data)
{
    static const char *const escapes[] = {"apache", "json"};
    said_t *said = data;

    if (strcmp(entry->key, "path") == 0)
        return breaker__option_text(entry, &said->path);
    if (strcmp(entry->key, "format") == 0) {
        said->format_node = entry->node;
        return breaker__option_text(entry, &said->format);
    }
    if (strcmp(entry->key, "escape") == 0)
        return breaker__option_choice(entry, escapes, 2, &said->escape);
    return breaker__option_unknown(entry, keys);
}

static int read_value(const breaker__option_t *option, said_t *said)
{
    if (option->node->type == YOML_TYPE_SCALAR)
        return breaker__option_text(option, &said->path);
    if (option->node->type != YOML_TYPE_MAPPING)
        return breaker__option_refuse(option, "a path, \"|command\", or a mapping of path, format "
                                              "and escape");
    if (breaker__option_each(option, keys, read_entry, said) != 0)
        return -1;
    return said->path != NULL ? 0 : breaker__option_missing(option, "path");
}

static int escape_of(const said_t *said)
{
    return said->escape == 0 ? H2O_LOGCONF_ESCAPE_APACHE : H2O_LOGCONF_ESCAPE_JSON;
}

static int refuse_format(const breaker__option_t *option, const said_t *said,
                         const breaker_error_t *error)
{
    const breaker__option_t format = {
        .directive = option->key, .key = "format", .node = said->format_node};

    return breaker__option_fail(&format, "got `%s`; accepted: a format of h2o's access-log; %s",
                                said->format, error->message);
}

static int check_format(const breaker__option_t *option, const said_t *said)
{
    breaker_error_t error = {0};
    breaker__format_t *format = breaker__format_create(said->format, escape_of(said), &error);

    breaker__format_free(format);
    return format != NULL ? 0 : refuse_format(option, said, &error);
}

static int open_log(const breaker__option_t *option, const said_t *said, log_configurator_t *self)
{
    breaker_h2o_access_log_t *log;
    breaker_error_t error = {0};

    if (breaker_h2o_access_log_open(said->path, said->format, escape_of(said), &log, &error) != 0)
        return breaker__option_fail(option, "%s", error.message);
    add(self->level, log);
    add(&self->all, log);
    breaker_h2o_access_log_close(log);
    return 0;
}

static int on_config(h2o_configurator_command_t *cmd, h2o_configurator_context_t *ctx, yoml_t *node)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    said_t said = {.path = NULL};

    if (read_value(&option, &said) != 0 || check_format(&option, &said) != 0)
        return -1;
    return ctx->dry_run ? 0 : open_log(&option, &said, (log_configurator_t *)cmd->configurator);
}

/* ---- the configurator ---- */

/* also those within custom handlers, which are no paths of a host */
static void flush_configured(h2o_globalconf_t *globalconf)
{
    h2o_linklist_t *anchor = &globalconf->configurators;

    for (h2o_linklist_t *link = anchor->next; link != anchor; link = link->next) {
        h2o_configurator_t *each = H2O_STRUCT_FROM_MEMBER(h2o_configurator_t, _link, link);
        log_configurator_t *self = (void *)each;
        if (each->enter != on_enter)
            continue;
        for (size_t i = 0; i != self->all.num; ++i)
            breaker__access_log_flush(self->all.logs[i]);
    }
}

void breaker_h2o_flush_logs(h2o_globalconf_t *globalconf)
{
    flush_configured(globalconf);
    for (size_t i = 0; globalconf->hosts[i] != NULL; ++i) {
        const h2o_hostconf_t *host = globalconf->hosts[i];
        for (size_t j = 0; j != host->paths.size; ++j)
            breaker__access_log_flush_path(host->paths.entries + j);
        breaker__access_log_flush_path(&host->fallback_path);
    }
}

void breaker__access_log_register_configurator(h2o_globalconf_t *globalconf)
{
    log_configurator_t *self = (void *)h2o_configurator_create(globalconf, sizeof(*self));

    self->super.enter = on_enter;
    self->super.exit = on_exit_level;
    self->super.dispose = on_dispose;
    self->level = self->stack;
    h2o_configurator_define_command(&self->super, "access-log", H2O_CONFIGURATOR_FLAG_ALL_LEVELS,
                                    on_config);
    /* libh2o takes the first of a name */
    h2o_linklist_unlink(&self->super._link);
    h2o_linklist_insert(globalconf->configurators.next, &self->super._link);
}
