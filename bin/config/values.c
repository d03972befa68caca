/*
 * What directives of libh2o's accept, in words for those that it has none or bad ones for, and the
 * values that it takes without a look: a port that is none, a misspelt ON, a header with a line end
 * in it, which would go out as two, a directory that is not there. Whatever is refused elsewhere
 * already is left to that.
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <h2o.h>
#include <option.h>
#include "config/values.h"

#define HEADER "a header as `Name: value`, in one line"
#define CASPER "ON, OFF, or a mapping with capacity-bits, from 1 to 15, and tracking-types"
#define CASPER_KEYS "capacity-bits, tracking-types"
#define REDIRECT                                                                                   \
    "a URL or path, or a mapping with url, status, from 300 to 399, and internal, YES or NO"
#define PORT "a port"

/* ---- what is accepted ---- */

const char *breaker__accepted_by(const char *key)
{
    static const struct {
        const char *key, *accepted;
    } said[] = {
        {"error-doc", "a mapping with url and status, from 400 to 599 or a sequence of such, or a "
                      "sequence of these mappings"},
        {"expires", "OFF, or a number and a unit, as 30 seconds, 1 day or 1 year"},
        {"fastcgi.connect", "a port from 1 to 65535, or a mapping with port, host and type"},
        {"fastcgi.document_root", "a path that begins with /"},
        {"fastcgi.spawn", "a command, or a mapping with command and user"},
        {"file.index", "a sequence of names"},
        {"file.mime.addtypes", "a mapping of media types, as text/plain, to extensions, as .txt"},
        {"file.mime.settypes",
         "a mapping of media types, as text/plain, to extensions, as .txt, or "
         "to mappings with extensions, is_compressible and priority"},
        {"file.mime.removetypes", "a sequence of extensions, as .txt"},
        {"file.mime.setdefaulttype", "a media type, as text/plain"},
        {"hosts", "names of hosts, as www.example.com or www.example.com:8080"},
        {"http2-casper", CASPER},
        {"http2-latency-optimization-max-additional-delay", "a number above 0, as 0.1"},
        {"redirect", REDIRECT},
        {"setenv", "a mapping of names to values"},
        {"unsetenv", "a name, or a sequence of names"},
    };

    for (size_t i = 0; i != sizeof(said) / sizeof(said[0]); ++i)
        if (strcmp(key, said[i].key) == 0)
            return said[i].accepted;
    return NULL;
}

/* ---- headers ---- */

static bool has_control(const char *text)
{
    for (; *text != '\0'; ++text)
        if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f)
            return true;
    return false;
}

/* a token (RFC 9110, 5.6.2), with the blanks around it that libh2o takes off */
static bool is_name(const char *base, size_t len)
{
    for (; len != 0 && (*base == ' ' || *base == '\t'); ++base)
        --len;
    while (len != 0 && (base[len - 1] == ' ' || base[len - 1] == '\t'))
        --len;
    for (size_t i = 0; i != len; ++i)
        if (!isalnum((unsigned char)base[i]) && strchr("!#$%&'*+-.^_`|~", base[i]) == NULL)
            return false;
    return len != 0;
}

static int check_header(const breaker__option_t *option)
{
    const char *text = option->node->data.scalar, *colon = strchr(text, ':');

    if (colon == NULL || !is_name(text, (size_t)(colon - text)) || has_control(text))
        return breaker__option_refuse(option, HEADER);
    return 0;
}

static int check_header_name(const breaker__option_t *option)
{
    const char *text = option->node->data.scalar;

    return is_name(text, strlen(text)) ? 0 : breaker__option_refuse(option, "a header's name");
}

static int check_line(const breaker__option_t *option)
{
    return has_control(option->node->data.scalar)
               ? breaker__option_refuse(option, "a text without control characters")
               : 0;
}

/* ---- where to ---- */

static int check_redirect_url(const breaker__option_t *option)
{
    const char *text = option->node->data.scalar;

    return *text == '\0' || has_control(text) ? breaker__option_refuse(option, REDIRECT) : 0;
}

