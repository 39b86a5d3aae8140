/*
 * Keeping events; see event_ring.h. Both a target's events and those of all are vectors in the order of their ids, the
 * oldest first, in which what is gone leaves a hole until half of it is holes.
 */
#include "explain/event_ring.h"

#include "base/text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 80, HOST_MAX = 255, REASON_MAX = 128, TEXTS = 8, VECTOR_FIRST = 16 };

struct vector {
    struct kept_event **at; /* NULL: a hole */
    uint64_t *ids;          /* of holes, too */
    size_t count, cap, holes;
    size_t first; /* all before it are holes */
};

struct event_ring {
    uint64_t events_per_target;
    struct vector all;
};

struct target_events {
    struct vector vector;
    size_t bytes;
    uint64_t dropped;
};

/* --- vectors --- */

/* The first place whose id is not below `id`. */
static size_t seek(const struct vector *v, uint64_t id) {
    size_t low = v->first, high = v->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (v->ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void close_holes(struct vector *v) {
    size_t kept = 0;
    for (size_t i = v->first; i < v->count; i++)
        if (v->at[i]) {
            v->ids[kept] = v->ids[i];
            v->at[kept++] = v->at[i];
        }
    v->count = kept;
    v->holes = v->first = 0;
}

static bool make_room(struct vector *v) {
    if (v->count < v->cap)
        return true;
    if (v->holes > v->cap / 2) {
        close_holes(v);
        return true;
    }
    size_t cap = v->cap ? 2 * v->cap : VECTOR_FIRST;
    struct kept_event **at = reallocarray(v->at, cap, sizeof(struct kept_event *));
    if (at)
        v->at = at;
    uint64_t *ids = reallocarray(v->ids, cap, sizeof *ids);
    if (ids)
        v->ids = ids;
    if (!at || !ids)
        return false;
    v->cap = cap;
    return true;
}

static void append(struct vector *v, struct kept_event *kept) {
    v->ids[v->count] = kept->event.id;
    v->at[v->count++] = kept;
}

static void remove_id(struct vector *v, uint64_t id) {
    size_t i = seek(v, id);
    v->at[i] = NULL;
    v->holes++;
    while (v->first < v->count && !v->at[v->first])
        v->first++;
}

static void vector_release(struct vector *v) {
    free(v->at);
    free(v->ids);
}

/* --- one event --- */

static struct span *text_of(struct abort_event *e, int i) {
    struct span *const texts[TEXTS] = {&e->user,           &e->host,    &e->db,      &e->driver,
                                       &e->driver_version, &e->program, &e->command, &e->reason};
    return texts[i];
}

static struct span cut(struct span text, size_t max) {
    return text.ptr ? text_cut(text, max) : text;
}

/* All its texts moved behind it, where there is room for them. */
static char *move_text(struct span *text, char *to) {
    if (!text->ptr)
        return to;
    memcpy(to, text->ptr, text->len);
    text->ptr = to;
    return to + text->len;
}

struct kept_event *kept_event_new(const char *target, const struct abort_event *event) {
    static const size_t max[TEXTS] = {TEXT_MAX, HOST_MAX, HOST_MAX, TEXT_MAX, TEXT_MAX, HOST_MAX, TEXT_MAX, REASON_MAX};
    struct abort_event e = *event;
    size_t name_len = strlen(target) + 1, bytes = sizeof(struct kept_event) + name_len;
    for (int i = 0; i < TEXTS; i++) {
        *text_of(&e, i) = cut(*text_of(&e, i), max[i]);
        bytes += text_of(&e, i)->len;
    }
    for (unsigned i = 0; i < e.evidence_count; i++)
        bytes += e.evidence[i].text.len;
    struct kept_event *kept = malloc(bytes);
    if (!kept)
        return NULL;
    char *to = (char *)(kept + 1);
    *kept = (struct kept_event){.event = e, .target = to, .refs = 1, .bytes = bytes};
    memcpy(to, target, name_len);
    to += name_len;
    for (int i = 0; i < TEXTS; i++)
        to = move_text(text_of(&kept->event, i), to);
    for (unsigned i = 0; i < e.evidence_count; i++)
        to = move_text(&kept->event.evidence[i].text, to);
    return kept;
}

struct kept_event *kept_event_ref(struct kept_event *kept) {
    kept->refs++;
    return kept;
}

void kept_event_unref(struct kept_event *kept) {
    if (kept && --kept->refs == 0)
        free(kept);
}

/* --- the sink --- */

static void drop_oldest(struct event_ring *ring, struct target_events *events) {
    struct kept_event *oldest = events->vector.at[events->vector.first];
    events->bytes -= oldest->bytes;
    remove_id(&ring->all, oldest->event.id);
    remove_id(&events->vector, oldest->event.id);
    kept_event_unref(oldest);
}

static size_t kept_count(const struct target_events *events) {
    return events ? events->vector.count - events->vector.holes : 0;
}

static void on_abort(void *arg, struct target *target, const struct abort_event *event) {
    struct event_ring *ring = arg;
    if (event->cause.cause == CAUSE_NO_ABORT)
        return;
    struct target_events *events = target->events;
    if (!events)
        target->events = events = calloc(1, sizeof *events);
    struct kept_event *kept = events ? kept_event_new(target->config->name, event) : NULL;
    if (!kept || !make_room(&events->vector) || !make_room(&ring->all)) {
        free(kept);
        return;
    }
    append(&events->vector, kept);
    append(&ring->all, kept);
    events->bytes += kept->bytes;
    while (kept_count(events) > ring->events_per_target ||
           (events->bytes > ring->events_per_target * EVENT_RING_BYTES_EACH && kept_count(events) > 1)) {
        drop_oldest(ring, events);
        events->dropped++;
    }
}

static void on_target_removed(void *arg, struct target *target) {
    struct target_events *events = target->events;
    while (kept_count(events) > 0)
        drop_oldest(arg, events);
    if (events)
        vector_release(&events->vector);
    free(events);
    target->events = NULL;
}

struct event_ring *event_ring_new(uint64_t events_per_target) {
    struct event_ring *ring = calloc(1, sizeof *ring);
    if (ring)
        event_ring_set_limit(ring, events_per_target);
    return ring;
}

void event_ring_free(struct event_ring *ring) {
    if (ring)
        vector_release(&ring->all);
    free(ring);
}

void event_ring_set_limit(struct event_ring *ring, uint64_t events_per_target) {
    ring->events_per_target = events_per_target;
}

struct abort_sink event_ring_sink(struct event_ring *ring) {
    return (struct abort_sink){.arg = ring, .abort = on_abort};
}

struct observer event_ring_observer(struct event_ring *ring) {
    return (struct observer){.arg = ring, .target_removed = on_target_removed};
}

/* --- the readers --- */

struct kept_event *event_ring_before(const struct event_ring *ring, const struct target *target, uint64_t id) {
    const struct target_events *events = target ? target->events : NULL;
    const struct vector *v = target ? (events ? &events->vector : NULL) : &ring->all;
    for (size_t i = v ? (id ? seek(v, id) : v->count) : 0; v && i > v->first; i--)
        if (v->at[i - 1])
            return v->at[i - 1];
    return NULL;
}

size_t event_ring_count(const struct target *target) {
    return kept_count(target->events);
}

uint64_t event_ring_dropped(const struct target *target) {
    const struct target_events *events = target->events;
    return events ? events->dropped : 0;
}
