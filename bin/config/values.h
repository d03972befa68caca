#ifndef BREAKER_BIN_VALUES_H
#define BREAKER_BIN_VALUES_H

/*
 * Values that libh2o takes although nobody can mean them: a port that is none, a header that would
 * be two. Configuring thread.
 */
#include <option.h>

/** Looks at a directive's value. Returns 0, or -1 after a line; a warning is no reason to fail. */
int breaker__check_value(const char *key, const yoml_t *value);

/** What a directive of libh2o's takes, for complaints; NULL where libh2o says it well enough. */
const char *breaker__accepted_by(const char *key);

#endif
