/*
 * Where an application is spoken to in HTTP/2, libcurl writes the request and frames the answer,
 * and its callbacks bring both. They are called from within libcurl: what they find is noted and
 * touched.
 *
 * Invariant: `transfer->easy` is set from `begin` to `end`.
 */
#include <assert.h>
#include <string.h>
#include <openssl/ssl.h>
#include "upstream/agent.h"
#include "upstream/curl/http2.h"

/* a body up to this leaves with its head; a longer one is read piece by piece */
enum { BODY_AT_ONCE_MAX = 16384 };

/* ---- libcurl's callbacks ---- */

static size_t on_head_line(char *line, size_t size, size_t num, void *data)
{
    breaker__transfer_t *self = data;
    size_t len = size * num;

    return self->callbacks->on_line(self, line, len) != BREAKER__REPLY_REFUSED
               ? len
               : (size_t)CURL_WRITEFUNC_ERROR;
}

static size_t on_body(char *bytes, size_t size, size_t num, void *data)
{
    breaker__transfer_t *self = data;
    size_t len = size * num;

    if (self->received->size != 0 && self->received->size + len > BREAKER__RECEIVED_MAX) {
        self->is_paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    memcpy(h2o_buffer_reserve(&self->received, len).base, bytes, len);
    self->received->size += len;
    breaker__agent_touch(self->agent, self);
    return len;
}

static size_t on_body_wanted(char *dst, size_t size, size_t num, void *data)
{
    breaker__transfer_t *self = data;
    size_t len = size * num;
    h2o_iovec_t bytes;

    switch (self->callbacks->look(self, &bytes)) {
    case BREAKER__SOURCE_LATER:
        return CURL_READFUNC_PAUSE;
    case BREAKER__SOURCE_BROKEN:
        return CURL_READFUNC_ABORT;
    case BREAKER__SOURCE_END:
        return 0;
    case BREAKER__SOURCE_BYTES:
        break;
    }
    if (len > bytes.len)
        len = bytes.len;
    memcpy(dst, bytes.base, len);
    self->callbacks->take(self, len);
    return len;
}

/* libcurl's HTTP/1 is not to see a byte of an application's (README.md) */
static bool speaks_http2(CURL *easy)
{
    struct curl_tlssessioninfo *session = NULL;
    const unsigned char *protocol = NULL;
    unsigned len = 0;

    if (curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &session) != CURLE_OK || session == NULL ||
        session->backend != CURLSSLBACKEND_OPENSSL || session->internals == NULL)
        return false;
    SSL_get0_alpn_selected(session->internals, &protocol, &len);
    return len == 2 && memcmp(protocol, "h2", 2) == 0;
}

/*
 * libcurl sends a request again when a connection that was kept has ended before a byte of the
 * answer. What a GET or HEAD asks for may be asked for once more, over a new connection; anything
 * else may have been done already.
 */
static int on_about_to_send(void *data, char *address, char *local_address, int port,
                            int local_port)
{
    breaker__transfer_t *self = data;
    (void)address, (void)local_address, (void)port, (void)local_port;

    if (!speaks_http2(self->easy)) {
        self->failure = "the application does not speak HTTP/2, which proxy.http2 asks for";
        return CURL_PREREQFUNC_ABORT;
    }
    if (++self->num_sent > (breaker__outgoing_is_repeatable(self->outgoing) ? 2U : 1U)) {
        self->failure = "a connection that was kept ended, and the request cannot be sent again";
        return CURL_PREREQFUNC_ABORT;
    }
    curl_easy_setopt(self->easy, CURLOPT_FRESH_CONNECT, 1L);
    return CURL_PREREQFUNC_OK;
}

static void on_done(breaker__job_t *job, CURLcode result)
{
    breaker__transfer_t *self = H2O_STRUCT_FROM_MEMBER(breaker__transfer_t, job, job);

    self->is_over = true;
    self->is_failed = result != CURLE_OK;
    self->is_timeout = result == CURLE_OPERATION_TIMEDOUT;
    if (self->is_failed && self->failure == NULL)
        self->failure = curl_easy_strerror(result);
    breaker__agent_touch(self->agent, self);
}

