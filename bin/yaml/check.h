#ifndef BREAKER_BIN_CHECK_H
#define BREAKER_BIN_CHECK_H

#include <stdbool.h>
#include <h2o.h>
#include <yoml.h>

/**
 * Looks at the keys of a configuration before anything comes of them: each is a directive that some
 * configurator knows, and stands at a level where it may. Returns 0, or -1 after one line on stderr
 * that names the nearest directive.
 */
int breaker__check_keys(h2o_globalconf_t *globalconf, const yoml_t *root);

/**
 * Tells whether a directive may stand twice in one mapping, because what it says adds up, as
 * h2o.conf files write `listen` and `header.add`.
 */
bool breaker__may_repeat(const char *key);

/**
 * Tells whether a path of the configuration hands requests, and so their bodies, to an application:
 * a proxy, FastCGI, reproxying or a handler for an extension.
 */
bool breaker__has_application(const yoml_t *root);

#endif
