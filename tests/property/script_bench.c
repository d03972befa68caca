/* A bench for the script; see script_bench.h. */
#include <time.h>
#include <unistd.h>
#include "script_bench.h"

enum {
    /* EVALSHA, the script, the number of keys, the keys */
    WORDS_BEFORE_ARGUMENTS = 3 + NUM_KEYS,
    ARGUMENTS = 13,
    WORDS_MAX = WORDS_BEFORE_ARGUMENTS + ARGUMENTS + ENTRIES_MAX + 2,
    LEDGER_TEXT_SIZE = 64 * 256,
};

/* ---- commands ---- */

static resp_t *command_of(int fd, const char *first, va_list more)
{
    const char *argv[64] = {first};
    size_t argc = 1;

    while ((argv[argc] = va_arg(more, const char *)) != NULL)
        assert_true(++argc < COUNT(argv));
    return resp_command(fd, argc, argv);
}

resp_t *command(int fd, const char *first, ...)
{
    va_list more;
    resp_t *reply;

    va_start(more, first);
    reply = command_of(fd, first, more);
    va_end(more);
    return reply;
}

void must(const bench_t *bench, const char *first, ...)
{
    va_list more;
    resp_t *reply;

    va_start(more, first);
    reply = command_of(bench->admin, first, more);
    va_end(more);
    if (reply->type == RESP_ERROR)
        fail_msg("%s: %s", first, reply->text);
    resp_free(reply);
}

int64_t must_tell(const bench_t *bench, const char *first, ...)
{
    int64_t integer;
    va_list more;
    resp_t *reply;

    va_start(more, first);
    reply = command_of(bench->admin, first, more);
    va_end(more);
    if (reply->type != RESP_INTEGER)
        fail_msg("%s: %s", first, reply->text);
    integer = reply->integer;
    resp_free(reply);
    return integer;
}

void flush(const bench_t *bench)
{
    must(bench, "FLUSHALL", NULL);
}

static void append(FILE *text, const resp_t *reply)
{
    if (reply->type == RESP_ERROR)
        fail_msg("%s", reply->text);
    for (size_t i = 0; i != reply->num_elements; ++i)
        append(text, reply->elements + i);
    fprintf(text, "%s\n", reply->text != NULL ? reply->text : "");
}

char *all_there_is(const bench_t *bench)
{
    static const char *const sets[] = {LEDGER, NODES, INFO};
    char *base = NULL;
    size_t size;
    FILE *text = open_memstream(&base, &size);
    resp_t *reply;

    assert_non_null(text);
    for (size_t i = 0; i != COUNT(sets); ++i) {
        reply = command(bench->admin, "ZRANGE", sets[i], "0", "-1", "WITHSCORES", NULL);
        append(text, reply);
        resp_free(reply);
    }
    reply = command(bench->admin, "HGETALL", STATE, NULL);
    append(text, reply);
    resp_free(reply);
    fclose(text);
    return base;
}

/* ---- polls ---- */

static const char *or_else(const char *text, const char *otherwise)
{
    return text != NULL ? text : otherwise;
}

resp_t *poll_through(int fd, const ask_t *ask)
{
    const char *argv[WORDS_MAX] = {
        "EVALSHA",
        breaker__agree_lua_sha,
        "4",
        LEDGER,
        NODES,
        STATE,
        INFO,
        or_else(ask->act, "mint"),
        or_else(ask->release, "mine"),
        or_else(ask->address, "-"),
        or_else(ask->id, "n1"),
        or_else(ask->fixed, ""),
        or_else(ask->suffix, ""),
        or_else(ask->clock, "1000"),
        or_else(ask->dead, "0"),
        or_else(ask->digest, ""),
        or_else(ask->poll, "1000"),
        or_else(ask->fleet, "0"),
        or_else(ask->releases, ""),
        or_else(ask->cursor, "-"),
    };
    size_t argc = WORDS_BEFORE_ARGUMENTS + ARGUMENTS;

    assert_true(ask->is_asked);
    for (size_t i = 0; ask->entries[i] != NULL; ++i)
        argv[argc++] = ask->entries[i];
    return resp_command(fd, argc, argv);
}

resp_t *poll(const bench_t *bench, const ask_t *ask)
{
    return poll_through(bench->node, ask);
}

void tell(const bench_t *bench, const ask_t *ask)
{
    resp_t *reply = poll(bench, ask);

    if (reply->type == RESP_ERROR)
        fail_msg("%s", reply->text);
    resp_free(reply);
}

/* ---- looking at answers ---- */

