/*
 * One GET from one peer by libcurl. Peers are not trusted: every length has a bound that is checked
 * while bytes come in, and libcurl may do nothing by itself: no redirects, proxies, cookies,
 * passwords, decompression, or protocols but HTTP.
 *
 * Invariants: a body never takes more memory than `body_max`, and none where it goes into a spool;
 * where a rule was broken, `broken_rule` says which, and nothing of the answer is used. What is in
 * a spool by then stays there: its hash decides in the end, whoever sent it.
 */
#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include <breaker/error.h>
#include "peers/transfer.h"

enum { BODY_MIN = 4096, BUFFER_MIN = 1024, BUFFER_MAX = 64 * 1024 };

/* ---- what libcurl calls ---- */

static void hear(breaker__transfer_t *transfer)
{
    transfer->heard_ms = uv_now(transfer->loop);
}

/* the rule that was broken first counts; returns what makes libcurl break off */
static size_t break_off(breaker__transfer_t *transfer, const char *rule)
{
    if (transfer->broken_rule == NULL)
        transfer->broken_rule = rule;
    return 0;
}

static bool begins_with(const char *base, size_t len, const char *name)
{
    size_t name_len = strlen(name);

    return len >= name_len && strncasecmp(base, name, name_len) == 0;
}

/* an interim answer says nothing about the one that follows */
static size_t on_header(char *base, size_t size, size_t num, void *data)
{
    static const char member[] = BREAKER_PEER_MEMBER_HEADER ":";
    breaker__transfer_t *transfer = data;
    size_t len = size * num;

    hear(transfer);
    transfer->headers_len += len;
    if (++transfer->num_headers > BREAKER__TRANSFER_HEADERS_MAX ||
        transfer->headers_len > BREAKER__TRANSFER_HEADERS_LEN_MAX)
        return break_off(transfer, "its answer has too many headers");
    if (begins_with(base, len, "HTTP/"))
        transfer->is_member = false;
    else if (begins_with(base, len, member))
        transfer->is_member = true;
    return len;
}

static bool reserve(breaker__transfer_t *transfer, uint64_t len)
{
    size_t capacity = transfer->capacity != 0 ? transfer->capacity : BODY_MIN;
    char *body;

    assert(transfer->spool == NULL);
    assert(len <= transfer->body_max);
    if (transfer->body != NULL && len <= transfer->capacity)
        return true;
    while (capacity < len)
        capacity *= 2;
    if (capacity > transfer->body_max)
        capacity = transfer->body_max != 0 ? (size_t)transfer->body_max : 1;
    if ((body = realloc(transfer->body, capacity)) == NULL)
        return false;
    transfer->body = body;
    transfer->capacity = capacity;
    return true;
}

/* The body of another answer is read, and dropped, so that its connection can be used again. */
static size_t drop_unwanted(breaker__transfer_t *transfer, size_t len)
{
    transfer->unwanted_len += len;
    return transfer->unwanted_len <= BREAKER__TRANSFER_UNWANTED_MAX ? len : 0;
}

