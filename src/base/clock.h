/*
 * Time: one monotonic clock, wrapped in a struct so that an instant, a duration and a wall time cannot be mixed up.
 * Durations are plain int64_t nanoseconds in variables that end in _ns.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

/* An instant on CLOCK_MONOTONIC. */
struct mono {
    int64_t ns;
};

#define MONO_NEVER ((struct mono){INT64_MAX})

/* The present instant. Not cached: costs one vDSO call. */
struct mono mono_now(void);

/* `t` moved by `delta_ns`; saturates at MONO_NEVER. */
struct mono mono_add(struct mono t, int64_t delta_ns);

/* Nanoseconds from `from` to `to`; negative where `to` is the earlier. */
int64_t mono_between(struct mono from, struct mono to);

bool mono_before(struct mono a, struct mono b);
struct mono mono_earlier(struct mono a, struct mono b);

/* Nanoseconds as seconds, for output. */
static inline double ns_to_seconds(int64_t ns) {
    return (double)ns / 1e9;
}

/* The wall clock (CLOCK_REALTIME) in nanoseconds since 1970 UTC. For output only, never for deadlines. */
int64_t wall_now_ns(void);

#endif
