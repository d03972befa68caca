/* The application behind the rewriting, and the node in front of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <zlib.h>
#include "pages.h"
#include "serving/publisher.h"
#include "serving/snapshot.h"

/* ---- the application ---- */

typedef struct st_answer_t {
    h2o_generator_t super;
    app_t *app;
    size_t sent;
    char *chunk; /* owned, until the next one is asked for */
} answer_t;

static void on_answer_dispose(void *_answer)
{
    answer_t *answer = _answer;

    free(answer->chunk);
}

static void send_end(answer_t *answer, h2o_req_t *req, h2o_iovec_t *buf)
{
    ++answer->app->num_ends;
    h2o_send(req, buf, buf->len != 0 ? 1 : 0,
             answer->app->fails ? H2O_SEND_STATE_ERROR : H2O_SEND_STATE_FINAL);
}

static void send_next(answer_t *answer, h2o_req_t *req)
{
    app_t *app = answer->app;
    size_t len = app->body_len - answer->sent;
    h2o_iovec_t buf;

    if (app->chunk_len != 0 && len > app->chunk_len)
        len = app->chunk_len;
    free(answer->chunk);
    answer->chunk = malloc(len + 1);
    assert_non_null(answer->chunk);
    if (len != 0)
        memcpy(answer->chunk, app->body + answer->sent, len);
    buf = h2o_iovec_init(answer->chunk, len);
    answer->sent += len;
    if (answer->sent == app->body_len && (!app->late_end || len == 0))
        send_end(answer, req, &buf);
    else
        h2o_send(req, &buf, 1, H2O_SEND_STATE_IN_PROGRESS);
}

static void on_answer_proceed(h2o_generator_t *answer, h2o_req_t *req)
{
    send_next((answer_t *)answer, req);
}

static void on_answer_stop(h2o_generator_t *_answer, h2o_req_t *req)
{
    answer_t *answer = (answer_t *)_answer;

    (void)req;
    ++answer->app->num_stops;
    free(answer->chunk);
    answer->chunk = NULL;
}

static void add_headers(app_t *app, h2o_req_t *req)
{
    if (app->shared_headers != NULL) {
        req->res.headers =
            (h2o_headers_t){app->shared_headers, app->num_shared_headers, app->num_shared_headers};
        return;
    }
    for (size_t i = 0; app->headers != NULL && app->headers[i] != NULL; ++i) {
        const char *header = app->headers[i], *colon = strchr(header, ':');
        h2o_iovec_t name = h2o_strdup(&req->pool, header, (size_t)(colon - header));
        h2o_strtolower(name.base, name.len);
        h2o_add_header_by_str(&req->pool, &req->res.headers, name.base, name.len, 1, NULL,
                              colon + 2, strlen(colon + 2));
    }
}

static bool is_unmodified(const app_t *app, const h2o_req_t *req)
{
    ssize_t at = h2o_find_header(&req->headers, H2O_TOKEN_IF_NONE_MATCH, -1);

    return app->etag != NULL && at != -1 &&
           h2o_memis(req->headers.entries[at].value.base, req->headers.entries[at].value.len,
                     app->etag, strlen(app->etag));
}

static int send_not_modified(app_t *app, h2o_req_t *req)
{
    static h2o_generator_t nothing;

    req->res.status = 304;
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_ETAG, NULL, app->etag,
                   strlen(app->etag));
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_LAST_MODIFIED, NULL,
                   H2O_STRLIT("Sun, 06 Nov 1994 08:49:37 GMT"));
    h2o_start_response(req, &nothing);
    h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
    return 0;
}

