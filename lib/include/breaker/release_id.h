#ifndef BREAKER_RELEASE_ID_H
#define BREAKER_RELEASE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <breaker/export.h>
#include <breaker/token.h>

#ifdef __cplusplus
extern "C" {
#endif

/** the longest label, in bytes: a label has the grammar of a token */
#define BREAKER_RELEASE_LABEL_MAX BREAKER_TOKEN_MAX
/** characters of a release's digest: a SHA-256 in base64url (RFC 4648 §5) without padding */
#define BREAKER_RELEASE_DIGEST_CHARS 43
/** the longest id of a release, in bytes, without a final NUL */
#define BREAKER_RELEASE_ID_MAX (BREAKER_RELEASE_LABEL_MAX + 1 + BREAKER_RELEASE_DIGEST_CHARS)
/** how many characters of a digest people are shown */
#define BREAKER_RELEASE_DIGEST_SHOWN 8

/**
 * The identity of a release: the operator's label, which may be missing, and the digest of what the
 * release answers (release.h). Neither is one by itself: the same label on other files is another
 * release, and so are the same files under another label. As one word:
 *
 *   2026.11.23-1~n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg     label, '~', digest
 *   n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg                  no label
 *
 * A label may have a '~' in it, a digest never has: the last one in the word parts them. Any other
 * word of the grammar is an id as well, one without a digest, and all of it the label: "any", which
 * stands for the files of a whole cluster, and what other versions of h2o-breaker call a release.
 *
 * Plain value; `text` is NUL-ended, `len` counts without the NUL. A zeroed id (`len` 0) is none.
 */
typedef struct st_breaker_release_id_t {
    size_t len;
    char text[BREAKER_RELEASE_ID_MAX + 1];
} breaker_release_id_t;

/**
 * Copies `len` bytes into `*ret_id`. Fails with BREAKER_ERR_RELEASE_SYNTAX when they are not an id.
 * Pure; any thread.
 */
BREAKER_EXPORT int breaker_release_id_parse(const char *base, size_t len,
                                            breaker_release_id_t *ret_id);

/** Tells whether two ids are the same bytes. Pure; any thread. */
BREAKER_EXPORT bool breaker_release_id_equal(const breaker_release_id_t *a,
                                             const breaker_release_id_t *b);

/** The length of the label, with which the text begins; 0 where there is none. Pure; any thread. */
BREAKER_EXPORT size_t breaker_release_id_label_len(const breaker_release_id_t *id);

/**
 * The digest, BREAKER_RELEASE_DIGEST_CHARS characters and a NUL at the end of the text, or NULL
 * where there is none. Borrowed from the id. Pure; any thread.
 */
BREAKER_EXPORT const char *breaker_release_id_digest(const breaker_release_id_t *id);

/**
 * What people are shown: the label and BREAKER_RELEASE_DIGEST_SHOWN characters of the digest with a
 * '~' between them, or what there is of the two. An id again, but not the release's. Pure.
 */
BREAKER_EXPORT breaker_release_id_t breaker_release_id_shorten(const breaker_release_id_t *id);

#ifdef __cplusplus
}
#endif

#endif
