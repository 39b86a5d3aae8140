/*
 * Probes for programs; see probe_json.h.
 */
#include "cli/probe_json.h"

#include "base/clock.h"
#include "base/text.h"

/* A comma before all but the first member of an object or list. */
static void separate(struct strbuf *out) {
    char last = out->len ? out->data[out->len - 1] : '{';
    if (last != '{' && last != '[')
        strbuf_addch(out, ',');
}

static void key(struct strbuf *out, const char *name) {
    separate(out);
    strbuf_addf(out, "\"%s\":", name);
}

static void add_text(struct strbuf *out, const char *name, const char *value) {
    key(out, name);
    strbuf_addch(out, '"');
    text_add_json(out, span_of(value));
    strbuf_addch(out, '"');
}

static void add_number(struct strbuf *out, const char *name, uint64_t value) {
    key(out, name);
    strbuf_addu64(out, value);
}

static void add_known(struct strbuf *out, const char *name, const char *value) {
    if (value && *value)
        add_text(out, name, value);
}

/* Seconds to the nanosecond. */
static void add_seconds(struct strbuf *out, const char *name, int64_t ns) {
    key(out, name);
    strbuf_addf(out, "%lld.%09lld", (long long)(ns / NS_PER_S), (long long)(ns % NS_PER_S));
}

static void add_failure(struct strbuf *out, const struct failure *failure) {
    add_text(out, "phase", phase_name(failure->phase));
    add_text(out, "reason", failure_name(failure->failure));
    add_number(out, "code", failure->code);
    add_text(out, "text", failure->text);
}

void probe_json_result(const char *host, const struct probe_result *result, struct strbuf *out) {
    strbuf_addch(out, '{');
    add_text(out, "type", "probe");
    add_text(out, "host", host);
    add_number(out, "number", result->number);
    add_seconds(out, "time", result->wall_ns);
    key(out, "ok");
    strbuf_addstr(out, result->ok ? "true" : "false");
    if (result->connection_id)
        add_number(out, "connection_id", result->connection_id);
    add_known(out, "address", result->address);
    add_known(out, "tls_version", result->tls_version);
    add_known(out, "tls_cipher", result->tls_cipher);
    add_known(out, "auth_plugin", result->auth_plugin);
    key(out, "phase_seconds");
    strbuf_addch(out, '{');
    for (int i = 0; i < PHASE_COUNT; i++)
        if (result->phase_ns[i] >= 0)
            add_seconds(out, phase_name((enum phase)i), result->phase_ns[i]);
    strbuf_addch(out, '}');
    if (result->ok)
        add_seconds(out, "total_seconds", probe_result_total_ns(result));
    if (result->tcp.known) {
        add_seconds(out, "tcp_min_rtt_seconds", result->tcp.min_rtt_ns);
        add_number(out, "tcp_retransmissions", result->tcp.retransmissions);
    }
    if (result->closed)
        add_text(out, "close", close_outcome_name(result->close));
    if (result->close_number)
        add_number(out, "close_code", result->close_number);
    if (!result->ok) {
        key(out, "failure");
        strbuf_addch(out, '{');
        add_failure(out, &result->failure);
        strbuf_addch(out, '}');
    }
    strbuf_addstr(out, "}\n");
}

static void add_quantiles(struct strbuf *out, const char *name, struct samples *samples) {
    struct quantiles q;
    if (!samples_quantiles(samples, &q))
        return;
    key(out, name);
    strbuf_addch(out, '{');
    add_number(out, "count", samples->count);
    add_seconds(out, "min", q.min_ns);
    add_seconds(out, "median", q.median_ns);
    add_seconds(out, "p99", q.p99_ns);
    add_seconds(out, "max", q.max_ns);
    strbuf_addch(out, '}');
}

static void add_failures(struct strbuf *out, const struct probe_summary *summary) {
    key(out, "failures");
    strbuf_addch(out, '[');
    for (int p = 0; p < PHASE_COUNT; p++)
        for (int f = 0; f < FAILURE_COUNT; f++) {
            if (summary->failures[p][f] == 0)
                continue;
            separate(out);
            strbuf_addch(out, '{');
            add_number(out, "count", summary->failures[p][f]);
            add_failure(out, &summary->last[p][f]);
            strbuf_addch(out, '}');
        }
    strbuf_addch(out, ']');
}

void probe_json_summary(const char *host, struct probe_summary *summary, struct strbuf *out) {
    strbuf_addch(out, '{');
    add_text(out, "type", "summary");
    add_text(out, "host", host);
    add_number(out, "probes", summary->probes);
    add_number(out, "succeeded", summary->succeeded);
    add_number(out, "failed", summary->probes - summary->succeeded);
    add_seconds(out, "duration_seconds", summary->duration_ns);
    key(out, "phase_seconds");
    strbuf_addch(out, '{');
    for (int i = 0; i < PHASE_COUNT; i++)
        add_quantiles(out, phase_name((enum phase)i), &summary->phase[i]);
    strbuf_addch(out, '}');
    add_quantiles(out, "total_seconds", &summary->total);
    key(out, "closes");
    strbuf_addch(out, '{');
    for (int i = 0; i < CLOSE_COUNT; i++)
        if (summary->closes[i])
            add_number(out, close_outcome_name((enum close_outcome)i), summary->closes[i]);
    strbuf_addch(out, '}');
    add_failures(out, summary);
    add_number(out, "tcp_retransmissions", summary->retransmissions);
    add_number(out, "self_aborts", summary->self_aborts);
    add_number(out, "aborts_on_purpose", summary->aborts_on_purpose);
    strbuf_addstr(out, "}\n");
}
