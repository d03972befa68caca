/*
 * An application's answer in HTTP/1.1: whatever it sends, and however it comes in pieces, it is
 * taken for what answer_model.c takes it for, field by field and byte by byte; what is taken, the
 * parsers of libh2o, which allow more, take for the same. An input has a line with the method and
 * the protocols to change to, one with a number that says where the pieces end, and the answer.
 */
#include <assert.h>
#include <stdlib.h>
#include <h2o.h>
#include "answer_model.h"
#include "picohttpparser.h"
#include "upstream/wire/intake.h"

/* of libh2o; not in the part of its header that we have */
int phr_parse_response(const char *bytes, size_t len, int *minor_version, int *status,
                       const char **reason, size_t *reason_len, struct phr_header *headers,
                       size_t *num_headers, size_t last_len);

/* somebody who has asked, and what he gets */
typedef struct st_asker_t {
    breaker__transfer_t transfer;
    breaker__outgoing_t outgoing;
    breaker__reply_t reply;
    h2o_mem_pool_t pool;
    breaker__intake_t intake;
    size_t num_informational;
    /* taken out of what was received */
    answer_text_t body;
} asker_t;

static breaker__reply_state_t on_line(breaker__transfer_t *transfer, const char *line, size_t len)
{
    asker_t *self = H2O_STRUCT_FROM_MEMBER(asker_t, transfer, transfer);
    breaker__reply_state_t state = breaker__reply_take(&self->reply, line, len);

    assert(self->reply.fields.size <= ANSWER_FIELDS_MAX);
    self->num_informational += state == BREAKER__REPLY_INFORMATIONAL;
    return state;
}

static const breaker__transfer_callbacks_t callbacks = {.on_line = on_line};

static h2o_iovec_t iovec_of(fuzz_text_t text)
{
    return h2o_iovec_init(text.base, text.len);
}

