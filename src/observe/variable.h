/*
 * The connection subset of SHOW GLOBAL STATUS and SHOW GLOBAL VARIABLES: one table that makes the poll's queries, the
 * place of each value and (in expose) the metric of each, under the names and types that mysqld_exporter gave them.
 */
#ifndef OBSERVE_VARIABLE_H
#define OBSERVE_VARIABLE_H

#include "base/strbuf.h"

#include <stddef.h>

enum variable_source { VARIABLE_STATUS, VARIABLE_SETTING };
enum variable_type { VARIABLE_COUNTER, VARIABLE_GAUGE, VARIABLE_UNTYPED };

struct variable {
    enum variable_source source;
    enum variable_type type;
    const char *name;   /* the server's name, as SHOW prints it */
    const char *metric; /* metric name; several rows with one metric are neighbours and differ in `label_value`. NULL:
                         * of no use as a number to others */
    const char *label_name, *label_value; /* NULL where the metric has no label of its own */
    const char *help;
    int (*parse)(struct span text, double *out); /* NULL: variable_parse() */
};

/* Sorted: the status variables first, then the settings, each by name without regard to case. */
extern const struct variable variable_table[];
extern const size_t variable_count;

/* At least variable_count: the size of arrays that hold a value for each row. */
enum { VARIABLE_MAX = 128 };

/* Row of `name` in the table, or -1. Case does not matter. */
int variable_find(enum variable_source source, struct span name);
/* Convert the server's text: numbers, ON/YES/TRUE = 1, OFF/NO/FALSE/DISABLED = 0, in any case. 0 or -EINVAL. */
int variable_parse(struct span text, double *out);
/* The same by the row's own rules. */
int variable_read(int row, struct span text, double *out);

/* What log_error_services is read as: whether what MySQL logs goes through a filter. log_error_suppression_list: 1
 * where it hides aborted connections from the server's own. */
enum { LOG_FILTER_NONE, LOG_FILTER_OWN, LOG_FILTER_OTHER };

#endif
