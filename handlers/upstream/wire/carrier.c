/*
 * Which connection a request gets: one that was kept, else a new one. libcurl finds the address,
 * connects and does TLS, all with its own time-outs, and hands the connection over; without TLS
 * nothing of libcurl's stays with it.
 *
 *     begin ─▶ kept ────────────────▶ wire
 *         └──▶ libcurl ─▶ on_connected ─┘
 *
 * Invariant: a transfer that is not over has a handle that connects, or a wire.
 */
#include <assert.h>
#include "upstream/agent.h"
#include "upstream/wire/carrier.h"
#include "upstream/wire/kept.h"
#include "upstream/wire/wire.h"

static void fail(breaker__transfer_t *self, const char *why)
{
    self->is_over = self->is_failed = true;
    self->failure = why;
    breaker__agent_touch(self->agent, self);
    breaker__agent_discount(self->agent, self);
}

/* ---- connecting ---- */

static void return_handle(breaker__transfer_t *self)
{
    breaker__agent_return_handle(self->agent, self->easy);
    self->easy = NULL;
}

static breaker__conduit_t take_over(breaker__transfer_t *self, curl_socket_t fd)
{
    breaker__conduit_t conduit = {.fd = fd};

    if (self->is_over_tls) {
        conduit.easy = self->easy;
        self->easy = NULL;
    } else {
        breaker__sockets_take(&self->agent->sockets, fd);
        return_handle(self);
    }
    return conduit;
}

static void on_connected(breaker__job_t *job, CURLcode result)
{
    breaker__transfer_t *self = H2O_STRUCT_FROM_MEMBER(breaker__transfer_t, job, job);
    curl_socket_t fd = CURL_SOCKET_BAD;

    if (result == CURLE_OK)
        curl_easy_getinfo(self->easy, CURLINFO_ACTIVESOCKET, &fd);
    if (fd == CURL_SOCKET_BAD) {
        return_handle(self);
        self->is_timeout = result == CURLE_OPERATION_TIMEDOUT;
        fail(self, curl_easy_strerror(result != CURLE_OK ? result : CURLE_COULDNT_CONNECT));
        return;
    }
    breaker__wire_begin(breaker__wire_create(self->agent, take_over(self, fd)), self);
}

static void connect_anew(breaker__transfer_t *self)
{
    CURL *easy;

    assert(self->easy == NULL);
    self->job.on_done = on_connected;
    self->easy = easy = breaker__agent_take_handle(self->agent, &self->job);
    curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    /* libcurl would close it at once; how long it is kept is for the wire to say */
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    if (self->url != NULL)
        curl_easy_setopt(easy, CURLOPT_URL, self->url);
    breaker__agent_start_handle(self->agent, easy);
}

/* ---- the carrier ---- */

static void begin(breaker__transfer_t *self)
{
    breaker__wire_t *wire = breaker__kept_take(self->agent);

    if (wire != NULL)
        breaker__wire_begin(wire, self);
    else
        connect_anew(self);
}

void breaker__carrier_retry(breaker__transfer_t *self)
{
    assert(self->wire == NULL);
    /* what a GET or HEAD asks for may be asked for once more; all else may have been done */
    if (breaker__outgoing_is_repeatable(self->outgoing) && self->num_sent == 1) {
        self->failure = NULL;
        connect_anew(self);
        return;
    }
    fail(self, "a connection that was kept ended, and the request cannot be sent again");
}

static void end(breaker__transfer_t *self)
{
    if (self->easy != NULL)
        return_handle(self);
    if (self->wire != NULL)
        breaker__wire_drop(self->wire);
    assert(self->wire == NULL);
}

static void resume(breaker__transfer_t *self)
{
    if (self->wire != NULL)
        breaker__wire_resume(self->wire);
}

void breaker__carrier_pass(breaker__transfer_t *from, breaker__transfer_t *to)
{
    to->carrier = from->carrier;
    to->is_counted = from->is_counted;
    to->is_over = from->is_over;
    to->is_paused = from->is_paused;
    from->carrier = NULL;
    from->is_counted = false;
    if (from->wire != NULL)
        breaker__wire_pass(from->wire, to);
}

const breaker__carrier_t breaker__carrier_of_wire = {
    .begin = begin,
    .end = end,
    .resume = resume,
};
