/*
 * KILLs between polls; see kills.h.
 */
#include "explain/kills.h"

#include <math.h>

void kills_polled(struct kills *kills, const struct target *target) {
    double value = target_status(target, "Com_kill");
    if (isnan(value) || value < 0 || value >= 0x1p53) {
        *kills = (struct kills){0};
        return;
    }
    double since = value < kills->value ? 0 : kills->value; /* FLUSH STATUS or a restart: it began at zero */
    kills->before = kills->now;
    kills->now = kills->begun ? (uint64_t)(value - since) : 0;
    kills->value = value;
    kills->begun = true;
}

int64_t kills_lately(const struct kills *kills) {
    return kills->begun ? (int64_t)(kills->now + kills->before) : -1;
}

static uint64_t take(uint64_t *from, uint64_t n) {
    uint64_t part = *from < n ? *from : n;
    *from -= part;
    return part;
}

uint64_t kills_take(struct kills *kills, uint64_t n) {
    uint64_t part = take(&kills->before, n);
    return part + take(&kills->now, n - part);
}
