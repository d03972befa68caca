/*
 * A client of peers on a string: carries out one line of stdin after the other, tells what comes of
 * it on stdout, one JSON value a line, and ends itself with a message when the client breaks its
 * promises: a callback inside a call, a second one for an ask, one that nobody asked for.
 *
 *   probe [-n CONNECTIONS] [-r RATE] [-t TIMEOUT_MS] [-m MANIFEST_MAX] [-a CA_FILE] [-c CIDR]…
 *
 * Lines, words separated by tabs: peers OWN_ADDRESS [ADDRESS RELEASE]… · keys OFFSET_MS [HEX]… ·
 * blob HEX LEN RELEASE urgent|ahead · spool HEX LEN RELEASE · cancel ASK · manifest RELEASE
 * urgent|ahead · held · known RELEASE · hurry ASK · room · fds · free.
 */
#include <assert.h>
#include <dirent.h>
#include <dlfcn.h>
#include <inttypes.h>
#include <netdb.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "peers/client.h"
#include "release/digest.h"
#include "release/spool.h"

enum { WORDS_MAX = 2 + 2 * BREAKER_PEERS_MAX, ASKS_MAX = 1 << 17, LINE_BYTES_MAX = 1 << 20 };

typedef struct st_probe_t {
    uv_loop_t loop;
    uv_pipe_t input;
    breaker__peers_t *peers;
    bool inside_call;
    bool is_open[ASKS_MAX]; /* by the number of the ask */
    breaker_spool_t *spools[ASKS_MAX];
    char line[LINE_BYTES_MAX];
    size_t line_len;
    char chunk[65536];
} probe_t;

static void broken(const char *what)
{
    fprintf(stderr, "BROKEN PROMISE: %s\n", what);
    abort();
}

/* ---- names ---- */

typedef int look_up_t(const char *, const char *, const struct addrinfo *, struct addrinfo **);

/*
 * Stands before the C library's, for libcurl as well: "two.test" is 127.0.0.2 and then 127.0.0.1,
 * as a machine has an IPv6 and an IPv4 address.
 */
__attribute__((visibility("default"))) int getaddrinfo(const char *name, const char *service,
                                                       const struct addrinfo *hints,
                                                       struct addrinfo **ret_list)
{
    look_up_t *look_up = (look_up_t *)(uintptr_t)dlsym(RTLD_NEXT, "getaddrinfo");
    struct addrinfo *last;
    int err;

    if (name == NULL || strcmp(name, "two.test") != 0)
        return look_up(name, service, hints, ret_list);
    if ((err = look_up("127.0.0.2", service, hints, ret_list)) != 0)
        return err;
    for (last = *ret_list; last->ai_next != NULL; last = last->ai_next)
        ;
    return look_up("127.0.0.1", service, hints, &last->ai_next);
}

/* ---- what is told ---- */

static void print_text(const char *base)
{
    putchar('"');
    for (const unsigned char *at = (const unsigned char *)base; *at != '\0'; ++at) {
        if (*at < 0x20 || *at > 0x7e || *at == '"' || *at == '\\')
            printf("\\u%04x", *at);
        else
            putchar(*at);
    }
    putchar('"');
}

static void end_line(void)
{
    puts("]");
    fflush(stdout);
}

static void close_ask(probe_t *probe, uint64_t ask)
{
    if (probe->inside_call)
        broken("a callback inside a call");
    if (ask >= ASKS_MAX || !probe->is_open[ask])
        broken("an answer that nobody asked for");
    probe->is_open[ask] = false;
}

static void on_manifest(void *data, uint64_t ask, const breaker_release_id_t *id, const char *text,
                        size_t len, breaker__manifest_t *manifest)
{
    close_ask(data, ask);
    assert(text != NULL);
    if (!breaker__manifest_is_of(manifest, id))
        broken("a manifest of another release");
    printf("[\"manifest\", %" PRIu64 ", \"%s\", %zu, %zu", ask, id->text, len, manifest->num_files);
    end_line();
    breaker__manifest_free(manifest);
}

