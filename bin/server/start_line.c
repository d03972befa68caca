/*
 * The event that says what is served: where, under which tokens, which release, and after how long.
 * People and scripts find the port of `listen: 0` in it. Lists end where their room ends.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <breaker/h2o.h>
#include "logs/error_log.h"
#include "net/loop.h"
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
        add(line, "%s%s%s", i == 0 ? "" : ", ", listeners->entries[i]->name,
            listeners->entries[i]->certificates != NULL ? " (TLS)" : "");
}

/* views that share a token are named once */
static void add_tokens(line_t *line, const breaker_snapshot_t *snapshot)
{
    const breaker_token_t *last = NULL;

    for (size_t i = 0; i != snapshot->num_views; ++i) {
        const breaker_token_t *token = &snapshot->views[i].token;
        if (last == NULL || !breaker_token_equal(last, token))
            add(line, "%s%s", last == NULL ? "" : ", ", token->text);
        last = token;
    }
}

static size_t count_files(const breaker_release_t *release, size_t num_views)
{
    size_t num_files = 0;

    for (size_t i = 0; i != num_views; ++i)
        num_files += breaker_store_size(breaker_release_store(release, i));
    return num_files;
}

/* with a release where there is one; what is not there has no field */
static void say(const breaker__config_t *config, const breaker_snapshot_t *snapshot,
                int64_t taken_ms)
{
    line_t listeners = {0}, tokens = {0};
    breaker_release_id_t shown = {.len = 0};
    breaker_log_field_t fields[8];
    size_t num = 0;

    add_listeners(&listeners, &config->listeners);
    fields[num++] = breaker_log_number("worker", (uint64_t)getpid());
    fields[num++] = breaker_log_word("version", BREAKER_BIN_VERSION);
    fields[num++] = breaker_log_word("flavour", breaker__loop_flavour());
    fields[num++] = breaker_log_number("threads", config->num_threads);
    fields[num++] = breaker_log_text("listeners", listeners.text);
    if (snapshot != NULL && snapshot->num_views != 0) {
        add_tokens(&tokens, snapshot);
        shown = breaker_release_id_shorten(breaker_release_id(snapshot->release));
        fields[num++] = breaker_log_word("token", tokens.text);
        fields[num++] = breaker_log_word("release", shown.text);
    }
    fields[num++] = breaker_log_span("ready-after", (uint64_t)taken_ms);
    assert(num <= sizeof(fields) / sizeof(fields[0]));
    breaker__error_log_say(&(const breaker_log_event_t){.level = BREAKER_LOG_INFO,
                                                        .kind = BREAKER_LOG_EVENT,
                                                        .name = "serving",
                                                        .fields = fields,
                                                        .num_fields = num});
}

void breaker__start_line_log(const breaker__config_t *config, int64_t taken_ms)
{
    breaker_snapshot_t *current = NULL;

    breaker_publisher_refresh(breaker_node_publisher(config->node), &current);
    say(config, current, taken_ms);
    breaker_snapshot_unref(current);
}

void breaker__start_line_log_release(breaker_node_t *node, int64_t taken_ms)
{
    breaker_release_t *release = breaker_node_release(node);
    breaker_release_id_t shown = breaker_release_id_shorten(breaker_release_id(release));

    breaker__error_log_say(&(const breaker_log_event_t){
        .level = BREAKER_LOG_INFO,
        .component = "node",
        .kind = BREAKER_LOG_EVENT,
        .name = "loaded",
        .fields =
            (const breaker_log_field_t[]){
                breaker_log_word("release", shown.text),
                breaker_log_number("files", count_files(release, breaker_node_num_views(node))),
                breaker_log_span("took", (uint64_t)taken_ms)},
        .num_fields = 3});
    breaker_release_unref(release);
}
