/*
 * What `doctor` tells; see doctor_report.h.
 */
#include "cli/doctor_report.h"

#include "base/json.h"
#include "base/number.h"
#include "base/text.h"
#include "explain/ledger.h"
#include "expose/advice_json.h"

#include <math.h>
#include <string.h>

enum {
    TEXT_MAX = 16384,
    LABEL_WIDTH = 10,
    NUMBER_WIDTH = 4,
    FINDING_WIDTH = 13, /* where a finding's texts begin */
    COLUMNS_MIN = 50,
    COLUMNS_MAX = 110, /* longer lines are hard to read */
    BAR_WIDTH = 24,
};

/* --- numbers of the target --- */

struct seen {
    uint64_t probes, probes_failed;
    uint64_t aborts, unexplained; /* since we began; unexplained: so far */
};

static struct seen seen_of(const struct target *target) {
    struct seen seen = {0};
    for (size_t i = 0; i < target->probe_count; i++) {
        seen.probes += target->probes[i].facts.probes;
        seen.probes_failed += target->probes[i].facts.failures;
    }
    for (unsigned counter = COUNTER_CLIENTS; counter <= COUNTER_CONNECTS; counter++) {
        struct ledger_account account;
        if (!ledger_account_of(target, counter, &account))
            continue;
        seen.aborts += account.increase;
        seen.unexplained += account.unexplained + account.pending;
    }
    return seen;
}

enum advice_severity doctor_report_worst(const struct doctor_report *report) {
    size_t count;
    const struct advice *advice = advice_of(report->target, &count);
    return count > 0 ? advice[0].severity : SEVERITY_NONE;
}

/* --- text --- */

static void add_duration(struct strbuf *out, double seconds) {
    number_add_duration(out, (int64_t)seconds * NS_PER_S);
}

/* Words as they fit, the first line at `column`, the others indented to it. */
static void add_wrapped(const struct terminal_style *style, unsigned column, const char *text, struct strbuf *out) {
    unsigned columns = style->columns < COLUMNS_MIN ? COLUMNS_MIN : style->columns;
    columns = columns > COLUMNS_MAX ? COLUMNS_MAX : columns;
    unsigned used = column;
    struct strbuf word;
    strbuf_init(&word, TEXT_MAX);
    while (*text) {
        size_t len = strcspn(text, " ");
        strbuf_reset(&word);
        text_add_terminal(&word, (struct span){text, len}, style->utf8);
        unsigned width = terminal_width(strbuf_text(&word));
        if (used > column && used + 1 + width > columns) {
            strbuf_addch(out, '\n');
            terminal_add_spaces(out, column);
            used = column;
        } else if (used > column) {
            strbuf_addch(out, ' ');
            used++;
        }
        strbuf_addstr(out, strbuf_text(&word));
        used += width;
        text += len;
        text += strspn(text, " ");
    }
    strbuf_addch(out, '\n');
    strbuf_release(&word);
}

static void add_row(const struct terminal_style *style, const char *label, const struct strbuf *text,
                    struct strbuf *out) {
    terminal_add_coloured(style, TERMINAL_DIM, label, out);
    terminal_add_spaces(out, LABEL_WIDTH - terminal_width(label));
    add_wrapped(style, LABEL_WIDTH, strbuf_text(text), out);
}

static void add_server(const struct terminal_style *style, const struct target *target, struct strbuf *out) {
    const struct poll_facts *poll = &target->poll;
    double uptime = target_status(target, "Uptime");
    struct strbuf row;
    strbuf_init(&row, TEXT_MAX);
    strbuf_addstr(&row, poll->version[0] ? poll->version : "not known: it did not answer");
    if (poll->version_comment[0])
        strbuf_addf(&row, ", %s", poll->version_comment);
    if (!isnan(uptime)) {
        strbuf_addstr(&row, ", up ");
        add_duration(&row, uptime);
    }
    add_row(style, "server", &row, out);
    strbuf_release(&row);
}

/* Where the server has such a number. */
static void add_known(struct strbuf *out, const char *before, double value, const char *after) {
    if (!isnan(value))
        strbuf_addf(out, "%s%.0f%s", before, value, after);
}

static void add_load(const struct terminal_style *style, const struct target *target, struct strbuf *out) {
    double connected = target_status(target, "Threads_connected");
    struct strbuf row;
    if (isnan(connected))
        return;
    strbuf_init(&row, TEXT_MAX);
    strbuf_addf(&row, "%.0f", connected);
    add_known(&row, " of ", target_setting(target, "max_connections"), "");
    strbuf_addstr(&row, " connections now");
    add_known(&row, ", at most ", target_status(target, "Max_used_connections"), " since the server's start");
    if (target->sessions && target->evidence[EVIDENCE_SESSIONS] == EVIDENCE_SEEN) {
        const struct session_sums *sums = sessions_sums(target->sessions);
        strbuf_addf(&row, "; %llu of %llu sessions sleep", (unsigned long long)sums->sleeping,
                    (unsigned long long)sums->sessions);
    }
    add_row(style, "load", &row, out);
    strbuf_release(&row);
}

