/*
 * Samples as text: the format 0.0.4, and OpenMetrics 1.0, which tells more and is stricter. Millions of these lines are
 * written, so no printf here.
 *
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 * https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md
 */
#include "expose/sample_format.h"

#include "base/clock.h"
#include "base/number.h"
#include "base/text.h"

#include <string.h>

#define TOTAL "_total"

static bool is_openmetrics(const struct sample_writer *w) {
    return w->format == FORMAT_OPENMETRICS;
}

/* OpenMetrics names a counter without its suffix. */
static size_t name_len(const struct sample_writer *w) {
    size_t len = strlen(w->family->name);
    return w->family->type == METRIC_COUNTER ? len - strlen(TOTAL) : len;
}

/* `# KEYWORD name ` */
static void add_comment(struct sample_writer *w, const char *keyword) {
    strbuf_addstr(w->out, keyword);
    if (is_openmetrics(w))
        strbuf_add(w->out, w->family->name, name_len(w));
    else
        strbuf_addstr(w->out, w->family->name);
    strbuf_addch(w->out, ' ');
}

static void announce(struct sample_writer *w) {
    const struct metric_family *family = w->family;
    if (w->announced)
        return;
    w->announced = true;
    add_comment(w, "# HELP ");
    if (is_openmetrics(w))
        text_add_label_value(w->out, span_of(family->help)); /* quotes escaped, too */
    else
        strbuf_addstr(w->out, family->help);
    strbuf_addch(w->out, '\n');
    add_comment(w, "# TYPE ");
    strbuf_addstr(w->out,
                  is_openmetrics(w) && family->type == METRIC_UNTYPED ? "unknown" : metric_type_name(family->type));
    strbuf_addch(w->out, '\n');
    if (is_openmetrics(w) && *family->unit) {
        add_comment(w, "# UNIT ");
        strbuf_addstr(w->out, family->unit);
        strbuf_addch(w->out, '\n');
    }
}

