#ifndef BREAKER_HANDLERS_SETTINGS_H
#define BREAKER_HANDLERS_SETTINGS_H

/* What a rewriting handler was told, and what it has told. Not installed. */
#include "pages/types.h"
#include "thread/notice.h"

/** how many releases that nobody knows a log hears of, a handler */
#define BREAKER__UNKNOWN_MAX 16

/** Those of which it heard, by the hashes of their names; 0 is none. Any thread. */
typedef struct st_breaker__unknown_t {
    _Atomic uint64_t names[BREAKER__UNKNOWN_MAX];
} breaker__unknown_t;

/** What an application does that keeps its pages from being rewritten, or nearly so. */
typedef enum en_breaker__page_trouble_t {
    /** Cache-Control: no-transform: left as it is */
    BREAKER__PAGE_NO_TRANSFORM,
    /** a Content-Encoding that is none, `none` or `identity`: rewritten, without that line */
    BREAKER__PAGE_NO_CODING,
    /** UTF-16 or UTF-32: left as it is */
    BREAKER__PAGE_WIDE,
    BREAKER__PAGE_TROUBLES,
} breaker__page_trouble_t;

/** Of one handler, for all threads: the settings do not change, the rest is atomic. */
typedef struct st_breaker__page_settings_t {
    breaker__types_t types;
    /** what lets caches keep a page without asking is taken out */
    bool revalidates;
    /** a page that came encoded leaves encoded where the client takes it */
    bool encodes;
    breaker__unknown_t unknown;
    breaker__notice_t troubles[BREAKER__PAGE_TROUBLES];
} breaker__page_settings_t;

#endif
