/*
 * What is known of a target in a few words: for its row in the list of all and for its own page.
 */
#include "base/clock.h"
#include "explain/clients.h"
#include "explain/ledger.h"
#include "expose/status_internal.h"

#include <math.h>
#include <string.h>

enum { BEHIND_BYTES = 1 << 20, CROWDED_PERCENT = 85, FULL_PERCENT = 95 };

enum mood status_mood(enum advice_severity severity) {
    static const enum mood moods[] = {[SEVERITY_NONE] = MOOD_FAINT,
                                      [SEVERITY_INFO] = MOOD_INFO,
                                      [SEVERITY_WARNING] = MOOD_WARN,
                                      [SEVERITY_CRITICAL] = MOOD_BAD};
    return moods[severity];
}

void status_add_ago(struct strbuf *out, const struct status_page *page, int64_t wall_ns) {
    if (wall_ns == 0) {
        strbuf_addstr(out, "never");
        return;
    }
    int64_t ago = page->now_wall_ns - wall_ns;
    html_duration(out, ago > 0 ? ago : 0);
    strbuf_addstr(out, " ago");
}

uint64_t status_aborts(const struct target *target, enum cause cause) {
    uint64_t all = 0;
    for (int confidence = 0; confidence <= CONFIDENCE_CERTAIN; confidence++)
        all += clients_aborts(target, cause, (enum confidence)confidence);
    return all;
}

/* --- cells --- */

static void add_why(struct strbuf *out, const struct status_page *page, const char *what, const struct failure *down,
                    int64_t good_wall_ns) {
    strbuf_addstr(out, "<div class=why>");
    html_str(out, what);
    strbuf_addf(out, ": <b>%s</b> in %s", failure_name(down->failure), phase_name(down->phase));
    if (down->text[0]) {
        strbuf_addstr(out, " <span class=said>");
        html_name(out, span_of(down->text));
        strbuf_addstr(out, "</span>");
    }
    strbuf_addstr(out, "<div class=sub>last good: ");
    status_add_ago(out, page, good_wall_ns);
    strbuf_addstr(out, "</div></div>");
}

void status_add_state(struct strbuf *out, const struct status_page *page, const struct target *target) {
    static const char *const words[] = {[TARGET_UNTRIED] = "not tried yet", [TARGET_UP] = "up", [TARGET_DOWN] = "down"};
    static const enum mood moods[] = {[TARGET_UNTRIED] = MOOD_FAINT, [TARGET_UP] = MOOD_GOOD, [TARGET_DOWN] = MOOD_BAD};
    unsigned failing = 0;
    for (size_t i = 0; i < target->probe_count; i++)
        failing += target->probes[i].facts.health == TARGET_DOWN;
    if (failing > 0 && target->poll.health == TARGET_UP)
        html_badge(out, MOOD_BAD, "probe fails");
    else
        html_badge(out, moods[target->poll.health], words[target->poll.health]);
    if (target->poll.health == TARGET_DOWN)
        add_why(out, page, "poll", &target->poll.down, target->poll.last_success_wall_ns);
    for (size_t i = 0; i < target->probe_count; i++) {
        const struct probe *probe = &target->probes[i];
        bool same = target->poll.health == TARGET_DOWN &&
                    memcmp(&target->poll.down, &probe->facts.down, sizeof target->poll.down) == 0;
        if (probe->facts.health == TARGET_DOWN && !same)
            add_why(out, page, probe->module->name, &probe->facts.down, probe->facts.last_success_wall_ns);
    }
}

