/*
 * The page of all targets: how many are how, and a list of them, those that need attention first, in pages.
 */
#include "base/clock.h"
#include "expose/status_internal.h"

enum { CAUSES_SHOWN = 3, MODULES_SHOWN = 3 };

static bool log_is_unreadable(const struct target *target) {
    const struct log_source_state *state = target->error_log ? log_source_state(target->error_log) : NULL;
    return state && !state->readable && state->error;
}

enum attention status_attention(const struct target *target) {
    bool untried = target->poll.health == TARGET_UNTRIED;
    size_t count;
    if (target->poll.health == TARGET_DOWN)
        return ATTENTION_DOWN;
    for (size_t i = 0; i < target->probe_count; i++) {
        if (target->probes[i].facts.health == TARGET_DOWN)
            return ATTENTION_DOWN;
        untried |= target->probes[i].facts.health == TARGET_UNTRIED && target->probes[i].module->hold_ns == 0;
    }
    const struct advice *advice = advice_of(target, &count); /* the most severe first */
    if (count > 0 && advice->severity == SEVERITY_CRITICAL)
        return ATTENTION_CRITICAL;
    if (log_is_unreadable(target) || (count > 0 && advice->severity == SEVERITY_WARNING))
        return ATTENTION_WARNING;
    return untried ? ATTENTION_UNSEEN : ATTENTION_NONE;
}

/* --- the sum --- */

static const struct {
    enum attention attention;
    const char *mood, *what;
} tiles[] = {
    {ATTENTION_DOWN, "bad", "down or failing"},   {ATTENTION_CRITICAL, "bad", "critical"},
    {ATTENTION_WARNING, "warn", "with warnings"}, {ATTENTION_UNSEEN, "none", "not tried yet"},
    {ATTENTION_NONE, "good", "all well"},
};

bool status_summary(struct status_page *page, struct strbuf *out) {
    strbuf_addf(out, "<h1>%zu target%s</h1>\n<div class=top data-live id=summary>\n<ul class=tiles>", page->watched,
                page->watched == 1 ? "" : "s");
    for (size_t i = 0; i < sizeof tiles / sizeof *tiles; i++) {
        size_t n = page->by_attention[tiles[i].attention];
        strbuf_addf(out, "<li class=%s><b>%zu</b> %s", n > 0 ? tiles[i].mood : "zero", n, tiles[i].what);
    }
    strbuf_addstr(out, "</ul>\n<p class=asof>As of ");
    html_time(out, page->now_wall_ns);
    strbuf_addstr(out, " UTC. <a href=\"");
    status_add_link(out, page, "", (struct span){0});
    strbuf_addstr(out, "\">Reload</a></div>\n");
    return false;
}

/* --- the list --- */

static const struct {
    const char *title, *class;
} columns[] = {
    {"Target", ""},
    {"State", ""},
    {"Probes", ""},
    {"Ping", "num"},
    {"Close", ""},
    {"Connections", "num"},
    {"Aborts, 1&nbsp;h", "num"},
    {"Explained", "num"},
    {"Error log", ""},
    {"Advice", ""},
};

bool status_targets_head(struct status_page *page, struct strbuf *out) {
    strbuf_addstr(out, "<section aria-labelledby=targets-title>\n<div class=bar><h2 id=targets-title>Targets</h2>\n"
                       "<form id=filter method=get action=\"");
    status_add_path(out, page, page->path);
    strbuf_addstr(out, "\" role=search><label>Find <input type=search name=find id=find value=\"");
    html_text(out, status_given(page, "find"));
    strbuf_addstr(out, "\" placeholder=\"name or address\"></label> <button>Find</button></form></div>\n");
    status_add_legend(out);
    strbuf_addstr(out, "<div data-live id=targets>\n");
    if (page->target_count == 0)
        return false;
    html_table_begin(out, "cards targets", "Watched servers, those that need attention first");
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        html_column(out, columns[i].class, columns[i].title);
    html_rows_begin(out);
    return false;
}

static void add_name(struct strbuf *out, const struct status_page *page, const struct target *target) {
    html_row_head(out);
    strbuf_addstr(out, "<a href=\"");
    status_add_target_link(out, page, target->config->name);
    strbuf_addstr(out, "\">");
    html_name(out, span_of(target->config->name));
    strbuf_addstr(out, "</a><div class=sub>");
    html_name(out, span_of(target->config->address_text));
    if (target->poll.version[0]) {
        strbuf_addstr(out, "<br>");
        html_name(out, span_of(target->poll.version));
    }
    strbuf_addstr(out, "</div>");
}

static void add_probes(struct strbuf *out, const struct target *target) {
    html_cell(out, "probes", "Probes");
    for (size_t i = 0; i < target->probe_count && i < MODULES_SHOWN; i++) {
        const struct probe *probe = &target->probes[i];
        status_add_bars(out, &probe->facts);
        if (target->probe_count > 1) {
            strbuf_addstr(out, "<div class=sub>");
            html_str(out, probe->module->name);
            strbuf_addstr(out, "</div>");
        }
    }
    if (target->probe_count > MODULES_SHOWN)
        strbuf_addf(out, "<div class=sub>and %zu more</div>", target->probe_count - MODULES_SHOWN);
}

