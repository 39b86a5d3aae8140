/*
 * A ring of probes; see probe_history.h.
 */
#include "observe/probe_history.h"

#include "base/clock.h"

#define PHASE_MAX_NS (3600 * NS_PER_S)

void probe_history_add(struct probe_history *history, const struct past_probe *probe) {
    history->probes[history->next] = *probe;
    history->next = (history->next + 1) % PROBE_HISTORY;
    if (history->count < PROBE_HISTORY)
        history->count++;
}

const struct past_probe *probe_history_at(const struct probe_history *history, uint32_t i) {
    return &history->probes[(history->next + PROBE_HISTORY - 1 - i) % PROBE_HISTORY];
}

uint32_t past_probe_phase_us(int64_t ns) {
    if (ns < 0)
        return PROBE_NO_PHASE;
    return (uint32_t)((ns < PHASE_MAX_NS ? ns : PHASE_MAX_NS) / NS_PER_US);
}

uint64_t past_probe_total_us(const struct past_probe *probe) {
    uint64_t total = 0;
    for (int phase = 0; phase < PHASE_COUNT; phase++)
        if (phase != PHASE_HOLD && probe->phase_us[phase] != PROBE_NO_PHASE)
            total += probe->phase_us[phase];
    return total;
}
