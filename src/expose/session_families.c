/*
 * Families of a target's sessions and of MySQL's summary of errors.
 */
#include "expose/families.h"
#include "expose/sample.h"

#include <stdio.h>
#include <string.h>

#define SEEN "the process list can be read (PROCESS)"

static const struct sessions *seen_sessions(const struct target *target) {
    bool seen = target->poll.health == TARGET_UP && target->evidence[EVIDENCE_SESSIONS] == EVIDENCE_SEEN;
    return seen ? target->sessions : NULL;
}

/* --- evidence --- */

static void emit_available(struct sample_writer *w, const struct target *target) {
    for (int i = 0; i < EVIDENCE_COUNT; i++)
        if (target->poll.health == TARGET_UP && target->evidence[i] != EVIDENCE_UNTRIED)
            sample_count(w, SAMPLE_LABELS("kind", evidence_name((enum evidence_kind)i)),
                         target->evidence[i] == EVIDENCE_SEEN);
}

static void emit_missing(struct sample_writer *w, const struct target *target) {
    for (int i = 0; i < EVIDENCE_COUNT; i++) {
        const char *reason = evidence_missing(target->evidence[i]);
        if (target->poll.health == TARGET_UP && reason)
            sample_count(w, SAMPLE_LABELS("kind", evidence_name((enum evidence_kind)i), "reason", reason), 1);
    }
}

static void emit_privilege(struct sample_writer *w, const struct target *target) {
    for (int i = 0; i < EVIDENCE_COUNT; i++) {
        const char *privilege = evidence_privilege((enum evidence_kind)i);
        bool told = i > 0 && strcmp(privilege, evidence_privilege((enum evidence_kind)(i - 1))) == 0;
        if (target->poll.health == TARGET_UP && target->evidence[i] == EVIDENCE_NO_PRIVILEGE && !told)
            sample_count(w, SAMPLE_LABELS("privilege", privilege), 1);
    }
}

/* --- sessions --- */

/* What is written of an entry. */
enum field { COUNT, SUM };

static uint64_t field_of(struct tally_entry entry, enum field field) {
    return field == SUM ? entry.sum : entry.count;
}

/* Somebody may be called so; there must not be two series of one name. */
static bool is_other(const char *first, const char *second) {
    return strcmp(first, "other") == 0 && (!second || strcmp(second, "other") == 0);
}

/* One label, or two: then the texts are two with a NUL between them. `except`: that there is one less of this one. */
static void emit_tally(struct sample_writer *w, const struct target *target, enum session_tally which,
                       const char *const labels[2], enum field field, const char *except) {
    size_t count;
    if (!seen_sessions(target))
        return;
    const struct tally *tally = sessions_tally(target->sessions, which);
    const struct tally_entry *entries = tally_entries(tally, &count);
    struct tally_entry other = tally_other(tally);
    for (size_t i = 0; i < count; i++) {
        struct tally_entry entry = entries[i];
        const char *first = entry.text.ptr, *second = labels[1] ? first + strlen(first) + 1 : NULL;
        if (except && strcmp(first, except) == 0) {
            entry.count -= entry.count > 0;
            except = NULL;
        }
        if (is_other(first, second)) {
            other.count += entry.count;
            other.sum += entry.sum;
        } else if (entry.count > 0) {
            sample_count(w, SAMPLE_LABELS(labels[0], first, labels[1], second), field_of(entry, field));
        }
    }
    other.count -= except && other.count > 0;
    if (other.count > 0)
        sample_count(w, SAMPLE_LABELS(labels[0], "other", labels[1], "other"), field_of(other, field));
}

#define LABELS(...) ((const char *const[2]){__VA_ARGS__})

static void emit_by_command(struct sample_writer *w, const struct target *target) {
    emit_tally(w, target, SESSIONS_BY_COMMAND, LABELS("command"), COUNT, NULL);
}

static void emit_by_user(struct sample_writer *w, const struct target *target) {
    emit_tally(w, target, SESSIONS_BY_USER, LABELS("user"), COUNT, NULL);
}

static void emit_by_driver(struct sample_writer *w, const struct target *target) {
    if (target->evidence[EVIDENCE_ATTRIBUTES] == EVIDENCE_SEEN)
        emit_tally(w, target, SESSIONS_BY_DRIVER, LABELS("driver", "version"), COUNT, NULL);
}

