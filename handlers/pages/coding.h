#ifndef BREAKER_HANDLERS_CODING_H
#define BREAKER_HANDLERS_CODING_H

#include <breaker/http/decoder.h>

/**
 * Adds the codings that a Content-Encoding field value lists to what was listed before: start with
 * BREAKER_CODING_IDENTITY and hand in every field of that name. Pure.
 */
breaker_coding_t breaker__coding_add(breaker_coding_t before, const char *value, size_t len);

#endif
