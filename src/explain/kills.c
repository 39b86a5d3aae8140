/*
 * KILLs between polls; see kills.h.
 */
#include "explain/kills.h"

#include <math.h>
#include <string.h>

void kills_polled(struct kills *kills, const struct target *target) {
    double value = target_status(target, "Com_kill");
    if (isnan(value) || value < 0 || value >= 0x1p53) {
        *kills = (struct kills){0};
        return;
    }
    double since = value < kills->value ? 0 : kills->value; /* FLUSH STATUS or a restart: it began at zero */
    memmove(kills->came + 1, kills->came, (KILLS_POLLS - 1) * sizeof *kills->came);
    kills->came[0] = kills->begun ? (uint64_t)(value - since) : 0;
    kills->value = value;
    kills->begun = true;
}

int64_t kills_lately(const struct kills *kills) {
    uint64_t sum = 0;
    for (int i = 0; i < KILLS_POLLS; i++)
        sum += kills->came[i];
    return kills->begun ? (int64_t)sum : -1;
}

int64_t kills_before(const struct kills *kills) {
    return kills->begun ? kills_lately(kills) - (int64_t)kills->came[0] : -1;
}

/* The oldest first. */
uint64_t kills_take(struct kills *kills, uint64_t n) {
    uint64_t taken = 0;
    for (int i = KILLS_POLLS - 1; i >= 0; i--) {
        uint64_t part = kills->came[i] < n - taken ? kills->came[i] : n - taken;
        kills->came[i] -= part;
        taken += part;
    }
    return taken;
}
