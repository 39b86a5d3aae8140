/*
 * Passing over lines of no interest at memory speed: where in a block of lines the next one is that has to be looked
 * at.
 */
#ifndef OBSERVE_LOG_SCAN_H
#define OBSERVE_LOG_SCAN_H

#include <stddef.h>

/* A place in the first line from `p` (the beginning of a line) on that may be an event or be wrapped, NULL when there
 * is none before `end`. Each line that log_decoder_line() would make something of has such a place, if no line before
 * it is still of importance; where the line begins with '<' that is the newline in front of it, so that it has none at
 * `p`. *lines: how many newlines are in front of the place, or in all. */
const char *log_scan_next(const char *p, const char *end, size_t *lines);

/* The same with no better instructions than these, for tests; log_scan_next() takes the best that the processor has. */
enum log_scan_speed { LOG_SCAN_BYTES, LOG_SCAN_SSSE3, LOG_SCAN_AVX2 };
enum log_scan_speed log_scan_best(void);
const char *log_scan_next_with(enum log_scan_speed speed, const char *p, const char *end, size_t *lines);

#endif
