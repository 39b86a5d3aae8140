/*
 * Families of hosts: those that a server refuses, by its host cache; and our own, whose network tells of the servers on
 * it.
 */
#include "expose/families.h"
#include "expose/sample.h"
#include "observe/host_network.h"

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
        const struct host_cache_facts *facts = which(target);                                                          \
        if (facts)                                                                                                     \
            sample(w, SAMPLE_NO_LABELS, facts->member);                                                                \
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

/* --- the network of this machine --- */

#define HERE "there are targets on this machine (host_network)"

static const struct host_network_facts *network_of(const struct exporter_facts *facts) {
    const struct host_network_facts *network = facts->state->network;
    return network && network->watches > 0 && network->samples > 0 ? network : NULL;
}

static void emit_counters(struct sample_writer *w, const struct exporter_facts *facts) {
    const struct host_network_facts *network = network_of(facts);
    for (int i = 0; network && i < NET_COUNTER_COUNT; i++)
        if (i != NET_INTERFACE_ERRORS && i != NET_INTERFACE_DROPS && network->counters.known & UINT64_C(1) << i)
            sample_count(w, SAMPLE_LABELS("counter", net_counter_name((enum net_counter)i)),
                         network->counters.value[i]);
}

static void emit_interface_errors(struct sample_writer *w, const struct exporter_facts *facts) {
    const struct host_network_facts *network = network_of(facts);
    for (size_t i = 0; network && i < network->interfaces.count; i++) {
        const struct net_interface *one = &network->interfaces.kept[i];
        sample_count(w, SAMPLE_LABELS("device", one->name, "direction", "receive"), one->receive_errors);
        sample_count(w, SAMPLE_LABELS("device", one->name, "direction", "transmit"), one->transmit_errors);
    }
}

static void emit_interface_drops(struct sample_writer *w, const struct exporter_facts *facts) {
    const struct host_network_facts *network = network_of(facts);
    for (size_t i = 0; network && i < network->interfaces.count; i++) {
        const struct net_interface *one = &network->interfaces.kept[i];
        sample_count(w, SAMPLE_LABELS("device", one->name, "direction", "receive"), one->receive_drops);
        sample_count(w, SAMPLE_LABELS("device", one->name, "direction", "transmit"), one->transmit_drops);
    }
}

static void emit_interfaces_folded(struct sample_writer *w, const struct exporter_facts *facts) {
    if (network_of(facts))
        sample_count(w, SAMPLE_NO_LABELS, network_of(facts)->interfaces.further);
}

static void emit_network_failures(struct sample_writer *w, const struct exporter_facts *facts) {
    const struct host_network_facts *network = facts->state->network;
    for (int i = 0; network && network->watches > 0 && i < NETWORK_SOURCE_COUNT; i++)
        sample_count(w, SAMPLE_LABELS("source", network_source_name((enum network_source)i)), network->failures[i]);
}

static void emit_network_time(struct sample_writer *w, const struct exporter_facts *facts) {
    if (network_of(facts))
        sample_seconds(w, SAMPLE_NO_LABELS, network_of(facts)->last_wall_ns);
}

static const struct port_sockets *sockets_of(const struct target *target) {
    return target->port_watch ? port_watch_sockets(target->port_watch) : NULL;
}

/* A socket that listens is none of a connection; one that is closed, or still asks, is not on the server's side. */
static void emit_sockets(struct sample_writer *w, const struct target *target) {
    const struct port_sockets *sockets = sockets_of(target);
    for (int i = 0; sockets && i < SOCKETS_STATE_COUNT; i++)
        if (i != SOCKETS_LISTEN && i != SOCKETS_CLOSE && i != SOCKETS_SYN_SENT)
            sample_count(w, SAMPLE_LABELS("state", tcp_state_name((enum tcp_state)i)), sockets->states[i]);
}

static void emit_queue(struct sample_writer *w, const struct target *target) {
    const struct port_sockets *sockets = sockets_of(target);
    if (sockets && sockets->states[SOCKETS_LISTEN] > 0)
        sample_count(w, SAMPLE_NO_LABELS, sockets->queue);
}

static void emit_queue_limit(struct sample_writer *w, const struct target *target) {
    const struct port_sockets *sockets = sockets_of(target);
    if (sockets && sockets->queue_limit > 0)
        sample_count(w, SAMPLE_NO_LABELS, sockets->queue_limit);
}