static void emit_folded(struct sample_writer *w, const struct target *target) {
    static const struct {
        enum session_tally which;
        const char *by;
    } rows[] = {{SESSIONS_BY_USER, "user"},
                {SESSIONS_BY_COMMAND, "command"},
                {SESSIONS_BY_HOST, "client_host"},
                {SESSIONS_BY_STATE, "state"},
                {SESSIONS_BY_DRIVER, "driver"}};
    if (!seen_sessions(target))
        return;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].which != SESSIONS_BY_DRIVER || target->evidence[EVIDENCE_ATTRIBUTES] == EVIDENCE_SEEN)
            sample_count(w, SAMPLE_LABELS("by", rows[i].by),
                         tally_other(sessions_tally(target->sessions, rows[i].which)).count);
}

static void emit_read(struct sample_writer *w, const struct target *target) {
    if (knowledge_wall_ns(target, KNOWN_SESSIONS) != 0)
        sample_seconds(w, SAMPLE_NO_LABELS, knowledge_wall_ns(target, KNOWN_SESSIONS));
}

/* --- the same under mysqld_exporter's names, which leaves out the connection that asks --- */

static void emit_threads(struct sample_writer *w, const struct target *target) {
    emit_tally(w, target, SESSIONS_BY_STATE, LABELS("command", "state"), COUNT, NULL);
}

static void emit_thread_seconds(struct sample_writer *w, const struct target *target) {
    emit_tally(w, target, SESSIONS_BY_STATE, LABELS("command", "state"), SUM, NULL);
}

static void emit_old_threads(struct sample_writer *w, const struct target *target) {
    emit_tally(w, target, SESSIONS_BY_OLD_STATE, LABELS("state"), COUNT, NULL);
}

static void emit_by_host(struct sample_writer *w, const struct target *target) {
    emit_tally(w, target, SESSIONS_BY_HOST, LABELS("client_host"), COUNT, NULL);
}

static void emit_by_mysql_user(struct sample_writer *w, const struct target *target) {
    if (seen_sessions(target))
        emit_tally(w, target, SESSIONS_BY_USER, LABELS("mysql_user"), COUNT, sessions_own_user(target->sessions));
}

/* --- sums --- */

/* A family that is one number of the sums. */
#define SUM_FAMILY(function, sample, member, condition)                                                                \
    static void function(struct sample_writer *w, const struct target *target) {                                       \
        if (seen_sessions(target) && (condition))                                                                      \
            sample(w, SAMPLE_NO_LABELS, sessions_sums(target->sessions)->member);                                      \
    }
#define TRANSACTIONS (target->evidence[EVIDENCE_TRANSACTIONS] == EVIDENCE_SEEN)

SUM_FAMILY(emit_idle_in_transaction, sample_count, idle_in_transaction, TRANSACTIONS)
SUM_FAMILY(emit_longest, sample_seconds, longest_idle_in_transaction_ns, TRANSACTIONS)
SUM_FAMILY(emit_near, sample_count, near_timeout, true)
SUM_FAMILY(emit_past, sample_count, past_timeout, true)
SUM_FAMILY(emit_not_remembered, sample_count, not_remembered, true)

static void emit_remembered(struct sample_writer *w, const struct target *target) {
    if (seen_sessions(target))
        sample_count(w, SAMPLE_NO_LABELS, sessions_remembered(target->sessions));
}

static void emit_slept(struct sample_writer *w, const struct target *target) {
    if (!seen_sessions(target))
        return;
    const struct session_sums *sums = sessions_sums(target->sessions);
    sample_histogram_of(w, SAMPLE_NO_LABELS, session_bound_s, SESSION_BOUNDS, sums->slept, sums->slept_ns);
}

/* --- errors --- */

static void emit_error(struct sample_writer *w, unsigned code, const char *user, const char *host, uint64_t total) {
    char number[12];
    if (total == 0)
        return;
    snprintf(number, sizeof number, "%u", code);
    sample_count(w, SAMPLE_LABELS("code", number, "error", server_error_name(code), "user", user, "client_host", host),
                 total);
}

