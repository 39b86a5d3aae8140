/*
 * The pages for people: their parameters, their frame, and the walk over their parts; see status_page.h.
 */
#include "expose/status_page.h"

#include "base/clock.h"
#include "base/number.h"
#include "expose/status_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ERROR_MAX = 2048, FOUND_OK = 200, BAD_REQUEST = 400, NOT_FOUND = 404 };

/* --- parameters --- */

struct span status_given(const struct status_page *page, const char *name) {
    for (size_t i = 0; i < page->given_count; i++)
        if (strcmp(page->given[i].name, name) == 0)
            return (struct span){page->given[i].value, page->given[i].len};
    return (struct span){0};
}

static bool is_place(const char *name) {
    return strcmp(name, "cursor") == 0 || strcmp(name, "page") == 0;
}

void status_add_path(struct strbuf *out, const struct status_page *page, const char *path) {
    html_str(out, page->state->link_prefix);
    html_str(out, path);
}

void status_add_link(struct strbuf *out, const struct status_page *page, const char *set, struct span value) {
    const char *before = "?";
    status_add_path(out, page, page->path);
    for (size_t i = 0; i <= page->given_count; i++) {
        bool is_set = i == page->given_count;
        const char *name = is_set ? set : page->given[i].name;
        struct span to = is_set ? value : (struct span){page->given[i].value, page->given[i].len};
        if (!to.ptr || (!is_set && (strcmp(name, set) == 0 || (!is_place(set) && is_place(name)))))
            continue;
        strbuf_addf(out, "%s%s=", before, name);
        html_url_value(out, to);
        before = "&amp;";
    }
}

void status_add_target_link(struct strbuf *out, const struct status_page *page, const char *name) {
    status_add_path(out, page, STATUS_TARGET_PATH);
    strbuf_addstr(out, "?target=");
    html_url_value(out, span_of(name));
}

void status_add_filter_link(const struct status_page *page, struct strbuf *out, const char *name, struct span text) {
    if (!text.ptr || text.len == 0) {
        strbuf_addstr(out, text.ptr ? "(empty)" : "–");
        return;
    }
    strbuf_addstr(out, "<a class=quiet href=\"");
    status_add_link(out, page, name, text);
    strbuf_addstr(out, "#events-title\">");
    html_name(out, text);
    strbuf_addstr(out, "</a>");
}

void status_section_begin(struct strbuf *out, const char *id, const char *title) {
    strbuf_addf(out, "<section data-live id=%s aria-labelledby=%s-title>\n<h2 id=%s-title>%s</h2>\n", id, id, id,
                title);
}

void status_section_end(struct strbuf *out) {
    strbuf_addstr(out, "</section>\n");
}

static void fail(struct status_page *page, struct span name, const char *what, const char *form) {
    if (page->error.len > 0)
        return;
    page->status = BAD_REQUEST;
    strbuf_addstr(&page->error, "Parameter '");
    strbuf_add(&page->error, name.ptr, name.len < 100 ? name.len : 100);
    strbuf_addf(&page->error, "': %s%s.", what, form);
}

/* False when memory is short. */
static bool keep(struct status_page *page, const struct api_parameter *p) {
    struct status_given *given = &page->given[page->given_count];
    given->name = strndup(p->name.ptr, p->name.len);
    given->value = malloc(p->value.len);
    given->len = p->value.len;
    page->given_count++;
    if (!given->name || !given->value)
        return false;
    memcpy(given->value, p->value.ptr, p->value.len);
    return true;
}

static const struct event_option *find_option(struct span name) {
    for (size_t i = 0; i < event_option_count; i++)
        if (span_is(name, event_options[i].name))
            return &event_options[i];
    return NULL;
}

static bool take_parameter(struct status_page *page, const struct api_request *request, const struct api_parameter *p) {
    const struct event_option *option = find_option(p->name);
    if (!option && !span_is(p->name, "find") && !span_is(p->name, "page")) {
        fail(page, p->name, "there is none of this name here", "");
        return true;
    }
    if (p->value.len == 0)
        return true;
    for (size_t i = 0; i < page->given_count; i++)
        if (span_is(p->name, page->given[i].name)) {
            fail(page, p->name, "it is given twice", "");
            return true;
        }
    if (!keep(page, p))
        return false;
    struct span value = status_given(page, page->given[page->given_count - 1].name);
    uint64_t n = 0;
    if (option && !option->take(&page->filter, value, request->targets, request->target_count))
        fail(page, p->name, "wanted is ", option->form);
    else if (span_is(p->name, "page") && (number_parse_u64(value, UINT32_MAX, &n) != 0 || n == 0))
        fail(page, p->name, "wanted is ", "a number from 1 on");
    else if (span_is(p->name, "page"))
        page->first = (size_t)(n - 1) * STATUS_TARGETS_EACH;
    return true;
}

