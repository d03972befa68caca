/*
 * Connections whose plain requests are answered past libh2o's HTTP/1: read, answer, one sendmsg.
 *
 *   accept ─▶ waiting ──request, not plain──▶ libh2o's HTTP/1, for good
 *              │  ▲
 *       answer │  │ the kernel took all of it (nearly always at once)
 *              ▼  │
 *             writing: not reading; the lease is kept
 *             resting: not reading, for a millisecond; after many answers in a row
 *
 * Nothing of a request is kept between two turns of the loop but its bytes: it is answered when it
 * has come whole, at once or in two pieces, or it is libh2o's, which finds the bytes where they
 * were. Answers are written in the order of their requests, each before the next is looked at.
 * Where access logs hear of an answer, the bytes of its request stay until it has left.
 *
 * Large bodies lie in memory files (release/) and go out by sendfile, without a copy. When the
 * kernel has no room left, the next piece is written from memory through libh2o's socket, whose
 * callback tells that there is room again; that works alike in both flavours.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "answer/host.h"
#include "fastpath/pen_http1.h"
#include "fastpath/plain.h"
#include "fastpath/report.h"
#include "fastpath/routes.h"
#include "fastpath/succession.h"
#include "thread/timeout.h"

enum {
    /* of one connection in a row, a millisecond or two: a client may pipeline requests faster than
       they are answered, and others wait meanwhile */
    ANSWERS_MAX = 256,
    REST_MS = 1,
    /* up to here copying the pieces together costs less than the kernel's way with several */
    GATHER_MAX = 4096,
    /* from here on the head goes out alone: its reader wakes up while the body is being sent, which
       is worth more than a packet saved (measured on loopback, bench/README.md) */
    HEAD_ALONE_MIN = 256 << 10,
    /* what is written from memory when the kernel is full */
    PIECE_LEN = 65536,
    /* longer hosts are looked at in each request */
    HOST_MAX = 64,
};

struct st_breaker_h2o_fastpath_t {
    h2o_accept_ctx_t *accept_ctx; /* borrowed: outlives us */
    breaker__routes_t *routes;    /* owned; NULL: all is libh2o's */
    breaker__pen_http1_t *pen;    /* owned; NULL without routes */
    h2o_linklist_t connections;
    h2o_timeout_t *resting; /* owned */
    /* the request that is looked at, and what access logs hear of its answer; owned */
    breaker__plain_t plain;
    breaker__report_t *report;
    /* that of the last request whose host was one: most requests have the same */
    size_t host_len;
    char host[HOST_MAX];
    /* a short answer in one piece: on the stack it would be watched by the compiler, which costs */
    char gathered[GATHER_MAX];
};

typedef struct st_connection_t {
    breaker_h2o_fastpath_t *fastpath; /* borrowed */
    h2o_socket_t *sock;               /* owned, until libh2o gets it */
    h2o_linklist_t link;
    h2o_timeout_entry_t timeout; /* linked while waiting or resting */
    struct timeval connected_at;
    uint64_t id, num_answered;
    /* within the turns of the loop that began in this millisecond */
    unsigned num_answers;
    uint64_t counted_at_ms;
    /* for the rest of a request, once: what comes in crumbs is libh2o's; when that began */
    bool has_waited;
    struct timeval begun_at;
    /* of an answer that is being sent, with the bytes of its request; NULL where nobody logs it.
       The fast path's own until the answer is left to the loop, then owned */
    breaker__report_t *report;
    size_t taken;
    /* while writing: what the kernel has not been given yet */
    bool is_writing;
    char *head; /* owned: a copy, because the next answer reuses the texts; or NULL */
    const breaker_variant_t *variant;
    uint64_t body_at, body_len;
    void *kept; /* owned reference, or NULL */
} connection_t;

static void process(connection_t *conn);

/* ---- the life of a connection ---- */

static h2o_context_t *context_of(const connection_t *conn)
{
    return conn->fastpath->accept_ctx->ctx;
}

static void start_timeout(connection_t *conn)
{
    h2o_context_t *ctx = context_of(conn);

    /* the timeout counts in milliseconds, in which one connection may get many answers */
    if (conn->timeout.registered_at == h2o_now(ctx->loop))
        return;
    h2o_timeout_unlink(&conn->timeout);
    h2o_timeout_link(ctx->loop, &ctx->http1.req_timeout, &conn->timeout);
}

