/*
 * The script's answers, by tables: as the script gives them, and every shape that it does not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cluster/agreement.h"
#include "cluster/script.h"
#include "guard.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define DIGEST "0123456789abcdef0123456789abcdef01234567"

/* of one array */
enum { ELEMENTS_MAX = BREAKER_SCRIPT_PAGE_MAX + 1 };

/* ---- answers, written as: "text", #integer, _ for nil, + for a status, ! for an error, [ ] ----
 */

static breaker_reply_t *read_reply(const char **at);

static breaker_reply_t *read_array(const char **at)
{
    breaker_reply_t *reply = calloc(1, sizeof(*reply)),
                    **elements = calloc(ELEMENTS_MAX, sizeof(*elements));

    reply->type = BREAKER_REPLY_ARRAY;
    for (++*at; **at != ']';) {
        assert_true(reply->num_elements < ELEMENTS_MAX);
        elements[reply->num_elements++] = read_reply(at);
        *at += **at == ' ';
    }
    ++*at;
    reply->elements = elements;
    return reply;
}

static breaker_reply_t *read_text(const char **at, int type)
{
    breaker_reply_t *reply = calloc(1, sizeof(*reply));
    const char *end = strchr(*at + 1, '"');

    reply->type = type;
    reply->len = (size_t)(end - *at - 1);
    reply->base = guarded_copy(*at + 1, reply->len);
    *at = end + 1;
    return reply;
}

static breaker_reply_t *read_reply(const char **at)
{
    breaker_reply_t *reply;
    char *end;

    if (**at == '[')
        return read_array(at);
    if (**at == '"')
        return read_text(at, BREAKER_REPLY_STRING);
    if (**at == '+' || **at == '!') {
        int type = **at == '+' ? BREAKER_REPLY_STATUS : BREAKER_REPLY_ERROR;
        ++*at;
        return read_text(at, type);
    }
    reply = calloc(1, sizeof(*reply));
    assert_true(**at == '_' || **at == '#');
    reply->type = **at == '_' ? BREAKER_REPLY_NIL : BREAKER_REPLY_INTEGER;
    if (*(*at)++ == '#') {
        reply->integer = strtoll(*at, &end, 10);
        *at = end;
    }
    return reply;
}

static void free_reply(breaker_reply_t *reply)
{
    for (size_t i = 0; i != reply->num_elements; ++i)
        free_reply(reply->elements[i]);
    if (reply->type == BREAKER_REPLY_ARRAY)
        free((void *)(uintptr_t)reply->elements);
    if (reply->base != NULL)
        guarded_free((char *)(uintptr_t)reply->base, reply->len);
    free(reply);
}

static bool parse(const char *text, breaker_script_answer_t *answer)
{
    breaker_reply_t *reply = read_reply(&text);
    bool is_good = breaker_script_parse(reply, answer);

    assert_int_equal(*text, '\0');
    free_reply(reply);
    return is_good;
}

/* large, and there is one */
static breaker_script_answer_t *make_answer(void)
{
    breaker_script_answer_t *answer = malloc(sizeof(*answer));

    assert_non_null(answer);
    memset(answer, 0x55, sizeof(*answer));
    return answer;
}

/* what stands around the parts that are of interest */
#define HEAD "[\"" DIGEST "\" #100000 #3 #1000 "
#define LEDGER(lines) HEAD "[" lines "] _ _ \"\"]"
#define RELEASES(lines) HEAD "_ [" lines "] _ \"\"]"
#define NODES(lines) HEAD "_ _ [" lines "] \"\"]"

/* ---- what is taken ---- */

