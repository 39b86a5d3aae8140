/*
 * Families of the exporter itself and of its process, under the names that client libraries use.
 */
#include "expose/families.h"
#include "expose/process.h"
#include "expose/sample.h"

static void emit_build_info(struct sample_writer *w, const struct exporter_facts *facts) {
    sample_count(w, SAMPLE_LABELS("version", facts->state->version, "client_library", facts->state->client_library), 1);
}

static void emit_reload_successful(struct sample_writer *w, const struct exporter_facts *facts) {
    sample_count(w, SAMPLE_NO_LABELS, facts->state->reload_successful);
}

static void emit_reload_time(struct sample_writer *w, const struct exporter_facts *facts) {
    sample_seconds(w, SAMPLE_NO_LABELS, facts->state->reload_success_wall_ns);
}

/* Those of the state that is kept on a disk. */
static const struct state_store_facts *store_of(const struct exporter_facts *facts) {
    const struct state_store_facts *store = facts->state->store;
    return store && store->persistent ? store : NULL;
}

static void emit_state_writes(struct sample_writer *w, const struct exporter_facts *facts) {
    if (store_of(facts))
        sample_count(w, SAMPLE_NO_LABELS, store_of(facts)->writes);
}

static void emit_state_failures(struct sample_writer *w, const struct exporter_facts *facts) {
    if (store_of(facts))
        sample_count(w, SAMPLE_NO_LABELS, store_of(facts)->failures);
}

static void emit_state_waiting(struct sample_writer *w, const struct exporter_facts *facts) {
    if (store_of(facts))
        sample_count(w, SAMPLE_NO_LABELS, store_of(facts)->waiting);
}

static void emit_state_time(struct sample_writer *w, const struct exporter_facts *facts) {
    if (store_of(facts))
        sample_seconds(w, SAMPLE_NO_LABELS, store_of(facts)->last_write_wall_ns);
}

static void emit_connections(struct sample_writer *w, const struct exporter_facts *facts) {
    if (facts->state->http)
        sample_count(w, SAMPLE_NO_LABELS, facts->state->http->connections);
}

static void emit_refused(struct sample_writer *w, const struct exporter_facts *facts) {
    static const char *const reasons[HTTP_REFUSALS] = {
        [HTTP_REFUSED_CONNECTIONS] = "too_many_connections",
        [HTTP_REFUSED_ADDRESS_CONNECTIONS] = "too_many_connections_of_address",
        [HTTP_REFUSED_CROWDED_OUT] = "crowded_out",
        [HTTP_REFUSED_SLOW_REQUEST] = "slow_request",
        [HTTP_REFUSED_SLOW_READER] = "slow_reader",
        [HTTP_REFUSED_CLIENT_CERTIFICATE] = "client_certificate",
        [HTTP_REFUSED_UNAUTHORIZED] = "unauthorized",
        [HTTP_REFUSED_AUTH_QUEUE] = "auth_queue_full",
        [HTTP_REFUSED_RATE_LIMIT] = "rate_limit",
    };
    for (int i = 0; facts->state->http && i < HTTP_REFUSALS; i++)
        sample_count(w, SAMPLE_LABELS("reason", reasons[i]), facts->state->http->refused[i]);
}

/* NULL without a web configuration. */
static const struct http_facts *web_of(const struct exporter_facts *facts) {
    const struct http_facts *http = facts->state->http;
    return http && http->web_config ? http : NULL;
}

static void emit_web_successful(struct sample_writer *w, const struct exporter_facts *facts) {
    if (web_of(facts))
        sample_count(w, SAMPLE_NO_LABELS, web_of(facts)->web_config_successful);
}

static void emit_web_time(struct sample_writer *w, const struct exporter_facts *facts) {
    if (web_of(facts))
        sample_seconds(w, SAMPLE_NO_LABELS, web_of(facts)->web_config_success_wall_ns);
}

static void emit_targets(struct sample_writer *w, const struct exporter_facts *facts) {
    sample_count(w, SAMPLE_NO_LABELS, facts->target_count);
}

static void emit_sd_files(struct sample_writer *w, const struct exporter_facts *facts) {
    if (facts->state->discovery.used)
        sample_count(w, SAMPLE_NO_LABELS, facts->state->discovery.files);
}

static void emit_sd_targets(struct sample_writer *w, const struct exporter_facts *facts) {
    if (facts->state->discovery.used)
        sample_count(w, SAMPLE_NO_LABELS, facts->state->discovery.targets);
}

static void emit_sd_failures(struct sample_writer *w, const struct exporter_facts *facts) {
    if (facts->state->discovery.used)
        sample_count(w, SAMPLE_NO_LABELS, facts->state->discovery.failures);
}

static void emit_sd_time(struct sample_writer *w, const struct exporter_facts *facts) {
    if (facts->state->discovery.used)
        sample_seconds(w, SAMPLE_NO_LABELS, facts->state->discovery.last_success_wall_ns);
}

static void emit_shard(struct sample_writer *w, const struct exporter_facts *facts) {
    if (facts->state->shard)
        sample_count(w, SAMPLE_LABELS("shard", facts->state->shard), 1);
}

