/* One command to a server; see admin.h. A link that is asked once and freed by its answer. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "admin.h"

enum { WORDS_MAX = 8, WORD_SIZE = 256, PATIENCE_MS = 60000 };

typedef struct st_admin_t {
    breaker_redis_t *redis; /* owned */
    admin_reply_cb on_reply;
    void *data;
    size_t argc;
    char words[WORDS_MAX][WORD_SIZE];
} admin_t;

static void finish(admin_t *admin, const breaker_reply_t *reply)
{
    admin->on_reply(admin->data, reply);
    breaker_redis_free(admin->redis);
    free(admin);
}

static void on_up(void *data)
{
    admin_t *admin = data;
    const char *argv[WORDS_MAX];
    size_t lens[WORDS_MAX];

    for (size_t i = 0; i != admin->argc; ++i) {
        argv[i] = admin->words[i];
        lens[i] = strlen(argv[i]);
    }
    breaker_redis_command(admin->redis, admin->argc, argv, lens);
}

static void on_reply(void *data, const breaker_reply_t *reply)
{
    finish(data, reply);
}

static void on_down(void *data, const char *reason)
{
    (void)reason;
    finish(data, NULL);
}

void admin_ask(uv_loop_t *loop, int port, size_t argc, const char *const *argv,
               admin_reply_cb callback, void *data)
{
    char url[64];
    const char *urls[] = {url};
    breaker_redis_config_t config;
    breaker_error_t error = {0};
    admin_t *admin = calloc(1, sizeof(*admin));

    if (admin == NULL)
        abort();
    admin->on_reply = callback;
    admin->data = data;
    admin->argc = argc;
    assert(argc <= WORDS_MAX);
    for (size_t i = 0; i != argc; ++i) {
        assert(strlen(argv[i]) < WORD_SIZE);
        strcpy(admin->words[i], argv[i]);
    }
    snprintf(url, sizeof(url), "redis://127.0.0.1:%d", port);
    breaker_redis_config_init(&config);
    config.urls = urls;
    config.num_urls = 1;
    config.connect_timeout_ms = config.reply_timeout_ms = PATIENCE_MS;
    if (breaker_redis_create(loop, &config,
                             &(breaker_redis_callbacks_t){admin, on_up, on_down, on_reply, NULL},
                             &admin->redis, &error) != 0) {
        fprintf(stderr, "%s\n", error.message);
        exit(2);
    }
    breaker_redis_dial(admin->redis);
}
