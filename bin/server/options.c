/*
 * The command line of the server. It says where the configuration is and what to do with it;
 * whatever else can be said is said in the configuration.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include <h2o/version.h>
#include "logs/error_log.h"
#include "net/loop.h"
#include "server/options.h"

#define DEFAULT_CONFIG BREAKER_SYSCONFDIR "/h2o-breaker/h2o-breaker.conf"

static void print_version(void)
{
    printf("h2o-breaker %s (%s), libh2o %s, %s\n", BREAKER_BIN_VERSION, breaker__loop_flavour(),
           H2O_VERSION, OpenSSL_version(OPENSSL_VERSION));
}

static void print_help(void)
{
    printf("usage: h2o-breaker [-c FILE] [-t | --no-master]\n"
           "       h2o-breaker --reload PID | --upgrade PID\n"
           "\n"
           "Serves what an h2o configuration file describes, static assets under per-deploy\n"
           "tokens among it.\n"
           "\n"
           "  -c, --conf FILE   the configuration; see h2o-breaker.conf(5); else\n"
           "                    " DEFAULT_CONFIG "\n"
           "  -t, --test        check it, certificates and release included, and exit\n"
           "      --no-master   serve in this process, for debuggers: nothing is reloaded\n"
           "      --reload PID  have the server with this process id reload; exit when it has,\n"
           "                    with another status than 0 if it serves on as before\n"
           "      --upgrade PID the same, with its program file as it is now\n"
           "      --version     print versions and exit\n"
           "  -h, --help        print this and exit\n"
           "\n"
           "SIGTERM, SIGINT and SIGQUIT let requests in flight finish; repeated, they cut what is\n"
           "left. SIGHUP reloads, SIGUSR2 does with the program file as it is now, SIGUSR1 opens\n"
           "logs anew.\n");
}

static void refuse_usage(const char *what, const char *option)
{
    breaker__complain(BREAKER_LOG_ERROR, "usage", "%s%s; try --help", what, option);
    exit(EX_USAGE);
}

static pid_t pid_of(const char *text)
{
    char *end;
    long pid;

    errno = 0;
    pid = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || pid <= 0 || pid > INT_MAX)
        refuse_usage("a process id is expected, got ", text);
    return (pid_t)pid;
}

/* without this line a person who forgot -c would read of a file that nobody named */
static const char *default_config(void)
{
    if (access(DEFAULT_CONFIG, F_OK) == 0 || errno != ENOENT)
        return DEFAULT_CONFIG;
    breaker__complain(BREAKER_LOG_ERROR, "configuration",
                      "there is no " DEFAULT_CONFIG "; -c FILE names another configuration");
    exit(EX_CONFIG);
}

breaker__options_t breaker__options_read(int argc, char **argv)
{
    static const struct option longs[] = {
        {"conf", required_argument, NULL, 'c'},    {"test", no_argument, NULL, 't'},
        {"no-master", no_argument, NULL, 'M'},     {"reload", required_argument, NULL, 'R'},
        {"upgrade", required_argument, NULL, 'U'}, {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0}};
    breaker__options_t options = {.argv = argv};
    int ch;

    opterr = 0;
    while ((ch = getopt_long(argc, argv, ":c:th", longs, NULL)) != -1) {
        switch (ch) {
        case 'c':
            options.config_file = optarg;
            break;
        case 't':
            options.checks_only = true;
            break;
        case 'M':
            options.is_alone = true;
            break;
        case 'R':
            options.reloads = pid_of(optarg);
            break;
        case 'U':
            options.upgrades = pid_of(optarg);
            break;
        case 'V':
            print_version();
            exit(EX_OK);
        case 'h':
            print_help();
            exit(EX_OK);
        case ':':
            refuse_usage("an argument is missing for ", argv[optind - 1]);
            break;
        default:
            refuse_usage("unknown option ", argv[optind - 1]);
        }
    }
    if (optind != argc)
        refuse_usage("unexpected argument ", argv[optind]);
    if (options.config_file == NULL && options.reloads == 0 && options.upgrades == 0)
        options.config_file = default_config();
    return options;
}
