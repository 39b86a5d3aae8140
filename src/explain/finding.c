/*
 * The texts of a finding; see finding.h.
 */
#include "explain/finding.h"

#include "base/strbuf.h"

#include <stdarg.h>
#include <stdlib.h>

#define TEXT_MAX 4096

static void add_text(struct advice_texts *texts, const char *format, va_list ap) __attribute__((format(printf, 2, 0)));
static void add_text(struct advice_texts *texts, const char *format, va_list ap) {
    struct strbuf text;
    strbuf_init(&text, TEXT_MAX);
    strbuf_addvf(&text, format, ap);
    char *detached = texts->count < ADVICE_TEXTS_MAX ? strbuf_detach(&text) : NULL;
    if (detached)
        texts->texts[texts->count++] = detached;
    strbuf_release(&text);
}

void finding_add_evidence(struct finding *finding, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    add_text(&finding->evidence, format, ap);
    va_end(ap);
}

void finding_add_change(struct finding *finding, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    add_text(&finding->changes, format, ap);
    va_end(ap);
}

static void texts_release(struct advice_texts *texts) {
    for (size_t i = 0; i < texts->count; i++)
        free(texts->texts[i]);
    texts->count = 0;
}

void finding_release(struct finding *finding) {
    texts_release(&finding->evidence);
    texts_release(&finding->changes);
}