/* `name{labels` or, where there are none, `name`; true where there are some. */
static bool add_head(struct sample_writer *w, struct span name, const char *suffix, sample_labels labels) {
    char separator = '{';
    announce(w);
    strbuf_add(w->out, name.ptr, name.len);
    strbuf_addstr(w->out, suffix);
    if (w->target_labels && w->target_labels->text.len > 0) {
        strbuf_addch(w->out, separator);
        strbuf_add(w->out, w->target_labels->text.data, w->target_labels->text.len);
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

static void add_name_of(struct sample_writer *w, struct span name, const char *suffix, sample_labels labels) {
    if (add_head(w, name, suffix, labels))
        strbuf_addch(w->out, '}');
    strbuf_addch(w->out, ' ');
}

static void add_name(struct sample_writer *w, const char *suffix, sample_labels labels) {
    add_name_of(w, span_of(w->family->name), suffix, labels);
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

static void add_number(struct strbuf *out, struct sample_number number) {
    if (number.kind == NUMBER_COUNT)
        strbuf_addu64(out, number.count);
    else if (number.kind == NUMBER_SECONDS)
        add_seconds(out, number.ns);
    else
        number_add_double(out, number.value);
}

static void end_line(struct sample_writer *w) {
    strbuf_addch(w->out, '\n');
}

/* ` # {label="id"} value time` */
static void add_exemplar(struct sample_writer *w, const struct sample_exemplar *exemplar, struct sample_number value) {
    if (!exemplar || !is_openmetrics(w))
        return;
    strbuf_addstr(w->out, " # {");
    strbuf_addstr(w->out, exemplar->label);
    strbuf_addstr(w->out, "=\"");
    strbuf_addu64(w->out, exemplar->id);
    strbuf_addstr(w->out, "\"} ");
    add_number(w->out, value);
    strbuf_addch(w->out, ' ');
    add_seconds(w->out, exemplar->wall_ns);
}

static void add_created(struct sample_writer *w, sample_labels labels) {
    if (!is_openmetrics(w) || w->since_wall_ns == 0)
        return;
    add_name_of(w, (struct span){w->family->name, name_len(w)}, "_created", labels);
    add_seconds(w->out, w->since_wall_ns);
    end_line(w);
}

static void text_number(struct sample_writer *w, sample_labels labels, struct sample_number number,
                        const struct sample_exemplar *exemplar) {
    add_name(w, "", labels);
    add_number(w->out, number);
    add_exemplar(w, exemplar, (struct sample_number){NUMBER_COUNT, .count = 1});
    end_line(w);
    if (w->family->type == METRIC_COUNTER)
        add_created(w, labels);
}

/* `le="0.005"} `; OpenMetrics writes whole numbers as 1.0. */
static void add_bucket_end(struct strbuf *out, enum metric_format format, const struct sample_buckets *buckets,
                           size_t i) {
    strbuf_addstr(out, "le=\"");
    if (i == buckets->bounds)
        strbuf_addstr(out, "+Inf");
    else
        add_seconds(out, buckets->bound_ns[i]);
    if (i < buckets->bounds && format == FORMAT_OPENMETRICS && buckets->bound_ns[i] % NS_PER_S == 0)
        strbuf_addstr(out, ".0");
    strbuf_addstr(out, "\"} ");
}

/* Those of the bounds that all durations of ours share, made at the first call; NULL for others. */
static const struct strbuf *bucket_ends(enum metric_format format, const struct sample_buckets *buckets) {
    static struct strbuf ends[FORMAT_COUNT][HISTOGRAM_BOUNDS + 1];

    if (buckets->bound_ns != histogram_bound_ns)
        return NULL;
    if (ends[format][0].len == 0)
        for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++) {
            strbuf_init(&ends[format][i], 64);
            add_bucket_end(&ends[format][i], format, buckets, i);
        }
    return ends[format];
}

static size_t bucket_of(const struct sample_buckets *buckets, int64_t ns) {
    size_t i = 0;
    while (i < buckets->bounds && buckets->bound_ns[i] < ns)
        i++;
    return i;
}

static void text_buckets(struct sample_writer *w, sample_labels labels, const struct sample_buckets *buckets) {
    const struct strbuf *ends = bucket_ends(w->format, buckets);
    const struct sample_exemplar *exemplar = buckets->exemplar;
    size_t shown_at = exemplar ? bucket_of(buckets, exemplar->value_ns) : SIZE_MAX;
    struct strbuf *out = w->out;
    uint64_t cumulative = 0;

    announce(w);
    size_t head = out->len;
    strbuf_addch(out, add_head(w, span_of(w->family->name), "_bucket", labels) ? ',' : '{');
    size_t head_len = out->len - head;
    for (size_t i = 0; i <= buckets->bounds; i++) {
        if (i > 0) { /* the same again, copied */
            char *room = strbuf_room(out, head_len);
            if (!room)
                return;
            memcpy(room, out->data + head, head_len);
            strbuf_grew(out, head_len);
        }
        cumulative += buckets->count[i];
        if (ends)
            strbuf_add(out, ends[i].data, ends[i].len);
        else
            add_bucket_end(out, w->format, buckets, i);
        strbuf_addu64(out, cumulative);
        if (i == shown_at)
            add_exemplar(w, exemplar, (struct sample_number){NUMBER_SECONDS, .ns = exemplar->value_ns});
        end_line(w);
    }
    add_name(w, "_sum", labels);
    add_seconds(out, buckets->sum_ns);
    end_line(w);
    add_name(w, "_count", labels);
    strbuf_addu64(out, cumulative); /* summed up from the buckets, so that the two agree */
    end_line(w);
    add_created(w, labels);
}

static void text_end_page(struct sample_writer *w) {
    if (is_openmetrics(w))
        strbuf_addstr(w->out, "# EOF\n");
}

const struct sample_format sample_text = {.number = text_number, .buckets = text_buckets, .end_page = text_end_page};
