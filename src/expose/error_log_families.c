/*
 * Families of a target's error log: what its lines said, and how well it is followed.
 */
#include "explain/aborts.h"
#include "expose/families.h"
#include "expose/sample.h"

#define CONFIGURED "an error log is configured"

static const struct log_source_state *log_state(const struct target *target) {
    return target->error_log ? log_source_state(target->error_log) : NULL;
}

/* A family that is one number of the follower's state. */
#define STATE_FAMILY(function, sample, member)                                                                         \
    static void function(struct sample_writer *w, const struct target *target) {                                       \
        const struct log_source_state *state = log_state(target);                                                      \
        if (state)                                                                                                     \
            sample(w, SAMPLE_NO_LABELS, state->member);                                                                \
    }

STATE_FAMILY(emit_readable, sample_count, readable)
STATE_FAMILY(emit_lines, sample_count, lines)
STATE_FAMILY(emit_bytes, sample_count, bytes)
STATE_FAMILY(emit_cut_lines, sample_count, cut_lines)
STATE_FAMILY(emit_rotations, sample_count, rotations)
STATE_FAMILY(emit_truncations, sample_count, truncations)
STATE_FAMILY(emit_gaps, sample_count, gaps)
STATE_FAMILY(emit_missed, sample_count, missed)
STATE_FAMILY(emit_last_read, sample_seconds, last_read_wall_ns)

/* Only a file is watched. */
static void emit_watched(struct sample_writer *w, const struct target *target) {
    const struct log_source_state *state = log_state(target);
    if (state && state->kind == LOG_FILE)
        sample_count(w, SAMPLE_NO_LABELS, state->watched);
}

/* How many bytes the others are behind nobody knows. */
static void emit_behind(struct sample_writer *w, const struct target *target) {
    const struct log_source_state *state = log_state(target);
    if (state && state->kind == LOG_FILE)
        sample_count(w, SAMPLE_NO_LABELS, state->behind_bytes);
}

static void emit_configured(struct sample_writer *w, const struct target *target) {
    sample_count(w, SAMPLE_NO_LABELS, target->error_log != NULL);
}

static void emit_source(struct sample_writer *w, const struct target *target) {
    const struct log_source_state *state = log_state(target);
    if (state)
        sample_count(w, SAMPLE_LABELS("source", log_kind_name(state->kind), "path", log_source_name(target->error_log)),
                     1);
}

static void emit_blind(struct sample_writer *w, const struct target *target) {
    const struct log_source_state *state = log_state(target);
    if (state && !state->readable && state->error)
        sample_count(w, SAMPLE_LABELS("reason", log_source_reason(state->error)), 1);
}

static void emit_level(struct sample_writer *w, const struct target *target) {
    int suffices = target_log_level_suffices(target);
    if (suffices >= 0)
        sample_count(w, SAMPLE_NO_LABELS, (uint64_t)suffices);
}

static void emit_level_reason(struct sample_writer *w, const struct target *target) {
    if (target_log_level_suffices(target) == 0)
        sample_count(w, SAMPLE_LABELS("reason", log_sight_name(target_log_sight(target))), 1);
}

static void emit_events(struct sample_writer *w, const struct target *target) {
    if (!target->error_log)
        return;
    for (int kind = LOG_EVENT_NONE + 1; kind < LOG_EVENT_KIND_COUNT; kind++)
        sample_count(w, SAMPLE_LABELS("kind", log_event_kind_name((enum log_event_kind)kind)),
                     target->log_events[kind]);
}

static void emit_aborts(struct sample_writer *w, const struct target *target) {
    size_t count;
    const struct abort_count *counts = aborts_of(target, &count);

    for (size_t i = 0; i < count; i++)
        if (counts[i].kind != LOG_EVENT_ACCESS_DENIED)
            sample_count(w, SAMPLE_LABELS("reason", counts[i].reason, "user", counts[i].user), counts[i].count);
}

static void emit_access_denied(struct sample_writer *w, const struct target *target) {
    size_t count;
    const struct abort_count *counts = aborts_of(target, &count);

    for (size_t i = 0; i < count; i++)
        if (counts[i].kind == LOG_EVENT_ACCESS_DENIED)
            sample_count(w, SAMPLE_LABELS("user", counts[i].user), counts[i].count);
}

