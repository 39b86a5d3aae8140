/*
 * The status page; see status_page.h.
 */
#include "expose/status_page.h"

#include "base/clock.h"
#include "base/text.h"
#include "explain/advice.h"
#include "explain/event_ring.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { EVENTS = 50 };

enum part { PART_HEAD, PART_TARGETS, PART_ADVICE_HEAD, PART_ADVICE, PART_BETWEEN, PART_EVENTS, PART_TAIL, PART_DONE };

struct status_page {
    const struct exporter_state *state;
    enum part part; /* what comes next, and … */
    size_t row;     /* … which row of it */
    bool advised;   /* there was some advice */
    size_t event_count;
    struct kept_event *events[EVENTS]; /* newest first */
    size_t target_count;
    struct target *targets[];
};

static const char style[] =
    ":root{color-scheme:light "
    "dark;--ink:#1a1c1e;--paper:#fff;--faint:#5c636a;--line:#d8dce0;--good:#126b34;--warn:#8a5300;--bad:#b3261e}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e3e5e7;--paper:#15181b;--faint:#a0a8b0;--line:#353b41;--good:#"
    "6fd08c;"
    "--warn:#ffb951;--bad:#ff8a80}}"
    "body{font:15px/1.5 system-ui,sans-serif;margin:0 auto;max-width:100rem;padding:1rem;color:var(--ink);"
    "background:var(--paper)}"
    "h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}h1 small,.faint{color:var(--faint);font-weight:normal}"
    "a{color:inherit}nav a{margin-right:1rem}"
    ".wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    "th,td{padding:.3rem .7rem .3rem 0;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}"
    "td.number,th.number{text-align:right;white-space:nowrap}td.text{overflow-wrap:anywhere;min-width:8rem}"
    ".good{color:var(--good);font-weight:600}.warn{color:var(--warn);font-weight:600}"
    ".bad{color:var(--bad);font-weight:600}";

struct status_page *status_page_begin(struct target *const *targets, size_t count, const struct exporter_state *state) {
    struct status_page *page = calloc(1, sizeof *page + count * sizeof(struct target *));

    if (!page)
        return NULL;
    page->state = state;
    page->target_count = count;
    for (size_t i = 0; i < count; i++)
        page->targets[i] = target_ref(targets[i]);
    struct kept_event *event = state->events ? event_ring_before(state->events, NULL, 0) : NULL;
    for (; event && page->event_count < EVENTS; event = event_ring_before(state->events, NULL, event->event.id))
        page->events[page->event_count++] = kept_event_ref(event);
    return page;
}

void status_page_end(struct status_page *page) {
    if (!page)
        return;
    for (size_t i = 0; i < page->target_count; i++)
        target_unref(page->targets[i]);
    for (size_t i = 0; i < page->event_count; i++)
        kept_event_unref(page->events[i]);
    free(page);
}

static void add_text(struct strbuf *out, const char *text) {
    text_add_html(out, span_of(text));
}

static void add_cell(struct strbuf *out, const char *text) {
    strbuf_addstr(out, "<td class=text>");
    add_text(out, text);
}

static void add_utc(struct strbuf *out, int64_t wall_ns) {
    time_t seconds = (time_t)(wall_ns / NS_PER_S);
    struct tm tm;
    char text[32];

    if (gmtime_r(&seconds, &tm) && strftime(text, sizeof text, "%Y-%m-%d %H:%M:%SZ", &tm) > 0)
        strbuf_addstr(out, text);
}

static void add_link(const struct exporter_state *state, const char *path, const char *text, struct strbuf *out) {
    strbuf_addstr(out, "<a href=\"");
    add_text(out, state->link_prefix);
    add_text(out, path);
    strbuf_addf(out, "\">%s</a>", text);
}

/* Besides the metrics. */
static const struct {
    const char *path, *text;
} links[] = {
    {"/api/v1/events", "Events"}, {"/api/v1/targets", "Targets"}, {"/api/v1/ledger", "Ledger"},
    {"/config", "Configuration"}, {"/-/healthy", "Health"},       {"/-/ready", "Readiness"},
};

