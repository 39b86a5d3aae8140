/*
 * Probes for programs; see probe_json.h.
 */
#include "cli/probe_json.h"

#include "base/json.h"

static void add_known(struct strbuf *out, const char *name, const char *value) {
    if (value && *value)
        json_text(out, name, value);
}

static void add_failure(struct strbuf *out, const struct failure *failure) {
    json_text(out, "phase", phase_name(failure->phase));
    json_text(out, "reason", failure_name(failure->failure));
    json_u64(out, "code", failure->code);
    json_text(out, "text", failure->text);
}

void probe_json_result(const char *host, const struct probe_result *result, struct strbuf *out) {
    strbuf_addch(out, '{');
    json_text(out, "type", "probe");
    json_text(out, "host", host);
    json_u64(out, "number", result->number);
    json_seconds(out, "time", result->wall_ns);
    json_bool(out, "ok", result->ok);
    if (result->connection_id)
        json_u64(out, "connection_id", result->connection_id);
    add_known(out, "address", result->address);
    add_known(out, "tls_version", result->tls_version);
    add_known(out, "tls_cipher", result->tls_cipher);
    add_known(out, "auth_plugin", result->auth_plugin);
    json_open(out, "phase_seconds", '{');
    for (int i = 0; i < PHASE_COUNT; i++)
        if (result->phase_ns[i] >= 0)
            json_seconds(out, phase_name((enum phase)i), result->phase_ns[i]);
    json_close(out, '}');
    if (result->ok)
        json_seconds(out, "total_seconds", probe_result_total_ns(result));
    if (result->tcp.known) {
        json_seconds(out, "tcp_min_rtt_seconds", result->tcp.min_rtt_ns);
        json_u64(out, "tcp_retransmissions", result->tcp.retransmissions);
    }
    if (result->closed)
        json_text(out, "close", close_outcome_name(result->close));
    if (result->close_number)
        json_u64(out, "close_code", result->close_number);
    if (!result->ok) {
        json_open(out, "failure", '{');
        add_failure(out, &result->failure);
        json_close(out, '}');
    }
    strbuf_addstr(out, "}\n");
}

static void add_quantiles(struct strbuf *out, const char *name, struct samples *samples) {
    struct quantiles q;
    if (!samples_quantiles(samples, &q))
        return;
    json_open(out, name, '{');
    json_u64(out, "count", samples->count);
    json_seconds(out, "min", q.min_ns);
    json_seconds(out, "median", q.median_ns);
    json_seconds(out, "p99", q.p99_ns);
    json_seconds(out, "max", q.max_ns);
    json_close(out, '}');
}

static void add_failures(struct strbuf *out, const struct probe_summary *summary) {
    json_open(out, "failures", '[');
    for (int p = 0; p < PHASE_COUNT; p++)
        for (int f = 0; f < FAILURE_COUNT; f++) {
            if (summary->failures[p][f] == 0)
                continue;
            json_open(out, NULL, '{');
            json_u64(out, "count", summary->failures[p][f]);
            add_failure(out, &summary->last[p][f]);
            json_close(out, '}');
        }
    json_close(out, ']');
}

void probe_json_summary(const char *host, struct probe_summary *summary, struct strbuf *out) {
    strbuf_addch(out, '{');
    json_text(out, "type", "summary");
    json_text(out, "host", host);
    json_u64(out, "probes", summary->probes);
    json_u64(out, "succeeded", summary->succeeded);
    json_u64(out, "failed", summary->probes - summary->succeeded);
    json_seconds(out, "duration_seconds", summary->duration_ns);
    json_open(out, "phase_seconds", '{');
    for (int i = 0; i < PHASE_COUNT; i++)
        add_quantiles(out, phase_name((enum phase)i), &summary->phase[i]);
    json_close(out, '}');
    add_quantiles(out, "total_seconds", &summary->total);
    json_open(out, "closes", '{');
    for (int i = 0; i < CLOSE_COUNT; i++)
        if (summary->closes[i])
            json_u64(out, close_outcome_name((enum close_outcome)i), summary->closes[i]);
    json_close(out, '}');
    add_failures(out, summary);
    json_u64(out, "tcp_retransmissions", summary->retransmissions);
    json_u64(out, "self_aborts", summary->self_aborts);
    json_u64(out, "aborts_on_purpose", summary->aborts_on_purpose);
    strbuf_addstr(out, "}\n");
}
