/*
 * Conditional requests: the tag lists and dates of RFC 9110 §13.1, their precedence (§13.2.2), and
 * HTTP dates both ways (§5.6.7). A condition that cannot be read must never make a client keep what
 * it should not: a malformed tag list matches nothing from there on, a malformed date is no date.
 *
 * Invariants: no locale, no time zone, no libc clock: dates are computed on the proleptic Gregorian
 * calendar; the tag and the modification time handed in are ours and well-formed.
 */
#include <assert.h>
#include <string.h>
#include <breaker/http/conditional.h>
#include "http/conditional.h"
#include "http/scan.h"

#define SECONDS_PER_DAY 86400
/** the first second of the year 0 and the last of the year 9999 */
#define SECONDS_MIN (-62167219200)
#define SECONDS_MAX 253402300799
/** RFC 9110 §8.8.2.2: a date is a strong validator when it is a minute old */
#define STRONG_DATE_AGE_S 60

static const char *const day_names[7] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
static const char *const long_day_names[7] = {"Thursday", "Friday",  "Saturday", "Sunday",
                                              "Monday",   "Tuesday", "Wednesday"};
static const char *const month_names[12] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/** A date taken apart; month and day count from 1. */
typedef struct st_civil_t {
    int year, month, day;
    int hour, minute, second;
} civil_t;

/** A place in a date that is read; `ok` turns false for good at what is not expected. */
typedef struct st_reader_t {
    const char *p, *end;
    bool ok;
} reader_t;

/* ---- the calendar ---- */

