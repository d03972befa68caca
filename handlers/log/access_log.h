#ifndef BREAKER_HANDLERS_ACCESS_LOG_H
#define BREAKER_HANDLERS_ACCESS_LOG_H

/* Access logs at the paths of a configuration. Not installed; breaker/h2o.h has the rest. */
#include <breaker/h2o.h>
#include "log/format.h"

/** Tells whether a logger of a path is one of ours. */
bool breaker__is_access_log(const h2o_logger_t *logger);

/** The format of a logger that is. */
const breaker__format_t *breaker__access_log_format(const h2o_logger_t *logger);

/** Writes out what all threads have gathered for one log. Any thread, as long as the log. */
void breaker__access_log_flush(breaker_h2o_access_log_t *log);
/** The same for the logs of a path. */
void breaker__access_log_flush_path(const h2o_pathconf_t *pathconf);

/** Another reference; configuring thread. */
void breaker__access_log_ref(breaker_h2o_access_log_t *log);

#endif