static void add_aborts(const struct terminal_style *style, const struct target *target, struct strbuf *out) {
    double clients = target_status(target, "Aborted_clients");
    struct seen seen = seen_of(target);
    struct strbuf row;
    if (isnan(clients))
        return;
    strbuf_init(&row, TEXT_MAX);
    strbuf_addf(&row, "Aborted_clients %.0f", clients);
    add_known(&row, ", Aborted_connects ", target_status(target, "Aborted_connects"), "");
    strbuf_addf(&row, " since the server's start; %llu while we looked", (unsigned long long)seen.aborts);
    if (seen.aborts > 0)
        strbuf_addf(&row, ", of which %llu without a known cause", (unsigned long long)seen.unexplained);
    add_row(style, "aborted", &row, out);
    strbuf_release(&row);
}

static void add_closes(const struct target *target, struct strbuf *out) {
    const char *between = "; closes: ";
    for (int i = 0; i < CLOSE_COUNT; i++)
        if (target->probes[0].facts.closes[i] > 0) {
            strbuf_addf(out, "%s%llu %s", between, (unsigned long long)target->probes[0].facts.closes[i],
                        close_outcome_name((enum close_outcome)i));
            between = ", ";
        }
}

static void add_log(const struct target *target, struct strbuf *out) {
    const struct log_source_state *state = target->error_log ? log_source_state(target->error_log) : NULL;
    if (!state)
        strbuf_addstr(out, "; error log: not read");
    else if (state->readable)
        strbuf_addf(out, "; error log: %s, %llu new line%s", log_source_name(target->error_log),
                    (unsigned long long)state->lines, state->lines == 1 ? "" : "s");
    else
        strbuf_addstr(out, "; error log: cannot be read");
}

static void add_ours(const struct terminal_style *style, const struct doctor_report *report, struct strbuf *out) {
    const struct target *target = report->target;
    struct seen seen = seen_of(target);
    struct strbuf row;
    strbuf_init(&row, TEXT_MAX);
    add_duration(&row, ns_to_seconds(report->looked_ns));
    strbuf_addf(&row, ": %llu polls (%llu failed), %llu probes (%llu failed)", (unsigned long long)target->poll.polls,
                (unsigned long long)target->poll.failures, (unsigned long long)seen.probes,
                (unsigned long long)seen.probes_failed);
    add_closes(target, &row);
    add_log(target, &row);
    add_row(style, "looked", &row, out);
    strbuf_release(&row);
}

static const char *severity_colour(enum advice_severity severity) {
    static const char *const colours[] = {[SEVERITY_NONE] = NULL,
                                          [SEVERITY_INFO] = "36",
                                          [SEVERITY_WARNING] = "1;33",
                                          [SEVERITY_CRITICAL] = TERMINAL_BAD};
    return colours[severity];
}

static void add_part(const struct terminal_style *style, const char *label, const char *text, struct strbuf *out) {
    terminal_add_spaces(out, NUMBER_WIDTH);
    terminal_add_coloured(style, TERMINAL_DIM, label, out);
    terminal_add_spaces(out, FINDING_WIDTH - NUMBER_WIDTH - terminal_width(label));
    add_wrapped(style, FINDING_WIDTH, text, out);
}

static void add_parts(const struct terminal_style *style, const char *label, const struct advice_texts *texts,
                      struct strbuf *out) {
    for (size_t i = 0; i < texts->count; i++)
        add_part(style, i == 0 ? label : "", texts->texts[i], out);
}

static void add_finding(const struct terminal_style *style, size_t number, const struct advice *advice,
                        struct strbuf *out) {
    struct strbuf anchor;
    strbuf_addf(out, "\n%*zu  ", NUMBER_WIDTH - 2, number);
    terminal_add_coloured(style, severity_colour(advice->severity), advice_severity_name(advice->severity), out);
    terminal_add_spaces(out, FINDING_WIDTH - NUMBER_WIDTH - terminal_width(advice_severity_name(advice->severity)));
    terminal_add_coloured(style, TERMINAL_BOLD, advice->rule->problem, out);
    strbuf_addch(out, '\n');
    add_parts(style, "seen", &advice->finding.evidence, out);
    add_part(style, "change", advice->rule->change, out);
    add_parts(style, "", &advice->finding.changes, out);
    strbuf_init(&anchor, TEXT_MAX);
    strbuf_addf(&anchor, "README.md#advice-%s", advice->rule->id);
    add_part(style, "more", strbuf_text(&anchor), out);
    strbuf_release(&anchor);
}