static int on_app_req(h2o_handler_t *_app, h2o_req_t *req)
{
    app_t *app = (app_t *)_app;
    answer_t *answer;

    ++app->num_requests;
    if (is_unmodified(app, req))
        return send_not_modified(app, req);
    answer = h2o_mem_alloc_shared(&req->pool, sizeof(*answer), on_answer_dispose);
    *answer = (answer_t){.super = {on_answer_proceed, on_answer_stop}, .app = app};
    req->res.status = app->status;
    add_headers(app, req);
    if (app->announces_length)
        req->res.content_length = app->body_len;
    h2o_start_response(req, &answer->super);
    if (h2o_memis(req->method.base, req->method.len, H2O_STRLIT("HEAD")))
        h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
    else
        send_next(answer, req);
    return 0;
}

/* ---- the server ---- */

static void write_page(const pages_t *pages)
{
    char path[128];
    FILE *fp;

    snprintf(path, sizeof(path), "%s/page.html", pages->dir);
    fp = fopen(path, "w");
    assert_non_null(fp);
    fputs("<script src=\"" LITERAL "app.js\"></script>", fp);
    assert_int_equal(fclose(fp), 0);
}

void pages_prepare(pages_t *pages, const char *const *names)
{
    breaker_h2o_rewrite_config_t config;

    breaker_h2o_rewrite_config_init(&config);
    pages_prepare_config(pages, names, &config);
}

void pages_prepare_config(pages_t *pages, const char *const *names,
                          const breaker_h2o_rewrite_config_t *config)
{
    breaker_node_config_t node_config;
    breaker_view_config_t view_config;
    const breaker_view_t *view;

    memset(pages, 0, sizeof(*pages));
    strcpy(pages->dir, "/tmp/breaker-pages-XXXXXX");
    assert_non_null(mkdtemp(pages->dir));
    write_page(pages);

    loopback_server_init(&pages->server);
    breaker_h2o_node_config_init(&node_config, &pages->server.config);
    assert_int_equal(breaker_node_create(&node_config, &pages->node), 0);
    assert_int_equal(breaker_node_set_token(pages->node, TOKEN, strlen(TOKEN)), 0);
    for (; *names != NULL; ++names) {
        breaker_view_config_init(&view_config);
        view_config.name = *names;
        view_config.directory = pages->dir;
        assert_int_equal(breaker_node_add_view(pages->node, &view_config, &view), 0);
    }
    pages->app = (app_t *)h2o_create_handler(pages->server.path, sizeof(*pages->app));
    pages->app->super.on_req = on_app_req;
    assert_int_equal(breaker_h2o_rewrite_register_config(pages->server.path, pages->node, config),
                     0);
}

void pages_start(pages_t *pages)
{
    breaker_error_t error;

    if (breaker_node_load(pages->node, &error) != 0)
        fail_msg("%s", error.message);
    loopback_server_start(&pages->server);
}

void pages_dispose(pages_t *pages)
{
    char path[128];

    loopback_server_dispose(&pages->server);
    breaker_node_free(pages->node);
    snprintf(path, sizeof(path), "%s/page.html", pages->dir);
    unlink(path);
    rmdir(pages->dir);
}

int pages_setup_unstarted(void **state)
{
    static const char *const names[] = {"static/{breaker}", NULL};
    pages_t *pages = malloc(sizeof(*pages));

    assert_non_null(pages);
    pages_prepare(pages, names);
    *state = pages;
    return 0;
}

int pages_setup(void **state)
{
    pages_setup_unstarted(state);
    pages_start(*state);
    return 0;
}

int pages_teardown(void **state)
{
    pages_dispose(*state);
    free(*state);
    return 0;
}

void pages_set_token(pages_t *pages, const char *token)
{
    const breaker_view_t *views[BREAKER_VIEWS_MAX];
    breaker_token_t tokens[BREAKER_VIEWS_MAX];
    breaker__snapshot_config_t config = {.views = views, .tokens = tokens};
    breaker_snapshot_t *snapshot;

    config.num_views = breaker_node_num_views(pages->node);
    for (size_t i = 0; i != config.num_views; ++i) {
        views[i] = breaker_node_view(pages->node, i);
        assert_int_equal(breaker_token_parse(token, strlen(token), tokens + i), 0);
    }
    assert_int_equal(breaker__snapshot_create(&config, &snapshot), 0);
    breaker__publisher_publish(breaker_node_publisher(pages->node), snapshot);
}

