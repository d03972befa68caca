/*
 * Other files for a running node. A load is asked for on any thread and done on the loader's; what
 * it made is published with its own token, by the loader on a node by itself, by the cluster once
 * it has the token otherwise; and its callback is the last thing of it, on the loader's thread.
 * Kept always: a release is published together with a token that names it and no other; until then
 * the node serves what it served; there is one load at a time, and it ends exactly once.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "encoding/encodings.h"
#include "node/alone.h"
#include "node/next.h"
#include "node/node.h"
#include "release/release.h"

/* ---- what is asked for ---- */

static size_t texts_size(const breaker_node_t *node, const breaker_next_t *asked)
{
    size_t size = node->num_views * sizeof(const char *);

    for (size_t i = 0; asked->directories != NULL && i != node->num_views; ++i)
        size += asked->directories[i] != NULL ? strlen(asked->directories[i]) + 1 : 0;
    return size;
}

static void copy_directories(breaker__next_t *next, const breaker_next_t *asked)
{
    size_t num = next->node->num_views;
    char *at;

    next->directories = (const char **)(next + 1);
    at = (char *)(next->directories + num);
    for (size_t i = 0; i != num; ++i) {
        if (asked->directories[i] == NULL)
            continue;
        next->directories[i] = at;
        at = stpcpy(at, asked->directories[i]) + 1;
    }
    assert(at == (char *)(next + 1) + texts_size(next->node, asked));
}

static int parse(const char *text, const breaker_token_t *otherwise, breaker_token_t *ret_token)
{
    if (text != NULL)
        return breaker_token_parse(text, strlen(text), ret_token);
    *ret_token = *otherwise;
    return 0;
}

static int create(breaker_node_t *node, const breaker_next_t *asked, breaker__next_t **ret_next)
{
    static const breaker_token_t none;
    breaker__next_t *next = calloc(1, sizeof(*next) + texts_size(node, asked));
    int err;

    if (next == NULL)
        return BREAKER_ERR_NO_MEMORY;
    if ((err = parse(asked->label, &node->label, &next->label)) != 0 ||
        (err = parse(asked->token, &none, &next->token)) != 0) {
        free(next);
        return err;
    }
    next->node = node;
    next->data = asked->data;
    next->on_done = asked->on_done;
    if (asked->directories != NULL)
        copy_directories(next, asked);
    *ret_next = next;
    return 0;
}

/* ---- its end ---- */

static void finish(breaker__next_t *next)
{
    const breaker_error_t *error = next->end == BREAKER_NEXT_FAILED ? &next->error : NULL;

    assert((next->end == BREAKER_NEXT_FAILED) == (next->error.code != 0));
    breaker__node_lock(next->node);
    assert(next->node->next == next);
    assert(next->release != next->node->release);
    next->node->next = NULL;
    breaker__node_unlock(next->node);
    breaker_release_unref(next->release);
    /* last, with nothing of ours in the way: it may ask for the next load */
    if (next->on_done != NULL)
        next->on_done(next->data, next->end, error);
    free(next);
}

static void run_finish(void *data, const atomic_bool *stop)
{
    (void)stop;
    finish(data);
}

static void end(breaker__next_t *next, breaker_next_end_t how)
{
    next->end = how;
    finish(next);
}

static void fail(breaker__next_t *next, int err)
{
    assert(err != 0);
    if (next->error.code == 0)
        breaker_error_set(&next->error, err, "%s", breaker_err_message(err));
    end(next, BREAKER_NEXT_FAILED);
}

/* from another thread: the loader tells of it */
static void hand_to_loader(breaker__next_t *next)
{
    int err;

    assert(breaker__mailbox_is_open(&next->node->mailbox));
    /* from here on the loader's, which may have freed it by now */
    err = breaker__loader_run(next->node->loader, (breaker__job_t){run_finish, next});
    /* the one load of a node has one job at a time */
    assert(err == 0);
}

/* ---- the load ---- */

static int load(breaker__next_t *next, const atomic_bool *stop, breaker_release_t **ret_release)
{
    const breaker_node_t *node = next->node;
    const breaker__release_config_t config = {
        .views = (const breaker_view_t *const *)node->views,
        .num_views = node->num_views,
        .directories = next->directories,
        .label = next->label,
        .hooks = node->hooks,
        .blobs = node->blobs,
    };
    const breaker__load_t how = {.suspects = breaker__loader_suspects(node->loader), .stop = stop};
    int err;

    assert(next->release == NULL);
    if ((err = breaker__release_load(&config, &how, ret_release, &next->error)) == 0)
        breaker__release_expect_encodings(*ret_release, &node->encoding, stop);
    return err;
}

/* what is wrong with the token is known before anything changes; what is handed out is remembered
 * before anybody sees it */
static int publish_alone(breaker__next_t *next, breaker_release_t *release)
{
    breaker_node_t *node = next->node;
    breaker__issue_t issue = {.release = release, .has_ledger = true};
    breaker__proposal_t proposal;
    int err;

    assert(next->release == NULL);
    assert(!breaker__mailbox_is_open(&node->mailbox));
    if ((err = breaker__alone_propose(node, breaker_release_id(release), &next->token,
                                      &proposal)) != 0)
        return err;
    memcpy(issue.tokens, proposal.alone.tokens, sizeof(issue.tokens));
    issue.ledger = proposal.alone.memory;
    if ((err = breaker__published_prepare(node, &issue)) != 0)
        return err;
    breaker__alone_hand_out(node, &proposal);
    breaker__published_commit(node);
    return 0;
}

