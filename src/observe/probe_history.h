/*
 * The last probes of one target and module, one by one, for people to look at: what came of each, and how long its
 * phases took. Some 1.3 KB each.
 */
#ifndef OBSERVE_PROBE_HISTORY_H
#define OBSERVE_PROBE_HISTORY_H

#include "observe/phase.h"

#include <stdint.h>

enum { PROBE_HISTORY = 30 };

#define PROBE_NO_PHASE UINT32_MAX

struct past_probe {
    uint32_t wall_s;                 /* when it was over: Unix time */
    uint32_t phase_us[PHASE_COUNT];  /* PROBE_NO_PHASE: it did not happen or did not end. Longer than an hour is cut */
    uint8_t failure, failed_in, end; /* enum failure_class, phase and close_outcome; CLOSE_COUNT: none was tried */
};

/* All zero is an empty one. */
struct probe_history {
    struct past_probe probes[PROBE_HISTORY]; /* a ring */
    uint32_t count, next;
};

void probe_history_add(struct probe_history *history, const struct past_probe *probe);
/* The i-th last one, 0 the newest; i < history->count. */
const struct past_probe *probe_history_at(const struct probe_history *history, uint32_t i);

/* A phase as it is kept; ns < 0: it did not happen or did not end. */
uint32_t past_probe_phase_us(int64_t ns);
/* All phases together, without the idle time that a module asks for. */
uint64_t past_probe_total_us(const struct past_probe *probe);

#endif
