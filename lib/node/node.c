/*
 * A node: what one server process is configured with, and the one place where it becomes what the
 * threads see. Configuring is done by one thread; loading publishes the first snapshot (in a
 * cluster its thread does); after that nothing here changes but the encodings that the background
 * thread adds, and the few atomics through which the server's threads and the cluster's talk.
 * Memory in which a failure could leave half a node is taken before anything is changed.
 */
#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <breaker/node.h>
#include <breaker/state.h>
#include "encoding/encodings.h"
#include "thread.h"

struct st_breaker_node_t {
    breaker_token_t minted;
    /* what views that are added now get */
    breaker_token_t token;
    breaker_release_id_t release_id;
    breaker_release_hooks_t hooks;
    breaker_encoding_config_t encoding;       /* its directory is owned */
    breaker_view_t *views[BREAKER_VIEWS_MAX]; /* owned */
    breaker_token_t tokens[BREAKER_VIEWS_MAX];
    size_t num_views;
    breaker_publisher_t *publisher; /* owned */
    breaker_release_t *release;     /* owned reference; NULL until loaded */

    char *state_path; /* owned, or NULL */
    int wanted_fd;    /* owned: an eventfd, or -1 on a node by itself */
    /* by the cluster's thread, for the server's threads */
    _Atomic uint64_t answered_ms;
    atomic_bool reachable;
    /* by the server's threads; on a line of its own, because they all write to it */
    _Alignas(64) atomic_bool wanted;
    atomic_size_t num_parked;

    pthread_t encoder; /* runs from the load until the node is freed */
    atomic_bool stop;
    pthread_mutex_t lock; /* of `encoded` */
    pthread_cond_t encoded_cond;
    bool encoded;
};

/* ---- making one ---- */

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int init_members(breaker_node_t *node)
{
    int err;

    if ((err = breaker_publisher_create(&node->publisher)) != 0)
        return err;
    if (pthread_mutex_init(&node->lock, NULL) != 0)
        goto NoLock;
    if (pthread_cond_init(&node->encoded_cond, NULL) != 0)
        goto NoCond;
    return 0;

NoCond:
    pthread_mutex_destroy(&node->lock);
NoLock:
    breaker_publisher_free(node->publisher);
    return BREAKER_ERR_NO_MEMORY;
}

int breaker_node_create(const breaker_node_config_t *config, breaker_node_t **ret_node)
{
    breaker_token_t minted;
    breaker_node_t *node;
    int err;

    err = breaker_token_mint(config != NULL && config->now_ms != 0 ? config->now_ms : now_ms(),
                             &minted);
    if (err != 0)
        return err;
    if ((node = aligned_alloc(_Alignof(breaker_node_t), sizeof(*node))) == NULL)
        return BREAKER_ERR_NO_MEMORY;
    memset(node, 0, sizeof(*node));
    if ((err = init_members(node)) != 0) {
        free(node);
        return err;
    }
    node->minted = node->token = minted;
    node->wanted_fd = -1;
    atomic_init(&node->stop, false);
    atomic_init(&node->answered_ms, 0);
    atomic_init(&node->reachable, false);
    atomic_init(&node->wanted, false);
    atomic_init(&node->num_parked, 0);
    if (config != NULL) {
        node->hooks = config->hooks;
        if ((err = breaker_node_set_encoding(node, &config->encoding)) != 0) {
            breaker_node_free(node);
            return err;
        }
    }
    *ret_node = node;
    return 0;
}

static void stop_encoder(breaker_node_t *node)
{
    int err;

    atomic_store_explicit(&node->stop, true, memory_order_relaxed);
    err = pthread_join(node->encoder, NULL);
    assert(err == 0);
}

