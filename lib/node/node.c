/*
 * A node: what one server process is configured with, and its way from there to what the threads
 * see. Configuring is done by one thread; loading publishes the first snapshot (in a cluster its
 * thread does) and ends the configuration: from then on only the loader and the mailbox change.
 * Memory in which a failure could leave half a node is taken before anything is changed.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "cluster/ledger.h"
#include "encoding/encodings.h"
#include "node/node.h"
#include "release/inventory.h"
#include "release/release.h"
#include "serving/publisher.h"
#include "view/view.h"

void breaker__node_lock(breaker_node_t *node)
{
    int err = pthread_mutex_lock(&node->lock);

    assert(err == 0);
}

void breaker__node_unlock(breaker_node_t *node)
{
    int err = pthread_mutex_unlock(&node->lock);

    assert(err == 0);
}

/* ---- making one ---- */

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int init_locks(breaker_node_t *node)
{
    int err = breaker__published_init(&node->published);

    if (err != 0)
        return err;
    if (pthread_mutex_init(&node->lock, NULL) == 0)
        return 0;
    breaker__published_dispose(&node->published);
    return BREAKER_ERR_NO_MEMORY;
}

void breaker_node_config_init(breaker_node_config_t *config)
{
    memset(config, 0, sizeof(*config));
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
    if ((err = init_locks(node)) != 0) {
        free(node);
        return err;
    }
    breaker__mailbox_init(&node->mailbox);
    breaker_holding_config_init(&node->holding_config);
    node->minted = node->token = minted;
    if (config != NULL)
        node->hooks = config->hooks;
    if ((err = breaker__blobs_create(&node->blobs)) != 0 ||
        (err = breaker__publisher_create(&node->publisher)) != 0 ||
        (err = breaker__loader_create(&node->encoding, &node->loader)) != 0 ||
        (config != NULL && (err = breaker_node_set_encoding(node, &config->encoding)) != 0)) {
        breaker_node_free(node);
        return err;
    }
    if (config != NULL)
        breaker__publisher_listen(node->publisher, config->on_change, config->change_data);
    *ret_node = node;
    return 0;
}

void breaker_node_stop(breaker_node_t *node)
{
    if (node == NULL)
        return;
    breaker__node_lock(node);
    node->is_ending = true;
    breaker__node_unlock(node);
    /* it uses the loader, whose last jobs may publish and wake it */
    breaker__holding_stop(node->holding);
    if (node->loader != NULL)
        breaker__loader_stop(node->loader);
}

static void drop_inventory(breaker_node_t *node)
{
    for (size_t i = 0; i != node->num_inventory_fds; ++i)
        close(node->inventory_fds[i]);
    node->num_inventory_fds = 0;
}

void breaker_node_free(breaker_node_t *node)
{
    if (node == NULL)
        return;
    breaker_node_stop(node);
    breaker__loader_free(node->loader);
    breaker__next_abandon(node);
    breaker__holding_free(node->holding);
    breaker__mailbox_dispose(&node->mailbox);
    breaker__publisher_free(node->publisher);
    breaker__published_dispose(&node->published);
    breaker_release_unref(node->release);
    breaker__inventory_free(node->inventory);
    drop_inventory(node);
    breaker__blobs_unref(node->blobs);
    for (size_t i = 0; i != node->num_views; ++i)
        breaker__view_free(node->views[i]);
    pthread_mutex_destroy(&node->lock);
    breaker__holding_config_dispose(&node->holding_config);
    free((void *)(uintptr_t)node->encoding.cache_directory);
    free(node->state_path);
    free(node);
}

/* ---- configuring ---- */

/* the load ends the configuration */
static bool is_loaded(const breaker_node_t *node)
{
    return node->is_loaded;
}

int breaker_node_set_token(breaker_node_t *node, const char *token, size_t len)
{
    if (is_loaded(node))
        return BREAKER_ERR_STATE;
    if (token != NULL)
        return breaker_token_parse(token, len, &node->token);
    assert(node->minted.len != 0);
    node->token = node->minted;
    return 0;
}