static void emit_errors(struct sample_writer *w, const struct target *target) {
    size_t count;
    if (!target->server_errors)
        return;
    const struct server_error_count *counts = server_errors_counts(target->server_errors, &count);
    for (size_t i = 0; i < count; i++)
        if (!is_other(counts[i].user, counts[i].host))
            emit_error(w, counts[i].code, counts[i].user, counts[i].host, counts[i].total);
    for (int i = 0; i < SERVER_ERROR_CODE_COUNT; i++) {
        uint64_t other = server_errors_without_account(target->server_errors, server_error_codes[i]);
        for (size_t k = 0; k < count; k++)
            if (counts[k].code == server_error_codes[i] && is_other(counts[k].user, counts[k].host))
                other += counts[k].total;
        emit_error(w, server_error_codes[i], "other", "other", other);
    }
}

static void emit_error_steps(struct sample_writer *w, const struct target *target) {
    if (target->server_errors)
        sample_count(w, SAMPLE_NO_LABELS, server_errors_steps(target->server_errors));
}

static void emit_errors_time(struct sample_writer *w, const struct target *target) {
    if (knowledge_wall_ns(target, KNOWN_SERVER_ERRORS) != 0)
        sample_seconds(w, SAMPLE_NO_LABELS, knowledge_wall_ns(target, KNOWN_SERVER_ERRORS));
}

