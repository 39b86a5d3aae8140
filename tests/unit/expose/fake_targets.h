/*
 * Targets made by hand for the tests of expose: facts are plain structs. The references that a page takes come back, so
 * a fake is freed only by its test.
 */
#ifndef FAKE_TARGETS_H
#define FAKE_TARGETS_H

#include "base/labels.h"
#include "expose/exporter_state.h"
#include "observe/target.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline struct target *fake_target(const char *name) {
    struct target *target = calloc(1, sizeof *target);
    target->config = calloc(1, sizeof *target->config);
    target->config->name = strdup(name);
    target->config->address_text = strdup("db.example:3306");
    target->config->max_age_ns = INT64_MAX;
    target->refs = 1;
    labels_init(&target->labels);
    labels_add(&target->labels, "target", name);
    for (int i = 0; i < VARIABLE_MAX; i++)
        target->poll.value[i] = (double)NAN;
    target->config->modules = calloc(1, sizeof *target->config->modules);
    target->config->modules->name = strdup(MODULE_DEFAULT);
    target->config->module_count = 1;
    target->probes = calloc(1, sizeof *target->probes);
    target->probes->target = target;
    target->probes->module = target->config->modules;
    target->probe_count = 1;
    labels_init(&target->probes->labels);
    labels_add_all(&target->probes->labels, &target->labels);
    labels_add(&target->probes->labels, "module", "default");
    labels_add(&target->probes->labels, "close", "quit_wait");
    for (int i = 0; i < PHASE_COUNT; i++)
        target->probes->facts.last_phase_ns[i] = -1;
    return target;
}

static inline void fake_target_free(struct target *target) {
    free(target->config->modules->name);
    free(target->config->modules);
    labels_release(&target->probes->labels);
    failure_counts_release(&target->probes->facts.failures_by);
    free(target->probes);
    free(target->config->name);
    free(target->config->address_text);
    free(target->config);
    labels_release(&target->labels);
    failure_counts_release(&target->poll.failures_by);
    free(target);
}

static inline void fake_value(struct target *target, enum variable_source source, const char *name, double value) {
    target->poll.value[variable_find(source, span_of(name))] = value;
}

static inline struct failure fake_failure(enum phase phase, enum failure_class failure, const char *text) {
    struct failure f = {.failure = failure, .phase = phase};
    snprintf(f.text, sizeof f.text, "%s", text);
    return f;
}

/* A target that is up and was polled and probed. */
static inline void fake_up(struct target *target) {
    target->poll.health = TARGET_UP;
    target->poll.polls = 7;
    target->poll.connects = 1;
    target->poll.last_duration_ns = 1234567;
    target->poll.last_success_wall_ns = INT64_C(1763690400250000000);
    target->poll.start_wall_ns = INT64_C(1763690000000000000);
    snprintf(target->poll.version, sizeof target->poll.version, "10.11.19-MariaDB");
    snprintf(target->poll.version_comment, sizeof target->poll.version_comment, "Debian 12");
    for (size_t i = 0; i < variable_count; i++)
        target->poll.value[i] = (double)i;
    target->probes->facts.health = TARGET_UP;
    target->probes->facts.probes = 3;
    target->probes->facts.closes[CLOSE_CLEAN] = 3;
    target->probes->facts.last_success_wall_ns = INT64_C(1763690401000000000);
    for (int i = 0; i < PHASE_COUNT; i++) {
        histogram_add(&target->probes->facts.phase[i], 60000);
        histogram_add(&target->probes->facts.phase[i], 1500000);
        histogram_add(&target->probes->facts.phase[i], INT64_C(11000000000));
        target->probes->facts.last_phase_ns[i] = 60000;
    }
    histogram_add(&target->probes->facts.lateness, 1);
}

static inline void fake_down(struct target *target) {
    target->poll.health = target->probes->facts.health = TARGET_DOWN;
    target->poll.down = fake_failure(PHASE_CONNECT, FAILURE_REFUSED, "Can't connect to 'db' <b>");
    target->probes->facts.down = fake_failure(PHASE_AUTH, FAILURE_ACCESS_DENIED, "Access denied");
    target->poll.polls = target->poll.failures = 2;
    failure_counts_add(&target->poll.failures_by, &(struct failure){FAILURE_REFUSED, PHASE_CONNECT, 0, ""}, 2);
    target->probes->facts.probes = target->probes->facts.failures = 5;
    failure_counts_add(&target->probes->facts.failures_by, &(struct failure){FAILURE_ACCESS_DENIED, PHASE_AUTH, 0, ""},
                       4);
    failure_counts_add(&target->probes->facts.failures_by, &(struct failure){FAILURE_TIMEOUT, PHASE_RESOLVE, 0, ""}, 1);
}

static inline struct exporter_state fake_state(void) {
    static const struct http_facts http = {.connections = 1};
    struct exporter_state state = {
        .version = "0.1.0",
        .client_library = "libmariadb 3.3.20",
        .telemetry_path = "/metrics",
        .link_prefix = "",
        .http = &http,
        .start_wall_ns = INT64_C(1763690000500000000),
        .reload_successful = true,
        .reload_success_wall_ns = INT64_C(1763690000500000000),
        .loop_step_max_ns = 2500000,
    };
    histogram_add(&state.loop_step, 2500000);
    return state;
}

#endif
