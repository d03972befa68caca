#ifndef BREAKER_TESTS_FUZZ_ANSWER_MODEL_H
#define BREAKER_TESTS_FUZZ_ANSWER_MODEL_H

/*
 * What an answer of HTTP/1.1 is, read once more by the letter of RFC 9112: all of it at once, with
 * nothing of handlers/upstream. fuzz_answer.c has both read the same bytes.
 */
#include "fuzz.h"

/** bounds of heads, low enough to be met */
enum { ANSWER_HEAD_MAX = 600, ANSWER_FIELDS_MAX = 8 };

/** What a beginning of an answer comes to. */
typedef enum en_answer_state_t { ANSWER_MORE, ANSWER_OVER, ANSWER_REFUSED } answer_state_t;

/** A text that grows; room for whatever an input may come to. */
typedef struct st_answer_text_t {
    size_t len;
    char bytes[3 * FUZZ_INPUT_MAX];
} answer_text_t;

/** What was asked for. */
typedef struct st_answer_asked_t {
    /** upgrade: a list of protocols; empty: none was asked for */
    fuzz_text_t method, upgrade;
} answer_asked_t;

/** What came of it. */
typedef struct st_answer_t {
    answer_state_t state;
    /** what the end of the connection makes of MORE */
    answer_state_t at_end;
    /** 1xx heads before */
    size_t num_informational;
    /** whether the rest is known */
    bool has_head;
    int status;
    /** bytes are another protocol's, or come in chunks */
    bool is_raw, is_chunked;
    /** where the last head begins, and where it ends */
    size_t head_at, body_at;
    /** "name: value" for each, with LF, the name in lower case */
    answer_text_t fields;
    /** without its framing; what came before it was refused, too */
    answer_text_t body;
    /** whether the next request may use the connection */
    bool is_reusable;
} answer_t;

/** Reads what has come. */
void answer_read(fuzz_text_t bytes, const answer_asked_t *asked, answer_t *ret_answer);
void answer_append(answer_text_t *text, const char *bytes, size_t len);

#endif