static const struct metric_family rows[] = {
    {
        .name = "mysqlconn_evidence_available",
        .type = METRIC_GAUGE,
        .help = "1 when polls can see this kind of evidence, 0 when they cannot: mysqlconn_evidence_missing_info has "
                "the reason.",
        .labels = "kind",
        .condition = "the server is up",
        .known = KNOWN_POLL,
        .of_target = emit_available,
    },
    {
        .name = "mysqlconn_evidence_missing_info",
        .type = METRIC_GAUGE,
        .help = "1 for each kind of evidence that polls cannot see, with the reason: no_privilege, unsupported, "
                "disabled, failed.",
        .labels = "kind, reason",
        .condition = "the server is up, and something is missing",
        .known = KNOWN_POLL,
        .of_target = emit_missing,
    },
    {
        .name = "mysqlconn_privilege_missing",
        .type = METRIC_GAUGE,
        .help = "1 for each privilege that our account lacks and evidence needs; looked at anew on each connection.",
        .labels = "privilege",
        .condition = "the server is up, and one is missing",
        .known = KNOWN_POLL,
        .of_target = emit_privilege,
    },
    {
        .name = "mysqlconn_sessions_by_command",
        .type = METRIC_GAUGE,
        .help = "Sessions in the process list by their command, our own included.",
        .labels = "command",
        .condition = SEEN,
        .of_target = emit_by_command,
    },
    {
        .name = "mysqlconn_sessions_by_user",
        .type = METRIC_GAUGE,
        .help = "Sessions in the process list by user; from limits.users_per_target on the user is 'other'.",
        .labels = "user",
        .condition = SEEN,
        .of_target = emit_by_user,
    },
    {
        .name = "mysqlconn_sessions_by_driver",
        .type = METRIC_GAUGE,
        .help = "Sessions by the driver and version that the client announced ('unknown' where it announced none); "
                "from limits.drivers_per_target on both are 'other'.",
        .labels = "driver, version",
        .condition = SEEN ", and session_connect_attrs",
        .of_target = emit_by_driver,
    },
    {
        .name = "mysqlconn_sessions_folded",
        .type = METRIC_GAUGE,
        .help = "Sessions counted under 'other' now because a limit of label values was reached.",
        .labels = "by",
        .condition = SEEN,
        .of_target = emit_folded,
    },
    {
        .name = "mysqlconn_sleeping_sessions_seconds",
        .type = METRIC_HISTOGRAM,
        .of_present = true,
        .unit = "seconds",
        .help = "How long the sessions that sleep now have slept: a picture of the present state, not counted up; use "
                "it without rate().",
        .condition = SEEN,
        .of_target = emit_slept,
    },
    {
        .name = "mysqlconn_sessions_near_wait_timeout",
        .type = METRIC_GAUGE,
        .help = "Sessions that have slept for 90 to 100 % of the server's wait_timeout.",
        .condition = SEEN,
        .of_target = emit_near,
    },
    {
        .name = "mysqlconn_sessions_past_wait_timeout",
        .type = METRIC_GAUGE,
        .help = "Sessions that have slept for longer than the server's wait_timeout: they have a timeout of their own.",
        .condition = SEEN,
        .of_target = emit_past,
    },
    {
        .name = "mysqlconn_sessions_idle_in_transaction",
        .type = METRIC_GAUGE,
        .help = "Sessions that sleep with a transaction open.",
        .condition = SEEN ", and innodb_trx",
        .of_target = emit_idle_in_transaction,
    },
    {
        .name = "mysqlconn_sessions_longest_idle_in_transaction_seconds",
        .type = METRIC_GAUGE,
        .unit = "seconds",
        .help = "How long the longest of them has slept, 0 where there is none.",
        .condition = SEEN ", and innodb_trx",
        .of_target = emit_longest,
    },
    {
        .name = "mysqlconn_sessions_remembered",
        .type = METRIC_GAUGE,
        .help = "Sessions that are remembered one by one, those that went lately included.",
        .condition = SEEN,
        .of_target = emit_remembered,
    },
    {
        .name = "mysqlconn_sessions_not_remembered",
        .type = METRIC_GAUGE,
        .help = "Sessions there now that are not remembered because limits.sessions_per_target was reached.",
        .condition = SEEN,
        .of_target = emit_not_remembered,
    },
    {
        .name = "mysqlconn_sessions_read_timestamp_seconds",
        .type = METRIC_GAUGE,
        .unit = "seconds",
        .help = "Unix time of the last look at the process list, which all these are from.",
        .condition = "once it was read",
        .known = KNOWN_OWN,
        .of_target = emit_read,
    },
    {
        .name = "mysql_info_schema_processlist_threads",
        .type = METRIC_GAUGE,
        .help = "Sessions by command and state, without the one that asks; mysqld_exporter's name and labels.",
        .labels = "command, state",
        .condition = SEEN,
        .of_target = emit_threads,
    },
    {
        .name = "mysql_info_schema_processlist_seconds",
        .type = METRIC_GAUGE,
        .unit = "seconds",
        .help = "For how many seconds they have been in that state, summed.",
        .labels = "command, state",
        .condition = SEEN,
        .of_target = emit_thread_seconds,
    },
    {
        .name = "mysql_info_schema_processlist_processes_by_user",
        .type = METRIC_GAUGE,
        .help = "Sessions by user, without the one that asks; from limits.users_per_target on the user is 'other'.",
        .labels = "mysql_user",
        .condition = SEEN,
        .of_target = emit_by_mysql_user,
    },
    {
        .name = "mysql_info_schema_processlist_processes_by_host",
        .type = METRIC_GAUGE,
        .help = "Sessions by the client's host, without the one that asks; from limits.hosts_per_target on the host is "
                "'other'.",
        .labels = "client_host",
        .condition = SEEN,
        .of_target = emit_by_host,
    },
    {
        .name = "mysql_info_schema_threads",
        .type = METRIC_GAUGE,
        .help = "The sessions under the name that mysqld_exporter gave them up to 0.13, for old dashboards.",
        .labels = "state",
        .condition = SEEN,
        .of_target = emit_old_threads,
    },
    {
        .name = "mysqlconn_server_errors_total",
        .type = METRIC_COUNTER,
        .help = "Errors by which connections end or are refused, as MySQL's summary of errors counts them since our "
                "start, by account: user '' had not logged in, 'other' is of no account that is known.",
        .labels = "code, error, user, client_host",
        .condition = "errors that came; MySQL 8 and later",
        .stability = METRIC_EXPERIMENTAL,
        .known = KNOWN_SERVER_ERRORS,
        .of_target = emit_errors,
    },
    {
        .name = "mysqlconn_server_errors_resets_total",
        .type = METRIC_COUNTER,
        .help = "Times that a sum of MySQL's summary of errors was found smaller than before, as after TRUNCATE.",
        .condition = "MySQL 8 and later, and it can be read",
        .known = KNOWN_SERVER_ERRORS,
        .of_target = emit_error_steps,
    },
    {
        .name = "mysqlconn_server_errors_last_success_timestamp_seconds",
        .type = METRIC_GAUGE,
        .unit = "seconds",
        .help = "Unix time of the last look at that summary.",
        .condition = "MySQL 8 and later, and it could be read",
        .known = KNOWN_OWN,
        .of_target = emit_errors_time,
    },
};

const struct metric_table session_families = {rows, sizeof rows / sizeof rows[0], KNOWN_SESSIONS};