void breaker_node_free(breaker_node_t *node)
{
    if (node == NULL)
        return;
    if (node->release != NULL)
        stop_encoder(node);
    assert(atomic_load(&node->num_parked) == 0);
    if (node->wanted_fd != -1)
        close(node->wanted_fd);
    breaker_publisher_free(node->publisher);
    breaker_release_unref(node->release);
    for (size_t i = 0; i != node->num_views; ++i)
        breaker_view_free(node->views[i]);
    pthread_cond_destroy(&node->encoded_cond);
    pthread_mutex_destroy(&node->lock);
    free((void *)(uintptr_t)node->encoding.cache_directory);
    free(node->state_path);
    free(node);
}

/* ---- configuring ---- */

int breaker_node_set_token(breaker_node_t *node, const char *token, size_t len)
{
    if (node->release != NULL)
        return BREAKER_ERR_STATE;
    if (token != NULL)
        return breaker_token_parse(token, len, &node->token);
    node->token = node->minted;
    return 0;
}

int breaker_node_set_release_id(breaker_node_t *node, const char *id, size_t len)
{
    if (node->release != NULL)
        return BREAKER_ERR_STATE;
    return breaker_token_parse(id, len, &node->release_id);
}

int breaker_node_set_state_path(breaker_node_t *node, const char *path)
{
    char *copy = NULL;

    if (node->release != NULL)
        return BREAKER_ERR_STATE;
    if (path != NULL && (copy = strdup(path)) == NULL)
        return BREAKER_ERR_NO_MEMORY;
    free(node->state_path);
    node->state_path = copy;
    return 0;
}

int breaker_node_set_encoding(breaker_node_t *node, const breaker_encoding_config_t *config)
{
    char *directory = NULL, *before;

    if (node->release != NULL)
        return BREAKER_ERR_STATE;
    if (config->cpu_percent > 100)
        return BREAKER_ERR_RANGE;
    if (config->cache_directory != NULL && (directory = strdup(config->cache_directory)) == NULL)
        return BREAKER_ERR_NO_MEMORY;
    before = (char *)(uintptr_t)node->encoding.cache_directory;
    node->encoding = *config;
    node->encoding.cache_directory = directory;
    free(before);
    return 0;
}

const breaker_encoding_config_t *breaker_node_encoding(const breaker_node_t *node)
{
    return &node->encoding;
}

static bool is_taken(const breaker_node_t *node, const breaker_view_t *view)
{
    for (size_t i = 0; i != node->num_views; ++i)
        if (strcmp(breaker_view_name(node->views[i]), breaker_view_name(view)) == 0)
            return true;
    return false;
}

int breaker_node_add_view(breaker_node_t *node, const breaker_view_config_t *config,
                          const breaker_view_t **ret_view)
{
    breaker_view_t *view;
    int err;

    if (node->release != NULL)
        return BREAKER_ERR_STATE;
    if (node->num_views == BREAKER_VIEWS_MAX)
        return BREAKER_ERR_TOO_MANY;
    if ((err = breaker_view_create(config, node->num_views, &view)) != 0)
        return err;
    if (is_taken(node, view)) {
        breaker_view_free(view);
        return BREAKER_ERR_VIEW_TAKEN;
    }
    node->tokens[node->num_views] = node->token;
    node->views[node->num_views++] = view;
    *ret_view = view;
    return 0;
}

size_t breaker_node_num_views(const breaker_node_t *node)
{
    return node->num_views;
}

const breaker_view_t *breaker_node_view(const breaker_node_t *node, size_t index)
{
    assert(index < node->num_views);
    return node->views[index];
}

const breaker_token_t *breaker_node_token(const breaker_node_t *node, size_t index)
{
    assert(index < node->num_views);
    return node->tokens + index;
}

breaker_release_t *breaker_node_release(const breaker_node_t *node)
{
    return node->release;
}

breaker_publisher_t *breaker_node_publisher(breaker_node_t *node)
{
    return node->publisher;
}

/* ---- the background ---- */