static void an_answer_is_read(void **state)
{
    breaker_script_answer_t *answer = make_answer();
    const breaker_answer_t *ledger = &answer->ledger;
    (void)state;

    assert_true(parse("[\"" DIGEST "\" #1718539201234 #2500 #1250 [\"1000 v1 r1 - - 0\" "
                      "\"1718539201234 1718539201234 r2 join - 1718539201235\"] _ _ \"\"]",
                      answer));
    assert_string_equal(ledger->digest, DIGEST);
    assert_true(ledger->now_ms == 1718539201234);
    assert_int_equal(ledger->fleet, 2500);
    assert_int_equal(ledger->interval_ms, 1250);
    assert_false(ledger->unchanged);
    assert_int_equal(ledger->num_entries, 2);
    assert_int_equal(ledger->entries[0].order, 1000);
    assert_string_equal(ledger->entries[0].token.text, "v1");
    assert_string_equal(ledger->entries[0].release.text, "r1");
    assert_int_equal(ledger->entries[1].order, 1718539201234);
    /* it was not asked for */
    assert_false(answer->has_releases);
    assert_int_equal(answer->num_releases, 0);
    assert_false(answer->has_nodes);
    assert_int_equal(answer->num_nodes, 0);
    assert_string_equal(answer->next, "");
    free(answer);
}

static void nothing_new_is_told_from_nothing_at_all(void **state)
{
    breaker_script_answer_t *answer = make_answer();
    (void)state;

    assert_true(parse("[\"" DIGEST "\" #0 #0 #0 _ _ _ \"\"]", answer));
    assert_true(answer->ledger.unchanged);
    assert_int_equal(answer->ledger.num_entries, 0);
    assert_false(answer->has_releases);
    assert_false(answer->has_nodes);
    assert_true(parse("[\"" DIGEST "\" #0 #0 #0 [] [] [] \"\"]", answer));
    assert_false(answer->ledger.unchanged);
    assert_int_equal(answer->ledger.num_entries, 0);
    assert_true(answer->has_releases);
    assert_int_equal(answer->num_releases, 0);
    assert_true(answer->has_nodes);
    assert_int_equal(answer->num_nodes, 0);
    free(answer);
}

static void numbers_are_as_large_as_they_may_be(void **state)
{
    breaker_script_answer_t *answer = make_answer();
    (void)state;

    assert_true(parse("[\"" DIGEST "\" #9223372036854775807 #4294967295 #4294967295 "
                      "[\"9007199254740991 v1 r1 join - 9007199254740991\"] "
                      "[\"r1 9007199254740991 9007199254740991 -\"] _ \"\"]",
                      answer));
    assert_true(answer->ledger.now_ms == INT64_MAX);
    assert_true(answer->ledger.fleet == UINT32_MAX);
    assert_true(answer->ledger.interval_ms == UINT32_MAX);
    assert_true(answer->ledger.entries[0].order == 9007199254740991);
    assert_true(answer->ledger.origins[0].when_ms == 9007199254740991);
    assert_true(answer->releases[0].silent_ms == 9007199254740991);
    assert_true(answer->releases[0].dead_after_ms == 9007199254740991);
    free(answer);
}

static void an_entry_says_why_it_was_made(void **state)
{
    static const struct {
        const char *words;
        breaker_why_t why;
        const char *what;
        uint64_t when_ms;
    } cases[] = {
        {"- - 0", BREAKER_WHY_UNKNOWN, "", 0},
        {"join - 5", BREAKER_WHY_JOIN, "", 5},
        {"promote r1 5", BREAKER_WHY_PROMOTE, "r1", 5},
        {"silence r1 5", BREAKER_WHY_SILENCE, "r1", 5},
        {"return r1 5", BREAKER_WHY_RETURN, "r1", 5},
        {"conflict r1 5", BREAKER_WHY_CONFLICT, "r1", 5},
        {"operator - 5", BREAKER_WHY_OPERATOR, "", 5},
        /* a release may begin with what stands for none */
        {"silence -1 5", BREAKER_WHY_SILENCE, "-1", 5},
    };
    breaker_script_answer_t *answer = make_answer();
    const breaker_origin_t *origin = answer->ledger.origins;
    char text[256];
    (void)state;

    for (size_t i = 0; i != COUNT(cases); ++i) {
        snprintf(text, sizeof(text), LEDGER("\"1 v1 r2 %s\""), cases[i].words);
        assert_true(parse(text, answer));
        assert_int_equal(origin->why, cases[i].why);
        assert_string_equal(origin->what.text, cases[i].what);
        assert_int_equal(origin->what.len, strlen(cases[i].what));
        assert_int_equal(origin->when_ms, cases[i].when_ms);
    }
    free(answer);
}

