/*
 * The newest aborts on the pages for people, and the form that filters them.
 */
#include "base/clock.h"
#include "expose/status_internal.h"

#include <string.h>

static bool is_of_all(const struct status_page *page) {
    return strcmp(page->path, STATUS_PATH) == 0;
}

/* --- the form --- */

static void add_option(struct strbuf *out, struct span chosen, const char *name) {
    strbuf_addf(out, "<option%s>%s", span_is(chosen, name) ? " selected" : "", name);
}

static void add_choice(const struct status_page *page, struct strbuf *out, const char *name, const char *title,
                       const char *(*name_of)(int), int count) {
    struct span chosen = status_given(page, name);
    strbuf_addf(out, "<label>%s <select form=filter name=%s id=filter-%s><option value=\"\">all", title, name, name);
    for (int i = 0; i < count; i++)
        add_option(out, chosen, name_of(i));
    strbuf_addstr(out, "</select></label>\n");
}

static void add_input(const struct status_page *page, struct strbuf *out, const char *name, const char *title) {
    strbuf_addf(out, "<label>%s <input form=filter name=%s id=filter-%s value=\"", title, name, name);
    html_text(out, status_given(page, name));
    strbuf_addstr(out, "\" autocomplete=off spellcheck=false></label>\n");
}

static const char *name_of_cause(int cause) {
    return cause_name((enum cause)cause);
}

static const char *name_of_confidence(int confidence) {
    return confidence_name((enum confidence)confidence);
}

static void add_form(const struct status_page *page, struct strbuf *out) {
    if (!is_of_all(page)) {
        strbuf_addstr(out, "<form id=filter method=get action=\"");
        status_add_path(out, page, page->path);
        strbuf_addstr(out, "\"><input type=hidden name=target value=\"");
        html_text(out, status_given(page, "target"));
        strbuf_addstr(out, "\"></form>\n");
    }
    strbuf_addstr(out, "<div class=filter role=search aria-label=\"Filter the events\">\n");
    if (is_of_all(page))
        add_input(page, out, "target", "Target");
    add_choice(page, out, "cause", "Cause", name_of_cause, CAUSE_COUNT);
    add_choice(page, out, "confidence", "Confidence", name_of_confidence, CONFIDENCE_CERTAIN + 1);
    add_input(page, out, "user", "User");
    add_input(page, out, "host", "Host");
    strbuf_addstr(out, "<button form=filter>Filter</button> <a href=\"");
    if (is_of_all(page))
        status_add_path(out, page, page->path);
    else
        status_add_target_link(out, page, page->targets[0]->config->name);
    strbuf_addstr(out, "\">Clear</a></div>\n");
}

/* --- the list --- */

static const struct {
    const char *title, *class;
    bool of_all; /* not on the page of one target */
} columns[] = {
    {"Seen", "", false},   {"Target", "", true},         {"Cause", "", false},         {"Confidence", "", false},
    {"Client", "", false}, {"Connection", "num", false}, {"What is known", "", false},
};

bool status_events_head(struct status_page *page, struct strbuf *out) {
    strbuf_addstr(out, "<section aria-labelledby=events-title>\n<h2 id=events-title>Newest aborts and refused "
                       "logins</h2>\n");
    add_form(page, out);
    strbuf_addstr(out, "<div data-live id=events>\n");
    if (page->events.count == 0)
        return false;
    html_table_begin(out, "cards events", "Aborts and refused logins, the newest first");
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        if (!columns[i].of_all || is_of_all(page))
            html_column(out, columns[i].class, columns[i].title);
    html_rows_begin(out);
    return false;
}

static void add_cause(const struct status_page *page, struct strbuf *out, const struct abort_event *event) {
    static const char *const signs[] = {
        [CONFIDENCE_UNKNOWN] = "none", [CONFIDENCE_LIKELY] = "half", [CONFIDENCE_CERTAIN] = "full"};
    html_cell(out, "cause", "Cause");
    strbuf_addstr(out, "<b>");
    status_add_filter_link(page, out, "cause", span_of(cause_name(event->cause.cause)));
    strbuf_addstr(out, "</b>");
    if (event->n > 1)
        strbuf_addf(out, " ×&nbsp;%llu", (unsigned long long)event->n);
    html_cell(out, "", "Confidence");
    strbuf_addf(out, "<span class=\"sure %s\">%s</span>", signs[event->cause.confidence],
                confidence_name(event->cause.confidence));
}

static void add_client(const struct status_page *page, struct strbuf *out, const struct abort_event *event) {
    html_cell(out, "client", "Client");
    if (!event->user.ptr && !event->host.ptr)
        strbuf_addstr(out, "<span class=sub>not known</span>");
    if (event->user.ptr)
        status_add_filter_link(page, out, "user", event->user);
    if (event->host.ptr) {
        strbuf_addstr(out, "<span class=at>@</span>");
        status_add_filter_link(page, out, "host", event->host);
    }
    if (event->db.ptr && event->db.len > 0) {
        strbuf_addstr(out, "<div class=sub>database ");
        html_name(out, event->db);
        strbuf_addstr(out, "</div>");
    }
    if (event->driver.ptr && event->driver.len > 0) {
        strbuf_addstr(out, "<div class=sub>");
        html_name(out, event->driver);
        strbuf_addch(out, ' ');
        if (event->driver_version.ptr)
            html_name(out, event->driver_version);
        strbuf_addstr(out, "</div>");
    }
}