static void on_blob(void *data, uint64_t ask, const uint8_t *digest, const char *base, uint64_t len)
{
    char asked[2 * BREAKER_DIGEST_LEN + 1], got[2 * BREAKER_DIGEST_LEN + 1];
    uint8_t check[BREAKER_DIGEST_LEN];
    breaker__hasher_t hasher;

    close_ask(data, ask);
    assert(base != NULL);
    if (breaker__hasher_init(&hasher) != 0 || breaker__hash(&hasher, base, len, check) != 0)
        broken("libcrypto");
    breaker__hasher_dispose(&hasher);
    breaker__digest_format(digest, asked);
    breaker__digest_format(check, got);
    if (strcmp(asked, got) != 0)
        broken("bytes of another hash");
    printf("[\"blob\", %" PRIu64 ", \"%s\", %" PRIu64, ask, asked, len);
    end_line();
}

/* what has come in a spool: its length, state and hash, which is to be right where it says so */
static void print_spool(const breaker_spool_t *spool)
{
    uint64_t len = breaker_spool_len(spool);
    char *bytes = malloc(len + 1), text[2 * BREAKER_DIGEST_LEN + 1];
    uint8_t digest[BREAKER_DIGEST_LEN];
    breaker__hasher_t hasher;

    assert(bytes != NULL);
    if (breaker_spool_read(spool, 0, bytes, len) != 0 || breaker__hasher_init(&hasher) != 0 ||
        breaker__hash(&hasher, bytes, len, digest) != 0)
        broken("what is in a spool");
    breaker__hasher_dispose(&hasher);
    breaker__digest_format(digest, text);
    printf(", \"%s\", %" PRIu64, text, len);
    free(bytes);
}

static void drop_spool(probe_t *probe, uint64_t ask)
{
    breaker__spool_unref(probe->spools[ask]);
    probe->spools[ask] = NULL;
}

static void on_spool(void *data, uint64_t ask)
{
    probe_t *probe = data;

    close_ask(probe, ask);
    if (breaker_spool_state(probe->spools[ask]) != BREAKER_SPOOL_RIGHT)
        broken("a spool that is not right");
    printf("[\"spool\", %" PRIu64, ask);
    print_spool(probe->spools[ask]);
    end_line();
    drop_spool(probe, ask);
}

static void on_held(void *data, uint64_t ask, const breaker__peers_held_t *list, size_t num)
{
    close_ask(data, ask);
    printf("[\"held\", %" PRIu64 ", {", ask);
    for (size_t i = 0; i != num; ++i)
        printf("%s\"%s\": %s", i != 0 ? ", " : "", list[i].id.text,
               list[i].is_complete ? "true" : "false");
    putchar('}');
    end_line();
}

static const char *reason_of(breaker__peers_nobody_t why)
{
    if (why == BREAKER__NOBODY_IS_AS_OLD)
        return "is as old";
    return why == BREAKER__NOBODY_HAS_IT ? "has it" : "answers";
}

static void on_nobody(void *data, uint64_t ask, breaker__peers_nobody_t why, uint64_t retry_in_ms)
{
    probe_t *probe = data;

    close_ask(probe, ask);
    printf("[\"nobody\", %" PRIu64 ", \"%s\", %" PRIu64, ask, reason_of(why), retry_in_ms);
    if (probe->spools[ask] != NULL)
        print_spool(probe->spools[ask]);
    drop_spool(probe, ask);
    end_line();
}

static void on_heard(void *data)
{
    static const char *const words[] = {
        [BREAKER__HEARD_NOT] = "not",
        [BREAKER__HEARD_PARTLY] = "partly",
        [BREAKER__HEARD_WHOLLY] = "wholly",
    };
    probe_t *probe = data;

    if (probe->inside_call)
        broken("an answer inside a call");
    printf("[\"heard\", \"%s\"", words[breaker__peers_heard(probe->peers)]);
    end_line();
}

