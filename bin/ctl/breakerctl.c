/*
 * breakerctl: an operator's or a CI job's hand in the cluster, directly at Redis, so that it works
 * without any node. It carries a request out once and says by its exit status what came of it;
 * whatever it does is atomic in Redis and may be repeated.
 */
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>
#include <breaker/release_id.h>
#include "ctl/ask.h"
#include "ctl/name.h"
#include "ctl/print.h"

enum {
    STATUS_OK = 0,
    STATUS_UNKNOWN = 1,
    STATUS_USAGE = 2,
    STATUS_REDIS = 3,
    ENVIRONMENT_MAX = 8192,
    TIMEOUT_MS = 5000,
    TIMEOUT_MAX_S = 600,
    DEAD_AFTER_MAX_S = BREAKER_DEAD_AFTER_MAX_MS / 1000,
};

typedef struct st_options_t {
    const char *app;
    bool has_json, has_force;
    uint32_t timeout_ms, dead_after_ms;
    breaker_redis_config_t redis;
    char *urls[BREAKER_REDIS_URLS_MAX];
    char password[BREAKER_REDIS_PASSWORD_MAX + 1];
    /* what BREAKER_REDIS says, taken apart */
    char environment[ENVIRONMENT_MAX];
    /* the arguments that are left: the command and its own */
    int argc;
    char **argv;
} options_t;

/* all of them are large, and there is one of each */
static options_t options;
static breaker_script_command_t command;
static breaker_script_answer_t answer;
static breaker_ledger_t ledger; /* the answer's */
/* of all pages that were read */
static struct {
    breaker_script_node_t *base;
    size_t num, room;
} nodes;

/* ---- options ---- */

static void print_help(void)
{
    printf(
        "usage: breakerctl [options] status\n"
        "       breakerctl [options] promote [--force] RELEASE\n"
        "\n"
        "  status            the cluster's tokens and nodes\n"
        "  promote RELEASE   puts a release on top and prints its token\n"
        "\n"
        "  --redis URL       where Redis is; may be repeated ($BREAKER_REDIS)\n"
        "  --sentinel NAME   the URLs are sentinels, asked for the master NAME\n"
        "  --user NAME       the user of Redis\n"
        "  --password-file FILE\n"
        "  --ca-file FILE    CA certificates for rediss://\n"
        "  --app NAME        the application ($BREAKER_APP)\n"
        "  --json            print JSON\n"
        "  --timeout SECONDS for everything; %d\n"
        "  --dead-after SECONDS\n"
        "                    a node unseen for longer is silent; %d\n"
        "  --force           promote: also a release that is not known yet\n"
        "  --version         print the version and exit\n"
        "  -h, --help        print this and exit\n"
        "\n"
        "Exit status: 0 done, 1 no such release or nothing known, 2 wrong usage, 3 Redis cannot\n"
        "be reached or refuses.\n",
        TIMEOUT_MS / 1000, BREAKER_DEAD_AFTER_DEFAULT_MS / 1000);
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
    exit(STATUS_USAGE);
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
        exit(STATUS_USAGE);
    }
    return (uint32_t)(seconds * 1000);
}

static void read_password(const char *path)
{
    breaker_error_t error;

    if (breaker_redis_password_from_file(path, options.password, &error) != 0) {
        fprintf(stderr, "breakerctl: --password-file: %s\n", error.message);
        exit(STATUS_USAGE);
    }
    options.redis.password = options.password;
}

static void add_url(char *url)
{
    if (options.redis.num_urls == BREAKER_REDIS_URLS_MAX)
        refuse("more than %d URLs of Redis", BREAKER_REDIS_URLS_MAX);
    if ((options.urls[options.redis.num_urls++] = strdup(url)) == NULL) {
        fprintf(stderr, "breakerctl: out of memory\n");
        exit(EX_OSERR);
    }
    /* a process title is for all to see, and a URL may hold a password */
    memset(url, '*', strlen(url));
}