int breaker_node_set_label(breaker_node_t *node, const char *label, size_t len)
{
    if (is_loaded(node))
        return BREAKER_ERR_STATE;
    return breaker_token_parse(label, len, &node->label);
}

int breaker_node_set_state_path(breaker_node_t *node, const char *path)
{
    char *copy = NULL;

    if (is_loaded(node))
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

    if (is_loaded(node))
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
    assert(node->encoding.cpu_percent <= 100);
    return &node->encoding;
}

int breaker_node_set_inventory(breaker_node_t *node, const int *fds, size_t num_fds)
{
    if (is_loaded(node))
        return BREAKER_ERR_STATE;
    if (num_fds > BREAKER_INVENTORY_MAX)
        return BREAKER_ERR_RANGE;
    breaker__inventory_free(node->inventory);
    node->inventory = num_fds != 0 ? breaker__inventory_open(fds, num_fds) : NULL;
    node->keeps_inventory = true;
    return 0;
}

size_t breaker_node_take_inventory(breaker_node_t *node, int *ret_fds)
{
    size_t num = node->num_inventory_fds;

    memcpy(ret_fds, node->inventory_fds, num * sizeof(*ret_fds));
    node->num_inventory_fds = 0;
    return num;
}

/* the view that the new one is, or NULL; BREAKER_ERR_VIEW_TAKEN where its host has another one */
static int find_same(const breaker_node_t *node, const breaker_view_t *view,
                     breaker_view_t **ret_same)
{
    breaker_view_t *same = NULL;

    for (size_t i = 0; i != node->num_views; ++i) {
        breaker_view_t *other = node->views[i];
        if (strcmp(breaker_view_name(other), breaker_view_name(view)) != 0)
            continue;
        if (breaker_token_equal(node->tokens + i, &node->token) &&
            breaker__view_is_same(other, view))
            same = other;
        else if (breaker__hosts_meet(&other->hosts, &view->hosts))
            return BREAKER_ERR_VIEW_TAKEN;
    }
    *ret_same = same;
    return 0;
}

static void note_names(breaker_node_t *node, breaker_view_t *view)
{
    for (size_t i = 0; i != node->num_views; ++i)
        if (strcmp(breaker_view_name(node->views[i]), breaker_view_name(view)) == 0)
            node->views[i]->shares_name = view->shares_name = true;
}

static int keep_view(breaker_node_t *node, breaker_view_t *view)
{
    if (node->num_views == BREAKER_VIEWS_MAX)
        return BREAKER_ERR_TOO_MANY;
    assert(node->token.len != 0);
    view->index = node->num_views;
    note_names(node, view);
    node->tokens[node->num_views] = node->token;
    node->views[node->num_views++] = view;
    return 0;
}

int breaker_node_add_view(breaker_node_t *node, const breaker_view_config_t *config,
                          const breaker_view_t **ret_view)
{
    breaker_view_t *view, *same = NULL;
    int err;

    if (is_loaded(node))
        return BREAKER_ERR_STATE;
    if ((err = breaker__view_create(config, 0, &view)) != 0)
        return err;
    if ((err = find_same(node, view, &same)) == 0 && same != NULL)
        err = breaker__hosts_add(&same->hosts, view->hosts.names[0]);
    else if (err == 0)
        err = keep_view(node, view);
    if (err != 0 || same != NULL)
        breaker__view_free(view);
    if (err == 0)
        *ret_view = same != NULL ? same : view;
    return err;
}

size_t breaker_node_num_views(const breaker_node_t *node)
{
    assert(node->num_views <= BREAKER_VIEWS_MAX);
    return node->num_views;
}

const breaker_view_t *breaker_node_view(const breaker_node_t *node, size_t index)
{
    assert(index < node->num_views);
    return node->views[index];
}

