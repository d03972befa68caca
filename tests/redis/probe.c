/*
 * A link to Redis on a string: carries out one line of stdin after the other, tells what comes of
 * it on stdout, one JSON value a line, and ends itself with a message when the link breaks its
 * promises: a callback inside the call that asks, a second one, one that nobody asked for.
 *
 *   probe [-s MASTER] [-u USER] [-p PASSWORD] [-a CA_FILE] [-c CONNECT_MS] [-r REPLY_MS]
 *         [-i SENTINEL_INTERVAL_MS] URL…
 *
 * Lines, words separated by tabs: dial · command WORD… · hang_up · free · peer · fds ·
 * inside EVENT LINE… (does that line, the last one told, inside the next callback of that event:
 * up, down, reply) · round N (N times dial, command PING, hang_up, whatever comes of them).
 *
 * BREAKER_PROBE_ADDRESSES, "127.0.0.1:7000 127.0.0.1:7001" say, is what every name is looked up as.
 */
#include <assert.h>
#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netdb.h>
#include <unistd.h>
#include <breaker/redis.h>
#include "redis/link.h"

#define WORDS_MAX 64
#define LINE_MAX_BYTES (2 * 1024 * 1024)

typedef enum en_awaited_t {
    AWAITED_NOTHING,
    AWAITED_UP,
    AWAITED_REPLY,
} awaited_t;

typedef struct st_probe_t {
    uv_loop_t loop;
    uv_pipe_t input;
    breaker_redis_t *redis;
    awaited_t awaited;
    bool up, inside_call;
    unsigned rounds;
    char *inside[3]; /* of events: up, down, reply */
    char line[LINE_MAX_BYTES];
    size_t line_len;
    char chunk[65536];
} probe_t;

enum {
    INSIDE_UP,
    INSIDE_DOWN,
    INSIDE_REPLY,
};

static void carry_out(probe_t *probe, char *line);

static void broken(const char *what)
{
    fprintf(stderr, "BROKEN PROMISE: %s\n", what);
    abort();
}

/* ---- names ---- */

int __real_uv_getaddrinfo(uv_loop_t *loop, uv_getaddrinfo_t *request, uv_getaddrinfo_cb callback,
                          const char *node, const char *service, const struct addrinfo *hints);
int __wrap_uv_getaddrinfo(uv_loop_t *loop, uv_getaddrinfo_t *request, uv_getaddrinfo_cb callback,
                          const char *node, const char *service, const struct addrinfo *hints);

static uv_getaddrinfo_cb asked_for_addresses;

/* glibc frees lists of addresses one by one, so they may be put together. */
static void on_looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    char *addresses = strdup(getenv("BREAKER_PROBE_ADDRESSES")), *rest = NULL;
    struct addrinfo *first = NULL, **last = &first;

    (void)status;
    uv_freeaddrinfo(found);
    for (char *word = strtok_r(addresses, " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest)) {
        struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
        char *colon = strchr(word, ':');
        *colon = '\0';
        if (getaddrinfo(word, colon + 1, &hints, last) != 0)
            broken("BREAKER_PROBE_ADDRESSES");
        last = &(*last)->ai_next;
    }
    free(addresses);
    asked_for_addresses(request, 0, first);
}

int __wrap_uv_getaddrinfo(uv_loop_t *loop, uv_getaddrinfo_t *request, uv_getaddrinfo_cb callback,
                          const char *node, const char *service, const struct addrinfo *hints)
{
    if (getenv("BREAKER_PROBE_ADDRESSES") == NULL)
        return __real_uv_getaddrinfo(loop, request, callback, node, service, hints);
    asked_for_addresses = callback;
    return __real_uv_getaddrinfo(loop, request, on_looked_up, "localhost", service, hints);
}

/* ---- what is told ---- */

