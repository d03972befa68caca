/*
 * A multi handle of libcurl on a loop of libh2o, and the transfers of a thread, whoever carries
 * them: libcurl (curl/http2.c), or a wire of ours over a connection that libcurl opened
 * (wire/carrier.c). Carriers only gather what came: the requests are told after all of them have
 * returned, since telling one may end it, and others with it, and libcurl is not to be called from
 * within itself.
 *
 *     begin ─▶ carrier ◀─ sockets, wake
 *                 │ gathered, touched
 *                 ▼
 *              settle ─▶ advance ─▶ libh2o
 *
 * Invariant: a multi handle that is open has a transfer, or its idle timeout runs.
 */
#include <assert.h>
#include <string.h>
#include "thread/timeout.h"
#include "upstream/agent.h"
#include "upstream/curl/http2.h"
#include "upstream/wire/carrier.h"
#include "upstream/wire/kept.h"

/* handles kept without a transfer; a handle is some 6 KiB */
enum { SPARE_MAX = 64 };
/* connections kept without a request: libcurl's own bound goes by how many requests there are now
 */
enum { KEPT_MAX = 1024 };
/* addresses that refuse, of all names that are being connected to */
enum { ADDRESSES_MAX = 64 };
/* what libcurl has open is opened again after this at the soonest */
enum { IDLE_MS_MIN = 1000 };

static void settle(breaker__agent_t *self);

/* ---- libcurl's timer ---- */

static void drive(breaker__agent_t *self)
{
    int num_running;

    self->has_started = false;
    curl_multi_socket_action(self->multi, CURL_SOCKET_TIMEOUT, 0, &num_running);
}

static void on_wake(h2o_timeout_entry_t *entry)
{
    breaker__agent_t *self = H2O_STRUCT_FROM_MEMBER(breaker__agent_t, wake_entry, entry);

    self->is_waking = true;
    drive(self);
    self->is_waking = false;
    settle(self);
}

static int on_timer(CURLM *multi, long after_ms, void *data)
{
    breaker__agent_t *self = data;
    (void)multi;

    if (h2o_timeout_is_linked(&self->wake_entry))
        h2o_timeout_unlink(&self->wake_entry);
    if (after_ms < 0)
        return 0;
    /* a timeout of no time that links itself again would keep the loop from everything else */
    if (after_ms == 0 && self->is_waking)
        after_ms = 1;
    /* Runs of a timeout go by the length that it had when they began, so that a longer one set from
     * within would run at once, and again: it has no length, and its entry a later beginning. */
    h2o_timeout_link(self->ctx->loop, self->wake, &self->wake_entry);
    self->wake_entry.registered_at += (uint64_t)after_ms;
    return 0;
}

/* ---- open and closed ---- */

static void on_driven(void *data)
{
    settle(data);
}

/* false where the kernel has no descriptor left, which passes */
static bool open_multi(breaker__agent_t *self)
{
    self->multi = curl_multi_init();
    self->share = curl_share_init();
    if (self->multi == NULL || self->share == NULL)
        h2o_fatal("no memory");
    if (breaker__sockets_init(&self->sockets, self->multi, self->ctx->loop, on_driven, self) != 0) {
        curl_multi_cleanup(self->multi);
        curl_share_cleanup(self->share);
        self->multi = NULL;
        self->share = NULL;
        return false;
    }
    curl_share_setopt(self->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    curl_multi_setopt(self->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(self->multi, CURLMOPT_TIMERDATA, self);
    curl_multi_setopt(self->multi, CURLMOPT_MAXCONNECTS, (long)KEPT_MAX);
    return true;
}

static void close_multi(breaker__agent_t *self)
{
    assert(self->num_running == 0);
    breaker__kept_close_all(self);
    for (size_t i = 0; i != self->spare.size; ++i)
        curl_easy_cleanup(self->spare.entries[i]);
    self->spare.size = 0;
    curl_multi_cleanup(self->multi);
    curl_share_cleanup(self->share);
    breaker__sockets_dispose(&self->sockets);
    if (h2o_timeout_is_linked(&self->wake_entry))
        h2o_timeout_unlink(&self->wake_entry);
    self->multi = NULL;
    self->share = NULL;
}

static void on_idle(h2o_timeout_entry_t *entry)
{
    close_multi(H2O_STRUCT_FROM_MEMBER(breaker__agent_t, idle_entry, entry));
}

/* ---- handles ---- */

static CURL *create_handle(breaker__agent_t *self)
{
    CURL *easy = curl_easy_init();

    if (easy == NULL || !breaker__origin_prepare(self->origin, easy))
        h2o_fatal("no memory");
    curl_easy_setopt(easy, CURLOPT_SHARE, self->share);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, breaker__sockets_open);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, &self->sockets);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, breaker__sockets_close);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, &self->sockets);
    return easy;
}