/* the request's bytes are free, and so is what the answer has kept */
static void end_report(connection_t *conn)
{
    if (conn->report == NULL)
        return;
    breaker__report_end(conn->report);
    if (conn->is_writing)
        breaker__report_free(conn->report);
    conn->report = NULL;
    h2o_buffer_consume(&conn->sock->input, conn->taken);
}

static void end_writing(connection_t *conn)
{
    end_report(conn);
    free(conn->head);
    conn->head = NULL;
    conn->variant = NULL;
    if (conn->kept != NULL)
        h2o_mem_release_shared(conn->kept);
    conn->kept = NULL;
    conn->is_writing = false;
}

static void dispose(connection_t *conn)
{
    end_writing(conn);
    assert(h2o_linklist_is_linked(&conn->link));
    h2o_timeout_unlink(&conn->timeout);
    h2o_linklist_unlink(&conn->link);
    free(conn);
}

static void close_connection(connection_t *conn)
{
    h2o_socket_t *sock = conn->sock;

    assert(sock->data == conn);
    dispose(conn);
    h2o_socket_close(sock);
}

/* libh2o gets the connection as it is, whatever has been read and not been answered included */
static void hand_over(connection_t *conn)
{
    h2o_accept_ctx_t *accept_ctx = conn->fastpath->accept_ctx;
    breaker__past_t past = {conn->id, conn->connected_at, conn->num_answered, {0, 0}};
    h2o_socket_t *sock = conn->sock;

    assert(!conn->is_writing);
    if (conn->has_waited)
        past.begun_at = conn->begun_at;
    h2o_socket_read_stop(sock);
    dispose(conn);
    breaker__http1_succeed(accept_ctx, sock, &past);
}

static void on_timeout(h2o_timeout_entry_t *entry)
{
    close_connection(H2O_STRUCT_FROM_MEMBER(connection_t, timeout, entry));
}

static void on_read(h2o_socket_t *sock, const char *err)
{
    connection_t *conn = sock->data;

    assert(!conn->is_writing);
    if (err != NULL)
        close_connection(conn);
    else
        process(conn);
}

/*
 * Ends an idle connection by ending its input: a request that has reached the kernel is still read,
 * and libh2o answers it as the last one.
 */
static void end_if_idle(connection_t *conn, bool spares_fresh)
{
    if (conn->is_writing || conn->sock->input->size != 0 ||
        (spares_fresh && conn->num_answered == 0))
        return;
    shutdown(h2o_socket_get_fd(conn->sock), SHUT_RD);
}

static void wait_for_request(connection_t *conn)
{
    assert(!conn->is_writing);
    start_timeout(conn);
    h2o_socket_read_start(conn->sock, on_read);
    if (context_of(conn)->shutdown_requested)
        end_if_idle(conn, false);
}

/* ---- writing ---- */

static bool is_sent_from_file(const breaker_variant_t *variant, uint64_t len)
{
    return variant->memory_fd >= 0 && len >= BREAKER_SENDFILE_MIN;
}

/* takes the next piece of the body, all of it when it cannot be sent from a file */
static h2o_iovec_t take_piece(connection_t *conn)
{
    uint64_t len = conn->body_len;
    h2o_iovec_t piece;

    assert(conn->variant->base != NULL);
    if (is_sent_from_file(conn->variant, len) && len > PIECE_LEN)
        len = PIECE_LEN;
    assert(conn->body_at + len <= conn->variant->len);
    piece = h2o_iovec_init(conn->variant->base + conn->body_at, (size_t)len);
    conn->body_at += len;
    conn->body_len -= len;
    return piece;
}

/* sends from the memory file until the kernel is full; returns false when the connection broke */
static bool send_from_file(connection_t *conn)
{
    int fd = h2o_socket_get_fd(conn->sock);

    assert(conn->variant->memory_fd >= 0);
    while (conn->body_len != 0) {
        off_t offset = (off_t)(conn->variant->memory_offset + conn->body_at);
        ssize_t sent = sendfile(fd, conn->variant->memory_fd, &offset, (size_t)conn->body_len);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return sent < 0 && errno == EAGAIN;
        assert((uint64_t)sent <= conn->body_len);
        conn->body_at += (uint64_t)sent;
        conn->body_len -= (uint64_t)sent;
    }
    return true;
}

