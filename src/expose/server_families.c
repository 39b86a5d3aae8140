/*
 * Families under mysqld_exporter's names that are not made from variable_table.
 */
#include "expose/families.h"
#include "expose/sample.h"

static void emit_up(struct sample_writer *w, const struct target *target) {
    if (target->poll.health != TARGET_UNTRIED)
        sample_count(w, SAMPLE_NO_LABELS, target->poll.health == TARGET_UP);
}

static void emit_version_info(struct sample_writer *w, const struct target *target) {
    const struct poll_facts *poll = &target->poll;

    if (poll->health != TARGET_UP || poll->version[0] == '\0')
        return;
    /* mysqld_exporter's third label, innodb_version, is not polled; to Prometheus an empty label is none. */
    sample_count(w, SAMPLE_LABELS("version", poll->version, "version_comment", poll->version_comment), 1);
}

static const struct metric_family rows[] = {
    {
        .name = "mysql_up",
        .type = METRIC_GAUGE,
        .help = "1 when the last poll of the server succeeded, else 0; mysqlconn_target_down_info says why.",
        .condition = "from the end of the first poll on",
        .known = KNOWN_OWN,
        .of_target = emit_up,
    },
    {
        .name = "mysql_version_info",
        .type = METRIC_GAUGE,
        .help = "SHOW GLOBAL VARIABLES version and version_comment, as labels of a constant 1.",
        .labels = "version, version_comment",
        .condition = "the server is up",
        .of_target = emit_version_info,
    },
};

const struct metric_table server_families = {rows, sizeof rows / sizeof rows[0], KNOWN_POLL};