static void releases_are_read_with_their_silence(void **state)
{
    breaker_script_answer_t *answer = make_answer();
    const breaker_script_release_t *releases = answer->releases;
    (void)state;

    assert_true(parse(RELEASES("\"r1 0 30000 -\" \"r2~x 31000 0 h:1\""), answer));
    assert_true(answer->has_releases);
    assert_int_equal(answer->num_releases, 2);
    assert_string_equal(releases[0].id.text, "r1");
    assert_int_equal(releases[0].silent_ms, 0);
    assert_int_equal(releases[0].dead_after_ms, 30000);
    assert_string_equal(releases[1].id.text, "r2~x");
    assert_int_equal(releases[1].silent_ms, 31000);
    assert_int_equal(releases[1].dead_after_ms, 0);
    assert_string_equal(releases[0].address, "");
    assert_string_equal(releases[1].address, "h:1");
    free(answer);
}

static void nodes_are_read_with_address_token_and_since(void **state)
{
    breaker_script_answer_t *answer = make_answer();
    const breaker_script_node_t *nodes = answer->nodes;
    (void)state;

    assert_true(parse(NODES("\"69999 00 r1 - - 0\" \"9007199254740991 id-1 r2~x 10.0.0.5:80 "
                            "1718539201234-a1b2c3d4 60000\""),
                      answer));
    assert_true(answer->has_nodes);
    assert_int_equal(answer->num_nodes, 2);
    assert_int_equal(nodes[0].seen_ms, 69999);
    assert_string_equal(nodes[0].id, "00");
    assert_string_equal(nodes[0].release.text, "r1");
    assert_string_equal(nodes[0].address, "");
    assert_int_equal(nodes[0].token.len, 0);
    assert_string_equal(nodes[0].token.text, "");
    assert_int_equal(nodes[0].since_ms, 0);
    assert_true(nodes[1].seen_ms == 9007199254740991);
    assert_string_equal(nodes[1].id, "id-1");
    assert_string_equal(nodes[1].release.text, "r2~x");
    assert_string_equal(nodes[1].address, "10.0.0.5:80");
    assert_string_equal(nodes[1].token.text, "1718539201234-a1b2c3d4");
    assert_int_equal(nodes[1].since_ms, 60000);
    free(answer);
}

static void a_nodes_words_are_as_long_as_they_may_be(void **state)
{
    static const struct {
        size_t address_len, id_len, token_len;
        bool is_node;
    } cases[] = {
        {BREAKER_ADVERTISE_MAX, BREAKER_NODE_ID_MAX, BREAKER_TOKEN_MAX, true},
        {BREAKER_ADVERTISE_MAX + 1, 1, 1, false},
        {1, BREAKER_NODE_ID_MAX + 1, 1, false},
        {1, 1, BREAKER_TOKEN_MAX + 1, false},
    };
    breaker_script_answer_t *answer = make_answer();
    char text[1024], letters[BREAKER_ADVERTISE_MAX + 2];
    (void)state;

    memset(letters, 'a', sizeof(letters));
    for (size_t i = 0; i != COUNT(cases); ++i) {
        snprintf(text, sizeof(text), NODES("\"99000 %.*s r1 %.*s %.*s 1\""), (int)cases[i].id_len,
                 letters, (int)cases[i].address_len, letters, (int)cases[i].token_len, letters);
        assert_true(parse(text, answer));
        assert_int_equal(answer->num_nodes, cases[i].is_node ? 1 : 0);
    }
    free(answer);
}

static void the_next_page_begins_where_the_answer_says(void **state)
{
    char text[512], letters[BREAKER_NODE_ID_MAX + 2];
    breaker_script_answer_t *answer = make_answer();
    (void)state;

    assert_true(parse(HEAD "_ _ [] \"0011223344556677\"]", answer));
    assert_string_equal(answer->next, "0011223344556677");
    memset(letters, 'a', sizeof(letters));
    for (size_t len = BREAKER_NODE_ID_MAX; len <= BREAKER_NODE_ID_MAX + 1; ++len) {
        snprintf(text, sizeof(text), HEAD "_ _ [] \"%.*s\"]", (int)len, letters);
        assert_int_equal(parse(text, answer), len == BREAKER_NODE_ID_MAX);
    }
    assert_int_equal(strlen(answer->next), BREAKER_NODE_ID_MAX);
    free(answer);
}

