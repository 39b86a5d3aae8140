/*
 * What the resources of the API share with api.c: each is a list of objects, described by one struct.
 */
#ifndef EXPOSE_API_INTERNAL_H
#define EXPOSE_API_INTERNAL_H

#include "expose/api.h"
#include "expose/event_filter.h"

#include <stdint.h>

enum { API_EVENTS_DEFAULT = 100 };

struct api_page {
    const struct api_resource *resource; /* NULL: `error` is all of the answer */
    struct strbuf error;
    enum { API_HEAD, API_ITEMS, API_DONE } part;
    size_t item; /* the next one */
    const struct exporter_state *state;
    struct event_filter filter; /* its texts are used only while the page is begun */
    struct event_list events;
    size_t target_count;
    struct target *targets[]; /* that are asked for */
};

struct api_resource {
    const char *path, *list /* name of the list in `data` */, *meaning;
    bool filtered;                        /* takes the parameters of event_filter.h, not `target` alone */
    bool (*begin)(struct api_page *page); /* NULL: nothing; false: memory is short */
    bool (*item)(const struct api_page *page, struct strbuf *out); /* the one of page->item, or false: there is none */
    void (*tail)(const struct api_page *page, struct strbuf *out); /* other members of `data`; NULL none */
};

extern const struct api_resource api_events, api_targets, api_ledger, api_advice;

/* The table of an event's fields. */
void api_events_reference(struct strbuf *out);

#endif
