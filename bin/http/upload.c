/*
 * libh2o hands a request on when its body is whole, and keeps a body in memory or in a file until
 * then. Here a request goes on with its head, and its body is read from the connection as the
 * application takes it:
 *
 *     sock->input ─▶ take ─▶ decoded ─▶ read ─▶ the application
 *
 * The request points into the input that its head came in, which therefore is put aside while the
 * body is read into another, and comes back, with the bytes that follow the body, when the request
 * is gone: libh2o then takes the head from it and finds the next request.
 *
 * Invariants: nothing is read while DECODED_MAX bytes wait; `head` is NULL before the first read
 * and after the end; the connection is not kept unless the whole body has been read.
 */
#include <assert.h>
#include <string.h>
#include <sys/socket.h>
#include "upstream/wire/chunked.h"
#include "http/upload.h"

enum { DECODED_MAX = 65536, SILENCE_MAX_S = 60 };

/* lives in the pool of its request */
typedef struct st_upload_t {
    breaker__body_source_t super;
    h2o_linklist_t link;
    h2o_req_t *req;
    h2o_socket_t *sock;
    size_t head_size;
    h2o_buffer_t *head;    /* owned: the connection's input, put aside */
    h2o_buffer_t *decoded; /* owned */
    /* of a chunked one */
    struct phr_chunked_decoder decoder;
    bool is_chunked;
    /* of one with a length: bytes to come; of others what has come */
    uint64_t left, num_read;
    bool expects, keeps_alive;
    bool is_whole, is_broken, is_waited_for;
    int silence_s;
    h2o_timeout_entry_t tick;
    void (*on_unread)(void *data, h2o_socket_t *sock);
    void *data;
} upload_t;

static _Thread_local breaker__uploads_t *own;

static void on_read(h2o_socket_t *sock, const char *err);

static h2o_context_t *context_of(const upload_t *self)
{
    return self->req->conn->ctx;
}

/* ---- reading ---- */

static void stop_reading(upload_t *self)
{
    h2o_socket_read_stop(self->sock);
    h2o_timeout_unlink(&self->tick);
}

static void read_on(upload_t *self)
{
    if (h2o_socket_is_reading(self->sock))
        return;
    h2o_socket_read_start(self->sock, on_read);
    self->silence_s = 0;
    h2o_timeout_link(context_of(self)->loop, &context_of(self)->one_sec_timeout, &self->tick);
}

static void break_off(upload_t *self, int status)
{
    stop_reading(self);
    self->is_broken = true;
    self->super.status = status;
}

static void end_body(upload_t *self)
{
    stop_reading(self);
    self->is_whole = true;
    /* not once the client has been told that the connection ends */
    if (self->keeps_alive && self->req->_generator == NULL && !context_of(self)->shutdown_requested)
        self->req->http1_is_persistent = 1;
}

static void keep(upload_t *self, const char *bytes, size_t len)
{
    memcpy(h2o_buffer_reserve(&self->decoded, len).base, bytes, len);
    self->decoded->size += len;
    self->num_read += len;
}

static void take_bytes(upload_t *self)
{
    h2o_buffer_t *input = self->sock->input;
    size_t len = input->size < self->left ? input->size : (size_t)self->left;

    if (len != 0)
        keep(self, input->bytes, len);
    h2o_buffer_consume(&self->sock->input, len);
    self->left -= len;
    if (self->left == 0)
        end_body(self);
}

static void take_chunks(upload_t *self)
{
    h2o_buffer_t *input = self->sock->input;
    size_t len = input->size;
    ssize_t num_behind = breaker__chunked_decode(&self->decoder, input->bytes, &len);

    if (num_behind == PHR_MALFORMED) {
        break_off(self, 400);
        return;
    }
    if (len != 0)
        keep(self, input->bytes, len);
    /* what follows the body lies behind what was decoded */
    input->size = len + (num_behind > 0 ? (size_t)num_behind : 0);
    h2o_buffer_consume(&self->sock->input, len);
    if (self->num_read > context_of(self)->globalconf->max_request_entity_size)
        break_off(self, 413);
    else if (num_behind != PHR_INCOMPLETE)
        end_body(self);
}

static void take(upload_t *self)
{
    if (self->is_chunked)
        take_chunks(self);
    else
        take_bytes(self);
    if (self->decoded->size >= DECODED_MAX)
        stop_reading(self);
}

/* the reader may end the request, and us with it */
static void tell(upload_t *self)
{
    bool is_waited_for = self->is_waited_for;

    self->is_waited_for = false;
    if (is_waited_for && self->super.on_more != NULL)
        self->super.on_more(self->super.data);
}

/* those of a thread are as many as its clients that send one now */
static upload_t *find(const h2o_socket_t *sock, const h2o_req_t *req)
{
    if (own == NULL)
        return NULL;
    for (h2o_linklist_t *link = own->all.next; link != &own->all; link = link->next) {
        upload_t *self = H2O_STRUCT_FROM_MEMBER(upload_t, link, link);
        if (self->sock == sock || self->req == req)
            return self;
    }
    return NULL;
}

/* a socket's data is libh2o's connection */
static void on_read(h2o_socket_t *sock, const char *err)
{
    upload_t *self = find(sock, NULL);

    assert(self != NULL);
    self->silence_s = 0;
    if (err != NULL)
        break_off(self, 400);
    else
        take(self);
    tell(self);
}

