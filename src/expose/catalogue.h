/*
 * The metric catalogue: every family that we serve, declared once. It makes /metrics, the README's table and the checks
 * of dashboards and alerts.
 */
#ifndef EXPOSE_CATALOGUE_H
#define EXPOSE_CATALOGUE_H

#include "base/strbuf.h"
#include "expose/exporter_state.h"
#include "expose/knowledge.h"
#include "observe/target.h"

#include <stddef.h>

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM, METRIC_UNTYPED };
enum metric_stability { METRIC_STABLE, METRIC_EXPERIMENTAL };

struct sample_writer; /* see sample.h */

/* What the families of the exporter itself are made from. */
struct exporter_facts {
    const struct exporter_state *state;
    size_t target_count;
};

/* One number of struct target that is a family's only sample, present always. */
struct metric_field {
    enum { FIELD_NONE, FIELD_COUNT /* uint64_t */, FIELD_SECONDS /* int64_t, nanoseconds */ } kind;
    size_t offset;
};

struct metric_family {
    const char *name; /* full name; counters end in _total */
    enum metric_type type;
    const char *unit;      /* "seconds", "bytes" …: a suffix of the name; "" none */
    const char *help;      /* a sentence without \ and newline */
    const char *labels;    /* its own labels besides target and the target's, "a, b"; "" none */
    const char *condition; /* when there are samples; NULL: always, for every target, from the first scrape on */
    enum metric_stability stability;
    enum knowledge known; /* what it is made from; in the tables: KNOWN_UNDECLARED is the table's */
    bool of_present;      /* a histogram of what is now, not one that counts up */
    /* Since when its counters count, on the wall clock; NULL: since we have watched the target. */
    int64_t (*since)(const struct target *target);
    /* Where the samples come from; exactly one is set: */
    void (*of_target)(struct sample_writer *w, const struct target *target);
    void (*of_exporter)(struct sample_writer *w, const struct exporter_facts *facts);
    void (*of_probe)(struct sample_writer *w, const struct probe *probe); /* each, with its labels module and close */
    struct metric_field field;                                            /* of struct target */
    struct metric_field probe_field;                                      /* of struct probe */
    size_t variable_first, variable_rows; /* of variable_table; rows 0 where it is not made from it */
};

/* All families in the order of the page. Made at the first call, never freed. */
const struct metric_family *catalogue(size_t *count);
/* Write the samples of the writer's family: of one target, or of the exporter. At most one of them writes anything. */
void catalogue_of_target(struct sample_writer *w, const struct target *target);
void catalogue_of_exporter(struct sample_writer *w, const struct exporter_facts *facts);
/* The README's table: name, type, labels, presence, meaning. */
void catalogue_reference(struct strbuf *out);

const char *metric_type_name(enum metric_type type);

#endif
