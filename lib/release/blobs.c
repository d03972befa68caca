/*
 * The table of blobs. A reference that may be the last one is dropped under the table's lock, and
 * what it was the last one of leaves the table before the lock is given back: whoever finds
 * something under the lock finds it alive, and nothing that was given up comes back.
 *
 * A blob gets its bytes once and keeps them, but for those of a file that was found to be changed,
 * when somebody can get them from elsewhere. Where better ones come by, another blob takes its
 * place in the table, and the first one lives on with whoever has it.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "release/blob.h"
#include "release/digest.h"
#include "release/spool.h"

/** how many places a table has at first; a power of two */
#define PLACES_MIN 64

void breaker__blobs_lock(breaker__blobs_t *blobs)
{
    int err = pthread_mutex_lock(&blobs->lock);

    assert(err == 0);
}

void breaker__blobs_unlock(breaker__blobs_t *blobs)
{
    int err = pthread_mutex_unlock(&blobs->lock);

    assert(err == 0);
}

bool breaker__blobs_drop(breaker__blobs_t *blobs, atomic_size_t *refs)
{
    size_t now = atomic_load_explicit(refs, memory_order_relaxed);

    assert(now != 0);
    while (now > 1)
        if (atomic_compare_exchange_weak_explicit(refs, &now, now - 1, memory_order_release,
                                                  memory_order_relaxed))
            return false;
    breaker__blobs_lock(blobs);
    if (atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel) == 1)
        return true;
    breaker__blobs_unlock(blobs);
    return false;
}

/* ---- the table ---- */

int breaker__blobs_create(breaker__blobs_t **ret_blobs)
{
    breaker__blobs_t *blobs = calloc(1, sizeof(*blobs));

    if (blobs == NULL)
        return BREAKER_ERR_NO_MEMORY;
    if ((blobs->places = calloc(PLACES_MIN, sizeof(*blobs->places))) == NULL)
        goto Fail;
    if (pthread_mutex_init(&blobs->lock, NULL) != 0)
        goto Fail;
    atomic_init(&blobs->refs, 1);
    blobs->mask = PLACES_MIN - 1;
    blobs->memory = sizeof(*blobs) + PLACES_MIN * sizeof(*blobs->places);
    *ret_blobs = blobs;
    return 0;

Fail:
    free(blobs->places);
    free(blobs);
    return BREAKER_ERR_NO_MEMORY;
}

breaker__blobs_t *breaker__blobs_ref(breaker__blobs_t *blobs)
{
    size_t before = atomic_fetch_add_explicit(&blobs->refs, 1, memory_order_relaxed);

    assert(before != 0);
    return blobs;
}

void breaker__blobs_unref(breaker__blobs_t *blobs)
{
    size_t before;

    if (blobs == NULL)
        return;
    before = atomic_fetch_sub_explicit(&blobs->refs, 1, memory_order_acq_rel);
    assert(before != 0);
    if (before != 1)
        return;
    assert(blobs->num == 0);
    assert(blobs->kinds == NULL);
    breaker__sealed_dispose(&blobs->sealed);
    pthread_mutex_destroy(&blobs->lock);
    free(blobs->places);
    free(blobs);
}

void breaker__blobs_set_suspects(breaker__blobs_t *blobs, breaker__suspects_t *suspects)
{
    atomic_store_explicit(&blobs->suspects, suspects, memory_order_release);
}

void breaker__blobs_set_hooks(breaker__blobs_t *blobs, const breaker_release_hooks_t *hooks)
{
    breaker__blobs_lock(blobs);
    if (!blobs->has_hooks)
        blobs->hooks = *hooks;
    blobs->has_hooks = true;
    breaker__blobs_unlock(blobs);
}

uint64_t breaker__blobs_memory(breaker__blobs_t *blobs)
{
    return atomic_load_explicit(&blobs->memory, memory_order_relaxed);
}

size_t breaker__blobs_num(breaker__blobs_t *blobs)
{
    size_t num;

    breaker__blobs_lock(blobs);
    num = blobs->num;
    breaker__blobs_unlock(blobs);
    return num;
}