const breaker_token_t *breaker__node_token(const breaker_node_t *node, size_t index)
{
    assert(index < node->num_views);
    return node->tokens + index;
}

breaker_release_t *breaker_node_release(breaker_node_t *node)
{
    breaker_release_t *release;

    breaker__node_lock(node);
    assert((node->release != NULL) == node->is_loaded);
    release = node->release != NULL ? breaker__release_ref(node->release) : NULL;
    breaker__node_unlock(node);
    return release;
}

breaker_publisher_t *breaker_node_publisher(breaker_node_t *node)
{
    return node->publisher;
}

/* ---- loading ---- */

static int load_release(breaker_node_t *node, breaker_release_t **ret_release,
                        breaker_error_t *error)
{
    breaker__release_config_t config = {
        .views = (const breaker_view_t *const *)node->views,
        .num_views = node->num_views,
        .label = node->label,
        .hooks = node->hooks,
        .blobs = node->blobs,
    };
    breaker__loaded_t loaded = {.records = NULL};
    const breaker__load_t load = {
        .suspects = breaker__loader_suspects(node->loader),
        .inventory = node->inventory,
        .loaded = node->keeps_inventory ? &loaded : NULL,
    };
    int err;

    assert(!node->is_loaded);
    drop_inventory(node);
    if (node->keeps_inventory)
        breaker__loaded_begin(&loaded);
    err = breaker__release_load(&config, &load, ret_release, error);
    breaker__inventory_free(node->inventory);
    node->inventory = NULL;
    if (err == 0 && node->keeps_inventory)
        node->num_inventory_fds = breaker__loaded_write(&loaded, node->inventory_fds);
    breaker__loaded_dispose(&loaded);
    if (err == 0)
        breaker__release_expect_encodings(*ret_release, &node->encoding, NULL);
    return err;
}

static bool is_minted(const breaker_node_t *node, size_t index)
{
    assert(index < node->num_views);
    return breaker_token_equal(node->tokens + index, &node->minted);
}

/* nothing for a node of a cluster, which has no token yet */
static int prepare_first(breaker_node_t *node, breaker_release_t *release)
{
    breaker__issue_t issue = {.release = release};

    assert(!node->is_loaded);
    if (breaker__mailbox_is_open(&node->mailbox))
        return 0;
    breaker__alone_begin(node, breaker_release_id(release));
    memcpy(issue.tokens, node->tokens, sizeof(issue.tokens));
    issue.has_ledger = node->state_path != NULL || node->holding != NULL;
    issue.ledger = node->alone.memory;
    return breaker__published_prepare(node, &issue);
}

static int fail(breaker_error_t *error, int err)
{
    assert(err != 0);
    return breaker_error_set(error, err, "%s", breaker_err_message(err));
}

/* the threads that a loaded node has: both or none */
static int start_threads(breaker_node_t *node, breaker_error_t *error)
{
    if (node->holding != NULL && breaker__holding_start(node->holding, error) != 0)
        return BREAKER_ERR_THREAD;
    return breaker__loader_start(node->loader, error);
}

static void cancel_first(breaker_node_t *node, breaker_release_t *release)
{
    if (!breaker__mailbox_is_open(&node->mailbox))
        breaker__published_cancel(node);
    breaker__holding_stop(node->holding);
    breaker__holding_free(node->holding);
    node->holding = NULL;
    breaker_release_unref(release);
}

static void serve_first(breaker_node_t *node, breaker_release_t *release)
{
    breaker__node_lock(node);
    assert(node->release == NULL);
    assert(node->next == NULL);
    node->release = release;
    node->is_loaded = true;
    breaker__node_unlock(node);
    breaker__loader_encode(node->loader, release);
}

/* the archive is written to when there is time, and a token that is handed out must not be lost */
static int remember_in_archive(breaker_node_t *node)
{
    const char *archive = node->holding_config.archive;

    if (node->state_path != NULL || archive == NULL || breaker__mailbox_is_open(&node->mailbox))
        return 0;
    if (asprintf(&node->state_path, "%s/%s", archive, BREAKER_ARCHIVE_STATE) != -1)
        return 0;
    node->state_path = NULL;
    return BREAKER_ERR_NO_MEMORY;
}

