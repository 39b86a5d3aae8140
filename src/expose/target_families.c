/*
 * Families of a target's polls, and of whether it is up.
 */
#include "expose/families.h"
#include "expose/sample.h"

#include <stddef.h>

#define COUNT_OF(member)                                                                                               \
    { FIELD_COUNT, offsetof(struct target, member) }
#define SECONDS_OF(member)                                                                                             \
    { FIELD_SECONDS, offsetof(struct target, member) }

static void emit_down(struct sample_writer *w, const char *operation, const char *module, enum target_health health,
                      const struct failure *down) {
    if (health == TARGET_DOWN)
        sample_count(w,
                     SAMPLE_LABELS("operation", operation, "module", module, "phase", phase_name(down->phase), "reason",
                                   failure_name(down->failure)),
                     1);
}

static void emit_down_info(struct sample_writer *w, const struct target *target) {
    emit_down(w, "poll", "", target->poll.health, &target->poll.down);
    for (size_t i = 0; i < target->probe_count; i++) {
        const struct probe *probe = &target->probes[i];
        emit_down(w, "probe", probe->module->name, probe->facts.health, &probe->facts.down);
    }
}

/* Most of the 200 combinations never happen: those that did not are left out. */
void families_emit_failures(struct sample_writer *w, const struct failure_counts *failures) {
    for (int phase = 0; phase < PHASE_COUNT && failures->by; phase++)
        for (int failure = 0; failure < FAILURE_COUNT; failure++)
            if (failures->by[phase][failure] > 0)
                sample_count(w,
                             SAMPLE_LABELS("phase", phase_name((enum phase)phase), "reason",
                                           failure_name((enum failure_class)failure)),
                             failures->by[phase][failure]);
}

static void emit_poll_failures(struct sample_writer *w, const struct target *target) {
    families_emit_failures(w, &target->poll.failures_by);
}

static void emit_poll_duration(struct sample_writer *w, const struct target *target) {
    if (target->poll.last_duration_ns > 0)
        sample_seconds(w, SAMPLE_NO_LABELS, target->poll.last_duration_ns);
}

static void emit_server_start(struct sample_writer *w, const struct target *target) {
    if (target->poll.health == TARGET_UP && target->poll.start_wall_ns != 0)
        sample_seconds(w, SAMPLE_NO_LABELS, target->poll.start_wall_ns);
}

static void emit_self_aborts(struct sample_writer *w, const struct target *target) {
    for (int operation = 0; operation < SELF_OPERATION_COUNT; operation++)
        sample_count(w, SAMPLE_LABELS("operation", self_operation_name((enum self_operation)operation)),
                     target->self_aborts[operation]);
}

static const struct metric_family rows[] = {
    {
        .name = "mysqlconn_target_down_info",
        .type = METRIC_GAUGE,
        .help = "1 while the last poll or probe failed, with the phase it failed in and the reason.",
        .labels = "operation, module, phase, reason",
        .condition = "while down",
        .of_target = emit_down_info,
    },
    {
        .name = "mysqlconn_polls_total",
        .type = METRIC_COUNTER,
        .help = "Polls of the server's status and settings over the kept connection, failed ones included.",
        .field = COUNT_OF(poll.polls),
    },
    {
        .name = "mysqlconn_poll_failed_total",
        .type = METRIC_COUNTER,
        .help = "Polls that failed.",
        .field = COUNT_OF(poll.failures),
    },
    {
        .name = "mysqlconn_poll_failures_total",
        .type = METRIC_COUNTER,
        .help = "Polls that failed, by the phase and the reason.",
        .labels = "phase, reason",
        .condition = "combinations that happened",
        .of_target = emit_poll_failures,
    },
    {
        .name = "mysqlconn_poll_connects_total",
        .type = METRIC_COUNTER,
        .help = "Connections that polling opened; one is kept for as long as the server lets it live.",
        .field = COUNT_OF(poll.connects),
    },
    {
        .name = "mysqlconn_poll_connection_losses_total",
        .type = METRIC_COUNTER,
        .help = "Kept connections of polling that were found dead.",
        .field = COUNT_OF(poll.losses),
    },
    {
        .name = "mysqlconn_poll_duration_seconds",
        .type = METRIC_GAUGE,
        .unit = "seconds",
        .help = "How long the last poll that succeeded took.",
        .condition = "from the first success on",
        .known = KNOWN_POLL,
        .of_target = emit_poll_duration,
    },
    {
        .name = "mysqlconn_poll_last_success_timestamp_seconds",
        .type = METRIC_GAUGE,
        .unit = "seconds",
        .help = "Unix time of the last poll that succeeded, 0 before the first: the age of all mysql_* values.",
        .field = SECONDS_OF(poll.last_success_wall_ns),
    },
    {
        .name = "mysqlconn_server_start_time_seconds",
        .type = METRIC_GAUGE,
        .unit = "seconds",
        .help = "Unix time when the server started: the time of the poll less SHOW GLOBAL STATUS Uptime.",
        .condition = "the server is up",
        .known = KNOWN_POLL,
        .of_target = emit_server_start,
    },
    {
        .name = "mysqlconn_server_restarts_total",
        .type = METRIC_COUNTER,
        .help = "Restarts of the server that polling saw: its start time moved.",
        .field = COUNT_OF(poll.restarts),
    },
    {
        .name = "mysqlconn_self_aborts_total",
        .type = METRIC_COUNTER,
        .help = "Connections of ours that the server may count as aborted: given up, refused at the login (poll, "
                "probe), cut "
                "while held (hold), or ended badly because a module asks for it (close_style).",
        .labels = "operation",
        .of_target = emit_self_aborts,
    },
};

const struct metric_table target_families = {rows, sizeof rows / sizeof rows[0], KNOWN_OWN};
