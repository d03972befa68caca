/* What operators and their programs are told, in process: forms, counts, and who may look. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <math.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <cjson/cJSON.h>
#include <breaker/h2o.h>
#include "loopback.h"
#include "status/text.h"
#include "status/users.h"
#include "tree.h"

/* `htpasswd -nbBC 4 ann "open sesame"` */
#define HASH "$2y$04$ELy2Z3zvRKWhAEOoz3mwZe3RetiokV2ccMjX1Lsh.bBMz9fUvJv9S"
#define TOKEN "1718539201234"
#define URL "/static/" TOKEN "/a.css"

typedef struct st_fixture_t {
    tree_t tree;
    loopback_server_t server;
    breaker_node_t *node;
    char users[64];
} fixture_t;

static struct sockaddr_storage client_address;

static socklen_t get_address(h2o_conn_t *conn, struct sockaddr *sa)
{
    (void)conn;
    memcpy(sa, &client_address, sizeof(client_address));
    return sizeof(client_address);
}

static void come_from(const char *text)
{
    struct sockaddr_in *in = (struct sockaddr_in *)&client_address;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&client_address;

    memset(&client_address, 0, sizeof(client_address));
    client_address.ss_family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
    assert_int_equal(inet_pton(client_address.ss_family, text,
                               client_address.ss_family == AF_INET ? (void *)&in->sin_addr
                                                                   : (void *)&in6->sin6_addr),
                     1);
}

static void prepare(fixture_t *fixture, const char *const *allow, size_t num_allow, bool has_users)
{
    breaker_h2o_status_config_t config;
    breaker_node_config_t node_config;
    breaker_view_config_t view_config;
    const breaker_view_t *view;
    breaker_error_t error = {0};
    h2o_pathconf_t *path;

    come_from("127.0.0.1");
    tree_create(&fixture->tree);
    tree_write(&fixture->tree, "a.css", "a{}");
    loopback_server_init(&fixture->server);
    breaker_h2o_node_config_init(&node_config, &fixture->server.config);
    assert_int_equal(breaker_node_create(&node_config, &fixture->node), 0);
    assert_int_equal(breaker_node_set_token(fixture->node, TOKEN, strlen(TOKEN)), 0);
    breaker_view_config_init(&view_config);
    view_config.name = "static/{breaker}";
    view_config.directory = fixture->tree.path;
    assert_int_equal(breaker_node_add_view(fixture->node, &view_config, &view), 0);
    assert_int_equal(breaker_h2o_static_register(fixture->server.path, fixture->node, &view, 1), 0);
    breaker_h2o_status_config_init(&config);
    config.allow = allow;
    config.num_allow = num_allow;
    config.user_file = has_users ? fixture->users : NULL;
    path = loopback_register_path(&fixture->server, "/breaker");
    assert_int_equal(breaker_h2o_status_register(path, fixture->node, &config, &error), 0);
    loopback_server_start(&fixture->server);
    assert_int_equal(breaker_node_load(fixture->node, &error), 0);
}

static void dispose(fixture_t *fixture)
{
    loopback_server_dispose(&fixture->server);
    breaker_node_free(fixture->node);
    tree_remove(&fixture->tree);
}

static int setup(void **state)
{
    static fixture_t fixture;

    memset(&fixture, 0, sizeof(fixture));
    prepare(&fixture, NULL, 0, false);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    dispose(*state);
    return 0;
}

/* `name` and `value` are a header of the request, or NULL */
static loopback_t *ask(fixture_t *fixture, const char *method, const char *path, const char *name,
                       const char *value)
{
    static h2o_conn_callbacks_t callbacks;
    loopback_t *exchange = loopback_open(&fixture->server, method, path);

    callbacks = *exchange->super.callbacks;
    callbacks.get_peername = get_address;
    exchange->super.callbacks = &callbacks;
    if (name != NULL)
        loopback_header(exchange, name, value);
    loopback_run(exchange);
    return exchange;
}

static void expect(fixture_t *fixture, const char *path, const char *name, const char *value,
                   int status)
{
    loopback_t *exchange = ask(fixture, "GET", path, name, value);

    assert_int_equal(exchange->status, status);
    loopback_close(exchange);
}

