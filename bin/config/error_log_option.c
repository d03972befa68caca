/*
 * `error-log`: where it goes, in which form, and how much of it. Read before anything else of the
 * file, since what is wrong with the rest is said there.
 */
#include <stdlib.h>
#include <string.h>
#include "config/error_log_option.h"

static int read_path(const breaker__option_t *option, breaker__error_log_config_t *log)
{
    const char *path;

    if (breaker__option_text(option, &path) != 0)
        return -1;
    if (strcmp(path, "|") == 0)
        return breaker__option_refuse(option, "a file, stderr, or | and a command");
    if (breaker__option_copy(option, &log->path) != 0)
        return -1;
    if (strcmp(path, "stderr") == 0) {
        free(log->path);
        log->path = NULL;
    }
    return 0;
}

static int read_key(const breaker__option_t *option, void *data)
{
    static const char *const formats[] = {BREAKER__LOG_FORMATS}, *const levels[] = {
                                                                     BREAKER__LOG_LEVELS};
    breaker__error_log_config_t *log = data;
    size_t at = 0;

    if (strcmp(option->key, "path") == 0)
        return read_path(option, log);
    if (strcmp(option->key, "format") == 0) {
        if (breaker__option_choice(option, formats, sizeof(formats) / sizeof(formats[0]), &at) != 0)
            return -1;
        log->format = (breaker__log_format_t)at;
        return 0;
    }
    if (strcmp(option->key, "level") == 0) {
        if (breaker__option_choice(option, levels, sizeof(levels) / sizeof(levels[0]), &at) != 0)
            return -1;
        log->level = (breaker_log_level_t)at;
        return 0;
    }
    return breaker__option_unknown(option, "path, format, level");
}

int breaker__error_log_read(const breaker__option_t *option, breaker__error_log_config_t *log)
{
    if (option->node->type == YOML_TYPE_MAPPING)
        return breaker__option_each(option, "path, format, level", read_key, log);
    return read_path(option, log);
}
