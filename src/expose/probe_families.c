/*
 * Families of a target's probes.
 */
#include "expose/families.h"
#include "expose/sample.h"

#include <stddef.h>

#define COUNT_OF_PROBE(member)                                                                                         \
    { FIELD_COUNT, offsetof(struct probe, facts.member) }
#define SECONDS_OF_PROBE(member)                                                                                       \
    { FIELD_SECONDS, offsetof(struct probe, facts.member) }

static void emit_probe_success(struct sample_writer *w, const struct probe *probe) {
    if (probe->facts.health != TARGET_UNTRIED)
        sample_count(w, SAMPLE_NO_LABELS, probe->facts.health == TARGET_UP);
}

static void emit_probe_failures(struct sample_writer *w, const struct probe *probe) {
    families_emit_failures(w, &probe->facts.failures_by);
}

/* The last probe shows itself in the bucket that it fell into, by its connection's id. */
static void emit_phases(struct sample_writer *w, const struct probe *probe) {
    const struct probe_facts *facts = &probe->facts;
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        bool shown = facts->connection_id != 0 && facts->last_phase_ns[phase] >= 0;
        struct sample_exemplar last = {shown ? "connection_id" : NULL, facts->connection_id, facts->last_wall_ns,
                                       facts->last_phase_ns[phase]};
        if (phase != PHASE_HOLD || probe->module->hold_ns > 0)
            sample_histogram(w, SAMPLE_LABELS("phase", phase_name((enum phase)phase)), &facts->phase[phase],
                             &facts->phase_native[phase], &last);
    }
}

static void emit_last_phases(struct sample_writer *w, const struct probe *probe) {
    if (probe->facts.health == TARGET_UNTRIED)
        return;
    for (int phase = 0; phase < PHASE_COUNT; phase++)
        if (probe->facts.last_phase_ns[phase] >= 0)
            sample_seconds(w, SAMPLE_LABELS("phase", phase_name((enum phase)phase)), probe->facts.last_phase_ns[phase]);
}

static void emit_closes(struct sample_writer *w, const struct probe *probe) {
    for (int outcome = 0; outcome < CLOSE_COUNT; outcome++)
        sample_count(w, SAMPLE_LABELS("outcome", close_outcome_name((enum close_outcome)outcome)),
                     probe->facts.closes[outcome]);
}

static void emit_close_codes(struct sample_writer *w, const struct probe *probe) {
    for (unsigned place = 0; place < CLOSE_CODE_COUNT; place++)
        if (probe->facts.closes_unexpected[place] > 0)
            sample_count(w, SAMPLE_LABELS("code", close_code_name(place)), probe->facts.closes_unexpected[place]);
}

static void emit_violations(struct sample_writer *w, const struct probe *probe) {
    for (int kind = 0; kind < WIRE_VIOLATION_COUNT; kind++)
        sample_count(w, SAMPLE_LABELS("kind", wire_violation_name((enum wire_violation)kind)),
                     probe->facts.violations[kind]);
}

static void emit_addresses(struct sample_writer *w, const struct probe *probe) {
    if (probe->facts.ipv4 + probe->facts.ipv6 == 0)
        return;
    sample_count(w, SAMPLE_LABELS("family", "ipv4"), probe->facts.ipv4);
    sample_count(w, SAMPLE_LABELS("family", "ipv6"), probe->facts.ipv6);
}

/* A sample of 1 with one label, where there is something to say. */
static void emit_info(struct sample_writer *w, const char *label, const char *value) {
    if (value && *value)
        sample_count(w, SAMPLE_LABELS(label, value), 1);
}

static void emit_address(struct sample_writer *w, const struct probe *probe) {
    emit_info(w, "address", probe->facts.address);
}

static void emit_auth_plugin(struct sample_writer *w, const struct probe *probe) {
    emit_info(w, "plugin", probe->facts.auth_plugin);
}

static void emit_tls_version(struct sample_writer *w, const struct probe *probe) {
    emit_info(w, "version", probe->facts.tls_version);
}

static void emit_tls_cipher(struct sample_writer *w, const struct probe *probe) {
    emit_info(w, "cipher", probe->facts.tls_cipher);
}