/* ---- what is passed by ---- */

/* other programs may write to the keys, and a later version may have more to say */
static void nodes_that_none_of_ours_wrote_are_passed_by(void **state)
{
    static const char *const nodes[] = {
        "",
        " ",
        "x",
        "99000",
        "99000 01",
        "99000 01 r1",
        "99000 01 r1 -",
        "99000 01 r1 - -",
        "99000 01 r1 - - ",
        "99000 01 r1 -  5",
        "99000 01 r1  - 5",
        "99000  r1 - - 5",
        "99000 01 r1 - - 5 more",
        "99000 01 r1 - - 5 ",
        " 99000 01 r1 - - 5",
        "r1 01 99000 - - 5",
        "99000 01 r/1 - - 5",
        "99000 \xc3\xa4 r1 - - 5",
        "99000 01 r1 \xc3\xa4 - 5",
        "99000 01 r1 \x1b[31m - 5",
        "99000 01 r1 a\tb - 5",
        "99000 01 r1 - a/b 5",
        "99000 01 r1 - .. 5",
        "99000 01 r1 - - -5",
        "99000 01 r1 - - x",
        "99000 01 r1 - - 9007199254740992",
        "-99000 01 r1 - - 5",
        "9007199254740992 01 r1 - - 5",
        "99999999999999999 01 r1 - - 5",
    };
    breaker_script_answer_t *answer = make_answer();
    char text[256];
    (void)state;

    for (size_t i = 0; i != COUNT(nodes); ++i) {
        snprintf(text, sizeof(text), NODES("\"%s\" #5 _ \"99000 02 r9 - - 5\""), nodes[i]);
        assert_true(parse(text, answer));
        if (answer->num_nodes != 1)
            fail_msg("taken: %s", nodes[i]);
        assert_string_equal(answer->nodes[0].release.text, "r9");
        assert_string_equal(answer->nodes[0].id, "02");
    }
    free(answer);
}

static void releases_that_none_of_ours_wrote_are_passed_by(void **state)
{
    static const char *const releases[] = {
        "",
        " ",
        "r1",
        "r1 5",
        "r1 5 ",
        "r1  5",
        "r1 5 6",
        "r1 5 6 ",
        "r1 5 6 h:1 7",
        "r1 5 6 h:1 ",
        "r1 5 6 \x1b",
        " r1 5 6 -",
        "5 r1 6 -",
        "r/1 5 6 -",
        ".. 5 6 -",
        "r1 -5 6 -",
        "r1 5 -6 -",
        "r1 x 6 -",
        "r1 5 x -",
        "- - - -",
        "r1 9007199254740992 6 -",
        "r1 5 9007199254740992 -",
        "r\xc3\xa4 5 6 -",
    };
    breaker_script_answer_t *answer = make_answer();
    char text[256];
    (void)state;

    for (size_t i = 0; i != COUNT(releases); ++i) {
        snprintf(text, sizeof(text), RELEASES("\"%s\" #5 _ \"r9 5 6 -\""), releases[i]);
        assert_true(parse(text, answer));
        if (answer->num_releases != 1)
            fail_msg("taken: %s", releases[i]);
        assert_string_equal(answer->releases[0].id.text, "r9");
    }
    free(answer);
}

/* ---- what is refused ---- */

