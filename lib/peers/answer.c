/*
 * The answering side: what a member's request gets, out of what the node has at this moment. A
 * stranger's costs a look at its form, and at most two hashes where somebody knows that form.
 *
 * Invariants: an answer keeps what it is made of, a snapshot or a blob, until it is freed; nothing
 * is sent of a file whose bytes may have changed.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <breaker/peer_answer.h>
#include <breaker/snapshot.h>
#include "node/node.h"
#include "peers/auth.h"
#include "peers/held.h"
#include "release/blobs.h"
#include "release/cached.h"
#include "release/manifest.h"
#include "release/release.h"

enum { PREFIX_LEN = sizeof(BREAKER_PEER_PREFIX) - 1 };

_Static_assert(BREAKER__PEERS_HELD_MAX >= BREAKER_HELD_MAX + 1, "all that is held can be listed");
_Static_assert(BREAKER__PEERS_HELD_LEN_MAX <= BREAKER_PEER_PIECE_MAX, "a list is one piece");

struct st_breaker_peer_gate_t {
    breaker_node_t *node; /* borrowed: outlives us */
    uint64_t generation;  /* of `keys` */
    breaker__peer_keys_t keys;
};

struct st_breaker_peer_answer_t {
    /* of a manifest: owned reference, and where its writing stands; else NULL */
    breaker_snapshot_t *snapshot;
    const breaker_release_t *release; /* borrowed from the snapshot */
    breaker__manifest_cursor_t cursor;
    /* of a blob: owned reference, and its bytes; else NULL */
    breaker__blob_t *blob;
    breaker__cached_t *cached; /* owned reference, where they are here for now only; or NULL */
    const breaker_variant_t *body;
    /* of a blob and a list: what is left of it */
    uint64_t at, len;
    char *piece; /* owned: the bytes that are given, where they are not in memory anyway */
};

/* ---- the gate ---- */

breaker_peer_gate_t *breaker_peer_gate_create(breaker_node_t *node)
{
    breaker_peer_gate_t *gate = calloc(1, sizeof(*gate));

    if (gate != NULL)
        gate->node = node;
    return gate;
}

void breaker_peer_gate_free(breaker_peer_gate_t *gate)
{
    if (gate == NULL)
        return;
    OPENSSL_cleanse(&gate->keys, sizeof(gate->keys));
    free(gate);
}

static bool is_member(breaker_peer_gate_t *gate, const char *path, size_t path_len,
                      const char *auth, size_t auth_len)
{
    breaker__node_peer_keys(gate->node, &gate->generation, &gate->keys);
    return breaker__auth_verify(&gate->keys, path, path_len, auth, auth_len,
                                breaker__auth_now_s(&gate->keys));
}

/* ---- lists and manifests ---- */

static breaker_peer_answer_t *create(void)
{
    return calloc(1, sizeof(breaker_peer_answer_t));
}

/* The snapshot of this moment, with a reference, or NULL: kept for no longer than the answer, so
 * that nothing old is kept because nobody asks. */
static breaker_snapshot_t *take_snapshot(breaker_node_t *node)
{
    breaker_snapshot_t *snapshot = NULL;

    breaker_publisher_refresh(breaker_node_publisher(node), &snapshot);
    return snapshot;
}

static void list(breaker__peers_held_t *dst, breaker_release_t *release)
{
    dst->id = *breaker_release_id(release);
    dst->is_complete = breaker__release_is_complete(release);
}

static size_t list_all(breaker_node_t *node, breaker__peers_held_t *dst)
{
    breaker_snapshot_t *snapshot = take_snapshot(node);
    size_t num = 0;

    if (snapshot == NULL)
        return 0;
    list(dst + num++, snapshot->release);
    for (size_t i = 0; i != snapshot->num_held; ++i)
        list(dst + num++, snapshot->held[i]);
    breaker_snapshot_unref(snapshot);
    return num;
}

static breaker_peer_verdict_t answer_list(const breaker__peers_held_t *list, size_t num,
                                          breaker_peer_answer_t **ret_answer)
{
    breaker_peer_answer_t *answer = create();

    if (answer == NULL || (answer->piece = malloc(BREAKER__PEERS_HELD_LEN_MAX)) == NULL) {
        free(answer);
        return BREAKER_PEER_NOT_NOW;
    }
    answer->len = breaker__held_format(list, num, answer->piece);
    *ret_answer = answer;
    return BREAKER_PEER_TEXT;
}

static breaker_peer_verdict_t answer_held(breaker_node_t *node, breaker_peer_answer_t **ret_answer)
{
    breaker__peers_held_t held[BREAKER__PEERS_HELD_MAX];

    return answer_list(held, list_all(node, held), ret_answer);
}

