/*
 * Lines of a log, gathered for one write(2). The thread appends without a lock: the bytes first,
 * then the length, which is all that another thread reads. Only who writes them out takes the lock,
 * the thread itself when the batch is full or its time has come, or another one that wants them on
 * disk now. Room is made by the thread alone.
 *
 *   | written | to be written | free |
 *   0       begin            len    SIZE
 *
 * A reader that takes no more is left alone until the next time, and lines that come when there is
 * no room are lost then, and counted. Where the log cannot be written at all nothing is kept.
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "log/batch.h"

enum {
    SIZE = 65536,
    /* room that nearly every line fits into */
    LINE_ROOM = 8192,
    FLUSH_WAIT_S = 1,
};

struct st_breaker__batch_t {
    breaker__sink_t *sink; /* borrowed */
    h2o_context_t *ctx;    /* borrowed */
    h2o_timeout_entry_t timeout;
    /* its reader has no room; until the timeout */
    bool is_stuck;
    char *base; /* owned */
    atomic_size_t len;
    /* held while lines are written and while room is made */
    pthread_mutex_t lock;
    size_t begin;
};

static uint64_t count_lines(const char *base, size_t len)
{
    uint64_t num = 0;

    for (const char *end = base + len; (base = memchr(base, '\n', (size_t)(end - base))) != NULL;
         ++base)
        ++num;
    return num;
}

/* ---- writing, with the lock ---- */

/* without lines as well: of the last one before, a part may be with the sink yet */
static int write_out(breaker__batch_t *batch)
{
    size_t len = atomic_load_explicit(&batch->len, memory_order_acquire);
    int errnum = 0;

    assert(batch->begin <= len);
    batch->begin +=
        breaker__sink_write(batch->sink, batch->base + batch->begin, len - batch->begin, &errnum);
    if (errnum == 0 || errnum == EAGAIN)
        return errnum;
    breaker__sink_lose(batch->sink, count_lines(batch->base + batch->begin, len - batch->begin),
                       errnum);
    batch->begin = len;
    return 0;
}

/* the thread's own */
static void make_room(breaker__batch_t *batch)
{
    size_t len = atomic_load_explicit(&batch->len, memory_order_relaxed);

    if (batch->begin == 0)
        return;
    memmove(batch->base, batch->base + batch->begin, len - batch->begin);
    atomic_store_explicit(&batch->len, len - batch->begin, memory_order_release);
    batch->begin = 0;
}

static void write_by_owner(breaker__batch_t *batch)
{
    pthread_mutex_lock(&batch->lock);
    batch->is_stuck = write_out(batch) == EAGAIN;
    make_room(batch);
    pthread_mutex_unlock(&batch->lock);
}

void breaker__batch_flush(breaker__batch_t *batch)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += FLUSH_WAIT_S;
    if (pthread_mutex_timedlock(&batch->lock, &until) != 0)
        return;
    write_out(batch);
    pthread_mutex_unlock(&batch->lock);
}

/* ---- gathering ---- */

static void expect_end(breaker__batch_t *batch)
{
    if (!h2o_timeout_is_linked(&batch->timeout))
        h2o_timeout_link(batch->ctx->loop, &batch->ctx->hundred_ms_timeout, &batch->timeout);
}

static void on_timeout(h2o_timeout_entry_t *entry)
{
    breaker__batch_t *batch = H2O_STRUCT_FROM_MEMBER(breaker__batch_t, timeout, entry);

    write_by_owner(batch);
    if (batch->is_stuck)
        expect_end(batch);
}

static size_t room_of(const breaker__batch_t *batch)
{
    return SIZE - atomic_load_explicit(&batch->len, memory_order_relaxed);
}

/* whether there is room for a line, made where there was none */
static bool has_room(breaker__batch_t *batch, size_t len)
{
    if (room_of(batch) < len && !batch->is_stuck)
        write_by_owner(batch);
    return room_of(batch) >= len;
}

static void added(breaker__batch_t *batch, size_t len)
{
    size_t before = atomic_load_explicit(&batch->len, memory_order_relaxed);

    assert(before + len <= SIZE);
    atomic_store_explicit(&batch->len, before + len, memory_order_release);
    expect_end(batch);
}

/* one that is longer than a batch; those before it go first */
static void add_long(breaker__batch_t *batch, const breaker__format_t *format, h2o_req_t *req)
{
    size_t size = SIZE, len, written = 0;
    char *line = NULL;
    int errnum = EAGAIN;

    do {
        size *= 2;
        line = h2o_mem_realloc(line, size);
    } while ((len = breaker__format_write(format, req, line, size)) == 0);
    if (!batch->is_stuck)
        written = breaker__sink_write(batch->sink, line, len, &errnum);
    if (written != len)
        breaker__sink_lose(batch->sink, 1, errnum);
    free(line);
}

/* returns whether there was room */
static bool try_to_add(breaker__batch_t *batch, const breaker__format_t *format, h2o_req_t *req)
{
    size_t room = room_of(batch);
    size_t len = breaker__format_write(format, req, batch->base + (SIZE - room), room);

    if (len == 0)
        return false;
    added(batch, len);
    return true;
}

void breaker__batch_add(breaker__batch_t *batch, const breaker__format_t *format, h2o_req_t *req)
{
    if (!has_room(batch, LINE_ROOM)) {
        breaker__sink_lose(batch->sink, 1, EAGAIN);
        return;
    }
    if (try_to_add(batch, format, req))
        return;
    write_by_owner(batch);
    if (try_to_add(batch, format, req))
        return;
    if (room_of(batch) == SIZE)
        add_long(batch, format, req);
    else
        breaker__sink_lose(batch->sink, 1, EAGAIN);
}

/* ---- life ---- */

breaker__batch_t *breaker__batch_create(h2o_context_t *ctx, breaker__sink_t *sink)
{
    breaker__batch_t *batch = h2o_mem_alloc(sizeof(*batch));
    int err;

    memset(batch, 0, sizeof(*batch));
    batch->sink = sink;
    batch->ctx = ctx;
    batch->timeout.cb = on_timeout;
    batch->base = h2o_mem_alloc(SIZE);
    err = pthread_mutex_init(&batch->lock, NULL);
    assert(err == 0);
    (void)err;
    return batch;
}

void breaker__batch_free(breaker__batch_t *batch)
{
    size_t len;

    if (batch == NULL)
        return;
    h2o_timeout_unlink(&batch->timeout);
    write_by_owner(batch);
    len = atomic_load_explicit(&batch->len, memory_order_relaxed);
    breaker__sink_lose(batch->sink, count_lines(batch->base, len), EAGAIN);
    pthread_mutex_destroy(&batch->lock);
    free(batch->base);
    free(batch);
}