/* the link has copies */
static void forget_secrets(void)
{
    for (size_t i = 0; i != options.redis.num_urls; ++i) {
        explicit_bzero(options.urls[i], strlen(options.urls[i]));
        free(options.urls[i]);
    }
    options.redis.num_urls = 0;
    explicit_bzero(options.password, sizeof(options.password));
}

/* what the command line leaves open */
static void read_environment(void)
{
    const char *app = getenv("BREAKER_APP"), *urls = getenv("BREAKER_REDIS");
    char *rest;

    if (options.app == NULL)
        options.app = app;
    if (options.redis.num_urls != 0 || urls == NULL)
        return;
    if (strlen(urls) >= sizeof(options.environment))
        refuse_usage("BREAKER_REDIS is too long", "");
    strcpy(options.environment, urls);
    for (char *url = strtok_r(options.environment, " \t\n", &rest); url != NULL;
         url = strtok_r(NULL, " \t\n", &rest))
        add_url(url);
}

static void check_options(void)
{
    if (options.app == NULL || options.app[0] == '\0')
        refuse_usage("--app NAME, or BREAKER_APP, is missing", "");
    if (!breaker_token_is_valid(options.app, strlen(options.app)))
        refuse("--app: accepted: 1 to %d characters of A-Z a-z 0-9 . _ ~ -", BREAKER_APP_MAX);
    if (options.redis.num_urls == 0)
        refuse_usage("--redis URL, or BREAKER_REDIS, is missing", "");
}

enum {
    OPTION_REDIS = 256,
    OPTION_SENTINEL,
    OPTION_USER,
    OPTION_PASSWORD_FILE,
    OPTION_CA_FILE,
    OPTION_APP,
    OPTION_JSON,
    OPTION_TIMEOUT,
    OPTION_DEAD_AFTER,
    OPTION_FORCE,
    OPTION_VERSION,
};

static void take_option(int option)
{
    switch (option) {
    case OPTION_REDIS:
        add_url(optarg);
        break;
    case OPTION_SENTINEL:
        options.redis.sentinel = optarg;
        break;
    case OPTION_USER:
        options.redis.user = optarg;
        break;
    case OPTION_PASSWORD_FILE:
        read_password(optarg);
        break;
    case OPTION_CA_FILE:
        options.redis.ca_file = optarg;
        break;
    case OPTION_APP:
        options.app = optarg;
        break;
    case OPTION_JSON:
        options.has_json = true;
        break;
    case OPTION_TIMEOUT:
        options.timeout_ms = read_seconds("--timeout", optarg, TIMEOUT_MAX_S);
        break;
    case OPTION_DEAD_AFTER:
        options.dead_after_ms = read_seconds("--dead-after", optarg, DEAD_AFTER_MAX_S);
        break;
    case OPTION_FORCE:
        options.has_force = true;
        break;
    case OPTION_VERSION:
        printf("breakerctl %s\n", BREAKER_BIN_VERSION);
        exit(STATUS_OK);
    case 'h':
        print_help();
        exit(STATUS_OK);
    case ':':
        refuse_usage("an argument is missing for ", options.argv[optind - 1]);
        break;
    default:
        refuse_usage("unknown option ", options.argv[optind - 1]);
    }
}

static void read_options(int argc, char **argv)
{
    static const struct option longs[] = {
        {"redis", required_argument, NULL, OPTION_REDIS},
        {"sentinel", required_argument, NULL, OPTION_SENTINEL},
        {"user", required_argument, NULL, OPTION_USER},
        {"password-file", required_argument, NULL, OPTION_PASSWORD_FILE},
        {"ca-file", required_argument, NULL, OPTION_CA_FILE},
        {"app", required_argument, NULL, OPTION_APP},
        {"json", no_argument, NULL, OPTION_JSON},
        {"timeout", required_argument, NULL, OPTION_TIMEOUT},
        {"dead-after", required_argument, NULL, OPTION_DEAD_AFTER},
        {"force", no_argument, NULL, OPTION_FORCE},
        {"version", no_argument, NULL, OPTION_VERSION},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0}};
    int option;

    breaker_redis_config_init(&options.redis);
    options.redis.urls = (const char *const *)options.urls;
    options.timeout_ms = TIMEOUT_MS;
    options.dead_after_ms = BREAKER_DEAD_AFTER_DEFAULT_MS;
    options.argv = argv;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", longs, NULL)) != -1)
        take_option(option);
    options.argc = argc - optind;
    options.argv = argv + optind;
    read_environment();
}

