/*
 * Families of the hosts that a server refuses, by its host cache.
 */
#include "expose/families.h"
#include "expose/sample.h"

#include <string.h>

/* --- the host cache --- */

#define SEEN "performance_schema.host_cache can be read, and is in use"

/* What is counted up stays when the server goes; what is so now does not. */
static const struct host_cache_facts *counted(const struct target *target) {
    const struct host_cache_facts *facts = target->host_cache ? host_cache_facts(target->host_cache) : NULL;
    return facts && facts->wall_ns > 0 ? facts : NULL;
}

static const struct host_cache_facts *seen(const struct target *target) {
    bool is = target->poll.health == TARGET_UP && target->evidence[EVIDENCE_HOST_CACHE] == EVIDENCE_SEEN;
    return is ? counted(target) : NULL;
}

static void emit_errors(struct sample_writer *w, const struct target *target) {
    const struct host_cache_facts *facts = counted(target);
    for (int i = 0; facts && i < HOST_CACHE_KIND_COUNT; i++)
        if (facts->kinds & 1U << i)
            sample_count(w, SAMPLE_LABELS("kind", host_cache_kind_name((enum host_cache_kind)i)), facts->total[i]);
}

#define FACT_FAMILY(function, sample, which, member)                                                                   \
    static void function(struct sample_writer *w, const struct target *target) {                                       \
        if (which(target))                                                                                             \
            sample(w, SAMPLE_NO_LABELS, which(target)->member);                                                        \
    }

FACT_FAMILY(emit_hosts, sample_count, seen, hosts)
FACT_FAMILY(emit_blocked, sample_count, seen, blocked)
FACT_FAMILY(emit_near, sample_count, seen, near)
FACT_FAMILY(emit_lost, sample_count, counted, hosts_lost)
FACT_FAMILY(emit_look, sample_seconds, counted, wall_ns)

static void emit_nearest(struct sample_writer *w, const struct target *target) {
    const struct host_cache_facts *facts = seen(target);
    if (facts)
        sample_double(w, SAMPLE_LABELS("client_host", facts->nearest.ip), host_cache_nearest_ratio(facts));
}

static void emit_host_errors(struct sample_writer *w, const struct target *target) {
    const struct host_cache_facts *facts = seen(target);
    uint64_t hosts, errors;
    if (!facts)
        return;
    host_cache_other(facts, &hosts, &errors);
    for (size_t i = 0; i < facts->top_count; i++)
        sample_count(w, SAMPLE_LABELS("client_host", facts->top[i].ip), facts->top[i].errors);
    if (hosts > 0)
        sample_count(w, SAMPLE_LABELS("client_host", "other"), errors);
}

static void emit_folded(struct sample_writer *w, const struct target *target) {
    const struct host_cache_facts *facts = seen(target);
    uint64_t hosts, errors;
    if (!facts)
        return;
    host_cache_other(facts, &hosts, &errors);
    sample_count(w, SAMPLE_NO_LABELS, hosts);
}

static const struct metric_family rows[] = {
    {
        .name = "mysqlconn_host_cache_errors_total",
        .type = METRIC_COUNTER,
        .help = "Errors of connecting hosts by kind, added up from the COUNT_…_ERRORS of performance_schema.host_cache "
                "since our start; too low where hosts were lost.",
        .labels = "kind",
        .condition = SEEN ", or could be",
        .of_target = emit_errors,
    },
    {
        .name = "mysqlconn_host_cache_hosts",
        .type = METRIC_GAUGE,
        .help = "Hosts in the server's host cache.",
        .condition = SEEN,
        .of_target = emit_hosts,
    },
    {
        .name = "mysqlconn_host_cache_hosts_lost_total",
        .type = METRIC_COUNTER,
        .help = "Hosts that were in the cache at one look and not at the next, as after FLUSH HOSTS or when it is too "
                "small: what they did between the two is not in the counts.",
        .condition = SEEN ", or could be",
        .of_target = emit_lost,
    },
    {
        .name = "mysqlconn_host_cache_blocked_hosts",
        .type = METRIC_GAUGE,
        .help = "Hosts that the server blocks: their SUM_CONNECT_ERRORS reached max_connect_errors.",
        .condition = SEEN,
        .of_target = emit_blocked,
    },
    {
        .name = "mysqlconn_host_cache_near_hosts",
        .type = METRIC_GAUGE,
        .help = "Hosts that are half way to being blocked, or further.",
        .condition = SEEN,
        .of_target = emit_near,
    },
    {
        .name = "mysqlconn_host_cache_nearest_host_ratio",
        .type = METRIC_GAUGE,
        .help = "SUM_CONNECT_ERRORS of the host that has most of them, against max_connect_errors: at 1 it is blocked; "
                "client_host is '' where none has any.",
        .labels = "client_host",
        .condition = SEEN,
        .of_target = emit_nearest,
    },
    {
        .name = "mysqlconn_host_cache_host_errors",
        .type = METRIC_GAUGE,
        .help =
            "Errors of all kinds that the cache has of a host now, for the limits.host_cache_hosts_per_target hosts "
            "with the most; those of all others are 'other'.",
        .labels = "client_host",
        .condition = SEEN "; hosts with errors",
        .stability = METRIC_EXPERIMENTAL,
        .of_target = emit_host_errors,
    },
    {
        .name = "mysqlconn_host_cache_hosts_folded",
        .type = METRIC_GAUGE,
        .help = "Hosts with errors that are counted under 'other'.",
        .condition = SEEN,
        .of_target = emit_folded,
    },
    {
        .name = "mysqlconn_host_cache_last_look_timestamp_seconds",
        .type = METRIC_GAUGE,
        .unit = "seconds",
        .help = "Unix time of the last look at the host cache, which has an interval of its own.",
        .condition = SEEN ", or could be",
        .of_target = emit_look,
    },
};

const struct metric_table host_families = {rows, sizeof rows / sizeof rows[0]};