static void what_the_script_never_answers_is_refused(void **state)
{
    static const char *const replies[] = {
        "_",
        "#1",
        "+\"OK\"",
        "!\"NOSCRIPT\"",
        "\"" DIGEST "\"",
        "[]",
        "[\"" DIGEST "\" #1 _ _]",
        "[\"" DIGEST "\" #1 #1 #1 _ _ _]",
        "[\"" DIGEST "\" #1 #1 #1 _ _ _ \"\" _]",
        /* the digest */
        "[_ #1 #1 #1 _ _ _ \"\"]",
        "[+\"" DIGEST "\" #1 #1 #1 _ _ _ \"\"]",
        "[\"0123\" #1 #1 #1 _ _ _ \"\"]",
        "[\"" DIGEST "0\" #1 #1 #1 _ _ _ \"\"]",
        "[\"0123456789ABCDEF0123456789abcdef01234567\" #1 #1 #1 _ _ _ \"\"]",
        /* the clock */
        "[\"" DIGEST "\" \"1\" #1 #1 _ _ _ \"\"]",
        "[\"" DIGEST "\" #-1 #1 #1 _ _ _ \"\"]",
        "[\"" DIGEST "\" _ #1 #1 _ _ _ \"\"]",
        /* the fleet */
        "[\"" DIGEST "\" #1 \"1\" #1 _ _ _ \"\"]",
        "[\"" DIGEST "\" #1 #-1 #1 _ _ _ \"\"]",
        "[\"" DIGEST "\" #1 _ #1 _ _ _ \"\"]",
        "[\"" DIGEST "\" #1 #4294967296 #1 _ _ _ \"\"]",
        /* the interval */
        "[\"" DIGEST "\" #1 #1 \"1\" _ _ _ \"\"]",
        "[\"" DIGEST "\" #1 #1 #-1 _ _ _ \"\"]",
        "[\"" DIGEST "\" #1 #1 _ _ _ _ \"\"]",
        "[\"" DIGEST "\" #1 #1 #4294967296 _ _ _ \"\"]",
        /* the ledger */
        HEAD "\"1 a b - - 0\" _ _ \"\"]",
        HEAD "#5 _ _ \"\"]",
        LEDGER("#1"),
        LEDGER("_"),
        LEDGER("[\"1 a b - - 0\"]"),
        LEDGER("\"\""),
        LEDGER("\" \""),
        LEDGER("\"1 a\""),
        LEDGER("\"1 a b\""),
        LEDGER("\"1 a b \""),
        LEDGER("\"1 a b -\""),
        LEDGER("\"1 a b - -\""),
        LEDGER("\"1 a b - - \""),
        LEDGER("\"1 a  - - 0\""),
        LEDGER("\"1  a b - - 0\""),
        LEDGER("\"1 a b - - 0 c\""),
        LEDGER("\"1 a b - - 0 \""),
        LEDGER("\" 1 a b - - 0\""),
        LEDGER("\"-1 a b - - 0\""),
        LEDGER("\"1.5 a b - - 0\""),
        LEDGER("\"1e3 a b - - 0\""),
        LEDGER("\"12345678901234567 a b - - 0\""),
        LEDGER("\"9007199254740992 a b - - 0\""),
        LEDGER("\"1 a/b c - - 0\""),
        LEDGER("\"1 a .. - - 0\""),
        LEDGER("\"1 v1 r1 - - 0\" \"2 v2 r\xc3\xa4 - - 0\""),
        LEDGER("\"1 01234567890123456789012345678901234567890123456789012345678901234 b - - 0\""),
        /* why an entry was made */
        LEDGER("\"1 a b because - 0\""),
        LEDGER("\"1 a b joi - 0\""),
        LEDGER("\"1 a b joins - 0\""),
        LEDGER("\"1 a b Join - 0\""),
        LEDGER("\"1 a b  - 0\""),
        LEDGER("\"1 a b join r/1 0\""),
        LEDGER("\"1 a b join  0\""),
        LEDGER("\"1 a b join - x\""),
        LEDGER("\"1 a b join - -1\""),
        LEDGER("\"1 a b join - 9007199254740992\""),
        /* the releases */
        HEAD "_ #1 _ \"\"]",
        HEAD "_ \"r1 5 6\" _ \"\"]",
        /* the nodes */
        HEAD "_ _ #1 \"\"]",
        HEAD "_ _ \"1 a b c d 1\" \"\"]",
        /* the next page */
        HEAD "_ _ _ _]",
        HEAD "_ _ _ #1]",
        HEAD "_ _ _ [\"\"]]",
        HEAD "_ _ _ \" \"]",
        HEAD "_ _ _ \"a b\"]",
        HEAD "_ _ _ \"a \"]",
        HEAD "_ _ _ \"\xc3\xa4\"]",
        HEAD "_ _ _ \"\x1b[31m\"]",
    };
    breaker_script_answer_t *answer = make_answer(), *untouched = make_answer();
    (void)state;

    for (size_t i = 0; i != COUNT(replies); ++i)
        if (parse(replies[i], answer))
            fail_msg("taken: %s", replies[i]);
    assert_memory_equal(answer, untouched, sizeof(*answer));
    free(untouched);
    free(answer);
}

