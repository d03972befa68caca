/*
 * Reads and writes when it can, and asks the loop only where it has to wait. The descriptor is
 * watched for reading as long as the connection is kept or used, so that the kernel hears of it
 * once; an answer that its client does not take is the exception.
 *
 * Whoever has a request is told of its end after the wire has let go of it, so that the wire may
 * serve the next one at once.
 *
 * Invariant: a wire has a transfer, or is among the kept ones of its agent.
 */
#include <assert.h>
#include <string.h>
#include "upstream/wire/carrier.h"
#include "upstream/wire/kept.h"
#include "upstream/wire/wire.h"

static void on_event(breaker__socket_user_t *user, bool is_readable, bool is_writable);

/* ---- life ---- */

breaker__wire_t *breaker__wire_create(breaker__agent_t *agent, breaker__conduit_t conduit)
{
    breaker__wire_t *self = h2o_mem_alloc(sizeof(*self));

    memset(self, 0, sizeof(*self));
    self->agent = agent;
    self->conduit = conduit;
    self->socket_user.on_event = on_event;
    return self;
}

void breaker__wire_free(breaker__wire_t *self)
{
    assert(self->transfer == NULL);
    assert(!h2o_linklist_is_linked(&self->link));
    if (self->conduit.easy != NULL)
        breaker__agent_return_handle(self->agent, self->conduit.easy);
    else
        breaker__sockets_drop(&self->agent->sockets, self->conduit.fd);
    free(self);
}

static void want(breaker__wire_t *self)
{
    int wanted = self->is_blocked ? CURL_POLL_OUT : CURL_POLL_NONE;

    if (self->transfer == NULL || !self->transfer->is_paused)
        wanted |= CURL_POLL_IN;
    breaker__sockets_want(&self->agent->sockets, self->conduit.fd, wanted, &self->socket_user);
}

/* ---- the end of a request ---- */

/* the reply is looked at last: a tunnel has none, and its connection has ended */
static bool is_worth_keeping(const breaker__wire_t *self)
{
    const breaker__transfer_t *transfer = self->transfer;
    const breaker__reply_t *reply = transfer->reply;

    if (self->is_closing || self->intake.has_surplus || !self->sending.is_done)
        return false;
    if (self->agent->origin->settings.keepalive_ms == 0 || transfer->url != NULL)
        return false;
    return !reply->is_closing && (!reply->is_http10 || reply->is_kept_alive);
}

static void let_go(breaker__wire_t *self, bool is_kept)
{
    breaker__transfer_t *transfer = self->transfer;

    self->transfer = NULL;
    transfer->wire = NULL;
    self->is_used = true;
    if (is_kept) {
        want(self);
        breaker__kept_put(self);
    } else {
        breaker__wire_free(self);
    }
    breaker__agent_discount(transfer->agent, transfer);
}

void breaker__wire_drop(breaker__wire_t *self)
{
    self->transfer->wire = NULL;
    self->transfer = NULL;
    breaker__wire_free(self);
}

static void end(breaker__wire_t *self, breaker__intake_state_t state)
{
    breaker__transfer_t *transfer = self->transfer;

    assert(state != BREAKER__INTAKE_MORE);
    if (state == BREAKER__INTAKE_REFUSED && self->is_used && !self->intake.has_begun) {
        breaker__wire_drop(self);
        breaker__carrier_retry(transfer);
        return;
    }
    transfer->is_over = true;
    transfer->is_failed = state == BREAKER__INTAKE_REFUSED;
    breaker__agent_touch(self->agent, transfer);
    let_go(self, !transfer->is_failed && is_worth_keeping(self));
}

/* ---- to the application ---- */

/* false where the request has ended by it */
static bool send_on(breaker__wire_t *self)
{
    self->is_blocked = false;
    switch (breaker__sending_go_on(&self->sending, self->transfer, &self->conduit)) {
    case BREAKER__SENDING_DONE:
    case BREAKER__SENDING_STARVED:
        return true;
    case BREAKER__SENDING_BLOCKED:
        self->is_blocked = true;
        return true;
    case BREAKER__SENDING_CLOSED:
        /* there may be an answer all the same, why nothing more is taken */
        self->is_closing = true;
        return true;
    case BREAKER__SENDING_BROKEN:
        self->transfer->failure = "the body of the request broke off";
        self->intake.has_begun = true; /* not to be sent again */
        end(self, BREAKER__INTAKE_REFUSED);
        return false;
    }
    h2o_fatal("no such state of sending");
}

