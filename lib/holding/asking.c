/*
 * Peers: who they are, as the coordinator tells it, and what the client says of them. The client is
 * made when it is known for the first time that there are some; it never asks anybody that it was
 * not told of. An ask that ends badly is tried again when its time comes, by whoever needs it then.
 */
#include <assert.h>
#include "holding/parts.h"
#include "node/node.h"
#include "peers/client.h"

enum {
    WANT_EVERY_MS = 200,
    /* a peer that is far away, or busy, is not silent, however short requests wait */
    PEER_TIMEOUT_MIN_MS = 1000,
};

bool breaker__asking_has_peers(const breaker__holding_t *holding)
{
    return holding->config->has_peers && breaker_node_is_joined(holding->node);
}

/* ---- answers ---- */

static breaker__tracked_t *take_manifest_ask(breaker__holding_t *holding, uint64_t ask)
{
    for (size_t i = 0; i != holding->catalog.num; ++i) {
        breaker__tracked_t *known = holding->catalog.list[i];
        if (known->ask != ask)
            continue;
        known->ask = 0;
        return known;
    }
    return NULL;
}

static void on_manifest(void *data, uint64_t ask, const breaker_release_id_t *id, const char *text,
                        size_t len, breaker__manifest_t *manifest)
{
    breaker__holding_t *holding = data;
    breaker__tracked_t *known = take_manifest_ask(holding, ask);
    (void)text;

    breaker__tally_ok(&holding->tally.peer_manifests, len);
    /* meanwhile it may have become the own one, or be kept no longer */
    if (known != NULL && known->release == NULL && known->stays &&
        breaker_release_id_equal(&known->about.id, id) && breaker__manifest_is_of(manifest, id) &&
        breaker__held_take(holding, known, manifest, "peer") == 0)
        /* kept as soon as it is known to be one */
        known->is_manifest_due = true;
    breaker__manifest_free(manifest);
    breaker__holding_go_on(holding);
}

static void on_blob(void *data, uint64_t ask, const uint8_t *digest, const char *base, uint64_t len)
{
    breaker__holding_t *holding = data;
    (void)digest;

    breaker__source_on_blob(holding, ask, base, len);
    breaker__holding_go_on(holding);
}

static void on_spool(void *data, uint64_t ask)
{
    breaker__holding_t *holding = data;

    breaker__spooling_on_spool(holding, ask);
    breaker__holding_go_on(holding);
}

/* of what peers hold only that matters here which a token leads to */
static void on_held(void *data, uint64_t ask, const breaker__peers_held_t *list, size_t num)
{
    breaker__holding_t *holding = data;

    if (ask == holding->held_ask)
        holding->held_ask = 0;
    holding->was_offered = true;
    for (size_t i = 0; i != num; ++i) {
        breaker__tracked_t *known = breaker__catalog_find(&holding->catalog, &list[i].id);
        if (known == NULL || known->is_own)
            continue;
        known->is_offered = true;
        if (known->release == NULL && known->ask == 0)
            known->num_failures = 0;
    }
    breaker__held_update(holding);
    breaker__holding_go_on(holding);
}

static const char *reason_of(breaker__peers_nobody_t why)
{
    switch (why) {
    case BREAKER__NOBODY_HAS_IT:
        return "no peer has it";
    case BREAKER__NOBODY_ANSWERS:
        return "no peer that has it answers";
    case BREAKER__NOBODY_IS_AS_OLD:
        return "its manifest is of a later version of h2o-breaker than this one";
    }
    assert(!"a reason outside its enum");
    return "";
}

static void on_nobody(void *data, uint64_t ask, breaker__peers_nobody_t why, uint64_t retry_in_ms)
{
    breaker__holding_t *holding = data;
    bool has_it_nobody = why == BREAKER__NOBODY_HAS_IT;
    breaker__tracked_t *known;
    (void)retry_in_ms;

    breaker__holding_go_on(holding);
    if (ask == holding->held_ask) {
        holding->held_ask = 0;
        holding->was_offered = has_it_nobody;
        return;
    }
    if (breaker__source_on_nobody(holding, ask, why) || breaker__spooling_on_nobody(holding, ask) ||
        (known = take_manifest_ask(holding, ask)) == NULL)
        return;
    breaker__tally_nothing(&holding->tally.peer_manifests, has_it_nobody);
    if (known->release == NULL) {
        breaker__held_fail(holding, known, reason_of(why));
        breaker__asking_want_peers(holding);
        breaker__held_update(holding);
    }
}

