/*
 * Durations counted into the classic buckets that every duration histogram of ours shares: 50 µs to 10 s.
 */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BOUNDS 17

/* Upper bounds in nanoseconds, rising; what is above the last falls into +Inf. */
extern const int64_t histogram_bound_ns[HISTOGRAM_BOUNDS];

struct histogram {
    uint64_t count;
    int64_t sum_ns;
    uint64_t bucket[HISTOGRAM_BOUNDS + 1]; /* not cumulative; the last is +Inf */
};

/* Negative durations count as 0. */
void histogram_add(struct histogram *h, int64_t ns);

#endif