static void count(breaker__blobs_t *blobs, uint64_t memory)
{
    atomic_fetch_add_explicit(&blobs->memory, memory, memory_order_relaxed);
}

/* a digest is as good as random, but for one that somebody made up, which costs a longer chain */
static breaker__blob_t **place_of(const breaker__blobs_t *blobs, const uint8_t *digest)
{
    uint64_t hash;

    memcpy(&hash, digest, sizeof(hash));
    return blobs->places + (hash & blobs->mask);
}

static void insert(breaker__blobs_t *blobs, breaker__blob_t *blob)
{
    breaker__blob_t **place = place_of(blobs, blob->digest);

    assert(!blob->is_listed);
    blob->next = *place;
    *place = blob;
    blob->is_listed = true;
    ++blobs->num;
}

static void take_out(breaker__blobs_t *blobs, breaker__blob_t *blob)
{
    breaker__blob_t **at = place_of(blobs, blob->digest);

    assert(blob->is_listed);
    for (; *at != blob; at = &(*at)->next)
        assert(*at != NULL);
    *at = blob->next;
    blob->is_listed = false;
    --blobs->num;
}

/* twice as many places; without memory the chains get longer, and nothing else */
static void grow(breaker__blobs_t *blobs)
{
    size_t size = blobs->mask + 1;
    breaker__blob_t **before = blobs->places, **places;

    if (blobs->num <= size || (places = calloc(size * 2, sizeof(*places))) == NULL)
        return;
    blobs->places = places;
    blobs->mask = size * 2 - 1;
    for (size_t i = 0; i != size; ++i)
        for (breaker__blob_t *blob = before[i], *next; blob != NULL; blob = next) {
            breaker__blob_t **place = place_of(blobs, blob->digest);

            next = blob->next;
            blob->next = *place;
            *place = blob;
        }
    free(before);
    count(blobs, size * sizeof(*places));
}

/* ---- finding ---- */

static breaker__blob_t *look_up(const breaker__blobs_t *blobs, const uint8_t *digest, uint64_t len)
{
    breaker__blob_t *blob = *place_of(blobs, digest);

    while (blob != NULL &&
           (blob->len != len || memcmp(blob->digest, digest, BREAKER_DIGEST_LEN) != 0))
        blob = blob->next;
    return blob;
}

static breaker__blob_t *find_locked(const breaker__blobs_t *blobs, const uint8_t *digest,
                                    uint64_t len)
{
    breaker__blob_t *blob = look_up(blobs, digest, len);

    return blob != NULL ? breaker__blob_ref(blob) : NULL;
}

breaker__blob_t *breaker__blobs_find(breaker__blobs_t *blobs, const uint8_t *digest)
{
    breaker__blob_t *found = NULL;

    breaker__blobs_lock(blobs);
    for (breaker__blob_t *blob = *place_of(blobs, digest); blob != NULL; blob = blob->next) {
        if (memcmp(blob->digest, digest, BREAKER_DIGEST_LEN) != 0)
            continue;
        if (found == NULL || breaker__blob_state(blob) == BREAKER__BLOB_HERE)
            found = blob;
    }
    if (found != NULL)
        breaker__blob_ref(found);
    breaker__blobs_unlock(blobs);
    return found;
}

/** Makes one that nobody finds yet, with one reference. NULL without memory. */
static breaker__blob_t *create(breaker__blobs_t *blobs, const uint8_t *digest, uint64_t len)
{
    breaker__blob_t *blob = calloc(1, sizeof(*blob));

    if (blob == NULL)
        return NULL;
    atomic_init(&blob->refs, 1);
    blob->blobs = breaker__blobs_ref(blobs);
    memcpy(blob->digest, digest, sizeof(blob->digest));
    blob->len = len;
    atomic_init(&blob->state, BREAKER__BLOB_ABSENT);
    count(blobs, sizeof(*blob));
    return blob;
}

breaker__blob_t *breaker__blobs_find_len(breaker__blobs_t *blobs, const uint8_t *digest,
                                         uint64_t len)
{
    breaker__blob_t *blob;

    breaker__blobs_lock(blobs);
    blob = find_locked(blobs, digest, len);
    breaker__blobs_unlock(blobs);
    return blob;
}