void pages_publish(breaker_node_t *node, const pages_token_t *history, size_t num)
{
    const breaker_view_t *views[BREAKER_VIEWS_MAX];
    breaker_token_t tokens[BREAKER_VIEWS_MAX], own = {.len = 0};
    breaker_ledger_entry_t entries[BREAKER_LEDGER_MAX];
    breaker_ledger_t ledger;
    breaker__snapshot_config_t config = {.views = views, .tokens = tokens, .ledger = &ledger};
    breaker_snapshot_t *snapshot;

    config.release = breaker_node_release(node);
    for (size_t i = 0; i != num; ++i) {
        const pages_token_t *at = history + i;
        entries[i] =
            (breaker_ledger_entry_t){.order = i, .release = *breaker_release_id(config.release)};
        assert_int_equal(breaker_token_parse(at->token, strlen(at->token), &entries[i].token), 0);
        if (at->id == NULL)
            own = entries[i].token;
        else
            assert_int_equal(breaker_release_id_parse(at->id, strlen(at->id), &entries[i].release),
                             0);
    }
    config.num_views = breaker_node_num_views(node);
    for (size_t i = 0; i != config.num_views; ++i) {
        views[i] = breaker_node_view(node, i);
        tokens[i] = own;
    }
    assert_int_equal(breaker_ledger_init(&ledger, entries, num), 0);
    assert_int_equal(breaker__snapshot_create(&config, &snapshot), 0);
    breaker__publisher_publish(breaker_node_publisher(node), snapshot);
    breaker_release_unref(config.release);
}

void pages_answer(pages_t *pages, const char *const *headers, const char *body, size_t len)
{
    app_t *app = pages->app;

    app->status = 200;
    app->headers = headers;
    app->body = body;
    app->body_len = len;
    app->chunk_len = 0;
    app->late_end = app->fails = app->announces_length = false;
    app->etag = NULL;
    app->num_requests = app->num_ends = app->num_stops = 0;
}

/* ---- assertions ---- */

void assert_body(const loopback_t *exchange, const char *base, size_t len)
{
    if (exchange->body->size != len)
        fail_msg("%zu bytes for %zu: %.*s", exchange->body->size, len, (int)exchange->body->size,
                 exchange->body->bytes);
    if (len != 0)
        assert_memory_equal(exchange->body->bytes, base, len);
}

void assert_gzip_body(const loopback_t *exchange, const char *base, size_t len)
{
    char *decoded = malloc(len + 1);
    z_stream zlib = {.next_in = (Bytef *)exchange->body->bytes,
                     .avail_in = (uInt)exchange->body->size,
                     .next_out = (Bytef *)decoded,
                     .avail_out = (uInt)len + 1};

    assert_non_null(decoded);
    assert_int_equal(inflateInit2(&zlib, 15 + 16), Z_OK);
    assert_int_equal(inflate(&zlib, Z_FINISH), Z_STREAM_END);
    assert_int_equal(zlib.total_out, len);
    assert_memory_equal(decoded, base, len);
    inflateEnd(&zlib);
    free(decoded);
}

void assert_header(loopback_t *exchange, const char *name, const char *value)
{
    const char *found = loopback_response_header(exchange, name);

    if (value == NULL) {
        if (found != NULL)
            fail_msg("unexpected %s: %s", name, found);
        return;
    }
    if (found == NULL)
        fail_msg("no %s", name);
    assert_string_equal(found, value);
    assert_int_equal(loopback_count_response_headers(exchange, name), 1);
}

void assert_seen(loopback_t *exchange, const char *name, const char *value)
{
    const char *found = loopback_request_header(exchange, name);

    if (value == NULL) {
        if (found != NULL)
            fail_msg("the application saw %s: %s", name, found);
        return;
    }
    if (found == NULL)
        fail_msg("the application did not see %s", name);
    assert_string_equal(found, value);
}
