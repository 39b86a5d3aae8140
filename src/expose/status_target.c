/*
 * The page of one target: all that is known of it.
 */
#include "base/clock.h"
#include "expose/status_internal.h"

#include <math.h>
#include <string.h>

static void add_term(struct strbuf *out, const char *term) {
    strbuf_addf(out, "<div><dt>%s<dd>", term);
}

static void end_term(struct strbuf *out) {
    strbuf_addstr(out, "</div>\n");
}

static void add_number(struct strbuf *out, const char *term, uint64_t n) {
    add_term(out, term);
    strbuf_addu64(out, n);
    end_term(out);
}

/* --- how it is --- */

static void add_server(const struct status_page *page, struct strbuf *out, const struct target *target) {
    const struct poll_facts *poll = &target->poll;
    add_term(out, "Server");
    html_name(out, poll->version[0] ? span_of(poll->version) : (struct span){0});
    if (poll->version_comment[0]) {
        strbuf_addstr(out, "<div class=sub>");
        html_name(out, span_of(poll->version_comment));
        strbuf_addstr(out, "</div>");
    }
    end_term(out);
    add_term(out, "Started");
    html_time(out, poll->start_wall_ns);
    if (poll->restarts > 0)
        strbuf_addf(out, "<div class=sub>%llu restarts seen</div>", (unsigned long long)poll->restarts);
    end_term(out);
    add_term(out, "Last good poll");
    status_add_ago(out, page, poll->last_success_wall_ns);
    if (poll->failures > 0)
        strbuf_addf(out, "<div class=sub>%llu of %llu failed</div>", (unsigned long long)poll->failures,
                    (unsigned long long)poll->polls);
    end_term(out);
}

bool status_target_state(struct status_page *page, struct strbuf *out) {
    const struct target *target = page->targets[0];
    strbuf_addstr(out, "<p class=up><a href=\"");
    status_add_path(out, page, STATUS_PATH);
    strbuf_addstr(out, "\">All targets</a>\n<h1>");
    html_name(out, span_of(target->config->name));
    strbuf_addstr(out, "</h1>\n<p class=address>");
    html_name(out, span_of(target->config->address_text));
    for (size_t i = 0; i < target->config->label_count; i++) {
        strbuf_addstr(out, " <span class=label>");
        html_str(out, target->config->labels[i].name);
        strbuf_addch(out, '=');
        html_name(out, span_of(target->config->labels[i].value));
        strbuf_addstr(out, "</span>");
    }
    strbuf_addstr(out, "\n<div data-live id=state>\n<div class=state>");
    status_add_state(out, page, target);
    strbuf_addstr(out, "</div>\n<p class=asof>As of ");
    html_time(out, page->now_wall_ns);
    strbuf_addstr(out, " UTC. <a href=\"");
    status_add_link(out, page, "", (struct span){0});
    strbuf_addstr(out, "\">Reload</a>\n<dl class=facts>\n");
    add_server(page, out, target);
    add_term(out, "Connections");
    status_add_connections(out, target);
    end_term(out);
    add_term(out, "Aborts explained");
    status_add_explained(out, target);
    end_term(out);
    add_term(out, "Error log");
    status_add_log(out, target);
    end_term(out);
    strbuf_addstr(out, "</dl></div>\n");
    return false;
}

/* --- probes --- */

struct phase_sum {
    uint64_t all, longest;
    uint32_t n;
};

static struct phase_sum sum_phase(const struct probe_history *history, int phase) {
    struct phase_sum sum = {.n = 0};
    for (uint32_t i = 0; i < history->count; i++) {
        uint64_t us = probe_history_at(history, i)->phase_us[phase];
        if (us == PROBE_NO_PHASE)
            continue;
        sum.all += us;
        sum.n++;
        sum.longest = us > sum.longest ? us : sum.longest;
    }
    return sum;
}