static long status_of(const breaker__transfer_t *transfer)
{
    long status = 0;

    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

static long wanted_status(const breaker__transfer_t *transfer)
{
    return transfer->is_partial ? 206 : 200;
}

static size_t take(breaker__transfer_t *transfer, const char *base, size_t len)
{
    if (transfer->spool == NULL) {
        if (!reserve(transfer, transfer->len + len))
            return break_off(transfer, "there is no memory for what it sends");
        memcpy(transfer->body + transfer->len, base, len);
    } else if (breaker__spool_write(transfer->spool, base, len) != 0) {
        transfer->has_no_room = true;
        return 0;
    }
    transfer->len += len;
    return len;
}

static size_t on_body(char *base, size_t size, size_t num, void *data)
{
    breaker__transfer_t *transfer = data;
    size_t len = size * num;

    hear(transfer);
    if (status_of(transfer) != wanted_status(transfer) || !transfer->is_member)
        return drop_unwanted(transfer, len);
    if (len > transfer->body_max - transfer->len)
        return break_off(transfer, "it sends more than it was asked for");
    return take(transfer, base, len);
}

/*
 * The address that counts is this one: names were looked up, whatever Redis said. A name may have
 * others beside it, IPv4 beside IPv6, which libcurl tries then.
 */
static curl_socket_t on_open_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
    breaker__transfer_t *transfer = data;

    if (purpose != CURLSOCKTYPE_IPCXN || !breaker__reach_allows(transfer->reach, &address->addr)) {
        transfer->was_refused = true;
        return CURL_SOCKET_BAD;
    }
    hear(transfer);
    transfer->was_opened = true;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* ---- the handle ---- */

/*
 * libcurl takes up to a hundred buffers at once, and then waits until the rate is kept, so small
 * buffers keep the waits short, a quarter of a second, which otherwise would look like silence.
 */
static long buffer_size(uint64_t rate)
{
    uint64_t size = rate / 400;

    if (rate == 0 || size > BUFFER_MAX)
        return BUFFER_MAX;
    return size < BUFFER_MIN ? BUFFER_MIN : (long)size;
}

static void forbid(CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_HTTPAUTH, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
    curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
}

static void set_callbacks(breaker__transfer_t *transfer)
{
    CURL *easy = transfer->easy;

    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->curl_reason);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
}

/* what is the same for every ask */
static bool set_up(breaker__transfer_t *transfer, const breaker__transfer_config_t *config)
{
    CURL *easy = transfer->easy;

    forbid(easy);
    set_callbacks(transfer);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    /* a look-up that hangs is left behind, and not waited for */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)config->connect_timeout_ms);
    /* servers close connections that are idle, ours after five seconds */
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, 3L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, buffer_size(config->rate));
    curl_easy_setopt(easy, CURLOPT_MAX_RECV_SPEED_LARGE, (curl_off_t)config->rate);
    if (config->ca_file != NULL &&
        curl_easy_setopt(easy, CURLOPT_CAINFO, config->ca_file) != CURLE_OK)
        return false;
    return curl_easy_setopt(easy, CURLOPT_USERAGENT, "h2o-breaker") == CURLE_OK;
}

int breaker__transfer_init(breaker__transfer_t *transfer, const breaker__transfer_config_t *config)
{
    *transfer =
        (breaker__transfer_t){.multi = config->multi, .reach = config->reach, .loop = config->loop};
    if ((transfer->easy = curl_easy_init()) == NULL)
        return BREAKER_ERR_NO_MEMORY;
    if (set_up(transfer, config))
        return 0;
    breaker__transfer_dispose(transfer);
    return BREAKER_ERR_NO_MEMORY;
}

static void drop_body(breaker__transfer_t *transfer)
{
    free(transfer->body);
    transfer->body = NULL;
    transfer->len = 0;
    transfer->capacity = 0;
}

void breaker__transfer_dispose(breaker__transfer_t *transfer)
{
    assert(!transfer->is_running);
    curl_easy_cleanup(transfer->easy);
    transfer->easy = NULL;
    curl_slist_free_all(transfer->headers);
    transfer->headers = NULL;
    drop_body(transfer);
}

/* ---- one ask ---- */

static bool set_headers(breaker__transfer_t *transfer, const char *auth)
{
    char line[sizeof(BREAKER_PEER_AUTH_HEADER) + 2 + BREAKER__AUTH_MAX];
    struct curl_slist *headers;

    snprintf(line, sizeof(line), "%s: %s", BREAKER_PEER_AUTH_HEADER, auth);
    if ((headers = curl_slist_append(NULL, line)) == NULL)
        return false;
    curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, headers);
    curl_slist_free_all(transfer->headers);
    transfer->headers = headers;
    return true;
}

/* which range comes is not looked at: where it is another one the hash will be */
static bool set_range(breaker__transfer_t *transfer)
{
    char range[sizeof("18446744073709551615-")];
    uint64_t from = transfer->spool != NULL ? breaker_spool_len(transfer->spool) : 0;

    transfer->is_partial = from != 0;
    snprintf(range, sizeof(range), "%" PRIu64 "-", from);
    return curl_easy_setopt(transfer->easy, CURLOPT_RANGE, from != 0 ? range : NULL) == CURLE_OK;
}