/* the body, NUL-ended; free(3) */
static char *text_of(fixture_t *fixture, const char *path, const char *accept)
{
    loopback_t *exchange = ask(fixture, "GET", path, accept != NULL ? "accept" : NULL, accept);
    char *text;

    assert_int_equal(exchange->status, 200);
    text = strndup(exchange->body->bytes, exchange->body->size);
    loopback_close(exchange);
    return text;
}

/* the value of a sample, by all that stands before it; NAN without one */
static double sample(const char *text, const char *series)
{
    char line[512];
    const char *at;

    snprintf(line, sizeof(line), "\nh2o_breaker_%s ", series);
    at = strstr(text, line);
    return at != NULL ? strtod(at + strlen(line), NULL) : NAN;
}

static double requests(const char *text, const char *verdict)
{
    char series[256];

    snprintf(series, sizeof(series),
             "requests_total{view=\"static/{breaker}\",host=\"default\",verdict=\"%s\"}", verdict);
    return sample(text, series);
}

/* ---- forms ---- */

static void requests_and_bytes_are_counted_exactly(void **state)
{
    char *text;

    expect(*state, URL, NULL, NULL, 200);
    expect(*state, URL, NULL, NULL, 200);
    expect(*state, URL, "range", "bytes=0-0", 206);
    expect(*state, URL, "if-none-match", "*", 304);
    expect(*state, "/static/1618539201234/a.css", NULL, NULL, 301);
    expect(*state, "/static/" TOKEN "/none", NULL, NULL, 404);
    expect(*state, "/static/1918539201234/a.css", NULL, NULL, 503);
    text = text_of(*state, "/breaker/metrics", NULL);
    assert_true(requests(text, "served") == 2);
    assert_true(requests(text, "partial") == 1);
    assert_true(requests(text, "not_modified") == 1);
    assert_true(requests(text, "redirected") == 1);
    assert_true(requests(text, "not_found") == 1);
    assert_true(requests(text, "retry_later") == 1);
    assert_true(requests(text, "refused") == 0);
    /* "a{}" twice and once a byte of it; what the refusals say is counted as well */
    assert_true(sample(text, "response_body_bytes_total{view=\"static/{breaker}\","
                             "host=\"default\"}") ==
                2 * 3 + 1 + strlen("not found\n") + strlen("not on this node yet, try again\n"));
    free(text);
}

static void every_family_says_what_it_is_before_its_samples(void **state)
{
    char *text = text_of(*state, "/breaker/metrics", NULL), *rest = text, *line;
    char family[256] = "";

    assert_true(text[0] == '#');
    while ((line = strsep(&rest, "\n")) != NULL && line[0] != '\0') {
        if (strncmp(line, "# TYPE ", 7) == 0)
            snprintf(family, sizeof(family), "%.*s", (int)strcspn(line + 7, " "), line + 7);
        else if (line[0] != '#')
            assert_int_equal(strncmp(line, family, strlen(family)), 0);
    }
    assert_null(rest != NULL && rest[0] != '\0' ? rest : NULL);
    free(text);
}

static void a_text_grows_and_ends_where_it_would_be_too_long(void **state)
{
    h2o_mem_pool_t pool;
    breaker__text_t text;
    size_t len;
    (void)state;

    h2o_mem_init_pool(&pool);
    breaker__text_init(&text, &pool);
    for (int i = 0; i != 10000; ++i)
        breaker__text_put(&text, "%04d;", i);
    assert_int_equal(text.len, 50000);
    assert_memory_equal(text.base, "0000;0001;", 10);
    assert_string_equal(text.base + 49990, "9998;9999;");
    while (text.len < BREAKER__TEXT_MAX - 4096) {
        len = text.len;
        breaker__text_put(&text, "%4095s\n", "");
        assert_int_equal(text.len, len + 4096);
    }
    len = text.len;
    breaker__text_put(&text, "%5000s", "");
    assert_int_equal(text.len, len);
    breaker__text_put(&text, "the end");
    assert_string_equal(text.base + len, "the end");
    h2o_mem_clear_pool(&pool);
}

