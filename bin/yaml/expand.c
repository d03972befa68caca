/*
 * Variables of the environment in the values of a configuration. They are put in after YAML has
 * made its scalars: whatever a variable holds, it is a text in the place where it was named, and
 * never a key, a sequence or a comment.
 */
#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <h2o.h>
#include "yaml/expand.h"

#define FORMS "${NAME}, ${NAME:-default}, $${ for ${ itself"
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
#define NAME_MAX_LEN 255

/* what has been made so far */
typedef struct st_text_t {
    char *base; /* owned */
    size_t len;
    breaker_error_t *error;
} text_t;

static bool append(text_t *text, const char *base, size_t len)
{
    assert(text->len <= BREAKER__EXPAND_MAX);
    if (len > BREAKER__EXPAND_MAX - text->len) {
        breaker_error_set(text->error, BREAKER_ERR_RANGE,
                          "a value is longer than %u bytes with its variables",
                          BREAKER__EXPAND_MAX);
        return false;
    }
    text->base = h2o_mem_realloc(text->base, text->len + len + 1);
    memcpy(text->base + text->len, base, len);
    text->len += len;
    text->base[text->len] = '\0';
    return true;
}

static bool fail_form(text_t *text, const char *at)
{
    const char *end = strchr(at, '}');

    breaker_error_set(text->error, BREAKER_ERR_RANGE, "got `%.*s`; accepted: " FORMS,
                      (int)(end != NULL && end - at < 64 ? end - at + 1 : (long)strnlen(at, 64)),
                      at);
    return false;
}

/* what the variable comes to; `rest` is what follows its name: the end, or a default of `len` */
static bool append_variable(text_t *text, const char *name, const char *rest, size_t len)
{
    const char *value = getenv(name);

    if (len != 0 && (value == NULL || value[0] == '\0'))
        return append(text, rest + 2, len - 2);
    if (value != NULL)
        return append(text, value, strlen(value));
    breaker_error_set(text->error, BREAKER_ERR_RANGE,
                      "got `${%s}`, which the environment does not have; accepted: the name of a "
                      "variable that it has, or a default, as ${%s:-default}",
                      name, name);
    return false;
}

/* a `${` at `at`; returns where it ends, or NULL */
static const char *append_reference(text_t *text, const char *at)
{
    const char *begin = at + 2, *end = strchr(at, '}');
    size_t len = strspn(begin, LETTERS "0123456789");
    char name[NAME_MAX_LEN + 1];

    if (end == NULL || len == 0 || len > NAME_MAX_LEN || strchr("0123456789", begin[0]) != NULL ||
        (begin + len != end && strncmp(begin + len, ":-", 2) != 0) ||
        memmem(begin, (size_t)(end - begin), "${", 2) != NULL) {
        fail_form(text, at);
        return NULL;
    }
    memcpy(name, begin, len);
    name[len] = '\0';
    if (!append_variable(text, name, begin + len, (size_t)(end - begin) - len))
        return NULL;
    return end + 1;
}

/* what stands before the next `${`, or before the `$${` that is one of itself */
static size_t plain_len(const char *at)
{
    const char *next = strstr(at, "${");

    if (next == NULL)
        return strlen(at);
    return next != at && next[-1] == '$' ? (size_t)(next - at) - 1 : (size_t)(next - at);
}

char *breaker__expand(const char *at, breaker_error_t *error)
{
    text_t text = {.error = error};
    bool is_good = append(&text, "", 0);

    while (is_good && at[0] != '\0') {
        size_t len = plain_len(at);
        is_good = append(&text, at, len);
        at += len;
        if (!is_good || at[0] == '\0')
            break;
        if (at[1] == '$') {
            is_good = append(&text, "${", 2);
            at += strlen("$${");
        } else {
            at = append_reference(&text, at);
            is_good = at != NULL;
        }
    }
    if (is_good)
        return text.base;
    free(text.base);
    return NULL;
}
