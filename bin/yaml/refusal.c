/*
 * How libh2o reads numbers and complains, as it should have been written. The program's own
 * h2o_configurator_scanf and h2o_configurator_errprintf stand before libh2o's, which calls them by
 * their names:
 *
 * - a number is the whole value, where libh2o takes the digits that it begins with, so that
 *   `limit-request-body: 1GB` would be one byte; and it may have the units that ours have
 *   (`option.h`). A number alone means what it means to libh2o.
 * - a complaint has the form of ours: the place with its column, the key, what was found and what
 *   is accepted, as far as libh2o says it.
 */
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <inttypes.h>
#include <h2o.h>
#include <h2o/configurator.h>
#include <option.h>
#include "config/values.h"

#define EXPORTED __attribute__((visibility("default")))
#define TEXT_MAX 1024
#define SECONDS_MAX UINT32_MAX
#define MILLISECONDS_MAX (SECONDS_MAX * UINT64_C(1000))

/* ---- numbers ---- */

typedef enum en_measure_t { COUNT, BYTES, SECONDS, MILLISECONDS } measure_t;

static measure_t measure_of(const char *key)
{
    static const struct {
        const char *key;
        measure_t measure;
    } measures[] = {
        {"limit-request-body", BYTES},
        {"http2-latency-optimization-max-cwnd", BYTES},
        {"handshake-timeout", SECONDS},
        {"http1-request-timeout", SECONDS},
        {"http2-idle-timeout", SECONDS},
        {"http2-graceful-shutdown-timeout", SECONDS},
        {"http2-latency-optimization-min-rtt", MILLISECONDS},
        {"proxy.timeout.io", MILLISECONDS},
        {"proxy.timeout.keepalive", MILLISECONDS},
        {"proxy.websocket.timeout", MILLISECONDS},
        {"fastcgi.timeout.io", MILLISECONDS},
        {"fastcgi.timeout.keepalive", MILLISECONDS},
    };

    for (size_t i = 0; i != sizeof(measures) / sizeof(measures[0]); ++i)
        if (strcmp(key, measures[i].key) == 0)
            return measures[i].measure;
    return COUNT;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static int read_measured(const breaker__option_t *option, uint64_t max, uint64_t *ret_value)
{
    switch (measure_of(option->key)) {
    case BYTES:
        return breaker__option_size(option, 0, max, ret_value);
    case SECONDS:
        return breaker__option_seconds(option, 0, smaller(max, SECONDS_MAX), ret_value);
    case MILLISECONDS:
        return breaker__option_milliseconds(option, smaller(max, MILLISECONDS_MAX), ret_value);
    case COUNT:
        break;
    }
    return breaker__option_number(option, "a number", 0, max, ret_value);
}

static int read_ratio(const breaker__option_t *option, double *ret_ratio)
{
    const char *text = breaker__option_describe(option->node);
    char *end;
    double ratio = strtod(text, &end);

    if (option->node->type != YOML_TYPE_SCALAR || end == text || *end != '\0')
        return breaker__option_refuse(option, "a number, as 0.1");
    *ret_ratio = ratio;
    return 0;
}

/* `slot` is of the type that the format stands for; libh2o knows these five */
static int read_as(const breaker__option_t *option, const char *format, void *slot)
{
    bool is_int = strcmp(format, "%d") == 0, is_unsigned = strcmp(format, "%u") == 0;
    uint64_t value;

    if (strcmp(format, "%lf") == 0)
        return read_ratio(option, slot);
    if (!is_int && !is_unsigned && strcmp(format, "%zu") != 0 && strcmp(format, "%" SCNu64) != 0)
        h2o_fatal("libh2o reads a number in a way of its own");
    if (read_measured(option, is_int ? INT_MAX : is_unsigned ? UINT_MAX : UINT64_MAX, &value) != 0)
        return -1;
    if (is_int)
        *(int *)slot = (int)value;
    else if (is_unsigned)
        *(unsigned *)slot = (unsigned)value;
    else
        *(uint64_t *)slot = value;
    return 0;
}

_Static_assert(sizeof(size_t) == sizeof(uint64_t), "a %zu is stored as 64 bits");

EXPORTED int h2o_configurator_scanf(h2o_configurator_command_t *cmd, yoml_t *node,
                                    const char *format, ...)
{
    const breaker__option_t option = {.key = cmd->name, .node = node};
    va_list args;
    void *slot;

    va_start(args, format);
    slot = va_arg(args, void *);
    va_end(args);
    return read_as(&option, format, slot);
}

/* ---- complaints ---- */

/* "a value, a mapping", by what a directive takes */
static void name_kinds(int flags, char *dst, size_t size)
{
    static const struct {
        int flag;
        const char *name;
    } kinds[] = {{H2O_CONFIGURATOR_FLAG_EXPECT_SCALAR, "a single value"},
                 {H2O_CONFIGURATOR_FLAG_EXPECT_SEQUENCE, "a sequence"},
                 {H2O_CONFIGURATOR_FLAG_EXPECT_MAPPING, "a mapping"}};
    size_t len = 0;

    dst[0] = '\0';
    for (size_t i = 0; i != sizeof(kinds) / sizeof(kinds[0]) && len < size; ++i)
        if ((flags & kinds[i].flag) != 0)
            len += (size_t)snprintf(dst + len, size - len, "%s%s", len != 0 ? ", " : "",
                                    kinds[i].name);
}

/* "OFF,ON" with blanks */
static void name_choices(const char *choices, char *dst, size_t size)
{
    size_t len = 0;

    for (; *choices != '\0' && len + 3 < size; ++choices) {
        dst[len++] = *choices;
        if (*choices == ',')
            dst[len++] = ' ';
    }
    dst[len] = '\0';
}

/* what libh2o's words say is accepted; false where they say something else */
static bool find_accepted(const h2o_configurator_command_t *cmd, const char *reason, char *dst,
                          size_t size)
{
    static const char one_of[] = "argument must be one of: ", kind[] = "argument cannot be a ";

    if (strncmp(reason, one_of, strlen(one_of)) == 0) {
        name_choices(reason + strlen(one_of), dst, size);
        return true;
    }
    if (cmd != NULL && strncmp(reason, kind, strlen(kind)) == 0) {
        name_kinds(cmd->flags, dst, size);
        return true;
    }
    return false;
}

static void complain(const h2o_configurator_command_t *cmd, const yoml_t *node, const char *reason)
{
    const breaker__option_t option = {.key = cmd != NULL ? cmd->name : NULL, .node = node};
    const char *words = cmd != NULL ? breaker__accepted_by(cmd->name) : NULL;
    char accepted[TEXT_MAX];

    if (find_accepted(cmd, reason, accepted, sizeof(accepted)))
        breaker__option_refuse(&option, accepted);
    else if (words != NULL && node->type == YOML_TYPE_SCALAR)
        breaker__option_refuse(&option, words);
    else if (words != NULL)
        breaker__option_fail(&option, "%s; accepted: %s", reason, words);
    else if (node->type == YOML_TYPE_SCALAR && strstr(reason, node->data.scalar) == NULL)
        breaker__option_fail(&option, "got `%s`; %s", node->data.scalar, reason);
    else
        breaker__option_fail(&option, "%s", reason);
}

EXPORTED void h2o_configurator_errprintf(h2o_configurator_command_t *cmd, yoml_t *node,
                                         const char *reason, ...)
{
    char text[TEXT_MAX];
    va_list args;

    va_start(args, reason);
    vsnprintf(text, sizeof(text), reason, args);
    va_end(args);
    complain(cmd, node, text);
}
