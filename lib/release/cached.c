/*
 * Bytes that are here for now, in two lists by when they were read last: those in memory and those
 * in open files. Many bytes have pages of their own, which the system has back at once. Kept
 * always: what somebody reads stays until he has read it, piece by piece unless he takes none for a
 * while, and what was brought for a request stays until that had its turn, so that requests do not
 * take each other's bytes away in turns.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "release/blob.h"
#include "release/cached.h"
#include "release/digest.h"

enum {
    PAGE = 4096,
    /* fewer bytes are allocated: a process may have some 65,000 mappings */
    PAGES_MIN = 16 * PAGE,
    /* how many are looked at for one that may go */
    LOOKS_MAX = 64,
};

uint64_t breaker__cached_span(uint64_t len)
{
    return len < PAGES_MIN ? len : (len + PAGE - 1) / PAGE * PAGE;
}

static breaker__cached_kind_t kind_of(const breaker__cached_t *cached)
{
    return cached->bytes.fd >= 0 ? BREAKER__CACHED_FILE : BREAKER__CACHED_MEMORY;
}

static breaker__cached_list_t *list_of(const breaker__cached_t *cached)
{
    return cached->bytes._blob->blobs->cached + kind_of(cached);
}

uint64_t breaker__blobs_cached_memory(breaker__blobs_t *blobs)
{
    uint64_t memory;

    breaker__blobs_lock(blobs);
    memory = blobs->cached[BREAKER__CACHED_MEMORY].memory;
    breaker__blobs_unlock(blobs);
    return memory;
}

size_t breaker__blobs_cached_files(breaker__blobs_t *blobs)
{
    size_t num;

    breaker__blobs_lock(blobs);
    num = blobs->cached[BREAKER__CACHED_FILE].num;
    breaker__blobs_unlock(blobs);
    return num;
}

/* ---- memory ---- */

static char *take_memory(size_t size)
{
    void *pages;

    if (size < PAGES_MIN)
        return malloc(size);
    pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return pages != MAP_FAILED ? pages : NULL;
}

static void give_back(breaker__cached_t *cached)
{
    if (cached->size < PAGES_MIN)
        free(cached->memory);
    else
        munmap(cached->memory, cached->size);
    cached->memory = NULL;
}

/* ---- references ---- */

breaker__cached_t *breaker__cached_ref(breaker__cached_t *cached)
{
    size_t before = atomic_fetch_add_explicit(&cached->refs, 1, memory_order_relaxed);

    assert(before != 0);
    return cached;
}

void breaker__cached_unref(breaker__cached_t *cached)
{
    size_t before;

    if (cached == NULL)
        return;
    before = atomic_fetch_sub_explicit(&cached->refs, 1, memory_order_acq_rel);
    assert(before != 0);
    if (before != 1)
        return;
    atomic_fetch_sub_explicit(&cached->bytes._blob->blobs->memory, sizeof(*cached) + cached->size,
                              memory_order_relaxed);
    give_back(cached);
    if (cached->bytes.fd >= 0)
        close(cached->bytes.fd);
    breaker__disk_free(cached->disk);
    free(cached);
}

/* ---- lists ---- */

static void push(breaker__cached_t *cached)
{
    breaker__cached_list_t *list = list_of(cached);

    cached->newer = NULL;
    cached->older = list->newest;
    if (list->newest != NULL)
        list->newest->newer = cached;
    else
        list->oldest = cached;
    list->newest = cached;
    ++list->num;
    list->memory += cached->size;
}

static void take_out(breaker__cached_t *cached)
{
    breaker__cached_list_t *list = list_of(cached);

    assert(list->num != 0);
    if (cached->newer != NULL)
        cached->newer->older = cached->older;
    else
        list->newest = cached->older;
    if (cached->older != NULL)
        cached->older->newer = cached->newer;
    else
        list->oldest = cached->newer;
    --list->num;
    list->memory -= cached->size;
}

static void move_to_front(breaker__cached_t *cached)
{
    take_out(cached);
    push(cached);
}

