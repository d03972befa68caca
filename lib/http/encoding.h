#ifndef BREAKER_HTTP_ENCODING_PRIVATE_H
#define BREAKER_HTTP_ENCODING_PRIVATE_H

/* For lib/ only. Not installed. */
#include <breaker/http/encoding.h>

/** The suffix of a file that holds the encoding: ".br", ".zst", ".gz", and "" for identity. */
const char *breaker__encoding_suffix(breaker_encoding_t encoding);

#endif
