/*
 * Families of aborts as they were judged: by client, by how sure their cause is, and how long they had been idle.
 */
#include "explain/clients.h"
#include "explain/event_ring.h"
#include "expose/families.h"
#include "expose/sample.h"

/* What did not happen is left out; what did stays. */
static void emit_by_client(struct sample_writer *w, const struct target *target) {
    size_t count;
    const struct client_aborts *clients = clients_of(target, &count);
    for (size_t i = 0; i < count; i++)
        for (int cause = 0; cause < CAUSE_COUNT; cause++)
            if (clients[i].counts[cause] > 0)
                sample_count(w,
                             SAMPLE_LABELS("user", clients[i].user, "host", clients[i].host, "driver",
                                           clients[i].driver, "cause", cause_name((enum cause)cause)),
                             clients[i].counts[cause]);
}

static void emit_clients(struct sample_writer *w, const struct target *target) {
    size_t count;
    clients_of(target, &count);
    sample_count(w, SAMPLE_NO_LABELS, count > 0 ? count - 1 : 0);
}

static void emit_folded(struct sample_writer *w, const struct target *target) {
    sample_count(w, SAMPLE_NO_LABELS, clients_folded(target));
}

static void emit_events(struct sample_writer *w, const struct target *target) {
    for (int cause = 0; cause < CAUSE_COUNT; cause++)
        for (int confidence = 0; confidence <= CONFIDENCE_CERTAIN; confidence++) {
            uint64_t n = clients_aborts(target, (enum cause)cause, (enum confidence)confidence);
            if (n > 0)
                sample_count(w,
                             SAMPLE_LABELS("cause", cause_name((enum cause)cause), "confidence",
                                           confidence_name((enum confidence)confidence)),
                             n);
        }
}

static void emit_idleness(struct sample_writer *w, const struct target *target) {
    for (int cause = 0; cause < CAUSE_COUNT; cause++) {
        const struct abort_idleness *idleness = clients_idleness(target, (enum cause)cause);
        if (idleness)
            sample_histogram_of(w, SAMPLE_LABELS("cause", cause_name((enum cause)cause)), session_bound_s,
                                SESSION_BOUNDS, idleness->buckets, idleness->sum_ns);
    }
}

static void emit_dropped(struct sample_writer *w, const struct target *target) {
    sample_count(w, SAMPLE_NO_LABELS, event_ring_dropped(target));
}

static const struct metric_family rows[] = {
    {
        .name = "mysqlconn_client_aborts_total",
        .type = METRIC_COUNTER,
        .help = "Aborts and refused logins by the client's user, host (or network, see limits.client_hosts) and driver "
                "('unknown' where it announced none, or its session was never seen), and by cause; from "
                "limits.clients_per_target on all three are 'other'.",
        .labels = "user, host, driver, cause",
        .condition = "once it has happened",
        .stability = METRIC_EXPERIMENTAL,
        .of_target = emit_by_client,
    },
    {
        .name = "mysqlconn_client_aborts_clients",
        .type = METRIC_GAUGE,
        .help = "Clients that have series of their own in mysqlconn_client_aborts_total.",
        .known = KNOWN_OWN,
        .of_target = emit_clients,
    },
    {
        .name = "mysqlconn_client_aborts_folded_total",
        .type = METRIC_COUNTER,
        .help = "Aborts counted under the client 'other' because limits.clients_per_target was reached.",
        .of_target = emit_folded,
    },
    {
        .name = "mysqlconn_abort_events_total",
        .type = METRIC_COUNTER,
        .help = "Aborts and refused logins by cause and how sure it is: certain, likely, or unknown, when several "
                "causes remain possible.",
        .labels = "cause, confidence",
        .condition = "once it has happened",
        .of_target = emit_events,
    },
    {
        .name = "mysqlconn_aborted_sessions_idle_seconds",
        .type = METRIC_HISTOGRAM,
        .unit = "seconds",
        .help = "How long sessions had been idle when they were aborted, by cause: of those that the process list "
                "showed asleep before.",
        .labels = "cause",
        .condition = "once it has happened",
        .of_target = emit_idleness,
    },
    {
        .name = "mysqlconn_abort_events_dropped_total",
        .type = METRIC_COUNTER,
        .help = "Events that are no longer at /api/v1/events because newer ones took their place.",
        .known = KNOWN_OWN,
        .of_target = emit_dropped,
    },
};

const struct metric_table client_families = {rows, sizeof rows / sizeof rows[0], KNOWN_POLL};
