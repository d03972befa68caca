#ifndef BREAKER_HANDLERS_REQUEST_H
#define BREAKER_HANDLERS_REQUEST_H

/* A request as far as its answer depends on it, whoever has parsed it. */
#include <breaker/h2o.h>

/** longer request targets get 414, as from most servers */
#define BREAKER__TARGET_MAX 8192

/** The fields of a request that change how an asset is answered; absent ones have no base. */
typedef struct st_breaker__fields_t {
    breaker_conditions_t conditions;
    breaker_field_t range;
    breaker_field_t if_range;
    breaker_field_t accept_encoding;
} breaker__fields_t;

/** Begins with no field. */
static inline void breaker__fields_init(breaker__fields_t *fields)
{
    *fields = (breaker__fields_t){.range = {.base = NULL}};
}

/** A request. Plain value; the texts are borrowed: they live as long as the request. */
typedef struct st_breaker__request_t {
    /** the answer goes without its body */
    bool is_head;
    /** the method is neither GET nor HEAD */
    bool is_of_other_method;
    /** a browser asks whether a page of another origin may ask (the Fetch standard, "CORS-preflight
     * request") */
    bool is_preflight;
    /** a body came with it: what follows it may be somebody else's request */
    bool has_body;
    /**
     * two servers could read the body's length differently, see framing.h, or the host, see host.h
     */
    bool is_ambiguous;
    /** as it was sent, query included */
    const char *target;
    size_t target_len;
    /**
     * for a byte of the normalised path, the place in `target` of the byte after it; NULL where the
     * path is in `target` as it is
     */
    const size_t *norm_indexes;
    /** how much of it is the path */
    size_t path_len;
    /** the request of libh2o, or NULL for a plain one */
    const h2o_req_t *by_libh2o;
    /** of a plain request only, else unset: ask `breaker__request_origin` */
    breaker_field_t origin;
    /** of a plain request only, else unset */
    breaker_field_t host;
    /** seconds since the epoch, and the fields; unset where no asset can be the answer */
    int64_t now_s;
    breaker__fields_t fields;
} breaker__request_t;

/**
 * Reads a request of libh2o. `with_fields` is false where no asset can be the answer: fields and
 * time are then unset. Lines of one field are joined in the request's pool.
 */
void breaker__request_read(breaker__request_t *request, h2o_req_t *req, bool with_fields);

/** The origin of the page that asks (RFC 6454 §7); no base where the request does not name one. */
h2o_iovec_t breaker__request_origin(const breaker__request_t *request);

/** The field names that a preflight asks for; no base where it names none. */
h2o_iovec_t breaker__request_asked_headers(const breaker__request_t *request);

/** Tells whether the client of a request of libh2o expects headers only. */
bool breaker__is_head(const h2o_req_t *req);

#endif
