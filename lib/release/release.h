#ifndef BREAKER_RELEASE_RELEASE_H
#define BREAKER_RELEASE_RELEASE_H

#include <stdatomic.h>
#include <breaker/release.h>
#include "release/suspects.h"

struct st_breaker_release_t {
    atomic_size_t refs;
    breaker_release_hooks_t hooks;
    breaker__suspects_t *suspects; /* borrowed: outlives us, or NULL */
    breaker_release_id_t id;
    uint8_t digest[BREAKER_DIGEST_LEN];
    size_t num_stores;
    breaker_store_t **stores; /* owned, by the index of the view */
};

/** What a load is told by the thread that it is done on. */
typedef struct st_breaker__load_t {
    /** where files that something happens to are posted; outlives the release, or NULL */
    breaker__suspects_t *suspects;
    /** raised when the load is to be given up, or NULL */
    const atomic_bool *stop;
} breaker__load_t;

/** `breaker_release_load`, which also fails with BREAKER_ERR_CANCELLED. */
int breaker__release_load(const breaker_release_config_t *config, const breaker__load_t *load,
                          breaker_release_t **ret_release, breaker_error_t *error);

#endif
