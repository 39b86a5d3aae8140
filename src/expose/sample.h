/*
 * Writes samples in the text format 0.0.4: a family's HELP and TYPE before its first sample, then a line a sample.
 */
#ifndef EXPOSE_SAMPLE_H
#define EXPOSE_SAMPLE_H

#include "base/histogram.h"
#include "base/strbuf.h"
#include "expose/catalogue.h"

#include <stdbool.h>
#include <stdint.h>

/* The labels of one sample: name, value, name, value, …, NULL. Values may hold any bytes; they are escaped when
 * written. A list in place: SAMPLE_LABELS("phase", "resolve", "reason", "timeout"). */
typedef const char *const *sample_labels;
#define SAMPLE_LABELS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SAMPLE_NO_LABELS NULL

struct sample_writer {
    struct strbuf *out;
    const struct metric_family *family;
    const struct strbuf *target_labels; /* written before the sample's own labels; NULL none */
    bool announced;                     /* HELP and TYPE of the family are written */
};

/* What is written from now on belongs to `family`. */
void sample_begin_family(struct sample_writer *w, const struct metric_family *family);

void sample_count(struct sample_writer *w, sample_labels labels, uint64_t value);
void sample_double(struct sample_writer *w, sample_labels labels, double value);
/* Nanoseconds, written as seconds exactly. */
void sample_seconds(struct sample_writer *w, sample_labels labels, int64_t ns);
/* All its buckets, _sum and _count. */
void sample_histogram(struct sample_writer *w, sample_labels labels, const struct histogram *histogram);
/* A histogram with bounds of its own, in whole seconds; `buckets` not cumulative, the last of bounds + 1 is +Inf. */
void sample_histogram_of(struct sample_writer *w, sample_labels labels, const int64_t *bounds_s, size_t bounds,
                         const uint64_t *buckets, int64_t sum_ns);

#endif