static void emit_folded(struct sample_writer *w, const struct target *target) {
    if (target->error_log)
        sample_count(w, SAMPLE_NO_LABELS, aborts_folded(target));
}

static void emit_suspect(struct sample_writer *w, const struct target *target) {
    if (target->error_log)
        sample_count(w, SAMPLE_NO_LABELS, aborts_suspect(target));
}

/* Its counts outlive us. */
static int64_t counts_since(const struct target *target) {
    return target->error_log ? log_source_state(target->error_log)->since_wall_ns : target->since_wall_ns;
}

static void emit_seen(struct sample_writer *w, const struct target *target) {
    if (knowledge_wall_ns(target, KNOWN_ERROR_LOG) != 0)
        sample_seconds(w, SAMPLE_NO_LABELS, knowledge_wall_ns(target, KNOWN_ERROR_LOG));
}

static const struct metric_family rows[] = {
    {
        .name = "mysqlconn_error_log_configured",
        .type = METRIC_GAUGE,
        .help = "1 when an error log is configured for the target; without one no abort has a reason or a user.",
        .known = KNOWN_OWN,
        .since = counts_since,
        .of_target = emit_configured,
    },
    {
        .name = "mysqlconn_error_log_source_info",
        .type = METRIC_GAUGE,
        .help = "Where the error log is read, as labels of a constant 1; source 'auto' while that is not known yet.",
        .labels = "source, path",
        .condition = CONFIGURED,
        .known = KNOWN_OWN,
        .since = counts_since,
        .of_target = emit_source,
    },
    {
        .name = "mysqlconn_error_log_level_sufficient",
        .type = METRIC_GAUGE,
        .help = "1 when the server's settings let it write aborted connections to its log: log_error_verbosity 3, or "
                "log_warnings 2 and more, and no filter that hides them.",
        .condition = "the last poll succeeded",
        .known = KNOWN_POLL,
        .since = counts_since,
        .of_target = emit_level,
    },
    {
        .name = "mysqlconn_error_log_insufficient_info",
        .type = METRIC_GAUGE,
        .help = "Why the server may not write aborted connections to its log, as the label of a constant 1: level, "
                "suppressed (by log_error_suppression_list) or filtered (by a component of log_error_services).",
        .labels = "reason",
        .condition = "it may not",
        .known = KNOWN_POLL,
        .since = counts_since,
        .of_target = emit_level_reason,
    },
    {
        .name = "mysqlconn_error_log_events_total",
        .type = METRIC_COUNTER,
        .help =
            "Events of the error log that tell of connections or of the server's start and stop, by what they tell.",
        .labels = "kind",
        .condition = CONFIGURED,
        .since = counts_since,
        .of_target = emit_events,
    },
    {
        .name = "mysqlconn_error_log_aborts_total",
        .type = METRIC_COUNTER,
        .help = "Aborted connections in the error log, by the reason, as an English server words it, and the user.",
        .labels = "reason, user",
        .condition = "combinations that happened",
        .stability = METRIC_EXPERIMENTAL,
        .since = counts_since,
        .of_target = emit_aborts,
    },
    {
        .name = "mysqlconn_error_log_access_denied_total",
        .type = METRIC_COUNTER,
        .help = "Refused logins in the error log, by user.",
        .labels = "user",
        .condition = "users that were refused",
        .stability = METRIC_EXPERIMENTAL,
        .since = counts_since,
        .of_target = emit_access_denied,
    },
    {
        .name = "mysqlconn_error_log_folded_total",
        .type = METRIC_COUNTER,
        .help = "Events counted under the user 'other' because a limit such as limits.users_per_target was reached.",
        .condition = CONFIGURED,
        .since = counts_since,
        .of_target = emit_folded,
    },
    {
        .name = "mysqlconn_error_log_suspect_lines_total",
        .type = METRIC_COUNTER,
        .help = "Lines that bear the marks of a forgery by a client: counted here and nowhere else.",
        .condition = CONFIGURED,
        .since = counts_since,
        .of_target = emit_suspect,
    },
    {
        .name = "mysqlconn_error_log_readable",
        .type = METRIC_GAUGE,
        .help = "1 when the error log is open and could be read the last time, else 0.",
        .condition = CONFIGURED,
        .known = KNOWN_OWN,
        .since = counts_since,
        .of_target = emit_readable,
    },
    {
        .name = "mysqlconn_error_log_unreadable_info",
        .type = METRIC_GAUGE,
        .help = "Why the error log cannot be read, as the label of a constant 1: not_found, permission, not_a_file, "
                "not_here, no_log, no_table, not_asked (the server was not reached yet) or io.",
        .labels = "reason",
        .condition = "it cannot",
        .known = KNOWN_OWN,
        .since = counts_since,
        .of_target = emit_blind,
    },
    {
        .name = "mysqlconn_error_log_watched",
        .type = METRIC_GAUGE,
        .help = "1 when inotify tells of all that happens to the file, 0 when we have to look at it from time to time.",
        .condition = "the error log is a file",
        .known = KNOWN_OWN,
        .since = counts_since,
        .of_target = emit_watched,
    },
    {
        .name = "mysqlconn_error_log_gaps_total",
        .type = METRIC_COUNTER,
        .help =
            "Times that lines may have been lost, how many is not known: the file was truncated without a copy, was "
            "gone when we came back, or was rotated more often than we could look.",
        .condition = CONFIGURED,
        .since = counts_since,
        .of_target = emit_gaps,
    },
    {
        .name = "mysqlconn_error_log_missed_lines_total",
        .type = METRIC_COUNTER,
        .help = "Lines that the server's table dropped before they were read.",
        .condition = CONFIGURED,
        .since = counts_since,
        .of_target = emit_missed,
    },
    {
        .name = "mysqlconn_error_log_lines_total",
        .type = METRIC_COUNTER,
        .help = "Lines read from the error log.",
        .condition = CONFIGURED,
        .since = counts_since,
        .of_target = emit_lines,
    },
    {
        .name = "mysqlconn_error_log_cut_lines_total",
        .type = METRIC_COUNTER,
        .help = "Lines longer than the limit, which were read cut.",
        .condition = CONFIGURED,
        .since = counts_since,
        .of_target = emit_cut_lines,
    },
    {
        .name = "mysqlconn_error_log_read_bytes_total",
        .type = METRIC_COUNTER,
        .unit = "bytes",
        .help = "Bytes read from the error log.",
        .condition = CONFIGURED,
        .since = counts_since,
        .of_target = emit_bytes,
    },
    {
        .name = "mysqlconn_error_log_behind_bytes",
        .type = METRIC_GAUGE,
        .unit = "bytes",
        .help = "Bytes that were in the error log and not read yet when it was last looked at.",
        .condition = "the error log is a file",
        .since = counts_since,
        .of_target = emit_behind,
    },
    {
        .name = "mysqlconn_error_log_rotations_total",
        .type = METRIC_COUNTER,
        .help = "How often another file came under the error log's name.",
        .condition = CONFIGURED,
        .since = counts_since,
        .of_target = emit_rotations,
    },
    {
        .name = "mysqlconn_error_log_truncations_total",
        .type = METRIC_COUNTER,
        .help = "How often the error log became shorter.",
        .condition = CONFIGURED,
        .since = counts_since,
        .of_target = emit_truncations,
    },
    {
        .name = "mysqlconn_error_log_last_read_timestamp_seconds",
        .type = METRIC_GAUGE,
        .unit = "seconds",
        .help = "Unix time when bytes last came from the error log, 0 before the first.",
        .condition = CONFIGURED,
        .known = KNOWN_OWN,
        .since = counts_since,
        .of_target = emit_last_read,
    },
    {
        .name = "mysqlconn_error_log_last_success_timestamp_seconds",
        .type = METRIC_GAUGE,
        .unit = "seconds",
        .help = "Unix time of the last look at the error log that could read it, lines or none; now, while we are told "
                "of each change.",
        .condition = "it could be read",
        .known = KNOWN_OWN,
        .of_target = emit_seen,
    },
};

const struct metric_table error_log_families = {rows, sizeof rows / sizeof rows[0], KNOWN_ERROR_LOG};
