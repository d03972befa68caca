/*
 * What breakerctl is told: its command line, and the environment for what that leaves open.
 * Everything that is wrong is found here, before Redis is asked, and ends the process. Passwords do
 * not stay in the process title, nor in memory for longer than the link needs to copy them.
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <breaker/agreement.h>
#include <breaker/script.h>
#include "ctl/options.h"
#include "ctl/print.h"

enum {
    TIMEOUT_MS = 5000,
    TIMEOUT_MAX_S = 600,
    DEAD_AFTER_MAX_S = BREAKER_DEAD_AFTER_MAX_MS / 1000,
};

static void print_help(void)
{
    printf(
        "usage: breakerctl [options] status\n"
        "       breakerctl [options] promote [--force] RELEASE\n"
        "\n"
        "  status            the cluster's tokens and nodes\n"
        "  promote RELEASE   puts a release on top and prints its token; it is named by its id, "
        "its\n"
        "                    label, the beginning of its digest, both as `status` shows them, or "
        "a\n"
        "                    token of it\n"
        "\n"
        "  --redis URL       where Redis is; may be repeated ($BREAKER_REDIS)\n"
        "  --sentinel NAME   the URLs are sentinels, asked for the master NAME\n"
        "  --user NAME       the user of Redis\n"
        "  --password-file FILE\n"
        "  --ca-file FILE    CA certificates for rediss://\n"
        "  --cert-file FILE  certificate of ours for rediss://, and\n"
        "  --key-file FILE   its private key\n"
        "  --app NAME        the application ($BREAKER_APP)\n"
        "  --json            print JSON\n"
        "  --timeout SECONDS for everything; %d\n"
        "  --dead-after SECONDS\n"
        "                    a node unseen for longer is silent; as its release has it, or %d\n"
        "  --all             status: every node, not only the first %d\n"
        "  --force           promote: also a release that is not known yet\n"
        "  --version         print the version and exit\n"
        "  -h, --help        print this and exit\n"
        "\n"
        "Exit status: 0 done, 1 no such release or nothing known, 2 wrong usage, 3 Redis cannot\n"
        "be reached or refuses.\n",
        TIMEOUT_MS / 1000, BREAKER_DEAD_AFTER_DEFAULT_MS / 1000, BREAKER__PRINT_NODES_MAX);
}

static void refuse(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void refuse(const char *format, ...)
{
    va_list args;

    fputs("breakerctl: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputs("; try --help\n", stderr);
    exit(BREAKER__CTL_USAGE);
}

/* shows a value up to what is no word: a URL in the wrong place may hold a password */
static void refuse_usage(const char *what, const char *value)
{
    size_t len = strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

    refuse("%s%.*s", what, (int)len, value);
}

static uint32_t read_seconds(const char *option, const char *text, unsigned max_s)
{
    char *end;
    double seconds = strtod(text, &end);

    if (end == text || *end != '\0' || !(seconds >= 0.001 && seconds <= max_s)) {
        fprintf(stderr, "breakerctl: %s: got `%s`, accepted: 0.001 to %u seconds\n", option, text,
                max_s);
        exit(BREAKER__CTL_USAGE);
    }
    return (uint32_t)(seconds * 1000);
}

static void read_password(breaker__ctl_options_t *options, const char *path)
{
    breaker_error_t error;

    if (breaker_redis_password_from_file(path, options->password, &error) != 0) {
        fprintf(stderr, "breakerctl: --password-file: %s\n", error.message);
        exit(BREAKER__CTL_USAGE);
    }
    options->redis.password = options->password;
}

static void add_url(breaker__ctl_options_t *options, char *url)
{
    if (options->redis.num_urls == BREAKER_REDIS_URLS_MAX)
        refuse("more than %d URLs of Redis", BREAKER_REDIS_URLS_MAX);
    if ((options->urls[options->redis.num_urls++] = strdup(url)) == NULL) {
        fprintf(stderr, "breakerctl: out of memory\n");
        exit(EX_OSERR);
    }
    /* a process title is for all to see, and a URL may hold a password */
    memset(url, '*', strlen(url));
}

/* the link has copies */
void breaker__ctl_options_forget(breaker__ctl_options_t *options)
{
    for (size_t i = 0; i != options->redis.num_urls; ++i) {
        explicit_bzero(options->urls[i], strlen(options->urls[i]));
        free(options->urls[i]);
    }
    options->redis.num_urls = 0;
    explicit_bzero(options->password, sizeof(options->password));
}

/* what the command line leaves open */
static void read_environment(breaker__ctl_options_t *options)
{
    const char *app = getenv("BREAKER_APP"), *urls = getenv("BREAKER_REDIS");
    char *rest;

    if (options->app == NULL)
        options->app = app;
    if (options->redis.num_urls != 0 || urls == NULL)
        return;
    if (strlen(urls) >= sizeof(options->environment))
        refuse_usage("BREAKER_REDIS is too long", "");
    strcpy(options->environment, urls);
    for (char *url = strtok_r(options->environment, " \t\n", &rest); url != NULL;
         url = strtok_r(NULL, " \t\n", &rest))
        add_url(options, url);
}