static breaker_release_t *find_release(const breaker_snapshot_t *snapshot,
                                       const breaker_release_id_t *id)
{
    if (breaker_release_id_equal(breaker_release_id(snapshot->release), id))
        return snapshot->release;
    for (size_t i = 0; i != snapshot->num_held; ++i)
        if (breaker_release_id_equal(breaker_release_id(snapshot->held[i]), id))
            return snapshot->held[i];
    return NULL;
}

/* A member asks for what it has just put into the ledger: who has not got it looks there at once.
 */
static breaker_peer_verdict_t answer_word(breaker_node_t *node, const char *word, size_t len,
                                          breaker_peer_answer_t **ret_answer)
{
    breaker__peers_held_t held = {.is_complete = false};
    breaker_release_id_t id;
    breaker_snapshot_t *snapshot;
    breaker_release_t *release;
    size_t num = 0;

    if (breaker_release_id_parse(word, len, &id) != 0)
        return BREAKER_PEER_NOT_HERE;
    if ((snapshot = take_snapshot(node)) != NULL) {
        if ((release = find_release(snapshot, &id)) != NULL) {
            list(&held, release);
            num = 1;
        }
        breaker_snapshot_unref(snapshot);
    }
    if (num == 0 && breaker_node_is_joined(node))
        breaker_node_want_refresh(node);
    return answer_list(&held, num, ret_answer);
}

static breaker_peer_verdict_t answer_manifest(breaker_node_t *node, const char *word, size_t len,
                                              breaker_peer_answer_t **ret_answer)
{
    breaker_release_id_t id;
    breaker_peer_answer_t *answer;
    breaker_snapshot_t *snapshot;
    const breaker_release_t *release;

    if (breaker_release_id_parse(word, len, &id) != 0 || (snapshot = take_snapshot(node)) == NULL)
        return BREAKER_PEER_NOT_HERE;
    if ((release = find_release(snapshot, &id)) == NULL) {
        breaker_snapshot_unref(snapshot);
        return BREAKER_PEER_NOT_HERE;
    }
    if ((answer = create()) == NULL || (answer->piece = malloc(BREAKER_PEER_PIECE_MAX)) == NULL) {
        breaker_snapshot_unref(snapshot);
        free(answer);
        return BREAKER_PEER_NOT_NOW;
    }
    answer->snapshot = snapshot;
    answer->release = release;
    *ret_answer = answer;
    return BREAKER_PEER_TEXT;
}

/* ---- blobs ---- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_digest(const char *word, size_t len, uint8_t *dst)
{
    if (len != 2 * BREAKER_DIGEST_LEN)
        return false;
    for (size_t i = 0; i != BREAKER_DIGEST_LEN; ++i) {
        int high = hex_value(word[2 * i]), low = hex_value(word[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        dst[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* A file that something happened to is read again by the loader: then it is known what it has. */
static breaker_peer_verdict_t judge_body(const breaker_variant_t *body)
{
    if (body == NULL)
        return BREAKER_PEER_NOT_HERE;
    switch (breaker_variant_probe(body)) {
    case BREAKER_FILE_SOUND:
        return BREAKER_PEER_BLOB;
    case BREAKER_FILE_SUSPECT:
        return BREAKER_PEER_NOT_NOW;
    case BREAKER_FILE_CHANGED:
    case BREAKER_FILE_ABSENT:
    case BREAKER_FILE_LOST:
    case BREAKER_FILE_ELSEWHERE:
        return BREAKER_PEER_NOT_HERE;
    }
    assert(!"a file's state outside its enum");
    return BREAKER_PEER_NOT_HERE;
}

static breaker_peer_answer_t *create_blob(breaker__blob_t *blob, breaker__cached_t *cached,
                                          const breaker_variant_t *body)
{
    breaker_peer_answer_t *answer = create();

    if (answer == NULL)
        return NULL;
    if (body->base == NULL && (answer->piece = malloc(BREAKER_PEER_PIECE_MAX)) == NULL) {
        free(answer);
        return NULL;
    }
    answer->blob = breaker__blob_ref(blob);
    if (cached != NULL)
        answer->cached = breaker__cached_ref(cached);
    answer->body = body;
    answer->len = body->len;
    return answer;
}