static void add_ping(struct strbuf *out, const struct target *target) {
    const struct probe_facts *facts = &target->probes[0].facts;
    html_cell(out, "num", "Ping");
    html_duration(out, facts->health == TARGET_UNTRIED ? -1 : facts->last_phase_ns[PHASE_PING]);
    if (facts->tcp.known) {
        strbuf_addstr(out, "<div class=sub>TCP ");
        html_duration(out, facts->tcp.min_rtt_ns);
        strbuf_addstr(out, "</div>");
    }
}

/* The next of the most frequent causes, each once; -1: there is none. */
static int next_cause(uint64_t counts[CAUSE_COUNT]) {
    int most = -1;
    for (int cause = 0; cause < CAUSE_COUNT; cause++)
        if (counts[cause] > 0 && (most < 0 || counts[cause] > counts[most]))
            most = cause;
    return most;
}

static void add_aborts(struct strbuf *out, const struct target *target) {
    struct advice_recent recent;
    uint64_t all = 0, ever = 0;
    html_cell(out, "num", "Aborts, 1&nbsp;h");
    if (!advice_lately(target, &recent)) {
        strbuf_addstr(out, "–");
        return;
    }
    recent.aborts[CAUSE_SELF] = 0;
    for (int cause = 0; cause < CAUSE_COUNT; cause++) {
        all += recent.aborts[cause];
        ever += cause == CAUSE_SELF ? 0 : status_aborts(target, (enum cause)cause);
    }
    strbuf_addu64(out, all);
    for (int i = 0, cause; i < CAUSES_SHOWN && (cause = next_cause(recent.aborts)) >= 0; i++) {
        strbuf_addf(out, "<div class=sub>%s %llu</div>", cause_name((enum cause)cause),
                    (unsigned long long)recent.aborts[cause]);
        recent.aborts[cause] = 0;
    }
    if (next_cause(recent.aborts) >= 0)
        strbuf_addstr(out, "<div class=sub>…</div>");
    if (ever > 0)
        strbuf_addf(out, "<div class=sub>in all %llu</div>", (unsigned long long)ever);
}

static void add_advice(struct strbuf *out, const struct status_page *page, const struct target *target) {
    size_t count, of[SEVERITY_CRITICAL + 1] = {0};
    const struct advice *advice = advice_of(target, &count);
    html_cell(out, "advised", "Advice");
    for (size_t i = 0; i < count; i++)
        of[advice[i].severity]++;
    if (count == 0) {
        strbuf_addstr(out, "–");
        return;
    }
    strbuf_addstr(out, "<a class=quiet href=\"");
    status_add_target_link(out, page, target->config->name);
    strbuf_addstr(out, "#advice\">");
    for (int severity = SEVERITY_CRITICAL; severity > SEVERITY_NONE; severity--)
        if (of[severity] > 0) {
            html_badge_begin(out, status_mood((enum advice_severity)severity));
            strbuf_addf(out, "%zu&nbsp;%s", of[severity], advice_severity_name((enum advice_severity)severity));
            html_badge_end(out);
            strbuf_addch(out, ' ');
        }
    strbuf_addstr(out, "</a>");
    if (advice->severity >= SEVERITY_WARNING) {
        strbuf_addstr(out, "<div class=sub>");
        html_str(out, advice->rule->problem);
        strbuf_addstr(out, "</div>");
    }
}

static void add_target(struct strbuf *out, const struct status_page *page, const struct target *target) {
    html_row(out);
    add_name(out, page, target);
    html_cell(out, "state", "State");
    status_add_state(out, page, target);
    add_probes(out, target);
    add_ping(out, target);
    html_cell(out, "", "Close");
    status_add_closes(out, &target->probes[0].facts);
    html_cell(out, "num", "Connections");
    status_add_connections(out, target);
    add_aborts(out, target);
    html_cell(out, "num", "Explained");
    status_add_explained(out, target);
    html_cell(out, "", "Error log");
    status_add_log(out, target);
    add_advice(out, page, target);
    strbuf_addch(out, '\n');
}

bool status_targets_row(struct status_page *page, struct strbuf *out) {
    if (page->row < page->target_count)
        add_target(out, page, page->targets[page->row]);
    return page->row + 1 < page->target_count;
}

static void add_page_link(struct strbuf *out, const struct status_page *page, size_t n, const char *text) {
    char number[24];
    int len = snprintf(number, sizeof number, "%zu", n);
    strbuf_addstr(out, "<a href=\"");
    status_add_link(out, page, "page", (struct span){number, (size_t)len});
    strbuf_addf(out, "#targets-title\">%s</a> ", text);
}

bool status_targets_tail(struct status_page *page, struct strbuf *out) {
    size_t number = page->first / STATUS_TARGETS_EACH + 1, last = page->first + page->target_count;
    if (page->target_count > 0)
        html_table_end(out);
    if (page->watched == 0)
        strbuf_addstr(out, "<p class=empty>No server is watched: the configuration names no targets.\n");
    else if (page->target_count == 0)
        strbuf_addstr(out, "<p class=empty>No target is like this.\n");
    if (page->found > STATUS_TARGETS_EACH) {
        strbuf_addf(out, "<nav class=pager aria-label=\"Pages of targets\">%zu to %zu of %zu ",
                    page->target_count > 0 ? page->first + 1 : 0, last, page->found);
        if (number > 1)
            add_page_link(out, page, number - 1, "Previous");
        if (last < page->found && page->target_count > 0)
            add_page_link(out, page, number + 1, "Next");
        strbuf_addstr(out, "</nav>\n");
    }
    strbuf_addstr(out, "</div>\n</section>\n");
    return false;
}