static void add_counts(const struct advice *advice, size_t count, struct strbuf *out) {
    size_t of[SEVERITY_CRITICAL + 1] = {0};
    const char *between = ": ";
    for (size_t i = 0; i < count; i++)
        of[advice[i].severity]++;
    strbuf_addf(out, "\n%zu finding%s", count, count == 1 ? "" : "s");
    for (int severity = SEVERITY_CRITICAL; severity > SEVERITY_NONE; severity--)
        if (of[severity] > 0) {
            strbuf_addf(out, "%s%zu %s", between, of[severity], advice_severity_name((enum advice_severity)severity));
            between = ", ";
        }
    strbuf_addch(out, '\n');
}

void doctor_report_text(const struct terminal_style *style, const struct doctor_report *report, struct strbuf *out) {
    size_t count;
    const struct advice *advice = advice_of(report->target, &count);
    add_server(style, report->target, out);
    add_load(style, report->target, out);
    add_aborts(style, report->target, out);
    add_ours(style, report, out);
    if (report->target->poll.health == TARGET_UNTRIED) {
        strbuf_addstr(out, "\nThe server has not answered yet: look longer (--for).\n");
        return;
    }
    if (count == 0) {
        strbuf_addstr(out, "\nNothing is wrong, as far as could be seen in this time.\n");
        return;
    }
    add_counts(advice, count, out);
    for (size_t i = 0; i < count; i++)
        add_finding(style, i + 1, &advice[i], out);
}

void doctor_report_progress(const struct terminal_style *style, const struct doctor_report *report, int64_t for_ns,
                            struct strbuf *out) {
    struct seen seen = seen_of(report->target);
    size_t count;
    double share = for_ns > 0 ? fmin((double)report->looked_ns / (double)for_ns, 1) : 1;
    unsigned cells = (unsigned)(share * BAR_WIDTH);
    advice_of(report->target, &count);
    terminal_add_bar(style, "36", cells, out);
    terminal_add_spaces(out, BAR_WIDTH - cells + 1);
    strbuf_addf(out, "%.0f of %.0f s, %llu aborted, %zu finding%s", ns_to_seconds(report->looked_ns),
                ns_to_seconds(for_ns), (unsigned long long)seen.aborts, count, count == 1 ? "" : "s");
}

/* --- JSON --- */

/* Left out where it is not known. */
static void add_json_known(struct strbuf *out, const char *name, double value) {
    if (!isnan(value))
        json_double(out, name, value);
}

static void add_json_server(struct strbuf *out, const struct target *target) {
    json_text(out, "version", target->poll.version);
    json_text(out, "version_comment", target->poll.version_comment);
    add_json_known(out, "uptime_seconds", target_status(target, "Uptime"));
    add_json_known(out, "connections", target_status(target, "Threads_connected"));
    add_json_known(out, "max_connections", target_setting(target, "max_connections"));
    add_json_known(out, "max_used_connections", target_status(target, "Max_used_connections"));
    add_json_known(out, "aborted_clients", target_status(target, "Aborted_clients"));
    add_json_known(out, "aborted_connects", target_status(target, "Aborted_connects"));
}

static void add_json_log(struct strbuf *out, const struct target *target) {
    const struct log_source_state *state = target->error_log ? log_source_state(target->error_log) : NULL;
    if (!state)
        return;
    json_open(out, "error_log", '{');
    json_bool(out, "readable", state->readable);
    json_text(out, "name", log_source_name(target->error_log));
    json_u64(out, "lines", state->lines);
    json_close(out, '}');
}

void doctor_report_json(const struct doctor_report *report, struct strbuf *out) {
    const struct target *target = report->target;
    struct seen seen = seen_of(target);
    strbuf_addch(out, '{');
    json_text(out, "type", "doctor");
    json_text(out, "host", report->host);
    json_seconds(out, "looked_seconds", report->looked_ns);
    add_json_server(out, target);
    json_u64(out, "aborted_while_looking", seen.aborts);
    json_u64(out, "unexplained", seen.unexplained);
    json_u64(out, "polls", target->poll.polls);
    json_u64(out, "polls_failed", target->poll.failures);
    json_u64(out, "probes", seen.probes);
    json_u64(out, "probes_failed", seen.probes_failed);
    add_json_log(out, target);
    advice_json(out, "findings", target);
    json_close(out, '}');
    strbuf_addch(out, '\n');
}
