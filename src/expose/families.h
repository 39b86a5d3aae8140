/*
 * The parts of the catalogue: the tables of families that catalogue.c joins into one.
 */
#ifndef EXPOSE_FAMILIES_H
#define EXPOSE_FAMILIES_H

#include "expose/catalogue.h"

struct metric_table {
    const struct metric_family *rows;
    size_t count;
    enum knowledge known; /* of the rows that say nothing else */
};

extern const struct metric_table server_families;    /* under mysqld_exporter's names, besides the variables */
extern const struct metric_table target_families;    /* polls */
extern const struct metric_table probe_families;     /* probes */
extern const struct metric_table session_families;   /* who is connected; the errors that MySQL counted */
extern const struct metric_table userstat_families;  /* the server's statistics of users and clients */
extern const struct metric_table host_families;      /* the hosts that a server refuses; the network of ours */
extern const struct metric_table error_log_families; /* the error log of a target */
extern const struct metric_table ledger_families;    /* who aborted and why, against the counters */
extern const struct metric_table client_families;    /* aborts by client, and what is certain of them */
extern const struct metric_table advice_families;    /* which rules of advice are raised */
extern const struct metric_table exporter_families;  /* the exporter itself and its process */

/* Of a family with the labels phase and reason: the combinations that happened, `failures` in all. */
void families_emit_failures(struct sample_writer *w, const struct failure_counts *failures);

#endif
