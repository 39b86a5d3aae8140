/*
 * /sd; see sd_page.h.
 */
#include "expose/sd_page.h"

#include "base/json.h"

#include <stdlib.h>

enum { GROUP_MAX = 1 << 20 };

struct sd_page {
    size_t next, count;
    bool begun, ended;
    struct target *targets[];
};

struct sd_page *sd_page_begin(struct target *const *targets, size_t count) {
    struct sd_page *page = calloc(1, sizeof *page + count * sizeof(struct target *));
    if (!page)
        return NULL;
    page->count = count;
    for (size_t i = 0; i < count; i++)
        page->targets[i] = target_ref(targets[i]);
    return page;
}

/* Built apart: json.h sees by the last byte whether a comma is due, and pieces begin without one. */
static void add_target(struct strbuf *out, const struct target_config *config, bool first) {
    struct strbuf group;
    strbuf_init(&group, GROUP_MAX);
    json_open(&group, NULL, '{');
    json_open(&group, "targets", '[');
    json_text(&group, NULL, config->address_text);
    json_close(&group, ']');
    json_open(&group, "labels", '{');
    json_text(&group, "target", config->name);
    for (size_t i = 0; i < config->label_count; i++)
        json_text(&group, config->labels[i].name, config->labels[i].value);
    json_close(&group, '}');
    json_close(&group, '}');
    strbuf_addstr(out, first ? "\n" : ",\n");
    strbuf_add(out, group.data, group.len);
    strbuf_release(&group);
}

bool sd_page_next(struct sd_page *page, struct strbuf *out, size_t enough) {
    size_t start = out->len;
    if (page->ended)
        return false;
    if (page->next == 0)
        strbuf_addch(out, '[');
    while (page->next < page->count && out->len - start < enough && !strbuf_failed(out)) {
        const struct target_config *config = page->targets[page->next++]->config;
        if (config->address.socket)
            continue;
        add_target(out, config, !page->begun);
        page->begun = true;
    }
    if (page->next < page->count)
        return true;
    strbuf_addstr(out, "\n]\n");
    page->ended = true;
    return true;
}

void sd_page_end(struct sd_page *page) {
    if (!page)
        return;
    for (size_t i = 0; i < page->count; i++)
        target_unref(page->targets[i]);
    free(page);
}
