/*
 * Views: a configuration is checked once, copied into one block, and never changes again; only
 * hosts may be added, by the node before it is loaded. What is accepted here is trusted everywhere
 * else: a view's name can be written into a URL as it is, and its headers into a response.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <breaker/error.h>
#include <breaker/http/percent.h>
#include <breaker/token.h>
#include <breaker/view.h>
#include "http/percent.h"
#include "view/matched.h"
#include "view/view.h"

enum { PLACEHOLDER_LEN = sizeof(BREAKER_PLACEHOLDER) - 1, DIRECTORY_MAX = 4095, INDEX_MAX = 255 };

static const uint64_t YEAR_S = UINT64_C(31536000);

/* fields that the server writes itself: a second one would contradict it or break the framing */
static const char *const reserved_headers[] = {
    "accept-ranges",
    "access-control-allow-origin",
    "age",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cross-origin-resource-policy",
    "date",
    "etag",
    "keep-alive",
    "last-modified",
    "location",
    "proxy-connection",
    "retry-after",
    "server",
    "te",
    "timing-allow-origin",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
};

void breaker_view_config_init(breaker_view_config_t *config)
{
    *config = (breaker_view_config_t){
        .cache_max_age_s = YEAR_S,
        .redirect_max_age_s = 60,
        .retry_after_s = 3,
        .allow_origin = "*",
        .encodings = true,
        .charset = true,
        .memory_file_limit = UINT64_C(8) << 20,
        .memory_limit = UINT64_C(1) << 30,
    };
}

/* ---- the name ---- */

/* a part of the name around the placeholder: what stands for itself in a URL path */
static bool is_literal(const char *base, size_t len)
{
    char encoded[3 * BREAKER_VIEW_NAME_MAX];

    return breaker__percent_encode(base, len, encoded) == len;
}

/* drops a slash on either side; the placeholder is looked for first, to name the likelier error */
static int check_name(const char *name, const char **ret_base, size_t *ret_len)
{
    const char *placeholder, *behind;
    size_t len = name != NULL ? strlen(name) : 0;

    if (len != 0 && name[0] == '/') {
        ++name;
        --len;
    }
    if (len != 0 && name[len - 1] == '/')
        --len;
    if (len == 0 || len > BREAKER_VIEW_NAME_MAX)
        return BREAKER_ERR_VIEW_NAME;
    placeholder = memmem(name, len, BREAKER_PLACEHOLDER, PLACEHOLDER_LEN);
    if (placeholder == NULL)
        return BREAKER_ERR_NO_PLACEHOLDER;
    behind = placeholder + PLACEHOLDER_LEN;
    if (memmem(behind, len - (size_t)(behind - name), BREAKER_PLACEHOLDER, PLACEHOLDER_LEN) != NULL)
        return BREAKER_ERR_TWO_PLACEHOLDERS;
    if (!is_literal(name, (size_t)(placeholder - name)) ||
        !is_literal(behind, len - (size_t)(behind - name)) ||
        !breaker__path_has_names_only(name, len))
        return BREAKER_ERR_VIEW_NAME;
    *ret_base = name;
    *ret_len = len;
    return 0;
}

/* ---- headers ---- */