void status_add_closes(struct strbuf *out, const struct probe_facts *facts) {
    uint64_t all = 0, bad = 0;
    for (int i = 0; i < CLOSE_COUNT; i++)
        all += facts->closes[i];
    bad = all - facts->closes[CLOSE_CLEAN] - facts->closes[CLOSE_NOT_WATCHED];
    if (all == 0)
        strbuf_addstr(out, "–");
    else if (bad == 0)
        html_badge(out, MOOD_GOOD, facts->closes[CLOSE_CLEAN] ? "clean" : "not watched");
    else {
        html_badge_begin(out, MOOD_WARN);
        strbuf_addf(out, "%llu of %llu not clean", (unsigned long long)bad, (unsigned long long)all);
        html_badge_end(out);
    }
    for (int i = 0; i < CLOSE_COUNT; i++)
        if (i != CLOSE_CLEAN && i != CLOSE_NOT_WATCHED && facts->closes[i] > 0)
            strbuf_addf(out, "<div class=sub>%s %llu</div>", close_outcome_name((enum close_outcome)i),
                        (unsigned long long)facts->closes[i]);
    if (facts->verdicts[VERDICT_LOGGED] > 0)
        strbuf_addf(out, "<div class=sub>%s %llu</div>", close_verdict_name(VERDICT_LOGGED),
                    (unsigned long long)facts->verdicts[VERDICT_LOGGED]);
}

/* A meter; the numbers beside it say the same. */
static void add_meter(struct strbuf *out, double share) {
    int percent = share > 1 ? 100 : share > 0 ? (int)lround(share * 100) : 0;
    const char *mood = percent >= FULL_PERCENT ? "bad" : percent >= CROWDED_PERCENT ? "warn" : "good";
    strbuf_addf(out,
                "<svg class=meter viewBox=\"0 0 100 6\" preserveAspectRatio=none aria-hidden=true><rect class=track "
                "width=100 height=6 /><rect class=%s width=%d height=6 /></svg>",
                mood, percent);
}

void status_add_connections(struct strbuf *out, const struct target *target) {
    double connected = target_status(target, "Threads_connected"), max = target_setting(target, "max_connections");
    struct advice_recent recent;
    if (isnan(connected)) {
        strbuf_addstr(out, "–");
        return;
    }
    strbuf_addf(out, "%.0f", connected);
    if (!isnan(max) && max > 0) {
        strbuf_addf(out, " <span class=of>/&nbsp;%.0f</span>", max);
        add_meter(out, connected / max);
    }
    if (advice_lately(target, &recent) && !isnan(recent.most_connections))
        strbuf_addf(out, "<div class=sub>most in 1&nbsp;h %.0f</div>", recent.most_connections);
}

void status_add_explained(struct strbuf *out, const struct target *target) {
    uint64_t settled = 0, open = 0;
    for (unsigned counter = 0; counter < COUNTER_LINED; counter++) {
        uint64_t all, left;
        if (counter != COUNTER_PREAUTH && ledger_settled(target, counter, &all, &left)) {
            settled += all;
            open += left;
        }
    }
    if (ledger_began_wall_ns(target) == 0) {
        strbuf_addstr(out, "–");
    } else if (settled == 0) {
        strbuf_addstr(out, "<span class=sub>nothing yet</span>");
    } else {
        unsigned percent = (unsigned)((settled - open) * 100 / settled);
        strbuf_addf(out, "%u&nbsp;%%<div class=sub>%llu of %llu</div>", percent, (unsigned long long)(settled - open),
                    (unsigned long long)settled);
    }
}

void status_add_log(struct strbuf *out, const struct target *target) {
    const struct log_source_state *state = target->error_log ? log_source_state(target->error_log) : NULL;
    enum log_sight sight = target_log_sight(target);
    if (!state) {
        html_badge(out, MOOD_FAINT, "none");
        return;
    }
    if (!state->readable && state->error) {
        html_badge(out, MOOD_BAD, "not readable");
        strbuf_addf(out, "<div class=sub>%s</div>", log_source_reason(state->error));
        return;
    }
    if (!state->readable) {
        html_badge(out, MOOD_FAINT, "not read yet");
        return;
    }
    if (sight != LOG_SIGHT_GOOD && sight != LOG_SIGHT_UNKNOWN) {
        html_badge(out, MOOD_WARN, "has no aborts");
        strbuf_addf(out, "<div class=sub>%s</div>", log_sight_name(sight));
    } else if (state->behind_bytes > BEHIND_BYTES || state->behind) {
        html_badge(out, MOOD_WARN, "behind");
    } else {
        html_badge(out, MOOD_GOOD, "read");
    }
    if (state->behind_bytes > BEHIND_BYTES) {
        strbuf_addstr(out, "<div class=sub>");
        html_bytes(out, state->behind_bytes);
        strbuf_addstr(out, " behind</div>");
    }
}
