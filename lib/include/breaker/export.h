#ifndef BREAKER_EXPORT_H
#define BREAKER_EXPORT_H

/**
 * Marks what a shared libbreaker or libh2o-breaker makes visible. The libraries are compiled with
 * hidden visibility, so a function without the mark is private even where its header is read.
 */
#define BREAKER_EXPORT __attribute__((visibility("default")))

#endif