const resp_t *at(const resp_t *reply, size_t index)
{
    if (reply->type == RESP_ERROR)
        fail_msg("%s", reply->text);
    assert_int_equal(reply->type, RESP_ARRAY);
    assert_true(index < reply->num_elements);
    return reply->elements + index;
}

/* up to the third space */
static size_t entry_len(const char *line)
{
    const char *end = line;

    for (int i = 0; i != 3; ++i) {
        end = strchr(end + (i != 0), ' ');
        assert_non_null(end);
    }
    return (size_t)(end - line);
}

void check_ledger(const resp_t *reply, const char *expected)
{
    const resp_t *ledger = at(reply, ANSWER_LEDGER);
    static char lines[LEDGER_TEXT_SIZE];
    size_t len = 0;

    assert_int_equal(ledger->type, RESP_ARRAY);
    lines[0] = '\0';
    for (size_t i = 0; i != ledger->num_elements; ++i) {
        const char *line = at(ledger, i)->text;
        len +=
            (size_t)snprintf(lines + len, sizeof(lines) - len, "%.*s|", (int)entry_len(line), line);
        assert_true(len < sizeof(lines));
    }
    assert_string_equal(lines, expected);
}

void check_answer(const bench_t *bench, const ask_t *ask, const char *expected)
{
    resp_t *reply = poll(bench, ask);

    assert_int_equal(reply->type == RESP_ARRAY ? reply->num_elements : 0, ANSWER_PARTS);
    check_ledger(reply, expected);
    resp_free(reply);
}

void check_reason(const bench_t *bench, const char *expected)
{
    resp_t *reply = poll(bench, ASK(.act = "read", .release = "", .id = ""));
    const resp_t *ledger = at(reply, ANSWER_LEDGER);
    const char *reason, *end;
    char words[256];

    assert_true(ledger->num_elements != 0);
    reason = at(ledger, ledger->num_elements - 1)->text;
    reason += entry_len(reason) + 1;
    end = strrchr(reason, ' ');
    assert_non_null(end);
    snprintf(words, sizeof(words), "%.*s", (int)(end - reason), reason);
    assert_string_equal(words, expected);
    resp_free(reply);
}

void check_error(const bench_t *bench, const ask_t *ask, const char *expected)
{
    resp_t *reply = poll(bench, ask);

    assert_int_equal(reply->type, RESP_ERROR);
    if (strstr(reply->text, expected) == NULL)
        fail_msg("%s, not %s", reply->text, expected);
    resp_free(reply);
}

/* ---- the bench ---- */

/* what deploy/redis/users.acl says of a user; the test is its own way in */
static void make_users(const bench_t *bench)
{
    char line[1024];
    FILE *file = fopen(BREAKER_USERS_ACL, "re");

    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        const char *argv[64] = {"ACL", "SETUSER"};
        char *rest = NULL, *word = strtok_r(line, " \n", &rest);
        size_t argc = 2;
        if (word == NULL || strcmp(word, "user") != 0)
            continue;
        while ((word = strtok_r(NULL, " \n", &rest)) != NULL) {
            argv[argc++] = word;
            assert_true(argc < COUNT(argv));
        }
        if (strcmp(argv[2], "default") == 0)
            continue;
        argv[argc++] = ">secret";
        resp_t *reply = resp_command(bench->admin, argc, argv);
        if (reply->type == RESP_ERROR)
            fail_msg("%s: %s", argv[2], reply->text);
        resp_free(reply);
    }
    fclose(file);
}

int bench_connect(const bench_t *bench, const char *user)
{
    int fd = resp_connect(&bench->server);
    resp_t *reply = command(fd, "AUTH", user, "secret", NULL);

    assert_int_equal(reply->type, RESP_STATUS);
    resp_free(reply);
    return fd;
}

void bench_load(const bench_t *bench)
{
    resp_t *reply = command(bench->admin, "SCRIPT", "LOAD", breaker__agree_lua, NULL);

    if (reply->type != RESP_STRING)
        fail_msg("%s", reply->text);
    assert_string_equal(reply->text, breaker__agree_lua_sha);
    resp_free(reply);
}

int bench_set_up(void **state)
{
    bench_t *bench = calloc(1, sizeof(*bench));

    assert_non_null(bench);
    assert_true(resp_server_start(&bench->server));
    bench->admin = resp_connect(&bench->server);
    make_users(bench);
    bench_load(bench);
    bench->node = bench_connect(bench, "breaker");
    *state = bench;
    return 0;
}

int bench_tear_down(void **state)
{
    bench_t *bench = *state;

    close(bench->node);
    close(bench->admin);
    resp_server_stop(&bench->server);
    free(bench);
    return 0;
}
