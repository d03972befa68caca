/*
 * Access logs in the place of libh2o's, which write once a request and hold the thread up for it.
 * The lines are those of libh2o; a thread gathers them for each log (batch.c), however many paths
 * it is registered at.
 *
 *   log ── sink: where the lines go
 *    │  ── batches: one a thread, in a list under a lock that only threads that begin or end take,
 *    │     and who flushes
 *    └◀─ loggers of paths, each of which finds its thread's batch in libh2o's context
 */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "log/access_log.h"
#include "log/batch.h"
#include "log/sink.h"

/* what a thread has of a log */
typedef struct st_share_t {
    h2o_linklist_t link;
    h2o_context_t *ctx;      /* borrowed */
    breaker__batch_t *batch; /* owned */
    size_t num_loggers;
} share_t;

struct st_breaker_h2o_access_log_t {
    /* the configuring thread's */
    size_t num_refs;
    breaker__format_t *format; /* owned */
    breaker__sink_t *sink;     /* owned */
    pthread_mutex_t lock;
    h2o_linklist_t shares; /* with the lock */
};

typedef struct st_logger_t {
    h2o_logger_t super;
    breaker_h2o_access_log_t *log; /* owned reference */
} logger_t;

/* ---- a thread's ---- */

static share_t *find_share(breaker_h2o_access_log_t *log, const h2o_context_t *ctx)
{
    for (h2o_linklist_t *link = log->shares.next; link != &log->shares; link = link->next) {
        share_t *share = H2O_STRUCT_FROM_MEMBER(share_t, link, link);
        if (share->ctx == ctx)
            return share;
    }
    return NULL;
}

static share_t *create_share(breaker_h2o_access_log_t *log, h2o_context_t *ctx)
{
    share_t *share = h2o_mem_alloc(sizeof(*share));

    *share = (share_t){.ctx = ctx, .batch = breaker__batch_create(ctx, log->sink)};
    h2o_linklist_insert(&log->shares, &share->link);
    return share;
}

static void on_context_init(h2o_logger_t *_self, h2o_context_t *ctx)
{
    breaker_h2o_access_log_t *log = ((logger_t *)_self)->log;
    share_t *share;

    pthread_mutex_lock(&log->lock);
    if ((share = find_share(log, ctx)) == NULL)
        share = create_share(log, ctx);
    ++share->num_loggers;
    pthread_mutex_unlock(&log->lock);
    h2o_context_set_logger_context(ctx, _self, share->batch);
}

static void on_context_dispose(h2o_logger_t *_self, h2o_context_t *ctx)
{
    breaker_h2o_access_log_t *log = ((logger_t *)_self)->log;
    share_t *share;

    pthread_mutex_lock(&log->lock);
    share = find_share(log, ctx);
    assert(share != NULL);
    if (--share->num_loggers == 0) {
        h2o_linklist_unlink(&share->link);
        breaker__batch_free(share->batch);
        free(share);
    }
    pthread_mutex_unlock(&log->lock);
}

static void on_log(h2o_logger_t *_self, h2o_req_t *req)
{
    breaker__batch_t *batch = h2o_context_get_logger_context(req->conn->ctx, _self);

    breaker__batch_add(batch, ((logger_t *)_self)->log->format, req);
}

/* ---- a path's ---- */

static void on_dispose(h2o_logger_t *_self)
{
    breaker_h2o_access_log_close(((logger_t *)_self)->log);
}

void breaker_h2o_access_log_register(h2o_pathconf_t *pathconf, breaker_h2o_access_log_t *log)
{
    logger_t *self = (void *)h2o_create_logger(pathconf, sizeof(*self));

    self->super.on_context_init = on_context_init;
    self->super.on_context_dispose = on_context_dispose;
    self->super.dispose = on_dispose;
    self->super.log_access = on_log;
    self->log = log;
    breaker__access_log_ref(log);
}

bool breaker__is_access_log(const h2o_logger_t *logger)
{
    return logger->log_access == on_log;
}

const breaker__format_t *breaker__access_log_format(const h2o_logger_t *logger)
{
    assert(breaker__is_access_log(logger));
    return ((const logger_t *)logger)->log->format;
}

/* ---- the log ---- */

int breaker_h2o_access_log_open(const char *path, const char *format, int escape,
                                breaker_h2o_access_log_t **ret_log, breaker_error_t *error)
{
    breaker_h2o_access_log_t *log = h2o_mem_alloc(sizeof(*log));
    int err;

    memset(log, 0, sizeof(*log));
    if ((log->format = breaker__format_create(format, escape, error)) == NULL) {
        free(log);
        return BREAKER_ERR_RANGE;
    }
    if ((log->sink = breaker__sink_open(path, error)) == NULL) {
        breaker__format_free(log->format);
        free(log);
        return BREAKER_ERR_IO;
    }
    err = pthread_mutex_init(&log->lock, NULL);
    assert(err == 0);
    (void)err;
    h2o_linklist_init_anchor(&log->shares);
    log->num_refs = 1;
    *ret_log = log;
    return 0;
}

void breaker__access_log_ref(breaker_h2o_access_log_t *log)
{
    assert(log->num_refs != 0);
    ++log->num_refs;
}

void breaker_h2o_access_log_close(breaker_h2o_access_log_t *log)
{
    if (log == NULL || --log->num_refs != 0)
        return;
    assert(h2o_linklist_is_empty(&log->shares));
    breaker__sink_close(log->sink);
    breaker__format_free(log->format);
    pthread_mutex_destroy(&log->lock);
    free(log);
}

/* ---- writing out ---- */

void breaker__access_log_flush(breaker_h2o_access_log_t *log)
{
    pthread_mutex_lock(&log->lock);
    for (h2o_linklist_t *link = log->shares.next; link != &log->shares; link = link->next)
        breaker__batch_flush(H2O_STRUCT_FROM_MEMBER(share_t, link, link)->batch);
    pthread_mutex_unlock(&log->lock);
}

void breaker__access_log_flush_path(const h2o_pathconf_t *pathconf)
{
    for (size_t i = 0; i != pathconf->loggers.size; ++i)
        if (breaker__is_access_log(pathconf->loggers.entries[i]))
            breaker__access_log_flush(((logger_t *)pathconf->loggers.entries[i])->log);
}