static void forget_last(breaker__transfer_t *transfer)
{
    drop_body(transfer);
    transfer->num_headers = 0;
    transfer->headers_len = transfer->unwanted_len = 0;
    transfer->is_member = transfer->was_refused = transfer->was_opened = false;
    transfer->has_no_room = false;
    transfer->broken_rule = NULL;
    transfer->curl_reason[0] = transfer->reason[0] = '\0';
}

int breaker__transfer_begin(breaker__transfer_t *transfer, const breaker__transfer_ask_t *ask)
{
    assert(!transfer->is_running);
    forget_last(transfer);
    transfer->spool = ask->spool;
    transfer->body_max = ask->spool != NULL ? breaker__spool_left(ask->spool) : ask->len;
    if (ask->len > SIZE_MAX / 2 || !set_headers(transfer, ask->auth) ||
        (ask->spool == NULL && !reserve(transfer, ask->is_exact ? ask->len : 0)))
        return BREAKER_ERR_NO_MEMORY;
    if (!set_range(transfer) || curl_easy_setopt(transfer->easy, CURLOPT_URL, ask->url) != CURLE_OK)
        return BREAKER_ERR_NO_MEMORY;
    transfer->is_exact = ask->is_exact;
    if (breaker__multi_add(transfer->multi, transfer->easy) != 0)
        return BREAKER_ERR_NO_MEMORY;
    transfer->is_running = true;
    hear(transfer);
    transfer->begun_ms = transfer->heard_ms;
    return 0;
}

breaker__transfer_t *breaker__transfer_of(CURL *easy)
{
    char *transfer = NULL;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
    assert(transfer != NULL);
    return (breaker__transfer_t *)(void *)transfer;
}

static breaker__transfer_result_t broken(breaker__transfer_t *transfer, const char *reason)
{
    snprintf(transfer->reason, sizeof(transfer->reason), "%s", reason);
    return BREAKER__TRANSFER_BROKEN;
}

static breaker__transfer_result_t by_status(breaker__transfer_t *transfer)
{
    long status = status_of(transfer);

    if (!transfer->is_member)
        return BREAKER__TRANSFER_NOT_A_MEMBER;
    if (status == 404)
        return BREAKER__TRANSFER_NOT_HERE;
    if (status == 503)
        return BREAKER__TRANSFER_BUSY;
    if (status != wanted_status(transfer)) {
        snprintf(transfer->reason, sizeof(transfer->reason), "it answers with status %ld", status);
        return BREAKER__TRANSFER_BROKEN;
    }
    if (transfer->is_exact && transfer->len != transfer->body_max)
        return broken(transfer, "it sends less than it was asked for");
    return BREAKER__TRANSFER_BODY;
}

static bool is_lost_connection(CURLcode result)
{
    return result == CURLE_COULDNT_CONNECT || result == CURLE_GOT_NOTHING ||
           result == CURLE_SEND_ERROR || result == CURLE_RECV_ERROR || result == CURLE_PARTIAL_FILE;
}

breaker__transfer_result_t breaker__transfer_end(breaker__transfer_t *transfer, CURLcode result)
{
    assert(transfer->is_running);
    transfer->is_running = false;
    if (transfer->has_no_room)
        return BREAKER__TRANSFER_NO_ROOM;
    if (transfer->broken_rule != NULL)
        return broken(transfer, transfer->broken_rule);
    if (result == CURLE_OK || transfer->unwanted_len > BREAKER__TRANSFER_UNWANTED_MAX)
        return by_status(transfer);
    if (transfer->was_refused && !transfer->was_opened)
        return broken(transfer, "its address is none that may be asked");
    broken(transfer,
           transfer->curl_reason[0] != '\0' ? transfer->curl_reason : curl_easy_strerror(result));
    return is_lost_connection(result) ? BREAKER__TRANSFER_UNREACHED : BREAKER__TRANSFER_BROKEN;
}

void breaker__transfer_abort(breaker__transfer_t *transfer)
{
    if (!transfer->is_running)
        return;
    transfer->is_running = false;
    breaker__multi_remove(transfer->multi, transfer->easy);
    drop_body(transfer);
}