static void on_notice(void *data, const char *line)
{
    probe_t *probe = data;

    if (probe->inside_call)
        broken("a notice inside a call");
    if (strchr(line, '\n') != NULL)
        broken("a notice that is no line");
    printf("[\"notice\", ");
    print_text(line);
    end_line();
}

/* ---- what is asked ---- */

static void told(probe_t *probe, int err, uint64_t ask)
{
    if (err != 0) {
        printf("[\"refused\", \"%s\"", breaker_err_name(err));
    } else {
        if (ask >= ASKS_MAX || probe->is_open[ask])
            broken("the number of an ask");
        probe->is_open[ask] = true;
        printf("[\"asked\", %" PRIu64, ask);
    }
    end_line();
}

static breaker_release_id_t release_of(const char *word)
{
    breaker_release_id_t id;

    if (breaker_release_id_parse(word, strlen(word), &id) != 0)
        broken("the test's release");
    return id;
}

static void read_hex(const char *word, uint8_t *dst, size_t len)
{
    assert(strlen(word) == 2 * len);
    for (size_t i = 0; i != len; ++i)
        sscanf(word + 2 * i, "%2hhx", dst + i);
}

static breaker__peers_priority_t priority_of(const char *word)
{
    return strcmp(word, "urgent") == 0 ? BREAKER__PEERS_URGENT : BREAKER__PEERS_AHEAD;
}

static void set_peers(probe_t *probe, char **words, size_t num)
{
    breaker_peer_t *list = calloc(num + 1, sizeof(*list));
    size_t num_peers = 0;

    assert(list != NULL);
    for (size_t i = 2; i + 1 < num; i += 2) {
        snprintf(list[num_peers].address, sizeof(list->address), "%s", words[i]);
        list[num_peers++].release = release_of(words[i + 1]);
    }
    breaker__peers_set(probe->peers, words[1], false, list, num_peers);
    free(list);
}

static void set_keys(probe_t *probe, char **words, size_t num)
{
    breaker__peer_keys_t keys = {.num = num - 2, .clock_offset_ms = strtoll(words[1], NULL, 10)};

    for (size_t i = 2; i != num; ++i)
        read_hex(words[i], keys.keys[i - 2], BREAKER_PEER_KEY_LEN);
    breaker__peers_set_keys(probe->peers, &keys);
}

static void ask_blob(probe_t *probe, char **words)
{
    uint8_t digest[BREAKER_DIGEST_LEN];
    breaker_release_id_t id = release_of(words[3]);
    uint64_t ask = 0;
    int err;

    read_hex(words[1], digest, sizeof(digest));
    err = breaker__peers_ask_blob(probe->peers, digest, strtoull(words[2], NULL, 10), &id,
                                  priority_of(words[4]), &ask);
    told(probe, err, ask);
}

static void ask_spool(probe_t *probe, char **words)
{
    uint64_t len = strtoull(words[2], NULL, 10), ask = 0;
    breaker_release_id_t id = release_of(words[3]);
    uint8_t digest[BREAKER_DIGEST_LEN];
    breaker_spool_t *spool;
    int fd, err;

    read_hex(words[1], digest, sizeof(digest));
    if (breaker__spool_open(NULL, &fd) != 0 || breaker__spool_create(fd, digest, len, &spool) != 0)
        broken("the test's spool");
    err = breaker__peers_ask_spool(probe->peers, digest, len, &id, spool, &ask);
    told(probe, err, ask);
    probe->spools[ask] = spool;
}

/* no callback may follow */
static void cancel(probe_t *probe, uint64_t ask)
{
    breaker__peers_cancel(probe->peers, ask);
    probe->is_open[ask] = false;
    drop_spool(probe, ask);
}

static void ask_manifest(probe_t *probe, char **words)
{
    breaker_release_id_t id = release_of(words[1]);
    uint64_t ask = 0;
    int err = breaker__peers_ask_manifest(probe->peers, &id, priority_of(words[2]), &ask);

    told(probe, err, ask);
}

static void ask_held(probe_t *probe)
{
    uint64_t ask = 0;
    int err = breaker__peers_ask_held(probe->peers, &ask);

    told(probe, err, ask);
}