static void add_head(struct status_page *page, struct strbuf *out) {
    strbuf_addstr(out, "<!DOCTYPE html>\n<html lang=en><meta charset=utf-8>"
                       "<meta name=viewport content=\"width=device-width,initial-scale=1\">"
                       "<title>mysqlconn_exporter</title><style>");
    strbuf_addstr(out, style);
    strbuf_addstr(out, "</style>\n<h1>mysqlconn_exporter <small>");
    add_text(out, page->state->version);
    strbuf_addstr(out, "</small></h1>\n<nav>");
    add_link(page->state, page->state->telemetry_path, "Metrics", out);
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
        add_link(page->state, links[i].path, links[i].text, out);
    strbuf_addstr(
        out,
        "</nav>\n"
        "<h2>Targets</h2>\n<div class=wide><table><thead><tr><th>Target<th>Address<th>Polling<th>Module<th>Probing");
    for (int phase = 0; phase < PHASE_COUNT; phase++)
        if (phase != PHASE_HOLD) /* as long as was asked for */
            strbuf_addf(out, "<th class=number>%s", phase_name((enum phase)phase));
    strbuf_addstr(out, "<th class=number>Aborted<th class=number>Refused<th>Error log</thead>\n<tbody>\n");
}

static void add_health(struct strbuf *out, enum target_health health, const struct failure *down) {
    strbuf_addstr(out, "<td class=text>");
    switch (health) {
    case TARGET_UNTRIED:
        strbuf_addstr(out, "<span class=faint>not tried yet</span>");
        break;
    case TARGET_UP:
        strbuf_addstr(out, "<span class=good>up</span>");
        break;
    case TARGET_DOWN:
        strbuf_addf(out, "<span class=bad>down: %s in %s</span> ", failure_name(down->failure),
                    phase_name(down->phase));
        add_text(out, down->text);
        break;
    }
}

static void add_log_state(struct strbuf *out, const struct target *target) {
    const struct log_source_state *state = target->error_log ? log_source_state(target->error_log) : NULL;

    if (!state) {
        strbuf_addstr(out, "<td class=number>–<td class=number>–<td class=\"text faint\">none configured");
        return;
    }
    uint64_t aborts = 0;
    for (int kind = LOG_EVENT_NONE + 1; kind < LOG_EVENT_KIND_COUNT; kind++)
        if (log_event_is_abort((enum log_event_kind)kind))
            aborts += target->log_events[kind];
    strbuf_addf(out, "<td class=number>%llu<td class=number>%llu", (unsigned long long)aborts,
                (unsigned long long)target->log_events[LOG_EVENT_ACCESS_DENIED]);
    if (state->readable)
        strbuf_addf(out, "<td class=text>%llu lines read", (unsigned long long)state->lines);
    else
        strbuf_addf(out, "<td class=text><span class=bad>not readable</span> %s",
                    state->error ? strerror(-state->error) : "");
}

static void add_probe(struct strbuf *out, const struct probe *probe) {
    const struct probe_facts *facts = &probe->facts;

    add_cell(out, probe->module->name);
    add_health(out, facts->health, &facts->down);
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        int64_t ns = facts->last_phase_ns[phase];
        if (phase == PHASE_HOLD)
            continue;
        if (facts->health == TARGET_UNTRIED || ns < 0)
            strbuf_addstr(out, "<td class=number>–");
        else
            strbuf_addf(out, "<td class=number>%.2f ms", ns_to_seconds(ns) * 1000);
    }
}

static void add_target(struct strbuf *out, const struct target *target) {
    strbuf_addstr(out, "<tr><th scope=row>");
    add_text(out, target->config->name);
    add_cell(out, target->config->address_text);
    add_health(out, target->poll.health, &target->poll.down);
    if (target->poll.health == TARGET_UP && target->poll.version[0]) {
        strbuf_addch(out, ' ');
        add_text(out, target->poll.version);
    }
    add_probe(out, &target->probes[0]);
    add_log_state(out, target);
    strbuf_addch(out, '\n');
    for (size_t i = 1; i < target->probe_count; i++) {
        strbuf_addstr(out, "<tr><td colspan=3>");
        add_probe(out, &target->probes[i]);
        strbuf_addstr(out, "<td colspan=3>\n");
    }
}

static void add_advice_head(struct strbuf *out) {
    strbuf_addstr(out, "</table></div>\n<h2>Advice</h2>\n<div class=wide><table><thead><tr><th>Target<th>Severity"
                       "<th>What is wrong<th>Evidence<th>What to change</thead>\n<tbody>\n");
}

static void add_texts(struct strbuf *out, const struct advice_texts *texts) {
    for (size_t i = 0; i < texts->count; i++) {
        strbuf_addstr(out, i > 0 ? "<br>" : "");
        add_text(out, texts->texts[i]);
    }
}

