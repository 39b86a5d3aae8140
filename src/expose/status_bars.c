/*
 * The last probes of a target and module as bars, the oldest on the left: each as high as the probe took long, in
 * layers of its phases. What failed is a cross; what took four times as long as usual and more ends in a notch. Drawn
 * here, as SVG: one path for each phase. The colours are the style's.
 */
#include "expose/status_internal.h"

#include <stdlib.h>
#include <string.h>

/* In units of the drawing. */
enum { BAR_WIDTH = 4, BAR_STEP = 5, HEIGHT = 32, CUT_AT = 4 /* times as long as usual */ };

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* What the probes that succeeded took. */
struct totals {
    uint64_t us[PROBE_HISTORY]; /* sorted */
    uint32_t good, failed;
};

static void find_totals(const struct probe_history *history, struct totals *out) {
    *out = (struct totals){.good = 0};
    for (uint32_t i = 0; i < history->count; i++) {
        const struct past_probe *past = probe_history_at(history, i);
        if (past->failure == FAILURE_NONE)
            out->us[out->good++] = past_probe_total_us(past);
        else
            out->failed++;
    }
    qsort(out->us, out->good, sizeof *out->us, compare);
}

static int64_t median_ns(const struct totals *totals) {
    return totals->good > 0 ? (int64_t)totals->us[totals->good / 2] * 1000 : -1;
}

/* How much is as high as the drawing. */
static uint64_t find_top(const struct totals *totals) {
    if (totals->good == 0)
        return 1;
    uint64_t cut = CUT_AT * totals->us[totals->good / 2], longest = totals->us[totals->good - 1];
    uint64_t top = longest < cut ? longest : cut;
    return top > 0 ? top : 1;
}

/* Where the phases before `phase` end, from the bottom. */
static unsigned height_before(const struct past_probe *past, int phase, uint64_t top) {
    uint64_t us = 0;
    for (int i = 0; i < phase; i++)
        if (i != PHASE_HOLD && past->phase_us[i] != PROBE_NO_PHASE)
            us += past->phase_us[i];
    return us >= top ? HEIGHT : (unsigned)(us * HEIGHT / top);
}

static unsigned left_of(uint32_t i) {
    return (PROBE_HISTORY - 1 - i) * BAR_STEP;
}

static void add_phase(struct strbuf *out, const struct probe_history *history, int phase, uint64_t top) {
    size_t start = out->len;
    bool any = false;
    strbuf_addf(out, "<path class=\"phase-%s\" d=\"", phase_name((enum phase)phase));
    for (uint32_t i = 0; i < history->count; i++) {
        const struct past_probe *past = probe_history_at(history, i);
        unsigned low = height_before(past, phase, top), high = height_before(past, phase + 1, top);
        if (past->failure != FAILURE_NONE || high == low)
            continue;
        strbuf_addf(out, "M%u %uv-%uh%dv%uz", left_of(i), HEIGHT - low, high - low, BAR_WIDTH, high - low);
        any = true;
    }
    strbuf_addstr(out, "\"/>");
    if (!any)
        strbuf_truncate(out, start);
}

/* Crosses, and notches in what is cut. */
static void add_marks(struct strbuf *out, const struct probe_history *history, uint64_t top) {
    for (uint32_t i = 0; i < history->count; i++) {
        const struct past_probe *past = probe_history_at(history, i);
        if (past->failure != FAILURE_NONE)
            strbuf_addf(out, "<path class=failed d=\"M%u %dl%d %dm0 -%dl-%d %d\"/>", left_of(i), HEIGHT - 9, BAR_WIDTH,
                        8, 8, BAR_WIDTH, 8);
        else if (past_probe_total_us(past) > top)
            strbuf_addf(out, "<path class=notch d=\"M%u 6l%d -3\"/>", left_of(i), BAR_WIDTH);
    }
}

static void add_label(struct strbuf *out, const struct totals *totals) {
    strbuf_addf(out, "The last %u probes: ", totals->good + totals->failed);
    if (totals->good > 0) {
        strbuf_addstr(out, "median ");
        html_duration(out, median_ns(totals));
        strbuf_addstr(out, ", slowest ");
        html_duration(out, (int64_t)totals->us[totals->good - 1] * 1000);
    }
    if (totals->failed > 0)
        strbuf_addf(out, "%s%u failed", totals->good > 0 ? ", " : "", totals->failed);
}

void status_add_bars(struct strbuf *out, const struct probe_facts *facts) {
    const struct probe_history *history = &facts->history;
    struct totals totals;
    if (history->count == 0)
        return;
    find_totals(history, &totals);
    uint64_t top = find_top(&totals);
    strbuf_addf(out, "<svg class=bars role=img viewBox=\"0 0 %d %d\" preserveAspectRatio=none aria-label=\"",
                PROBE_HISTORY * BAR_STEP - 1, HEIGHT);
    add_label(out, &totals);
    strbuf_addstr(out, "\"><title>");
    add_label(out, &totals);
    strbuf_addstr(out, "</title>");
    for (int phase = 0; phase < PHASE_COUNT; phase++)
        if (phase != PHASE_HOLD)
            add_phase(out, history, phase, top);
    add_marks(out, history, top);
    strbuf_addstr(out, "</svg>");
}

void status_add_legend(struct strbuf *out) {
    strbuf_addstr(out, "<ul class=legend aria-label=\"Colours of the phases\">");
    for (int phase = 0; phase < PHASE_COUNT; phase++)
        if (phase != PHASE_HOLD)
            strbuf_addf(out,
                        "<li><svg class=swatch viewBox=\"0 0 1 1\" aria-hidden=true><rect class=\"phase-%s\" width=1 "
                        "height=1 /></svg>%s",
                        phase_name((enum phase)phase), phase_name((enum phase)phase));
    strbuf_addstr(out, "<li><span class=cross aria-hidden=true>✕</span>failed</ul>\n");
}
