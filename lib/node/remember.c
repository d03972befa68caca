/*
 * The tokens of a node by itself. What they are is decided by its agreement, which has nobody to
 * agree with; here is only where its memory comes from and goes to. Every token of the
 * configuration, the minted one and each of the operator's, is decided on once, whichever views
 * have it.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "cluster/agreement.h"
#include "cluster/ledger.h"
#include "cluster/state.h"
#include "node/node.h"
#include "node/remember.h"

void breaker__tell(const breaker_node_t *node, const breaker_error_t *error)
{
    assert(error->code != 0);
    if (node->hooks.on_notice != NULL)
        node->hooks.on_notice(node->hooks.notice_data, error->message);
}

static void read_memory(const breaker_node_t *node, breaker_ledger_t *memory)
{
    breaker_error_t error;
    int err = breaker_ledger_init(memory, NULL, 0);

    assert(err == 0);
    if (node->state_path != NULL && breaker__state_load(node->state_path, memory, &error) != 0)
        breaker__tell(node, &error);
    if (node->holding != NULL)
        breaker__holding_remember(node->holding, memory);
    if (node->before.token.len != 0)
        breaker__remember(memory, &node->before, &node->before.token, 1);
}

static void write_memory(const breaker_node_t *node, const breaker_ledger_entry_t *own,
                         const breaker_ledger_t *memory)
{
    breaker_error_t error;

    assert(own->token.len != 0);
    if (node->state_path != NULL && breaker__state_save(node->state_path, own, memory, &error) != 0)
        breaker__tell(node, &error);
}

static bool is_one_of(const breaker_token_t *token, const breaker_token_t *tokens, size_t num)
{
    assert(token->len != 0);
    for (size_t i = 0; i != num; ++i)
        if (breaker_token_equal(tokens + i, token))
            return true;
    return false;
}

/* without its oldest entry that is none of the tokens, if there is one */
static void make_room(breaker_ledger_t *memory, const breaker_token_t *tokens, size_t num_tokens)
{
    breaker_ledger_entry_t entries[BREAKER_LEDGER_MAX];
    size_t size = breaker_ledger_size(memory), at = 0, num = 0;
    int err;

    assert(size == BREAKER_LEDGER_MAX);
    while (at != size && is_one_of(&breaker_ledger_at(memory, at)->token, tokens, num_tokens))
        ++at;
    for (size_t i = 0; i != size; ++i)
        if (i != at)
            entries[num++] = *breaker_ledger_at(memory, i);
    err = breaker_ledger_init(memory, entries, num);
    assert(err == 0);
}

void breaker__remember(breaker_ledger_t *memory, const breaker_ledger_entry_t *entry,
                       const breaker_token_t *tokens, size_t num_tokens)
{
    if (breaker__ledger_find(memory, entry->token.text, entry->token.len) != NULL)
        return;
    if (breaker_ledger_size(memory) == BREAKER_LEDGER_MAX)
        make_room(memory, tokens, num_tokens);
    breaker__ledger_add(memory, entry);
    assert(breaker__ledger_find(memory, entry->token.text, entry->token.len) != NULL);
}

void breaker__tell_taken(const breaker_node_t *node, const breaker_token_t *given,
                         const breaker_ledger_entry_t *own, const breaker_ledger_t *memory)
{
    const breaker_ledger_entry_t *other = breaker__ledger_find(memory, given->text, given->len);
    breaker_release_id_t is, was;
    breaker_error_t error;

    if (other == NULL || breaker_release_id_equal(&other->release, &own->release))
        return;
    assert(!breaker_token_equal(&own->token, given));
    is = breaker_release_id_shorten(&own->release);
    was = breaker_release_id_shorten(&other->release);
    breaker_error_set(&error, BREAKER_ERR_CHANGED,
                      "token %s is that of release %s: release %s has one of its own, %s",
                      given->text, was.text, is.text, own->token.text);
    breaker__tell(node, &error);
}