static void emit_tls_verify(struct sample_writer *w, const struct probe *probe) {
    const char *const results[] = {
        [TLS_VERDICT_NONE] = NULL,
        [TLS_NOT_CHECKED] = "not_checked",
        [TLS_VERIFIED] = "ok",
        [TLS_REFUSED] = failure_name(probe->facts.tls_refusal),
    };
    emit_info(w, "result", results[probe->facts.tls_verdict]);
}

static void emit_cert_expiry(struct sample_writer *w, const struct probe *probe) {
    if (probe->facts.cert_expiry_s != 0)
        sample_seconds(w, SAMPLE_NO_LABELS, probe->facts.cert_expiry_s * NS_PER_S);
}

static void emit_cert_seen(struct sample_writer *w, const struct probe *probe) {
    if (probe->facts.tls_verdict != TLS_VERDICT_NONE)
        sample_seconds(w, SAMPLE_NO_LABELS, probe->facts.cert_wall_ns);
}

static void emit_tcp(struct sample_writer *w, const struct probe *probe, int64_t ns) {
    if (probe->facts.tcp.known)
        sample_seconds(w, SAMPLE_NO_LABELS, ns);
}

static void emit_tcp_rtt(struct sample_writer *w, const struct probe *probe) {
    emit_tcp(w, probe, probe->facts.tcp.rtt_ns);
}

static void emit_tcp_min_rtt(struct sample_writer *w, const struct probe *probe) {
    emit_tcp(w, probe, probe->facts.tcp.min_rtt_ns);
}

static void emit_tcp_rttvar(struct sample_writer *w, const struct probe *probe) {
    emit_tcp(w, probe, probe->facts.tcp.rttvar_ns);
}

static void emit_lateness(struct sample_writer *w, const struct probe *probe) {
    sample_histogram(w, SAMPLE_NO_LABELS, &probe->facts.lateness, &probe->facts.lateness_native, NULL);
}

static void emit_verdicts(struct sample_writer *w, const struct probe *probe) {
    for (int verdict = 0; verdict < VERDICT_COUNT; verdict++)
        sample_count(w,
                     SAMPLE_LABELS("verdict", close_verdict_name((enum close_verdict)verdict), "evidence",
                                   close_verdict_evidence((enum close_verdict)verdict)),
                     probe->facts.verdicts[verdict]);
}

static void emit_holds(struct sample_writer *w, const struct probe *probe) {
    for (int end = 0; end < HOLD_END_COUNT; end++)
        for (int cutter = 0; cutter < CUTTER_COUNT; cutter++)
            if (probe->facts.holds[end][cutter] > 0)
                sample_count(w,
                             SAMPLE_LABELS("how", hold_end_name((enum hold_end)end), "by",
                                           hold_cutter_name((enum hold_cutter)cutter)),
                             probe->facts.holds[end][cutter]);
}

static void emit_cut_after(struct sample_writer *w, const struct probe *probe) {
    if (probe->facts.last_cut_after_ns > 0)
        sample_seconds(w, SAMPLE_NO_LABELS, probe->facts.last_cut_after_ns);
}

