#ifndef BREAKER_BIN_OPTIONS_H
#define BREAKER_BIN_OPTIONS_H

#include <stdbool.h>
#include <sys/types.h>

/** What the command line says. Strings are those of argv. */
typedef struct st_breaker__options_t {
    /** never NULL in a process that reads it */
    const char *config_file;
    /** check the file, load the release, and end */
    bool checks_only;
    /** serve in this process, without a master */
    bool is_alone;
    /** ask this master to reload, or to become the program as it is now, and say how that ends;
     * 0: do not */
    pid_t reloads, upgrades;
    /** of main; ended by NULL */
    char **argv;
} breaker__options_t;

/**
 * Reads the command line. Prints and exits where it asks for the help or the versions; where it is
 * wrong, writes a line on stderr and exits with EX_USAGE, and with EX_CONFIG where it names no file
 * and there is none at the place where one is looked for.
 */
breaker__options_t breaker__options_read(int argc, char **argv);

#endif