/* ---- Redis ---- */

static int fail(int err, const breaker_error_t *error)
{
    fprintf(stderr, "breakerctl: %s\n", error->message);
    return err == BREAKER_ERR_UNREACHABLE ? STATUS_REDIS : STATUS_USAGE;
}

static int connect_redis(breaker__ask_t *ask)
{
    breaker_error_t error = {0};
    int err = breaker__ask_open(ask, &options.redis, options.timeout_ms, &error);

    forget_secrets();
    return err != 0 ? fail(err, &error) : STATUS_OK;
}

/* asks what `command` says */
static int take_answer(breaker__ask_t *ask)
{
    breaker_error_t error = {0};
    int err = breaker__ask_command(ask, &command, &answer, &error);

    if (err != 0)
        return fail(err, &error);
    err = breaker_ledger_init(&ledger, answer.ledger.entries, answer.ledger.num_entries);
    /* of an answer that was taken every entry is valid */
    assert(err == 0);
    return STATUS_OK;
}

static int look(breaker__ask_t *ask)
{
    breaker_script_read(&command, options.app, "");
    return take_answer(ask);
}

static void keep_page(void)
{
    if (nodes.num + answer.num_nodes > nodes.room) {
        nodes.room = 2 * nodes.room + BREAKER_SCRIPT_PAGE_MAX;
        nodes.base = realloc(nodes.base, nodes.room * sizeof(nodes.base[0]));
        if (nodes.base == NULL) {
            fprintf(stderr, "breakerctl: out of memory\n");
            exit(EX_OSERR);
        }
    }
    for (size_t i = 0; i != answer.num_nodes; ++i)
        nodes.base[nodes.num++] = answer.nodes[i];
    assert(nodes.num <= nodes.room);
}

/* page by page, so that Redis is never long busy because somebody looked */
static int look_at_all(breaker__ask_t *ask)
{
    char after[BREAKER_NODE_ID_MAX + 1] = "";
    int result;

    do {
        breaker_script_read(&command, options.app, after);
        if ((result = take_answer(ask)) != STATUS_OK)
            return result;
        keep_page();
        strcpy(after, answer.next);
    } while (after[0] != '\0');
    return STATUS_OK;
}

static uint64_t wall_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static breaker__print_view_t view_through(const breaker__ask_t *ask)
{
    return (breaker__print_view_t){.answer = &answer,
                                   .nodes = nodes.base,
                                   .num_nodes = nodes.num,
                                   .ledger = &ledger,
                                   .app = options.app,
                                   .peer = breaker__ask_peer(ask),
                                   .dead_after_ms = options.dead_after_ms};
}

/* ---- commands ---- */

static int status(breaker__ask_t *ask)
{
    breaker__print_view_t view;
    int result = look_at_all(ask);

    if (result != STATUS_OK)
        return result;
    view = view_through(ask);
    if (options.has_json)
        breaker__print_status_json(&view);
    else
        breaker__print_status(&view);
    return breaker_ledger_size(&ledger) != 0 ? STATUS_OK : STATUS_UNKNOWN;
}

static int enter(breaker__ask_t *ask, const breaker_release_id_t *release)
{
    breaker_script_enter(&command, options.app, release, wall_ms());
    return take_answer(ask);
}