static void emit_queue_time(struct sample_writer *w, const struct target *target) {
    if (knowledge_wall_ns(target, KNOWN_LISTENING) != 0)
        sample_seconds(w, SAMPLE_NO_LABELS, knowledge_wall_ns(target, KNOWN_LISTENING));
}

static void emit_sockets_time(struct sample_writer *w, const struct target *target) {
    if (knowledge_wall_ns(target, KNOWN_SOCKETS) != 0)
        sample_seconds(w, SAMPLE_NO_LABELS, knowledge_wall_ns(target, KNOWN_SOCKETS));
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
        .known = KNOWN_OWN,
        .of_target = emit_look,
    },
    {
        .name = "mysqlconn_server_sockets",
        .type = METRIC_GAUGE,
        .help = "TCP sockets on the server's port of this machine, the server's side of its connections, by state.",
        .labels = "state",
        .condition = "the server is on this machine (host_network)",
        .known = KNOWN_SOCKETS,
        .of_target = emit_sockets,
    },
    {
        .name = "mysqlconn_server_accept_queue",
        .type = METRIC_GAUGE,
        .help = "Connections that wait for the server to accept them, in its listening socket's queue.",
        .condition = "the server listens on this machine (host_network)",
        .known = KNOWN_LISTENING,
        .of_target = emit_queue,
    },
    {
        .name = "mysqlconn_server_accept_queue_limit",
        .type = METRIC_GAUGE,
        .help = "How many may wait there: the server's back_log or the kernel's net.core.somaxconn, whichever is less.",
        .condition = "the same, and the kernel's sock_diag tells",
        .known = KNOWN_LISTENING,
        .of_target = emit_queue_limit,
    },
    {
        .name = "mysqlconn_server_accept_queue_last_success_timestamp_seconds",
        .type = METRIC_GAUGE,
        .unit = "seconds",
        .help = "Unix time of the last look at the sockets that listen on the port: with each sample of the network.",
        .condition = "the server is on this machine (host_network)",
        .known = KNOWN_OWN,
        .of_target = emit_queue_time,
    },
    {
        .name = "mysqlconn_server_sockets_last_success_timestamp_seconds",
        .type = METRIC_GAUGE,
        .unit = "seconds",
        .help =
            "Unix time when the sockets on the port were last counted: as often as the network is sampled, but less "
            "often where there are so many that counting them would take more than a 5000th of a core's time, "
            "though once a minute in any case.",
        .condition = "the server is on this machine (host_network)",
        .known = KNOWN_OWN,
        .of_target = emit_sockets_time,
    },
    {
        .name = "mysqlconn_host_network_events_total",
        .type = METRIC_COUNTER,
        .help = "The kernel's own counters of TCP on this machine that concern connections which fail, under the names "
                "that nstat gives them.",
        .labels = "counter",
        .condition = HERE,
        .known = KNOWN_NETWORK,
        .of_exporter = emit_counters,
    },
    {
        .name = "mysqlconn_host_interface_errors_total",
        .type = METRIC_COUNTER,
        .help = "Errors of the network interfaces of this machine.",
        .labels = "device, direction",
        .condition = HERE,
        .known = KNOWN_NETWORK,
        .of_exporter = emit_interface_errors,
    },
    {
        .name = "mysqlconn_host_interface_drops_total",
        .type = METRIC_COUNTER,
        .help = "Packets that the network interfaces of this machine dropped.",
        .labels = "device, direction",
        .condition = HERE,
        .known = KNOWN_NETWORK,
        .of_exporter = emit_interface_drops,
    },
    {
        .name = "mysqlconn_host_interfaces_folded",
        .type = METRIC_GAUGE,
        .help = "Network interfaces that are not listed because there are too many.",
        .condition = HERE,
        .known = KNOWN_NETWORK,
        .of_exporter = emit_interfaces_folded,
    },
    {
        .name = "mysqlconn_host_network_failures_total",
        .type = METRIC_COUNTER,
        .help = "Times that the counters or sockets of this machine could not be read, by where they come from.",
        .labels = "source",
        .condition = HERE,
        .known = KNOWN_OWN,
        .of_exporter = emit_network_failures,
    },
    {
        .name = "mysqlconn_host_network_last_sample_timestamp_seconds",
        .type = METRIC_GAUGE,
        .unit = "seconds",
        .help = "Unix time when these counters were last read.",
        .condition = HERE,
        .known = KNOWN_OWN,
        .of_exporter = emit_network_time,
    },
};

const struct metric_table host_families = {rows, sizeof rows / sizeof rows[0], KNOWN_HOST_CACHE};