breaker__blob_t *breaker__blobs_get(breaker__blobs_t *blobs, const uint8_t *digest, uint64_t len)
{
    breaker__blob_t *blob;

    breaker__blobs_lock(blobs);
    if ((blob = find_locked(blobs, digest, len)) == NULL &&
        (blob = create(blobs, digest, len)) != NULL) {
        grow(blobs);
        insert(blobs, blob);
    }
    breaker__blobs_unlock(blobs);
    return blob;
}

/* ---- a blob ---- */

breaker__blob_t *breaker__blob_ref(breaker__blob_t *blob)
{
    size_t before = atomic_fetch_add_explicit(&blob->refs, 1, memory_order_relaxed);

    assert(before != 0);
    return blob;
}

static void free_blob(breaker__blob_t *blob)
{
    breaker__blobs_t *blobs = blob->blobs;
    uint64_t memory = sizeof(*blob) + breaker__blob_memory(blob);

    assert(blob->assets == NULL);
    assert(!blob->is_wanted);
    for (size_t e = 0; e != BREAKER_ENCODINGS; ++e) {
        breaker__body_t *body = breaker__blob_encoding(blob, e);

        memory += body != NULL ? sizeof(*body) : 0;
        breaker__body_free(body);
    }
    for (breaker__body_t *body = blob->spoilt, *next; body != NULL; body = next) {
        next = body->next;
        memory += sizeof(*body);
        breaker__body_free(body);
    }
    breaker__spool_unref(atomic_load_explicit(&blob->spool, memory_order_relaxed));
    free(blob);
    atomic_fetch_sub_explicit(&blobs->memory, memory, memory_order_relaxed);
    breaker__blobs_unref(blobs);
}

void breaker__blob_unref(breaker__blob_t *blob)
{
    breaker__cached_t *cached;
    breaker__blobs_t *blobs;

    if (blob == NULL)
        return;
    blobs = blob->blobs;
    if (!breaker__blobs_drop(blobs, &blob->refs))
        return;
    if (blob->is_listed)
        take_out(blobs, blob);
    cached = breaker__cached_take_off(blob);
    breaker__blobs_unlock(blobs);
    breaker__cached_unref(cached);
    free_blob(blob);
}

const uint8_t *breaker__blob_digest(const breaker__blob_t *blob)
{
    return blob->digest;
}

uint64_t breaker__blob_len(const breaker__blob_t *blob)
{
    return blob->len;
}

breaker__blob_state_t breaker__blob_state(const breaker__blob_t *blob)
{
    return atomic_load_explicit(&blob->state, memory_order_acquire);
}

bool breaker__blob_has_bytes(const breaker__blob_t *blob)
{
    breaker__blob_state_t state = breaker__blob_state(blob);

    return state == BREAKER__BLOB_HERE || state == BREAKER__BLOB_CACHED;
}

uint64_t breaker__blob_memory(breaker__blob_t *blob)
{
    uint64_t memory = 0;

    for (size_t e = 0; e != BREAKER_ENCODINGS; ++e) {
        const breaker__body_t *body = breaker__blob_encoding(blob, e);

        memory += body != NULL ? breaker__body_memory(body) : 0;
    }
    return memory;
}

const breaker_variant_t *breaker__blob_body(breaker__blob_t *blob)
{
    const breaker__body_t *body = breaker__blob_encoding(blob, BREAKER_ENCODING_IDENTITY);

    return body != NULL ? &body->bytes : NULL;
}

/* ---- bytes ---- */

static void own(breaker__blob_t *blob, breaker__body_t *body)
{
    breaker_encoding_t encoding = body->bytes.encoding;

    assert(body->bytes.etag[0] == '"');
    assert(breaker__blob_encoding(blob, encoding) == NULL);
    body->bytes._blob = blob;
    count(blob->blobs, sizeof(*body) + breaker__body_memory(body));
    atomic_store_explicit(&blob->bodies[encoding], body, memory_order_release);
}

void breaker__blob_set_encoding(breaker__blob_t *blob, breaker__body_t *body)
{
    assert(body->bytes.encoding != BREAKER_ENCODING_IDENTITY);
    own(blob, body);
}