static void asker_init(asker_t *self, const answer_asked_t *asked)
{
    memset(self, 0, offsetof(asker_t, body));
    self->body.len = 0;
    h2o_mem_init_pool(&self->pool);
    self->outgoing.method = iovec_of(asked->method);
    self->outgoing.upgrade = iovec_of(asked->upgrade);
    breaker__reply_init(&self->reply, &self->pool, self->outgoing.upgrade, ANSWER_HEAD_MAX,
                        ANSWER_FIELDS_MAX);
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

static void take_body(asker_t *self)
{
    h2o_buffer_t *received = self->transfer.received;

    if (self->intake.part == BREAKER__PART_HEAD)
        return;
    answer_append(&self->body, received->bytes, received->size);
    h2o_buffer_consume(&self->transfer.received, received->size);
}

static answer_state_t state_of(breaker__intake_state_t state)
{
    switch (state) {
    case BREAKER__INTAKE_MORE:
        return ANSWER_MORE;
    case BREAKER__INTAKE_OVER:
        return ANSWER_OVER;
    case BREAKER__INTAKE_REFUSED:
        return ANSWER_REFUSED;
    }
    abort();
}

/* ---- in pieces ---- */

/* the length of the next piece; of 0 all there is, of 1 a byte */
static size_t next_piece(uint64_t *cuts)
{
    size_t len = 1 + (size_t)(*cuts >> 33) % (*cuts >> 61 == 0 ? 1024 : 16);

    if (*cuts <= 1)
        return *cuts == 0 ? SIZE_MAX : 1;
    *cuts = *cuts * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return len;
}

static void check_memory(const asker_t *self)
{
    const breaker__reply_t *reply = &self->reply;

    assert(breaker__intake_room(&self->intake, &self->transfer) != 0);
    if (self->intake.part == BREAKER__PART_HEAD)
        assert(self->transfer.received->size <= reply->max_size - reply->size);
}

/* returns how many bytes were given until it wanted no more */
static size_t feed(asker_t *self, fuzz_text_t bytes, uint64_t cuts, answer_state_t *ret_state)
{
    size_t at = 0;

    *ret_state = ANSWER_MORE;
    while (at != bytes.len && *ret_state == ANSWER_MORE) {
        size_t len = next_piece(&cuts);
        if (len > bytes.len - at)
            len = bytes.len - at;
        memcpy(h2o_buffer_reserve(&self->transfer.received, len).base, bytes.base + at, len);
        self->transfer.received->size += len;
        at += len;
        *ret_state = state_of(breaker__intake_take(&self->intake, &self->transfer, len));
        if (*ret_state == ANSWER_MORE)
            check_memory(self);
        if (cuts >> 63 == 0)
            take_body(self);
    }
    take_body(self);
    return at;
}

/* as wire.c decides it */
static bool is_worth_keeping(const asker_t *self)
{
    return !self->intake.has_surplus && !self->reply.is_closing &&
           (!self->reply.is_http10 || self->reply.is_kept_alive);
}

static void check_head(const asker_t *self, const answer_t *expected)
{
    static answer_text_t fields;

    fields.len = 0;
    for (size_t i = 0; i != self->reply.fields.size; ++i) {
        const breaker__reply_field_t *field = self->reply.fields.entries + i;
        answer_append(&fields, field->name.base, field->name.len);
        answer_append(&fields, ": ", 2);
        answer_append(&fields, field->value.base, field->value.len);
        answer_append(&fields, "\n", 1);
        assert(strncasecmp(field->original_name, field->name.base, field->name.len) == 0);
    }
    assert(self->reply.status == expected->status);
    assert(self->reply.reason.base != NULL);
    assert(fields.len == expected->fields.len);
    assert(memcmp(fields.bytes, expected->fields.bytes, fields.len) == 0);
}

static void check_in_pieces(fuzz_text_t bytes, const answer_asked_t *asked, uint64_t cuts,
                            bool is_reset, const answer_t *expected)
{
    static asker_t asker;
    answer_state_t state, at_end;
    size_t num_given;

    asker_init(&asker, asked);
    num_given = feed(&asker, bytes, cuts, &state);
    assert(state == expected->state);
    assert(asker.num_informational ==
           expected->num_informational - (expected->num_informational > 16));
    assert((asker.intake.part != BREAKER__PART_HEAD) == expected->has_head);
    if (expected->has_head) {
        check_head(&asker, expected);
        assert(asker.body.len == expected->body.len);
        assert(memcmp(asker.body.bytes, expected->body.bytes, asker.body.len) == 0);
        assert((asker.intake.part == BREAKER__PART_RAW) == expected->is_raw);
    }
    if (state == ANSWER_OVER)
        assert((num_given == bytes.len && is_worth_keeping(&asker)) == expected->is_reusable);
    if (state == ANSWER_MORE) {
        at_end = state_of((is_reset ? breaker__intake_reset
                                    : breaker__intake_end)(&asker.intake, &asker.transfer));
        assert(at_end == (is_reset ? ANSWER_REFUSED : expected->at_end));
        state = at_end;
    }
    /* somebody is told why */
    assert((state == ANSWER_REFUSED) ==
           (asker.reply.refusal != NULL || asker.transfer.failure != NULL));
    asker_dispose(&asker);
}

/* ---- other readers ---- */

static bool has_control_bytes(const char *base, size_t len)
{
    for (size_t i = 0; i != len; ++i)
        if (((unsigned char)base[i] < ' ' && strchr("\t\r\n", base[i]) == NULL) || base[i] == 0x7f)
            return true;
    return false;
}

static fuzz_text_t without_blanks(const char *base, size_t len)
{
    for (; len != 0 && (*base == ' ' || *base == '\t'); ++base)
        --len;
    while (len != 0 && (base[len - 1] == ' ' || base[len - 1] == '\t'))
        --len;
    return (fuzz_text_t){base, len};
}

/* the head, as libh2o's parser reads it, which knows no head without a reason */
static void check_parser(fuzz_text_t bytes, const answer_t *answer)
{
    struct phr_header headers[ANSWER_FIELDS_MAX];
    size_t num = ANSWER_FIELDS_MAX, reason_len, len = answer->body_at - answer->head_at, at = 0;
    const char *head = bytes.base + answer->head_at, *reason;
    int minor_version, status, taken;

    if (has_control_bytes(head, len) || head[12] != ' ')
        return;
    taken = phr_parse_response(head, len, &minor_version, &status, &reason, &reason_len, headers,
                               &num, 0);
    assert(taken == (int)len && status == answer->status);
    for (size_t i = 0; i != num; ++i) {
        fuzz_text_t value = without_blanks(headers[i].value, headers[i].value_len);
        assert(answer->fields.len - at >= headers[i].name_len + 2 + value.len + 1);
        assert(strncasecmp(answer->fields.bytes + at, headers[i].name, headers[i].name_len) == 0);
        at += headers[i].name_len + 2;
        assert(memcmp(answer->fields.bytes + at, value.base, value.len) == 0);
        at += value.len + 1;
    }
    assert(at == answer->fields.len);
}

/* a body in chunks that has ended, as libh2o's decoder reads it */
static void check_decoder(fuzz_text_t bytes, const answer_t *answer)
{
    struct phr_chunked_decoder decoder = {.consume_trailer = 1};
    size_t len = bytes.len - answer->body_at;
    static char body[FUZZ_INPUT_MAX];
    ssize_t num_behind;

    memcpy(body, bytes.base + answer->body_at, len);
    num_behind = phr_decode_chunked(&decoder, body, &len);
    assert(num_behind >= 0);
    assert(len == answer->body.len && memcmp(body, answer->body.bytes, len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static answer_t expected;
    fuzz_text_t bytes = {(const char *)data, size}, line;
    const char *blank;
    answer_asked_t asked;
    uint64_t cuts;

    if (size > FUZZ_INPUT_MAX)
        return 0;
    fuzz_take_line(&bytes, &line);
    blank = line.len != 0 ? memchr(line.base, ' ', line.len) : NULL;
    asked.method = (fuzz_text_t){line.base, blank != NULL ? (size_t)(blank - line.base) : line.len};
    asked.upgrade = (fuzz_text_t){line.base + asked.method.len, line.len - asked.method.len};
    cuts = fuzz_take_number(&bytes);

    answer_read(bytes, &asked, &expected);
    check_in_pieces(bytes, &asked, 0, false, &expected);
    check_in_pieces(bytes, &asked, 1, true, &expected);
    check_in_pieces(bytes, &asked, cuts, false, &expected);
    if (expected.has_head)
        check_parser(bytes, &expected);
    if (expected.state == ANSWER_OVER && expected.is_chunked)
        check_decoder(bytes, &expected);
    return 0;
}
