#ifndef BREAKER_RELEASE_RELEASE_H
#define BREAKER_RELEASE_RELEASE_H

#include <stdatomic.h>
#include <breaker/release.h>

struct st_breaker_release_t {
    atomic_size_t refs;
    breaker_release_hooks_t hooks;
    breaker_release_id_t id;
    uint8_t digest[BREAKER_DIGEST_LEN];
    size_t num_stores;
    breaker_store_t **stores; /* owned, by the index of the view */
};

#endif