/* ---- the request ---- */

/* libcurl writes no value with a semicolon in its place, and takes "name:" for a field to leave out
 */
static char *line_of(h2o_mem_pool_t *pool, const breaker__outgoing_field_t *field)
{
    const h2o_iovec_t between =
        field->value.len != 0 ? h2o_iovec_init(H2O_STRLIT(": ")) : h2o_iovec_init(H2O_STRLIT(";"));

    return h2o_concat(pool, field->name, between, field->value).base;
}

/* in nodes that are not libcurl's; what it would say of itself is left out by a name without a
 * value */
static struct curl_slist *list_of(h2o_mem_pool_t *pool, const breaker__outgoing_t *outgoing)
{
    static char no_accept[] = "Accept:", no_type[] = "Content-Type:", no_expect[] = "Expect:";
    char *const own[] = {no_expect, no_accept, no_type};
    enum { NUM_OWN = sizeof(own) / sizeof(own[0]) };
    size_t num = outgoing->fields.size;
    struct curl_slist *nodes = h2o_mem_alloc_pool(pool, (num + NUM_OWN) * sizeof(nodes[0]));

    for (size_t i = 0; i != num; ++i)
        nodes[i].data = line_of(pool, outgoing->fields.entries + i);
    /* of two with a name it takes the first */
    for (size_t i = 0; i != NUM_OWN; ++i)
        nodes[num + i].data = own[i];
    for (size_t i = 0; i != num + NUM_OWN; ++i)
        nodes[i].next = i + 1 != num + NUM_OWN ? nodes + i + 1 : NULL;
    return nodes;
}

static void set_callbacks(breaker__transfer_t *self, CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head_line);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_body_wanted);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_about_to_send);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, self);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, self);
    curl_easy_setopt(easy, CURLOPT_READDATA, self);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, self);
}

static void set_body(breaker__transfer_t *self, CURL *easy)
{
    h2o_iovec_t bytes = {NULL, 0};
    size_t len = self->outgoing->body_len;

    if (len == 0 ||
        (len <= BODY_AT_ONCE_MAX && self->callbacks->look(self, &bytes) == BREAKER__SOURCE_BYTES &&
         bytes.len == len)) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, len != 0 ? bytes.base : "");
        return;
    }
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, len != SIZE_MAX ? (curl_off_t)len : -1);
}

/* in the order that libcurl undoes the one before with */
static void set_method(breaker__transfer_t *self, CURL *easy)
{
    h2o_iovec_t method = self->outgoing->method;

    curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, NULL);
    if (breaker__outgoing_is_head(self->outgoing)) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        return;
    }
    if (self->outgoing->has_body)
        set_body(self, easy);
    else if (h2o_memis(method.base, method.len, H2O_STRLIT("GET")))
        return;
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method.base);
}

static void begin(breaker__transfer_t *self)
{
    const breaker__upstream_settings_t *settings = &self->agent->origin->settings;
    CURL *easy;

    assert(self->outgoing->upgrade.len == 0);
    self->job.on_done = on_done;
    self->easy = easy = breaker__agent_take_handle(self->agent, &self->job);
    set_callbacks(self, easy);
    curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 0L);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 0L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, settings->keepalive_ms == 0 ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list_of(self->pool, self->outgoing));
    curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, self->outgoing->target.base);
    set_method(self, easy);
    if (self->url != NULL)
        curl_easy_setopt(easy, CURLOPT_URL, self->url);
    breaker__agent_start_handle(self->agent, easy);
}

static void end(breaker__transfer_t *self)
{
    breaker__agent_return_handle(self->agent, self->easy);
    self->easy = NULL;
}

static void resume(breaker__transfer_t *self)
{
    /* calls back with what it has kept */
    curl_easy_pause(self->easy, CURLPAUSE_CONT);
}

const breaker__carrier_t breaker__carrier_of_http2 = {
    .begin = begin,
    .end = end,
    .resume = resume,
};