static void emit_looks(struct sample_writer *w, const struct exporter_facts *facts) {
    sample_count(w, SAMPLE_NO_LABELS, facts->state->looks);
}

static void emit_looks_refused(struct sample_writer *w, const struct exporter_facts *facts) {
    static const char *const names[] = {
#define LOOK_REFUSAL_NAME(id, name) name,
        LOOK_REFUSALS(LOOK_REFUSAL_NAME)
#undef LOOK_REFUSAL_NAME
    };
    for (int i = 0; i < LOOK_REFUSAL_COUNT; i++)
        sample_count(w, SAMPLE_LABELS("reason", names[i]), facts->state->looks_refused[i]);
}

static void emit_looks_aborted(struct sample_writer *w, const struct exporter_facts *facts) {
    for (int i = 0; i < SELF_OPERATION_COUNT && facts->state->look_self_aborts; i++)
        sample_count(w, SAMPLE_LABELS("operation", self_operation_name((enum self_operation)i)),
                     facts->state->look_self_aborts[i]);
}

static void emit_loop_step(struct sample_writer *w, const struct exporter_facts *facts) {
    sample_histogram(w, SAMPLE_NO_LABELS, &facts->state->loop_step, NULL, NULL);
}

static void emit_loop_longest_step(struct sample_writer *w, const struct exporter_facts *facts) {
    sample_seconds(w, SAMPLE_NO_LABELS, facts->state->loop_step_max_ns);
}

static void emit_cpu(struct sample_writer *w, const struct exporter_facts *facts) {
    (void)facts;
    sample_seconds(w, SAMPLE_NO_LABELS, process_cpu_ns());
}

static void emit_start(struct sample_writer *w, const struct exporter_facts *facts) {
    sample_seconds(w, SAMPLE_NO_LABELS, facts->state->start_wall_ns);
}

static void emit_virtual(struct sample_writer *w, const struct exporter_facts *facts) {
    uint64_t total, resident;
    (void)facts;
    if (process_memory(&total, &resident) == 0)
        sample_count(w, SAMPLE_NO_LABELS, total);
}

static void emit_resident(struct sample_writer *w, const struct exporter_facts *facts) {
    uint64_t total, resident;
    (void)facts;
    if (process_memory(&total, &resident) == 0)
        sample_count(w, SAMPLE_NO_LABELS, resident);
}

static void emit_open_fds(struct sample_writer *w, const struct exporter_facts *facts) {
    uint64_t count;
    (void)facts;
    if (process_open_fds(&count) == 0)
        sample_count(w, SAMPLE_NO_LABELS, count);
}

static void emit_max_fds(struct sample_writer *w, const struct exporter_facts *facts) {
    uint64_t count;
    (void)facts;
    if (process_max_fds(&count) == 0)
        sample_count(w, SAMPLE_NO_LABELS, count);
}

