/*
 * What one probe gave, and what all of them gave together.
 */
#ifndef CLI_PROBE_SUMMARY_H
#define CLI_PROBE_SUMMARY_H

#include "observe/phase.h"
#include "observe/resolve.h"
#include "observe/tcp_facts.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct probe_result {
    uint64_t number; /* from 1 on */
    int64_t wall_ns; /* when it began */
    bool ok;
    struct failure failure;        /* unless ok */
    unsigned close_number;         /* of the error packet that came after COM_QUIT; 0 none */
    int64_t phase_ns[PHASE_COUNT]; /* -1 where the phase did not happen or did not end */
    bool closed;                   /* a close was tried, with this outcome: */
    enum close_outcome close;
    uint64_t connection_id;                             /* 0 unknown */
    char address[RESOLVE_TEXT_MAX];                     /* the one that was tried last; "" none */
    struct tcp_facts tcp;                               /* the kernel's, where it has any */
    const char *tls_version, *tls_cipher, *auth_plugin; /* of one that succeeded; NULL none */
};

/* All phases together. */
int64_t probe_result_total_ns(const struct probe_result *result);

/* The newest SAMPLES_MAX of a series; the extremes are those of all. */
#define SAMPLES_MAX 1000000
struct samples {
    int64_t *ns;
    size_t capacity;
    uint64_t count;
    int64_t min_ns, max_ns;
};

struct quantiles {
    int64_t min_ns, median_ns, p99_ns, max_ns;
};

struct probe_summary {
    uint64_t probes, succeeded;
    int64_t duration_ns; /* from the first probe's start to the last one's end */
    struct samples phase[PHASE_COUNT];
    struct samples total; /* of those that succeeded */
    uint64_t closes[CLOSE_COUNT];
    uint64_t self_aborts;       /* connections that the server counts as aborted because of what we did */
    uint64_t aborts_on_purpose; /* … because that was asked for */
    uint64_t retransmissions;
    uint64_t failures[PHASE_COUNT][FAILURE_COUNT];
    struct failure last[PHASE_COUNT][FAILURE_COUNT]; /* of each kind */
};

/* Start with all zero. Phases of a probe that failed later count: they were true. False when memory is short. */
bool probe_summary_add(struct probe_summary *summary, const struct probe_result *result);
void probe_summary_release(struct probe_summary *summary);
/* Nearest rank. False when there are no samples. Sorts them: call it at the end. */
bool samples_quantiles(struct samples *samples, struct quantiles *out);

#endif