CURL *breaker__agent_take_handle(breaker__agent_t *self, breaker__job_t *job)
{
    CURL *easy =
        self->spare.size != 0 ? self->spare.entries[--self->spare.size] : create_handle(self);

    curl_easy_setopt(easy, CURLOPT_PRIVATE, job);
    return easy;
}

void breaker__agent_start_handle(breaker__agent_t *self, CURL *easy)
{
    if (curl_multi_add_handle(self->multi, easy) != CURLM_OK)
        h2o_fatal("libcurl does not take a handle");
    self->has_started = true;
}

void breaker__agent_return_handle(breaker__agent_t *self, CURL *easy)
{
    bool has_closed = self->sockets.has_closed;

    curl_multi_remove_handle(self->multi, easy);
    self->sockets.has_closed = has_closed;
    if (self->spare.size == SPARE_MAX)
        curl_easy_cleanup(easy);
    else
        self->spare.entries[self->spare.size++] = easy;
}

/* ---- transfers ---- */

static bool is_full(const breaker__agent_t *self)
{
    uint32_t max = self->origin->settings.max_connections;

    return max != 0 && self->num_running >= max;
}

/* HTTP/2 is libcurl's, comes by TLS, and knows no Upgrade */
static const breaker__carrier_t *carrier_of(const breaker__agent_t *self,
                                            const breaker__transfer_t *transfer)
{
    return self->origin->settings.http2 && transfer->is_over_tls &&
                   transfer->outgoing->upgrade.len == 0
               ? &breaker__carrier_of_http2
               : &breaker__carrier_of_wire;
}

static void start(breaker__agent_t *self, breaker__transfer_t *transfer)
{
    ++self->num_running;
    transfer->is_counted = true;
    transfer->carrier = carrier_of(self, transfer);
    transfer->carrier->begin(transfer);
}

static void start_next(breaker__agent_t *self)
{
    breaker__transfer_t *next;

    if (h2o_linklist_is_empty(&self->waiting) || is_full(self))
        return;
    next = H2O_STRUCT_FROM_MEMBER(breaker__transfer_t, waiting, self->waiting.next);
    h2o_linklist_unlink(&next->waiting);
    /* a handle leaves with libcurl's timer, in the next turn of the loop */
    start(self, next);
}

void breaker__agent_begin(breaker__agent_t *self, breaker__transfer_t *transfer)
{
    assert(transfer->carrier == NULL);
    if (self->multi == NULL && !open_multi(self)) {
        transfer->is_over = transfer->is_failed = true;
        transfer->failure = "no descriptor is left to reach the application";
        breaker__agent_touch(self, transfer);
        settle(self);
        return;
    }
    if (h2o_timeout_is_linked(&self->idle_entry))
        h2o_timeout_unlink(&self->idle_entry);
    if (is_full(self)) {
        h2o_linklist_insert(&self->waiting, &transfer->waiting);
        return;
    }
    start(self, transfer);
    /* not by the timer that libcurl asks for: the request leaves now */
    if (self->has_started)
        drive(self);
    settle(self);
}

void breaker__agent_discount(breaker__agent_t *self, breaker__transfer_t *transfer)
{
    if (!transfer->is_counted)
        return;
    transfer->is_counted = false;
    --self->num_running;
    start_next(self);
    if (self->num_running == 0)
        h2o_timeout_link(self->ctx->loop, self->idle, &self->idle_entry);
}

void breaker__agent_end(breaker__agent_t *self, breaker__transfer_t *transfer)
{
    const breaker__carrier_t *carrier = transfer->carrier;

    if (h2o_linklist_is_linked(&transfer->waiting))
        h2o_linklist_unlink(&transfer->waiting);
    if (h2o_linklist_is_linked(&transfer->touched))
        h2o_linklist_unlink(&transfer->touched);
    if (carrier == NULL)
        return;
    transfer->carrier = NULL;
    carrier->end(transfer);
    breaker__agent_discount(self, transfer);
}

void breaker__agent_touch(breaker__agent_t *self, breaker__transfer_t *transfer)
{
    if (!h2o_linklist_is_linked(&transfer->touched))
        h2o_linklist_insert(&self->touched, &transfer->touched);
}

