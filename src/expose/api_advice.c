/*
 * /api/v1/advice: which rules are raised for each target, with their evidence.
 */
#include "base/json.h"
#include "expose/advice_json.h"
#include "expose/api_internal.h"

static bool item(const struct api_page *page, struct strbuf *out) {
    if (page->item >= page->target_count)
        return false;
    const struct target *target = page->targets[page->item];
    strbuf_addch(out, '{');
    json_text(out, "target", target->config->name);
    advice_json(out, "findings", target);
    json_close(out, '}');
    return true;
}

const struct api_resource api_advice = {
    .path = "/api/v1/advice",
    .list = "advice",
    .meaning =
        "Of each target, `findings`: the rules of advice that are raised, the most severe first, each with its "
        "`rule`, `severity`, raised `since`, what is the `problem`, the `evidence` and what to `change` (texts), "
        "and the place in the README (`runbook`).",
    .item = item,
};