/* encodings are worth nothing to the request that waits for a processor */
static void lower_priority(void)
{
    struct sched_param param = {.sched_priority = 0};

    pthread_setschedparam(pthread_self(), SCHED_BATCH, &param);
    /* on Linux the nice value belongs to the thread; a refusal costs speed, nothing else */
    setpriority(PRIO_PROCESS, (id_t)gettid(), 19);
}

static void *run_encoder(void *data)
{
    breaker_node_t *node = data;

    lower_priority();
    breaker__release_encode(node->release, &node->encoding, &node->stop);
    pthread_mutex_lock(&node->lock);
    node->encoded = true;
    pthread_cond_broadcast(&node->encoded_cond);
    pthread_mutex_unlock(&node->lock);
    return NULL;
}

static int start_encoder(breaker_node_t *node, breaker_error_t *error)
{
    return breaker__thread_start("breaker-encode", run_encoder, node, &node->encoder, error);
}

void breaker_node_wait_encoded(breaker_node_t *node)
{
    assert(node->release != NULL);
    pthread_mutex_lock(&node->lock);
    while (!node->encoded)
        pthread_cond_wait(&node->encoded_cond, &node->lock);
    pthread_mutex_unlock(&node->lock);
}

/* ---- loading ---- */

static int load_release(const breaker_node_t *node, breaker_release_t **ret_release,
                        breaker_error_t *error)
{
    breaker_release_config_t config = {
        .views = (const breaker_view_t *const *)node->views,
        .num_views = node->num_views,
        .id = node->release_id,
        .hooks = node->hooks,
    };

    return breaker_release_load(&config, ret_release, error);
}

static bool is_minted(const breaker_node_t *node, size_t index)
{
    return breaker_token_equal(node->tokens + index, &node->minted);
}

static bool has_minted(const breaker_node_t *node)
{
    for (size_t i = 0; i != node->num_views; ++i)
        if (is_minted(node, i))
            return true;
    return false;
}

/* views that the operator gave no token get the one that this release had before a restart */
static void remember_token(breaker_node_t *node, const breaker_release_t *release)
{
    breaker_token_t token;
    breaker_error_t error = {0};

    if (node->state_path == NULL || node->wanted_fd != -1 || !has_minted(node))
        return;
    if (breaker_state_settle(node->state_path, breaker_release_id(release),
                             strtoull(node->minted.text, NULL, 10), &token, &error) != 0 &&
        node->hooks.on_notice != NULL)
        node->hooks.on_notice(node->hooks.data, error.message);
    for (size_t i = 0; i != node->num_views; ++i)
        if (is_minted(node, i))
            node->tokens[i] = token;
    node->minted = token;
}

/* NULL for a node of a cluster, which has no token yet */
static int make_first_snapshot(const breaker_node_t *node, breaker_release_t *release,
                               breaker_snapshot_t **ret_snapshot)
{
    breaker_snapshot_config_t config = {
        .views = (const breaker_view_t *const *)node->views,
        .tokens = node->tokens,
        .num_views = node->num_views,
        .release = release,
    };

    *ret_snapshot = NULL;
    return node->wanted_fd == -1 ? breaker_snapshot_create(&config, ret_snapshot) : 0;
}

static int fail(breaker_error_t *error, int err)
{
    return breaker_error_set(error, err, "%s", breaker_err_message(err));
}

int breaker_node_load(breaker_node_t *node, breaker_error_t *error)
{
    breaker_release_t *release;
    breaker_snapshot_t *snapshot;
    int err;

    if (node->release != NULL)
        return fail(error, BREAKER_ERR_STATE);
    if ((err = load_release(node, &release, error)) != 0)
        return err;
    remember_token(node, release);
    if ((err = make_first_snapshot(node, release, &snapshot)) != 0) {
        breaker_release_unref(release);
        return fail(error, err);
    }
    node->release = release;
    if ((err = start_encoder(node, error)) != 0) {
        node->release = NULL;
        breaker_snapshot_unref(snapshot);
        breaker_release_unref(release);
        return err;
    }
    if (snapshot != NULL)
        breaker_publisher_publish(node->publisher, snapshot);
    return 0;
}