static void add_connection(struct strbuf *out, const struct abort_event *event) {
    html_cell(out, "num", "Connection");
    if (event->connection_id)
        strbuf_addu64(out, event->connection_id);
    else
        strbuf_addstr(out, "–");
    if (event->idle_ns >= 0) {
        strbuf_addstr(out, "<div class=sub>idle ");
        html_duration(out, event->idle_ns);
        strbuf_addstr(out, "</div>");
    }
}

static void add_evidence(struct strbuf *out, const struct abort_evidence *evidence) {
    strbuf_addf(out, "<li><span class=sub>%s</span> ", fact_source_name(evidence->source));
    html_name(out, evidence->text);
}

static void add_possible(struct strbuf *out, const struct abort_event *event) {
    const char *before = "<li><span class=sub>possible</span> ";
    for (unsigned cause = 0; cause < CAUSE_COUNT; cause++)
        if (event->cause.possible & UINT32_C(1) << cause && cause != event->cause.cause) {
            strbuf_addf(out, "%s%s", before, cause_name((enum cause)cause));
            before = ", ";
        }
}

static void add_known(struct strbuf *out, const struct abort_event *event) {
    html_cell(out, "known", "What is known");
    strbuf_addf(out, "<details id=event-%llu><summary>", (unsigned long long)event->id);
    if (event->evidence_count > 0)
        html_name(out, event->evidence[0].text);
    else
        strbuf_addf(out, "told by %s", fact_source_name(event->source));
    strbuf_addstr(out, "</summary><ul>");
    for (unsigned i = 0; i < event->evidence_count; i++)
        add_evidence(out, &event->evidence[i]);
    add_possible(out, event);
    strbuf_addf(out, "<li><span class=sub>meaning</span> %s", cause_meaning(event->cause.cause));
    strbuf_addf(out, "<li><span class=sub>what to do</span> %s</ul></details>", cause_advice(event->cause.cause));
}

static void add_event(const struct status_page *page, struct strbuf *out, const struct kept_event *kept) {
    const struct abort_event *event = &kept->event;
    html_row(out);
    html_cell(out, "when", "Seen");
    html_time(out, event->seen_wall_ns);
    if (is_of_all(page)) {
        html_cell(out, "from", "Target");
        strbuf_addstr(out, "<a class=quiet href=\"");
        status_add_target_link(out, page, kept->target);
        strbuf_addstr(out, "\">");
        html_name(out, span_of(kept->target));
        strbuf_addstr(out, "</a>");
    }
    add_cause(page, out, event);
    add_client(page, out, event);
    add_connection(out, event);
    add_known(out, event);
    strbuf_addch(out, '\n');
}

bool status_events_row(struct status_page *page, struct strbuf *out) {
    if (page->row < page->events.count)
        add_event(page, out, page->events.at[page->row]);
    return page->row + 1 < page->events.count;
}

/* The same events for programs. */
static void add_json_link(const struct status_page *page, struct strbuf *out) {
    const char *before = "?";
    strbuf_addstr(out, "<a href=\"");
    status_add_path(out, page, "/api/v1/events");
    for (size_t i = 0; i < page->given_count; i++) {
        const struct status_given *given = &page->given[i];
        if (strcmp(given->name, "find") == 0 || strcmp(given->name, "page") == 0)
            continue;
        strbuf_addf(out, "%s%s=", before, given->name);
        html_url_value(out, (struct span){given->value, given->len});
        before = "&amp;";
    }
    strbuf_addstr(out, "\">as JSON</a> ");
}

bool status_events_tail(struct status_page *page, struct strbuf *out) {
    if (page->events.count > 0)
        html_table_end(out);
    else if (page->error.len > 0)
        strbuf_addstr(out, "<p class=empty>No events are shown: a parameter is wrong.\n");
    else if (page->filter.before > 0 || page->given_count > (is_of_all(page) ? 0 : 1))
        strbuf_addstr(out, "<p class=empty>No event is like this.\n");
    else
        strbuf_addstr(out, "<p class=empty>None seen since the start.\n");
    strbuf_addstr(out, "<p class=pager>");
    if (page->events.next > 0) {
        char number[24];
        int len = snprintf(number, sizeof number, "%llu", (unsigned long long)page->events.next);
        strbuf_addstr(out, "<a href=\"");
        status_add_link(out, page, "cursor", (struct span){number, (size_t)len});
        strbuf_addstr(out, "#events-title\">Older</a> ");
    }
    if (page->error.len == 0)
        add_json_link(page, out);
    strbuf_addstr(out, "</div>\n</section>\n");
    return false;
}
