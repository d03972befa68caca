/*
 * Conditional requests: tag lists against a second reading by a regular expression, dates by what
 * they are written back to, precedence by the steps of the standard. An input has a line with
 * the modification time, one with the present, and one for each of If-Match, If-None-Match,
 * If-Modified-Since, If-Unmodified-Since and If-Range, in which "-" means that there is none.
 */
#include <assert.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <breaker/http/conditional.h>
#include "fuzz.h"
#include "http/conditional.h"

static const char etag[] = "\"tag,1\"";
#define ETAG etag, sizeof(etag) - 1

static breaker_field_t take_field(fuzz_text_t *text)
{
    breaker_field_t field = {NULL, 0};
    fuzz_text_t line;

    if (!fuzz_take_line(text, &line) || (line.len == 1 && *line.base == '-'))
        return field;
    field.base = line.base;
    field.len = line.len;
    return field;
}

/* ---- tags ---- */

static const regex_t *member_pattern(void)
{
    static regex_t pattern;
    static bool compiled;

    if (!compiled) {
        int error =
            regcomp(&pattern, "^[ \t,]*(W/)?(\"[^\001-\040\"\177]*\")[ \t]*(,|$)", REG_EXTENDED);
        assert(error == 0);
        compiled = true;
    }
    return &pattern;
}

static bool has_tag(breaker_field_t field, bool weak)
{
    char text[FUZZ_INPUT_MAX + 1], *p = text;
    regmatch_t groups[4];

    memcpy(text, field.base, field.len);
    text[field.len] = '\0';
    for (size_t i = 0; i != field.len; ++i)
        if (text[i] == '\0')
            text[i] = '\001'; /* as little part of a tag */
    p += strspn(p, " \t");
    if (*p == '*' && p[1 + strspn(p + 1, " \t")] == '\0')
        return true;
    for (p = text; regexec(member_pattern(), p, 4, groups, 0) == 0; p += groups[0].rm_eo) {
        size_t len = (size_t)(groups[2].rm_eo - groups[2].rm_so);
        if ((weak || groups[1].rm_so < 0) && len == sizeof(etag) - 1 &&
            memcmp(p + groups[2].rm_so, etag, len) == 0)
            return true;
    }
    return false;
}

/* ---- dates ---- */

static void check_date(breaker_field_t field, int64_t now_s)
{
    char text[BREAKER_HTTP_DATE_LEN + 1];
    int64_t seconds, again;

    if (field.base == NULL || !breaker__http_date_parse(field.base, field.len, now_s, &seconds))
        return;
    assert(seconds >= -62167219200 && seconds <= 253402300800);
    if (seconds == 253402300800)
        return; /* the leap second after the last year that can be written */
    breaker__http_date_format(seconds, text);
    assert(breaker__http_date_parse(text, BREAKER_HTTP_DATE_LEN, now_s, &again));
    assert(again == seconds);
    /* the preferred form differs from what is written in the name of the day, or is a leap second
     */
    if (field.len == BREAKER_HTTP_DATE_LEN && memcmp(field.base + 3, ", ", 2) == 0 &&
        memcmp(field.base + 23, "60", 2) != 0)
        assert(memcmp(field.base + 3, text + 3, BREAKER_HTTP_DATE_LEN - 3) == 0);
}

static void check_format(int64_t seconds)
{
    char text[BREAKER_HTTP_DATE_LEN + 1];
    int64_t again;

    breaker__http_date_format(seconds, text);
    assert(strlen(text) == BREAKER_HTTP_DATE_LEN);
    assert(breaker__http_date_parse(text, BREAKER_HTTP_DATE_LEN, 0, &again));
    if (seconds >= -62167219200 && seconds <= 253402300799)
        assert(again == seconds);
}

/* ---- conditions ---- */

static bool read_date(breaker_field_t field, int64_t now_s, int64_t *ret_s)
{
    return field.base != NULL && breaker__http_date_parse(field.base, field.len, now_s, ret_s);
}

/** RFC 9110 §13.2.2, step by step. */
static breaker_precondition_t judge(const breaker_conditions_t *all, int64_t modified_s,
                                    int64_t now_s)
{
    int64_t date_s;
    bool failed = false, not_modified = false;

    if (all->if_match.base != NULL)
        failed = !has_tag(all->if_match, false);
    else if (read_date(all->if_unmodified_since, now_s, &date_s))
        failed = modified_s > date_s;
    if (all->if_none_match.base != NULL)
        not_modified = has_tag(all->if_none_match, true);
    else if (read_date(all->if_modified_since, now_s, &date_s))
        not_modified = modified_s <= date_s;
    if (failed)
        return BREAKER_PRECONDITION_FAILED;
    return not_modified ? BREAKER_PRECONDITION_NOT_MODIFIED : BREAKER_PRECONDITION_PROCEED;
}

/** A date that is before the modification for one condition is so for the other. */
static void check_dates_agree(breaker_field_t date, int64_t modified_s, int64_t now_s)
{
    breaker_conditions_t since = {.if_modified_since = date};
    breaker_conditions_t until = {.if_unmodified_since = date};
    breaker_precondition_t since_then = breaker_precondition(&since, ETAG, modified_s, now_s);
    breaker_precondition_t until_then = breaker_precondition(&until, ETAG, modified_s, now_s);

    assert(since_then != BREAKER_PRECONDITION_FAILED);
    assert(until_then != BREAKER_PRECONDITION_NOT_MODIFIED);
    assert(since_then == BREAKER_PRECONDITION_PROCEED ||
           until_then == BREAKER_PRECONDITION_PROCEED);
}

static void check_if_range(breaker_field_t field, int64_t modified_s, int64_t now_s)
{
    bool may = breaker_if_range(field, ETAG, modified_s, now_s);
    int64_t date_s;

    if (field.base == NULL)
        assert(may);
    else if (field.len != 0 && (*field.base == '"' || *field.base == 'W'))
        assert(may == (field.len == sizeof(etag) - 1 && memcmp(field.base, ETAG) == 0) ||
               breaker__http_date_parse(field.base, field.len, now_s, &date_s));
    else if (may)
        assert(breaker__http_date_parse(field.base, field.len, now_s, &date_s) &&
               date_s == modified_s && now_s > modified_s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_text_t text = {(const char *)data, size};
    int64_t modified_s, now_s;
    breaker_conditions_t conditions;
    breaker_field_t if_range;

    if (size > FUZZ_INPUT_MAX)
        return 0;
    modified_s = (int64_t)fuzz_take_number(&text);
    now_s = (int64_t)fuzz_take_number(&text);
    conditions.if_match = take_field(&text);
    conditions.if_none_match = take_field(&text);
    conditions.if_modified_since = take_field(&text);
    conditions.if_unmodified_since = take_field(&text);
    if_range = take_field(&text);

    assert(breaker_precondition(&conditions, ETAG, modified_s, now_s) ==
           judge(&conditions, modified_s, now_s));
    check_dates_agree(conditions.if_modified_since, modified_s, now_s);
    check_dates_agree(conditions.if_unmodified_since, modified_s, now_s);
    check_date(conditions.if_modified_since, now_s);
    check_date(conditions.if_unmodified_since, now_s);
    check_date(if_range, now_s);
    check_format(modified_s);
    check_if_range(if_range, modified_s, now_s);
    return 0;
}