static void set_identity(breaker__blob_t *blob, breaker__body_t *body)
{
    assert(body->bytes.encoding == BREAKER_ENCODING_IDENTITY);
    assert(body->bytes.len == blob->len);
    breaker__etag_format(blob->digest, body->bytes.etag);
    own(blob, body);
}

static int take_locked(breaker__blob_t *blob, breaker__body_t *body)
{
    if (breaker__blob_state(blob) == BREAKER__BLOB_HERE) {
        breaker__body_free(body);
        return 0;
    }
    /* all assets get the bytes, or none does */
    if (!breaker__assets_make_spares(blob)) {
        breaker__body_free(body);
        return BREAKER_ERR_NO_MEMORY;
    }
    set_identity(blob, body);
    breaker__assets_follow(blob);
    atomic_store_explicit(&blob->state, BREAKER__BLOB_HERE, memory_order_release);
    breaker__cached_unref(breaker__cached_take_off(blob));
    return 0;
}

int breaker__blob_take(breaker__blob_t *blob, breaker__body_t *body)
{
    int err;

    breaker__blobs_lock(blob->blobs);
    err = take_locked(blob, body);
    breaker__blobs_unlock(blob->blobs);
    return err;
}

static bool spoil_locked(breaker__blob_t *blob, const breaker__disk_t *disk)
{
    breaker__body_t *body = breaker__blob_encoding(blob, BREAKER_ENCODING_IDENTITY);

    if (blob->cached != NULL && blob->cached->disk == disk) {
        atomic_store_explicit(&blob->state, BREAKER__BLOB_ABSENT, memory_order_release);
        breaker__cached_unref(breaker__cached_take_off(blob));
        return true;
    }
    if (body == NULL || body->disk != disk || !breaker__assets_make_spares(blob))
        return false;
    body->next = blob->spoilt;
    blob->spoilt = body;
    atomic_store_explicit(&blob->state, BREAKER__BLOB_ABSENT, memory_order_release);
    atomic_store_explicit(&blob->bodies[BREAKER_ENCODING_IDENTITY], NULL, memory_order_release);
    breaker__assets_follow(blob);
    return true;
}

bool breaker__blob_spoil(breaker__blob_t *blob, const breaker__disk_t *disk)
{
    breaker__blobs_t *blobs = blob->blobs;
    bool is_spoilt;

    if (atomic_load_explicit(&blobs->on_wanted, memory_order_relaxed) == NULL)
        return false;
    breaker__blobs_lock(blobs);
    is_spoilt = spoil_locked(blob, disk);
    breaker__blobs_unlock(blobs);
    return is_spoilt;
}

int breaker__blob_renew(breaker__blob_t *blob, breaker__body_t *body, breaker__blob_t **ret_blob)
{
    breaker__blobs_t *blobs = blob->blobs;
    breaker__blob_t *renewed = create(blobs, blob->digest, blob->len);

    if (renewed == NULL) {
        breaker__body_free(body);
        return BREAKER_ERR_NO_MEMORY;
    }
    set_identity(renewed, body);
    atomic_store_explicit(&renewed->state, BREAKER__BLOB_HERE, memory_order_release);
    breaker__blobs_lock(blobs);
    if (blob->is_listed)
        take_out(blobs, blob);
    insert(blobs, renewed);
    breaker__blobs_unlock(blobs);
    *ret_blob = renewed;
    return 0;
}

/* an asset has a reference for each name, and its blob one for each asset; what is beyond them is
 * of somebody who has found the blob, and will name it or read it */
static bool is_shared_locked(const breaker__blob_t *blob, size_t num_names)
{
    size_t num_assets = 0, num = 0;

    for (breaker__shared_asset_t *shared = blob->assets; shared != NULL; shared = shared->next) {
        ++num_assets;
        num += atomic_load_explicit(&shared->refs, memory_order_acquire);
    }
    assert(num >= num_names);
    return num != num_names ||
           atomic_load_explicit(&blob->refs, memory_order_acquire) != num_assets;
}

