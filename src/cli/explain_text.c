/*
 * Error logs for people; see explain_text.h.
 */
#include "cli/explain_text.h"

#include "base/clock.h"
#include "base/text.h"
#include "base/time_zone.h"

#include <string.h>

#define CELL_MAX 256
#define SAFE_MAX 4096 /* bytes of a foreign text that was made safe */
#define COUNT_WIDTH 12
#define SHARE_WIDTH 8
#define BAR_WIDTH 20
#define NAME_WIDTH 18     /* of a file, beside its progress … */
#define PROGRESS_WIDTH 76 /* … which needs so much for a bar and the time that is left … */
#define FIGURES_WIDTH 26  /* … and so much without */
#define DATE_LEN 10
#define MINUTE_LEN 16
#define SECOND_LEN 19

/* --- parts --- */

static void add_count_cell(const struct terminal_style *style, uint64_t count, bool at_least, struct strbuf *out) {
    struct strbuf cell;
    strbuf_init(&cell, CELL_MAX);
    if (at_least)
        strbuf_addstr(&cell, style->utf8 ? "\xE2\x89\xA5 " : ">= ");
    strbuf_addu64(&cell, count);
    terminal_add_cell(style, COUNT_WIDTH, TERMINAL_BOLD, strbuf_text(&cell), out);
    strbuf_release(&cell);
}

/* "1 line", "2 lines" */
static void add_counted(struct strbuf *out, uint64_t count, const char *what) {
    strbuf_addu64(out, count);
    strbuf_addf(out, " %s%s", what, count == 1 ? "" : "s");
}

/* As much of `text` as fits `columns`. What is not ASCII may be twice as wide. */
static void cut_to_columns(struct strbuf *text, unsigned columns) {
    unsigned used = 0;
    for (size_t i = 0; i < text->len; i++) {
        unsigned char c = (unsigned char)text->data[i];
        used += c < 0x80 ? 1 : c >= 0xE0 ? 2 : c >= 0xC0 ? 1 : 0;
        if (used > columns) {
            strbuf_truncate(text, i);
            return;
        }
    }
}

/* What a client, or whoever wrote the file, may have chosen. A terminal's lines it does not break. */
static void add_foreign(const struct terminal_style *style, struct span text, unsigned used, struct strbuf *out) {
    struct strbuf safe;
    strbuf_init(&safe, SAFE_MAX);
    text_add_terminal(&safe, text, style->utf8);
    if (style->bars)
        cut_to_columns(&safe, style->columns > used ? style->columns - used : 1);
    strbuf_add(out, strbuf_text(&safe), safe.len);
    strbuf_release(&safe);
}

/* "2026-11-21 06:21:48", or its first `len` bytes. */
static void add_time(struct strbuf *out, int64_t ns, size_t len) {
    struct strbuf text;
    strbuf_init(&text, CELL_MAX);
    time_add_rfc3339(&text, ns);
    if (text.len > DATE_LEN)
        text.data[DATE_LEN] = ' ';
    if (text.len > len)
        strbuf_truncate(&text, len);
    strbuf_addstr(out, strbuf_text(&text));
    strbuf_release(&text);
}

static void add_bytes(struct strbuf *out, double bytes) {
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    size_t unit = 0;
    for (; bytes >= 999.5 && unit + 1 < sizeof units / sizeof units[0]; unit++)
        bytes /= 1000;
    strbuf_addf(out, "%.*f %s", unit > 0 && bytes < 99.95 ? 1 : 0, bytes, units[unit]);
}

/* The longest bar: as long as the texts beside it keep half of the terminal. */
static unsigned bar_width(const struct terminal_style *style) {
    enum { BESIDE = COUNT_WIDTH + SHARE_WIDTH + 4 };
    unsigned room = style->columns > BESIDE ? (style->columns - BESIDE) / 2 : 0;
    return room < BAR_WIDTH ? room : BAR_WIDTH;
}