/* an answer with one line, with two and so on is taken until there are `max` of them */
static void check_most(const char *before, const char *after, const char *line, size_t max)
{
    static char text[128 * ELEMENTS_MAX];
    breaker_script_answer_t *answer = make_answer();
    size_t len = (size_t)snprintf(text, sizeof(text), HEAD "%s[", before);

    for (size_t i = 1; i <= max + 1; ++i) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "\"%s\" ", line);
        snprintf(text + len, sizeof(text) - len, "]%s]", after);
        assert_int_equal(parse(text, answer), i <= max);
    }
    free(answer);
}

static void more_than_the_script_tells_of_is_refused(void **state)
{
    (void)state;
    check_most("", " _ _ \"\"", "1 v r - - 0", BREAKER_LEDGER_MAX);
    check_most("_ ", " _ \"\"", "r 1 2 -", BREAKER_SCRIPT_PAGE_MAX);
    check_most("_ _ ", " \"\"", "1 id r - - 0", BREAKER_SCRIPT_PAGE_MAX);
}

/* ---- who lives ---- */

static breaker_agreement_config_t make_agreement(uint32_t dead_after_ms)
{
    breaker_agreement_config_t agreement = {.dead_after_ms = dead_after_ms};

    assert_int_equal(breaker_release_id_parse("r2", 2, &agreement.release), 0);
    return agreement;
}

static void releases_that_are_not_silent_are_noticed(void **state)
{
    static const char releases[] =
        RELEASES("\"r0 30001 30000 -\" \"r1 30000 30000 -\" \"r2 0 30000 -\" "
                 "\"r3 0 30000 -\"");
    breaker_agreement_config_t agreement = make_agreement(30000);
    breaker_script_answer_t *answer = make_answer();
    breaker__alive_t alive = {.num = 7};
    (void)state;

    assert_true(parse(releases, answer));
    breaker__script_alive(answer, &agreement, &alive);
    assert_int_equal(alive.num, 2);
    assert_string_equal(alive.releases[0].text, "r1");
    assert_string_equal(alive.releases[1].text, "r3");
    /* where nobody is ever overtaken somebody may be silent all the same */
    agreement = make_agreement(0);
    breaker__script_alive(answer, &agreement, &alive);
    assert_int_equal(alive.num, 2);
    agreement = make_agreement(29999);
    breaker__script_alive(answer, &agreement, &alive);
    assert_int_equal(alive.num, 1);
    free(answer);
}

static void no_more_living_releases_are_noticed_than_there_is_room_for(void **state)
{
    char text[32 * BREAKER_SCRIPT_PAGE_MAX] = HEAD "_ [";
    breaker_agreement_config_t agreement = make_agreement(30000);
    breaker_script_answer_t *answer = make_answer();
    breaker__alive_t alive;
    size_t len = strlen(text);
    (void)state;

    for (int i = 0; i != BREAKER__ALIVE_MAX + 1; ++i)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "\"x%d 0 30000 -\" ", i);
    strcpy(text + len, "] _ \"\"]");
    assert_true(parse(text, answer));
    assert_int_equal(answer->num_releases, BREAKER__ALIVE_MAX + 1);
    breaker__script_alive(answer, &agreement, &alive);
    assert_int_equal(alive.num, BREAKER__ALIVE_MAX);
    assert_string_equal(alive.releases[BREAKER__ALIVE_MAX - 1].text, "x63");
    free(answer);
}

/* ---- keys and pages ---- */

#define KEY "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

static bool parse_members(const char *text, breaker__script_members_t *members)
{
    breaker_reply_t *reply = read_reply(&text);
    bool is_taken = breaker__script_parse_members(reply, members);

    free_reply(reply);
    return is_taken;
}