static void on_written(h2o_socket_t *sock, const char *err)
{
    connection_t *conn = sock->data;
    h2o_iovec_t piece;

    assert(conn->is_writing);
    free(conn->head);
    conn->head = NULL;
    if (err != NULL || (conn->body_len != 0 && !send_from_file(conn))) {
        close_connection(conn);
        return;
    }
    if (conn->body_len != 0) {
        piece = take_piece(conn);
        h2o_socket_write(sock, &piece, 1, on_written);
        return;
    }
    end_writing(conn);
    wait_for_request(conn);
    /* requests that came after the one that was just answered */
    if (sock->input->size != 0)
        process(conn);
}

/* what access logs hear of an answer that is left to the loop */
static void keep_report(connection_t *conn)
{
    breaker_h2o_fastpath_t *fastpath = conn->fastpath;

    if (conn->report == NULL)
        return;
    assert(conn->report == fastpath->report);
    breaker__report_keep(conn->report);
    fastpath->report = breaker__report_create(context_of(conn));
}

/* leaves the rest of an answer to the loop; `sent` bytes of its head are gone */
static void write_rest(connection_t *conn, const breaker__written_t *written, size_t head_len,
                       size_t sent)
{
    h2o_iovec_t bufs[2];
    size_t num = 0, at = 0;

    assert(!conn->is_writing);
    assert(conn->head == NULL);
    assert(sent <= head_len);
    h2o_timeout_unlink(&conn->timeout);
    h2o_socket_read_stop(conn->sock);
    keep_report(conn);
    conn->is_writing = true;
    if (written->kept != NULL) {
        h2o_mem_addref_shared(written->kept);
        conn->kept = written->kept;
    }
    if (sent != head_len) {
        conn->head = h2o_mem_alloc(head_len);
        for (size_t i = 0; i != written->num_head; ++i) {
            memcpy(conn->head + at, written->head[i].iov_base, written->head[i].iov_len);
            at += written->head[i].iov_len;
        }
        bufs[num++] = h2o_iovec_init(conn->head + sent, head_len - sent);
    }
    if (conn->body_len != 0)
        bufs[num++] = take_piece(conn);
    assert(num != 0);
    h2o_socket_write(conn->sock, bufs, num, on_written);
}

/* puts what goes into the first system call after the head; returns how many pieces there are */
static size_t collect_pieces(breaker__written_t *written, int *ret_flags)
{
    size_t num = written->num_head;

    assert(num < BREAKER__PIECES_MAX);
    *ret_flags = MSG_NOSIGNAL;
    if (written->body_len == 0)
        return num;
    if (is_sent_from_file(written->variant, written->body_len)) {
        if (written->body_len < HEAD_ALONE_MIN)
            *ret_flags |= MSG_MORE;
        return num;
    }
    written->head[num] = (struct iovec){
        (void *)(uintptr_t)(written->variant->base + written->body_at), (size_t)written->body_len};
    return num + 1;
}

static inline ssize_t send_gathered(connection_t *conn, const struct iovec *pieces, size_t num,
                                    int flags)
{
    char *text = conn->fastpath->gathered;
    size_t len = 0;

    for (size_t i = 0; i != num; ++i) {
        assert(pieces[i].iov_len <= GATHER_MAX - len);
        memcpy(text + len, pieces[i].iov_base, pieces[i].iov_len);
        len += pieces[i].iov_len;
    }
    return syscall(SYS_sendto, h2o_socket_get_fd(conn->sock), text, len, flags, NULL, 0);
}

/*
 * One system call; returns what it took, or -1 when the connection broke. Past glibc's functions:
 * they are cancellation points, which costs a process with threads some 45 instructions a call.
 */
