/*
 * Native histograms; see native_histogram.h. Prometheus' rules: https://prometheus.io/docs/specs/native_histograms/
 */
#include "base/native_histogram.h"

#include "base/clock.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define FRACTIONS (1 << NATIVE_SCHEMA_MAX)

/* The bounds between 1/2 and 1, as frexp() gives them, of the finest schema; those of a coarser one are every second,
 * fourth, … of them. */
static const double *fractions(void) {
    static double fraction[FRACTIONS];
    if (fraction[0] == 0)
        for (int i = 0; i < FRACTIONS; i++)
            fraction[i] = exp2((double)i / FRACTIONS - 1);
    return fraction;
}

/* x / 2^power, rounded up. */
static int shift_up(int x, int power) {
    int whole = 1 << power;
    return x >= 0 ? (x + whole - 1) / whole : -(-x / whole);
}

int native_index(double seconds, int schema) {
    int exponent;
    double fraction = frexp(seconds, &exponent);
    if (schema <= 0)
        return shift_up(fraction > 0.5 ? exponent : exponent - 1, -schema);
    const double *bound = fractions();
    int stride = FRACTIONS >> schema;
    int from = 0, to = 1 << schema; /* the first bound that is not below is among these; `to` stands for 1 */
    while (from < to) {
        int middle = (from + to) / 2;
        if (bound[middle * stride] < fraction)
            from = middle + 1;
        else
            to = middle;
    }
    return from + (exponent - 1) * (1 << schema);
}

double native_bound(int index, int schema) {
    if (schema <= 0)
        return ldexp(1, index * (1 << -schema));
    int in_octave = index & ((1 << schema) - 1);
    int octave = (index - in_octave) / (1 << schema);
    return ldexp(fractions()[in_octave * (FRACTIONS >> schema)], octave + 1);
}

int native_histogram_schema(const struct native_histogram *h) {
    return NATIVE_SCHEMA_FIRST - h->halvings;
}

static void add_to(uint32_t *count, uint32_t more) {
    if (__builtin_add_overflow(*count, more, count))
        *count = UINT32_MAX;
}

/* Each two neighbours that share a bucket of the next coarser schema become one. */
static void halve(struct native_histogram *h) {
    int used = 0;
    for (int i = 0; i < h->used; i++) {
        int index = shift_up(h->index[i], 1);
        if (used > 0 && h->index[used - 1] == index) {
            add_to(&h->count[used - 1], h->count[i]);
            continue;
        }
        h->index[used] = (int16_t)index;
        h->count[used] = h->count[i];
        used++;
    }
    h->used = (uint8_t)used;
    h->halvings++;
}

/* Whether there was room for it. */
static bool count_at(struct native_histogram *h, int index) {
    int at = h->used; /* mostly the bucket is there, and there are few */
    while (at > 0 && h->index[at - 1] >= index)
        at--;
    if (at < h->used && h->index[at] == index) {
        add_to(&h->count[at], 1);
        return true;
    }
    if (h->used == NATIVE_BUCKETS_MAX)
        return false;
    size_t behind = (size_t)(h->used - at);
    memmove(&h->index[at + 1], &h->index[at], behind * sizeof h->index[0]);
    memmove(&h->count[at + 1], &h->count[at], behind * sizeof h->count[0]);
    h->index[at] = (int16_t)index;
    h->count[at] = 1;
    h->used++;
    return true;
}

void native_histogram_add(struct native_histogram *h, int64_t ns) {
    double seconds = ns_to_seconds(ns);
    if (seconds <= NATIVE_ZERO_THRESHOLD_S) {
        add_to(&h->zero_count, 1);
        return;
    }
    /* Ends: at the coarsest schema all that an int64_t of nanoseconds can be falls into five buckets. */
    while (!count_at(h, native_index(seconds, native_histogram_schema(h))))
        halve(h);
}