static void add_phases(struct strbuf *out, const struct probe_facts *facts) {
    strbuf_addf(out,
                "<table class=numbers><caption>Phases of the last %u probes</caption>\n<thead><tr><th scope=col>"
                "Phase<th scope=col class=num>Last<th scope=col class=num>Mean<th scope=col class=num>Slowest"
                "</thead>\n<tbody>\n",
                facts->history.count);
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        struct phase_sum sum = sum_phase(&facts->history, phase);
        if (sum.n == 0)
            continue;
        strbuf_addf(out,
                    "<tr><th scope=row><svg class=swatch viewBox=\"0 0 1 1\" aria-hidden=true><rect "
                    "class=\"phase-%s\" width=1 height=1 /></svg>%s<td class=num>",
                    phase_name((enum phase)phase), phase_name((enum phase)phase));
        html_duration(out, facts->last_phase_ns[phase]);
        strbuf_addstr(out, "<td class=num>");
        html_duration(out, (int64_t)(sum.all / sum.n) * NS_PER_US);
        strbuf_addstr(out, "<td class=num>");
        html_duration(out, (int64_t)sum.longest * NS_PER_US);
        strbuf_addch(out, '\n');
    }
    strbuf_addstr(out, "</table>\n");
}

static void add_network(struct strbuf *out, const struct probe_facts *facts) {
    if (facts->address[0]) {
        add_term(out, "Address");
        html_name(out, span_of(facts->address));
        end_term(out);
    }
    if (facts->tcp.known) {
        add_term(out, "TCP round trip");
        html_duration(out, facts->tcp.min_rtt_ns);
        if (facts->tcp_retransmissions > 0)
            strbuf_addf(out, "<div class=sub>%llu segments sent again</div>",
                        (unsigned long long)facts->tcp_retransmissions);
        end_term(out);
    }
    if (facts->tls_version) {
        add_term(out, "TLS");
        html_str(out, facts->tls_version);
        strbuf_addstr(out, "<div class=sub>");
        html_str(out, facts->tls_cipher ? facts->tls_cipher : "");
        strbuf_addstr(out, "</div>");
        end_term(out);
    }
    if (facts->cert_expiry_s != 0) {
        add_term(out, "Certificate until");
        html_time(out, facts->cert_expiry_s * NS_PER_S);
        end_term(out);
    }
}

static void add_failures(const struct status_page *page, struct strbuf *out, const struct probe_history *history) {
    bool any = false;
    for (uint32_t i = 0; i < history->count; i++) {
        const struct past_probe *past = probe_history_at(history, i);
        if (past->failure == FAILURE_NONE)
            continue;
        strbuf_addf(out, "%s<li>%s in %s, ", any ? "" : "<h4>Failed lately</h4>\n<ul class=plain>",
                    failure_name((enum failure_class)past->failure), phase_name((enum phase)past->failed_in));
        status_add_ago(out, page, past->wall_s * NS_PER_S);
        any = true;
    }
    strbuf_addstr(out, any ? "</ul>\n" : "");
}

static void add_probe(const struct status_page *page, struct strbuf *out, const struct probe *probe) {
    const struct probe_facts *facts = &probe->facts;
    strbuf_addstr(out, "<div class=probe>\n<h3>");
    html_name(out, span_of(probe->module->name));
    strbuf_addstr(out, "</h3>\n");
    if (facts->health == TARGET_UNTRIED)
        strbuf_addstr(out, "<p class=empty>Not tried yet.\n");
    status_add_bars(out, facts);
    strbuf_addstr(out, "<div class=beside>");
    if (facts->history.count > 0)
        add_phases(out, facts);
    strbuf_addstr(out, "<dl class=facts>");
    add_term(out, "Closes");
    status_add_closes(out, facts);
    end_term(out);
    add_term(out, "Probes");
    strbuf_addu64(out, facts->probes);
    strbuf_addf(out, "<div class=sub>%llu failed</div>", (unsigned long long)facts->failures);
    end_term(out);
    add_term(out, "Last good probe");
    status_add_ago(out, page, facts->last_success_wall_ns);
    end_term(out);
    for (int verdict = 0; verdict < VERDICT_COUNT; verdict++)
        if (facts->verdicts[verdict] > 0) {
            strbuf_addf(out, "<div><dt>%s<dd>%llu<div class=sub>by %s</div>",
                        close_verdict_name((enum close_verdict)verdict), (unsigned long long)facts->verdicts[verdict],
                        close_verdict_evidence((enum close_verdict)verdict));
            end_term(out);
        }
    add_network(out, facts);
    strbuf_addstr(out, "</dl></div>\n");
    add_failures(page, out, &facts->history);
    strbuf_addstr(out, "</div>\n");
}

