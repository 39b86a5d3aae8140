/*
 * How often each of some things happened lately: counts over a window that slides in steps, so that what is old goes
 * away by itself.
 */
#ifndef EXPLAIN_ADVICE_WINDOW_H
#define EXPLAIN_ADVICE_WINDOW_H

#include "base/clock.h"

#include <stddef.h>
#include <stdint.h>

#define ADVICE_STEP_NS (600 * NS_PER_S)
enum { ADVICE_STEPS = 6 };

struct advice_window;

/* Of `things` counts, and the greatest of one value. NULL when memory is short. */
struct advice_window *advice_window_new(size_t things, struct mono now);
void advice_window_free(struct advice_window *window); /* NULL is allowed */

/* Instants never go back; the steps go on with them, also by these two. */
void advice_window_add(struct advice_window *window, size_t thing, uint64_t n, struct mono now);
void advice_window_greatest(struct advice_window *window, double value, struct mono now);

/* What there was in the window that ends now; the counts are at most UINT32_MAX a step. */
uint64_t advice_window_count(const struct advice_window *window, size_t thing);
double advice_window_greatest_of(const struct advice_window *window); /* NaN: none was told */
/* How much of the past that is: less than an hour, and no more than since it was made. */
int64_t advice_window_ns(const struct advice_window *window, struct mono now);
void advice_window_slide(struct advice_window *window, struct mono now);

#endif
