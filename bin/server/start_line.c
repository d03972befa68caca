/*
 * The line of the log that says what is served: where, under which tokens, which release, and after
 * how long. People and scripts find the port of `listen: 0` in it. It is one line however much
 * there is to say, and ends where its room ends.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <breaker/h2o.h>
#include "server/loop.h"
#include "server/start_line.h"

typedef struct st_line_t {
    size_t len;
    char text[2048];
} line_t;

__attribute__((format(printf, 2, 3))) static void add(line_t *line, const char *format, ...)
{
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(line->text + line->len, sizeof(line->text) - line->len, format, args);
    va_end(args);
    if (len > 0)
        line->len += (size_t)len;
    if (line->len >= sizeof(line->text))
        line->len = sizeof(line->text) - 1;
}

static void add_listeners(line_t *line, const breaker__listeners_t *listeners)
{
    for (size_t i = 0; i != listeners->size; ++i)
        add(line, "%s%s%s", i == 0 ? " on " : ", ", listeners->entries[i]->name,
            listeners->entries[i]->certificates != NULL ? " (TLS)" : "");
}

/* views that share a token are named once */
static void add_tokens(line_t *line, const breaker_snapshot_t *snapshot)
{
    const breaker_token_t *last = NULL;

    for (size_t i = 0; i != snapshot->num_views; ++i) {
        const breaker_token_t *token = &snapshot->views[i].token;
        if (last == NULL || !breaker_token_equal(last, token))
            add(line, "%s%s", last == NULL ? "; token " : ", ", token->text);
        last = token;
    }
}

static void add_release(line_t *line, const breaker_release_t *release, size_t num_views)
{
    breaker_release_id_t shown = breaker_release_id_shorten(breaker_release_id(release));
    size_t num_files = 0;

    for (size_t i = 0; i != num_views; ++i)
        num_files += breaker_store_size(breaker_release_store(release, i));
    add(line, "; release %s of %zu files", shown.text, num_files);
}

static void add_snapshot(line_t *line, breaker_node_t *node)
{
    breaker_snapshot_t *current = NULL;

    breaker_publisher_refresh(breaker_node_publisher(node), &current);
    if (current != NULL && current->num_views != 0) {
        add_tokens(line, current);
        add_release(line, current->release, current->num_views);
    }
    breaker_snapshot_unref(current);
}

void breaker__start_line_log(const breaker__config_t *config, int64_t taken_ms)
{
    line_t line = {0};

    add(&line, "h2o-breaker %s (%s), %zu threads", BREAKER_BIN_VERSION, breaker__loop_flavour(),
        config->num_threads);
    add_listeners(&line, &config->listeners);
    add_snapshot(&line, config->node);
    add(&line, "; ready in %" PRId64 " ms", taken_ms);
    fprintf(stderr, "%s\n", line.text);
}
