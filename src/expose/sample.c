/*
 * Samples for their format; see sample.h.
 */
#include "expose/sample.h"

#include "base/clock.h"
#include "expose/sample_format.h"

#include <assert.h>

static const struct sample_format *format_of(const struct sample_writer *w) {
    static const struct sample_format *const formats[FORMAT_COUNT] = {
        [FORMAT_TEXT] = &sample_text,
        [FORMAT_OPENMETRICS] = &sample_text,
        [FORMAT_PROTOBUF] = &sample_protobuf,
    };
    return formats[w->format];
}

const char *metric_format_type(enum metric_format format) {
    static const char *const types[] = {
#define METRIC_FORMAT_TYPE(id, type) type,
        METRIC_FORMATS(METRIC_FORMAT_TYPE)
#undef METRIC_FORMAT_TYPE
    };
    return types[format];
}

enum { WAITING_MAX = 1 << 24 }; /* never reached by honest label values */

void sample_begin_page(struct sample_writer *w, enum metric_format format, struct strbuf *out) {
    *w = (struct sample_writer){.out = out, .format = format};
    strbuf_init(&w->waiting, WAITING_MAX);
}

static void end_family(struct sample_writer *w) {
    if (w->family && w->announced && format_of(w)->end_family)
        format_of(w)->end_family(w);
}

void sample_begin_family(struct sample_writer *w, const struct metric_family *family) {
    end_family(w);
    w->family = family;
    w->announced = false;
}

void sample_end_page(struct sample_writer *w) {
    end_family(w);
    w->announced = false;
    if (format_of(w)->end_page)
        format_of(w)->end_page(w);
}

void sample_release(struct sample_writer *w) {
    strbuf_release(&w->waiting);
}

bool sample_tells_since(const struct sample_writer *w) {
    return w->format != FORMAT_TEXT && (w->family->type == METRIC_COUNTER || w->family->type == METRIC_HISTOGRAM);
}

void sample_count_with(struct sample_writer *w, sample_labels labels, uint64_t value,
                       const struct sample_exemplar *exemplar) {
    format_of(w)->number(w, labels, (struct sample_number){NUMBER_COUNT, .count = value},
                         exemplar && exemplar->label ? exemplar : NULL);
}

void sample_count(struct sample_writer *w, sample_labels labels, uint64_t value) {
    sample_count_with(w, labels, value, NULL);
}

void sample_double(struct sample_writer *w, sample_labels labels, double value) {
    format_of(w)->number(w, labels, (struct sample_number){NUMBER_DOUBLE, .value = value}, NULL);
}

void sample_seconds(struct sample_writer *w, sample_labels labels, int64_t ns) {
    format_of(w)->number(w, labels, (struct sample_number){NUMBER_SECONDS, .ns = ns}, NULL);
}

void sample_histogram(struct sample_writer *w, sample_labels labels, const struct histogram *histogram,
                      const struct native_histogram *native, const struct sample_exemplar *exemplar) {
    format_of(w)->buckets(w, labels,
                          &(struct sample_buckets){histogram_bound_ns, HISTOGRAM_BOUNDS, histogram->bucket,
                                                   histogram->sum_ns, native,
                                                   exemplar && exemplar->label ? exemplar : NULL});
}

void sample_histogram_of(struct sample_writer *w, sample_labels labels, const int64_t *bounds_s, size_t bounds,
                         const uint64_t *buckets, int64_t sum_ns) {
    int64_t bound_ns[SAMPLE_BOUNDS_MAX];
    assert(bounds <= SAMPLE_BOUNDS_MAX);
    for (size_t i = 0; i < bounds; i++)
        bound_ns[i] = bounds_s[i] * NS_PER_S;
    format_of(w)->buckets(w, labels, &(struct sample_buckets){bound_ns, bounds, buckets, sum_ns, NULL, NULL});
}
