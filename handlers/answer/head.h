#ifndef BREAKER_HANDLERS_HEAD_H
#define BREAKER_HANDLERS_HEAD_H

/* The headers of one kind of answer, made once: an array for libh2o, and a text for HTTP/1. */
#include <breaker/h2o.h>

/**
 * A head, ready to be handed to libh2o, and the same as libh2o would write it on HTTP/1. Read-only
 * once made and shared by all threads that may see it. Names and values lie in the text or in
 * libh2o's table of tokens.
 */
typedef struct st_breaker__head_t {
    /** what libh2o's filters may know of the body */
    h2o_mime_attributes_t mime_attr;
    /** the origins whose pages may read the answer, as the view says it; none: no base */
    h2o_iovec_t allow_origin;
    /** they are several, so that a line of the answer says it, by the request; see cross_origin.h
     */
    bool has_origins;
    const h2o_header_t *headers;
    size_t num_headers;
    /** how many of `headers` a 304 has; they come first */
    size_t num_shared;
    /** the Content-Length in the text */
    uint64_t body_len;
    /** the body, where it is the same for all requests: it follows the text; else {NULL, 0} */
    h2o_iovec_t body;
    /**
     * What follows "Connection": Content-Length up to `server_at`, the server's name up to
     * `headers_at`, the shared headers up to `shared_end`, the others up to `end`, an empty line up
     * to `text_len`
     */
    const char *text;
    size_t server_at, headers_at, shared_end, end, text_len;
} breaker__head_t;

/** the most headers of one answer: those of a view's configuration, and ours */
#define BREAKER__HEADERS_MAX (BREAKER_VIEW_HEADERS_MAX + 16)

/** A header that is still to be copied into a head. */
typedef struct st_breaker__draft_header_t {
    /** lives as long as the process: a token's, or static; NULL: `own_name` is copied */
    const h2o_iovec_t *name;
    h2o_iovec_t own_name;
    h2o_iovec_t value;
} breaker__draft_header_t;

/** What a head is to be made of. Plain value; the texts live until the head is made. */
typedef struct st_breaker__draft_t {
    breaker__draft_header_t headers[BREAKER__HEADERS_MAX];
    size_t num_headers;
    size_t num_shared;
    /** borrowed: the configuration's */
    const char *allow_origin;
    uint64_t body_len;
    h2o_iovec_t body;
} breaker__draft_t;

/**
 * Begins the draft of an answer of a view. Every answer of every view passes here: a header that
 * all of them are to have, as those about use across origins, is pushed in this function.
 * `is_negotiated` says that the answer depends on Accept-Encoding.
 */
void breaker__draft_begin(breaker__draft_t *draft, const breaker_view_config_t *config,
                          bool is_negotiated);
/** Adds a header whose name is a token of libh2o. `value` is NUL-ended. */
void breaker__draft_push(breaker__draft_t *draft, const h2o_token_t *token, const char *value);
/** Adds a header whose name lives as long as the process, in lower case. */
void breaker__draft_push_named(breaker__draft_t *draft, const h2o_iovec_t *name, const char *value);
/** Adds a header as it is configured, "Name: value"; it was checked when the view was made. */
void breaker__draft_push_line(breaker__draft_t *draft, const char *line);

/**
 * Adds headers as they are configured, one after the other, each NUL-ended, and an empty text after
 * the last, in the place of those of the draft that have the same names.
 */
void breaker__draft_replace_lines(breaker__draft_t *draft, const char *lines);

/** Makes a head, with the name of the server that `globalconf` has by now. Never NULL. */
breaker__head_t *breaker__head_create(const breaker__draft_t *draft,
                                      const h2o_globalconf_t *globalconf);
/** Frees it; takes NULL. Nothing refers to it any more. */
void breaker__head_free(breaker__head_t *head);

#endif