static ssize_t try_send(connection_t *conn, breaker__written_t *written, size_t head_len)
{
    int flags;
    size_t num = collect_pieces(written, &flags);
    struct msghdr message = {.msg_iov = written->head, .msg_iovlen = num};
    ssize_t sent;

    do {
        if (head_len + written->body_len <= GATHER_MAX)
            sent = send_gathered(conn, written->head, num, flags);
        else
            sent = syscall(SYS_sendmsg, h2o_socket_get_fd(conn->sock), &message, flags);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return errno == EAGAIN ? 0 : -1;
    assert((size_t)sent <= head_len + written->body_len);
    return sent;
}

/* returns whether the next request may be looked at; if not, the connection may be gone */
static bool send_answer(connection_t *conn, breaker__written_t *written)
{
    size_t head_len = 0, head_sent;
    ssize_t sent;

    for (size_t i = 0; i != written->num_head; ++i)
        head_len += written->head[i].iov_len;
    if ((sent = try_send(conn, written, head_len)) < 0) {
        close_connection(conn);
        return false;
    }
    ++conn->num_answered;
    if ((size_t)sent == head_len + written->body_len) {
        start_timeout(conn);
        return true;
    }
    head_sent = (size_t)sent < head_len ? (size_t)sent : head_len;
    conn->variant = written->variant;
    conn->body_at = written->body_at + ((size_t)sent - head_sent);
    conn->body_len = written->body_len - ((size_t)sent - head_sent);
    if (head_sent == head_len && is_sent_from_file(conn->variant, conn->body_len)) {
        if (!send_from_file(conn)) {
            close_connection(conn);
            return false;
        }
        if (conn->body_len == 0) {
            start_timeout(conn);
            return true;
        }
    }
    write_rest(conn, written, head_len, head_sent);
    return false;
}

/* ---- requests ---- */

static void on_rested(h2o_timeout_entry_t *entry)
{
    connection_t *conn = H2O_STRUCT_FROM_MEMBER(connection_t, timeout, entry);

    assert(conn->timeout.cb == on_rested);
    conn->timeout.cb = on_timeout;
    wait_for_request(conn);
    process(conn);
}

/* counts an answer; tells whether it was one too many for now, by the clock that a turn has */
static bool is_too_much(connection_t *conn)
{
    uint64_t now_ms = h2o_now(context_of(conn)->loop);

    if (conn->counted_at_ms != now_ms) {
        conn->counted_at_ms = now_ms;
        conn->num_answers = 0;
    }
    return conn->num_answers++ >= ANSWERS_MAX;
}

/* leaves the thread to the other connections before this one's next request */
static void rest(connection_t *conn)
{
    h2o_context_t *ctx = context_of(conn);

    assert(!conn->is_writing);
    h2o_socket_read_stop(conn->sock);
    h2o_timeout_unlink(&conn->timeout);
    conn->timeout.cb = on_rested;
    /* libh2o's own, of no time at all, would call back within this turn of the loop */
    h2o_timeout_link(ctx->loop, conn->fastpath->resting, &conn->timeout);
}

static uint64_t load(const char *base)
{
    uint64_t word;

    memcpy(&word, base, sizeof(word));
    return word;
}

/* eight bytes a step, the last of which may overlap: a call costs more than a host is long */
static inline bool is_same(breaker_field_t host, const char *known, size_t known_len)
{
    if (host.len != known_len)
        return false;
    if (known_len < sizeof(uint64_t))
        return memcmp(host.base, known, known_len) == 0;
    for (size_t at = 0; at + sizeof(uint64_t) < known_len; at += sizeof(uint64_t))
        if (load(host.base + at) != load(known + at))
            return false;
    return load(host.base + known_len - sizeof(uint64_t)) ==
           load(known + known_len - sizeof(uint64_t));
}

/* whether the host of a request is one; it may lack a Host */
static bool has_host(breaker_h2o_fastpath_t *fastpath, breaker_field_t host)
{
    if (host.base == NULL || is_same(host, fastpath->host, fastpath->host_len))
        return true;
    if (!breaker__is_host(host.base, host.len))
        return false;
    if (host.len != 0 && host.len <= sizeof(fastpath->host)) {
        memcpy(fastpath->host, host.base, host.len);
        fastpath->host_len = host.len;
    }
    return true;
}

/* access logs hear of the answer to a request of `taken` bytes */
static void begin_report(connection_t *conn, size_t taken)
{
    struct timeval now = *h2o_get_timestamp(context_of(conn), NULL, NULL);
    breaker__asker_t asker = {conn->sock, conn->id, conn->num_answered + 1, conn->connected_at,
                              conn->has_waited ? conn->begun_at : now};

    assert(conn->report == NULL);
    conn->report = conn->fastpath->report;
    conn->taken = taken;
    breaker__report_set_asker(conn->report, &asker);
}

/* at a path where somebody attends to answers; returns false when the request is libh2o's */
static bool write_attended(connection_t *conn, size_t taken, breaker__written_t *ret_written)
{
    breaker_h2o_fastpath_t *fastpath = conn->fastpath;
    bool is_reported;

    if (!breaker__routes_write_attended(fastpath->routes, fastpath->pen, &fastpath->plain,
                                        fastpath->report, ret_written, &is_reported)) {
        hand_over(conn);
        return false;
    }
    if (is_reported)
        begin_report(conn, taken);
    else
        h2o_buffer_consume(&conn->sock->input, taken);
    return true;
}

/* answers what has come whole and is plain, one request after another */
static void process(connection_t *conn)
{
    breaker_h2o_fastpath_t *fastpath = conn->fastpath;
    breaker__written_t written;
    breaker__answer_t answer;
    breaker__plain_t *plain = &fastpath->plain;
    ssize_t taken;

    while (conn->sock->input->size != 0) {
        h2o_buffer_t **input = &conn->sock->input;
        if (is_too_much(conn)) {
            rest(conn);
            return;
        }
        taken = breaker__plain_read((*input)->bytes, (*input)->size, plain);
        if (taken == BREAKER__PLAIN_INCOMPLETE && !conn->has_waited &&
            (*input)->size < H2O_MAX_REQLEN) {
            conn->has_waited = true;
            conn->begun_at = *h2o_get_timestamp(context_of(conn), NULL, NULL);
            return;
        }
        if (taken <= 0 || taken > H2O_MAX_REQLEN || context_of(conn)->shutdown_requested ||
            !has_host(fastpath, plain->request.host)) {
            hand_over(conn);
            return;
        }
        if (breaker__routes_answer(fastpath->routes, plain, &answer)) {
            breaker__pen_http1_write(fastpath->pen, &answer, &written);
            h2o_buffer_consume(input, (size_t)taken);
        } else if (!write_attended(conn, (size_t)taken, &written)) {
            return;
        }
        conn->has_waited = false;
        if (!send_answer(conn, &written))
            return;
        if (conn->report != NULL)
            end_report(conn);
    }
}

/* ---- the listener's side ---- */

breaker_h2o_fastpath_t *breaker_h2o_fastpath_create(h2o_accept_ctx_t *accept_ctx)
{
    breaker_h2o_fastpath_t *fastpath = h2o_mem_alloc(sizeof(*fastpath));

    assert(accept_ctx->ctx != NULL);
    fastpath->accept_ctx = accept_ctx;
    fastpath->routes = NULL;
    fastpath->pen = NULL;
    fastpath->plain.parse = breaker__plain_parser();
    fastpath->report = NULL;
    fastpath->host_len = 0;
    h2o_linklist_init_anchor(&fastpath->connections);
    fastpath->resting = breaker__timeout_create(accept_ctx->ctx->loop, REST_MS);
    if (accept_ctx->ssl_ctx == NULL && !accept_ctx->expect_proxy_line)
        fastpath->routes = breaker__routes_create(accept_ctx->ctx, accept_ctx->hosts);
    if (fastpath->routes != NULL) {
        fastpath->pen = breaker__pen_http1_create(accept_ctx->ctx);
        fastpath->report = breaker__report_create(accept_ctx->ctx);
    }
    return fastpath;
}

void breaker_h2o_fastpath_free(breaker_h2o_fastpath_t *fastpath)
{
    if (fastpath == NULL)
        return;
    assert(h2o_linklist_is_empty(&fastpath->connections));
    breaker__timeout_free(fastpath->accept_ctx->ctx->loop, fastpath->resting);
    breaker__routes_free(fastpath->routes);
    breaker__pen_http1_free(fastpath->pen);
    breaker__report_free(fastpath->report);
    free(fastpath);
}

void breaker_h2o_fastpath_accept(breaker_h2o_fastpath_t *fastpath, h2o_socket_t *sock)
{
    connection_t *conn;

    if (fastpath->routes == NULL) {
        h2o_accept(fastpath->accept_ctx, sock);
        return;
    }
    assert(fastpath->pen != NULL);
    conn = h2o_mem_alloc(sizeof(*conn));
    memset(conn, 0, sizeof(*conn));
    conn->fastpath = fastpath;
    conn->sock = sock;
    conn->id = __sync_add_and_fetch(&h2o_connection_id, 1);
    conn->timeout.cb = on_timeout;
    conn->connected_at = *h2o_get_timestamp(fastpath->accept_ctx->ctx, NULL, NULL);
    h2o_linklist_insert(&fastpath->connections, &conn->link);
    sock->data = conn;
    start_timeout(conn);
    h2o_socket_read_start(sock, on_read);
    process(conn);
}

void breaker_h2o_fastpath_end_idle(breaker_h2o_fastpath_t *fastpath, bool spares_fresh)
{
    h2o_linklist_t *link = fastpath->connections.next;

    for (; link != &fastpath->connections; link = link->next)
        end_if_idle(H2O_STRUCT_FROM_MEMBER(connection_t, link, link), spares_fresh);
}