breaker__cached_t *breaker__cached_take_off(breaker__blob_t *blob)
{
    breaker__cached_t *cached = blob->cached;

    if (cached == NULL)
        return NULL;
    take_out(cached);
    blob->cached = NULL;
    return cached;
}

breaker__cached_t *breaker__cached_get(breaker__blob_t *blob, bool by_request)
{
    breaker__cached_t *cached;

    /* mostly there is none, and then there is nothing to lock for */
    if (breaker__blob_state(blob) != BREAKER__BLOB_CACHED)
        return NULL;
    breaker__blobs_lock(blob->blobs);
    if ((cached = blob->cached) != NULL) {
        breaker__cached_ref(cached);
        cached->was_read |= by_request;
        cached->is_quiet = false;
        move_to_front(cached);
    }
    breaker__blobs_unlock(blob->blobs);
    return cached;
}

/* ---- coming ---- */

static breaker__cached_t *create(breaker__blob_t *blob, uint64_t now_ms)
{
    breaker__cached_t *cached = calloc(1, sizeof(*cached));

    if (cached == NULL)
        return NULL;
    atomic_init(&cached->refs, 1);
    cached->bytes.encoding = BREAKER_ENCODING_IDENTITY;
    cached->bytes.len = breaker__blob_len(blob);
    cached->bytes.fd = cached->bytes.memory_fd = -1;
    cached->bytes._blob = blob;
    breaker__etag_format(breaker__blob_digest(blob), cached->bytes.etag);
    cached->came_ms = now_ms;
    atomic_fetch_add_explicit(&blob->blobs->memory, sizeof(*cached), memory_order_relaxed);
    return cached;
}

/* takes it over; bytes that came meanwhile on another way stay */
static void attach(breaker__blob_t *blob, breaker__cached_t *cached)
{
    breaker__cached_t *superfluous = cached;

    breaker__blobs_lock(blob->blobs);
    if (!breaker__blob_has_bytes(blob)) {
        assert(blob->cached == NULL);
        blob->cached = cached;
        push(cached);
        atomic_store_explicit(&blob->state, BREAKER__BLOB_CACHED, memory_order_release);
        superfluous = NULL;
    }
    breaker__blobs_unlock(blob->blobs);
    breaker__cached_unref(superfluous);
}

static bool copy(breaker__cached_t *cached, const char *base)
{
    size_t size = (size_t)breaker__cached_span(cached->bytes.len);
    char *memory = take_memory(size);

    if (memory == NULL)
        return false;
    memcpy(memory, base, cached->bytes.len);
    cached->memory = memory;
    cached->size = size;
    cached->bytes.base = memory;
    atomic_fetch_add_explicit(&cached->bytes._blob->blobs->memory, size, memory_order_relaxed);
    return true;
}

int breaker__blob_cache(breaker__blob_t *blob, const char *base, uint64_t now_ms)
{
    breaker__cached_t *cached;

    assert(breaker__blob_len(blob) != 0);
    if (breaker__blob_has_bytes(blob))
        return 0;
    if ((cached = create(blob, now_ms)) == NULL)
        return BREAKER_ERR_NO_MEMORY;
    if (!copy(cached, base)) {
        breaker__cached_unref(cached);
        return BREAKER_ERR_NO_MEMORY;
    }
    attach(blob, cached);
    return 0;
}

int breaker__blob_cache_from(breaker__blob_t *blob, int fd, const breaker__stamp_t *checked,
                             uint64_t now_ms)
{
    breaker__cached_t *cached;
    breaker__disk_t *disk;
    int err = 0;

    assert(fd >= 0);
    if (breaker__blob_has_bytes(blob) ||
        (disk = breaker__blob_watch(blob, fd, checked, &err)) == NULL) {
        close(fd);
        return err;
    }
    if ((cached = create(blob, now_ms)) == NULL) {
        breaker__disk_free(disk);
        close(fd);
        return BREAKER_ERR_NO_MEMORY;
    }
    cached->bytes.fd = fd;
    cached->bytes._disk = cached->disk = disk;
    disk->variant = &cached->bytes;
    disk->cached = cached;
    attach(blob, cached);
    return 0;
}

