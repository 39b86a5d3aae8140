/*
 * What the daemon knows of itself and expose shows: set by main, read by the catalogue and the pages.
 */
#ifndef EXPOSE_EXPORTER_STATE_H
#define EXPOSE_EXPORTER_STATE_H

#include "base/histogram.h"
#include "base/state_store.h"
#include "expose/http_facts.h"
#include "observe/host_network.h"

#include <stdbool.h>
#include <stdint.h>

struct event_ring;

/* Why a request for /probe was refused. */
#define LOOK_REFUSALS(X)                                                                                               \
    X(BAD_REQUEST, "bad_request") /* a parameter is missing or malformed, or names no module */                        \
    X(NOT_ALLOWED, "not_allowed") /* the server, or an address of its name, is not allowed */                          \
    X(TOO_MANY, "too_many")       /* as many as we make at once */                                                     \
    X(OUT_OF_MEMORY, "out_of_memory")

enum look_refusal {
#define LOOK_REFUSAL_ENUM(id, name) LOOK_##id,
    LOOK_REFUSALS(LOOK_REFUSAL_ENUM)
#undef LOOK_REFUSAL_ENUM
        LOOK_REFUSAL_COUNT
};

/* Of the files that name targets. */
struct discovery_facts {
    bool used;
    size_t files, targets;
    uint64_t failures;            /* readings that failed */
    int64_t last_success_wall_ns; /* the last look at which none failed; 0 never */
};

struct exporter_state {
    const char *version;        /* of this program */
    const char *client_library; /* "libmariadb 3.3.20"; set by main from observe/client */
    const char *telemetry_path; /* "/metrics" */
    const char *shard;          /* "1/3"; NULL: there are none */
    const char *link_prefix;    /* what stands before each path in a link: "", or as "/mysqlconn"; escaped for URLs */
    int64_t start_wall_ns;
    const struct event_ring *events; /* NULL: none are kept */
    bool reload_successful;
    int64_t reload_success_wall_ns;
    const struct state_store_facts *store;    /* NULL: there is none */
    const struct host_network_facts *network; /* NULL: there is none */
    const struct http_facts *http;            /* NULL: there is none */
    struct discovery_facts discovery;
    int64_t look_offset_ns;                            /* what an answer to /probe comes before Prometheus' deadline */
    uint64_t looks, looks_refused[LOOK_REFUSAL_COUNT]; /* requests for /probe */
    const uint64_t *look_self_aborts;                  /* by enum self_operation; of looks that are over */
    struct histogram loop_step;                        /* how long each turn of the loop was busy */
    int64_t loop_step_max_ns;                          /* the longest since the start */
};

#endif