static bool may_send(const breaker__wire_t *self)
{
    return !self->sending.is_done && !self->is_closing;
}

/* ---- from the application ---- */

static bool is_full(const breaker__transfer_t *transfer)
{
    return transfer->received->size >= BREAKER__RECEIVED_MAX;
}

/* an answer that is an error before the request has gone out says that it is not to go on */
static void stop_sending(breaker__wire_t *self)
{
    if (may_send(self) && self->transfer->reply->status >= 400)
        self->is_closing = true;
}

static breaker__intake_state_t read_once(breaker__wire_t *self, bool *ret_may_have_more)
{
    breaker__transfer_t *transfer = self->transfer;
    h2o_iovec_t room =
        h2o_buffer_reserve(&transfer->received, breaker__intake_room(&self->intake, transfer));
    ssize_t len = breaker__conduit_recv(&self->conduit, room.base, room.len);

    *ret_may_have_more = false;
    if (len == BREAKER__CONDUIT_LATER)
        return BREAKER__INTAKE_MORE;
    if (len <= 0) {
        self->is_closing = true;
        return len == BREAKER__CONDUIT_END ? breaker__intake_end(&self->intake, transfer)
                                           : breaker__intake_reset(&self->intake, transfer);
    }
    /* what TLS has decrypted shows on no descriptor */
    *ret_may_have_more = self->conduit.easy != NULL || (size_t)len == room.len;
    transfer->received->size += (size_t)len;
    return breaker__intake_take(&self->intake, transfer, (size_t)len);
}

/* false where the request has ended by it */
static bool read_on(breaker__wire_t *self)
{
    breaker__transfer_t *transfer = self->transfer;
    breaker__intake_state_t state = BREAKER__INTAKE_MORE;
    bool may_have_more = true;
    size_t size_before = transfer->received->size;

    while (may_have_more && state == BREAKER__INTAKE_MORE && !is_full(transfer))
        state = read_once(self, &may_have_more);
    if (state != BREAKER__INTAKE_MORE) {
        end(self, state);
        return false;
    }
    transfer->is_paused = is_full(transfer);
    if (transfer->received->size != size_before)
        breaker__agent_touch(self->agent, transfer);
    if (self->intake.part != BREAKER__PART_HEAD && self->intake.part != BREAKER__PART_RAW)
        stop_sending(self);
    return true;
}

static void on_kept_event(breaker__wire_t *self)
{
    if (breaker__conduit_is_quiet(&self->conduit))
        return;
    breaker__kept_remove(self);
    breaker__wire_free(self);
}

static void on_event(breaker__socket_user_t *user, bool is_readable, bool is_writable)
{
    breaker__wire_t *self = H2O_STRUCT_FROM_MEMBER(breaker__wire_t, socket_user, user);

    if (self->transfer == NULL) {
        on_kept_event(self);
        return;
    }
    if (is_writable && may_send(self) && !send_on(self))
        return;
    if (is_readable && !self->transfer->is_paused && !read_on(self))
        return;
    want(self);
}

/* ---- a request ---- */

void breaker__wire_begin(breaker__wire_t *self, breaker__transfer_t *transfer)
{
    assert(self->transfer == NULL);
    self->transfer = transfer;
    self->is_blocked = self->is_closing = false;
    transfer->wire = self;
    ++transfer->num_sent;
    breaker__sending_start(&self->sending, transfer);
    breaker__intake_start(&self->intake);
    if (send_on(self))
        want(self);
}

void breaker__wire_resume(breaker__wire_t *self)
{
    if (!self->is_blocked && may_send(self) && !send_on(self))
        return;
    if (!self->transfer->is_paused && !read_on(self))
        return;
    want(self);
}

void breaker__wire_pass(breaker__wire_t *self, breaker__transfer_t *transfer)
{
    assert(self->intake.part == BREAKER__PART_RAW);
    self->transfer->wire = NULL;
    self->transfer = transfer;
    transfer->wire = self;
    self->is_blocked = false;
    breaker__sending_start_raw(&self->sending);
}
