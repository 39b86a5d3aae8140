/*
 * Time; see clock.h.
 */
#include "base/clock.h"

#include <time.h>

static int64_t clock_read_ns(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

struct mono mono_now(void) {
    return (struct mono){clock_read_ns(CLOCK_MONOTONIC)};
}

struct mono mono_add(struct mono t, int64_t delta_ns) {
    int64_t sum;
    if (t.ns == MONO_NEVER.ns || __builtin_add_overflow(t.ns, delta_ns, &sum))
        return MONO_NEVER;
    return (struct mono){sum};
}

int64_t mono_between(struct mono from, struct mono to) {
    return to.ns - from.ns;
}

bool mono_before(struct mono a, struct mono b) {
    return a.ns < b.ns;
}

struct mono mono_earlier(struct mono a, struct mono b) {
    return a.ns < b.ns ? a : b;
}

int64_t wall_now_ns(void) {
    return clock_read_ns(CLOCK_REALTIME);
}