/* the node may be ready by that */
static void on_heard(void *data)
{
    breaker__holding_go_on((breaker__holding_t *)data);
}

static void on_notice(void *data, const char *notice)
{
    breaker__holding_say((breaker__holding_t *)data, BREAKER_LOG_WARNING, BREAKER_LOG_TROUBLE,
                         "peer", breaker_log_text("reason", notice));
}

/* ---- the client ---- */

static void create_client(breaker__holding_t *holding)
{
    const breaker_holding_config_t *config = holding->config;
    const breaker__peers_config_t peers = {
        .connections = config->fetch_connections,
        .rate = config->fetch_rate,
        .timeout_ms = config->fetch_timeout_ms > PEER_TIMEOUT_MIN_MS ? config->fetch_timeout_ms
                                                                     : PEER_TIMEOUT_MIN_MS,
        .cidrs = config->networks,
        .num_cidrs = config->num_networks,
        .ca_file = config->peers_ca_file,
    };
    const breaker__peers_callbacks_t callbacks = {
        .data = holding,
        .on_manifest = on_manifest,
        .on_blob = on_blob,
        .on_spool = on_spool,
        .on_held = on_held,
        .on_nobody = on_nobody,
        .on_heard = on_heard,
        .on_notice = on_notice,
    };
    breaker_error_t error = {0};

    assert(holding->client == NULL);
    if (breaker__peers_create(&holding->loop, &peers, &callbacks, &holding->client, &error) != 0)
        breaker__holding_say(holding, BREAKER_LOG_WARNING, BREAKER_LOG_TROUBLE, "client",
                             breaker_log_text("reason", error.message));
}

static void set_peers(breaker__holding_t *holding)
{
    const breaker_peers_t *told = &holding->told;
    breaker__peer_keys_t keys;

    assert(holding->client != NULL);
    if (breaker__inbox_keys(&holding->inbox, &holding->keys_generation, &keys))
        breaker__peers_set_keys(holding->client, &keys);
    breaker__peers_set(holding->client, told->address, holding->has_predecessor, told->peers,
                       told->num_peers);
}

/* ---- what the coordinator told ---- */

static bool is_among(const breaker_peers_t *told, const breaker_release_id_t *id)
{
    for (size_t i = 0; i != told->num_alive; ++i)
        if (breaker_release_id_equal(told->alive + i, id))
            return true;
    return false;
}

/* what is alive is known, whatever the ledger says; what was in vain may be no more */
static void note_alive(breaker__holding_t *holding, const breaker_peers_t *told)
{
    uint64_t wall_ms = breaker__holding_now().wall_ms;

    for (size_t i = 0; i != told->num_alive; ++i)
        breaker__catalog_add(&holding->catalog, told->alive + i, wall_ms);
    for (size_t i = 0; i != holding->catalog.num; ++i) {
        breaker__tracked_t *known = holding->catalog.list[i];
        known->is_alive = is_among(told, &known->about.id);
    }
    for (size_t i = 0; i != told->num_peers; ++i) {
        breaker__tracked_t *known =
            breaker__catalog_find(&holding->catalog, &told->peers[i].release);
        if (known == NULL || known->release != NULL || known->num_failures == 0)
            continue;
        known->num_failures = 1;
        known->due_ms = 0;
    }
}

static void ask_held(breaker__holding_t *holding)
{
    if (holding->held_ask != 0 || holding->was_offered || holding->num_peers == 0)
        return;
    if (breaker__peers_ask_held(holding->client, &holding->held_ask) != 0)
        holding->held_ask = 0;
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; *text != '\0'; ++text)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t hash_roster(const breaker_peers_t *told)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i != told->num_peers; ++i)
        hash = hash_text(hash_text(hash, told->peers[i].address), told->peers[i].release.text);
    return hash;
}

/* others may have what those before had not */
static void try_again(breaker__holding_t *holding, const breaker_peers_t *told)
{
    uint64_t roster = hash_roster(told), now_ms = breaker__holding_now().mono_ms;

    if (roster == holding->roster)
        return;
    holding->roster = roster;
    breaker__pauses_end(&holding->spooling.pauses);
    for (size_t i = 0; i != holding->catalog.num; ++i) {
        breaker__tracked_t *known = holding->catalog.list[i];
        if (known->num_rounds != 0 && known->due_ms > now_ms)
            known->due_ms = now_ms;
        known->num_rounds = 0;
        /* and is waited for as if it had just been heard of */
        if (known->release == NULL && known->is_alive && known->num_failures != 0) {
            known->num_failures = known->num_tries = 0;
            known->heard_ms = known->due_ms = now_ms;
        }
    }
}

