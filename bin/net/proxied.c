/*
 * Connections that begin with the header of the PROXY protocol, before libh2o sees them: it reads
 * version 1 only, and takes a connection without a header for one of the proxy itself, so that
 * whoever reaches the port may pose as the proxy.
 *
 * What comes after the header, a request or a handshake, stays in the socket's input for whoever
 * gets it next.
 */
#include <assert.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "logs/error_log.h"
#include "net/proxied.h"

/* seconds between two complaints of a thread about one address */
#define COMPLAINT_INTERVAL_S 60

typedef struct st_waiting_t {
    breaker__proxied_t *proxied; /* borrowed: outlives us */
    h2o_socket_t *sock;          /* owned, until it is given away */
    h2o_linklist_t link;
    h2o_timeout_entry_t deadline;
} waiting_t;

/* gives the socket back, which from then on is the caller's */
static h2o_socket_t *forget(waiting_t *waiting)
{
    h2o_socket_t *sock = waiting->sock;

    assert(sock->data == waiting);
    h2o_timeout_unlink(&waiting->deadline);
    h2o_linklist_unlink(&waiting->link);
    h2o_socket_read_stop(sock);
    sock->data = NULL;
    free(waiting);
    return sock;
}

/* once a minute a line says what goes on, with the connection that it meets */
static void complain(breaker__proxied_t *proxied, h2o_socket_t *sock, const char *why)
{
    struct sockaddr_storage peer;
    char from[NI_MAXHOST] = "a local client";
    socklen_t len = h2o_socket_getpeername(sock, (struct sockaddr *)&peer);
    time_t now = time(NULL);

    ++proxied->num_refused;
    if (proxied->complained_at != 0 && now - proxied->complained_at < COMPLAINT_INTERVAL_S)
        return;
    if (len != 0 && peer.ss_family != AF_UNIX)
        h2o_socket_getnumerichost((struct sockaddr *)&peer, len, from);
    breaker__say(BREAKER_LOG_WARNING, BREAKER_LOG_TROUBLE, "refused",
                 breaker_log_word("listener", proxied->name),
                 breaker_log_number("connections", proxied->num_refused),
                 breaker_log_word("from", from), breaker_log_text("reason", why));
    proxied->complained_at = now;
    proxied->num_refused = 0;
}

/* `why`: for the log; NULL: nothing that it should hear of */
static void refuse(waiting_t *waiting, const char *why)
{
    breaker__proxied_t *proxied = waiting->proxied;
    h2o_socket_t *sock = forget(waiting);

    if (why != NULL)
        complain(proxied, sock, why);
    h2o_socket_close(sock);
}

static void on_header(waiting_t *waiting, const breaker__proxy_header_t *header, size_t len)
{
    breaker__proxied_t *proxied = waiting->proxied;
    h2o_socket_t *sock = forget(waiting);
    struct sockaddr_storage client = header->client;

    h2o_buffer_consume(&sock->input, len);
    if (header->client_len != 0)
        h2o_socket_setpeername(sock, (struct sockaddr *)&client, header->client_len);
    proxied->on_accepted(proxied->data, sock);
}

static void on_read(h2o_socket_t *sock, const char *err)
{
    waiting_t *waiting = sock->data;
    breaker__proxy_header_t header;
    ssize_t len;

    /* whoever only looks whether the port is open says nothing, and is not to be complained of */
    if (err != NULL) {
        refuse(waiting,
               sock->input->size != 0 ? "it ended within its header of the PROXY protocol" : NULL);
        return;
    }
    if ((len = breaker__proxy_header_parse(sock->input->bytes, sock->input->size, &header)) < 0)
        refuse(waiting, "it did not begin with a header of the PROXY protocol");
    else if (len > 0)
        on_header(waiting, &header, (size_t)len);
}

static void on_deadline(h2o_timeout_entry_t *entry)
{
    refuse(H2O_STRUCT_FROM_MEMBER(waiting_t, deadline, entry),
           "its header of the PROXY protocol did not come in time");
}

void breaker__proxied_init(breaker__proxied_t *proxied, h2o_context_t *ctx, const char *name,
                           breaker__proxied_accepted_cb on_accepted, void *data)
{
    memset(proxied, 0, sizeof(*proxied));
    h2o_linklist_init_anchor(&proxied->waiting);
    proxied->ctx = ctx;
    proxied->name = name;
    proxied->on_accepted = on_accepted;
    proxied->data = data;
}

void breaker__proxied_accept(breaker__proxied_t *proxied, h2o_socket_t *sock)
{
    waiting_t *waiting = h2o_mem_alloc(sizeof(*waiting));

    memset(waiting, 0, sizeof(*waiting));
    waiting->proxied = proxied;
    waiting->sock = sock;
    waiting->deadline.cb = on_deadline;
    sock->data = waiting;
    h2o_linklist_insert(&proxied->waiting, &waiting->link);
    h2o_timeout_link(proxied->ctx->loop, &proxied->ctx->handshake_timeout, &waiting->deadline);
    h2o_socket_read_start(sock, on_read);
}

void breaker__proxied_end(breaker__proxied_t *proxied)
{
    while (!h2o_linklist_is_empty(&proxied->waiting))
        refuse(H2O_STRUCT_FROM_MEMBER(waiting_t, link, proxied->waiting.next), NULL);
}
