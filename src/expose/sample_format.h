/*
 * What each format of samples has to do; private to sample*.c.
 */
#ifndef EXPOSE_SAMPLE_FORMAT_H
#define EXPOSE_SAMPLE_FORMAT_H

#include "expose/sample.h"

struct sample_number {
    enum { NUMBER_COUNT, NUMBER_DOUBLE, NUMBER_SECONDS /* ns */ } kind;
    union {
        uint64_t count;
        double value;
        int64_t ns;
    };
};

struct sample_buckets {
    const int64_t *bound_ns; /* rising */
    size_t bounds;
    const uint64_t *count; /* bounds + 1, not cumulative */
    int64_t sum_ns;
    const struct native_histogram *native;  /* NULL none */
    const struct sample_exemplar *exemplar; /* NULL none */
};

struct sample_format {
    void (*number)(struct sample_writer *w, sample_labels labels, struct sample_number number,
                   const struct sample_exemplar *exemplar);
    void (*buckets)(struct sample_writer *w, sample_labels labels, const struct sample_buckets *buckets);
    /* NULL: nothing to do. */
    void (*end_family)(struct sample_writer *w);
    void (*end_page)(struct sample_writer *w);
};

extern const struct sample_format sample_text; /* text 0.0.4 and OpenMetrics 1.0 */
extern const struct sample_format sample_protobuf;

#endif
