/*
 * The running configuration; see config_page.h.
 */
#include "expose/config_page.h"

#include <stdlib.h>

#define HEAD_BYTES ((size_t)16 << 20)

struct config_page {
    struct strbuf head;
    bool begun;
    size_t next, count;
    struct target *targets[];
};

struct config_page *config_page_begin(const struct config *config, struct target *const *targets, size_t count) {
    struct config_page *page = calloc(1, sizeof *page + count * sizeof(struct target *));
    if (!page)
        return NULL;
    strbuf_init(&page->head, HEAD_BYTES);
    config_print_head(config, &page->head);
    if (count > 0)
        strbuf_addstr(&page->head, "targets:\n");
    page->count = count;
    for (size_t i = 0; i < count; i++)
        page->targets[i] = target_ref(targets[i]);
    return page;
}

bool config_page_next(struct config_page *page, struct strbuf *out, size_t enough) {
    size_t before = out->len;
    if (page->begun && page->next == page->count)
        return false;
    if (!page->begun)
        strbuf_add(out, strbuf_text(&page->head), page->head.len);
    page->begun = true;
    while (page->next < page->count && out->len - before < enough && !strbuf_failed(out))
        config_print_listed(page->targets[page->next++]->config, out);
    return true;
}

void config_page_end(struct config_page *page) {
    if (!page)
        return;
    for (size_t i = 0; i < page->count; i++)
        target_unref(page->targets[i]);
    strbuf_release(&page->head);
    free(page);
}
