/*
 * A node: what one server process is configured with, and the one place where it becomes what the
 * threads see. Configuring is done by one thread; loading publishes the first snapshot; after that
 * nothing here changes but the encodings that the background thread adds. Memory in which a failure
 * could leave half a node is taken before anything is changed.
 */
#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <breaker/node.h>

struct st_breaker_node_t {
    breaker_token_t minted;
    /* what views that are added now get */
    breaker_token_t token;
    breaker_release_id_t release_id;
    breaker_release_hooks_t hooks;
    breaker_view_t *views[BREAKER_VIEWS_MAX]; /* owned */
    breaker_token_t tokens[BREAKER_VIEWS_MAX];
    size_t num_views;
    breaker_publisher_t *publisher; /* owned */
    breaker_release_t *release;     /* owned reference; NULL until loaded */

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
    if ((node = calloc(1, sizeof(*node))) == NULL)
        return BREAKER_ERR_NO_MEMORY;
    if ((err = init_members(node)) != 0) {
        free(node);
        return err;
    }
    node->minted = node->token = minted;
    if (config != NULL)
        node->hooks = config->hooks;
    atomic_init(&node->stop, false);
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
    breaker_publisher_free(node->publisher);
    breaker_release_unref(node->release);
    for (size_t i = 0; i != node->num_views; ++i)
        breaker_view_free(node->views[i]);
    pthread_cond_destroy(&node->encoded_cond);
    pthread_mutex_destroy(&node->lock);
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
    breaker_release_encode(node->release, &node->stop);
    pthread_mutex_lock(&node->lock);
    node->encoded = true;
    pthread_cond_broadcast(&node->encoded_cond);
    pthread_mutex_unlock(&node->lock);
    return NULL;
}

/* signals are the host's: none of them is to be handled on this thread */
static int start_encoder(breaker_node_t *node)
{
    sigset_t all, before;
    int err;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    err = pthread_create(&node->encoder, NULL, run_encoder, node);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err != 0)
        return BREAKER_ERR_THREAD;
    pthread_setname_np(node->encoder, "breaker-encode");
    return 0;
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

static int make_snapshot(const breaker_node_t *node, breaker_release_t *release,
                         breaker_snapshot_t **ret_snapshot)
{
    breaker_snapshot_config_t config = {
        .views = (const breaker_view_t *const *)node->views,
        .tokens = node->tokens,
        .num_views = node->num_views,
        .release = release,
    };

    return breaker_snapshot_create(&config, ret_snapshot);
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
    if ((err = make_snapshot(node, release, &snapshot)) != 0) {
        breaker_release_unref(release);
        return fail(error, err);
    }
    node->release = release;
    if ((err = start_encoder(node)) != 0) {
        node->release = NULL;
        breaker_snapshot_unref(snapshot);
        breaker_release_unref(release);
        return fail(error, err);
    }
    breaker_publisher_publish(node->publisher, snapshot);
    return 0;
}
