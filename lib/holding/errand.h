#ifndef BREAKER_HOLDING_ERRAND_H
#define BREAKER_HOLDING_ERRAND_H

/*
 * What takes long of the archive, off the holding's thread: a large file is copied or hashed, a
 * disk synced or an archive swept for seconds, while requests wait for what that thread brings.
 */
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>
#include <breaker/release.h>
#include "archive/archive.h"
#include "holding/tracked.h"
#include "release/blobs.h"

/** the most blobs of one errand, and how many bytes of them end it early */
#define BREAKER__ERRAND_BLOBS_MAX 64
#define BREAKER__ERRAND_BYTES (UINT64_C(4) << 20)
/** what the archive says meanwhile: so many notices are kept, each so long with its NUL */
#define BREAKER__ERRAND_NOTICES_MAX 4
#define BREAKER__ERRAND_NOTICE_MAX 512

typedef enum en_breaker__errand_kind_t {
    /** none is under way */
    BREAKER__ERRAND_NONE,
    /** the manifest of `release` is kept, and `about` noted */
    BREAKER__ERRAND_MANIFEST,
    /** `blobs` are kept, or found to be there */
    BREAKER__ERRAND_BLOBS,
    /** `about` is noted */
    BREAKER__ERRAND_NOTE,
    /** the archive is swept by `keep`, and listed */
    BREAKER__ERRAND_SWEEP,
    /** the first of `blobs` is read into `buffer` */
    BREAKER__ERRAND_READ,
    /** the first of `blobs` is hashed, or known to be right, and opened */
    BREAKER__ERRAND_OPEN,
} breaker__errand_kind_t;

/**
 * One errand at a time, on a thread of libuv's pool, with an archive of its own. A zeroed one has
 * none. What it is about is filled in by the holding's thread before it is sent, and read by it
 * when it is back; nobody touches it in between.
 */
typedef struct st_breaker__errand_t {
    breaker__errand_kind_t kind;
    void (*on_back)(void *data);
    void *data;
    breaker__archive_t *archive; /* owned; NULL: there is none */

    breaker__archived_t about;
    breaker_release_t *release; /* owned reference: keeps the blobs as well; or who sends does */
    size_t num_blobs;
    breaker__blob_t *blobs[BREAKER__ERRAND_BLOBS_MAX];
    breaker__archive_keep_t keep;
    breaker_release_id_t ids[BREAKER__TRACKED_MAX];

    /* what came of it */
    int err;
    /** every blob is there */
    bool is_whole;
    breaker__archived_t *archived; /* owned; what is there after the sweep */
    size_t num_archived;
    char *buffer; /* owned; or NULL */
    int fd;       /* owned; or -1 */
    /** of what was opened, before it was hashed */
    breaker__stamp_t stamp;
    size_t num_notices;
    char notices[BREAKER__ERRAND_NOTICES_MAX][BREAKER__ERRAND_NOTICE_MAX];

    uv_work_t work; /* private */
} breaker__errand_t;

/**
 * Opens the archive that errands are done with, as `config` says but for whom it tells. `on_back`
 * is called for each that was sent, on the loop's thread. Fails like `breaker__archive_open`.
 */
int breaker__errand_open(breaker__errand_t *errand, const breaker__archive_config_t *config,
                         void (*on_back)(void *data), void *data, breaker_error_t *error);
/** Sends it; none is under way, and `kind` is not NONE. The loop's thread. */
void breaker__errand_send(breaker__errand_t *errand, uv_loop_t *loop);
/** Forgets what it was about and what came of it. It is not under way. */
void breaker__errand_clear(breaker__errand_t *errand);
/** Closes the archive as well; takes a zeroed one. */
void breaker__errand_dispose(breaker__errand_t *errand);

#endif