/* the release that is meant, among those of the ledger; unknown to it, the text is a whole id */
static int resolve(breaker_release_id_t *release)
{
    breaker_release_id_t found[BREAKER_LEDGER_MAX];
    size_t num = breaker__name_find(&ledger, release->text, found);

    if (num == 1)
        *release = found[0];
    if (num <= 1)
        return STATUS_OK;
    fprintf(stderr, "breakerctl: %s is the name of %zu releases:", release->text, num);
    for (size_t i = 0; i != num; ++i)
        fprintf(stderr, " %s", found[i].text);
    fputs("\n", stderr);
    return STATUS_UNKNOWN;
}

/*
 * What is read first decides only whether to go on and what the new token looks like: the script
 * looks for itself whether the release is known and not the newest. By force it is entered first,
 * which changes nothing where somebody was faster.
 */
static int put_on_top(breaker__ask_t *ask, breaker_release_id_t *release,
                      breaker_token_t *ret_before)
{
    const breaker_ledger_entry_t *entry, *top;
    int result;

    *ret_before = (breaker_token_t){.len = 0};
    if ((result = look(ask)) != STATUS_OK || (result = resolve(release)) != STATUS_OK)
        return result;
    entry = breaker_ledger_newest(&ledger, release);
    if ((top = breaker_ledger_newest(&ledger, NULL)) != NULL)
        *ret_before = top->token;
    if (entry == NULL && !options.has_force)
        return STATUS_OK;
    if (entry == NULL && (result = enter(ask, release)) != STATUS_OK)
        return result;
    breaker_script_promote(&command, options.app, release, breaker_ledger_newest(&ledger, release),
                           wall_ms());
    return take_answer(ask);
}

static int promote(breaker__ask_t *ask, breaker_release_id_t *release)
{
    const breaker_ledger_entry_t *top;
    breaker__print_view_t view;
    breaker_token_t before;
    int result = put_on_top(ask, release, &before);
    bool is_new;

    if (result != STATUS_OK)
        return result;
    top = breaker_ledger_newest(&ledger, NULL);
    if (top == NULL || !breaker_release_id_equal(&top->release, release)) {
        fprintf(stderr,
                "breakerctl: app %s knows no release %s; `status` lists them, --force enters it\n",
                options.app, release->text);
        return STATUS_UNKNOWN;
    }
    is_new = !breaker_token_equal(&before, &top->token);
    view = view_through(ask);
    if (options.has_json)
        breaker__print_promotion_json(&view, top, is_new);
    else
        puts(top->token.text);
    if (!is_new && !options.has_json)
        fprintf(stderr, "breakerctl: release %s is the newest already\n", release->text);
    return STATUS_OK;
}

/* ---- the whole ---- */

/* Returns whether it is `promote`; everything that is wrong is found before Redis is asked. */
static bool read_command(breaker_release_id_t *ret_release)
{
    const char *name;

    if (options.argc == 0)
        refuse_usage("a command is missing: status, promote", "");
    name = options.argv[0];
    if (strcmp(name, "status") != 0 && strcmp(name, "promote") != 0)
        refuse_usage("unknown command ", name);
    if (strcmp(name, "status") == 0) {
        if (options.argc != 1)
            refuse_usage("unexpected argument ", options.argv[1]);
        if (options.has_force)
            refuse_usage("--force is for promote", "");
        return false;
    }
    if (options.argc != 2)
        refuse_usage("promote takes one release", "");
    if (breaker_release_id_parse(options.argv[1], strlen(options.argv[1]), ret_release) != 0)
        refuse("a release is 1 to %d characters of A-Z a-z 0-9 . _ ~ -", BREAKER_RELEASE_ID_MAX);
    return true;
}

int main(int argc, char **argv)
{
    breaker_release_id_t release;
    breaker__ask_t ask;
    bool promotes;
    int result;

    signal(SIGPIPE, SIG_IGN);
    read_options(argc, argv);
    promotes = read_command(&release);
    check_options();
    if ((result = connect_redis(&ask)) != STATUS_OK)
        return result;
    result = promotes ? promote(&ask, &release) : status(&ask);
    breaker__ask_close(&ask);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "breakerctl: cannot write: %s\n", strerror(errno));
        return EX_IOERR;
    }
    return result;
}