bool breaker__blob_retire(breaker__blob_t *blob, size_t num_names)
{
    bool is_shared;

    breaker__blobs_lock(blob->blobs);
    is_shared = is_shared_locked(blob, num_names);
    if (!is_shared && blob->is_listed)
        take_out(blob->blobs, blob);
    breaker__blobs_unlock(blob->blobs);
    return !is_shared;
}

void breaker__blob_put_back(breaker__blob_t *blob)
{
    breaker__blobs_lock(blob->blobs);
    if (!blob->is_listed && look_up(blob->blobs, blob->digest, blob->len) == NULL)
        insert(blob->blobs, blob);
    breaker__blobs_unlock(blob->blobs);
}

bool breaker__blob_count_once(breaker__blob_t *blob, uint64_t number)
{
    bool is_news = blob->counted != number;

    assert(number != 0);
    blob->counted = number;
    return is_news;
}

/* ---- bytes from elsewhere ---- */

int breaker__blob_fill(breaker__blob_t *blob, const char *base)
{
    breaker__body_t *body;
    char *dst;

    if (breaker__blob_state(blob) == BREAKER__BLOB_HERE)
        return 0;
    if ((body = breaker__body_create(BREAKER_ENCODING_IDENTITY, blob->len)) == NULL)
        return BREAKER_ERR_NO_MEMORY;
    if (blob->len != 0) {
        if ((dst = breaker__body_begin(body, &blob->blobs->sealed, UINT64_MAX)) == NULL) {
            breaker__body_free(body);
            return BREAKER_ERR_NO_MEMORY;
        }
        memcpy(dst, base, blob->len);
        breaker__body_keep(body, &blob->blobs->sealed);
    }
    return breaker__blob_take(blob, body);
}

breaker__disk_t *breaker__blob_watch(const breaker__blob_t *blob, int fd,
                                     const breaker__stamp_t *checked, int *ret_err)
{
    breaker__stamp_t stamp;
    breaker__disk_t *disk;
    struct stat status;

    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        *ret_err = BREAKER_ERR_IO;
        return NULL;
    }
    if ((uint64_t)status.st_size != blob->len) {
        *ret_err = BREAKER_ERR_CHANGED;
        return NULL;
    }
    breaker__stamp_from(&status, &stamp);
    if ((disk = breaker__disk_create(checked != NULL ? checked : &stamp)) == NULL)
        *ret_err = BREAKER_ERR_NO_MEMORY;
    return disk;
}

int breaker__blob_fill_from(breaker__blob_t *blob, int fd, const breaker__stamp_t *checked)
{
    breaker__body_t *body;
    breaker__disk_t *disk;
    int err = 0;

    assert(fd >= 0);
    if (breaker__blob_state(blob) == BREAKER__BLOB_HERE ||
        (disk = breaker__blob_watch(blob, fd, checked, &err)) == NULL) {
        close(fd);
        return err;
    }
    if ((body = breaker__body_create(BREAKER_ENCODING_IDENTITY, blob->len)) == NULL) {
        breaker__disk_free(disk);
        close(fd);
        return BREAKER_ERR_NO_MEMORY;
    }
    breaker__body_set_file(body, fd, disk);
    return breaker__blob_take(blob, body);
}

void breaker__blobs_settle(breaker__blobs_t *blobs)
{
    breaker__sealed_finish(&blobs->sealed);
}

/* of a blob without bytes */
static void set_state(breaker__blob_t *blob, breaker__blob_state_t state)
{
    assert(state != BREAKER__BLOB_HERE && state != BREAKER__BLOB_CACHED);
    breaker__blobs_lock(blob->blobs);
    if (!breaker__blob_has_bytes(blob))
        atomic_store_explicit(&blob->state, state, memory_order_release);
    breaker__blobs_unlock(blob->blobs);
}

void breaker__blob_set_lost(breaker__blob_t *blob, bool is_lost)
{
    set_state(blob, is_lost ? BREAKER__BLOB_LOST : BREAKER__BLOB_ABSENT);
}

void breaker__blob_set_elsewhere(breaker__blob_t *blob)
{
    set_state(blob, BREAKER__BLOB_ELSEWHERE);
}