/* The bar of a row, on a terminal; always as wide as the longest. Returns the columns that it took. */
static unsigned add_bar(const struct terminal_style *style, const char *colour, uint64_t count, uint64_t longest,
                        struct strbuf *out) {
    if (!style->bars)
        return 0;
    unsigned width = bar_width(style);
    unsigned cells = longest ? (unsigned)((double)count / (double)longest * width + 0.5) : 0;
    terminal_add_spaces(out, 2);
    terminal_add_bar(style, colour, cells > width ? width : cells, out);
    terminal_add_spaces(out, cells < width ? width - cells : 0);
    return 2 + width;
}

static void add_heading(const struct terminal_style *style, const char *heading, struct strbuf *out) {
    strbuf_addch(out, '\n');
    terminal_add_coloured(style, TERMINAL_BOLD, heading, out);
    strbuf_addch(out, '\n');
}

/* --- what was read --- */

static void add_file(const struct terminal_style *style, const struct explain_file *file, struct strbuf *out) {
    text_add_terminal(out, strcmp(file->name, "-") == 0 ? span_of("stdin") : span_of(file->name), style->utf8);
    strbuf_addstr(out, ": ");
    add_counted(out, file->lines, "line");
    strbuf_addstr(out, ", ");
    add_bytes(out, (double)file->bytes);
    if (file->cut_lines > 0) {
        strbuf_addstr(out, ", ");
        add_counted(out, file->cut_lines, "line");
        strbuf_addstr(out, " cut");
    }
    if (file->error[0]) {
        strbuf_addstr(out, ", ");
        terminal_add_coloured(style, TERMINAL_BAD, file->error, out);
    }
    strbuf_addch(out, '\n');
}

static void add_time_cell(struct strbuf *out, struct explain_time time) {
    if (time.zone == LOG_TIME_NONE)
        strbuf_addch(out, '-');
    else
        add_time(out, time.ns, SECOND_LEN);
}

static void add_kinds(const struct terminal_style *style, const struct explain_summary *summary, struct strbuf *out) {
    const char *clock = explain_summary_clock(summary);
    const char *shown = !clock                         ? ""
                        : strcmp(clock, "utc") == 0    ? " (UTC)"
                        : strcmp(clock, "server") == 0 ? " (server's clock)"
                                                       : " (mixed)";
    strbuf_addf(out, "\n%-22s %*s  %-*s  last%s\n", "event", COUNT_WIDTH, "count", SECOND_LEN, "first", shown);
    for (int i = LOG_EVENT_NONE + 1; i < LOG_EVENT_KIND_COUNT; i++) {
        const struct explain_kind *kind = &summary->kinds[i];
        if (kind->count == 0)
            continue;
        strbuf_addf(out, "%-22s ", log_event_kind_name((enum log_event_kind)i));
        add_count_cell(style, kind->count, false, out);
        strbuf_addstr(out, "  ");
        size_t before = out->len;
        add_time_cell(out, kind->first);
        terminal_add_spaces(out, 2 + SECOND_LEN - (unsigned)(out->len - before));
        add_time_cell(out, kind->last);
        strbuf_addch(out, '\n');
    }
}

/* --- lists --- */

static void add_share(const struct terminal_style *style, uint64_t count, uint64_t total, struct strbuf *out) {
    struct strbuf cell;
    strbuf_init(&cell, CELL_MAX);
    strbuf_addf(&cell, "%.1f%%", total ? 100.0 * (double)count / (double)total : 0.0);
    terminal_add_cell(style, SHARE_WIDTH, NULL, strbuf_text(&cell), out);
    strbuf_release(&cell);
}

static unsigned add_figures(const struct terminal_style *style, uint64_t count, uint64_t total, bool at_least,
                            const char *colour, struct strbuf *out) {
    add_count_cell(style, count, at_least, out);
    add_share(style, count, total, out);
    unsigned bar = add_bar(style, colour, count, total, out);
    strbuf_addstr(out, "  ");
    return COUNT_WIDTH + SHARE_WIDTH + bar + 2;
}

