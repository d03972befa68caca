/*
 * Errands to the archive. The holding's thread sends one and goes on; a thread of libuv's pool does
 * it, with an archive of its own, since a handle is one thread's at a time; its end comes back
 * through the loop. Kept always: one is under way at most, and what it is about stays alive.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "holding/errand.h"
#include "release/manifest.h"
#include "thread.h"

/* how much of the manifest's room is taken at first */
enum { TEXT_MIN = 1 << 16 };

/* the log is the holding's thread's */
static void keep_notice(void *data, const char *message)
{
    breaker__errand_t *errand = data;

    if (errand->num_notices == BREAKER__ERRAND_NOTICES_MAX)
        return;
    snprintf(errand->notices[errand->num_notices++], BREAKER__ERRAND_NOTICE_MAX, "%s", message);
}

int breaker__errand_open(breaker__errand_t *errand, const breaker__archive_config_t *config,
                         void (*on_back)(void *data), void *data, breaker_error_t *error)
{
    breaker__archive_config_t own = *config;

    assert(errand->archive == NULL);
    errand->on_back = on_back;
    errand->data = data;
    errand->fd = -1;
    own.on_notice = keep_notice;
    own.data = errand;
    return breaker__archive_open(&own, &errand->archive, error);
}

typedef struct st_text_t {
    char *base;
    size_t len, size;
} text_t;

static int append(void *data, const char *base, size_t len)
{
    text_t *text = data;
    char *grown;

    if (len > text->size - text->len) {
        size_t size = text->size != 0 ? 2 * text->size : TEXT_MIN;
        assert(len <= TEXT_MIN);
        if ((grown = realloc(text->base, size)) == NULL)
            return BREAKER_ERR_NO_MEMORY;
        text->base = grown;
        text->size = size;
    }
    memcpy(text->base + text->len, base, len);
    text->len += len;
    return 0;
}

static int put_manifest(breaker__errand_t *errand)
{
    text_t text = {.base = NULL};
    int err = breaker__manifest_write(errand->release, append, &text);

    if (err == 0)
        err = breaker__archive_put_release(errand->archive, &errand->about, text.base, text.len);
    free(text.base);
    return err;
}

/* a blob that is not HERE lies in the archive already, or is left to whoever asks for it */
static int put(breaker__archive_t *archive, breaker__blob_t *blob)
{
    const breaker_variant_t *body = breaker__blob_body(blob);
    const uint8_t *digest = breaker__blob_digest(blob);
    int fd, err;

    if (body != NULL && body->base != NULL)
        return breaker__archive_put(archive, digest, body->base, body->len);
    if (body != NULL)
        return breaker__archive_put_file(archive, digest, body->fd, body->len);
    if ((err = breaker__archive_get(archive, digest, breaker__blob_len(blob), &fd, NULL)) == 0)
        close(fd);
    return err;
}

/* ends with a disk that refuses; a blob that could not be had only makes the release less than
 * whole
 */
static int put_blobs(breaker__errand_t *errand)
{
    errand->is_whole = true;
    for (size_t i = 0; i != errand->num_blobs; ++i) {
        int err = put(errand->archive, errand->blobs[i]);
        if (err == BREAKER_ERR_IO || err == BREAKER_ERR_NO_MEMORY || err == BREAKER_ERR_CANCELLED)
            return err;
        errand->is_whole &= err == 0;
    }
    return 0;
}

static int sweep(breaker__errand_t *errand)
{
    int err = breaker__archive_sweep(errand->archive, &errand->keep);

    if (err != 0)
        return err;
    return breaker__archive_list(errand->archive, &errand->archived, &errand->num_archived);
}

static int read_blob(breaker__errand_t *errand)
{
    breaker__blob_t *blob = errand->blobs[0];
    uint64_t len = breaker__blob_len(blob);

    assert(errand->num_blobs == 1);
    assert(errand->buffer == NULL);
    if ((errand->buffer = malloc(len + 1)) == NULL)
        return BREAKER_ERR_NO_MEMORY;
    return breaker__archive_read(errand->archive, breaker__blob_digest(blob), len, errand->buffer);
}

static int open_blob(breaker__errand_t *errand)
{
    breaker__blob_t *blob = errand->blobs[0];

    assert(errand->num_blobs == 1);
    assert(errand->fd == -1);
    return breaker__archive_get(errand->archive, breaker__blob_digest(blob),
                                breaker__blob_len(blob), &errand->fd, &errand->stamp);
}

static int run(breaker__errand_t *errand)
{
    switch (errand->kind) {
    case BREAKER__ERRAND_NONE:
        break;
    case BREAKER__ERRAND_MANIFEST:
        return put_manifest(errand);
    case BREAKER__ERRAND_BLOBS:
        return put_blobs(errand);
    case BREAKER__ERRAND_NOTE:
        return breaker__archive_note(errand->archive, &errand->about);
    case BREAKER__ERRAND_SWEEP:
        return sweep(errand);
    case BREAKER__ERRAND_READ:
        return read_blob(errand);
    case BREAKER__ERRAND_OPEN:
        return open_blob(errand);
    }
    assert(!"an errand outside its enum");
    return BREAKER_ERR_STATE;
}

static void on_work(uv_work_t *work)
{
    breaker__errand_t *errand = work->data;
    breaker__scheduling_t before;

    /* the pool is the host's as well, and what it asks for afterwards is not to be slow; but where
     * an errand was the first work of all, its threads have the priority of ours */
    breaker__thread_give_way(0, &before);
    errand->err = run(errand);
    breaker__thread_go_ahead(&before);
}

static void on_worked(uv_work_t *work, int status)
{
    breaker__errand_t *errand = work->data;

    /* nobody cancels */
    assert(status == 0);
    (void)status;
    errand->on_back(errand->data);
}

void breaker__errand_send(breaker__errand_t *errand, uv_loop_t *loop)
{
    int err;

    assert(errand->kind != BREAKER__ERRAND_NONE);
    assert(errand->archive != NULL);
    assert(errand->num_blobs <= BREAKER__ERRAND_BLOBS_MAX);
    errand->work.data = errand;
    err = uv_queue_work(loop, &errand->work, on_work, on_worked);
    assert(err == 0);
}

void breaker__errand_clear(breaker__errand_t *errand)
{
    breaker_release_unref(errand->release);
    free(errand->archived);
    free(errand->buffer);
    if (errand->archive != NULL && errand->fd != -1)
        close(errand->fd);
    errand->fd = -1;
    errand->buffer = NULL;
    errand->kind = BREAKER__ERRAND_NONE;
    errand->release = NULL;
    errand->archived = NULL;
    errand->num_blobs = errand->num_archived = errand->num_notices = 0;
}

void breaker__errand_dispose(breaker__errand_t *errand)
{
    breaker__errand_clear(errand);
    breaker__archive_close(errand->archive);
    errand->archive = NULL;
}
