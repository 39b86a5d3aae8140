/*
 * Joins the tables of families and the variables into the catalogue, and describes it.
 */
#include "expose/catalogue.h"

#include "base/clock.h"
#include "explain/abort_facts.h"
#include "expose/families.h"
#include "expose/sample.h"
#include "observe/variable.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { FAMILY_MAX = 320 };

static struct metric_family all[FAMILY_MAX];
static size_t all_count;

static void append(const struct metric_family *family) {
    assert(all_count < FAMILY_MAX);
    struct metric_family *place = &all[all_count++];
    *place = *family;
    if (!place->unit)
        place->unit = "";
    if (!place->labels)
        place->labels = "";
}

static void append_table(const struct metric_table *table) {
    for (size_t i = 0; i < table->count; i++) {
        append(&table->rows[i]);
        if (all[all_count - 1].known == KNOWN_UNDECLARED)
            all[all_count - 1].known = table->known;
    }
}

/* MariaDB's FLUSH STATUS sets the counters of failed connections back, MySQL's does not. (Measured.) */
static int64_t server_counts_since(const struct target *target) {
    double up_s = target_status(target, "Uptime"), flushed_s = target_status(target, "Uptime_since_flush_status");
    bool flushed = server_flavour_of(target) == SERVER_MARIADB && flushed_s < up_s;
    return target->poll.start_wall_ns + (flushed ? (int64_t)(up_s - flushed_s) * NS_PER_S : 0);
}

static void append_variables(void) {
    static const enum metric_type types[] = {
        [VARIABLE_COUNTER] = METRIC_COUNTER,
        [VARIABLE_GAUGE] = METRIC_GAUGE,
        [VARIABLE_UNTYPED] = METRIC_UNTYPED,
    };

    for (size_t first = 0, next; first < variable_count; first = next) {
        const struct variable *row = &variable_table[first];
        for (next = first + 1; row->metric && next < variable_count && variable_table[next].metric &&
                               strcmp(variable_table[next].metric, row->metric) == 0;)
            next++;
        if (!row->metric)
            continue;
        append(&(struct metric_family){
            .name = row->metric,
            .type = types[row->type],
            .help = row->help,
            .labels = row->label_name,
            .condition = "the server is up and has it",
            .known = KNOWN_POLL,
            .variable_first = first,
            .variable_rows = next - first,
            .since = server_counts_since,
        });
    }
}

const struct metric_family *catalogue(size_t *count) {
    if (all_count == 0) {
        append_table(&server_families);
        append_variables();
        append_table(&target_families);
        append_table(&probe_families);
        append_table(&session_families);
        append_table(&userstat_families);
        append_table(&host_families);
        append_table(&error_log_families);
        append_table(&ledger_families);
        append_table(&client_families);
        append_table(&advice_families);
        append_table(&exporter_families);
    }
    *count = all_count;
    return all;
}

static void emit_variables(struct sample_writer *w, const struct target *target) {
    const struct metric_family *family = w->family;

    for (size_t i = 0; i < family->variable_rows; i++) {
        const struct variable *row = &variable_table[family->variable_first + i];
        double value = target->poll.value[family->variable_first + i];
        if (isnan(value))
            continue;
        sample_double(w, SAMPLE_LABELS(row->label_name, row->label_value), value);
    }
}

static void emit_field(struct sample_writer *w, const struct metric_field *field, const void *base) {
    const char *at = (const char *)base + field->offset;
    uint64_t count;
    int64_t ns;

    if (field->kind == FIELD_COUNT) {
        memcpy(&count, at, sizeof count);
        sample_count(w, SAMPLE_NO_LABELS, count);
    } else {
        memcpy(&ns, at, sizeof ns);
        sample_seconds(w, SAMPLE_NO_LABELS, ns);
    }
}

static bool is_of_probe(const struct metric_family *family) {
    return family->of_probe || family->probe_field.kind != FIELD_NONE;
}

/* What counts up is as true when it is old; how something is now is not. */
static bool goes_stale(const struct metric_family *family) {
    bool counts = family->type == METRIC_COUNTER || (family->type == METRIC_HISTOGRAM && !family->of_present);
    return !counts && family->known != KNOWN_OWN;
}

static void emit_probes(struct sample_writer *w, const struct target *target) {
    for (size_t i = 0; i < target->probe_count; i++) {
        if (goes_stale(w->family) && knowledge_of_probe_is_old(&target->probes[i], w->family->known))
            continue;
        w->target_labels = &target->probes[i].labels;
        if (w->family->of_probe)
            w->family->of_probe(w, &target->probes[i]);
        else
            emit_field(w, &w->family->probe_field, &target->probes[i]);
    }
}

void catalogue_of_target(struct sample_writer *w, const struct target *target) {
    w->target_labels = &target->labels;
    if (sample_tells_since(w))
        w->since_wall_ns = w->family->since ? w->family->since(target) : target->since_wall_ns;
    if (is_of_probe(w->family))
        emit_probes(w, target);
    else if (goes_stale(w->family) && knowledge_is_old(target, w->family->known))
        return;
    else if (w->family->of_target)
        w->family->of_target(w, target);
    else if (w->family->variable_rows > 0)
        emit_variables(w, target);
    else if (w->family->field.kind != FIELD_NONE)
        emit_field(w, &w->family->field, target);
}

void catalogue_of_exporter(struct sample_writer *w, const struct exporter_facts *facts) {
    w->target_labels = NULL;
    w->since_wall_ns = facts->state->start_wall_ns;
    if (w->family->of_exporter)
        w->family->of_exporter(w, facts);
}

const char *metric_type_name(enum metric_type type) {
    static const char *const names[] = {
        [METRIC_COUNTER] = "counter",
        [METRIC_GAUGE] = "gauge",
        [METRIC_HISTOGRAM] = "histogram",
        [METRIC_UNTYPED] = "untyped",
    };
    return names[type];
}

void catalogue_reference(struct strbuf *out) {
    size_t count;
    const struct metric_family *families = catalogue(&count);

    strbuf_addstr(out, "| Metric | Type | Labels | Present | Meaning |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < count; i++) {
        const struct metric_family *family = &families[i];
        const char *target = family->of_exporter ? "" : is_of_probe(family) ? "target, module, close" : "target";
        const char *comma = *target && *family->labels ? ", " : "";
        strbuf_addf(out, "| `%s` | %s | %s%s%s | %s | %s%s |\n", family->name, metric_type_name(family->type), target,
                    comma, family->labels, family->condition ? family->condition : "always", family->help,
                    family->stability == METRIC_EXPERIMENTAL ? " *(experimental)*" : "");
    }
}