/* the release that is served from now on; takes over the reference */
static void serve(breaker_node_t *node, breaker_release_t *release)
{
    breaker_release_t *before;

    breaker__node_lock(node);
    before = node->release;
    node->release = release;
    breaker__node_unlock(node);
    assert(before != NULL);
    assert(before != release);
    breaker_release_unref(before);
}

static void offer(breaker__next_t *next, breaker_release_t *release)
{
    breaker_node_t *node = next->node;

    breaker__loader_encode(node->loader, release);
    breaker__node_lock(node);
    assert(next->release == NULL);
    assert(node->next == next);
    next->release = release;
    breaker__node_unlock(node);
    breaker__mailbox_knock(&node->mailbox);
}

static bool is_served(breaker_node_t *node, const breaker_release_t *release)
{
    bool is_equal;

    breaker__node_lock(node);
    assert(node->release != NULL);
    is_equal =
        breaker_release_id_equal(breaker_release_id(release), breaker_release_id(node->release));
    breaker__node_unlock(node);
    return is_equal;
}

static void run_next(void *data, const atomic_bool *stop)
{
    breaker__next_t *next = data;
    breaker_node_t *node = next->node;
    breaker_release_t *release;
    int err;

    /* only a node that serves something is given something else to serve */
    assert(node->is_loaded);
    if ((err = load(next, stop, &release)) != 0) {
        fail(next, err);
    } else if (is_served(node, release)) {
        breaker_release_unref(release);
        end(next, BREAKER_NEXT_UNCHANGED);
    } else if (breaker__mailbox_is_open(&node->mailbox)) {
        offer(next, release);
    } else if ((err = publish_alone(next, release)) != 0) {
        breaker_release_unref(release);
        fail(next, err);
    } else {
        breaker__loader_encode(node->loader, release);
        serve(node, release);
        end(next, BREAKER_NEXT_PUBLISHED);
    }
}

/* ---- from outside ---- */

void breaker_next_init(breaker_next_t *next)
{
    *next = (breaker_next_t){.directories = NULL};
}

/* takes a load in, if there is none */
static int begin(breaker_node_t *node, breaker__next_t *next)
{
    int err = 0;

    breaker__node_lock(node);
    assert((node->release != NULL) == node->is_loaded);
    if (node->release == NULL || node->is_ending)
        err = BREAKER_ERR_STATE;
    else if (node->next != NULL)
        err = BREAKER_ERR_BUSY;
    else
        node->next = next;
    breaker__node_unlock(node);
    return err;
}

int breaker_node_load_next(breaker_node_t *node, const breaker_next_t *asked)
{
    breaker__next_t *next;
    int err;

    if ((err = create(node, asked, &next)) != 0)
        return err;
    if ((err = begin(node, next)) != 0) {
        free(next);
        return err;
    }
    err = breaker__loader_run(node->loader, (breaker__job_t){run_next, next});
    /* the one load of a node has one job at a time */
    assert(err == 0);
    return 0;
}

void breaker__next_abandon(breaker_node_t *node)
{
    assert(node->is_ending);
    if (node->next != NULL)
        fail(node->next, BREAKER_ERR_CANCELLED);
}

/* ---- for the cluster ---- */

breaker_release_t *breaker_node_next(breaker_node_t *node, breaker_token_t *ret_token)
{
    breaker_release_t *release = NULL;

    breaker__node_lock(node);
    if (node->next != NULL && node->next->release != NULL) {
        assert(node->next->release != node->release);
        release = breaker__release_ref(node->next->release);
        *ret_token = node->next->token;
    }
    breaker__node_unlock(node);
    return release;
}

/* the load whose release this is has come to its end; its release is the caller's to drop */
static breaker__next_t *take_next(breaker_node_t *node, const breaker_release_t *release)
{
    breaker__next_t *next = NULL;

    if (node->next != NULL && node->next->release == release) {
        assert(release != node->release);
        next = node->next;
        next->release = NULL;
    }
    return next;
}

void breaker__next_published(breaker_node_t *node, breaker_release_t *release)
{
    breaker_release_t *before = NULL;
    breaker__next_t *next;

    breaker__node_lock(node);
    if ((next = take_next(node, release)) != NULL) {
        before = node->release;
        node->release = release;
    }
    breaker__node_unlock(node);
    if (next == NULL)
        return;
    assert(before != NULL);
    breaker_release_unref(before);
    next->end = BREAKER_NEXT_PUBLISHED;
    hand_to_loader(next);
}

void breaker_node_refuse_next(breaker_node_t *node, breaker_release_t *release, const char *why)
{
    breaker__next_t *next;

    assert(breaker__mailbox_is_open(&node->mailbox));
    breaker__node_lock(node);
    next = take_next(node, release);
    breaker__loader_encode(node->loader, node->release);
    breaker__node_unlock(node);
    if (next == NULL)
        return;
    breaker_release_unref(release);
    next->end = BREAKER_NEXT_FAILED;
    breaker_error_set(&next->error, BREAKER_ERR_STATE, "%s", why);
    hand_to_loader(next);
}