void breaker__agent_resume(breaker__agent_t *self, breaker__transfer_t *transfer)
{
    transfer->is_paused = false;
    if (transfer->carrier != NULL && !transfer->is_over)
        transfer->carrier->resume(transfer);
    settle(self);
}

/* ---- what came ---- */

#pragma GCC diagnostic push
/* it names another function, which asks for a socket that there is none of */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

/*
 * When an address refuses, libcurl closes its socket and goes on with the next address only when it
 * is called again, for which it asks nobody: seconds later, by a timer of something else.
 */
static void try_next_addresses(breaker__agent_t *self)
{
    int num_running;

    for (size_t i = 0; i != ADDRESSES_MAX && self->sockets.has_closed; ++i) {
        self->sockets.has_closed = false;
        curl_multi_socket_all(self->multi, &num_running);
    }
}

#pragma GCC diagnostic pop

static void take_results(breaker__agent_t *self)
{
    CURLMsg *message;
    int num_left;

    while ((message = curl_multi_info_read(self->multi, &num_left)) != NULL) {
        breaker__job_t *job;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &job);
        job->on_done(job, message->data.result);
    }
}

static void settle(breaker__agent_t *self)
{
    /* who tells may have begun another transfer: it comes in this round */
    if (self->is_settling)
        return;
    self->is_settling = true;
    if (self->sockets.has_closed)
        try_next_addresses(self);
    take_results(self);
    while (!h2o_linklist_is_empty(&self->touched)) {
        breaker__transfer_t *transfer =
            H2O_STRUCT_FROM_MEMBER(breaker__transfer_t, touched, self->touched.next);
        h2o_linklist_unlink(&transfer->touched);
        transfer->callbacks->advance(transfer);
        take_results(self);
    }
    self->is_settling = false;
}

/* ---- life ---- */

static h2o_timeout_t *create_timeout(const breaker__agent_t *self, uint32_t millis)
{
    return breaker__timeout_create(self->ctx->loop, millis);
}

/* libh2o's own loop goes through all timeouts in each turn, whoever's that is: those of an
 * application that nobody asks for are not there */
static void create_timeouts(breaker__agent_t *self)
{
    const breaker__upstream_settings_t *settings = &self->origin->settings;

    self->wake = create_timeout(self, 0);
    self->idle = create_timeout(self, settings->keepalive_ms > IDLE_MS_MIN ? settings->keepalive_ms
                                                                           : IDLE_MS_MIN);
    self->keeping = create_timeout(self, settings->keepalive_ms);
    self->first_byte = create_timeout(self, settings->first_byte_ms != 0 ? settings->first_byte_ms
                                                                         : settings->io_ms);
    self->io = create_timeout(self, settings->io_ms);
    self->upgraded = create_timeout(self, settings->upgraded_ms);
}

static void free_timeouts(breaker__agent_t *self)
{
    h2o_timeout_t *const timeouts[] = {self->wake,       self->idle, self->keeping,
                                       self->first_byte, self->io,   self->upgraded};

    for (size_t i = 0; i != sizeof(timeouts) / sizeof(timeouts[0]); ++i)
        breaker__timeout_free(self->ctx->loop, timeouts[i]);
}

void breaker__agent_init(breaker__agent_t *self, const breaker__origin_t *origin,
                         h2o_context_t *ctx)
{
    memset(self, 0, sizeof(*self));
    self->origin = origin;
    self->ctx = ctx;
    self->wake_entry.cb = on_wake;
    self->idle_entry.cb = on_idle;
    h2o_linklist_init_anchor(&self->touched);
    h2o_linklist_init_anchor(&self->waiting);
    h2o_linklist_init_anchor(&self->kept);
    h2o_linklist_init_anchor(&self->tunnels);
}

void breaker__agent_use(breaker__agent_t *self)
{
    if (self->wake != NULL)
        return;
    create_timeouts(self);
    self->spare.entries = h2o_mem_alloc(SPARE_MAX * sizeof(self->spare.entries[0]));
}

void breaker__agent_dispose(breaker__agent_t *self)
{
    assert(self->num_running == 0);
    assert(h2o_linklist_is_empty(&self->waiting));
    if (self->wake == NULL)
        return;
    if (h2o_timeout_is_linked(&self->idle_entry))
        h2o_timeout_unlink(&self->idle_entry);
    if (self->multi != NULL)
        close_multi(self);
    free_timeouts(self);
    free(self->spare.entries);
}
