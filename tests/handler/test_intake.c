/*
 * Answers of HTTP/1.1 as they come: in one piece, in every two pieces, and byte by byte, which all
 * come to the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "upstream/wire/intake.h"

/* somebody who has asked, and what he got */
typedef struct st_asker_t {
    breaker__transfer_t transfer;
    breaker__outgoing_t outgoing;
    breaker__reply_t reply;
    h2o_mem_pool_t pool;
    breaker__intake_t intake;
    breaker__intake_state_t state;
    unsigned num_informational;
} asker_t;

static breaker__reply_state_t on_line(breaker__transfer_t *transfer, const char *line, size_t len)
{
    asker_t *self = H2O_STRUCT_FROM_MEMBER(asker_t, transfer, transfer);
    breaker__reply_state_t state = breaker__reply_take(&self->reply, line, len);

    self->num_informational += state == BREAKER__REPLY_INFORMATIONAL;
    return state;
}

static const breaker__transfer_callbacks_t callbacks = {.on_line = on_line};

static void asker_init(asker_t *self, const char *method, const char *upgrade)
{
    memset(self, 0, sizeof(*self));
    h2o_mem_init_pool(&self->pool);
    self->outgoing.method = h2o_iovec_init(method, strlen(method));
    if (upgrade != NULL)
        self->outgoing.upgrade = h2o_iovec_init(upgrade, strlen(upgrade));
    breaker__reply_init(&self->reply, &self->pool, self->outgoing.upgrade, 1024, 20);
    self->transfer.callbacks = &callbacks;
    self->transfer.outgoing = &self->outgoing;
    self->transfer.reply = &self->reply;
    h2o_buffer_init(&self->transfer.received, &h2o_socket_buffer_prototype);
    breaker__intake_start(&self->intake);
}

static void asker_dispose(asker_t *self)
{
    h2o_buffer_dispose(&self->transfer.received);
    h2o_mem_clear_pool(&self->pool);
}

static void feed(asker_t *self, const char *bytes, size_t len)
{
    if (len == 0 || self->state != BREAKER__INTAKE_MORE)
        return;
    memcpy(h2o_buffer_reserve(&self->transfer.received, len).base, bytes, len);
    self->transfer.received->size += len;
    self->state = breaker__intake_take(&self->intake, &self->transfer, len);
}

typedef struct st_answer_t {
    const char *method, *text;
    breaker__intake_state_t expected; /* before the end of the connection */
    const char *body;
    bool ends_well; /* with the end of the connection, where it is MORE before */
    bool has_surplus;
} answer_t;

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define LENGTH5 OK_HEAD "Content-Length: 5\r\n\r\n"
#define CHUNKED OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"
#define OVER BREAKER__INTAKE_OVER
#define MORE BREAKER__INTAKE_MORE
#define REFUSED BREAKER__INTAKE_REFUSED