static void openmetrics_is_for_those_who_take_it(void **state)
{
    static const char type[] = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    loopback_t *exchange = ask(*state, "GET", "/breaker/metrics", "accept",
                               "application/openmetrics-text;version=1.0.0,text/plain;q=0.5");
    char *text = strndup(exchange->body->bytes, exchange->body->size);
    size_t len = strlen(text);

    assert_string_equal(loopback_response_header(exchange, "content-type"), type);
    assert_string_equal(text + len - strlen("\n# EOF\n"), "\n# EOF\n");
    assert_non_null(strstr(text, "# TYPE h2o_breaker_requests counter\n"));
    assert_non_null(strstr(text, "# TYPE h2o_breaker_build info\n"));
    free(text);
    loopback_close(exchange);
    exchange = ask(*state, "GET", "/breaker/metrics", "accept", "text/plain");
    assert_string_equal(loopback_response_header(exchange, "content-type"),
                        "text/plain; version=0.0.4; charset=utf-8");
    loopback_close(exchange);
}

static void json_says_the_same(void **state)
{
    char *text;
    cJSON *root, *view, *counts;

    expect(*state, URL, NULL, NULL, 200);
    expect(*state, "/static/" TOKEN "/none", NULL, NULL, 404);
    text = text_of(*state, "/breaker/json", NULL);
    assert_non_null(root = cJSON_Parse(text));
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(root, "readiness")), "ready");
    view = cJSON_GetArrayItem(cJSON_GetObjectItem(root, "views"), 0);
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(view, "token")), TOKEN);
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(view, "host")), "default");
    counts = cJSON_GetObjectItem(view, "requests");
    assert_int_equal(cJSON_GetNumberValue(cJSON_GetObjectItem(counts, "served")), 1);
    assert_int_equal(cJSON_GetNumberValue(cJSON_GetObjectItem(counts, "not_found")), 1);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(root, "cluster")));
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(root, "holding")));
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(root, "connections")));
    cJSON_Delete(root);
    free(text);
}

static void no_answer_may_be_kept_and_head_has_no_body(void **state)
{
    static const char *const paths[] = {"/breaker/metrics", "/breaker/json", "/breaker/livez",
                                        "/breaker/", "/breaker"};

    for (size_t i = 0; i != sizeof(paths) / sizeof(paths[0]); ++i) {
        loopback_t *exchange = ask(*state, "HEAD", paths[i], NULL, NULL);
        assert_int_equal(exchange->status, i < 3 ? 200 : 404);
        assert_int_equal(exchange->body->size, 0);
        assert_string_equal(loopback_response_header(exchange, "cache-control"), "no-store");
        loopback_close(exchange);
    }
}

static void other_methods_are_refused(void **state)
{
    loopback_t *exchange = ask(*state, "POST", "/breaker/metrics", NULL, NULL);

    assert_int_equal(exchange->status, 405);
    assert_string_equal(loopback_response_header(exchange, "allow"), "GET, HEAD");
    loopback_close(exchange);
}

static void a_server_that_is_to_stop_says_so_in_every_form(void **state)
{
    fixture_t *fixture = *state;
    char *text;

    expect(fixture, "/breaker/readyz", NULL, NULL, 200);
    breaker_h2o_health_drain(&fixture->server.config);
    expect(fixture, "/breaker/readyz", NULL, NULL, 503);
    expect(fixture, "/breaker/livez", NULL, NULL, 200);
    text = text_of(fixture, "/breaker/metrics", NULL);
    assert_true(sample(text, "readiness{state=\"draining\"}") == 1);
    assert_true(sample(text, "readiness{state=\"ready\"}") == 0);
    free(text);
}

/* ---- who may look ---- */

static void without_a_word_it_is_this_machine_alone(void **state)
{
    expect(*state, "/breaker/json", NULL, NULL, 200);
    come_from("127.0.0.2");
    expect(*state, "/breaker/json", NULL, NULL, 200);
    come_from("::1");
    expect(*state, "/breaker/json", NULL, NULL, 200);
    come_from("::ffff:127.0.0.1");
    expect(*state, "/breaker/json", NULL, NULL, 200);
    come_from("10.0.0.1");
    expect(*state, "/breaker/json", NULL, NULL, 403);
    expect(*state, "/breaker/livez", NULL, NULL, 403);
    expect(*state, "/breaker/nothing", NULL, NULL, 403);
    come_from("fd00::1");
    expect(*state, "/breaker/metrics", NULL, NULL, 403);
}