static const struct metric_family rows[] = {
    {
        .name = "mysqlconn_probe_success",
        .type = METRIC_GAUGE,
        .help = "1 when the last probe (connect, log in, COM_PING, query, close) succeeded, else 0.",
        .condition = "from the end of the first probe on",
        .of_probe = emit_probe_success,
    },
    {
        .name = "mysqlconn_probes_total",
        .type = METRIC_COUNTER,
        .help = "Probes with a fresh connection, failed ones included.",
        .probe_field = COUNT_OF_PROBE(probes),
    },
    {
        .name = "mysqlconn_probe_failed_total",
        .type = METRIC_COUNTER,
        .help = "Probes that failed.",
        .probe_field = COUNT_OF_PROBE(failures),
    },
    {
        .name = "mysqlconn_probe_failures_total",
        .type = METRIC_COUNTER,
        .help = "Probes that failed, by the phase and the reason.",
        .labels = "phase, reason",
        .condition = "combinations that happened",
        .of_probe = emit_probe_failures,
    },
    {
        .name = "mysqlconn_probe_skipped_total",
        .type = METRIC_COUNTER,
        .help = "Probes left out because the one before was still under way when they were due: held, or being ended "
                "politely.",
        .probe_field = COUNT_OF_PROBE(skipped),
    },
    {
        .name = "mysqlconn_probe_phase_duration_seconds",
        .type = METRIC_HISTOGRAM,
        .unit = "seconds",
        .help = "How long each phase of the probes took: phases that came to their end only.",
        .labels = "phase",
        .known = KNOWN_PROBE,
        .of_probe = emit_phases,
    },
    {
        .name = "mysqlconn_probe_last_phase_duration_seconds",
        .type = METRIC_GAUGE,
        .unit = "seconds",
        .help = "How long each phase of the last probe took.",
        .labels = "phase",
        .condition = "phases that the last probe had and ended",
        .known = KNOWN_PROBE,
        .of_probe = emit_last_phases,
    },
    {
        .name = "mysqlconn_probe_closes_total",
        .type = METRIC_COUNTER,
        .help = "What came after the probes' COM_QUIT (style none: FIN): clean is the server's end and nothing else.",
        .labels = "outcome",
        .of_probe = emit_closes,
    },
    {
        .name = "mysqlconn_probe_close_unexpected_total",
        .type = METRIC_COUNTER,
        .help = "Closes with outcome unexpected_data, by the number of the error packet that came after COM_QUIT.",
        .labels = "code",
        .condition = "codes that came; unknown: under TLS, other: numbers not known to come at a close",
        .of_probe = emit_close_codes,
    },
    {
        .name = "mysqlconn_probe_close_verdicts_total",
        .type = METRIC_COUNTER,
        .help =
            "What the server made of the ends of the probes' connections, and how that is known: by the connection id "
            "in its error log, or by its counters where they did not move; unknown is no proof of an abort.",
        .labels = "verdict, evidence",
        .of_probe = emit_verdicts,
    },
    {
        .name = "mysqlconn_probe_holds_total",
        .type = METRIC_COUNTER,
        .help = "Idle times of modules that hold their connection: how they ended, and who cut it where that is known.",
        .labels = "how, by",
        .condition = "combinations that happened",
        .of_probe = emit_holds,
    },
    {
        .name = "mysqlconn_probe_hold_last_cut_after_seconds",
        .type = METRIC_GAUGE,
        .unit = "seconds",
        .help = "How long the last connection that was cut had been idle.",
        .condition = "one was cut",
        .of_probe = emit_cut_after,
    },
    {
        .name = "mysqlconn_probe_protocol_violations_total",
        .type = METRIC_COUNTER,
        .help = "Packets in the probes' conversations by which the server, or something between, broke the protocol.",
        .labels = "kind",
        .of_probe = emit_violations,
    },
    {
        .name = "mysqlconn_probe_auth_plugin_info",
        .type = METRIC_GAUGE,
        .help = "1, with the authentication plugin by which the last probe that succeeded logged in.",
        .labels = "plugin",
        .condition = "from the first success on",
        .known = KNOWN_LOGIN,
        .of_probe = emit_auth_plugin,
    },
    {
        .name = "mysqlconn_probe_addresses",
        .type = METRIC_GAUGE,
        .help = "Addresses that the target's name had at the last probe.",
        .labels = "family",
        .condition = "the name resolves; not for sockets",
        .known = KNOWN_PROBE,
        .of_probe = emit_addresses,
    },
    {
        .name = "mysqlconn_probe_address_info",
        .type = METRIC_GAUGE,
        .help = "1, with the address that the last probe used: the first that took the connection, or the last tried.",
        .labels = "address",
        .condition = "the name resolves; not for sockets",
        .known = KNOWN_PROBE,
        .of_probe = emit_address,
    },
    {
        .name = "mysqlconn_probe_address_failures_total",
        .type = METRIC_COUNTER,
        .help = "Addresses of a name that did not take a probe's connection, so that the name's next one was tried.",
        .probe_field = COUNT_OF_PROBE(addresses_failed),
    },
    {
        .name = "mysqlconn_probe_tcp_rtt_seconds",
        .type = METRIC_GAUGE,
        .unit = "seconds",
        .help = "The kernel's smoothed round-trip time of the last probe's connection, to the next TCP hop.",
        .condition = "TCP, and the last probe connected",
        .known = KNOWN_PROBE,
        .of_probe = emit_tcp_rtt,
    },
    {
        .name = "mysqlconn_probe_tcp_min_rtt_seconds",
        .type = METRIC_GAUGE,
        .unit = "seconds",
        .help = "The least round-trip time that the kernel saw on the last probe's connection: the steady one.",
        .condition = "TCP, and the last probe connected",
        .known = KNOWN_PROBE,
        .of_probe = emit_tcp_min_rtt,
    },
    {
        .name = "mysqlconn_probe_tcp_rttvar_seconds",
        .type = METRIC_GAUGE,
        .unit = "seconds",
        .help = "The kernel's mean deviation of the round-trip times of the last probe's connection.",
        .condition = "TCP, and the last probe connected",
        .known = KNOWN_PROBE,
        .of_probe = emit_tcp_rttvar,
    },
    {
        .name = "mysqlconn_probe_tcp_retransmissions_total",
        .type = METRIC_COUNTER,
        .help = "TCP segments of the probes, SYN and a watched COM_QUIT included, that the kernel had to send again.",
        .probe_field = COUNT_OF_PROBE(tcp_retransmissions),
    },
    {
        .name = "mysqlconn_probe_tcp_sent_bytes_total",
        .type = METRIC_COUNTER,
        .unit = "bytes",
        .help = "Payload that the probes sent over TCP before COM_QUIT, repeats included.",
        .probe_field = COUNT_OF_PROBE(tcp_sent_bytes),
    },
    {
        .name = "mysqlconn_probe_tcp_received_bytes_total",
        .type = METRIC_COUNTER,
        .unit = "bytes",
        .help = "Payload that the probes received over TCP before COM_QUIT.",
        .probe_field = COUNT_OF_PROBE(tcp_received_bytes),
    },
    {
        .name = "mysqlconn_probe_tls_version_info",
        .type = METRIC_GAUGE,
        .help = "1, with the TLS version of the last probe that succeeded.",
        .labels = "version",
        .condition = "TLS was used",
        .known = KNOWN_LOGIN,
        .of_probe = emit_tls_version,
    },
    {
        .name = "mysqlconn_probe_tls_cipher_info",
        .type = METRIC_GAUGE,
        .help = "1, with the TLS cipher suite of the last probe that succeeded.",
        .labels = "cipher",
        .condition = "TLS was used",
        .known = KNOWN_LOGIN,
        .of_probe = emit_tls_cipher,
    },
    {
        .name = "mysqlconn_probe_tls_verify_info",
        .type = METRIC_GAUGE,
        .help =
            "1, with what came of checking the server's certificate: ok, not_checked, or the reason it was refused.",
        .labels = "result",
        .condition = "a certificate was shown",
        .known = KNOWN_CERTIFICATE,
        .of_probe = emit_tls_verify,
    },
    {
        .name = "mysqlconn_probe_tls_earliest_cert_expiry_timestamp_seconds",
        .type = METRIC_GAUGE,
        .unit = "seconds",
        .help = "Unix time when the first certificate of the server's chain expires, also of a chain that was refused.",
        .condition = "a certificate was shown",
        .known = KNOWN_CERTIFICATE,
        .of_probe = emit_cert_expiry,
    },
    {
        .name = "mysqlconn_probe_tls_certificate_seen_timestamp_seconds",
        .type = METRIC_GAUGE,
        .unit = "seconds",
        .help = "Unix time when a probe was last shown the server's certificate.",
        .condition = "a certificate was shown",
        .of_probe = emit_cert_seen,
    },
    {
        .name = "mysqlconn_probe_schedule_lateness_seconds",
        .type = METRIC_HISTOGRAM,
        .unit = "seconds",
        .help = "How long after the instant when it was due a probe started.",
        .of_probe = emit_lateness,
    },
    {
        .name = "mysqlconn_probe_last_success_timestamp_seconds",
        .type = METRIC_GAUGE,
        .unit = "seconds",
        .help = "Unix time of the last probe that succeeded, 0 before the first.",
        .probe_field = SECONDS_OF_PROBE(last_success_wall_ns),
    },
    {
        .name = "mysqlconn_probe_last_timestamp_seconds",
        .type = METRIC_GAUGE,
        .unit = "seconds",
        .help = "Unix time when the last probe was done, failed ones included, 0 before the first.",
        .probe_field = SECONDS_OF_PROBE(last_wall_ns),
    },
};

const struct metric_table probe_families = {rows, sizeof rows / sizeof rows[0], KNOWN_OWN};
