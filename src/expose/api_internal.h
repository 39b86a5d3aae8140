/*
 * What the resources of the API share with api.c: each is a list of objects, described by one struct.
 */
#ifndef EXPOSE_API_INTERNAL_H
#define EXPOSE_API_INTERNAL_H

#include "explain/event_ring.h"
#include "expose/api.h"

#include <stdint.h>

enum { API_EVENTS_MAX = 1000, API_EVENTS_DEFAULT = 100 };

struct event_filter {
    int cause;               /* -1: all */
    struct span user, host;  /* ptr NULL: all. Used only while the page is begun */
    int64_t since, until_ns; /* Unix time */
    uint64_t limit, before;  /* before: an id; 0 from the newest on */
};

struct api_page {
    const struct api_resource *resource; /* NULL: `error` is all of the answer */
    struct strbuf error;
    enum { API_HEAD, API_ITEMS, API_DONE } part;
    size_t item; /* the next one */
    const struct exporter_state *state;
    const struct target *target; /* the only one that is asked for; NULL all */
    struct event_filter filter;
    struct kept_event **events; /* held */
    size_t event_count;
    uint64_t next_cursor; /* 0: there is no further page */
    size_t target_count;
    struct target *targets[]; /* that are asked for */
};

/* One parameter. take() returns false where the value is wrong. */
struct api_option {
    const char *name, *form, *meaning;
    bool (*take)(struct api_page *page, struct span value);
};

struct api_resource {
    const char *path, *list /* name of the list in `data` */, *meaning;
    const struct api_option *options; /* besides `target` */
    size_t option_count;
    bool (*begin)(struct api_page *page);                          /* NULL: nothing; false: memory is short */
    bool (*item)(const struct api_page *page, struct strbuf *out); /* the one of page->item, or false: there is none */
    void (*tail)(const struct api_page *page, struct strbuf *out); /* other members of `data`; NULL none */
};

extern const struct api_resource api_events, api_targets, api_ledger, api_advice;

/* The table of an event's fields. */
void api_events_reference(struct strbuf *out);

#endif
