/*
 * Makes heads. The array has names that point at libh2o's tokens, because its HTTP/2 encoder finds
 * their static index by address, and values that point into the text, which is what HTTP/1 sends:
 * whatever the two pens write is one and the same. All of a head lies in one allocation.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "answer/cross_origin.h"
#include "answer/head.h"
#include "answer/http1_text.h"

/* no token of libh2o's: of one, it makes `Cache-Control: private` for user agents that call
   themselves MSIE */
static const h2o_iovec_t vary_name = {H2O_STRLIT("vary")};

static void push_vary(breaker__draft_t *draft, const breaker_view_config_t *config,
                      bool is_negotiated)
{
    bool has_origins = breaker__has_origins(config->allow_origin);

    if (is_negotiated)
        breaker__draft_push_named(draft, &vary_name,
                                  has_origins ? "accept-encoding, origin" : "accept-encoding");
    else if (has_origins)
        breaker__draft_push_named(draft, &vary_name, "origin");
}

void breaker__draft_begin(breaker__draft_t *draft, const breaker_view_config_t *config,
                          bool is_negotiated)
{
    assert(config != NULL);
    draft->num_headers = draft->num_shared = 0;
    draft->allow_origin = config->allow_origin;
    draft->body_len = 0;
    draft->body = h2o_iovec_init(NULL, 0);
    push_vary(draft, config, is_negotiated);
    breaker__cross_origin_push(draft, config);
}

void breaker__draft_push_named(breaker__draft_t *draft, const h2o_iovec_t *name, const char *value)
{
    assert(draft->num_headers < BREAKER__HEADERS_MAX);
    draft->headers[draft->num_headers++] = (breaker__draft_header_t){
        .name = name, .own_name = *name, .value = h2o_iovec_init(value, strlen(value))};
}

void breaker__draft_push(breaker__draft_t *draft, const h2o_token_t *token, const char *value)
{
    breaker__draft_push_named(draft, &token->buf, value);
}

void breaker__draft_push_line(breaker__draft_t *draft, const char *line)
{
    const char *colon = strchr(line, ':'), *value;

    assert(colon != NULL);
    assert(draft->num_headers < BREAKER__HEADERS_MAX);
    for (value = colon + 1; *value == ' ' || *value == '\t'; ++value)
        ;
    draft->headers[draft->num_headers++] =
        (breaker__draft_header_t){.own_name = h2o_iovec_init(line, (size_t)(colon - line)),
                                  .value = h2o_iovec_init(value, strlen(value))};
}

static void drop_name(breaker__draft_t *draft, const char *name, size_t len)
{
    size_t num_left = 0;

    for (size_t i = 0; i != draft->num_headers; ++i) {
        const breaker__draft_header_t *header = draft->headers + i;
        if (header->own_name.len != len || strncasecmp(header->own_name.base, name, len) != 0)
            draft->headers[num_left++] = *header;
    }
    draft->num_headers = num_left;
}

void breaker__draft_replace_lines(breaker__draft_t *draft, const char *lines)
{
    assert(draft->num_shared == 0);
    for (const char *line = lines; *line != '\0'; line += strlen(line) + 1)
        drop_name(draft, line, strcspn(line, ":"));
    for (const char *line = lines; *line != '\0'; line += strlen(line) + 1)
        breaker__draft_push_line(draft, line);
}

static size_t text_size(const breaker__draft_t *draft, const h2o_globalconf_t *globalconf)
{
    size_t size = BREAKER__HTTP1_LENGTH_MAX + breaker__http1_server_len(globalconf);

    for (size_t i = 0; i != draft->num_headers; ++i)
        size += draft->headers[i].own_name.len + sizeof(": \r\n") - 1 + draft->headers[i].value.len;
    if (draft->allow_origin != NULL)
        size += strlen(draft->allow_origin);
    return size + sizeof("\r\n") - 1 + draft->body.len;
}

/* writes a line, and makes the header point at it */
static char *put_header(char *dst, const breaker__draft_header_t *draft, h2o_header_t *ret_header,
                        h2o_iovec_t *name_storage)
{
    h2o_iovec_t *name = (h2o_iovec_t *)(uintptr_t)draft->name;

    if (name == NULL) {
        const h2o_token_t *token;
        *name_storage = h2o_iovec_init(dst, draft->own_name.len);
        memcpy(dst, draft->own_name.base, draft->own_name.len);
        h2o_strtolower(dst, draft->own_name.len);
        token = h2o_lookup_token(dst, draft->own_name.len);
        name = token != NULL ? (h2o_iovec_t *)(uintptr_t)&token->buf : name_storage;
        dst += draft->own_name.len;
    } else {
        dst = breaker__http1_put(dst, name->base, name->len);
    }
    dst = breaker__http1_put(dst, H2O_STRLIT(": "));
    *ret_header = (h2o_header_t){.name = name, .value = h2o_iovec_init(dst, draft->value.len)};
    dst = breaker__http1_put(dst, draft->value.base, draft->value.len);
    return breaker__http1_put(dst, H2O_STRLIT("\r\n"));
}

/* fills the array and the text, for which there is room after the head */
static void fill(breaker__head_t *head, const breaker__draft_t *draft, h2o_header_t *headers,
                 h2o_iovec_t *names, char *text)
{
    char *at = text + head->headers_at;

    for (size_t i = 0; i != draft->num_headers; ++i) {
        if (i == draft->num_shared)
            head->shared_end = (size_t)(at - text);
        at = put_header(at, draft->headers + i, headers + i, names + i);
    }
    head->end = (size_t)(at - text);
    if (draft->num_shared == draft->num_headers)
        head->shared_end = head->end;
    at = breaker__http1_put(at, H2O_STRLIT("\r\n"));
    head->text_len = (size_t)(at - text);
    head->body = draft->body;
    if (draft->body.len != 0) {
        head->body.base = at;
        at = breaker__http1_put(at, draft->body.base, draft->body.len);
    }
    if (draft->allow_origin != NULL) {
        head->allow_origin = h2o_iovec_init(at, strlen(draft->allow_origin));
        breaker__http1_put(at, draft->allow_origin, head->allow_origin.len);
    }
}

breaker__head_t *breaker__head_create(const breaker__draft_t *draft,
                                      const h2o_globalconf_t *globalconf)
{
    size_t num = draft->num_headers, size = text_size(draft, globalconf);
    size_t headers_at = sizeof(breaker__head_t);
    size_t names_at = headers_at + num * sizeof(h2o_header_t);
    size_t text_at = names_at + num * sizeof(h2o_iovec_t);
    breaker__head_t *head = h2o_mem_alloc(text_at + size);
    h2o_header_t *headers = (void *)((char *)head + headers_at);
    h2o_iovec_t *names = (void *)((char *)head + names_at);
    char *text = (char *)head + text_at, *at;

    assert(draft->num_shared <= num);
    assert(draft->body.len == 0 || draft->body.len == draft->body_len);
    *head = (breaker__head_t){.mime_attr = h2o_mime_attributes_as_is,
                              .headers = headers,
                              .num_headers = num,
                              .num_shared = draft->num_shared,
                              .has_origins = breaker__has_origins(draft->allow_origin),
                              .body_len = draft->body_len,
                              .text = text};
    at = breaker__http1_put_length(text, draft->body_len);
    head->server_at = (size_t)(at - text);
    at = breaker__http1_put_server(at, globalconf);
    head->headers_at = (size_t)(at - text);
    fill(head, draft, headers, names, text);
    assert(head->text_len + head->body.len + head->allow_origin.len <= size);
    return head;
}

void breaker__head_free(breaker__head_t *head)
{
    free(head);
}
