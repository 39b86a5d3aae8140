/*
 * Samples as Protocol Buffers: messages io.prometheus.client.MetricFamily, each with its length in front. The only
 * format that carries native histograms.
 *
 * https://github.com/prometheus/client_model/blob/master/io/prometheus/client/metrics.proto has the numbers of the
 * fields. A family's length must be known before its first sample is sent, so its samples wait; but not all those of
 * thousands of targets: what is longer than MESSAGE_MAX goes on in a second message of the same name, which Prometheus
 * reads like one.
 */
#include "expose/sample_format.h"

#include "base/clock.h"
#include "base/protobuf.h"

#include <inttypes.h>
#include <stdio.h>

enum { MESSAGE_MAX = 64 * 1024 };

enum family_field { FAMILY_NAME = 1, FAMILY_HELP = 2, FAMILY_TYPE = 3, FAMILY_METRIC = 4, FAMILY_UNIT = 5 };
enum metric_message_field {
    METRIC_LABEL = 1,
    METRIC_OF_GAUGE = 2,
    METRIC_OF_COUNTER = 3,
    METRIC_OF_UNTYPED = 5,
    METRIC_OF_HISTOGRAM = 7,
};
enum number_field { NUMBER_VALUE = 1, COUNTER_EXEMPLAR = 2, COUNTER_CREATED = 3 };
enum histogram_field {
    HISTOGRAM_COUNT = 1,
    HISTOGRAM_SUM = 2,
    HISTOGRAM_BUCKET = 3,
    HISTOGRAM_SCHEMA = 5,
    HISTOGRAM_ZERO_THRESHOLD = 6,
    HISTOGRAM_ZERO_COUNT = 7,
    HISTOGRAM_SPAN = 12,
    HISTOGRAM_DELTA = 13,
    HISTOGRAM_CREATED = 15,
    HISTOGRAM_EXEMPLAR = 16,
};
enum bucket_field { BUCKET_COUNT = 1, BUCKET_BOUND = 2, BUCKET_EXEMPLAR = 3 };
enum span_field { SPAN_OFFSET = 1, SPAN_LENGTH = 2 };
enum exemplar_field { EXEMPLAR_LABEL = 1, EXEMPLAR_VALUE = 2, EXEMPLAR_TIME = 3 };
enum timestamp_field { TIMESTAMP_SECONDS = 1, TIMESTAMP_NANOS = 2 };

/* In the .proto's numbers. */
static const struct {
    unsigned type, field;
} types[] = {
    [METRIC_COUNTER] = {0, METRIC_OF_COUNTER},
    [METRIC_GAUGE] = {1, METRIC_OF_GAUGE},
    [METRIC_UNTYPED] = {3, METRIC_OF_UNTYPED},
    [METRIC_HISTOGRAM] = {4, METRIC_OF_HISTOGRAM},
};

/* --- the family --- */

static void end_family(struct sample_writer *w) {
    const struct metric_family *family = w->family;
    struct strbuf head;
    if (w->waiting.len == 0 && !strbuf_failed(&w->waiting))
        return;
    strbuf_init(&head, 4096);
    protobuf_add_bytes(&head, FAMILY_NAME, span_of(family->name));
    protobuf_add_bytes(&head, FAMILY_HELP, span_of(family->help));
    protobuf_add_uint64(&head, FAMILY_TYPE, types[family->type].type);
    if (*family->unit)
        protobuf_add_bytes(&head, FAMILY_UNIT, span_of(family->unit));
    protobuf_add_varint(w->out, head.len + w->waiting.len);
    strbuf_add(w->out, head.data, head.len);
    strbuf_add(w->out, w->waiting.data, w->waiting.len);
    if (strbuf_failed(&head) || strbuf_failed(&w->waiting))
        strbuf_room(w->out, SIZE_MAX / 2); /* fails it: the page is cut off rather than wrong */
    strbuf_release(&head);
    strbuf_reset(&w->waiting);
}

static void add_labels(struct strbuf *out, const struct labels *target_labels, sample_labels labels) {
    if (target_labels)
        strbuf_add(out, target_labels->protobuf.data, target_labels->protobuf.len);
    for (; labels && labels[0]; labels += 2)
        labels_add_pair(out, METRIC_LABEL, labels[0], labels[1]);
}

/* --- metrics --- */

static double value_of(struct sample_number number) {
    return number.kind == NUMBER_COUNT     ? (double)number.count
           : number.kind == NUMBER_SECONDS ? ns_to_seconds(number.ns)
                                           : number.value;
}

static void add_timestamp(struct strbuf *out, unsigned field, int64_t wall_ns) {
    if (wall_ns <= 0)
        return;
    size_t timestamp = protobuf_open(out, field);
    protobuf_add_uint64(out, TIMESTAMP_SECONDS, (uint64_t)(wall_ns / NS_PER_S));
    protobuf_add_uint64(out, TIMESTAMP_NANOS, (uint64_t)(wall_ns % NS_PER_S));
    protobuf_close(out, timestamp);
}

