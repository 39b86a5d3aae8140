/*
 * /probe with debug=true; see look_page.h.
 */
#include "expose/look_page.h"

#include "base/clock.h"
#include "base/number.h"
#include "base/text.h"
#include "expose/render.h"

#include <math.h>

static void add_field(struct strbuf *out, const char *name, const char *value) {
    if (!value || !*value)
        return;
    strbuf_addf(out, " %s=", name);
    text_add_logfmt(out, span_of(value));
}

static void add_duration(struct strbuf *out, const char *name, int64_t ns) {
    strbuf_addf(out, " %s=", name);
    number_add_double(out, round((double)ns / NS_PER_US) / 1000);
    strbuf_addstr(out, "ms");
}

static void add_outcome(struct strbuf *out, enum target_health health, const struct failure *down) {
    static const char *const outcomes[] = {
        [TARGET_UNTRIED] = "not tried", [TARGET_UP] = "succeeded", [TARGET_DOWN] = "failed"};
    add_field(out, "outcome", outcomes[health]);
    if (health != TARGET_DOWN)
        return;
    add_field(out, "phase", phase_name(down->phase));
    add_field(out, "reason", failure_name(down->failure));
    if (down->code)
        strbuf_addf(out, " code=%d", down->code);
    add_field(out, "error", down->text);
}

static void add_poll(struct strbuf *out, const struct poll_facts *poll) {
    strbuf_addstr(out, "operation=poll");
    add_outcome(out, poll->health, &poll->down);
    if (poll->health == TARGET_UP) {
        add_field(out, "version", poll->version);
        add_duration(out, "duration", poll->last_duration_ns);
    }
    strbuf_addch(out, '\n');
}

static void add_probe(struct strbuf *out, const struct probe *probe) {
    const struct probe_facts *facts = &probe->facts;
    strbuf_addstr(out, "operation=probe");
    add_field(out, "module", probe->module->name);
    add_field(out, "address", facts->address);
    if (facts->connection_id)
        strbuf_addf(out, " connection_id=%llu", (unsigned long long)facts->connection_id);
    add_field(out, "tls", facts->tls_version);
    add_field(out, "cipher", facts->tls_cipher);
    add_field(out, "auth_plugin", facts->auth_plugin);
    add_outcome(out, facts->health, &facts->down);
    strbuf_addch(out, '\n');
    for (int i = 0; i < PHASE_COUNT; i++)
        if (facts->last_phase_ns[i] >= 0) {
            strbuf_addf(out, "operation=probe phase=%s", phase_name((enum phase)i));
            add_duration(out, "duration", facts->last_phase_ns[i]);
            strbuf_addch(out, '\n');
        }
    for (int i = 0; i < CLOSE_COUNT; i++)
        if (facts->closes[i] > 0)
            strbuf_addf(out, "operation=probe close=%s\n", close_outcome_name((enum close_outcome)i));
}

static void add_metrics(struct strbuf *out, struct target *target) {
    struct render *render = render_begin_look(target, FORMAT_TEXT);
    while (render && render_next(render, out, SIZE_MAX))
        ;
    render_end(render);
}

void look_page_debug(struct target *target, struct strbuf *out) {
    strbuf_addstr(out, "Logs for the probe:\n");
    add_poll(out, &target->poll);
    for (size_t i = 0; i < target->probe_count; i++)
        add_probe(out, &target->probes[i]);
    strbuf_addstr(out, "\n\nMetrics that would have been returned:\n");
    add_metrics(out, target);
    strbuf_addstr(out, "\n\nModule configuration:\n");
    config_print_target(target->config, out);
}
