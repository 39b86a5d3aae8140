/*
 * Which events are wanted, by the parameters of a request: the API and the pages for people take the same ones.
 */
#ifndef EXPOSE_EVENT_FILTER_H
#define EXPOSE_EVENT_FILTER_H

#include "base/strbuf.h"
#include "explain/event_ring.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_filter {
    struct target *target;   /* NULL: all. Borrowed */
    int cause, confidence;   /* -1: all */
    struct span user, host;  /* ptr NULL: all. Borrowed */
    int64_t since, until_ns; /* Unix time */
    uint64_t limit, before;  /* before: an id; 0 from the newest on */
};

/* One parameter. take() returns false where the value is wrong; `targets` are those that there are. */
struct event_option {
    const char *name, *form, *meaning;
    bool (*take)(struct event_filter *filter, struct span value, struct target *const *targets, size_t count);
};

extern const struct event_option event_options[]; /* the first is the target */
extern const size_t event_option_count;

/* All events, in lists of `limit`. */
void event_filter_init(struct event_filter *filter, uint64_t limit);

/* Events that are held while they are shown, the newest first. */
struct event_list {
    struct kept_event **at;
    size_t count;
    uint64_t next; /* where the next list begins (event_filter.before); 0: there is none */
};

/* False when memory is short. To be released, also then. It looks at a bounded number of events: a list can end before
 * its limit and have a next one. */
bool event_list_make(struct event_list *list, const struct event_filter *filter, const struct event_ring *ring);
void event_list_release(struct event_list *list);

#endif