void breaker__tell_clash(const breaker_node_t *node, const breaker_ledger_entry_t *own,
                         const breaker_ledger_t *memory)
{
    const breaker_ledger_entry_t *other = breaker__ledger_find_clash(memory, &own->release);
    breaker_release_id_t is, was;
    breaker_error_t error;

    if (other == NULL)
        return;
    assert(!breaker_release_id_equal(&other->release, &own->release));
    is = breaker_release_id_shorten(&own->release);
    was = breaker_release_id_shorten(&other->release);
    breaker_error_set(&error, BREAKER_ERR_CHANGED,
                      "release %s has the label of %s (token %s), but other files or headers: it "
                      "has a token of its own, %s; is the build reproducible?",
                      is.text, was.text, other->token.text, own->token.text);
    breaker__tell(node, &error);
}

/* the tokens of one release, on their way from the configuration to the views */
typedef struct st_work_t {
    breaker_node_t *node;
    const breaker_release_id_t *release;
    breaker_ledger_t *memory;
    /* as they were configured, by the views' indexes, and the one of views without another */
    breaker_token_t tokens[BREAKER_VIEWS_MAX], minted;
    /* the last entry that was not remembered; `token.len` 0: none */
    breaker_ledger_entry_t newest;
} work_t;

static int decide(const work_t *work, const breaker_token_t *token, breaker_ledger_entry_t *ret_own,
                  bool *ret_is_new)
{
    breaker_agreement_config_t config;

    assert(token->len != 0);
    breaker__agreement_config_init(&config);
    config.release = *work->release;
    if (!breaker_token_equal(token, &work->minted))
        config.fixed = *token;
    return breaker__agreement_alone(&config, work->memory, strtoull(work->minted.text, NULL, 10),
                                    ret_own, ret_is_new);
}

static void remember(work_t *work, const breaker_token_t *token)
{
    breaker_ledger_entry_t own;
    breaker_error_t error;
    bool is_new;
    int err;

    if ((err = decide(work, token, &own, &is_new)) != 0) {
        breaker_error_set(&error, err, "token %s is not remembered: there is none above %s",
                          token->text, breaker_ledger_newest(work->memory, NULL)->token.text);
        breaker__tell(work->node, &error);
        return;
    }
    assert(breaker_release_id_equal(&own.release, work->release));
    for (size_t i = 0; i != work->node->num_views; ++i)
        if (breaker_token_equal(work->tokens + i, token))
            work->node->tokens[i] = own.token;
    if (breaker_token_equal(token, &work->minted))
        work->node->minted = own.token;
    breaker__remember(work->memory, &own, work->node->tokens, work->node->num_views);
    if (!is_new)
        return;
    work->newest = own;
    if (!breaker_token_equal(token, &work->minted))
        breaker__tell_taken(work->node, token, &own, work->memory);
}

/* the first view that was configured with a token, or the number of views */
static size_t find_view(const work_t *work, const breaker_token_t *token)
{
    size_t at = 0;

    assert(token->len != 0);
    while (at != work->node->num_views && !breaker_token_equal(work->tokens + at, token))
        ++at;
    return at;
}

void breaker__remember_tokens(breaker_node_t *node, const breaker_release_id_t *release,
                              breaker_ledger_t *ret_memory)
{
    work_t work = {.node = node, .release = release, .memory = ret_memory, .minted = node->minted};

    assert(node->num_views <= BREAKER_VIEWS_MAX);
    memcpy(work.tokens, node->tokens, sizeof(work.tokens));
    read_memory(node, ret_memory);
    /* first: its order is its value, which an operator's token must not have taken */
    if (find_view(&work, &work.minted) != node->num_views)
        remember(&work, &work.minted);
    for (size_t i = 0; i != node->num_views; ++i)
        if (!breaker_token_equal(work.tokens + i, &work.minted) &&
            find_view(&work, work.tokens + i) == i)
            remember(&work, work.tokens + i);
    if (work.newest.token.len == 0)
        return;
    write_memory(node, &work.newest, ret_memory);
    breaker__tell_clash(node, &work.newest, ret_memory);
}
