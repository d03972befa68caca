#ifndef BREAKER_ENCODING_DECODER_H
#define BREAKER_ENCODING_DECODER_H

#include <stddef.h>
#include <breaker/http/decoder.h>

/** How many streams have begun: members of gzip, frames of zstd, 1 at most of the others. */
size_t breaker__decoder_num_streams(const breaker_decoder_t *decoder);

#endif