static void keys_are_read_and_the_nodes_with_them(void **state)
{
    static breaker__script_members_t members;
    (void)state;

    assert_true(parse_members("[#5 \"" KEY "\" \"\" _ \"\"]", &members));
    assert_int_equal(members.now_ms, 5);
    assert_string_equal(members.keys.key, KEY);
    assert_string_equal(members.keys.before, "");
    assert_int_equal(members.num_nodes, 0);
    assert_true(parse_members("[#6 \"" KEY "\" \"" OTHER "\" [\"7 id r1 h:1 v1 3\" \"spoilt\"] "
                              "\"id\"]",
                              &members));
    assert_string_equal(members.keys.before, OTHER);
    assert_int_equal(members.num_nodes, 1);
    assert_int_equal(members.nodes[0].seen_ms, 7);
    assert_string_equal(members.nodes[0].address, "h:1");
    assert_string_equal(members.next, "id");
}

static void keys_that_are_none_are_refused(void **state)
{
    static const char *const replies[] = {
        "_",
        "[#5 \"" KEY "\" \"\" _]",
        "[#5 \"" KEY "\" \"\" _ \"\" _]",
        "[_ \"" KEY "\" \"\" _ \"\"]",
        "[#-1 \"" KEY "\" \"\" _ \"\"]",
        "[#5 \"\" \"\" _ \"\"]",
        "[#5 _ \"\" _ \"\"]",
        "[#5 \"" KEY "0\" \"\" _ \"\"]",
        "[#5 \"0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef\" \"\" _ \"\"]",
        "[#5 \"" KEY "\" \"0\" _ \"\"]",
        "[#5 \"" KEY "\" _ _ \"\"]",
        "[#5 \"" KEY "\" \"\" \"7 id r1 h:1 v1 3\" \"\"]",
        "[#5 \"" KEY "\" \"\" _ \"a b\"]",
    };
    static breaker__script_members_t members, untouched;
    (void)state;

    memset(&members, 0, sizeof(members));
    for (size_t i = 0; i != COUNT(replies); ++i)
        if (parse_members(replies[i], &members))
            fail_msg("taken: %s", replies[i]);
    assert_memory_equal(&members, &untouched, sizeof(members));
}

static void a_node_is_live_until_dead_after_is_over(void **state)
{
    const breaker_script_node_t node = {.seen_ms = 70000};
    (void)state;

    assert_true(breaker_script_is_live(&node, 70000, 0));
    assert_true(breaker_script_is_live(&node, 69999, 0));
    assert_true(breaker_script_is_live(&node, 0, 0));
    assert_true(breaker_script_is_live(&node, 100000, 30000));
    assert_false(breaker_script_is_live(&node, 100001, 30000));
    assert_false(breaker_script_is_live(&node, UINT64_MAX, 30000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_read),
        cmocka_unit_test(nothing_new_is_told_from_nothing_at_all),
        cmocka_unit_test(numbers_are_as_large_as_they_may_be),
        cmocka_unit_test(an_entry_says_why_it_was_made),
        cmocka_unit_test(releases_are_read_with_their_silence),
        cmocka_unit_test(nodes_are_read_with_address_token_and_since),
        cmocka_unit_test(a_nodes_words_are_as_long_as_they_may_be),
        cmocka_unit_test(the_next_page_begins_where_the_answer_says),
        cmocka_unit_test(nodes_that_none_of_ours_wrote_are_passed_by),
        cmocka_unit_test(releases_that_none_of_ours_wrote_are_passed_by),
        cmocka_unit_test(what_the_script_never_answers_is_refused),
        cmocka_unit_test(more_than_the_script_tells_of_is_refused),
        cmocka_unit_test(releases_that_are_not_silent_are_noticed),
        cmocka_unit_test(no_more_living_releases_are_noticed_than_there_is_room_for),
        cmocka_unit_test(keys_are_read_and_the_nodes_with_them),
        cmocka_unit_test(keys_that_are_none_are_refused),
        cmocka_unit_test(a_node_is_live_until_dead_after_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