static bool take_parameters(struct status_page *page, const struct api_request *request) {
    if (request->too_many)
        fail(page, span_of("…"), "there are too many", "");
    for (size_t i = 0; i < request->parameter_count; i++)
        if (!take_parameter(page, request, &request->parameters[i]))
            return false;
    return true;
}

/* --- the targets --- */

static bool contains(struct span part, const char *text) {
    size_t len = strlen(text);
    for (size_t i = 0; i + part.len <= len; i++)
        if (strncasecmp(text + i, part.ptr, part.len) == 0)
            return true;
    return false;
}

static bool is_looked_for(struct span part, const struct target *target) {
    return !part.ptr || contains(part, target->config->name) || contains(part, target->config->address_text);
}

/* Those of this page, the ones that need attention first, else in the configuration's order. */
static void choose_targets(struct status_page *page, const struct api_request *request) {
    struct span part = status_given(page, "find");
    size_t place = 0;
    for (size_t i = 0; i < request->target_count; i++)
        page->by_attention[status_attention(request->targets[i])]++;
    page->watched = request->target_count;
    for (int attention = ATTENTIONS - 1; attention >= 0; attention--)
        for (size_t i = 0; i < request->target_count && page->by_attention[attention] > 0; i++) {
            struct target *target = request->targets[i];
            if (status_attention(target) != (enum attention)attention || !is_looked_for(part, target))
                continue;
            if (place >= page->first && page->target_count < STATUS_TARGETS_EACH)
                page->targets[page->target_count++] = target_ref(target);
            place++;
        }
    page->found = place;
}

static void choose_target(struct status_page *page) {
    if (page->filter.target)
        page->targets[page->target_count++] = target_ref(page->filter.target);
    else
        page->status = NOT_FOUND;
}

/* --- the frame --- */

static void add_link(const struct status_page *page, const char *path, const char *text, struct strbuf *out) {
    strbuf_addstr(out, "<a href=\"");
    status_add_path(out, page, path);
    strbuf_addf(out, "\">%s</a>\n", text);
}

/* Besides the metrics. */
static const struct {
    const char *path, *text;
} links[] = {
    {"/api/v1/events", "Events"}, {"/api/v1/targets", "Targets"}, {"/api/v1/ledger", "Ledger"},
    {"/config", "Configuration"}, {"/-/healthy", "Health"},       {"/-/ready", "Readiness"},
};

static void add_title(const struct status_page *page, struct strbuf *out) {
    size_t down = page->by_attention[ATTENTION_DOWN];
    if (strcmp(page->path, STATUS_TARGET_PATH) == 0 && page->target_count > 0) {
        html_str(out, page->targets[0]->config->name);
        strbuf_addstr(out, " – ");
    } else if (down > 0) {
        strbuf_addf(out, "%zu down – ", down);
    }
    strbuf_addstr(out, "mysqlconn_exporter");
}

static void add_asset(const struct status_page *page, struct strbuf *out, const char *before, const char *path,
                      const char *after) {
    strbuf_addstr(out, before);
    status_add_path(out, page, path);
    strbuf_addstr(out, after);
}

