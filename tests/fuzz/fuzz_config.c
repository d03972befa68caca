/*
 * Values of a configuration: numbers with their units, addresses to listen on and variables of the
 * environment, against their definitions. An input has a line with the least that is accepted, one
 * with the most, and the value.
 */
#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <option.h>
#include "config/address.h"
#include "yaml/expand.h"
#include "fuzz.h"

#define DAY_MS UINT64_C(86400000)

/* how often somebody was told why */
static size_t num_told;

void breaker__option_tell(bool is_warning, const char *line)
{
    assert(!is_warning);
    assert(strstr(line, "accepted: ") != NULL);
    for (const char *at = line; *at != '\0'; ++at)
        assert((unsigned char)*at >= ' ' && *at != 0x7f);
    ++num_told;
}

/* ---- numbers ---- */

typedef struct st_unit_t {
    const char *name;
    uint64_t value;
} unit_t;

/* false where the text is no number with one of the units, or comes to more than 64 bits */
static bool read_quantity(const char *text, const unit_t *units, uint64_t *ret_value)
{
    size_t num_digits = strspn(text, "0123456789");
    uint64_t value = 0;

    if (num_digits == 0)
        return false;
    for (size_t i = 0; i != num_digits; ++i)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (unsigned)(text[i] - '0'), &value))
            return false;
    for (; units->name != NULL; ++units)
        if (strcmp(text + num_digits, units->name) == 0)
            break;
    return units->name != NULL && !__builtin_mul_overflow(value, units->value, ret_value);
}

static bool read_time(const char *text, uint64_t alone_ms, uint64_t *ret_ms)
{
    const unit_t units[] = {{"", alone_ms}, {"ms", 1},     {"s", 1000}, {"m", 60000},
                            {"h", 3600000}, {"d", DAY_MS}, {NULL, 0}};

    return read_quantity(text, units, ret_ms);
}

static bool read_size(const char *text, uint64_t *ret_size)
{
    static const unit_t units[] = {
        {"", 1},          {"KB", 1000},     {"MB", 1000000},  {"GB", 1000000000},
        {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0}};

    return read_quantity(text, units, ret_size);
}

/* `err` is what a reader of ours came to, which got `value` if that is 0 */
static void check_value(int err, uint64_t value, bool is_expected, uint64_t expected)
{
    static size_t num_before;

    assert((err == 0) == is_expected);
    assert(err != 0 || value == expected);
    /* said once, or not */
    assert(num_told == num_before + (err != 0));
    num_before = num_told;
    assert(err == 0 || value == 77);
}

static void check_spans(const breaker__option_t *option, const char *text, uint64_t min,
                        uint64_t max)
{
    uint64_t expected = 0, got = 77;
    uint32_t got_ms = 77;
    bool is_time = read_time(text, 1000, &expected);
    int err = breaker__option_span(option, &got_ms);

    check_value(err, got_ms, is_time && expected <= DAY_MS, expected);
    got_ms = 77;
    err = breaker__option_span_within(option, (uint32_t)min, (uint32_t)max, &got_ms);
    check_value(err, got_ms, is_time && expected >= min && expected <= max, expected);
    err = breaker__option_age(option, max, &got);
    check_value(err, got, is_time && expected <= max, expected);
    got = 77;
    err = breaker__option_seconds(option, min, max, &got);
    check_value(err, got,
                is_time && expected % 1000 == 0 && expected / 1000 >= min && expected / 1000 <= max,
                expected / 1000);
    got = 77;
    is_time = read_time(text, 1, &expected);
    err = breaker__option_milliseconds(option, max, &got);
    check_value(err, got, is_time && expected <= max, expected);
}

static void check_numbers(const char *text, uint64_t min, uint64_t max)
{
    static const unit_t none[] = {{"", 1}, {NULL, 0}};
    char *copy = strdup(text);
    yoml_t node = {.type = YOML_TYPE_SCALAR, .filename = (char *)"f", .data = {.scalar = copy}};
    breaker__option_t option = {.directive = "d", .key = "k", .node = &node, .key_node = &node};
    uint64_t expected = 0, got = 77;
    bool is_on = false, is_number;
    int err;

    check_spans(&option, text, min, max);
    err = breaker__option_size(&option, min, max, &got);
    is_number = read_size(text, &expected);
    check_value(err, got, is_number && expected >= min && expected <= max, expected);
    got = 77;
    err = breaker__option_number(&option, "things", min, max, &got);
    is_number = read_quantity(text, none, &expected);
    check_value(err, got, is_number && expected >= min && expected <= max, expected);
    err = breaker__option_switch(&option, &is_on);
    check_value(err, err == 0 ? is_on : 77,
                strcasecmp(text, "ON") == 0 || strcasecmp(text, "OFF") == 0,
                strcasecmp(text, "ON") == 0);
    assert(strcmp(copy, text) == 0);
    free(copy);
}

/* ---- addresses ---- */

static bool is_port(const char *text)
{
    size_t len = strlen(text);

    return len >= 1 && len <= 5 && strspn(text, "0123456789") == len && atoi(text) <= 65535;
}

