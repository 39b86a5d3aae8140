/*
 * The duration histogram; see histogram.h.
 */
#include "base/histogram.h"

#include "base/clock.h"

const int64_t histogram_bound_ns[HISTOGRAM_BOUNDS] = {
    50 * NS_PER_US,  100 * NS_PER_US, 250 * NS_PER_US,  500 * NS_PER_US, 1 * NS_PER_MS,   2500 * NS_PER_US,
    5 * NS_PER_MS,   10 * NS_PER_MS,  25 * NS_PER_MS,   50 * NS_PER_MS,  100 * NS_PER_MS, 250 * NS_PER_MS,
    500 * NS_PER_MS, 1 * NS_PER_S,    2500 * NS_PER_MS, 5 * NS_PER_S,    10 * NS_PER_S,
};

void histogram_add(struct histogram *h, int64_t ns) {
    if (ns < 0)
        ns = 0;
    int i = 0;
    while (i < HISTOGRAM_BOUNDS && ns > histogram_bound_ns[i])
        i++;
    h->bucket[i]++;
    h->count++;
    h->sum_ns += ns;
}
