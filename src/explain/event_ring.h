/*
 * The newest aborts of each target with all that is known of them, and those of all targets together in the order in
 * which they were learnt. A sink of the judge, read by expose. A target without aborts costs no memory.
 */
#ifndef EXPLAIN_EVENT_RING_H
#define EXPLAIN_EVENT_RING_H

#include "explain/abort_event.h"
#include "observe/target.h"

#include <stddef.h>
#include <stdint.h>

/* An event that is kept, whole; its texts are cut at sensible lengths. */
struct kept_event {
    struct abort_event event;
    const char *target; /* its name */
    unsigned refs;
    size_t bytes;
};

struct event_ring;

enum { EVENT_RING_BYTES_EACH = 1024 /* of memory for each event that is allowed; most take half of it */ };

/* Of each target `events_per_target` are kept, and no more than EVENT_RING_BYTES_EACH times as many bytes. NULL when
 * memory is short. */
struct event_ring *event_ring_new(uint64_t events_per_target);
void event_ring_free(struct event_ring *ring); /* after the last target_removed(); NULL is allowed */
/* For the events to come. */
void event_ring_set_limit(struct event_ring *ring, uint64_t events_per_target);
struct abort_sink event_ring_sink(struct event_ring *ring);
/* The observer: target_removed. It keeps its books in target->events. */
struct observer event_ring_observer(struct event_ring *ring);

/* The newest event before `id` (0: the newest of all), of `target` or, where that is NULL, of all; NULL: none is left.
 * Valid until the next event. Costs a binary search. */
struct kept_event *event_ring_before(const struct event_ring *ring, const struct target *target, uint64_t id);
/* How many of `target` are kept, and how many were let go for newer ones. */
size_t event_ring_count(const struct target *target);
uint64_t event_ring_dropped(const struct target *target);

/* A copy of one; to be unref()ed. NULL when memory is short. */
struct kept_event *kept_event_new(const char *target, const struct abort_event *event);
/* To hold one over turns of the loop. */
struct kept_event *kept_event_ref(struct kept_event *kept);
void kept_event_unref(struct kept_event *kept); /* NULL is allowed */

#endif
