/*
 * The client as its owner sees it: made, told who the peers are, asked, and freed. The work is done
 * in carry.c, from the loop, never inside a call.
 *
 * Invariants: `pending` counts what the loop knows of us, and memory goes when it is 0.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include "peers/carry.h"
#include "peers/tell.h"

/* ---- making and freeing ---- */

static int read_cidrs(const breaker__peers_config_t *config, breaker__reach_t *reach,
                      breaker_error_t *error)
{
    if (config->num_cidrs > BREAKER__CIDRS_MAX)
        return breaker_error_set(error, BREAKER_ERR_RANGE, "peers: at most %d ranges of addresses",
                                 BREAKER__CIDRS_MAX);
    for (size_t i = 0; i != config->num_cidrs; ++i) {
        const char *text = config->cidrs[i];
        if (breaker_network_parse(text, strlen(text), reach->cidrs + i) != 0)
            return breaker_error_set(error, BREAKER_ERR_RANGE,
                                     "peers: \"%s\" is no range of addresses; accepted: "
                                     "10.0.0.0/8, fd00::/8, a single address",
                                     text);
    }
    reach->num_cidrs = config->num_cidrs;
    return 0;
}

static int read_config(breaker__peers_t *peers, const breaker__peers_config_t *config,
                       breaker_error_t *error)
{
    if (config->connections > BREAKER__PEERS_CONNECTIONS_MAX)
        return breaker_error_set(error, BREAKER_ERR_RANGE, "connections to peers: at most %d",
                                 BREAKER__PEERS_CONNECTIONS_MAX);
    peers->connections =
        config->connections != 0 ? config->connections : BREAKER__PEERS_CONNECTIONS;
    peers->num_slots = peers->connections + (peers->connections <= 2 ? 1 : 0);
    peers->timeout_ms = config->timeout_ms != 0 ? config->timeout_ms : BREAKER__PEERS_TIMEOUT_MS;
    peers->manifest_max = config->manifest_max != 0 ? config->manifest_max : BREAKER__MANIFEST_MAX;
    peers->rate = config->rate < INT64_MAX / 1000 ? config->rate : INT64_MAX / 1000;
    if (config->ca_file != NULL && (peers->ca_file = strdup(config->ca_file)) == NULL)
        return breaker_error_set(error, BREAKER_ERR_NO_MEMORY, "out of memory");
    return read_cidrs(config, &peers->reach, error);
}

static int make_slots(breaker__peers_t *peers)
{
    const breaker__transfer_config_t config = {
        .loop = peers->loop,
        .multi = peers->multi,
        .reach = &peers->reach,
        .ca_file = peers->ca_file,
        .connect_timeout_ms = peers->timeout_ms,
        .rate = breaker__carry_rate(peers),
    };

    if ((peers->slots = calloc(peers->num_slots, sizeof(*peers->slots))) == NULL)
        return BREAKER_ERR_NO_MEMORY;
    for (unsigned i = 0; i != peers->num_slots; ++i) {
        breaker__slot_t *slot = peers->slots + i;
        if (breaker__transfer_init(&slot->transfer, &config) != 0)
            return BREAKER_ERR_NO_MEMORY;
        slot->transfer.data = slot;
    }
    return 0;
}

/* all that the loop knows nothing of */
static void dispose(breaker__peers_t *peers)
{
    for (unsigned i = 0; peers->slots != NULL && i != peers->num_slots; ++i)
        breaker__transfer_dispose(&peers->slots[i].transfer);
    free(peers->slots);
    breaker__asks_dispose(&peers->asks);
    breaker__roster_dispose(&peers->roster);
    breaker__hasher_dispose(&peers->hasher);
    free(peers->ca_file);
    OPENSSL_cleanse(&peers->keys, sizeof(peers->keys));
}

static void unref(breaker__peers_t *peers)
{
    assert(peers->pending != 0);
    if (--peers->pending != 0)
        return;
    assert(peers->is_closed);
    if (peers->on_gone != NULL)
        peers->on_gone(peers->gone_data);
    free(peers);
    curl_global_cleanup();
}

static void on_multi_gone(void *data)
{
    unref(data);
}

