/*
 * The text format 0.0.4; see sample.h. Millions of these lines are written, so no printf here.
 */
#include "expose/sample.h"

#include "base/clock.h"
#include "base/number.h"
#include "base/text.h"

#include <string.h>

static void announce(struct sample_writer *w) {
    const struct metric_family *family = w->family;

    strbuf_addstr(w->out, "# HELP ");
    strbuf_addstr(w->out, family->name);
    strbuf_addch(w->out, ' ');
    strbuf_addstr(w->out, family->help);
    strbuf_addstr(w->out, "\n# TYPE ");
    strbuf_addstr(w->out, family->name);
    strbuf_addch(w->out, ' ');
    strbuf_addstr(w->out, metric_type_name(family->type));
    strbuf_addch(w->out, '\n');
    w->announced = true;
}

void sample_begin_family(struct sample_writer *w, const struct metric_family *family) {
    w->family = family;
    w->announced = false;
}

/* `name{labels` or, where there are none, `name`; true where there are some. */
static bool add_head(struct sample_writer *w, const char *suffix, sample_labels labels) {
    char separator = '{';

    if (!w->announced)
        announce(w);
    strbuf_addstr(w->out, w->family->name);
    strbuf_addstr(w->out, suffix);
    if (w->target_labels && w->target_labels->len > 0) {
        strbuf_addch(w->out, separator);
        strbuf_add(w->out, w->target_labels->data, w->target_labels->len);
        separator = ',';
    }
    for (; labels && labels[0]; labels += 2) {
        strbuf_addch(w->out, separator);
        strbuf_addstr(w->out, labels[0]);
        strbuf_addstr(w->out, "=\"");
        text_add_label_value(w->out, span_of(labels[1]));
        strbuf_addch(w->out, '"');
        separator = ',';
    }
    return separator == ',';
}

static void add_name(struct sample_writer *w, const char *suffix, sample_labels labels) {
    if (add_head(w, suffix, labels))
        strbuf_addch(w->out, '}');
    strbuf_addch(w->out, ' ');
}

static void add_seconds(struct strbuf *out, int64_t ns) {
    uint64_t magnitude = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
    uint64_t fraction = magnitude % (uint64_t)NS_PER_S;

    if (ns < 0)
        strbuf_addch(out, '-');
    strbuf_addu64(out, magnitude / (uint64_t)NS_PER_S);
    if (fraction == 0)
        return;
    char digits[10] = ".";
    size_t len = sizeof digits;
    for (size_t i = sizeof digits - 1; i > 0; i--, fraction /= 10)
        digits[i] = (char)('0' + fraction % 10);
    while (digits[len - 1] == '0')
        len--;
    strbuf_add(out, digits, len);
}

void sample_count(struct sample_writer *w, sample_labels labels, uint64_t value) {
    add_name(w, "", labels);
    strbuf_addu64(w->out, value);
    strbuf_addch(w->out, '\n');
}

void sample_double(struct sample_writer *w, sample_labels labels, double value) {
    add_name(w, "", labels);
    number_add_double(w->out, value);
    strbuf_addch(w->out, '\n');
}

void sample_seconds(struct sample_writer *w, sample_labels labels, int64_t ns) {
    add_name(w, "", labels);
    add_seconds(w->out, ns);
    strbuf_addch(w->out, '\n');
}

/* `le="0.005"} ` of each bucket, the last +Inf; made at the first call. */
static const struct strbuf *bucket_ends(void) {
    static struct strbuf ends[HISTOGRAM_BOUNDS + 1];

    if (ends[0].len == 0)
        for (int i = 0; i <= HISTOGRAM_BOUNDS; i++) {
            strbuf_init(&ends[i], 64);
            strbuf_addstr(&ends[i], "le=\"");
            if (i < HISTOGRAM_BOUNDS)
                add_seconds(&ends[i], histogram_bound_ns[i]);
            else
                strbuf_addstr(&ends[i], "+Inf");
            strbuf_addstr(&ends[i], "\"} ");
        }
    return ends;
}

void sample_histogram(struct sample_writer *w, sample_labels labels, const struct histogram *histogram) {
    const struct strbuf *ends = bucket_ends();
    struct strbuf *out = w->out;
    uint64_t cumulative = 0;

    if (!w->announced)
        announce(w);
    size_t head = out->len;
    strbuf_addch(out, add_head(w, "_bucket", labels) ? ',' : '{');
    size_t head_len = out->len - head;
    for (int i = 0; i <= HISTOGRAM_BOUNDS; i++) {
        if (i > 0) { /* the same again, copied */
            char *room = strbuf_room(out, head_len);
            if (!room)
                return;
            memcpy(room, out->data + head, head_len);
            strbuf_grew(out, head_len);
        }
        cumulative += histogram->bucket[i];
        strbuf_add(out, ends[i].data, ends[i].len);
        strbuf_addu64(out, cumulative);
        strbuf_addch(out, '\n');
    }
    add_name(w, "_sum", labels);
    add_seconds(out, histogram->sum_ns);
    strbuf_addch(out, '\n');
    add_name(w, "_count", labels);
    strbuf_addu64(out, cumulative); /* not ->count: bucket counts wrap before it does, and the two must agree */
    strbuf_addch(out, '\n');
}

void sample_histogram_of(struct sample_writer *w, sample_labels labels, const int64_t *bounds_s, size_t bounds,
                         const uint64_t *buckets, int64_t sum_ns) {
    uint64_t cumulative = 0;

    for (size_t i = 0; i <= bounds; i++) {
        cumulative += buckets[i];
        strbuf_addch(w->out, add_head(w, "_bucket", labels) ? ',' : '{');
        strbuf_addstr(w->out, "le=\"");
        if (i < bounds)
            strbuf_addu64(w->out, (uint64_t)bounds_s[i]);
        else
            strbuf_addstr(w->out, "+Inf");
        strbuf_addstr(w->out, "\"} ");
        strbuf_addu64(w->out, cumulative);
        strbuf_addch(w->out, '\n');
    }
    add_name(w, "_sum", labels);
    add_seconds(w->out, sum_ns);
    strbuf_addch(w->out, '\n');
    add_name(w, "_count", labels);
    strbuf_addu64(w->out, cumulative);
    strbuf_addch(w->out, '\n');
}
