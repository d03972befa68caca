#ifndef BREAKER_HANDLERS_STATUS_ACCESS_H
#define BREAKER_HANDLERS_STATUS_ACCESS_H

/* Who may look. */
#include <breaker/h2o.h>
#include "status/users.h"

/** Plain value; made once, then read by all threads. */
typedef struct st_breaker__access_t {
    /** everybody, by address */
    bool allows_all;
    /** nothing was said: this machine only, and nobody for whom a proxy on it asks */
    bool is_default;
    bool allows_unix;
    size_t num_networks;
    breaker_network_t networks[BREAKER_H2O_STATUS_NETWORKS_MAX];
    breaker__users_t *users; /* owned; NULL: nobody is asked for a password */
} breaker__access_t;

typedef enum en_breaker__access_verdict_t {
    BREAKER__ACCESS_ALLOWED,
    /** from there nobody may */
    BREAKER__ACCESS_FORBIDDEN,
    /** a password is wanted, another one than was said */
    BREAKER__ACCESS_UNKNOWN,
    /** whether the password is right is not known yet */
    BREAKER__ACCESS_LATER,
} breaker__access_verdict_t;

/** Makes it by a configuration; fails like `breaker_h2o_status_register`. */
int breaker__access_init(breaker__access_t *access, const breaker_h2o_status_config_t *config,
                         breaker_error_t *error);
void breaker__access_dispose(breaker__access_t *access);

/** Judges a request. On its thread. */
breaker__access_verdict_t breaker__access_judge(const breaker__access_t *access, h2o_req_t *req);

#endif