static void on_timer_closed(uv_handle_t *handle)
{
    unref(handle->data);
}

void breaker__peers_free(breaker__peers_t *peers, void (*on_gone)(void *data), void *data)
{
    if (peers == NULL)
        return;
    assert(!peers->is_closed);
    peers->is_closed = true;
    peers->on_gone = on_gone;
    peers->gone_data = data;
    for (unsigned i = 0; peers->slots != NULL && i != peers->num_slots; ++i)
        breaker__transfer_abort(&peers->slots[i].transfer);
    dispose(peers);
    breaker__multi_close(peers->multi, on_multi_gone, peers);
    uv_close((uv_handle_t *)&peers->timer, on_timer_closed);
}

/* The loop knows of us from here on. */
static void join_loop(breaker__peers_t *peers)
{
    uv_timer_init(peers->loop, &peers->timer);
    peers->timer.data = peers;
    peers->pending = 2; /* the timer, and `multi` */
    peers->refilled_ms = uv_now(peers->loop);
    peers->roster.random = uv_hrtime() ^ (uint64_t)(uintptr_t)peers;
}

/* Fails when it is out of memory; what was made then is the caller's to free. */
static int make_parts(breaker__peers_t *peers)
{
    int err;

    if ((err = breaker__hasher_init(&peers->hasher)) != 0)
        return err;
    peers->multi = breaker__multi_create(peers->loop, peers->num_slots, breaker__carry_done, peers);
    if (peers->multi == NULL)
        return BREAKER_ERR_NO_MEMORY;
    join_loop(peers);
    return make_slots(peers);
}

static int fail(breaker__peers_t *peers, int err)
{
    if (peers->pending != 0) {
        breaker__peers_free(peers, NULL, NULL);
    } else {
        dispose(peers);
        free(peers);
        curl_global_cleanup();
    }
    return err;
}

int breaker__peers_create(uv_loop_t *loop, const breaker__peers_config_t *config,
                          const breaker__peers_callbacks_t *callbacks, breaker__peers_t **ret_peers,
                          breaker_error_t *error)
{
    breaker__peers_t *peers = calloc(1, sizeof(*peers));
    int err;

    if (peers == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(peers);
        return breaker_error_set(error, BREAKER_ERR_NO_MEMORY, "libcurl cannot be used");
    }
    peers->loop = loop;
    peers->callbacks = *callbacks;
    if ((err = read_config(peers, config, error)) != 0)
        return fail(peers, err);
    if ((err = make_parts(peers)) != 0)
        return fail(peers, breaker_error_set(error, err, "%s", breaker_err_message(err)));
    *ret_peers = peers;
    return 0;
}

/* ---- what the owner says ---- */

static void drop_departed(breaker__peers_t *peers)
{
    for (unsigned i = 0; i != peers->num_slots; ++i) {
        breaker__slot_t *slot = peers->slots + i;
        if (slot->cargo == BREAKER__CARGO_NONE ||
            breaker__roster_find(&peers->roster, slot->peer_number) != NULL)
            continue;
        breaker__transfer_abort(&slot->transfer);
        breaker__carry_vacate(peers, slot);
    }
}

void breaker__peers_set(breaker__peers_t *peers, const char *own_address, bool has_predecessor,
                        const breaker_peer_t *list, size_t num)
{
    assert(!peers->is_closed);
    if (breaker__roster_set(&peers->roster, own_address, has_predecessor, list, num) != 0)
        return;
    peers->reach.allows_loopback = breaker__address_is_loopback(own_address);
    drop_departed(peers);
    breaker__carry_soon(peers);
}

void breaker__peers_set_keys(breaker__peers_t *peers, const breaker__peer_keys_t *keys)
{
    assert(keys->num <= BREAKER_PEER_KEYS_MAX);
    if (keys->num != peers->keys.num ||
        memcmp(keys->keys, peers->keys.keys, keys->num * sizeof(keys->keys[0])) != 0)
        breaker__roster_on_keys(&peers->roster);
    peers->keys = *keys;
    breaker__carry_soon(peers);
}

