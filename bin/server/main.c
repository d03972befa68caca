/*
 * h2o-breaker: what the process is to be, by its command line.
 */
#include <signal.h>
#include <sysexits.h>
#include "master/master.h"
#include "server/ask.h"
#include "server/options.h"
#include "server/serve.h"

static int serve_alone(const breaker__options_t *options)
{
    breaker__legacy_t legacy = {.channel = -1, .stderr_fd = -1};

    if (breaker__held_take_given(&legacy.held) != 0)
        return EX_USAGE;
    return breaker__serve(options->config_file, &legacy);
}

int main(int argc, char **argv)
{
    breaker__options_t options = breaker__options_read(argc, argv);

    if (options.reloads != 0)
        return breaker__ask(options.reloads, SIGHUP);
    if (options.upgrades != 0)
        return breaker__ask(options.upgrades, SIGUSR2);
    if (options.checks_only)
        return breaker__check(options.config_file);
    return options.is_alone ? serve_alone(&options) : breaker__master_run(&options);
}
