/*
 * breakerctl: an operator's or a CI job's hand in the cluster, directly at Redis, so that it works
 * without any node. It carries a request out once and says by its exit status what came of it;
 * whatever it does is atomic in Redis and may be repeated.
 */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <breaker/release_id.h>
#include "ctl/ask.h"
#include "ctl/name.h"
#include "ctl/options.h"
#include "ctl/print.h"

enum {
    /* of applications, when one is not known: how often it is asked for more, how many are shown */
    APPS_ROUNDS_MAX = 100,
    APPS_SHOWN_MAX = 20,
};

/* all of them are large, and there is one of each */
static breaker__ctl_options_t options;
static breaker_script_command_t command;
static breaker_script_answer_t answer;
static breaker_ledger_t ledger; /* the answer's */
/* of all pages that were read */
static struct {
    breaker_script_node_t *base;
    size_t num, room;
} nodes;

/* ---- Redis ---- */

static int fail(int err, const breaker_error_t *error)
{
    fprintf(stderr, "breakerctl: %s\n", error->message);
    return err == BREAKER_ERR_UNREACHABLE ? BREAKER__CTL_REDIS : BREAKER__CTL_USAGE;
}

static int connect_redis(breaker__ask_t *ask)
{
    breaker_error_t error = {0};
    int err = breaker__ask_open(ask, &options.redis, options.timeout_ms, &error);

    breaker__ctl_options_forget(&options);
    return err != 0 ? fail(err, &error) : BREAKER__CTL_OK;
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
    return BREAKER__CTL_OK;
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
        if ((nodes.base = realloc(nodes.base, nodes.room * sizeof(nodes.base[0]))) == NULL) {
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
        if ((result = take_answer(ask)) != BREAKER__CTL_OK)
            return result;
        keep_page();
        strcpy(after, answer.next);
    } while (after[0] != '\0');
    return BREAKER__CTL_OK;
}

static uint64_t wall_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static breaker__print_view_t view_through(const breaker__ask_t *ask)
{
    return (breaker__print_view_t){
        .sight = {&answer, nodes.base, nodes.num, &ledger, options.dead_after_ms},
        .app = options.app,
        .peer = breaker__ask_peer(ask),
        .shows_all = options.has_all,
    };
}

/* ---- an application that nobody knows ---- */

/* asks for the names of applications; those that Redis tells at once are enough to find a typing
 * error. Returns how many there are, or -1 where this user may not ask */
static int print_apps(breaker__ask_t *ask)
{
    static breaker_script_apps_t apps;
    breaker_error_t error = {0};
    int num = 0;

    apps.next[0] = '\0';
    for (int round = 0; round != APPS_ROUNDS_MAX; ++round) {
        breaker_script_find_apps(&command, apps.next);
        if (breaker__ask_apps(ask, &command, &apps, &error) != 0)
            return -1;
        for (size_t i = 0; i != apps.num; ++i, ++num)
            fprintf(stderr, "%s %s", num == 0 ? "; Redis has" : ",", apps.names[i]);
        if (apps.next[0] == '\0' || num >= APPS_SHOWN_MAX)
            break;
    }
    return num;
}

static void say_unknown_app(breaker__ask_t *ask)
{
    int num;

    fprintf(stderr, "breakerctl: nothing is known of the application %s at %s", options.app,
            breaker__ask_peer(ask));
    num = print_apps(ask);
    if (num == 0)
        fputs(", nor of any other", stderr);
    if (num <= 0)
        fputs("; nodes have the name as `app` in breaker.cluster", stderr);
    fputs("\n", stderr);
}

/* ---- commands ---- */

static int status(breaker__ask_t *ask)
{
    breaker__print_view_t view;
    int result = look_at_all(ask);

    if (result != BREAKER__CTL_OK)
        return result;
    view = view_through(ask);
    if (options.has_json)
        breaker__print_status_json(&view);
    else
        breaker__print_status(&view);
    if (breaker_ledger_size(&ledger) != 0)
        return BREAKER__CTL_OK;
    fflush(stdout);
    say_unknown_app(ask);
    return BREAKER__CTL_UNKNOWN;
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
        return BREAKER__CTL_OK;
    fprintf(stderr, "breakerctl: %s is the name of %zu releases:", release->text, num);
    for (size_t i = 0; i != num; ++i)
        fprintf(stderr, " %s", found[i].text);
    fputs("\n", stderr);
    return BREAKER__CTL_UNKNOWN;
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
    if ((result = look(ask)) != BREAKER__CTL_OK || (result = resolve(release)) != BREAKER__CTL_OK)
        return result;
    entry = breaker_ledger_newest(&ledger, release);
    if ((top = breaker_ledger_newest(&ledger, NULL)) != NULL)
        *ret_before = top->token;
    if (entry == NULL && !options.has_force)
        return BREAKER__CTL_OK;
    if (entry == NULL && (result = enter(ask, release)) != BREAKER__CTL_OK)
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

    if (result != BREAKER__CTL_OK)
        return result;
    top = breaker_ledger_newest(&ledger, NULL);
    if (top == NULL) {
        say_unknown_app(ask);
        return BREAKER__CTL_UNKNOWN;
    }
    if (!breaker_release_id_equal(&top->release, release)) {
        fprintf(stderr,
                "breakerctl: app %s knows no release %s; `status` lists them, --force enters it\n",
                options.app, release->text);
        return BREAKER__CTL_UNKNOWN;
    }
    is_new = !breaker_token_equal(&before, &top->token);
    view = view_through(ask);
    if (options.has_json)
        breaker__print_promotion_json(&view, top, is_new);
    else
        puts(top->token.text);
    if (!is_new && !options.has_json)
        fprintf(stderr, "breakerctl: release %s is the newest already\n", release->text);
    return BREAKER__CTL_OK;
}

/* ---- the whole ---- */

int main(int argc, char **argv)
{
    breaker__ask_t ask;
    int result;

    signal(SIGPIPE, SIG_IGN);
    breaker__ctl_options_read(&options, argc, argv);
    if ((result = connect_redis(&ask)) != BREAKER__CTL_OK)
        return result;
    result = options.promotes ? promote(&ask, &options.release) : status(&ask);
    breaker__ask_close(&ask);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "breakerctl: cannot write: %s\n", strerror(errno));
        return EX_IOERR;
    }
    return result;
}