static void on_tick(h2o_timeout_entry_t *entry)
{
    upload_t *self = H2O_STRUCT_FROM_MEMBER(upload_t, tick, entry);

    if (++self->silence_s < SILENCE_MAX_S) {
        h2o_timeout_link(context_of(self)->loop, &context_of(self)->one_sec_timeout, &self->tick);
        return;
    }
    break_off(self, 408);
    tell(self);
}

/* ---- the application reads ---- */

/* RFC 9110 §10.1.1; nothing else is being written yet: the answer has not begun */
static void ask_for_body(const upload_t *self)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

    /* room for 25 bytes there is; a client that gets none of it sends its body all the same */
    if (self->req->_generator == NULL)
        send(h2o_socket_get_fd(self->sock), text, sizeof(text) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void put_head_aside(upload_t *self)
{
    h2o_buffer_t *head = self->sock->input;
    size_t len = head->size - self->head_size;

    assert(head->size >= self->head_size);
    h2o_buffer_init(&self->sock->input, &h2o_socket_buffer_prototype);
    if (len != 0) {
        memcpy(h2o_buffer_reserve(&self->sock->input, len).base, head->bytes + self->head_size,
               len);
        self->sock->input->size = len;
    }
    head->size = self->head_size;
    self->head = head;
    take(self);
    if (self->expects && !self->is_whole && self->num_read == 0)
        ask_for_body(self);
}

static ssize_t on_wanted(breaker__body_source_t *source, char *dst, size_t max)
{
    upload_t *self = H2O_STRUCT_FROM_MEMBER(upload_t, super, source);
    size_t len;

    if (self->head == NULL)
        put_head_aside(self);
    len = self->decoded->size < max ? self->decoded->size : max;
    if (len != 0) {
        memcpy(dst, self->decoded->bytes, len);
        h2o_buffer_consume(&self->decoded, len);
    }
    if (!self->is_whole && !self->is_broken && self->decoded->size < DECODED_MAX)
        read_on(self);
    if (len != 0)
        return (ssize_t)len;
    if (self->is_broken)
        return BREAKER__BODY_BROKEN;
    if (self->is_whole)
        return BREAKER__BODY_END;
    self->is_waited_for = true;
    return BREAKER__BODY_LATER;
}

/* ---- life ---- */

/* the request is gone; libh2o takes its head from the input, or closes the connection */
static void bring_head_back(upload_t *self)
{
    h2o_buffer_t *behind = self->sock->input;

    if (behind->size != 0) {
        memcpy(h2o_buffer_reserve(&self->head, behind->size).base, behind->bytes, behind->size);
        self->head->size += behind->size;
    }
    h2o_buffer_dispose(&behind);
    self->sock->input = self->head;
    self->head = NULL;
}

static void on_request_gone(void *data)
{
    upload_t *self = data;

    h2o_linklist_unlink(&self->link);
    stop_reading(self);
    if (self->head != NULL)
        bring_head_back(self);
    if (!self->is_whole)
        self->on_unread(self->data, self->sock);
    h2o_buffer_dispose(&self->decoded);
}

static bool is_chunked(const struct phr_header *headers, size_t num)
{
    static const char coding[] = "transfer-encoding";

    for (size_t i = 0; i != num; ++i)
        if (headers[i].name != NULL &&
            h2o_lcstris(headers[i].name, headers[i].name_len, coding, sizeof(coding) - 1))
            return h2o_lcstris(headers[i].value, headers[i].value_len, H2O_STRLIT("chunked")) != 0;
    return false;
}

bool breaker__upload_is_possible(const h2o_req_t *req, const breaker__framing_t *framing,
                                 const struct phr_header *headers, size_t num)
{
    /* the word that it waits for would have to be encrypted, behind libh2o's back */
    if (framing->expects && req->conn->callbacks->get_socket(req->conn)->ssl != NULL)
        return false;
    return framing->is_chunked ? is_chunked(headers, num) : framing->length != UINT64_MAX;
}

void breaker__upload_begin(breaker__uploads_t *uploads, h2o_req_t *req,
                           const breaker__framing_t *framing, size_t head_size, bool keeps_alive,
                           void (*on_unread)(void *data, h2o_socket_t *sock), void *data)
{
    upload_t *self = h2o_mem_alloc_shared(&req->pool, sizeof(*self), on_request_gone);

    memset(self, 0, sizeof(*self));
    self->super.length = framing->is_chunked ? SIZE_MAX : (size_t)framing->length;
    self->super.read = on_wanted;
    self->req = req;
    self->sock = req->conn->callbacks->get_socket(req->conn);
    self->head_size = head_size;
    self->is_chunked = framing->is_chunked;
    self->decoder.consume_trailer = 1;
    self->left = framing->length;
    self->expects = framing->expects;
    self->keeps_alive = keeps_alive;
    self->tick.cb = on_tick;
    self->on_unread = on_unread;
    self->data = data;
    h2o_buffer_init(&self->decoded, &h2o_socket_buffer_prototype);
    h2o_linklist_insert(&uploads->all, &self->link);
}

void breaker__uploads_begin(breaker__uploads_t *uploads)
{
    assert(own == NULL);
    h2o_linklist_init_anchor(&uploads->all);
    own = uploads;
}

void breaker__uploads_end(breaker__uploads_t *uploads)
{
    assert(own == uploads);
    assert(h2o_linklist_is_empty(&uploads->all));
    own = NULL;
}

breaker__body_source_t *breaker__body_source_of(h2o_req_t *req)
{
    upload_t *self = find(NULL, req);

    return self != NULL ? &self->super : NULL;
}
