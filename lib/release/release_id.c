/*
 * The id of a release: a label and a digest in one word. The split is by the word's shape alone, so
 * every node splits it alike, and a word that is not of our making stays what it is: it is compared
 * and passed on whole.
 */
#include <assert.h>
#include <string.h>
#include <breaker/error.h>
#include <breaker/release_id.h>
#include "release/digest.h"
#include "release/release_id.h"
#include "token/grammar.h"

enum { DIGEST_CHARS = BREAKER_RELEASE_DIGEST_CHARS };

_Static_assert(DIGEST_CHARS == BREAKER_DIGEST_TEXT_LEN, "a digest's text is one length");

bool breaker__release_id_is_valid(const char *base, size_t len)
{
    return len <= BREAKER_RELEASE_ID_MAX && breaker__is_word(base, len);
}

int breaker_release_id_parse(const char *base, size_t len, breaker_release_id_t *ret_id)
{
    if (!breaker__release_id_is_valid(base, len))
        return BREAKER_ERR_RELEASE_SYNTAX;
    *ret_id = (breaker_release_id_t){.len = len};
    memcpy(ret_id->text, base, len);
    return 0;
}

breaker_release_id_t breaker__release_id_make(const breaker_token_t *label, const uint8_t *digest)
{
    breaker_release_id_t id = {.len = label->len};

    assert(label->len <= BREAKER_RELEASE_LABEL_MAX);
    memcpy(id.text, label->text, label->len);
    if (id.len != 0)
        id.text[id.len++] = '~';
    breaker__digest_text(digest, id.text + id.len);
    id.len += DIGEST_CHARS;
    assert(breaker__release_id_is_valid(id.text, id.len));
    return id;
}

bool breaker_release_id_equal(const breaker_release_id_t *a, const breaker_release_id_t *b)
{
    return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

static bool is_digest(const char *base)
{
    for (size_t i = 0; i != DIGEST_CHARS; ++i)
        if (base[i] == '.' || base[i] == '~')
            return false;
    return true;
}

const char *breaker_release_id_digest(const breaker_release_id_t *id)
{
    const char *digest;

    assert(id->len <= BREAKER_RELEASE_ID_MAX);
    if (id->len < DIGEST_CHARS)
        return NULL;
    digest = id->text + id->len - DIGEST_CHARS;
    if (!is_digest(digest))
        return NULL;
    if (digest == id->text)
        return digest;
    /* a '~' alone would be a digest with an empty label, which nobody makes */
    return digest[-1] == '~' && digest - 1 != id->text ? digest : NULL;
}

size_t breaker_release_id_label_len(const breaker_release_id_t *id)
{
    const char *digest = breaker_release_id_digest(id);

    if (digest == NULL)
        return id->len;
    return digest != id->text ? (size_t)(digest - 1 - id->text) : 0;
}

bool breaker__release_id_clashes(const breaker_release_id_t *a, const breaker_release_id_t *b)
{
    const char *a_digest = breaker_release_id_digest(a), *b_digest = breaker_release_id_digest(b);
    size_t len = breaker_release_id_label_len(a);

    if (a_digest == NULL || b_digest == NULL || len == 0)
        return false;
    return len == breaker_release_id_label_len(b) && memcmp(a->text, b->text, len) == 0 &&
           memcmp(a_digest, b_digest, DIGEST_CHARS) != 0;
}

breaker_release_id_t breaker_release_id_shorten(const breaker_release_id_t *id)
{
    breaker_release_id_t shown = *id;

    if (breaker_release_id_digest(id) != NULL) {
        shown.len -= DIGEST_CHARS - BREAKER_RELEASE_DIGEST_SHOWN;
        memset(shown.text + shown.len, 0, sizeof(shown.text) - shown.len);
    }
    return shown;
}