/* tchar of RFC 9110 §5.6.2 */
static bool is_tchar(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_reserved(const char *name, size_t len)
{
    for (size_t i = 0; i != sizeof(reserved_headers) / sizeof(reserved_headers[0]); ++i)
        if (strlen(reserved_headers[i]) == len && strncasecmp(reserved_headers[i], name, len) == 0)
            return true;
    return false;
}

/* visible bytes and blanks (RFC 9110 §5.5); a tab is a control character here */
static int check_value(const char *value)
{
    for (const char *p = value; *p != '\0'; ++p)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return BREAKER_ERR_HEADER_SYNTAX;
    return strlen(value) <= BREAKER_VIEW_HEADER_MAX ? 0 : BREAKER_ERR_RANGE;
}

static int check_header(const char *line)
{
    const char *colon = line;

    while (is_tchar(*colon))
        ++colon;
    if (colon == line || *colon != ':' || is_reserved(line, (size_t)(colon - line)))
        return BREAKER_ERR_HEADER_SYNTAX;
    return check_value(line);
}

bool breaker_is_header(const char *line)
{
    return check_header(line) == 0;
}

bool breaker_is_origin(const char *base, size_t len)
{
    const char *separator = memmem(base, len, "://", 3), *host;

    if (len == 4 && memcmp(base, "null", 4) == 0)
        return true;
    if (separator == NULL || separator == base || separator + 3 == base + len)
        return false;
    host = separator + 3;
    for (const char *at = base; at != base + len; ++at)
        if ((*at >= 'A' && *at <= 'Z') || (unsigned char)*at <= ' ' || *at == 0x7f ||
            (at >= host && strchr("/?#@*,\\", *at) != NULL))
            return false;
    return true;
}

/* a list, or anything that the header may have */
static int check_allow_origin(const char *value)
{
    const char *at = value, *end;

    if (value == NULL || strchr(value, ' ') == NULL)
        return 0;
    for (; at != NULL; at = *end == ' ' ? end + 1 : NULL) {
        end = strchrnul(at, ' ');
        if (!breaker_is_origin(at, (size_t)(end - at)))
            return BREAKER_ERR_HEADER_SYNTAX;
    }
    return 0;
}

static int check_option(const char *value)
{
    if (value == NULL)
        return 0;
    return value[0] != '\0' ? check_value(value) : BREAKER_ERR_HEADER_SYNTAX;
}

static int check_matched_headers(const breaker_view_config_t *config)
{
    int err;

    for (size_t i = 0; i != config->num_matched_headers; ++i) {
        if (!breaker_is_pattern(config->matched_headers[i].pattern))
            return BREAKER_ERR_PATTERN_SYNTAX;
        if ((err = check_header(config->matched_headers[i].header)) != 0)
            return err;
    }
    return 0;
}

static int check_headers(const breaker_view_config_t *config)
{
    int err;

    if ((err = check_option(config->allow_origin)) != 0 ||
        (err = check_allow_origin(config->allow_origin)) != 0 ||
        (err = check_option(config->timing_allow_origin)) != 0 ||
        (err = check_option(config->resource_policy)) != 0)
        return err;
    if (config->num_headers > BREAKER_VIEW_HEADERS_MAX ||
        config->num_matched_headers > BREAKER_VIEW_HEADERS_MAX - config->num_headers)
        return BREAKER_ERR_RANGE;
    for (size_t i = 0; i != config->num_headers; ++i)
        if ((err = check_header(config->headers[i])) != 0)
            return err;
    return check_matched_headers(config);
}

/* ---- the rest of the configuration ---- */

/* the path of a file below the directory, one that a URL can carry */
static bool is_logical_path(const char *path)
{
    size_t len = strlen(path);

    return len <= INDEX_MAX && breaker__path_has_names_only(path, len) &&
           breaker__path_is_clean(path, len);
}

/* the name of one file, one that a URL can carry */
static bool is_index(const char *name)
{
    return strchr(name, '/') == NULL && is_logical_path(name);
}

static int check_bounds(const breaker_view_config_t *config)
{
    if (config->cache_max_age_s > BREAKER_CACHE_MAX_AGE_MAX_S ||
        config->redirect_max_age_s > BREAKER_REDIRECT_MAX_AGE_MAX_S || config->retry_after_s < 1 ||
        config->retry_after_s > BREAKER_RETRY_AFTER_MAX_S)
        return BREAKER_ERR_RANGE;
    if (config->fallback != NULL && !is_logical_path(config->fallback))
        return BREAKER_ERR_RANGE;
    return config->index == NULL || is_index(config->index) ? 0 : BREAKER_ERR_RANGE;
}

static bool is_directory(const char *directory)
{
    return directory != NULL && directory[0] != '\0' && strlen(directory) <= DIRECTORY_MAX;
}

static bool are_directories(const char *const *directories, size_t num, size_t max)
{
    if (num > max)
        return false;
    for (size_t i = 0; i != num; ++i)
        if (!is_directory(directories[i]))
            return false;
    return true;
}

static int check_place(const breaker_view_config_t *config, size_t index)
{
    if (index >= BREAKER_VIEWS_MAX || !is_directory(config->directory) ||
        !are_directories(config->directories, config->num_directories,
                         BREAKER_VIEW_DIRECTORIES_MAX) ||
        !are_directories(config->follow, config->num_follow, BREAKER_VIEW_FOLLOW_MAX))
        return BREAKER_ERR_RANGE;
    return 0;
}

int breaker__view_check(const breaker_view_config_t *config)
{
    const char *name;
    size_t name_len;
    int err;

    if ((err = check_name(config->name, &name, &name_len)) != 0 ||
        (err = check_bounds(config)) != 0)
        return err;
    return check_headers(config);
}

/* ---- the copy ---- */

static size_t text_size(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

static size_t list_size(const char *const *texts, size_t num)
{
    size_t size = 0;

    for (size_t i = 0; i != num; ++i)
        size += text_size(texts[i]);
    return size;
}

static size_t matched_size(const breaker_view_config_t *config)
{
    size_t size = 0;

    for (size_t i = 0; i != config->num_matched_headers; ++i)
        size += text_size(config->matched_headers[i].pattern) +
                text_size(config->matched_headers[i].header);
    return size;
}

static size_t texts_size(const breaker_view_config_t *config, size_t name_len)
{
    /* the name as it is, and as head and tail with their slashes */
    size_t size = name_len + 1 + name_len - PLACEHOLDER_LEN + 2;

    size += text_size(config->directory) + text_size(config->allow_origin) +
            text_size(config->timing_allow_origin) + text_size(config->resource_policy) +
            text_size(config->index) + text_size(config->fallback);
    return size + list_size(config->headers, config->num_headers) + matched_size(config) +
           list_size(config->directories, config->num_directories) +
           list_size(config->follow, config->num_follow);
}

/* moves the text that `*text` points at to `at`; returns the next free byte */
static char *keep_text(char *at, const char **text)
{
    size_t size = text_size(*text);

    if (size == 0)
        return at;
    memcpy(at, *text, size);
    *text = at;
    return at + size;
}

/* moves the texts of a list to `at`, and the list to `*dst`, which goes on after it */
static char *keep_list(char *at, const char *const **list, size_t num, const char ***dst)
{
    const char **texts = *dst;

    for (size_t i = 0; i != num; ++i) {
        texts[i] = (*list)[i];
        at = keep_text(at, texts + i);
    }
    *list = texts;
    *dst = texts + num;
    return at;
}

static char *keep_matched(char *at, breaker_view_config_t *config, breaker_matched_header_t *dst)
{
    for (size_t i = 0; i != config->num_matched_headers; ++i) {
        dst[i] = config->matched_headers[i];
        at = keep_text(at, &dst[i].pattern);
        at = keep_text(at, &dst[i].header);
    }
    config->matched_headers = dst;
    return at;
}

static char *keep_name(char *at, breaker_view_t *view, const char *name, size_t len)
{
    const char *placeholder, *slash;

    memcpy(at, name, len);
    at[len] = '\0';
    view->config.name = at;
    placeholder = strstr(at, BREAKER_PLACEHOLDER);
    assert(placeholder != NULL);
    at += len + 1;

    view->head_len = 1 + (size_t)(placeholder - view->config.name);
    view->head = at;
    *at++ = '/';
    at = mempcpy(at, view->config.name, view->head_len - 1);

    view->tail_len = len - (view->head_len - 1) - PLACEHOLDER_LEN + 1;
    view->tail = at;
    at = mempcpy(at, placeholder + PLACEHOLDER_LEN, view->tail_len - 1);
    *at++ = '/';
    slash = memchr(view->tail, '/', view->tail_len);
    assert(slash != NULL);
    view->segment_tail_len = (size_t)(slash - view->tail);
    return at;
}

/* a missing directory is no error before the load; its real path is then not known */
static void measure_place(breaker__view_place_t *place, const char *directory)
{
    place->directory = directory;
    place->len = strlen(directory);
    while (place->len != 0 && directory[place->len - 1] == '/')
        --place->len;
    if ((place->real = realpath(directory, NULL)) != NULL)
        place->real_len = strcmp(place->real, "/") == 0 ? 0 : strlen(place->real);
}

/* false without memory */
static bool measure_places(breaker_view_t *view)
{
    const breaker_view_config_t *config = &view->config;

    if ((view->places = calloc(1 + config->num_directories, sizeof(*view->places))) == NULL)
        return false;
    measure_place(view->places + view->num_places++, config->directory);
    for (size_t i = 0; i != config->num_directories; ++i)
        measure_place(view->places + view->num_places++, config->directories[i]);
    return true;
}

static breaker_view_t *copy_view(const breaker_view_config_t *config, const char *name,
                                 size_t name_len)
{
    size_t num_listed = config->num_headers + config->num_directories + config->num_follow;
    size_t size = sizeof(breaker_view_t) +
                  config->num_matched_headers * sizeof(breaker_matched_header_t) +
                  num_listed * sizeof(const char *) + texts_size(config, name_len);
    breaker_view_t *view = calloc(1, size);
    breaker_matched_header_t *matched;
    const char **listed;
    char *at;

    if (view == NULL)
        return NULL;
    matched = (breaker_matched_header_t *)(view + 1);
    listed = (const char **)(matched + config->num_matched_headers);
    at = (char *)(listed + num_listed);
    view->config = *config;
    at = keep_name(at, view, name, name_len);
    at = keep_text(at, &view->config.directory);
    at = keep_text(at, &view->config.allow_origin);
    at = keep_text(at, &view->config.timing_allow_origin);
    at = keep_text(at, &view->config.resource_policy);
    at = keep_text(at, &view->config.index);
    at = keep_text(at, &view->config.fallback);
    at = keep_list(at, &view->config.headers, config->num_headers, &listed);
    at = keep_list(at, &view->config.directories, config->num_directories, &listed);
    at = keep_list(at, &view->config.follow, config->num_follow, &listed);
    at = keep_matched(at, &view->config, matched);
    assert(at == (char *)view + size);
    view->config.host = NULL; /* the set has it */
    if (measure_places(view))
        return view;
    breaker__view_free(view);
    return NULL;
}

int breaker__view_create(const breaker_view_config_t *config, size_t index,
                         breaker_view_t **ret_view)
{
    const char *name;
    size_t name_len;
    breaker_view_t *view;
    int err;

    if ((err = check_name(config->name, &name, &name_len)) != 0 ||
        (err = breaker__view_check(config)) != 0 || (err = check_place(config, index)) != 0)
        return err;
    if ((view = copy_view(config, name, name_len)) == NULL)
        return BREAKER_ERR_NO_MEMORY;
    view->index = index;
    if ((err = breaker__hosts_add(
             &view->hosts, config->host != NULL ? config->host : BREAKER__HOST_DEFAULT)) != 0) {
        breaker__view_free(view);
        return err;
    }
    *ret_view = view;
    return 0;
}

void breaker__view_free(breaker_view_t *view)
{
    if (view == NULL)
        return;
    for (size_t i = 0; i != view->num_places; ++i)
        free(view->places[i].real);
    free(view->places);
    breaker__hosts_dispose(&view->hosts);
    free(view);
}

/* ---- sameness ---- */

static bool same_text(const char *x, const char *y)
{
    return x == NULL || y == NULL ? x == y : strcmp(x, y) == 0;
}

static bool same_list(const char *const *x, size_t num_x, const char *const *y, size_t num_y)
{
    if (num_x != num_y)
        return false;
    for (size_t i = 0; i != num_x; ++i)
        if (strcmp(x[i], y[i]) != 0)
            return false;
    return true;
}

static bool same_files(const breaker_view_config_t *x, const breaker_view_config_t *y)
{
    return strcmp(x->directory, y->directory) == 0 &&
           same_list(x->directories, x->num_directories, y->directories, y->num_directories) &&
           same_list(x->follow, x->num_follow, y->follow, y->num_follow) &&
           x->strict == y->strict && x->dotfiles == y->dotfiles &&
           x->memory_file_limit == y->memory_file_limit && x->memory_limit == y->memory_limit;
}

static bool same_headers(const breaker_view_config_t *x, const breaker_view_config_t *y)
{
    return same_text(x->allow_origin, y->allow_origin) &&
           same_text(x->timing_allow_origin, y->timing_allow_origin) &&
           same_text(x->resource_policy, y->resource_policy) &&
           same_list(x->headers, x->num_headers, y->headers, y->num_headers) &&
           breaker__matched_equal(x, y);
}

/* whoever adds an option compares it, or two hosts that differ in it are taken for one */
bool breaker__view_is_same(const breaker_view_t *a, const breaker_view_t *b)
{
    const breaker_view_config_t *x = &a->config, *y = &b->config;

    return strcmp(x->name, y->name) == 0 && same_files(x, y) && same_headers(x, y) &&
           x->cache_max_age_s == y->cache_max_age_s &&
           x->redirect_max_age_s == y->redirect_max_age_s && x->retry_after_s == y->retry_after_s &&
           same_text(x->index, y->index) && same_text(x->fallback, y->fallback) &&
           x->encodings == y->encodings && x->charset == y->charset &&
           x->encoded_names == y->encoded_names && x->data == y->data;
}

/* ---- what others see ---- */

const char *breaker__view_show(const breaker_view_t *view, char *dst)
{
    int len =
        snprintf(dst, BREAKER__VIEW_SHOWN_SIZE, "\"%s\"%s%s", view->config.name,
                 view->shares_name ? " of " : "", view->shares_name ? view->hosts.names[0] : "");

    assert(len > 0 && len < BREAKER__VIEW_SHOWN_SIZE);
    return dst;
}

bool breaker_view_is_for(const breaker_view_t *view, const char *host)
{
    return breaker__hosts_have(&view->hosts, host != NULL ? host : BREAKER__HOST_DEFAULT);
}

const char *breaker_view_host(const breaker_view_t *view)
{
    assert(view->hosts.num != 0);
    return view->hosts.names[0];
}

const breaker_view_config_t *breaker_view_config(const breaker_view_t *view)
{
    return &view->config;
}

size_t breaker_view_index(const breaker_view_t *view)
{
    return view->index;
}

void *breaker_view_data(const breaker_view_t *view)
{
    return view->config.data;
}

const char *breaker_view_name(const breaker_view_t *view)
{
    return view->config.name;
}

size_t breaker_view_prefix(const breaker_view_t *view, const char *token, size_t token_len,
                           char *dst)
{
    char *end = dst;

    assert(token_len <= BREAKER_TOKEN_MAX);
    end = mempcpy(end, view->head, view->head_len);
    end = mempcpy(end, token, token_len);
    end = mempcpy(end, view->tail, view->tail_len);
    assert(end - dst <= BREAKER_VIEW_PREFIX_MAX);
    return (size_t)(end - dst);
}
