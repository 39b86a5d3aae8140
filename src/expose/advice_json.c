/*
 * Advice as JSON; see advice_json.h.
 */
#include "expose/advice_json.h"

#include "base/json.h"
#include "explain/advice.h"

static void add_texts(struct strbuf *out, const char *name, const char *first, const struct advice_texts *texts) {
    json_open(out, name, '[');
    if (first)
        json_text(out, NULL, first);
    for (size_t i = 0; i < texts->count; i++)
        json_text(out, NULL, texts->texts[i]);
    json_close(out, ']');
}

static void add_advice(struct strbuf *out, const struct advice *advice) {
    const struct advice_rule *rule = advice->rule;
    struct strbuf anchor;
    strbuf_init(&anchor, 256);
    strbuf_addf(&anchor, "README.md#advice-%s", rule->id);
    json_open(out, NULL, '{');
    json_text(out, "rule", rule->id);
    json_text(out, "severity", advice_severity_name(advice->severity));
    json_time(out, "since", advice->since_wall_ns);
    json_text(out, "problem", rule->problem);
    add_texts(out, "evidence", NULL, &advice->finding.evidence);
    add_texts(out, "change", rule->change, &advice->finding.changes);
    json_text(out, "runbook", strbuf_text(&anchor));
    json_close(out, '}');
    strbuf_release(&anchor);
}

void advice_json(struct strbuf *out, const char *name, const struct target *target) {
    size_t count;
    const struct advice *advice = advice_of(target, &count);
    json_open(out, name, '[');
    for (size_t i = 0; i < count; i++)
        add_advice(out, &advice[i]);
    json_close(out, ']');
}