/* "HOST:PORT", with what stands around the host */
static bool is_host_and_port(const char *text, const breaker__address_t *address)
{
    char made[BREAKER__ADDRESS_HOST_MAX + 16];
    const char *host = address->host[0] != '\0' ? address->host : "*";
    bool is_bracketed = text[0] == '[';

    snprintf(made, sizeof(made), "%s%s%s:%s", is_bracketed ? "[" : "", host,
             is_bracketed ? "]" : "", address->port);
    return strcmp(made, text) == 0 && is_bracketed == (strchr(host, ':') != NULL);
}

/* whether it is one, all forms apart */
static bool is_address(const char *text)
{
    const char *end = text[0] == '[' ? strchr(text, ']') : strrchr(text, ':'), *host = text;
    size_t len;

    if (strncmp(text, "unix:", 5) == 0)
        return text[5] == '/';
    if (end == NULL)
        return text[0] != '[' && is_port(text);
    if (text[0] == '[')
        ++host;
    len = (size_t)(end - host);
    if (len == 0 || len >= BREAKER__ADDRESS_HOST_MAX ||
        (memchr(host, ':', len) != NULL) != (text[0] == '['))
        return false;
    if (text[0] == '[' && *++end != ':')
        return false;
    return is_port(end + 1);
}

static void check_address(const char *text)
{
    breaker__address_t address = {.port = "untouched"};
    const char *accepted = breaker__address_parse(text, &address);

    assert((accepted == NULL) == is_address(text));
    if (accepted != NULL) {
        assert(strcmp(address.port, "untouched") == 0);
    } else if (address.is_unix) {
        assert(address.port == text + 5);
    } else {
        assert(is_port(address.port) && address.port + strlen(address.port) == text + strlen(text));
        assert(address.port == text || is_host_and_port(text, &address));
    }
}

/* ---- variables ---- */

enum { LONG_LEN = 200000 };

static const char *long_value(void)
{
    static char text[LONG_LEN + 1];

    if (text[0] == '\0') {
        memset(text, 'l', LONG_LEN);
        setenv("LONG", text, 1);
        setenv("A", "${A}$", 1);
        setenv("EMPTY", "", 1);
        unsetenv("UNSET");
    }
    return text;
}

/* a place to write to */
typedef struct st_made_t {
    size_t len;
    char text[BREAKER__EXPAND_MAX + 1];
} made_t;

static bool put(made_t *made, const char *text, size_t len)
{
    if (len > BREAKER__EXPAND_MAX - made->len)
        return false;
    memcpy(made->text + made->len, text, len);
    made->len += len;
    made->text[made->len] = '\0';
    return true;
}

/* `at` is behind "${"; returns what follows the "}", or NULL */
static const char *put_variable(made_t *made, const char *at)
{
    const char *end = strchr(at, '}'), *value;
    char name[256] = "";
    size_t len = 0, rest;

    while (isalnum((unsigned char)at[len]) || at[len] == '_')
        ++len;
    if (end == NULL || len == 0 || len > 255 || isdigit((unsigned char)at[0]))
        return NULL;
    memcpy(name, at, len);
    value = getenv(name);
    rest = (size_t)(end - at) - len;
    for (const char *p = at; p + 1 < end; ++p)
        if (p[0] == '$' && p[1] == '{')
            return NULL;
    if (rest != 0 && (rest < 2 || at[len] != ':' || at[len + 1] != '-'))
        return NULL;
    if (rest != 0 && (value == NULL || *value == '\0'))
        return put(made, at + len + 2, rest - 2) ? end + 1 : NULL;
    return value != NULL && put(made, value, strlen(value)) ? end + 1 : NULL;
}

static bool expand(const char *at, made_t *made)
{
    bool is_good = put(made, "", 0);

    while (is_good && *at != '\0') {
        if (strncmp(at, "$${", 3) == 0) {
            is_good = put(made, "${", 2);
            at += 3;
        } else if (strncmp(at, "${", 2) == 0) {
            at = put_variable(made, at + 2);
            is_good = at != NULL;
        } else {
            is_good = put(made, at++, 1);
        }
    }
    return is_good;
}

static void check_expansion(const char *text)
{
    breaker_error_t error = {.code = 0};
    char *got = breaker__expand(text, &error);
    static made_t expected;
    bool is_good;

    expected.len = 0;
    is_good = expand(text, &expected);

    assert((got != NULL) == is_good);
    assert((error.code != 0) == !is_good);
    assert(got == NULL || strcmp(got, expected.text) == 0);
    free(got);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_text_t rest = {(const char *)data, size};
    uint64_t a = fuzz_take_number(&rest) % UINT32_MAX, b = fuzz_take_number(&rest) % UINT32_MAX;
    uint64_t max = (a > b ? a : b) / 1000 * 1000;
    uint64_t min = a > b ? b : a;
    char *text;

    if (size > FUZZ_INPUT_MAX || long_value() == NULL)
        return 0;
    text = strndup(rest.base != NULL ? rest.base : "", rest.len);
    assert(text != NULL);
    check_numbers(text, min < max ? min : max, max);
    check_address(text);
    check_expansion(text);
    free(text);
    return 0;
}
