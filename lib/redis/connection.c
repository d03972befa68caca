/*
 * One conversation with one server. The server speaks only when it was asked, so whatever it says
 * unasked ends the conversation, and so does every time limit: a stream that is out of step would
 * give the answer to one question for the answer to the next.
 *
 *   CONNECTING ─▶ AUTH ─▶ SELECT ─▶ IDLE ◀──▶ ASKED
 *
 * Invariants: the timer runs in every state but IDLE; on_ready, on_reply and on_failed are called
 * last, when our own state is finished. What the server says of AUTH is not repeated, because
 * servers quote the commands that they refuse.
 */
#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "redis/codec.h"
#include "redis/connection.h"
#include "redis/refusal.h"
#include "redis/transport.h"

typedef enum en_state_t {
    STATE_CONNECTING,
    STATE_AUTH,
    STATE_SELECT,
    STATE_IDLE,
    STATE_ASKED,
    STATE_FAILED,
    STATE_CLOSED,
} state_t;

struct st_breaker__connection_t {
    uv_loop_t *loop; /* borrowed: outlives us */
    breaker__connection_config_t config;
    breaker__connection_callbacks_t callbacks;
    state_t state;
    breaker__codec_t *codec;         /* owned */
    breaker__transport_t *transport; /* owned until it is closed */
    uv_timer_t timer;
    /** the server has said something */
    bool has_heard;
    /** the server has refused the password */
    bool is_refused;
    /** what the loop still knows of us: the timer, the transport */
    unsigned pending;
};

static void unref(breaker__connection_t *connection)
{
    breaker__connection_callbacks_t callbacks = connection->callbacks;

    assert(connection->pending != 0);
    if (--connection->pending != 0)
        return;
    assert(connection->state == STATE_CLOSED);
    breaker__codec_free(connection->codec);
    free(connection);
    callbacks.on_gone(callbacks.data);
}

/* ---- the conversation ---- */

static void fail(breaker__connection_t *connection, const char *reason)
{
    assert(connection->state != STATE_FAILED && connection->state != STATE_CLOSED);
    connection->state = STATE_FAILED;
    uv_timer_stop(&connection->timer);
    connection->callbacks.on_failed(connection->callbacks.data, reason);
}

static const char *overdue_reason(const breaker__connection_t *connection)
{
    switch (connection->state) {
    case STATE_CONNECTING:
        /* a server of plaintext waits for more of what it takes for a command */
        return connection->config.tls != NULL &&
                       breaker__transport_is_accepted(connection->transport)
                   ? "it accepted the connection and did not speak TLS in time: is it a plain "
                     "Redis, for redis://?"
                   : "it did not accept the connection in time";
    case STATE_AUTH:
        return "it did not answer AUTH in time";
    case STATE_SELECT:
        return "it did not answer SELECT in time";
    case STATE_ASKED:
        return "it did not answer in time";
    case STATE_IDLE:
    case STATE_FAILED:
    case STATE_CLOSED:
        break;
    }
    return "out of time";
}

static void on_time_over(uv_timer_t *timer)
{
    breaker__connection_t *connection = timer->data;

    assert(connection->state != STATE_IDLE);
    fail(connection, overdue_reason(connection));
}

static void start_timer(breaker__connection_t *connection, uint64_t timeout_ms)
{
    int err;

    uv_update_time(connection->loop);
    err = uv_timer_start(&connection->timer, on_time_over, timeout_ms, 0);
    assert(err == 0); /* it fails only for a closing timer or without a callback */
    (void)err;
}

/* Sends a command of our own, before we are ready. */
static void say(breaker__connection_t *connection, state_t state, size_t argc,
                const char *const *argv)
{
    size_t lens[3], len;
    char *base;

    assert(argc <= sizeof(lens) / sizeof(lens[0]));
    for (size_t i = 0; i != argc; ++i)
        lens[i] = strlen(argv[i]);
    connection->state = state;
    if (breaker__command_format(argc, argv, lens, &base, &len) != 0) {
        fail(connection, "out of memory");
        return;
    }
    breaker__transport_write(connection->transport, base, len);
    breaker__command_free(base, len);
}

static void become_ready(breaker__connection_t *connection)
{
    connection->state = STATE_IDLE;
    uv_timer_stop(&connection->timer);
    connection->callbacks.on_ready(connection->callbacks.data);
}

static void select_db(breaker__connection_t *connection)
{
    char db[16];
    const char *argv[] = {"SELECT", db};

    if (connection->config.db == 0) {
        become_ready(connection);
        return;
    }
    snprintf(db, sizeof(db), "%u", (unsigned)connection->config.db);
    say(connection, STATE_SELECT, 2, argv);
}

static void authenticate(breaker__connection_t *connection)
{
    const breaker__connection_config_t *config = &connection->config;
    const char *password = config->password != NULL ? config->password : "";
    const char *with_user[] = {"AUTH", config->user, password};
    const char *without[] = {"AUTH", password};

    if (config->user != NULL)
        say(connection, STATE_AUTH, 3, with_user);
    else if (config->password != NULL)
        say(connection, STATE_AUTH, 2, without);
    else
        select_db(connection);
}

