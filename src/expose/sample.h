/*
 * Writes samples: what a family says of itself before its first one, then each with its labels, in the format that the
 * reader of the page asked for.
 */
#ifndef EXPOSE_SAMPLE_H
#define EXPOSE_SAMPLE_H

#include "base/histogram.h"
#include "base/labels.h"
#include "base/native_histogram.h"
#include "base/strbuf.h"
#include "expose/catalogue.h"

#include <stdbool.h>
#include <stdint.h>

/*   enum suffix, media type and parameters as we send them */
#define METRIC_FORMATS(X)                                                                                              \
    X(TEXT, "text/plain; version=0.0.4; charset=utf-8")                                                                \
    X(OPENMETRICS, "application/openmetrics-text; version=1.0.0; charset=utf-8")                                       \
    X(PROTOBUF, "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited")

enum metric_format {
#define METRIC_FORMAT_ENUM(id, type) FORMAT_##id,
    METRIC_FORMATS(METRIC_FORMAT_ENUM)
#undef METRIC_FORMAT_ENUM
        FORMAT_COUNT
};

const char *metric_format_type(enum metric_format format);

/* The labels of one sample: name, value, name, value, …, NULL. Values may hold any bytes; they are escaped when
 * written. A list in place: SAMPLE_LABELS("phase", "resolve", "reason", "timeout"). */
typedef const char *const *sample_labels;
#define SAMPLE_LABELS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SAMPLE_NO_LABELS NULL

/* One of the things that a sample counted, where a format can show it. Not shown where `label` is NULL. */
struct sample_exemplar {
    const char *label; /* its only label's name */
    uint64_t id;       /* and value */
    int64_t wall_ns;
    int64_t value_ns; /* of a duration; not used for a count */
};

struct sample_writer {
    struct strbuf *out;
    enum metric_format format;
    const struct metric_family *family;
    const struct labels *target_labels; /* written before the sample's own labels; NULL none */
    int64_t since_wall_ns;              /* when what is counted began at 0; 0 not known */
    bool announced;                     /* what the family says of itself is written */

    struct strbuf waiting; /* Protocol Buffers only: samples of the family that wait for their length */
};

/* `out` is borrowed. */
void sample_begin_page(struct sample_writer *w, enum metric_format format, struct strbuf *out);
/* What is written from now on belongs to `family`. */
void sample_begin_family(struct sample_writer *w, const struct metric_family *family);
void sample_end_page(struct sample_writer *w);
/* Frees what the writer holds; `out` stays. */
void sample_release(struct sample_writer *w);

/* Whether samples of the family tell since when they count, where that is known. */
bool sample_tells_since(const struct sample_writer *w);

void sample_count(struct sample_writer *w, sample_labels labels, uint64_t value);
void sample_double(struct sample_writer *w, sample_labels labels, double value);
/* Nanoseconds, written as seconds, exactly where the format can. */
void sample_seconds(struct sample_writer *w, sample_labels labels, int64_t ns);
/* A count with the newest of the things that it counts; NULL none. */
void sample_count_with(struct sample_writer *w, sample_labels labels, uint64_t value,
                       const struct sample_exemplar *exemplar);
/* All its buckets, sum and count; `native` (the same durations) and `exemplar` may be NULL. */
void sample_histogram(struct sample_writer *w, sample_labels labels, const struct histogram *histogram,
                      const struct native_histogram *native, const struct sample_exemplar *exemplar);
/* A histogram with bounds of its own, in whole seconds, at most SAMPLE_BOUNDS_MAX; `buckets` not cumulative, the last
 * of bounds + 1 is +Inf. */
#define SAMPLE_BOUNDS_MAX 32
void sample_histogram_of(struct sample_writer *w, sample_labels labels, const int64_t *bounds_s, size_t bounds,
                         const uint64_t *buckets, int64_t sum_ns);

#endif