static void what_a_proxy_on_this_machine_forwards_is_not_from_here(void **state)
{
    expect(*state, "/breaker/json", "x-forwarded-for", "10.1.2.3", 403);
    expect(*state, "/breaker/json", "forwarded", "for=10.1.2.3", 403);
    expect(*state, "/breaker/json", "via", "1.1 varnish", 403);
    expect(*state, "/breaker/json", "x-real-ip", "10.1.2.3", 403);
}

static void a_list_of_addresses_takes_the_place_of_loopback(void **state)
{
    static const char *const allow[] = {"10.0.0.0/8", "fd00::1"};
    fixture_t fixture = {.node = NULL};
    (void)state;

    prepare(&fixture, allow, 2, false);
    expect(&fixture, "/breaker/json", NULL, NULL, 403);
    come_from("10.255.0.1");
    expect(&fixture, "/breaker/json", NULL, NULL, 200);
    /* they said whom they trust */
    expect(&fixture, "/breaker/json", "x-forwarded-for", "1.2.3.4", 200);
    come_from("fd00::1");
    expect(&fixture, "/breaker/json", NULL, NULL, 200);
    come_from("fd00::2");
    expect(&fixture, "/breaker/json", NULL, NULL, 403);
    dispose(&fixture);
}

static void write_users(fixture_t *fixture, const char *text)
{
    int fd;

    strcpy(fixture->users, "/tmp/breaker-users-XXXXXX");
    fd = mkstemp(fixture->users);
    assert_int_not_equal(fd, -1);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

/* until it was looked at: after a wrong one others have to wait */
static int judge(fixture_t *fixture, const char *credentials)
{
    int status;

    do {
        loopback_t *exchange = ask(fixture, "GET", "/breaker/json",
                                   credentials != NULL ? "authorization" : NULL, credentials);
        status = exchange->status;
        if (status == 401)
            assert_non_null(loopback_response_header(exchange, "www-authenticate"));
        if (status == 503)
            assert_string_equal(loopback_response_header(exchange, "retry-after"), "1");
        loopback_close(exchange);
    } while (status == 503);
    return status;
}

static void a_name_and_its_password_open_from_anywhere(void **state)
{
    fixture_t fixture = {.node = NULL};
    (void)state;

    write_users(&fixture, "ann:" HASH "\n");
    prepare(&fixture, NULL, 0, true);
    come_from("203.0.113.7");
    assert_int_equal(judge(&fixture, NULL), 401);
    /* ann:open sesame, ann:open, bob:open sesame */
    assert_int_equal(judge(&fixture, "Basic YW5uOm9wZW4="), 401);
    assert_int_equal(judge(&fixture, "Basic Ym9iOm9wZW4gc2VzYW1l"), 401);
    assert_int_equal(judge(&fixture, "Basic YW5uOm9wZW4gc2VzYW1l"), 200);
    assert_int_equal(judge(&fixture, "basic YW5uOm9wZW4gc2VzYW1l"), 200);
    assert_int_equal(judge(&fixture, "Bearer YW5uOm9wZW4gc2VzYW1l"), 401);
    assert_int_equal(judge(&fixture, "Basic !!!!"), 401);
    assert_int_equal(judge(&fixture, "Basic "), 401);
    unlink(fixture.users);
    dispose(&fixture);
}

static void what_is_right_is_known_while_others_are_wrong(void **state)
{
    static const char right[] = "Basic YW5uOm9wZW4gc2VzYW1l", wrong[] = "Basic YW5uOm9wZW4=";
    breaker__users_t *users;
    breaker_error_t error;
    fixture_t fixture = {.node = NULL};
    (void)state;

    write_users(&fixture, "# people\n\nann:" HASH "\r\n");
    assert_int_equal(breaker__users_read(fixture.users, &users, &error), 0);
    while (breaker__users_judge(users, h2o_iovec_init(H2O_STRLIT(right))) != BREAKER__USERS_RIGHT)
        ;
    assert_int_not_equal(breaker__users_judge(users, h2o_iovec_init(H2O_STRLIT(wrong))),
                         BREAKER__USERS_RIGHT);
    for (int i = 0; i != 1000; ++i)
        assert_int_equal(breaker__users_judge(users, h2o_iovec_init(H2O_STRLIT(right))),
                         BREAKER__USERS_RIGHT);
    breaker__users_free(users);
    unlink(fixture.users);
}

/* what SHA takes grows with the password */
static void a_password_longer_than_bcrypt_takes_is_not_hashed(void **state)
{
    static const char of_72[] =
        "Basic YW5uOnh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4"
        "eHh4eHh4eHh4eHh4eHh4eA==";
    static const char of_73[] =
        "Basic Ym9iOnh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4"
        "eHh4eHh4eHh4eHh4eHh4eHg=";
    fixture_t fixture = {.node = NULL};
    (void)state;

    write_users(&fixture, "ann:$6$rounds=1000$salt$Woyii14oJB.vJa.tAxBhUdTt3djb1SImc4CwGL."
                          "l76ClqeUbvBpB9tYuDLH7uUzubG5fLRPU9os5h8gk1mKp81\n"
                          "bob:$6$rounds=1000$salt$IGS4h0HEXmfik6wN9jLSBnvHYdvM4bQyRyxk/"
                          "YNaMk7ZL0BjCToIBVrxbl2gOyzuv4Vjs0tv3ffyrQ1/pNZNt0\n");
    prepare(&fixture, NULL, 0, true);
    assert_int_equal(judge(&fixture, of_73), 401);
    assert_int_equal(judge(&fixture, of_72), 200);
    unlink(fixture.users);
    dispose(&fixture);
}

static void an_address_and_a_password_both_have_to_be_right(void **state)
{
    static const char *const allow[] = {"127.0.0.0/8"};
    fixture_t fixture = {.node = NULL};
    (void)state;

    write_users(&fixture, "ann:" HASH "\n");
    prepare(&fixture, allow, 1, true);
    assert_int_equal(judge(&fixture, NULL), 401);
    assert_int_equal(judge(&fixture, "Basic YW5uOm9wZW4gc2VzYW1l"), 200);
    come_from("10.0.0.1");
    assert_int_equal(judge(&fixture, "Basic YW5uOm9wZW4gc2VzYW1l"), 403);
    unlink(fixture.users);
    dispose(&fixture);
}

static void a_file_of_users_that_cannot_be_trusted_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "\n# nobody\n",
        "ann",
        ":" HASH,
        "ann:secret",
        "ann:",
        "ann:$apr1$nYhQKZpc$TNdcFwbkN0mRpFVFYQxK3/",
        "ann:$2y$12$abcdefghijklmnopqrstuuJ4sHxXzvYQd1Yw4dZg9cX7yfG0eWpR2",
        "ann:$6$rounds=200000$salt$x",
        "ann:$2y$04$short",
    };
    breaker__users_t *users;
    breaker_error_t error;
    (void)state;

    for (size_t i = 0; i != sizeof(bad) / sizeof(bad[0]); ++i) {
        fixture_t fixture = {.node = NULL};
        write_users(&fixture, bad[i]);
        if (breaker__users_read(fixture.users, &users, &error) == 0)
            fail_msg("accepted: %s", bad[i]);
        assert_non_null(strstr(error.message, "accepted: NAME:HASH"));
        assert_null(strstr(error.message, "secret"));
        unlink(fixture.users);
    }
    assert_int_equal(breaker__users_read("/nowhere/users", &users, &error), BREAKER_ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(requests_and_bytes_are_counted_exactly, setup, teardown),
        cmocka_unit_test_setup_teardown(every_family_says_what_it_is_before_its_samples, setup,
                                        teardown),
        cmocka_unit_test(a_text_grows_and_ends_where_it_would_be_too_long),
        cmocka_unit_test_setup_teardown(openmetrics_is_for_those_who_take_it, setup, teardown),
        cmocka_unit_test_setup_teardown(json_says_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(no_answer_may_be_kept_and_head_has_no_body, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(other_methods_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_server_that_is_to_stop_says_so_in_every_form, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(without_a_word_it_is_this_machine_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_proxy_on_this_machine_forwards_is_not_from_here,
                                        setup, teardown),
        cmocka_unit_test(a_list_of_addresses_takes_the_place_of_loopback),
        cmocka_unit_test(a_name_and_its_password_open_from_anywhere),
        cmocka_unit_test(what_is_right_is_known_while_others_are_wrong),
        cmocka_unit_test(a_password_longer_than_bcrypt_takes_is_not_hashed),
        cmocka_unit_test(an_address_and_a_password_both_have_to_be_right),
        cmocka_unit_test(a_file_of_users_that_cannot_be_trusted_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