static int check_redirect(const breaker__option_t *option)
{
    const yoml_t *url = option->node;

    if (url->type == YOML_TYPE_MAPPING)
        url = yoml_get((yoml_t *)option->node, "url");
    if (url == NULL || url->type != YOML_TYPE_SCALAR)
        return 0;
    return check_redirect_url(&(breaker__option_t){.key = option->key, .node = url});
}

static int check_port(const breaker__option_t *option)
{
    uint64_t port;

    return breaker__option_number(option, PORT, 1, UINT16_MAX, &port);
}

static int check_fastcgi(const breaker__option_t *option)
{
    yoml_t *port, *type;

    if (option->node->type == YOML_TYPE_SCALAR)
        return check_port(option);
    if (option->node->type != YOML_TYPE_MAPPING)
        return 0;
    if ((port = yoml_get((yoml_t *)option->node, "port")) == NULL)
        return breaker__option_missing(option, "port");
    type = yoml_get((yoml_t *)option->node, "type");
    if (type != NULL &&
        (type->type != YOML_TYPE_SCALAR || strcasecmp(type->data.scalar, "tcp") != 0))
        return 0;
    return check_port(&(breaker__option_t){.directive = option->key, .key = "port", .node = port});
}

/* ---- others ---- */

static int check_casper_key(const breaker__option_t *option, void *data)
{
    (void)data;
    if (strcmp(option->key, "capacity-bits") == 0 || strcmp(option->key, "tracking-types") == 0)
        return 0;
    return breaker__option_unknown(option, CASPER_KEYS);
}

static int check_casper(const breaker__option_t *option)
{
    if (option->node->type == YOML_TYPE_MAPPING)
        return breaker__option_each(option, CASPER_KEYS, check_casper_key, NULL);
    if (option->node->type == YOML_TYPE_SCALAR &&
        strcasecmp(option->node->data.scalar, "ON") != 0 &&
        strcasecmp(option->node->data.scalar, "OFF") != 0)
        return breaker__option_refuse(option, CASPER);
    return 0;
}

static int warn_of(const breaker__option_t *option, int errnum)
{
    breaker__option_warn(option, "got `%s`: %s; what is asked for there is not found",
                         breaker__option_describe(option->node), strerror(errnum));
    return 0;
}

/* may be made later, as with h2o; but more often a letter is wrong */
static int check_directory(const breaker__option_t *option)
{
    struct stat st;

    if (stat(option->node->data.scalar, &st) != 0)
        return warn_of(option, errno);
    return S_ISDIR(st.st_mode) ? 0 : warn_of(option, ENOTDIR);
}

static int check_file(const breaker__option_t *option)
{
    struct stat st;

    if (stat(option->node->data.scalar, &st) != 0)
        return warn_of(option, errno);
    return S_ISDIR(st.st_mode) ? warn_of(option, EISDIR) : 0;
}

/* ---- all of them ---- */

int breaker__check_value(const char *key, const yoml_t *value)
{
    static const struct {
        const char *key; /* or what it begins with, where it ends in a dot */
        bool is_scalar;
        int (*check)(const breaker__option_t *option);
    } checks[] = {
        {"header.unset", true, check_header_name}, {"proxy.header.unset", true, check_header_name},
        {"header.", true, check_header},           {"proxy.header.", true, check_header},
        {"server-name", true, check_line},         {"redirect", false, check_redirect},
        {"fastcgi.connect", false, check_fastcgi}, {"http2-casper", false, check_casper},
        {"file.dir", true, check_directory},       {"file.file", true, check_file},
    };
    const breaker__option_t option = {.key = key, .node = value};

    for (size_t i = 0; i != sizeof(checks) / sizeof(checks[0]); ++i) {
        size_t len = strlen(checks[i].key);
        if (checks[i].key[len - 1] == '.' ? strncmp(key, checks[i].key, len) != 0
                                          : strcmp(key, checks[i].key) != 0)
            continue;
        if (checks[i].is_scalar && value->type != YOML_TYPE_SCALAR)
            return 0;
        return checks[i].check(&option);
    }
    return 0;
}