static void check_options(const breaker__ctl_options_t *options)
{
    if (options->app == NULL || options->app[0] == '\0')
        refuse_usage("--app NAME, or BREAKER_APP, is missing", "");
    if (!breaker_token_is_valid(options->app, strlen(options->app)))
        refuse("--app: accepted: 1 to %d characters of A-Z a-z 0-9 . _ ~ -", BREAKER_APP_MAX);
    if (options->redis.num_urls == 0)
        refuse_usage("--redis URL, or BREAKER_REDIS, is missing", "");
}

enum {
    OPTION_REDIS = 256,
    OPTION_SENTINEL,
    OPTION_USER,
    OPTION_PASSWORD_FILE,
    OPTION_CA_FILE,
    OPTION_CERT_FILE,
    OPTION_KEY_FILE,
    OPTION_APP,
    OPTION_JSON,
    OPTION_TIMEOUT,
    OPTION_DEAD_AFTER,
    OPTION_FORCE,
    OPTION_ALL,
    OPTION_VERSION,
};

static void take_option(breaker__ctl_options_t *options, int option)
{
    switch (option) {
    case OPTION_REDIS:
        add_url(options, optarg);
        break;
    case OPTION_SENTINEL:
        options->redis.sentinel = optarg;
        break;
    case OPTION_USER:
        options->redis.user = optarg;
        break;
    case OPTION_PASSWORD_FILE:
        read_password(options, optarg);
        break;
    case OPTION_CA_FILE:
        options->redis.ca_file = optarg;
        break;
    case OPTION_CERT_FILE:
        options->redis.cert_file = optarg;
        break;
    case OPTION_KEY_FILE:
        options->redis.key_file = optarg;
        break;
    case OPTION_APP:
        options->app = optarg;
        break;
    case OPTION_JSON:
        options->has_json = true;
        break;
    case OPTION_TIMEOUT:
        options->timeout_ms = read_seconds("--timeout", optarg, TIMEOUT_MAX_S);
        break;
    case OPTION_DEAD_AFTER:
        options->dead_after_ms = read_seconds("--dead-after", optarg, DEAD_AFTER_MAX_S);
        break;
    case OPTION_FORCE:
        options->has_force = true;
        break;
    case OPTION_ALL:
        options->has_all = true;
        break;
    case OPTION_VERSION:
        printf("breakerctl %s\n", BREAKER_BIN_VERSION);
        exit(BREAKER__CTL_OK);
    case 'h':
        print_help();
        exit(BREAKER__CTL_OK);
    case ':':
        refuse_usage("an argument is missing for ", options->argv[optind - 1]);
        break;
    default:
        refuse_usage("unknown option ", options->argv[optind - 1]);
    }
}

static void read_arguments(breaker__ctl_options_t *options, int argc, char **argv)
{
    static const struct option longs[] = {
        {"redis", required_argument, NULL, OPTION_REDIS},
        {"sentinel", required_argument, NULL, OPTION_SENTINEL},
        {"user", required_argument, NULL, OPTION_USER},
        {"password-file", required_argument, NULL, OPTION_PASSWORD_FILE},
        {"ca-file", required_argument, NULL, OPTION_CA_FILE},
        {"cert-file", required_argument, NULL, OPTION_CERT_FILE},
        {"key-file", required_argument, NULL, OPTION_KEY_FILE},
        {"app", required_argument, NULL, OPTION_APP},
        {"json", no_argument, NULL, OPTION_JSON},
        {"timeout", required_argument, NULL, OPTION_TIMEOUT},
        {"dead-after", required_argument, NULL, OPTION_DEAD_AFTER},
        {"force", no_argument, NULL, OPTION_FORCE},
        {"all", no_argument, NULL, OPTION_ALL},
        {"version", no_argument, NULL, OPTION_VERSION},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0}};
    int option;

    breaker_redis_config_init(&options->redis);
    options->redis.urls = (const char *const *)options->urls;
    options->timeout_ms = TIMEOUT_MS;
    options->argv = argv;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", longs, NULL)) != -1)
        take_option(options, option);
    options->argc = argc - optind;
    options->argv = argv + optind;
}

static void read_command(breaker__ctl_options_t *options)
{
    const char *name;

    if (options->argc == 0)
        refuse_usage("a command is missing: status, promote", "");
    name = options->argv[0];
    if (strcmp(name, "status") != 0 && strcmp(name, "promote") != 0)
        refuse_usage("unknown command ", name);
    if (strcmp(name, "status") == 0) {
        if (options->argc != 1)
            refuse_usage("unexpected argument ", options->argv[1]);
        if (options->has_force)
            refuse_usage("--force is for promote", "");
        return;
    }
    options->promotes = true;
    if (options->has_all)
        refuse_usage("--all is for status", "");
    if (options->argc != 2)
        refuse_usage("promote takes one release", "");
    if (breaker_release_id_parse(options->argv[1], strlen(options->argv[1]), &options->release) !=
        0)
        refuse("a release is 1 to %d characters of A-Z a-z 0-9 . _ ~ -", BREAKER_RELEASE_ID_MAX);
}

void breaker__ctl_options_read(breaker__ctl_options_t *options, int argc, char **argv)
{
    memset(options, 0, sizeof(*options));
    read_arguments(options, argc, argv);
    read_command(options);
    read_environment(options);
    check_options(options);
}