/** Days since 1970-01-01, by eras of 400 years whose years begin in March. */
static int64_t days_from_civil(int64_t year, int month, int day)
{
    int64_t era, year_of_era, day_of_year;

    year -= month <= 2;
    era = (year >= 0 ? year : year - 399) / 400;
    year_of_era = year - era * 400;
    day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static void civil_from_days(int64_t days, civil_t *ret_civil)
{
    int64_t era, day_of_era, year_of_era, day_of_year, shifted_month;

    days += 719468;
    era = (days >= 0 ? days : days - 146096) / 146097;
    day_of_era = days - era * 146097;
    year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    shifted_month = (5 * day_of_year + 2) / 153;
    ret_civil->day = (int)(day_of_year - (153 * shifted_month + 2) / 5 + 1);
    ret_civil->month = (int)(shifted_month + (shifted_month < 10 ? 3 : -9));
    ret_civil->year = (int)(year_of_era + era * 400 + (ret_civil->month <= 2));
}

static int days_in_month(int year, int month)
{
    static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

static int64_t clamp(int64_t value, int64_t least, int64_t most)
{
    return value < least ? least : value > most ? most : value;
}

static int64_t seconds_of_day(const civil_t *civil)
{
    return civil->hour * 3600 + civil->minute * 60 + civil->second;
}

/** A second of 60 is a leap second and becomes the first of the next minute. */
static bool seconds_from_civil(const civil_t *civil, int64_t *ret_s)
{
    if (civil->day < 1 || civil->day > days_in_month(civil->year, civil->month))
        return false;
    if (civil->hour > 23 || civil->minute > 59 || civil->second > 60)
        return false;
    *ret_s = days_from_civil(civil->year, civil->month, civil->day) * SECONDS_PER_DAY +
             seconds_of_day(civil);
    return true;
}

static void split_seconds(int64_t seconds, civil_t *ret_civil, int *ret_weekday)
{
    int64_t days = seconds / SECONDS_PER_DAY;
    int in_day = (int)(seconds % SECONDS_PER_DAY);

    if (in_day < 0) {
        in_day += SECONDS_PER_DAY;
        --days;
    }
    civil_from_days(days, ret_civil);
    ret_civil->hour = in_day / 3600;
    ret_civil->minute = in_day / 60 % 60;
    ret_civil->second = in_day % 60;
    *ret_weekday = (int)((days % 7 + 7) % 7);
}

/* ---- reading dates ---- */

static void expect(reader_t *reader, const char *text)
{
    size_t len = strlen(text);

    if (reader->ok && (size_t)(reader->end - reader->p) >= len && memcmp(reader->p, text, len) == 0)
        reader->p += len;
    else
        reader->ok = false;
}

static int read_number(reader_t *reader, int num_digits)
{
    int number = 0;

    for (; num_digits > 0; --num_digits) {
        if (!reader->ok || reader->p == reader->end || !breaker__is_digit(*reader->p)) {
            reader->ok = false;
            return 0;
        }
        number = number * 10 + (*reader->p++ - '0');
    }
    return number;
}

/** Returns which of the names comes next and steps over it, or -1 if none does. */
static int read_one_of(reader_t *reader, const char *const *names, int num)
{
    for (int i = 0; i < num; ++i) {
        reader_t next = *reader;
        expect(&next, names[i]);
        if (next.ok) {
            *reader = next;
            return i;
        }
    }
    return -1;
}

/** Returns the month from 1; 1 as well when there is none, so that it stays in bounds. */
static int read_month(reader_t *reader)
{
    int month = read_one_of(reader, month_names, 12);

    if (month < 0)
        reader->ok = false;
    return month < 0 ? 1 : month + 1;
}

static void read_time(reader_t *reader, civil_t *civil)
{
    civil->hour = read_number(reader, 2);
    expect(reader, ":");
    civil->minute = read_number(reader, 2);
    expect(reader, ":");
    civil->second = read_number(reader, 2);
}

/** Sun, 06 Nov 1994 08:49:37 GMT, from after the comma */
static void read_imf(reader_t *reader, civil_t *civil)
{
    expect(reader, " ");
    civil->day = read_number(reader, 2);
    expect(reader, " ");
    civil->month = read_month(reader);
    expect(reader, " ");
    civil->year = read_number(reader, 4);
    expect(reader, " ");
    read_time(reader, civil);
    expect(reader, " GMT");
}

/** Sun Nov  6 08:49:37 1994, from after the name of the day */
static void read_asctime(reader_t *reader, civil_t *civil)
{
    bool padded;

    expect(reader, " ");
    civil->month = read_month(reader);
    expect(reader, " ");
    padded = reader->ok && reader->p != reader->end && *reader->p == ' ';
    if (padded)
        expect(reader, " ");
    civil->day = read_number(reader, padded ? 1 : 2);
    expect(reader, " ");
    read_time(reader, civil);
    expect(reader, " ");
    civil->year = read_number(reader, 4);
}

/** Sunday, 06-Nov-94 08:49:37 GMT, from after the comma; the year is left at two digits */
static void read_rfc850(reader_t *reader, civil_t *civil)
{
    expect(reader, " ");
    civil->day = read_number(reader, 2);
    expect(reader, "-");
    civil->month = read_month(reader);
    expect(reader, "-");
    civil->year = read_number(reader, 2);
    expect(reader, " ");
    read_time(reader, civil);
    expect(reader, " GMT");
}

/**
 * Completes a date whose year has two digits: the last such date that does not lie more than 50
 * years after `now_s`.
 */
static bool seconds_in_century(civil_t *civil, int64_t now_s, int64_t *ret_s)
{
    civil_t now;
    int weekday, limit_year;
    int64_t seconds, limit_s;

    split_seconds(clamp(now_s, 0, SECONDS_MAX), &now, &weekday);
    limit_year = (int)clamp(now.year + 50, 0, 9999);
    limit_s =
        seconds_of_day(&now) + SECONDS_PER_DAY * days_from_civil(limit_year, now.month, now.day);

    civil->year += limit_year - limit_year % 100;
    if (civil->year > limit_year)
        civil->year -= 100;
    if (!seconds_from_civil(civil, &seconds))
        return false;
    if (seconds > limit_s) {
        civil->year -= 100;
        return seconds_from_civil(civil, ret_s);
    }
    *ret_s = seconds;
    return true;
}

/** Reads the name of a day; returns whether it was a long one. */
static bool read_day_name(reader_t *reader)
{
    if (read_one_of(reader, long_day_names, 7) >= 0)
        return true;
    if (read_one_of(reader, day_names, 7) < 0)
        reader->ok = false;
    return false;
}

bool breaker__http_date_parse(const char *base, size_t len, int64_t now_s, int64_t *ret_s)
{
    reader_t reader = {base, base + len, true};
    civil_t civil = {0};
    bool is_long = read_day_name(&reader);
    bool has_comma = reader.ok && reader.p != reader.end && *reader.p == ',';

    if (has_comma)
        expect(&reader, ",");
    if (is_long && !has_comma)
        return false;
    if (is_long)
        read_rfc850(&reader, &civil);
    else if (has_comma)
        read_imf(&reader, &civil);
    else
        read_asctime(&reader, &civil);
    if (!reader.ok || reader.p != reader.end)
        return false;
    return is_long ? seconds_in_century(&civil, now_s, ret_s) : seconds_from_civil(&civil, ret_s);
}

/* ---- writing dates ---- */

static char *write_number(char *dst, int number, int num_digits)
{
    for (int i = num_digits - 1; i >= 0; --i, number /= 10)
        dst[i] = (char)('0' + number % 10);
    assert(number == 0);
    return dst + num_digits;
}

static char *write_text(char *dst, const char *text)
{
    size_t len = strlen(text);

    memcpy(dst, text, len);
    return dst + len;
}

void breaker__http_date_format(int64_t seconds, char *dst)
{
    civil_t civil;
    int weekday;
    char *p = dst;

    split_seconds(clamp(seconds, SECONDS_MIN, SECONDS_MAX), &civil, &weekday);
    p = write_text(p, day_names[weekday]);
    p = write_text(p, ", ");
    p = write_number(p, civil.day, 2);
    p = write_text(p, " ");
    p = write_text(p, month_names[civil.month - 1]);
    p = write_text(p, " ");
    p = write_number(p, civil.year, 4);
    p = write_text(p, " ");
    p = write_number(p, civil.hour, 2);
    p = write_text(p, ":");
    p = write_number(p, civil.minute, 2);
    p = write_text(p, ":");
    p = write_number(p, civil.second, 2);
    p = write_text(p, " GMT");
    assert(p == dst + BREAKER_HTTP_DATE_LEN);
    *p = '\0';
}

/* ---- entity tags ---- */

/** etagc of RFC 9110 §8.8.3 */
static bool is_etag_char(char c)
{
    unsigned char u = (unsigned char)c;

    return u == 0x21 || (u >= 0x23 && u <= 0x7e) || u >= 0x80;
}

/** Returns the end of the quoted tag that begins at `p`, or NULL if none does. */
static const char *skip_opaque_tag(const char *p, const char *end)
{
    if (p == end || *p++ != '"')
        return NULL;
    while (p != end && is_etag_char(*p))
        ++p;
    return p != end && *p == '"' ? p + 1 : NULL;
}

/**
 * Tells whether a list has a tag like ours. A weak tag is like it for If-None-Match (`weak`), never
 * for If-Match. A member counts when what follows it is a comma or the end.
 */
static bool list_has_tag(breaker_field_t list, const char *etag, size_t etag_len, bool weak)
{
    const char *p = list.base, *end = p + list.len;

    for (;;) {
        const char *tag, *tag_end;
        bool is_weak;

        while (p != end && (*p == ',' || *p == ' ' || *p == '\t'))
            ++p;
        is_weak = end - p >= 2 && p[0] == 'W' && p[1] == '/';
        tag = is_weak ? p + 2 : p;
        if ((tag_end = skip_opaque_tag(tag, end)) == NULL)
            return false;
        p = breaker__skip_ows(tag_end, end);
        if (p != end && *p != ',')
            return false;
        if ((weak || !is_weak) && (size_t)(tag_end - tag) == etag_len &&
            memcmp(tag, etag, etag_len) == 0)
            return true;
    }
}

/** Tells whether the field is `*`, which any representation that exists is like. */
static bool is_any(breaker_field_t field)
{
    const char *end = field.base + field.len, *p = breaker__skip_ows(field.base, end);

    return breaker__trim_ows(p, end) - p == 1 && *p == '*';
}

static bool matches(breaker_field_t list, const char *etag, size_t etag_len, bool weak)
{
    /* what a browser sends: the one tag that it was given */
    if (list.len == etag_len && memcmp(list.base, etag, etag_len) == 0)
        return true;
    return is_any(list) || list_has_tag(list, etag, etag_len, weak);
}

/* ---- conditions ---- */

static bool read_date(breaker_field_t field, int64_t now_s, int64_t *ret_s)
{
    return field.base != NULL && breaker__http_date_parse(field.base, field.len, now_s, ret_s);
}

breaker_precondition_t breaker_precondition(const breaker_conditions_t *conditions,
                                            const char *etag, size_t etag_len,
                                            int64_t last_modified_s, int64_t now_s)
{
    int64_t date_s;

    assert(etag_len >= 2 && etag[0] == '"' && etag[etag_len - 1] == '"');
    if (conditions->if_match.base != NULL) {
        if (!matches(conditions->if_match, etag, etag_len, false))
            return BREAKER_PRECONDITION_FAILED;
    } else if (read_date(conditions->if_unmodified_since, now_s, &date_s)) {
        if (last_modified_s > date_s)
            return BREAKER_PRECONDITION_FAILED;
    }

    if (conditions->if_none_match.base != NULL) {
        if (matches(conditions->if_none_match, etag, etag_len, true))
            return BREAKER_PRECONDITION_NOT_MODIFIED;
    } else if (read_date(conditions->if_modified_since, now_s, &date_s)) {
        if (last_modified_s <= date_s)
            return BREAKER_PRECONDITION_NOT_MODIFIED;
    }
    return BREAKER_PRECONDITION_PROCEED;
}

bool breaker_if_range(breaker_field_t if_range, const char *etag, size_t etag_len,
                      int64_t last_modified_s, int64_t now_s)
{
    int64_t date_s;

    assert(etag_len >= 2 && etag[0] == '"' && etag[etag_len - 1] == '"');
    if (if_range.base == NULL)
        return true;
    if (if_range.len == etag_len && memcmp(if_range.base, etag, etag_len) == 0)
        return true;
    return breaker__http_date_parse(if_range.base, if_range.len, now_s, &date_s) &&
           date_s == last_modified_s && date_s + STRONG_DATE_AGE_S <= now_s;
}
