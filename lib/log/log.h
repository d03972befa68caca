#ifndef BREAKER_LIB_LOG_LOG_H
#define BREAKER_LIB_LOG_LOG_H

/*
 * What a part of the library says to its host, the same trouble at most once a minute. Not
 * installed.
 */
#include <stdbool.h>
#include <stdint.h>
#include <breaker/log.h>
#include "moment.h"

/** how many different events are remembered; of more the one said longest ago is forgotten */
#define BREAKER__LOG_EVENTS 16
#define BREAKER__LOG_EVERY_MS 60000

/** Caller's memory; the first four fields are the caller's to set, in a zeroed one. */
typedef struct st_breaker__log_t {
    /** of every event; borrowed: outlives us */
    const char *component, *app;
    void *data;
    /** NULL: nobody listens */
    void (*on_log)(void *data, const breaker_log_event_t *event);
    struct {
        uint64_t hash, said_ms;
    } said[BREAKER__LOG_EVENTS];
    /** the latest time that trouble came with, on the clock of `mono_ms` */
    uint64_t newest_ms;
} breaker__log_t;

/**
 * Says an event, whose time, component and application are filled in, unless it is a warning or an
 * error that was said lately. Events that differ in moments (BREAKER_LOG_TIME) only are the same.
 * Returns whether it was said.
 */
bool breaker__log_say(breaker__log_t *log, breaker__moment_t now, const breaker_log_event_t *event);

/** The same of a level, a kind, a name, and one field or more. */
#define breaker__log(log, now, level_, kind_, name_, ...)                                          \
    breaker__log_say(log, now,                                                                     \
                     &(const breaker_log_event_t){                                                 \
                         .level = level_,                                                          \
                         .kind = kind_,                                                            \
                         .name = name_,                                                            \
                         .fields = (const breaker_log_field_t[]){__VA_ARGS__},                     \
                         .num_fields = sizeof((const breaker_log_field_t[]){__VA_ARGS__}) /        \
                                       sizeof(breaker_log_field_t)})

#endif