int breaker__peers_ask_manifest(breaker__peers_t *peers, const breaker_release_id_t *id,
                                breaker__peers_priority_t priority, uint64_t *ret_ask)
{
    breaker__ask_t *ask;
    int err;

    if (breaker_release_id_digest(id) == NULL)
        return BREAKER_ERR_RELEASE_SYNTAX;
    if ((err = breaker__asks_add(&peers->asks, BREAKER__ASK_MANIFEST, &ask)) != 0)
        return err;
    ask->priority = priority;
    ask->release = *id;
    *ret_ask = ask->number;
    breaker__carry_soon(peers);
    return 0;
}

int breaker__peers_ask_blob(breaker__peers_t *peers, const uint8_t *digest, uint64_t len,
                            const breaker_release_id_t *release, breaker__peers_priority_t priority,
                            uint64_t *ret_ask)
{
    breaker__ask_t *ask;
    int err;

    if (len > SIZE_MAX / 2)
        return BREAKER_ERR_RANGE;
    if ((err = breaker__asks_add(&peers->asks, BREAKER__ASK_BLOB, &ask)) != 0)
        return err;
    ask->priority = priority;
    ask->release = *release;
    memcpy(ask->digest, digest, sizeof(ask->digest));
    ask->len = len;
    *ret_ask = ask->number;
    breaker__carry_soon(peers);
    return 0;
}

int breaker__peers_ask_spool(breaker__peers_t *peers, const uint8_t *digest, uint64_t len,
                             const breaker_release_id_t *release, breaker_spool_t *spool,
                             uint64_t *ret_ask)
{
    breaker__ask_t *ask;
    int err;

    assert(breaker__spool_left(spool) <= len);
    if ((err = breaker__asks_add(&peers->asks, BREAKER__ASK_SPOOL, &ask)) != 0)
        return err;
    ask->priority = BREAKER__PEERS_URGENT;
    ask->release = *release;
    memcpy(ask->digest, digest, sizeof(ask->digest));
    ask->len = len;
    ask->spool = breaker__spool_ref(spool);
    ask->len_seen = breaker_spool_len(spool);
    ask->progress_ms = uv_now(peers->loop);
    *ret_ask = ask->number;
    breaker__carry_soon(peers);
    return 0;
}

void breaker__peers_cancel(breaker__peers_t *peers, uint64_t number)
{
    breaker__ask_t *ask = breaker__asks_find(&peers->asks, number);

    if (ask == NULL)
        return;
    for (unsigned i = 0; ask->is_running && i != peers->num_slots; ++i) {
        breaker__slot_t *slot = peers->slots + i;
        if (slot->ask != ask)
            continue;
        breaker__transfer_abort(&slot->transfer);
        breaker__carry_vacate(peers, slot);
    }
    breaker__asks_remove(&peers->asks, ask);
    breaker__carry_soon(peers);
}

int breaker__peers_ask_held(breaker__peers_t *peers, uint64_t *ret_ask)
{
    breaker__ask_t *ask;
    int err;

    if ((err = breaker__asks_add(&peers->asks, BREAKER__ASK_HELD, &ask)) != 0)
        return err;
    ask->priority = BREAKER__PEERS_AHEAD;
    *ret_ask = ask->number;
    breaker__carry_soon(peers);
    return 0;
}

void breaker__peers_make_known(breaker__peers_t *peers, const breaker_release_id_t *id)
{
    assert(id->len != 0);
    peers->word = *id;
    breaker__roster_tell_anew(&peers->roster);
    breaker__carry_soon(peers);
}

breaker__heard_t breaker__peers_heard(const breaker__peers_t *peers)
{
    if (peers->word.len == 0)
        return BREAKER__HEARD_WHOLLY;
    return breaker__roster_heard(&peers->roster, &peers->word, uv_now(peers->loop));
}

void breaker__peers_hurry(breaker__peers_t *peers, uint64_t number)
{
    breaker__ask_t *ask = breaker__asks_find(&peers->asks, number);

    if (ask == NULL)
        return;
    ask->priority = BREAKER__PEERS_URGENT;
    breaker__carry_soon(peers);
}

size_t breaker__peers_room(const breaker__peers_t *peers)
{
    assert(peers->asks.num <= BREAKER__PEERS_ASKS_MAX);
    return BREAKER__PEERS_ASKS_MAX - peers->asks.num;
}