static void take_told(breaker__holding_t *holding)
{
    const breaker_peers_t *told = &holding->told;
    bool has_predecessor = holding->has_predecessor && told->address[0] != '\0';
    size_t num_peers = told->num_peers + has_predecessor;

    holding->is_current = told->is_current;
    holding->num_nodes = told->num_nodes;
    /* what the first ones hold is asked, however often they go and come */
    if (holding->num_peers == 0)
        holding->was_offered = false;
    holding->num_peers = num_peers;
    note_alive(holding, told);
    if (holding->client == NULL && num_peers != 0)
        create_client(holding);
    if (holding->client != NULL)
        set_peers(holding);
    try_again(holding, told);
}

static const breaker__tracked_t *find_own(const breaker__holding_t *holding)
{
    for (size_t i = 0; i != holding->catalog.num; ++i)
        if (holding->catalog.list[i]->is_own)
            return holding->catalog.list[i];
    return NULL;
}

/* others hear of what is served with their next poll, which may be too late: the ledger may be out
 * of reach by then, or this node gone */
void breaker__asking_make_known(breaker__holding_t *holding)
{
    const breaker__tracked_t *own = find_own(holding);

    if (holding->client == NULL || own == NULL ||
        breaker_release_id_equal(&own->about.id, &holding->made_known) ||
        breaker_node_readiness(holding->node) == BREAKER_NOT_READY_NO_TOKEN)
        return;
    holding->made_known = own->about.id;
    holding->made_known_ms = breaker__holding_now().mono_ms;
    breaker__peers_make_known(holding->client, &holding->made_known);
}

bool breaker__asking_is_known(const breaker__holding_t *holding)
{
    const breaker__tracked_t *own = find_own(holding);
    uint64_t age_ms = breaker__holding_now().mono_ms - holding->made_known_ms;

    if (holding->client == NULL || own == NULL)
        return true;
    if (!breaker_release_id_equal(&own->about.id, &holding->made_known))
        return false;
    switch (breaker__peers_heard(holding->client)) {
    case BREAKER__HEARD_NOT:
        return false;
    case BREAKER__HEARD_PARTLY:
        return age_ms >= holding->config->fetch_timeout_ms;
    case BREAKER__HEARD_WHOLLY:
        return true;
    }
    assert(!"what was heard is outside its enum");
    return true;
}

void breaker__asking_update(breaker__holding_t *holding)
{
    bool has_predecessor = breaker__node_has_predecessor(holding->node), is_news;
    breaker_peers_t told;

    if (!breaker__asking_has_peers(holding))
        return;
    is_news = holding->num_told != 0 && has_predecessor != holding->has_predecessor;
    holding->has_predecessor = has_predecessor;
    if (breaker__inbox_take_peers(&holding->inbox, &told)) {
        breaker__peers_told_dispose(&holding->told);
        holding->told = told;
        ++holding->num_told;
        is_news = true;
    }
    if (is_news)
        take_told(holding);
    if (holding->num_told == 0)
        breaker__asking_want_peers(holding);
    if (holding->client != NULL)
        ask_held(holding);
}

void breaker__asking_want_peers(breaker__holding_t *holding)
{
    uint64_t now_ms = breaker__holding_now().mono_ms;

    if (!breaker__asking_has_peers(holding) ||
        (holding->wanted_peers_ms != 0 && now_ms - holding->wanted_peers_ms < WANT_EVERY_MS))
        return;
    holding->wanted_peers_ms = now_ms;
    atomic_store_explicit(&holding->inbox.wants_peers, true, memory_order_relaxed);
    breaker__mailbox_knock(&holding->node->mailbox);
}

void breaker__asking_ask_manifest(breaker__holding_t *holding, breaker__tracked_t *known)
{
    breaker__peers_priority_t priority =
        known->is_wanted ? BREAKER__PEERS_URGENT : BREAKER__PEERS_AHEAD;

    assert(holding->client != NULL);
    assert(known->ask == 0);
    if (breaker__peers_ask_manifest(holding->client, &known->about.id, priority, &known->ask) !=
        0) {
        known->ask = 0;
        breaker__tally_add(&holding->tally.peer_manifests.refused, 1);
        breaker__held_fail(holding, known, "too much is asked for already");
    }
}