static void add_advice(struct status_page *page, struct strbuf *out, const struct target *target) {
    static const char *const classes[] = {
        [SEVERITY_NONE] = "", [SEVERITY_INFO] = "faint", [SEVERITY_WARNING] = "warn", [SEVERITY_CRITICAL] = "bad"};
    size_t count;
    const struct advice *advice = advice_of(target, &count);
    page->advised |= count > 0;
    for (size_t i = 0; i < count; i++) {
        strbuf_addstr(out, "<tr><th scope=row>");
        add_text(out, target->config->name);
        strbuf_addf(out, "<td><span class=%s>%s</span>", classes[advice[i].severity],
                    advice_severity_name(advice[i].severity));
        add_cell(out, advice[i].rule->problem);
        strbuf_addstr(out, "<td class=text>");
        add_texts(out, &advice[i].finding.evidence);
        add_cell(out, advice[i].rule->change);
        strbuf_addstr(out, advice[i].finding.changes.count > 0 ? "<br>" : "");
        add_texts(out, &advice[i].finding.changes);
        strbuf_addch(out, '\n');
    }
}

static void add_between(struct status_page *page, struct strbuf *out) {
    strbuf_addstr(out, page->advised ? "" : "<tr><td colspan=5 class=faint>None.\n");
    strbuf_addstr(out, "</table></div>\n<h2>Newest aborts and refused logins</h2>\n");
    if (page->event_count == 0)
        strbuf_addstr(out, "<p class=faint>None seen since the start.\n");
    else
        strbuf_addstr(out, "<div class=wide><table><thead><tr><th>Seen<th>Target<th>Cause<th class=number>Connection"
                           "<th>User<th>Host<th>Database<th>Driver<th>Told by</thead>\n<tbody>\n");
}

static void add_span_cell(struct strbuf *out, struct span text) {
    strbuf_addstr(out, "<td class=text>");
    if (text.ptr)
        text_add_html(out, text);
}

static void add_event(struct strbuf *out, const struct kept_event *kept) {
    const struct abort_event *event = &kept->event;

    strbuf_addstr(out, "<tr><td>");
    add_utc(out, event->seen_wall_ns);
    add_cell(out, kept->target);
    strbuf_addf(out, "<td class=text>%s <span class=faint>%s", cause_name(event->cause.cause),
                confidence_name(event->cause.confidence));
    if (event->n > 1)
        strbuf_addf(out, ", %llu times", (unsigned long long)event->n);
    strbuf_addstr(out, "</span><td class=number>");
    if (event->connection_id)
        strbuf_addu64(out, event->connection_id);
    add_span_cell(out, event->user);
    add_span_cell(out, event->host);
    add_span_cell(out, event->db);
    add_span_cell(out, event->driver);
    if (event->driver_version.ptr) {
        strbuf_addch(out, ' ');
        text_add_html(out, event->driver_version);
    }
    strbuf_addf(out, "<td class=text><span class=faint>%s</span> ", fact_source_name(event->source));
    if (event->evidence_count > 0)
        text_add_html(out, event->evidence[0].text);
    strbuf_addch(out, '\n');
}

static void add_tail(struct status_page *page, struct strbuf *out) {
    if (page->event_count > 0)
        strbuf_addstr(out, "</table></div>\n");
    strbuf_addstr(out, "<p class=faint>");
    add_text(out, page->state->client_library);
    strbuf_addstr(out, ", running since ");
    add_utc(out, page->state->start_wall_ns);
    strbuf_addstr(out, "\n</html>\n");
}

/* Write what comes next; false when nothing does. */
static bool step(struct status_page *page, struct strbuf *out) {
    enum part part = page->part;

    switch (part) {
    case PART_HEAD:
        add_head(page, out);
        break;
    case PART_TARGETS:
        if (page->row < page->target_count) {
            add_target(out, page->targets[page->row++]);
            return true;
        }
        break;
    case PART_ADVICE_HEAD:
        add_advice_head(out);
        break;
    case PART_ADVICE:
        if (page->row < page->target_count) {
            add_advice(page, out, page->targets[page->row++]);
            return true;
        }
        break;
    case PART_BETWEEN:
        add_between(page, out);
        break;
    case PART_EVENTS:
        if (page->row < page->event_count) {
            add_event(out, page->events[page->row++]);
            return true;
        }
        break;
    case PART_TAIL:
        add_tail(page, out);
        break;
    case PART_DONE:
        return false;
    }
    page->part = part + 1;
    page->row = 0;
    return true;
}

bool status_page_next(struct status_page *page, struct strbuf *out, size_t enough) {
    size_t start = out->len;
    bool any = false;

    while (out->len - start < enough && !strbuf_failed(out) && step(page, out))
        any = true;
    return any;
}