static const answer_t answers[] = {
    {"GET", LENGTH5 "hello", OVER, "hello", false, false},
    {"GET", LENGTH5 "hell", MORE, "hell", false, false},
    {"GET", LENGTH5 "hello!", OVER, "hello", false, true},
    {"GET", LENGTH5 "hello" OK_HEAD, OVER, "hello", false, true},
    {"GET", OK_HEAD "Content-Length: 0\r\n\r\n", OVER, "", false, false},
    {"GET", OK_HEAD "Content-Length: 0\r\n\r\nx", OVER, "", false, true},
    {"HEAD", LENGTH5, OVER, "", false, false},
    {"HEAD", LENGTH5 "hello", OVER, "", false, true},
    {"HEAD", CHUNKED, OVER, "", false, false},
    {"GET", "HTTP/1.1 204 No Content\r\n\r\n", OVER, "", false, false},
    {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", OVER, "", false, false},
    {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello", OVER, "", false, true},
    {"GET", CHUNKED "5\r\nhello\r\n0\r\n\r\n", OVER, "hello", false, false},
    {"GET", CHUNKED "2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\nA: b\r\n\r\n", OVER, "hello", false, false},
    {"GET", CHUNKED "5\r\nhello\r\n0\r\n\r\n!", OVER, "hello", false, true},
    {"GET", CHUNKED "5\r\nhello\r\n0\r\n", MORE, "hello", false, false},
    {"GET", CHUNKED "5\r\nhello\r\n", MORE, "hello", false, false},
    {"GET", CHUNKED "5\r\nhello", MORE, "hello", false, false},
    {"GET", CHUNKED "5\r\nhelloo", REFUSED, "hello", false, false},
    {"GET", CHUNKED "+5\r\nhello\r\n0\r\n\r\n", REFUSED, "", false, false},
    {"GET", CHUNKED "0x5\r\nhello\r\n0\r\n\r\n", REFUSED, "", false, false},
    {"GET", CHUNKED "5x\r\nhello\r\n0\r\n\r\n", REFUSED, "", false, false},
    {"GET", CHUNKED "\r\nhello\r\n0\r\n\r\n", REFUSED, "", false, false},
    {"GET", CHUNKED "11111111111111111\r\n", REFUSED, "", false, false},
    {"GET", CHUNKED "5\nhello\r\n0\r\n\r\n", REFUSED, "", false, false},
    {"GET", OK_HEAD "\r\nhello", MORE, "hello", true, false},
    {"GET", OK_HEAD "\r\n", MORE, "", true, false},
    {"GET", OK_HEAD, MORE, "", false, false},
    {"GET", "HTTP/1.1 20", MORE, "", false, false},
    {"GET", "HTTP/1.1 100 Continue\r\n\r\n" LENGTH5 "hello", OVER, "hello", false, false},
    {"GET", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" LENGTH5 "hello", OVER, "hello", false,
     false},
    {"GET", "HTTP/1.1 100 Continue\r\n\r\n", MORE, "", false, false},
    {"GET", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", REFUSED, "", false, false},
    {"GET", "hello\r\n", REFUSED, "", false, false},
    {"GET", OK_HEAD "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", REFUSED, "", false, false},
    {"GET", OK_HEAD "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", REFUSED, "", false,
     false},
};

static void assert_taken(asker_t *self, const answer_t *answer)
{
    assert_int_equal(self->state, answer->expected);
    if (answer->expected == REFUSED) {
        assert_true(self->reply.refusal != NULL || self->transfer.failure != NULL);
        return;
    }
    if (answer->expected == MORE)
        assert_int_equal(breaker__intake_end(&self->intake, &self->transfer),
                         answer->ends_well ? OVER : REFUSED);
    if (self->intake.part != BREAKER__PART_HEAD) {
        assert_int_equal(self->transfer.received->size, strlen(answer->body));
        assert_memory_equal(self->transfer.received->bytes, answer->body, strlen(answer->body));
    }
}

static void answers_are_taken_however_they_are_cut(void **state)
{
    (void)state;

    for (size_t i = 0; i != sizeof(answers) / sizeof(answers[0]); ++i) {
        const answer_t *answer = answers + i;
        size_t len = strlen(answer->text);
        for (size_t split = 0; split != len; ++split) {
            asker_t asker;
            asker_init(&asker, answer->method, NULL);
            feed(&asker, answer->text, split);
            feed(&asker, answer->text + split, len - split);
            assert_taken(&asker, answer);
            /* what comes in another piece after the answer is not looked at */
            if (split == 0)
                assert_int_equal(asker.intake.has_surplus, answer->has_surplus);
            asker_dispose(&asker);
        }
    }
}

static void answers_are_taken_byte_by_byte(void **state)
{
    (void)state;

    for (size_t i = 0; i != sizeof(answers) / sizeof(answers[0]); ++i) {
        asker_t asker;
        asker_init(&asker, answers[i].method, NULL);
        for (const char *at = answers[i].text; *at != '\0'; ++at)
            feed(&asker, at, 1);
        assert_taken(&asker, answers + i);
        asker_dispose(&asker);
    }
}

static void a_change_of_protocol_that_was_asked_for_leaves_bytes_as_they_are(void **state)
{
    static const char text[] = "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n0\r\n\r\nHTTP/1.1";
    asker_t asker;
    (void)state;

    asker_init(&asker, "GET", "x");
    feed(&asker, text, sizeof(text) - 1);
    feed(&asker, "\n", 1);
    assert_int_equal(asker.state, MORE);
    assert_int_equal(asker.intake.part, BREAKER__PART_RAW);
    assert_int_equal(asker.transfer.received->size, strlen("0\r\n\r\nHTTP/1.1\n"));
    assert_int_equal(breaker__intake_end(&asker.intake, &asker.transfer), OVER);
    asker_dispose(&asker);
}

static void a_head_without_an_end_is_refused_at_its_bound(void **state)
{
    asker_t asker;
    size_t num = 0;
    (void)state;

    asker_init(&asker, "GET", NULL);
    feed(&asker, OK_HEAD "X: ", strlen(OK_HEAD "X: "));
    for (; asker.state == MORE && num < 2048; ++num)
        feed(&asker, "x", 1);
    assert_int_equal(asker.state, REFUSED);
    assert_non_null(asker.reply.refusal);
    assert_true(num <= 1024);
    asker_dispose(&asker);
}

/* feeds `text` up to a mebibyte; returns the bytes that were fed */
static size_t feed_endlessly(asker_t *asker, const char *text)
{
    size_t num = 0;

    for (; asker->state == MORE && num < 1048576; num += strlen(text)) {
        feed(asker, text, strlen(text));
        h2o_buffer_consume(&asker->transfer.received, asker->transfer.received->size);
    }
    return num;
}

static void extensions_and_trailers_have_a_bound(void **state)
{
    static const char *const begins[] = {CHUNKED "5;a=", CHUNKED "0\r\nA: "};
    (void)state;

    for (size_t i = 0; i != 2; ++i) {
        asker_t asker;
        asker_init(&asker, "GET", NULL);
        feed(&asker, begins[i], strlen(begins[i]));
        assert_true(feed_endlessly(&asker, "xxxxxxxxxxxxxxxx") < 131072);
        assert_int_equal(asker.state, REFUSED);
        asker_dispose(&asker);
    }
}

static void chunks_of_a_byte_have_none(void **state)
{
    asker_t asker;
    (void)state;

    asker_init(&asker, "GET", NULL);
    feed(&asker, CHUNKED, strlen(CHUNKED));
    feed_endlessly(&asker, "1\r\nx\r\n");
    assert_int_equal(asker.state, MORE);
    asker_dispose(&asker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_taken_however_they_are_cut),
        cmocka_unit_test(answers_are_taken_byte_by_byte),
        cmocka_unit_test(a_change_of_protocol_that_was_asked_for_leaves_bytes_as_they_are),
        cmocka_unit_test(a_head_without_an_end_is_refused_at_its_bound),
        cmocka_unit_test(extensions_and_trailers_have_a_bound),
        cmocka_unit_test(chunks_of_a_byte_have_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