static void add_name(const struct terminal_style *style, enum explain_list list, struct span text, unsigned used,
                     struct strbuf *out) {
    if (!explain_list_of_clients(list)) {
        add_foreign(style, text.len ? text : span_of("''"), used, out);
        return;
    }
    struct span user, host;
    struct strbuf both;
    explain_client_split(text, &user, &host);
    strbuf_init(&both, SAFE_MAX);
    strbuf_add(&both, user.ptr, user.len);
    strbuf_addch(&both, '@');
    strbuf_add(&both, host.ptr, host.len);
    add_foreign(style, (struct span){strbuf_text(&both), both.len}, used, out);
    strbuf_release(&both);
}

static void add_list(const struct terminal_style *style, struct explain_summary *summary, enum explain_list list,
                     uint64_t top, struct strbuf *out) {
    size_t count;
    struct top *texts = summary->lists[list];
    const struct top_entry *entries = top_sorted(texts, &count);
    uint64_t total = top_total(texts) + summary->unnamed[list], others = top_total(texts), error = top_error(texts);
    if (total == 0)
        return;
    add_heading(style, explain_list_heading(list), out);
    for (size_t i = 0; i < count && i < top; i++) {
        unsigned used = add_figures(style, entries[i].count, total, error > 0, "36", out);
        add_name(style, list, entries[i].text, used, out);
        strbuf_addch(out, '\n');
        others -= entries[i].count;
    }
    if (others > 0) {
        add_figures(style, others, total, false, TERMINAL_DIM, out);
        terminal_add_coloured(style, TERMINAL_DIM, "(all others)\n", out);
    }
    if (summary->unnamed[list] > 0) {
        add_figures(style, summary->unnamed[list], total, false, TERMINAL_DIM, out);
        terminal_add_coloured(style, TERMINAL_DIM, "(the line does not say)\n", out);
    }
    if (error > 0)
        strbuf_addf(out, "There are too many different ones: each count may be up to %llu too low.\n",
                    (unsigned long long)error);
}

/* --- over time --- */

static void add_step(struct strbuf *out, int64_t seconds) {
    const struct {
        int64_t seconds;
        const char *unit;
    } units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (seconds % units[i].seconds == 0) {
            add_counted(out, (uint64_t)(seconds / units[i].seconds), units[i].unit);
            return;
        }
}

static void add_timeline(const struct terminal_style *style, const struct explain_summary *summary,
                         struct strbuf *out) {
    struct timeline_rows rows;
    struct strbuf heading;
    uint64_t longest = 0;
    timeline_rows(&summary->when, EXPLAIN_STEPS_MAX, &rows);
    if (rows.count == 0)
        return;
    strbuf_init(&heading, CELL_MAX);
    strbuf_addstr(&heading, "aborts over time, ");
    add_step(&heading, rows.width_s);
    strbuf_addstr(&heading, " each");
    add_heading(style, strbuf_text(&heading), out);
    strbuf_release(&heading);
    for (unsigned i = 0; i < rows.count; i++)
        longest = rows.counts[i] > longest ? rows.counts[i] : longest;
    size_t len = rows.width_s % 86400 == 0 ? DATE_LEN : rows.width_s % 60 == 0 ? MINUTE_LEN : SECOND_LEN;
    unsigned beside = 4 + (unsigned)len + COUNT_WIDTH, room = style->columns > beside ? style->columns - beside : 1;
    unsigned most = room < 2 * BAR_WIDTH ? room : 2 * BAR_WIDTH;
    for (unsigned i = 0; i < rows.count; i++) {
        strbuf_addstr(out, "  ");
        add_time(out, (rows.first_s + i * rows.width_s) * NS_PER_S, len);
        add_count_cell(style, rows.counts[i], false, out);
        if (rows.counts[i] > 0 && style->bars) {
            terminal_add_spaces(out, 2);
            unsigned cells = (unsigned)((double)rows.counts[i] / (double)longest * most + 0.5);
            terminal_add_bar(style, "36", cells ? cells : 1, out);
        }
        strbuf_addch(out, '\n');
    }
}

/* --- all of it --- */

/* Where something was read, and nothing left out, the server's settings may be why there is none. */
static void add_no_abort(const struct explain_summary *summary, bool any_read, struct strbuf *out) {
    if (summary->aborts.count > 0 || !any_read)
        return;
    strbuf_addstr(out, "No aborted connection");
    strbuf_addstr(out, summary->outside + summary->without_time > 0
                           ? " among what was not left out.\n"
                           : ". MySQL 8 logs them with log_error_verbosity=3 only, MariaDB\n"
                             "with log_warnings=2 (its default) or more.\n");
}

