/*
 * What comes of a transfer: it is checked, and handed to the owner, or it tells something of the
 * peer, and the ask goes on. Nothing unchecked is handed on; the callback that ends an ask is the
 * last thing that is done for it.
 */
#include <assert.h>
#include <string.h>
#include "peers/arrive.h"
#include "peers/judge.h"
#include "peers/tell.h"
#include "release/manifest.h"

void breaker__arrive_spool(breaker__peers_t *peers, breaker__ask_t *ask, breaker__known_t *last)
{
    uint64_t number = ask->number;

    if (breaker__spool_end(ask->spool) != 0) {
        breaker__judge_blame(peers, &ask->givers);
        breaker__carry_end(peers, ask, BREAKER__NOBODY_ANSWERS, 0);
        return;
    }
    breaker__judge_praise(peers, last);
    breaker__asks_remove(&peers->asks, ask);
    peers->callbacks.on_spool(peers->callbacks.data, number);
}

static void deliver_blob(breaker__peers_t *peers, const breaker__load_t *load)
{
    uint8_t digest[BREAKER_DIGEST_LEN];
    breaker__ask_t *ask = load->ask;
    uint64_t number = ask->number;

    if (breaker__hash(&peers->hasher, load->body, load->len, digest) != 0 ||
        memcmp(digest, ask->digest, sizeof(digest)) != 0) {
        breaker__judge_aside(peers, load->peer,
                             "it sends other bytes than those of the hash it was asked for");
        return;
    }
    assert(load->len == ask->len);
    breaker__judge_praise(peers, load->peer);
    breaker__asks_remove(&peers->asks, ask);
    peers->callbacks.on_blob(peers->callbacks.data, number, digest, load->body, load->len);
}

static void take_absence(breaker__peers_t *peers, const breaker__load_t *load)
{
    if (load->peer == NULL)
        return;
    breaker__judge_praise(peers, load->peer);
    if (load->cargo == BREAKER__CARGO_ASK)
        breaker__tried_add(&load->ask->tried, load->peer);
    else if (load->cargo == BREAKER__CARGO_WORD)
        load->peer->heard = BREAKER__HEARD_WHOLLY;
    else
        breaker__judge_aside(peers, load->peer, "it has no list of what it holds");
}

static void deliver_manifest(breaker__peers_t *peers, const breaker__load_t *load)
{
    breaker_release_id_t id = load->ask->release;
    uint64_t number = load->ask->number;
    breaker__manifest_t *manifest;
    breaker_error_t error;

    /* no fault of the peer's, which is newer than we are */
    if (breaker__manifest_is_of_later_version(load->body, load->len)) {
        load->ask->is_of_later_version = true;
        take_absence(peers, load);
        return;
    }
    if (breaker__manifest_read(load->body, load->len, &manifest, &error) != 0) {
        breaker__judge_aside(peers, load->peer, error.message);
        return;
    }
    if (!breaker__manifest_is_of(manifest, &id)) {
        breaker__manifest_free(manifest);
        breaker__judge_aside(peers, load->peer, "it sends the manifest of another release");
        return;
    }
    breaker__judge_praise(peers, load->peer);
    breaker__asks_remove(&peers->asks, load->ask);
    peers->callbacks.on_manifest(peers->callbacks.data, number, &id, load->body, load->len,
                                 manifest);
}

/* a list of what the peer holds, asked for by itself or about the release that is made known */
static void take_list(breaker__peers_t *peers, const breaker__load_t *load)
{
    breaker__peers_held_t list[BREAKER__PEERS_HELD_MAX];
    size_t num;

    if (load->peer == NULL)
        return;
    if (breaker__held_parse(load->body, load->len, list, &num) != 0) {
        breaker__judge_aside(peers, load->peer, "it sends no list of what it holds");
        return;
    }
    breaker__judge_praise(peers, load->peer);
    if (load->cargo == BREAKER__CARGO_WORD)
        breaker__known_heard(load->peer, &peers->word, list, num);
    else
        breaker__known_holds(load->peer, list, num, uv_now(peers->loop));
}

static void take_body(breaker__peers_t *peers, const breaker__load_t *load)
{
    if (load->cargo == BREAKER__CARGO_WORD || load->cargo == BREAKER__CARGO_HELD)
        take_list(peers, load);
    else if (load->ask->kind == BREAKER__ASK_BLOB)
        deliver_blob(peers, load);
    else if (load->ask->kind == BREAKER__ASK_SPOOL)
        breaker__arrive_spool(peers, load->ask, load->peer);
    else
        deliver_manifest(peers, load);
}

/* A node has two keys for a while, and may have heard of the newest only here. */
static void take_stranger(breaker__peers_t *peers, breaker__known_t *peer)
{
    if (peer != NULL && peers->keys.num > 1 && !peer->has_tried_keys) {
        peer->key_at = peer->key_at == 0 ? 1 : 0;
        peer->has_tried_keys = true;
        return;
    }
    breaker__judge_aside(
        peers, peer, "it does not know us: another cluster's node, or its keys or clock differ");
    if (peer != NULL)
        peer->is_stranger = true;
}

void breaker__arrive(breaker__peers_t *peers, const breaker__load_t *load,
                     breaker__transfer_result_t result, const char *reason)
{
    switch (result) {
    case BREAKER__TRANSFER_BODY:
        take_body(peers, load);
        return;
    case BREAKER__TRANSFER_NOT_HERE:
        take_absence(peers, load);
        return;
    case BREAKER__TRANSFER_BUSY:
        if (load->peer != NULL)
            breaker__known_busy(load->peer, uv_now(peers->loop));
        return;
    case BREAKER__TRANSFER_NOT_A_MEMBER:
        take_stranger(peers, load->peer);
        return;
    case BREAKER__TRANSFER_UNREACHED:
        breaker__judge_aside_for(peers, load->peer, BREAKER__PEERS_UNREACHED_MIN_MS, reason);
        return;
    case BREAKER__TRANSFER_BROKEN:
        breaker__judge_aside(peers, load->peer, reason);
        return;
    case BREAKER__TRANSFER_NO_ROOM:
        breaker__carry_end(peers, load->ask, BREAKER__NOBODY_ANSWERS, 0);
        return;
    }
    assert(!"a result outside its enum");
}