static bool is_ok(const breaker_reply_t *reply)
{
    return reply->type == BREAKER_REPLY_STATUS && reply->len == 2 &&
           memcmp(reply->base, "OK", 2) == 0;
}

static void fail_with_error(breaker__connection_t *connection, const char *what,
                            const breaker_reply_t *reply)
{
    char words[160], reason[256];

    breaker__refusal_print(reply, connection->config.password, words, sizeof(words));
    snprintf(reason, sizeof(reason), "%s: %s", what, words);
    fail(connection, reason);
}

static void take_reply(breaker__connection_t *connection, const breaker_reply_t *reply)
{
    switch (connection->state) {
    case STATE_AUTH:
        connection->is_refused = breaker__refusal_is_of_password(reply);
        if (is_ok(reply))
            select_db(connection);
        else
            fail(connection, breaker__refusal_of_auth(reply));
        return;
    case STATE_SELECT:
        if (is_ok(reply))
            become_ready(connection);
        else
            fail_with_error(connection, "SELECT", reply);
        return;
    case STATE_ASKED:
        connection->state = STATE_IDLE;
        uv_timer_stop(&connection->timer);
        connection->callbacks.on_reply(connection->callbacks.data, reply);
        return;
    case STATE_IDLE:
        if (reply->type == BREAKER_REPLY_ERROR)
            fail_with_error(connection, "it said unasked", reply);
        else
            fail(connection, "a reply came that nobody asked for");
        return;
    case STATE_CONNECTING:
    case STATE_FAILED:
    case STATE_CLOSED:
        break;
    }
    assert(!"bytes come only while the conversation lasts");
}

/* ---- callbacks of the transport ---- */

static void on_open(void *data)
{
    breaker__connection_t *connection = data;

    assert(connection->state == STATE_CONNECTING);
    authenticate(connection);
}

static void on_bytes(void *data, const char *base, size_t len)
{
    breaker__connection_t *connection = data;
    breaker_reply_t *reply;

    connection->has_heard = true;
    /* The transport may have more in hand when we have heard enough. */
    if (connection->state == STATE_FAILED || connection->state == STATE_CLOSED)
        return;
    if (breaker__codec_feed(connection->codec, base, len, &reply) != 0) {
        fail(connection, breaker__codec_reason(connection->codec));
        return;
    }
    if (reply == NULL) {
        if (connection->state == STATE_IDLE)
            fail(connection, "bytes came that nobody asked for");
        return;
    }
    take_reply(connection, reply);
    breaker__reply_free(reply);
}

static bool is_asked(state_t state)
{
    return state == STATE_AUTH || state == STATE_SELECT || state == STATE_ASKED;
}

/* A server of TLS closes what it takes for a broken handshake. */
static void on_failed(void *data, const char *reason)
{
    breaker__connection_t *connection = data;
    char words[BREAKER__REASON_MAX];

    if (connection->state == STATE_FAILED)
        return;
    if (connection->config.tls != NULL || connection->has_heard || !is_asked(connection->state)) {
        fail(connection, reason);
        return;
    }
    snprintf(words, sizeof(words), "%s before its first answer, it may speak TLS only", reason);
    fail(connection, words);
}

static void on_gone(void *data)
{
    unref(data);
}

/* ---- */

breaker__connection_t *breaker__connection_open(uv_loop_t *loop,
                                                const breaker__connection_config_t *config,
                                                const breaker__connection_callbacks_t *callbacks)
{
    breaker__connection_t *connection = calloc(1, sizeof(*connection));
    breaker__transport_callbacks_t ours = {connection, on_open, on_bytes, on_failed, on_gone};

    if (connection == NULL)
        return NULL;
    connection->loop = loop;
    connection->config = *config;
    connection->callbacks = *callbacks;
    if ((connection->codec = breaker__codec_create()) == NULL)
        goto Fail;
    connection->transport = breaker__transport_open(loop, &config->endpoint, config->tls,
                                                    config->connect_timeout_ms, &ours);
    if (connection->transport == NULL)
        goto Fail;
    uv_timer_init(loop, &connection->timer);
    connection->timer.data = connection;
    connection->pending = 2;
    start_timer(connection, config->connect_timeout_ms);
    return connection;

Fail:
    breaker__codec_free(connection->codec);
    free(connection);
    return NULL;
}

void breaker__connection_ask(breaker__connection_t *connection, const char *base, size_t len)
{
    assert(connection->state == STATE_IDLE);
    connection->state = STATE_ASKED;
    start_timer(connection, connection->config.reply_timeout_ms);
    breaker__transport_write(connection->transport, base, len);
}

static void on_timer_closed(uv_handle_t *handle)
{
    unref(handle->data);
}

bool breaker__connection_local(const breaker__connection_t *connection,
                               struct sockaddr_storage *ret_address)
{
    assert(connection->state != STATE_CLOSED);
    return breaker__transport_local(connection->transport, ret_address);
}

bool breaker__connection_is_refused(const breaker__connection_t *connection)
{
    return connection->is_refused;
}

void breaker__connection_close(breaker__connection_t *connection)
{
    assert(connection->state != STATE_CLOSED);
    connection->state = STATE_CLOSED;
    breaker__transport_close(connection->transport);
    uv_close((uv_handle_t *)&connection->timer, on_timer_closed);
}