static const struct metric_family rows[] = {
    {
        .name = "mysqlconn_exporter_build_info",
        .type = METRIC_GAUGE,
        .help = "The version of this program and of the client library it runs with, as labels of a constant 1.",
        .labels = "version, client_library",
        .of_exporter = emit_build_info,
    },
    {
        .name = "mysqlconn_exporter_config_last_reload_successful",
        .type = METRIC_GAUGE,
        .help = "1 when the last attempt to load the configuration succeeded, else 0 and the one before is in force.",
        .of_exporter = emit_reload_successful,
    },
    {
        .name = "mysqlconn_exporter_config_last_reload_success_timestamp_seconds",
        .type = METRIC_GAUGE,
        .unit = "seconds",
        .help = "Unix time when the configuration in force was loaded.",
        .of_exporter = emit_reload_time,
    },
    {
        .name = "mysqlconn_exporter_web_config_last_reload_successful",
        .type = METRIC_GAUGE,
        .help = "1 when the web configuration could be used when it was last read, else 0 and the one before is in "
                "force.",
        .condition = "`--web.config.file` is given",
        .of_exporter = emit_web_successful,
    },
    {
        .name = "mysqlconn_exporter_web_config_last_reload_success_timestamp_seconds",
        .type = METRIC_GAUGE,
        .unit = "seconds",
        .help = "Unix time when the web configuration in force was read.",
        .condition = "`--web.config.file` is given",
        .of_exporter = emit_web_time,
    },
    {
        .name = "mysqlconn_exporter_http_connections",
        .type = METRIC_GAUGE,
        .help = "Connections of HTTP clients that are open.",
        .of_exporter = emit_connections,
    },
    {
        .name = "mysqlconn_exporter_http_refused_total",
        .type = METRIC_COUNTER,
        .help = "HTTP requests and connections that were not served, by reason.",
        .labels = "reason",
        .of_exporter = emit_refused,
    },
    {
        .name = "mysqlconn_exporter_targets",
        .type = METRIC_GAUGE,
        .help = "Targets that are watched.",
        .of_exporter = emit_targets,
    },
    {
        .name = "mysqlconn_exporter_state_writes_total",
        .type = METRIC_COUNTER,
        .help = "State files that were written: places in error logs and their counts.",
        .condition = "`--storage.path` is given",
        .of_exporter = emit_state_writes,
    },
    {
        .name = "mysqlconn_exporter_state_write_failures_total",
        .type = METRIC_COUNTER,
        .help = "State files that could not be written; they are tried again, and kept in memory until then.",
        .condition = "`--storage.path` is given",
        .of_exporter = emit_state_failures,
    },
    {
        .name = "mysqlconn_exporter_state_waiting",
        .type = METRIC_GAUGE,
        .help = "State files that are not written yet.",
        .condition = "`--storage.path` is given",
        .of_exporter = emit_state_waiting,
    },
    {
        .name = "mysqlconn_exporter_state_last_write_timestamp_seconds",
        .type = METRIC_GAUGE,
        .unit = "seconds",
        .help = "Unix time when a state file was last safe on the disk, 0 before the first.",
        .condition = "`--storage.path` is given",
        .of_exporter = emit_state_time,
    },
    {
        .name = "mysqlconn_exporter_file_sd_files",
        .type = METRIC_GAUGE,
        .help = "Files that name targets (file_sd).",
        .condition = "file_sd is configured",
        .known = KNOWN_FILE_SD,
        .of_exporter = emit_sd_files,
    },
    {
        .name = "mysqlconn_exporter_file_sd_targets",
        .type = METRIC_GAUGE,
        .help = "Targets in these files, those that others name, too, included.",
        .condition = "file_sd is configured",
        .known = KNOWN_FILE_SD,
        .of_exporter = emit_sd_targets,
    },
    {
        .name = "mysqlconn_exporter_file_sd_read_failures_total",
        .type = METRIC_COUNTER,
        .help = "Times that one of these files could not be read or was wrong: the targets it gave before stay.",
        .condition = "file_sd is configured",
        .of_exporter = emit_sd_failures,
    },
    {
        .name = "mysqlconn_exporter_file_sd_last_success_timestamp_seconds",
        .type = METRIC_GAUGE,
        .unit = "seconds",
        .help = "Unix time of the last look at these files at which all could be read, 0 before the first.",
        .condition = "file_sd is configured",
        .of_exporter = emit_sd_time,
    },
    {
        .name = "mysqlconn_exporter_shard_info",
        .type = METRIC_GAUGE,
        .help = "1, with the part of the configuration's targets that this exporter watches.",
        .labels = "shard",
        .condition = "--shard is given",
        .of_exporter = emit_shard,
    },
    {
        .name = "mysqlconn_exporter_probe_requests_total",
        .type = METRIC_COUNTER,
        .help = "Requests for /probe, refused ones included.",
        .of_exporter = emit_looks,
    },
    {
        .name = "mysqlconn_exporter_probe_requests_refused_total",
        .type = METRIC_COUNTER,
        .help =
            "Requests for /probe that were refused, by reason; not_allowed: allow_targets does not name the server.",
        .labels = "reason",
        .of_exporter = emit_looks_refused,
    },
    {
        .name = "mysqlconn_exporter_probe_requests_self_aborts_total",
        .type = METRIC_COUNTER,
        .help = "As mysqlconn_self_aborts_total, of the connections that were made for /probe.",
        .labels = "operation",
        .condition = "when the daemon is up",
        .of_exporter = emit_looks_aborted,
    },
    {
        .name = "mysqlconn_exporter_loop_step_seconds",
        .type = METRIC_HISTOGRAM,
        .unit = "seconds",
        .help = "How long each turn of the event loop was busy; while it is, everything else waits.",
        .of_exporter = emit_loop_step,
    },
    {
        .name = "mysqlconn_exporter_loop_longest_step_seconds",
        .type = METRIC_GAUGE,
        .unit = "seconds",
        .help = "The longest turn of the event loop since the start.",
        .of_exporter = emit_loop_longest_step,
    },
    {
        .name = "process_cpu_seconds_total",
        .type = METRIC_COUNTER,
        .unit = "seconds",
        .help = "User and system CPU time that this process used.",
        .of_exporter = emit_cpu,
    },
    {
        .name = "process_max_fds",
        .type = METRIC_GAUGE,
        .help = "File descriptors that this process may have open.",
        .of_exporter = emit_max_fds,
    },
    {
        .name = "process_open_fds",
        .type = METRIC_GAUGE,
        .help = "File descriptors that this process has open.",
        .of_exporter = emit_open_fds,
    },
    {
        .name = "process_resident_memory_bytes",
        .type = METRIC_GAUGE,
        .unit = "bytes",
        .help = "Memory of this process that is in RAM.",
        .of_exporter = emit_resident,
    },
    {
        .name = "process_start_time_seconds",
        .type = METRIC_GAUGE,
        .unit = "seconds",
        .help = "Unix time when this process started.",
        .of_exporter = emit_start,
    },
    {
        .name = "process_virtual_memory_bytes",
        .type = METRIC_GAUGE,
        .unit = "bytes",
        .help = "Address space of this process.",
        .of_exporter = emit_virtual,
    },
};

const struct metric_table exporter_families = {rows, sizeof rows / sizeof rows[0], KNOWN_OWN};
