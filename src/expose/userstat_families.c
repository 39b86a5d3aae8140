/*
 * Families of the server's statistics of users and clients, under mysqld_exporter's names.
 */
#include "expose/families.h"
#include "expose/sample.h"

#include <math.h>

#define READ "the server has userstat on, and our account PROCESS"

static const struct userstat *seen(const struct target *target) {
    bool is = target->poll.health == TARGET_UP && target->evidence[EVIDENCE_USERSTAT] == EVIDENCE_SEEN;
    return is ? target->userstat : NULL;
}

static void emit_column(struct sample_writer *w, const struct target *target, enum userstat_table table,
                        enum userstat_column column) {
    static const char *const labels[] = {"user", "client"};
    size_t count;
    if (!seen(target))
        return;
    const struct userstat_row *rows = userstat_rows(target->userstat, table, &count);
    for (size_t i = 0; i < count; i++)
        if (!isnan(rows[i].value[column]))
            sample_double(w, SAMPLE_LABELS(labels[table], rows[i].name), rows[i].value[column]);
}

#define EMIT(id, name, type, text)                                                                                     \
    static void emit_user_##id(struct sample_writer *w, const struct target *target) {                                 \
        emit_column(w, target, USERSTAT_USERS, USERSTAT_##id);                                                         \
    }                                                                                                                  \
    static void emit_client_##id(struct sample_writer *w, const struct target *target) {                               \
        emit_column(w, target, USERSTAT_CLIENTS, USERSTAT_##id);                                                       \
    }
USERSTAT_COLUMNS(EMIT)
EMIT(MAX_STATEMENT_TIME_EXCEEDED, , , )

static void emit_left_out(struct sample_writer *w, const struct target *target) {
    if (!seen(target))
        return;
    sample_count(w, SAMPLE_LABELS("by", "user"), userstat_left_out(target->userstat, USERSTAT_USERS));
    sample_count(w, SAMPLE_LABELS("by", "client"), userstat_left_out(target->userstat, USERSTAT_CLIENTS));
}

static void emit_read(struct sample_writer *w, const struct target *target) {
    if (knowledge_wall_ns(target, KNOWN_USERSTAT) != 0)
        sample_seconds(w, SAMPLE_NO_LABELS, knowledge_wall_ns(target, KNOWN_USERSTAT));
}

/* Since the server's start, or since somebody emptied the table, which nobody tells. */
static int64_t not_known(const struct target *target) {
    (void)target;
    return 0;
}

#define FAMILY(id, full, kind, label, text)                                                                            \
    {                                                                                                                  \
        .name = full, .type = METRIC_##kind, .help = text, .labels = #label, .condition = READ, .since = not_known,    \
        .of_target = emit_##label##_##id                                                                               \
    }
#define USER_FAMILY(id, name, type, text)                                                                              \
    FAMILY(id, "mysql_info_schema_user_statistics_" name, type, user, "USER_STATISTICS " #id ": " text),
#define CLIENT_FAMILY(id, name, type, text)                                                                            \
    FAMILY(id, "mysql_info_schema_client_statistics_" name, type, client, "CLIENT_STATISTICS " #id ": " text),
#define TOO_LONG "statements that were ended because they ran into MAX_STATEMENT_TIME."

/* clang-format off */
static const struct metric_family rows[] = {
    USERSTAT_COLUMNS(USER_FAMILY)
    USER_FAMILY(MAX_STATEMENT_TIME_EXCEEDED, "max_statement_time_exceeded", UNTYPED, TOO_LONG)
    USERSTAT_COLUMNS(CLIENT_FAMILY)
    CLIENT_FAMILY(MAX_STATEMENT_TIME_EXCEEDED, "max_statement_time_exceeded_total", COUNTER, TOO_LONG)
    /* clang-format on */
    {
        .name = "mysqlconn_userstat_left_out",
        .type = METRIC_GAUGE,
        .help = "Users and clients without series of their own in these statistics, because limits.users_per_target or "
                "limits.hosts_per_target others had more connections.",
        .labels = "by",
        .condition = READ,
        .of_target = emit_left_out,
    },
    {
        .name = "mysqlconn_userstat_last_success_timestamp_seconds",
        .type = METRIC_GAUGE,
        .unit = "seconds",
        .help = "Unix time of the last look at the statistics of users and clients.",
        .condition = READ,
        .known = KNOWN_OWN,
        .of_target = emit_read,
    },
};

const struct metric_table userstat_families = {rows, sizeof rows / sizeof rows[0], KNOWN_USERSTAT};