static breaker_peer_verdict_t answer_blob(breaker_node_t *node, const char *word, size_t len,
                                          breaker_peer_answer_t **ret_answer)
{
    uint8_t digest[BREAKER_DIGEST_LEN];
    breaker_peer_answer_t *answer;
    breaker_peer_verdict_t verdict;
    const breaker_variant_t *body;
    breaker__cached_t *cached;
    breaker__blob_t *blob;

    if (!read_digest(word, len, digest) ||
        (blob = breaker__blobs_find(breaker__node_blobs(node), digest)) == NULL)
        return BREAKER_PEER_NOT_HERE;
    cached = breaker__cached_get(blob, false);
    body = cached != NULL ? &cached->bytes : breaker__blob_body(blob);
    verdict = judge_body(body);
    if (body == NULL && breaker__blob_is_archived(blob)) {
        /* it is here in a moment, from this node's own disk */
        breaker__blob_want(blob);
        verdict = BREAKER_PEER_NOT_NOW;
    }
    if (verdict == BREAKER_PEER_BLOB) {
        if ((answer = create_blob(blob, cached, body)) != NULL)
            *ret_answer = answer;
        else
            verdict = BREAKER_PEER_NOT_NOW;
    }
    breaker__cached_unref(cached);
    breaker__blob_unref(blob);
    return verdict;
}

/* ---- what is asked ---- */

static bool begins_with(const char *base, size_t len, const char *word)
{
    size_t word_len = strlen(word);

    return len >= word_len && memcmp(base, word, word_len) == 0;
}

breaker_peer_verdict_t breaker_peer_gate_ask(breaker_peer_gate_t *gate, const char *path,
                                             size_t path_len, const char *auth, size_t auth_len,
                                             breaker_peer_answer_t **ret_answer)
{
    static const char manifest[] = "manifest/", blob[] = "blob/", held[] = "held",
                      held_word[] = "held/";
    const char *word = path + PREFIX_LEN;
    size_t len = path_len - PREFIX_LEN;

    if (!begins_with(path, path_len, BREAKER_PEER_PREFIX) ||
        !is_member(gate, path, path_len, auth, auth_len))
        return BREAKER_PEER_STRANGER;
    if (len == sizeof(held) - 1 && begins_with(word, len, held))
        return answer_held(gate->node, ret_answer);
    if (begins_with(word, len, held_word))
        return answer_word(gate->node, word + sizeof(held_word) - 1, len - sizeof(held_word) + 1,
                           ret_answer);
    if (begins_with(word, len, manifest))
        return answer_manifest(gate->node, word + sizeof(manifest) - 1, len - sizeof(manifest) + 1,
                               ret_answer);
    if (begins_with(word, len, blob))
        return answer_blob(gate->node, word + sizeof(blob) - 1, len - sizeof(blob) + 1, ret_answer);
    return BREAKER_PEER_NOT_HERE;
}

/* ---- what is sent ---- */

uint64_t breaker_peer_answer_len(const breaker_peer_answer_t *answer)
{
    assert(answer->release == NULL || answer->blob == NULL);
    return answer->release != NULL ? UINT64_MAX : answer->len;
}

void breaker_peer_answer_restrict(breaker_peer_answer_t *answer, uint64_t first, uint64_t len)
{
    assert(answer->blob != NULL);
    assert(answer->at == 0);
    assert(first <= answer->len);
    assert(len <= answer->len - first);
    answer->at = first;
    answer->len = len;
}

static int next_of_blob(breaker_peer_answer_t *answer, size_t len, const char **ret_base)
{
    int err;

    if (answer->body->base != NULL) {
        *ret_base = answer->body->base + answer->at;
        return 0;
    }
    if ((err = breaker_variant_read(answer->body, answer->at, answer->piece, len)) == 0)
        *ret_base = answer->piece;
    return err;
}

int breaker_peer_answer_next(breaker_peer_answer_t *answer, const char **ret_base, size_t *ret_len)
{
    size_t len =
        answer->len < BREAKER_PEER_PIECE_MAX ? (size_t)answer->len : BREAKER_PEER_PIECE_MAX;
    int err = 0;

    if (answer->release != NULL) {
        *ret_base = answer->piece;
        *ret_len = breaker__manifest_piece(answer->release, &answer->cursor, answer->piece,
                                           BREAKER_PEER_PIECE_MAX);
        return 0;
    }
    if (answer->blob == NULL)
        *ret_base = answer->piece + answer->at;
    else if (len != 0)
        err = next_of_blob(answer, len, ret_base);
    if (err != 0)
        return err;
    *ret_len = len;
    answer->at += len;
    answer->len -= len;
    return 0;
}

void breaker_peer_answer_free(breaker_peer_answer_t *answer)
{
    if (answer == NULL)
        return;
    breaker_snapshot_unref(answer->snapshot);
    breaker__cached_unref(answer->cached);
    breaker__blob_unref(answer->blob);
    free(answer->piece);
    free(answer);
}
