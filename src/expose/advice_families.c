/*
 * The family of the advice: which rules are raised.
 */
#include "explain/advice.h"
#include "expose/families.h"
#include "expose/sample.h"

static void emit_advice(struct sample_writer *w, const struct target *target) {
    size_t count;
    const struct advice *advice = advice_of(target, &count);
    for (size_t i = 0; i < count; i++)
        sample_count(w, SAMPLE_LABELS("rule", advice[i].rule->id, "severity", advice_severity_name(advice[i].severity)),
                     1);
}

static void emit_checked(struct sample_writer *w, const struct target *target) {
    if (knowledge_wall_ns(target, KNOWN_ADVICE) != 0)
        sample_seconds(w, SAMPLE_NO_LABELS, knowledge_wall_ns(target, KNOWN_ADVICE));
}

static const struct metric_family rows[] = {
    {
        .name = "mysqlconn_advice",
        .type = METRIC_GAUGE,
        .help = "1 for each rule of advice that is raised, by what this target showed now or in the last hour; the "
                "README has the rules, /api/v1/advice the evidence.",
        .labels = "rule, severity",
        .condition = "it is raised",
        .of_target = emit_advice,
    },
    {
        .name = "mysqlconn_advice_last_check_timestamp_seconds",
        .type = METRIC_GAUGE,
        .unit = "seconds",
        .help = "Unix time when the rules were last checked: after each poll, well or not.",
        .condition = "after the first poll",
        .known = KNOWN_OWN,
        .of_target = emit_checked,
    },
};

const struct metric_table advice_families = {rows, sizeof rows / sizeof rows[0], KNOWN_ADVICE};