static void make_known(probe_t *probe, char **words)
{
    breaker_release_id_t id = release_of(words[1]);

    breaker__peers_make_known(probe->peers, &id);
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

static void end(probe_t *probe)
{
    breaker__peers_free(probe->peers, NULL, NULL);
    probe->peers = NULL;
    for (size_t i = 0; i != ASKS_MAX; ++i)
        drop_spool(probe, i);
    uv_close((uv_handle_t *)&probe->input, NULL);
}

static size_t split(char *line, char **words)
{
    size_t num = 0;

    for (char *word = line, *tab; word != NULL && num != WORDS_MAX; word = tab) {
        if ((tab = strchr(word, '\t')) != NULL)
            *tab++ = '\0';
        words[num++] = word;
    }
    return num;
}

static void carry_out(probe_t *probe, char *line)
{
    char *words[WORDS_MAX];
    size_t num = split(line, words);

    probe->inside_call = true;
    if (strcmp(words[0], "peers") == 0)
        set_peers(probe, words, num);
    else if (strcmp(words[0], "keys") == 0)
        set_keys(probe, words, num);
    else if (strcmp(words[0], "blob") == 0)
        ask_blob(probe, words);
    else if (strcmp(words[0], "spool") == 0)
        ask_spool(probe, words);
    else if (strcmp(words[0], "cancel") == 0)
        cancel(probe, strtoull(words[1], NULL, 10));
    else if (strcmp(words[0], "manifest") == 0)
        ask_manifest(probe, words);
    else if (strcmp(words[0], "held") == 0)
        ask_held(probe);
    else if (strcmp(words[0], "known") == 0)
        make_known(probe, words);
    else if (strcmp(words[0], "hurry") == 0)
        breaker__peers_hurry(probe->peers, strtoull(words[1], NULL, 10));
    else if (strcmp(words[0], "room") == 0)
        printf("[\"room\", %zu]\n", breaker__peers_room(probe->peers));
    else if (strcmp(words[0], "fds") == 0)
        print_fds();
    else if (strcmp(words[0], "free") == 0)
        end(probe);
    else
        broken(words[0]);
    fflush(stdout);
    probe->inside_call = false;
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

    if (nread < 0 && probe->peers != NULL)
        end(probe);
    for (ssize_t i = 0; i < nread && probe->peers != NULL; ++i) {
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

static void read_options(int argc, char **argv, breaker__peers_config_t *config, const char **cidrs)
{
    int option;

    *config = (breaker__peers_config_t){.cidrs = cidrs};
    while ((option = getopt(argc, argv, "n:r:t:m:a:c:")) != -1) {
        if (option == 'n')
            config->connections = (unsigned)atoi(optarg);
        else if (option == 'r')
            config->rate = strtoull(optarg, NULL, 10);
        else if (option == 't')
            config->timeout_ms = (uint32_t)atoi(optarg);
        else if (option == 'm')
            config->manifest_max = strtoull(optarg, NULL, 10);
        else if (option == 'a')
            config->ca_file = optarg;
        else if (option == 'c' && config->num_cidrs <= BREAKER__CIDRS_MAX)
            cidrs[config->num_cidrs++] = optarg;
        else
            exit(2);
    }
}

int main(int argc, char **argv)
{
    const char *cidrs[BREAKER__CIDRS_MAX + 1];
    probe_t *probe = calloc(1, sizeof(*probe));
    breaker__peers_callbacks_t callbacks = {probe,   on_manifest, on_blob,  on_spool,
                                            on_held, on_nobody,   on_heard, on_notice};
    breaker__peers_config_t config;
    breaker_error_t error;

    assert(probe != NULL);
    signal(SIGPIPE, SIG_IGN);
    read_options(argc, argv, &config, cidrs);
    uv_loop_init(&probe->loop);
    if (breaker__peers_create(&probe->loop, &config, &callbacks, &probe->peers, &error) != 0) {
        printf("[\"refused\", ");
        print_text(error.message);
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
    free(probe);
    return 0;
}