bool status_target_probe(struct status_page *page, struct strbuf *out) {
    const struct target *target = page->targets[0];
    if (page->row == 0) {
        status_section_begin(out, "probes", "Probes");
        status_add_legend(out);
    }
    if (page->row < target->probe_count)
        add_probe(page, out, &target->probes[page->row]);
    bool more = page->row + 1 < target->probe_count;
    if (!more)
        status_section_end(out);
    return more;
}

/* --- advice --- */

static void add_texts(struct strbuf *out, const struct advice_texts *texts) {
    for (size_t i = 0; i < texts->count; i++) {
        strbuf_addstr(out, "<li>");
        html_name(out, span_of(texts->texts[i]));
    }
}

static void add_advice(struct strbuf *out, const struct advice *advice) {
    strbuf_addstr(out, "<article class=advice><h3>");
    html_badge(out, status_mood(advice->severity), advice_severity_name(advice->severity));
    strbuf_addch(out, ' ');
    html_str(out, advice->rule->problem);
    strbuf_addstr(out, "</h3>\n<ul>");
    add_texts(out, &advice->finding.evidence);
    strbuf_addstr(out, "</ul>\n<p><b>What to change:</b> ");
    html_str(out, advice->rule->change);
    strbuf_addstr(out, "<ul>");
    add_texts(out, &advice->finding.changes);
    strbuf_addstr(out, "</ul>\n<p class=sub>Since ");
    html_time(out, advice->since_wall_ns);
    strbuf_addf(out, ". More in <code>README.md#advice-%s</code></article>\n", advice->rule->id);
}

bool status_target_advice(struct status_page *page, struct strbuf *out) {
    size_t count;
    const struct advice *advice = advice_of(page->targets[0], &count);
    status_section_begin(out, "advice", "Advice");
    for (size_t i = 0; i < count; i++)
        add_advice(out, &advice[i]);
    if (count == 0)
        strbuf_addstr(out, page->targets[0]->poll.health == TARGET_UP
                               ? "<p class=empty>Nothing to change, as far as can be seen.\n"
                               : "<p class=empty>None.\n");
    status_section_end(out);
    return false;
}

/* --- sessions and settings --- */

/* In the order in which they are shown. */
static const struct {
    const char *name;
    enum { SECONDS, MILLISECONDS, BYTES, NUMBER } unit;
} settings[] = {
    {"wait_timeout", SECONDS},
    {"interactive_timeout", SECONDS},
    {"net_read_timeout", SECONDS},
    {"net_write_timeout", SECONDS},
    {"connect_timeout", SECONDS},
    {"idle_transaction_timeout", SECONDS},
    {"idle_readonly_transaction_timeout", SECONDS},
    {"idle_write_transaction_timeout", SECONDS},
    {"lock_wait_timeout", SECONDS},
    {"max_statement_time", SECONDS},
    {"max_execution_time", MILLISECONDS},
    {"max_allowed_packet", BYTES},
    {"max_connections", NUMBER},
    {"max_user_connections", NUMBER},
    {"max_connect_errors", NUMBER},
    {"back_log", NUMBER},
};

static void add_sessions(struct strbuf *out, const struct target *target) {
    if (target->poll.health != TARGET_UP || target->evidence[EVIDENCE_SESSIONS] != EVIDENCE_SEEN) {
        strbuf_addstr(out, "<p class=empty>Sessions cannot be seen.\n");
        return;
    }
    const struct session_sums *sums = sessions_sums(target->sessions);
    strbuf_addstr(out, "<dl class=facts>\n");
    add_number(out, "Sessions", sums->sessions);
    add_number(out, "Asleep", sums->sleeping);
    add_number(out, "Idle in a transaction", sums->idle_in_transaction);
    add_number(out, "Near wait_timeout", sums->near_timeout);
    add_number(out, "Past wait_timeout", sums->past_timeout);
    strbuf_addstr(out, "</dl>\n");
}

