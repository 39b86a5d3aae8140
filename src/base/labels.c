/*
 * Labels for each format; see labels.h.
 *
 * https://github.com/prometheus/client_model/blob/master/io/prometheus/client/metrics.proto has the fields' numbers.
 */
#include "base/labels.h"

#include "base/protobuf.h"
#include "base/text.h"

enum { LABELS_MAX_BYTES = 256 * 1024 };
enum { METRIC_LABEL = 1, PAIR_NAME = 1, PAIR_VALUE = 2 };

void labels_init(struct labels *labels) {
    strbuf_init(&labels->text, LABELS_MAX_BYTES);
    strbuf_init(&labels->protobuf, LABELS_MAX_BYTES);
}

void labels_release(struct labels *labels) {
    strbuf_release(&labels->text);
    strbuf_release(&labels->protobuf);
}

void labels_add_pair(struct strbuf *out, unsigned number, const char *name, const char *value) {
    size_t pair = protobuf_open(out, number);
    protobuf_add_bytes(out, PAIR_NAME, span_of(name));
    size_t text = protobuf_open(out, PAIR_VALUE);
    text_add_utf8(out, span_of(value));
    protobuf_close(out, text);
    protobuf_close(out, pair);
}

void labels_add(struct labels *labels, const char *name, const char *value) {
    struct strbuf *text = &labels->text;
    strbuf_addf(text, "%s%s=\"", text->len > 0 ? "," : "", name);
    text_add_label_value(text, span_of(value));
    strbuf_addch(text, '"');
    labels_add_pair(&labels->protobuf, METRIC_LABEL, name, value);
}

void labels_add_all(struct labels *labels, const struct labels *more) {
    strbuf_addstr(&labels->text, labels->text.len > 0 && more->text.len > 0 ? "," : "");
    strbuf_add(&labels->text, more->text.data, more->text.len);
    strbuf_add(&labels->protobuf, more->protobuf.data, more->protobuf.len);
}

static void drop_front(struct strbuf *sb, size_t len) {
    memmove(sb->data, sb->data + len, sb->len - len);
    strbuf_truncate(sb, sb->len - len);
}

void labels_drop_front(struct labels *labels, const struct labels *front) {
    bool more = labels->text.len > front->text.len;
    drop_front(&labels->text, front->text.len + more); /* the comma */
    drop_front(&labels->protobuf, front->protobuf.len);
}

bool labels_failed(const struct labels *labels) {
    return strbuf_failed(&labels->text) || strbuf_failed(&labels->protobuf);
}