int breaker_node_load(breaker_node_t *node, breaker_error_t *error)
{
    breaker_release_t *release;
    int err;

    if (is_loaded(node))
        return fail(error, BREAKER_ERR_STATE);
    if ((err = load_release(node, &release, error)) != 0)
        return err;
    if ((breaker__node_holds(node) && node->holding == NULL &&
         ((err = breaker__holding_create(node, &node->holding)) != 0 ||
          (err = remember_in_archive(node)) != 0)) ||
        (err = prepare_first(node, release)) != 0) {
        breaker_release_unref(release);
        return fail(error, err);
    }
    if ((err = start_threads(node, error)) != 0) {
        cancel_first(node, release);
        return err;
    }
    serve_first(node, release);
    if (!breaker__mailbox_is_open(&node->mailbox))
        breaker__published_commit(node);
    else if (node->holding != NULL)
        breaker__holding_on_published(node->holding);
    return 0;
}

void breaker_node_wait_encoded(breaker_node_t *node)
{
    assert(is_loaded(node));
    breaker__loader_wait_encoded(node->loader);
}

/* ---- in a cluster ---- */

int breaker_node_join(breaker_node_t *node)
{
    if (is_loaded(node))
        return BREAKER_ERR_STATE;
    assert(node->release == NULL);
    return breaker__mailbox_open(&node->mailbox);
}

bool breaker_node_is_joined(const breaker_node_t *node)
{
    return breaker__mailbox_is_open(&node->mailbox);
}

int breaker_node_minted(const breaker_node_t *node, breaker_ledger_entry_t *ret_entry)
{
    size_t at = 0;

    while (at != node->num_views && !is_minted(node, at))
        ++at;
    if (!node->is_loaded || breaker_node_is_joined(node) || at == node->num_views)
        return BREAKER_ERR_STATE;
    *ret_entry = (breaker_ledger_entry_t){.order = strtoull(node->minted.text, NULL, 10),
                                          .token = node->minted,
                                          .release = *breaker_release_id(node->release)};
    return 0;
}

int breaker_node_set_minted(breaker_node_t *node, const breaker_ledger_entry_t *entry)
{
    if (node->is_loaded)
        return BREAKER_ERR_STATE;
    if (entry->order == 0 || entry->order >= BREAKER__ORDER_END || entry->token.len == 0)
        return BREAKER_ERR_RANGE;
    node->before = *entry;
    return 0;
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
    assert(!breaker_token_equal(ret_token, &node->minted));
    return 0;
}

/* what may be published now: what is served, or what is to be served next */
static bool is_publishable(breaker_node_t *node, const breaker_release_t *release)
{
    bool is_known;

    breaker__node_lock(node);
    assert(node->next == NULL || node->next->node == node);
    is_known = release == node->release || (node->next != NULL && release == node->next->release);
    breaker__node_unlock(node);
    return is_known;
}

int breaker_node_publish(breaker_node_t *node, breaker_release_t *release,
                         const breaker_token_t *token, const breaker_ledger_t *ledger,
                         bool older_alive)
{
    breaker__issue_t issue = {
        .release = release, .has_ledger = ledger != NULL, .older_alive = older_alive};
    int err;

    assert(breaker__mailbox_is_open(&node->mailbox));
    assert(token->len != 0);
    if (!is_publishable(node, release))
        return BREAKER_ERR_STATE;
    for (size_t i = 0; i != node->num_views; ++i)
        issue.tokens[i] = *token;
    if (ledger != NULL)
        issue.ledger = *ledger;
    if ((err = breaker__published_prepare(node, &issue)) != 0)
        return err;
    breaker__published_commit(node);
    breaker__next_published(node, release);
    return 0;
}
