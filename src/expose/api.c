/*
 * The API's frame; see api.h: parameters, the envelope, and the walk over the items of a resource.
 */
#include "expose/api.h"

#include "base/json.h"
#include "expose/api_internal.h"

#include <stdlib.h>
#include <string.h>

enum { ERROR_MAX = 2048, STATUS_OK = 200, STATUS_BAD_REQUEST = 400 };

static const struct api_resource *const resources[] = {&api_events, &api_targets, &api_ledger, &api_advice};
enum { RESOURCES = sizeof resources / sizeof(const struct api_resource *) };

static const struct api_resource *find(const char *path) {
    for (size_t i = 0; i < RESOURCES; i++)
        if (strcmp(path, resources[i]->path) == 0)
            return resources[i];
    return NULL;
}

bool api_has(const char *path) {
    return find(path) != NULL;
}

/* --- parameters --- */

static void fail(struct api_page *page, struct span parameter, const char *what) {
    struct strbuf text;
    strbuf_init(&text, ERROR_MAX);
    if (parameter.ptr) {
        strbuf_addstr(&text, "parameter '");
        strbuf_add(&text, parameter.ptr, parameter.len < 100 ? parameter.len : 100);
        strbuf_addstr(&text, "': ");
    }
    strbuf_addstr(&text, what);
    json_open(&page->error, NULL, '{');
    json_text(&page->error, "status", "error");
    json_text(&page->error, "errorType", "bad_data");
    json_span(&page->error, "error", (struct span){text.data, text.len});
    json_close(&page->error, '}');
    strbuf_addch(&page->error, '\n');
    strbuf_release(&text);
    page->resource = NULL;
}

/* The first option is the target. */
static size_t count_options(const struct api_resource *resource) {
    return resource->filtered ? event_option_count : 1;
}

static const struct event_option *find_option(const struct api_resource *resource, struct span name) {
    for (size_t i = 0; i < count_options(resource); i++)
        if (span_is(name, event_options[i].name))
            return &event_options[i];
    return NULL;
}

static bool is_given_before(const struct api_request *request, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (span_equal(request->parameters[i].name, request->parameters[n].name))
            return true;
    return false;
}

static bool take_parameters(struct api_page *page, const struct api_request *request) {
    if (request->too_many) {
        fail(page, (struct span){0}, "too many parameters");
        return false;
    }
    for (size_t i = 0; i < request->parameter_count; i++) {
        const struct api_parameter *p = &request->parameters[i];
        const struct event_option *option = find_option(page->resource, p->name);
        struct strbuf wanted;
        if (!option || is_given_before(request, i)) {
            fail(page, p->name, option ? "given twice" : "there is no such parameter here");
            return false;
        }
        if (option->take(&page->filter, p->value, page->targets, page->target_count))
            continue;
        strbuf_init(&wanted, ERROR_MAX);
        strbuf_addf(&wanted, "wanted is %s", option->form);
        fail(page, p->name, strbuf_text(&wanted));
        strbuf_release(&wanted);
        return false;
    }
    return true;
}

/* --- the page --- */

static void release_targets(struct api_page *page) {
    for (size_t i = 0; i < page->target_count; i++)
        target_unref(page->targets[i]);
    page->target_count = 0;
}

/* What is not asked for. */
static void keep_target(struct api_page *page) {
    struct target *wanted = NULL;
    for (size_t i = 0; i < page->target_count; i++)
        if (page->targets[i] == page->filter.target)
            wanted = target_ref(page->targets[i]);
    release_targets(page);
    page->targets[0] = wanted;
    page->target_count = 1;
}

struct api_page *api_begin(const struct api_request *request) {
    struct api_page *page = calloc(1, sizeof *page + request->target_count * sizeof(struct target *));
    if (!page)
        return NULL;
    strbuf_init(&page->error, ERROR_MAX * 8);
    page->resource = find(request->path);
    page->state = request->state;
    event_filter_init(&page->filter, API_EVENTS_DEFAULT);
    page->target_count = request->target_count;
    for (size_t i = 0; i < page->target_count; i++)
        page->targets[i] = target_ref(request->targets[i]);
    if (!take_parameters(page, request))
        return page;
    if (page->filter.target)
        keep_target(page);
    if (page->resource->begin && !page->resource->begin(page)) {
        api_end(page);
        return NULL;
    }
    return page;
}

unsigned api_status(const struct api_page *page) {
    return page->resource ? STATUS_OK : STATUS_BAD_REQUEST;
}

/* Write what comes next; false when nothing does. */
static bool step(struct api_page *page, struct strbuf *out) {
    if (page->part == API_DONE)
        return false;
    if (!page->resource) {
        strbuf_add(out, page->error.data, page->error.len);
        page->part = API_DONE;
    } else if (page->part == API_HEAD) {
        strbuf_addf(out, "{\"status\":\"success\",\"data\":{\"%s\":[", page->resource->list);
        page->part = API_ITEMS;
    } else {
        size_t start = out->len;
        if (page->item > 0)
            strbuf_addstr(out, ",\n");
        if (page->resource->item(page, out)) {
            page->item++;
            return true;
        }
        strbuf_truncate(out, start);
        strbuf_addch(out, ']');
        if (page->resource->tail)
            page->resource->tail(page, out);
        strbuf_addstr(out, "}}\n");
        page->part = API_DONE;
    }
    return true;
}

bool api_next(struct api_page *page, struct strbuf *out, size_t enough) {
    size_t start = out->len;
    bool any = false;

    while (out->len - start < enough && !strbuf_failed(out) && step(page, out))
        any = true;
    return any;
}

void api_end(struct api_page *page) {
    if (!page)
        return;
    release_targets(page);
    event_list_release(&page->events);
    strbuf_release(&page->error);
    free(page);
}

/* --- the README --- */

static void add_option(struct strbuf *out, const struct event_option *option) {
    strbuf_addf(out, "| | `%s` | %s: %s |\n", option->name, option->meaning, option->form);
}

void api_reference(struct strbuf *out) {
    strbuf_addstr(out, "| Path | Parameter | Meaning |\n|---|---|---|\n");
    for (size_t i = 0; i < RESOURCES; i++) {
        strbuf_addf(out, "| `%s` | | %s |\n", resources[i]->path, resources[i]->meaning);
        for (size_t o = 0; o < count_options(resources[i]); o++)
            add_option(out, &event_options[o]);
    }
    strbuf_addch(out, '\n');
    api_events_reference(out);
}