static void add_setting(struct strbuf *out, size_t i, double value) {
    add_term(out, settings[i].name);
    if (settings[i].unit == BYTES)
        html_bytes(out, (uint64_t)value);
    else
        strbuf_addf(out, "%.15g%s", value,
                    settings[i].unit == SECONDS        ? "&nbsp;s"
                    : settings[i].unit == MILLISECONDS ? "&nbsp;ms"
                                                       : "");
    end_term(out);
}

bool status_target_connections(struct status_page *page, struct strbuf *out) {
    const struct target *target = page->targets[0];
    status_section_begin(out, "connections", "Sessions and limits");
    add_sessions(out, target);
    strbuf_addstr(out, "<h3>Timeouts and limits in force</h3>\n");
    if (target->poll.health != TARGET_UP)
        strbuf_addstr(out, "<p class=empty>Not known while the server is not polled.\n");
    strbuf_addstr(out, "<dl class=facts>\n");
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        double value = target_setting(target, settings[i].name);
        if (!isnan(value) && value >= 0)
            add_setting(out, i, value);
    }
    strbuf_addstr(out, "</dl>\n");
    status_section_end(out);
    return false;
}

/* --- what can be seen --- */

static void add_evidence(struct strbuf *out, const struct target *target) {
    strbuf_addstr(out, "<table class=numbers><caption>Evidence</caption>\n<thead><tr><th scope=col>Kind<th scope=col>"
                       "State<th scope=col>What it needs</thead>\n<tbody>\n");
    for (int kind = 0; kind < EVIDENCE_COUNT; kind++) {
        const char *missing = evidence_missing(target->evidence[kind]);
        strbuf_addstr(out, "<tr><th scope=row>");
        html_word(out, evidence_name((enum evidence_kind)kind));
        strbuf_addstr(out, "<td>");
        if (missing)
            html_badge(out, target->evidence[kind] == EVIDENCE_UNSUPPORTED ? MOOD_FAINT : MOOD_WARN, missing);
        else if (target->evidence[kind] == EVIDENCE_SEEN)
            html_badge(out, MOOD_GOOD, "seen");
        else
            html_badge(out, MOOD_FAINT, "not tried");
        strbuf_addstr(out, target->evidence[kind] == EVIDENCE_NO_PRIVILEGE ? "<td>GRANT " : "<td>");
        html_word(out, evidence_privilege((enum evidence_kind)kind));
        strbuf_addch(out, '\n');
    }
    strbuf_addstr(out, "</table>\n");
}

static void add_log(const struct status_page *page, struct strbuf *out, const struct target *target) {
    const struct log_source_state *log = target->error_log ? log_source_state(target->error_log) : NULL;
    strbuf_addstr(out, "<h3>Error log</h3>\n<dl class=facts>\n");
    add_term(out, "State");
    status_add_log(out, target);
    end_term(out);
    if (log) {
        add_term(out, "Source");
        strbuf_addf(out, "%s<div class=sub>", log_kind_name(log->kind));
        html_name(out, span_of(log_source_name(target->error_log)));
        strbuf_addstr(out, "</div>");
        end_term(out);
        add_number(out, "Lines read", log->lines);
        add_term(out, "Last line");
        status_add_ago(out, page, log->last_read_wall_ns);
        end_term(out);
        if (log->gaps > 0)
            add_number(out, "Gaps", log->gaps);
        if (log->missed > 0)
            add_number(out, "Lines missed", log->missed);
    }
    strbuf_addstr(out, "</dl>\n");
}

bool status_target_sight(struct status_page *page, struct strbuf *out) {
    status_section_begin(out, "sight", "What can be seen");
    add_log(page, out, page->targets[0]);
    add_evidence(out, page->targets[0]);
    status_section_end(out);
    return false;
}