/* ---- going ---- */

static size_t num_pins(const breaker__cached_t *cached)
{
    return atomic_load_explicit(&cached->bytes._blob->num_pins, memory_order_relaxed);
}

/* references are taken under the lock by whoever has none yet */
static bool may_go(breaker__cached_t *cached, uint64_t now_ms)
{
    if (atomic_load_explicit(&cached->refs, memory_order_acquire) != 1 || num_pins(cached) != 0)
        return false;
    return cached->was_read || now_ms - cached->came_ms >= BREAKER__CACHED_WAIT_MS;
}

/* Whoever is sent them takes nothing. The time begins when that is asked first, so that who reads
 * needs no clock. */
static bool has_stalled(breaker__cached_t *cached, uint64_t now_ms)
{
    if (atomic_load_explicit(&cached->refs, memory_order_acquire) != 1 || num_pins(cached) == 0)
        return false;
    if (!cached->is_quiet)
        cached->quiet_since_ms = now_ms;
    cached->is_quiet = true;
    return now_ms - cached->quiet_since_ms >= BREAKER__CACHED_STALL_MS;
}

static breaker__cached_t *choose(breaker__cached_list_t *list, uint64_t now_ms,
                                 bool (*judge)(breaker__cached_t *cached, uint64_t now_ms))
{
    for (int i = 0; i != LOOKS_MAX && list->oldest != NULL; ++i) {
        breaker__cached_t *cached = list->oldest;

        if (judge(cached, now_ms))
            return cached;
        /* it is being read, or is about to be */
        move_to_front(cached);
    }
    return NULL;
}

bool breaker__blobs_evict(breaker__blobs_t *blobs, breaker__cached_kind_t kind, uint64_t now_ms)
{
    breaker__cached_t *cached;

    breaker__blobs_lock(blobs);
    if ((cached = choose(blobs->cached + kind, now_ms, may_go)) != NULL ||
        (cached = choose(blobs->cached + kind, now_ms, has_stalled)) != NULL) {
        breaker__blob_t *blob = cached->bytes._blob;

        atomic_store_explicit(&blob->state, BREAKER__BLOB_ABSENT, memory_order_release);
        breaker__cached_take_off(blob);
        /* without the lock a blob may go before its bytes */
        breaker__blob_ref(blob);
        breaker__blobs_unlock(blobs);
        breaker__cached_unref(cached);
        breaker__blob_unref(blob);
        return true;
    }
    breaker__blobs_unlock(blobs);
    return false;
}

/* ---- reading ---- */

breaker_file_state_t breaker_variant_pin(const breaker_variant_t *variant, breaker_pin_t **ret_pin)
{
    breaker__cached_t *cached = NULL;
    breaker_file_state_t state;

    if (variant->base == NULL && variant->fd < 0)
        cached = breaker__cached_get(variant->_blob, true);
    *ret_pin = NULL;
    if (cached == NULL) {
        state = breaker_variant_probe(variant);
        /* they have just come, and are found next time */
        if (state == BREAKER_FILE_SOUND && variant->base == NULL && variant->fd < 0)
            state = BREAKER_FILE_ABSENT;
        return state;
    }
    if ((state = breaker_variant_probe(&cached->bytes)) == BREAKER_FILE_SOUND) {
        /* before the reference goes, which keeps them until then */
        atomic_fetch_add_explicit(&variant->_blob->num_pins, 1, memory_order_relaxed);
        *ret_pin = variant->_blob;
    }
    breaker__cached_unref(cached);
    return state;
}

void breaker_pin_drop(breaker_pin_t *pin)
{
    size_t before;

    if (pin == NULL)
        return;
    before = atomic_fetch_sub_explicit(&pin->num_pins, 1, memory_order_relaxed);
    assert(before != 0);
}

void breaker_pin_want(breaker_pin_t *pin)
{
    breaker__blob_want(pin);
}
