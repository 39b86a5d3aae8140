/*
 * What the daemon knows of itself and expose shows: set by main, read by the catalogue and the pages.
 */
#ifndef EXPOSE_EXPORTER_STATE_H
#define EXPOSE_EXPORTER_STATE_H

#include "base/histogram.h"
#include "base/state_store.h"

#include <stdbool.h>
#include <stdint.h>

struct event_ring;

struct exporter_state {
    const char *version;        /* of this program */
    const char *client_library; /* "libmariadb 3.3.20"; set by main from observe/client */
    const char *telemetry_path; /* "/metrics" */
    int64_t start_wall_ns;
    const struct event_ring *events; /* NULL: none are kept */
    bool reload_successful;
    int64_t reload_success_wall_ns;
    const struct state_store_facts *store; /* NULL: there is none */
    struct histogram loop_step;            /* how long each turn of the loop was busy */
    int64_t loop_step_max_ns;              /* the longest since the start */
};

#endif