/* ---- in a cluster ---- */

int breaker_node_join(breaker_node_t *node)
{
    if (node->release != NULL)
        return BREAKER_ERR_STATE;
    if (node->wanted_fd == -1 && (node->wanted_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) == -1)
        return BREAKER_ERR_IO;
    return 0;
}

bool breaker_node_is_joined(const breaker_node_t *node)
{
    return node->wanted_fd != -1;
}

int breaker_node_operator_token(const breaker_node_t *node, breaker_token_t *ret_token)
{
    for (size_t i = 1; i < node->num_views; ++i)
        if (!breaker_token_equal(node->tokens + i, node->tokens))
            return BREAKER_ERR_STATE;
    if (node->num_views == 0 || is_minted(node, 0))
        *ret_token = (breaker_token_t){.len = 0};
    else
        *ret_token = node->tokens[0];
    return 0;
}

int breaker_node_publish(breaker_node_t *node, const breaker_token_t *token,
                         const breaker_ledger_t *ledger, bool older_alive)
{
    breaker_token_t tokens[BREAKER_VIEWS_MAX];
    breaker_snapshot_config_t config = {
        .views = (const breaker_view_t *const *)node->views,
        .tokens = tokens,
        .num_views = node->num_views,
        .release = node->release,
        .ledger = ledger,
        .older_alive = older_alive,
    };
    breaker_snapshot_t *snapshot;
    int err;

    assert(node->release != NULL);
    assert(node->wanted_fd != -1);
    for (size_t i = 0; i != node->num_views; ++i)
        tokens[i] = *token;
    if ((err = breaker_snapshot_create(&config, &snapshot)) == 0)
        breaker_publisher_publish(node->publisher, snapshot);
    return err;
}

/* released after a publication, acquired before the publisher is asked */
void breaker_node_set_freshness(breaker_node_t *node, breaker_freshness_t freshness)
{
    atomic_store_explicit(&node->reachable, freshness.reachable, memory_order_relaxed);
    atomic_store_explicit(&node->answered_ms, freshness.answered_ms, memory_order_release);
}

breaker_freshness_t breaker_node_freshness(const breaker_node_t *node)
{
    breaker_freshness_t freshness;

    freshness.answered_ms = atomic_load_explicit(&node->answered_ms, memory_order_acquire);
    freshness.reachable = atomic_load_explicit(&node->reachable, memory_order_relaxed);
    return freshness;
}

void breaker_node_want_refresh(breaker_node_t *node)
{
    assert(node->wanted_fd != -1);
    /* one system call, however many threads want it */
    if (!atomic_exchange(&node->wanted, true))
        eventfd_write(node->wanted_fd, 1);
}

int breaker_node_wanted_fd(const breaker_node_t *node)
{
    assert(node->wanted_fd != -1);
    return node->wanted_fd;
}

void breaker_node_take_wanted(breaker_node_t *node)
{
    eventfd_t count;

    eventfd_read(node->wanted_fd, &count);
    atomic_store(&node->wanted, false);
}

bool breaker_node_reserve_place(breaker_node_t *node)
{
    size_t num = atomic_load_explicit(&node->num_parked, memory_order_relaxed);

    do {
        if (num == BREAKER_PARKED_MAX)
            return false;
    } while (!atomic_compare_exchange_weak(&node->num_parked, &num, num + 1));
    return true;
}

void breaker_node_release_place(breaker_node_t *node)
{
    size_t before = atomic_fetch_sub(&node->num_parked, 1);

    assert(before != 0);
}

size_t breaker_node_num_parked(const breaker_node_t *node)
{
    return atomic_load_explicit(&node->num_parked, memory_order_relaxed);
}
