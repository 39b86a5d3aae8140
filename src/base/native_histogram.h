/*
 * Durations counted as Prometheus' native histograms count: base-2 exponential buckets, sparse, whose resolution halves
 * when there are too many. Kept beside the classic buckets (base/histogram.h), which cannot be had from these exactly,
 * nor these from them.
 *
 * At schema s the bucket `index` holds what is above 2^((index-1) / 2^s) seconds and at most 2^(index / 2^s).
 */
#ifndef BASE_NATIVE_HISTOGRAM_H
#define BASE_NATIVE_HISTOGRAM_H

#include <stdint.h>

#define NATIVE_SCHEMA_MIN (-4)
#define NATIVE_SCHEMA_MAX 8
#define NATIVE_SCHEMA_FIRST 3 /* each bound is 9 % above the one before: what client_golang's users choose most */
#define NATIVE_BUCKETS_MAX 32
/* What is at most this is in the zero bucket: a bound of every schema down to -2, and less than we can measure. */
#define NATIVE_ZERO_THRESHOLD_S 0x1p-20

/* All zero is an empty one. Total and sum are the classic histogram's. */
struct native_histogram {
    uint32_t zero_count; /* counts stop at UINT32_MAX */
    uint8_t halvings;    /* of the resolution */
    uint8_t used;
    int16_t index[NATIVE_BUCKETS_MAX]; /* rising */
    uint32_t count[NATIVE_BUCKETS_MAX];
};

/* Negative durations count as 0. */
void native_histogram_add(struct native_histogram *h, int64_t ns);
int native_histogram_schema(const struct native_histogram *h);

/* The bucket of a positive number of seconds. */
int native_index(double seconds, int schema);
/* A bucket's upper bound, which belongs to it. */
double native_bound(int index, int schema);

#endif
