/*
 * What goes for every event; see abort_event.h.
 */
#include "explain/abort_event.h"

const char *fact_source_name(enum fact_source source) {
    static const char *const names[] = {
#define FACT_SOURCE_NAME(id, name, meaning) name,
        FACT_SOURCES(FACT_SOURCE_NAME)
#undef FACT_SOURCE_NAME
    };
    return names[source];
}

int64_t abort_event_wall_ns(const struct abort_event *event) {
    return event->wall_ns ? event->wall_ns : event->seen_wall_ns;
}