static void add_notes(const struct terminal_style *style, const struct explain_summary *summary, bool any_read,
                      struct strbuf *out) {
    const char *clock = explain_summary_clock(summary);
    for (int i = 0; i < LOG_EVENT_KIND_COUNT; i++) {
        if (summary->kinds[i].suspect == 0)
            continue;
        struct strbuf note;
        strbuf_init(&note, CELL_MAX);
        strbuf_addstr(&note, "forged by a client, counted nowhere above: ");
        add_counted(&note, summary->kinds[i].suspect, "line");
        strbuf_addf(&note, " in the form of %s\n", log_event_kind_name((enum log_event_kind)i));
        terminal_add_coloured(style, TERMINAL_BAD, strbuf_text(&note), out);
        strbuf_release(&note);
    }
    if (summary->outside > 0) {
        add_counted(out, summary->outside, "event");
        strbuf_addstr(out, " outside of --since and --until left out\n");
    }
    if (summary->without_time > 0) {
        add_counted(out, summary->without_time, "event");
        strbuf_addstr(out, " without a time left out\n");
    }
    if (clock && strcmp(clock, "mixed") == 0)
        strbuf_addstr(out, "Some times are UTC and some a clock of unknown zone: --time-zone would tell.\n");
    add_no_abort(summary, any_read, out);
}

void explain_text_summary(const struct terminal_style *style, const struct explain_file *files, size_t file_count,
                          struct explain_summary *summary, uint64_t top, struct strbuf *out) {
    uint64_t counted = 0;
    bool any_read = false;
    for (size_t i = 0; i < file_count; i++) {
        add_file(style, &files[i], out);
        any_read |= !files[i].error[0] || files[i].lines > 0;
    }
    for (int i = 0; i < LOG_EVENT_KIND_COUNT; i++)
        counted += summary->kinds[i].count;
    if (counted > 0)
        add_kinds(style, summary, out);
    for (int i = 0; i < EXPLAIN_LIST_COUNT; i++) {
        if (i == EXPLAIN_LIST_REFUSED)
            add_timeline(style, summary, out);
        add_list(style, summary, (enum explain_list)i, top, out);
    }
    size_t before = out->len;
    strbuf_addch(out, '\n');
    add_notes(style, summary, any_read, out);
    if (out->len == before + 1)
        strbuf_truncate(out, before);
}

/* --- progress --- */

void explain_text_progress(const struct terminal_style *style, const char *name, struct explain_progress progress,
                           int64_t spent_ns, struct strbuf *out) {
    double seconds = ns_to_seconds(spent_ns), rate = seconds > 0 ? (double)progress.read / seconds : 0;
    struct terminal_style narrow = *style;
    const char *slash = strrchr(name, '/');
    bool wide = style->columns >= PROGRESS_WIDTH;
    narrow.bars = true;
    narrow.columns = wide ? NAME_WIDTH : style->columns;
    add_foreign(&narrow, span_of(slash && slash[1] ? slash + 1 : name), wide ? 0 : FIGURES_WIDTH, out);
    if (progress.size > 0) {
        double share = progress.read < progress.size ? (double)progress.read / (double)progress.size : 1;
        unsigned cells = (unsigned)(share * BAR_WIDTH);
        strbuf_addf(out, " %3.0f%%%s", share * 100, wide ? " " : "");
        terminal_add_bar(style, "36", wide ? cells : 0, out);
        terminal_add_spaces(out, wide ? BAR_WIDTH - cells : 0);
    }
    strbuf_addch(out, ' ');
    add_bytes(out, (double)progress.read);
    strbuf_addstr(out, ", ");
    add_bytes(out, rate);
    strbuf_addstr(out, "/s");
    if (wide && progress.size > progress.read && rate > 0)
        strbuf_addf(out, ", %.0f s left", (double)(progress.size - progress.read) / rate);
}
