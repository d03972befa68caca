#ifndef BREAKER_BIN_EARLY_H
#define BREAKER_BIN_EARLY_H

/* Streams of HTTP/2 that are answered before their body has come. */
#include <stdbool.h>
#include <h2o.h>
/* needs these before it */
#include <h2o/http1.h>
#include <h2o/http2.h>
#include <h2o/http2_internal.h>

/* how many such streams a thread remembers; of one that it has forgotten, a late frame is an error
 */
#define BREAKER__EARLY_MAX 64

typedef struct st_breaker__early_stream_t {
    h2o_http2_conn_t *conn; /* borrowed; NULL: free */
    uint32_t stream_id;
    /* linked from the end of the answer until the client is told to stop */
    h2o_timeout_entry_t patience;
} breaker__early_stream_t;

/** Of one thread; all zero at first. */
typedef struct st_breaker__early_t {
    breaker__early_stream_t streams[BREAKER__EARLY_MAX];
    size_t next;
    /* of them, not free; those of a connection are until it ends */
    size_t num;
    /* the frame that libh2o was about to send last, and was not let: of what, and why */
    const h2o_http2_conn_t *conn;
    uint32_t stream_id;
    int error;
} breaker__early_t;

/**
 * Hears of a RST_STREAM that libh2o is about to send. Returns false where it is not to be sent, or
 * not yet: libh2o refuses something, or complains of what comes after the stream's answer.
 */
bool breaker__early_may_send(breaker__early_t *early, const h2o_http2_conn_t *conn,
                             uint32_t stream_id, int error);

/** What becomes of a stream that libh2o is about to reset. */
typedef enum {
    /** it is reset */
    BREAKER__EARLY_RESET,
    /** the frame that was kept back is sent, and it is reset */
    BREAKER__EARLY_REFUSE,
    /** nothing: it has been answered just now, or its answer is on its way */
    BREAKER__EARLY_SPARE,
} breaker__early_verdict_t;

/** Judges a stream that libh2o is about to reset, and answers it with 413 if its body is too long.
 */
breaker__early_verdict_t breaker__early_judge(breaker__early_t *early, h2o_http2_conn_t *conn,
                                              h2o_http2_stream_t *stream);
/** Remembers a stream whose answer does not wait for its body. */
void breaker__early_begin(breaker__early_t *early, h2o_http2_conn_t *conn, uint32_t stream_id);
/** Hears of the end of a stream: one that was answered early is told so after a while. */
void breaker__early_end(breaker__early_t *early, const h2o_http2_conn_t *conn, uint32_t stream_id);
/** Forgets a connection, which is gone. */
void breaker__early_forget(breaker__early_t *early, const h2o_http2_conn_t *conn);

#endif