static void print_text(const char *base, size_t len)
{
    putchar('"');
    for (size_t i = 0; i != len; ++i) {
        unsigned char c = (unsigned char)base[i];
        if (c < 0x20 || c > 0x7e || c == '"' || c == '\\')
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

static void print_array(const breaker_reply_t *reply);

static void print_reply(const breaker_reply_t *reply)
{
    switch (reply->type) {
    case BREAKER_REPLY_NIL:
        printf("null");
        return;
    case BREAKER_REPLY_INTEGER:
        printf("%" PRId64, reply->integer);
        return;
    case BREAKER_REPLY_STRING:
        print_text(reply->base, reply->len);
        return;
    case BREAKER_REPLY_STATUS:
    case BREAKER_REPLY_ERROR:
        printf("{\"%s\": ", reply->type == BREAKER_REPLY_STATUS ? "status" : "error");
        print_text(reply->base, reply->len);
        putchar('}');
        return;
    case BREAKER_REPLY_ARRAY:
        print_array(reply);
        return;
    }
    broken("a reply of no type");
}

static void print_array(const breaker_reply_t *reply)
{
    putchar('[');
    for (size_t i = 0; i != reply->num_elements; ++i) {
        if (i != 0)
            printf(", ");
        print_reply(reply->elements[i]);
    }
    putchar(']');
}

static void end_line(void)
{
    puts("]");
    fflush(stdout);
}

/* ---- promises ---- */

static void do_inside(probe_t *probe, int event)
{
    char *line = probe->inside[event];

    probe->inside[event] = NULL;
    if (line != NULL)
        carry_out(probe, line);
    free(line);
}

static void next_round(probe_t *probe)
{
    if (--probe->rounds == 0) {
        printf("[\"rounds\"");
        end_line();
    } else {
        probe->awaited = AWAITED_UP;
        probe->inside_call = true;
        breaker_redis_dial(probe->redis);
        probe->inside_call = false;
    }
}

static void on_up(void *data)
{
    static const char *const ping[] = {"PING"};
    static const size_t ping_len[] = {4};
    probe_t *probe = data;

    if (probe->inside_call || probe->awaited != AWAITED_UP || probe->up)
        broken("on_up");
    probe->awaited = AWAITED_NOTHING;
    probe->up = true;
    if (probe->rounds != 0) {
        probe->awaited = AWAITED_REPLY;
        breaker_redis_command(probe->redis, 1, ping, ping_len);
        return;
    }
    printf("[\"up\", \"%s\"", breaker_redis_peer(probe->redis));
    end_line();
    do_inside(probe, INSIDE_UP);
}

static void on_down(void *data, const char *reason)
{
    probe_t *probe = data;

    if (probe->inside_call || (probe->awaited == AWAITED_NOTHING && !probe->up))
        broken("on_down");
    if (strlen(reason) == 0 || strchr(reason, '\n') != NULL)
        broken("a reason that is no line");
    probe->awaited = AWAITED_NOTHING;
    probe->up = false;
    if (probe->rounds != 0) {
        next_round(probe);
        return;
    }
    printf("[\"down\", ");
    print_text(reason, strlen(reason));
    end_line();
    do_inside(probe, INSIDE_DOWN);
}

static void on_notice(void *data, const char *notice)
{
    probe_t *probe = data;

    if (probe->inside_call)
        broken("on_notice");
    printf("[\"notice\", ");
    print_text(notice, strlen(notice));
    end_line();
}

static void on_reply(void *data, const breaker_reply_t *reply)
{
    probe_t *probe = data;

    if (probe->inside_call || probe->awaited != AWAITED_REPLY || !probe->up)
        broken("on_reply");
    probe->awaited = AWAITED_NOTHING;
    if (probe->rounds != 0) {
        breaker__redis_hang_up(probe->redis);
        probe->up = false;
        next_round(probe);
        return;
    }
    printf("[\"reply\", ");
    print_reply(reply);
    end_line();
    do_inside(probe, INSIDE_REPLY);
}

/* ---- what is asked ---- */

static size_t split(char *line, const char **words, size_t *lens)
{
    size_t num = 0;

    for (char *word = line, *end; word != NULL && num != WORDS_MAX; word = end) {
        if ((end = strchr(word, '\t')) != NULL)
            *end++ = '\0';
        words[num] = word;
        lens[num++] = strlen(word);
    }
    return num;
}

static void print_fds(void)
{
    DIR *directory = opendir("/proc/self/fd");
    unsigned num = 0;

    assert(directory != NULL);
    while (readdir(directory) != NULL)
        ++num;
    closedir(directory);
    printf("[\"fds\", %u", num);
    end_line();
}

static void command(probe_t *probe, char *rest)
{
    const char *words[WORDS_MAX];
    size_t lens[WORDS_MAX], num = split(rest, words, lens);

    probe->awaited = AWAITED_REPLY;
    breaker_redis_command(probe->redis, num, words, lens);
}

/* Has `rest` done inside the next callback of the event that it begins with. */
static void put_inside(probe_t *probe, char *rest)
{
    char *line = strchr(rest, '\t');
    int event = *rest == 'u' ? INSIDE_UP : *rest == 'd' ? INSIDE_DOWN : INSIDE_REPLY;

    assert(line != NULL);
    free(probe->inside[event]);
    probe->inside[event] = strdup(line + 1);
}

static void end(probe_t *probe)
{
    breaker_redis_free(probe->redis);
    probe->redis = NULL;
    probe->awaited = AWAITED_NOTHING;
    probe->up = false;
    uv_close((uv_handle_t *)&probe->input, NULL);
}

static void carry_out_call(probe_t *probe, const char *line, char *rest)
{
    probe->inside_call = true;
    if (strcmp(line, "dial") == 0) {
        probe->awaited = AWAITED_UP;
        breaker_redis_dial(probe->redis);
    } else if (strcmp(line, "command") == 0 && !probe->up) {
        printf("[\"not up\"");
        end_line();
    } else if (strcmp(line, "command") == 0) {
        command(probe, rest);
    } else if (strcmp(line, "hang_up") == 0) {
        breaker__redis_hang_up(probe->redis);
        probe->awaited = AWAITED_NOTHING;
        probe->up = false;
    } else if (strcmp(line, "round") == 0) {
        probe->rounds = (unsigned)atoi(rest);
        probe->awaited = AWAITED_UP;
        breaker_redis_dial(probe->redis);
    } else if (strcmp(line, "free") == 0) {
        end(probe);
    } else {
        broken(line);
    }
    probe->inside_call = false;
}

static void carry_out(probe_t *probe, char *line)
{
    char *rest = strchr(line, '\t');

    if (rest != NULL)
        *rest++ = '\0';
    if (strcmp(line, "peer") == 0) {
        printf("[\"peer\", \"%s\"", breaker_redis_peer(probe->redis));
        end_line();
    } else if (strcmp(line, "fds") == 0) {
        print_fds();
    } else if (strcmp(line, "inside") == 0) {
        put_inside(probe, rest);
    } else {
        carry_out_call(probe, line, rest);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    probe_t *probe = handle->data;

    (void)suggested;
    *buf = uv_buf_init(probe->chunk, sizeof(probe->chunk));
}

static void on_input(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    probe_t *probe = stream->data;

    if (nread < 0 && probe->redis != NULL)
        end(probe);
    for (ssize_t i = 0; i < nread && probe->redis != NULL; ++i) {
        assert(probe->line_len != sizeof(probe->line));
        if (buf->base[i] != '\n') {
            probe->line[probe->line_len++] = buf->base[i];
            continue;
        }
        probe->line[probe->line_len] = '\0';
        probe->line_len = 0;
        carry_out(probe, probe->line);
    }
}

static void read_options(int argc, char **argv, breaker_redis_config_t *config)
{
    int option;

    breaker_redis_config_init(config);
    while ((option = getopt(argc, argv, "s:u:p:f:a:C:K:c:r:i:")) != -1) {
        if (option == 's')
            config->sentinel = optarg;
        else if (option == 'u')
            config->user = optarg;
        else if (option == 'p')
            config->password = optarg;
        else if (option == 'f')
            config->password_file = optarg;
        else if (option == 'a')
            config->ca_file = optarg;
        else if (option == 'C')
            config->cert_file = optarg;
        else if (option == 'K')
            config->key_file = optarg;
        else if (option == 'c')
            config->connect_timeout_ms = (uint32_t)atoi(optarg);
        else if (option == 'r')
            config->reply_timeout_ms = (uint32_t)atoi(optarg);
        else if (option == 'i')
            config->sentinel_interval_ms = (uint32_t)atoi(optarg);
        else
            exit(2);
    }
    config->urls = (const char *const *)argv + optind;
    config->num_urls = (size_t)(argc - optind);
}

int main(int argc, char **argv)
{
    probe_t *probe = calloc(1, sizeof(*probe));
    breaker_redis_callbacks_t callbacks = {probe, on_up, on_down, on_reply, on_notice};
    breaker_redis_config_t config;
    breaker_error_t error;

    assert(probe != NULL);
    signal(SIGPIPE, SIG_IGN);
    read_options(argc, argv, &config);
    uv_loop_init(&probe->loop);
    if (breaker_redis_create(&probe->loop, &config, &callbacks, &probe->redis, &error) != 0) {
        printf("[\"refused\", ");
        print_text(error.message, strlen(error.message));
        end_line();
    } else {
        uv_pipe_init(&probe->loop, &probe->input, 0);
        uv_pipe_open(&probe->input, 0);
        probe->input.data = probe;
        uv_read_start((uv_stream_t *)&probe->input, on_alloc, on_input);
    }
    uv_run(&probe->loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&probe->loop) != 0)
        broken("the loop still has handles");
    for (size_t i = 0; i != sizeof(probe->inside) / sizeof(probe->inside[0]); ++i)
        free(probe->inside[i]);
    free(probe);
    return 0;
}