static bool head(struct status_page *page, struct strbuf *out) {
    strbuf_addstr(out, "<!DOCTYPE html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
                       "<meta name=viewport content=\"width=device-width,initial-scale=1\">\n"
                       "<meta name=color-scheme content=\"light dark\">\n<title>");
    add_title(page, out);
    add_asset(page, out, "</title>\n<link rel=icon href=\"", "/static/icon.svg", "\">\n");
    add_asset(page, out, "<link rel=stylesheet href=\"", "/static/status.css", "\">\n");
    add_asset(page, out, "<script defer src=\"", "/static/status.js", "\"></script>\n</head>\n<body>\n");
    add_asset(page, out, "<a class=skip href=\"#main\">Skip to the content</a>\n<header>\n<p class=brand><a href=\"",
              STATUS_PATH, "\">mysqlconn_exporter</a> <small>");
    html_str(out, page->state->version);
    strbuf_addstr(out, "</small>\n<nav aria-label=Pages>\n");
    add_link(page, page->state->telemetry_path, "Metrics", out);
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
        add_link(page, links[i].path, links[i].text, out);
    strbuf_addstr(out, "</nav>\n</header>\n<main id=main tabindex=-1>\n");
    if (page->error.len > 0) {
        strbuf_addstr(out, "<p class=error role=alert>");
        html_text(out, (struct span){page->error.data, page->error.len});
        strbuf_addch(out, '\n');
    }
    return false;
}

static bool no_such_target(struct status_page *page, struct strbuf *out) {
    strbuf_addstr(out, "<h1>No such target</h1>\n<p>There is no target of this name. <a href=\"");
    status_add_path(out, page, STATUS_PATH);
    strbuf_addstr(out, "\">All targets</a>\n");
    return false;
}

static bool tail(struct status_page *page, struct strbuf *out) {
    strbuf_addstr(out, "</main>\n<footer><p>");
    html_str(out, page->state->client_library);
    strbuf_addstr(out, ", running since ");
    html_time(out, page->state->start_wall_ns);
    strbuf_addstr(out, ". All times are UTC.</footer>\n</body>\n</html>\n");
    return false;
}

/* --- the walk --- */

static status_part *const overview[] = {
    head,
    status_summary,
    status_targets_head,
    status_targets_row,
    status_targets_tail,
    status_events_head,
    status_events_row,
    status_events_tail,
    tail,
    NULL,
};
static status_part *const one_target[] = {
    head,
    status_target_state,
    status_target_probe,
    status_target_advice,
    status_target_aborts,
    status_target_connections,
    status_target_sight,
    status_events_head,
    status_events_row,
    status_events_tail,
    tail,
    NULL,
};
static status_part *const nothing[] = {head, no_such_target, tail, NULL};

static bool prepare(struct status_page *page, const struct api_request *request) {
    if (!take_parameters(page, request))
        return false;
    bool is_overview = strcmp(request->path, STATUS_TARGET_PATH) != 0;
    page->path = is_overview ? STATUS_PATH : STATUS_TARGET_PATH;
    if (is_overview)
        choose_targets(page, request);
    else
        choose_target(page);
    page->parts = is_overview ? overview : page->target_count > 0 ? one_target : nothing;
    if (!page->state->events || page->error.len > 0)
        return true;
    return event_list_make(&page->events, &page->filter, page->state->events);
}

struct status_page *status_page_begin(const struct api_request *request) {
    struct status_page *page = calloc(1, sizeof *page + STATUS_TARGETS_EACH * sizeof(struct target *));
    if (!page)
        return NULL;
    page->state = request->state;
    page->status = FOUND_OK;
    page->now_wall_ns = wall_now_ns();
    strbuf_init(&page->error, ERROR_MAX);
    event_filter_init(&page->filter, STATUS_EVENTS_EACH);
    if (prepare(page, request))
        return page;
    status_page_end(page);
    return NULL;
}

unsigned status_page_status(const struct status_page *page) {
    return page->status;
}

/* Write what comes next; false when nothing does. */
static bool step(struct status_page *page, struct strbuf *out) {
    if (!*page->parts)
        return false;
    if ((*page->parts)(page, out)) {
        page->row++;
    } else {
        page->parts++;
        page->row = 0;
    }
    return true;
}

bool status_page_next(struct status_page *page, struct strbuf *out, size_t enough) {
    size_t start = out->len;
    bool any = false;

    while (out->len - start < enough && !strbuf_failed(out) && step(page, out))
        any = true;
    return any;
}

void status_page_end(struct status_page *page) {
    if (!page)
        return;
    for (size_t i = 0; i < page->target_count; i++)
        target_unref(page->targets[i]);
    event_list_release(&page->events);
    for (size_t i = 0; i < page->given_count; i++) {
        free(page->given[i].name);
        free(page->given[i].value);
    }
    strbuf_release(&page->error);
    free(page);
}