static void add_exemplar(struct strbuf *out, unsigned field, const struct sample_exemplar *exemplar, double value) {
    char digits[24];
    if (!exemplar)
        return;
    snprintf(digits, sizeof digits, "%" PRIu64, exemplar->id);
    size_t message = protobuf_open(out, field);
    labels_add_pair(out, EXEMPLAR_LABEL, exemplar->label, digits);
    protobuf_add_double(out, EXEMPLAR_VALUE, value);
    add_timestamp(out, EXEMPLAR_TIME, exemplar->wall_ns);
    protobuf_close(out, message);
}

static size_t begin_metric(struct sample_writer *w, sample_labels labels) {
    if (w->waiting.len > MESSAGE_MAX)
        end_family(w);
    w->announced = true;
    size_t metric = protobuf_open(&w->waiting, FAMILY_METRIC);
    add_labels(&w->waiting, w->target_labels, labels);
    return metric;
}

static void protobuf_number(struct sample_writer *w, sample_labels labels, struct sample_number number,
                            const struct sample_exemplar *exemplar) {
    struct strbuf *out = &w->waiting;
    size_t metric = begin_metric(w, labels);
    size_t value = protobuf_open(out, types[w->family->type].field);
    protobuf_add_double(out, NUMBER_VALUE, value_of(number));
    if (w->family->type == METRIC_COUNTER) {
        add_exemplar(out, COUNTER_EXEMPLAR, exemplar, 1);
        add_timestamp(out, COUNTER_CREATED, w->since_wall_ns);
    }
    protobuf_close(out, value);
    protobuf_close(out, metric);
}

/* --- histograms --- */

static uint64_t total_of(const struct sample_buckets *buckets) {
    uint64_t total = 0;
    for (size_t i = 0; i <= buckets->bounds; i++)
        total += buckets->count[i];
    return total;
}

/* The bucket of +Inf is not sent: the count is the same. */
static void add_classic(struct strbuf *out, const struct sample_buckets *buckets) {
    const struct sample_exemplar *exemplar = buckets->exemplar;
    uint64_t cumulative = 0;
    for (size_t i = 0; i < buckets->bounds; i++) {
        cumulative += buckets->count[i];
        size_t bucket = protobuf_open(out, HISTOGRAM_BUCKET);
        protobuf_add_uint64(out, BUCKET_COUNT, cumulative);
        protobuf_add_double(out, BUCKET_BOUND, ns_to_seconds(buckets->bound_ns[i]));
        if (exemplar && exemplar->value_ns <= buckets->bound_ns[i]) {
            add_exemplar(out, BUCKET_EXEMPLAR, exemplar, ns_to_seconds(exemplar->value_ns));
            exemplar = NULL;
        }
        protobuf_close(out, bucket);
    }
}

static void add_span(struct strbuf *out, int32_t offset, uint64_t length) {
    size_t span = protobuf_open(out, HISTOGRAM_SPAN);
    protobuf_add_sint32(out, SPAN_OFFSET, offset);
    protobuf_add_uint64(out, SPAN_LENGTH, length);
    protobuf_close(out, span);
}

/* Spans are runs of buckets with neighbouring indexes; the counts are written as steps from one to the next. */
static void add_native(struct strbuf *out, const struct native_histogram *h) {
    int32_t next = 0;
    int64_t count = 0;
    protobuf_add_sint32(out, HISTOGRAM_SCHEMA, native_histogram_schema(h));
    protobuf_add_double(out, HISTOGRAM_ZERO_THRESHOLD, NATIVE_ZERO_THRESHOLD_S);
    protobuf_add_uint64(out, HISTOGRAM_ZERO_COUNT, h->zero_count);
    for (int from = 0, to; from < h->used; from = to) {
        for (to = from + 1; to < h->used && h->index[to] == h->index[to - 1] + 1;)
            to++;
        add_span(out, h->index[from] - next, (uint64_t)(to - from));
        next = h->index[to - 1] + 1;
    }
    size_t deltas = protobuf_open(out, HISTOGRAM_DELTA);
    for (int i = 0; i < h->used; i++) {
        protobuf_add_packed_sint64(out, (int64_t)h->count[i] - count);
        count = h->count[i];
    }
    protobuf_close(out, deltas);
}

static void protobuf_buckets(struct sample_writer *w, sample_labels labels, const struct sample_buckets *buckets) {
    struct strbuf *out = &w->waiting;
    size_t metric = begin_metric(w, labels);
    size_t histogram = protobuf_open(out, METRIC_OF_HISTOGRAM);
    protobuf_add_uint64(out, HISTOGRAM_COUNT, total_of(buckets));
    protobuf_add_double(out, HISTOGRAM_SUM, ns_to_seconds(buckets->sum_ns));
    add_classic(out, buckets);
    if (buckets->native) {
        add_native(out, buckets->native);
        if (buckets->exemplar)
            add_exemplar(out, HISTOGRAM_EXEMPLAR, buckets->exemplar, ns_to_seconds(buckets->exemplar->value_ns));
    }
    add_timestamp(out, HISTOGRAM_CREATED, w->since_wall_ns);
    protobuf_close(out, histogram);
    protobuf_close(out, metric);
}

const struct sample_format sample_protobuf = {
    .number = protobuf_number, .buckets = protobuf_buckets, .end_family = end_family};
