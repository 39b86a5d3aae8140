/*
 * Results of probes, added up; see probe_summary.h.
 */
#include "cli/probe_summary.h"

#include <stdlib.h>

int64_t probe_result_total_ns(const struct probe_result *result) {
    int64_t total = 0;
    for (int i = 0; i < PHASE_COUNT; i++)
        if (i != PHASE_HOLD)
            total += result->phase_ns[i] > 0 ? result->phase_ns[i] : 0;
    return total;
}

static bool samples_add(struct samples *samples, int64_t ns) {
    if (samples->count == samples->capacity && samples->capacity < SAMPLES_MAX) {
        size_t capacity = samples->capacity ? samples->capacity * 2 : 64;
        if (capacity > SAMPLES_MAX)
            capacity = SAMPLES_MAX;
        int64_t *grown = realloc(samples->ns, capacity * sizeof *grown);
        if (!grown)
            return false;
        samples->ns = grown;
        samples->capacity = capacity;
    }
    if (samples->count == 0 || ns < samples->min_ns)
        samples->min_ns = ns;
    if (samples->count == 0 || ns > samples->max_ns)
        samples->max_ns = ns;
    samples->ns[samples->count++ % samples->capacity] = ns;
    return true;
}

bool probe_summary_add(struct probe_summary *summary, const struct probe_result *result) {
    bool ok = true;
    summary->probes++;
    for (int i = 0; i < PHASE_COUNT; i++)
        if (result->phase_ns[i] >= 0)
            ok &= samples_add(&summary->phase[i], result->phase_ns[i]);
    summary->retransmissions += result->tcp.known ? result->tcp.retransmissions : 0;
    if (result->closed)
        summary->closes[result->close]++;
    if (result->ok) {
        summary->succeeded++;
        return samples_add(&summary->total, probe_result_total_ns(result)) && ok;
    }
    const struct failure *failure = &result->failure;
    summary->failures[failure->phase][failure->failure]++;
    summary->last[failure->phase][failure->failure] = *failure;
    return ok;
}

void probe_summary_release(struct probe_summary *summary) {
    for (int i = 0; i < PHASE_COUNT; i++)
        free(summary->phase[i].ns);
    free(summary->total.ns);
    *summary = (struct probe_summary){0};
}

static int compare(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

bool samples_quantiles(struct samples *samples, struct quantiles *out) {
    size_t kept = samples->count < samples->capacity ? (size_t)samples->count : samples->capacity;
    if (kept == 0)
        return false;
    qsort(samples->ns, kept, sizeof *samples->ns, compare);
    *out = (struct quantiles){
        .min_ns = samples->min_ns,
        .median_ns = samples->ns[(kept + 1) / 2 - 1],
        .p99_ns = samples->ns[(kept * 99 + 99) / 100 - 1], /* rounded up */
        .max_ns = samples->max_ns,
    };
    return true;
}
