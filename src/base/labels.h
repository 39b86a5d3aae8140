/*
 * Labels that many samples share, made ready once for each format of metrics.
 */
#ifndef BASE_LABELS_H
#define BASE_LABELS_H

#include "base/strbuf.h"

struct labels {
    struct strbuf text;     /* a="b",c="d", escaped */
    struct strbuf protobuf; /* fields `label` of io.prometheus.client.Metric */
};

void labels_init(struct labels *labels);
void labels_release(struct labels *labels);
/* Appends one; `value` may hold any bytes, `name` is a label's name. */
void labels_add(struct labels *labels, const char *name, const char *value);
/* Appends all of `more`. */
void labels_add_all(struct labels *labels, const struct labels *more);
/* Takes away `front`, with which they begin. */
void labels_drop_front(struct labels *labels, const struct labels *front);
/* Memory was short, or they were too long. */
bool labels_failed(const struct labels *labels);

/* One as a LabelPair in the field `number` of a message of io.prometheus.client. */
void labels_add_pair(struct strbuf *out, unsigned number, const char *name, const char *value);

#endif
