/*
 * Events for programs; see explain_json.h.
 */
#include "cli/explain_json.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/time_zone.h"

#include <stdio.h>

/* null where there is none. */
static void add_time(struct strbuf *out, const char *name, struct explain_time time) {
    struct strbuf text;
    strbuf_init(&text, 64);
    if (time.zone != LOG_TIME_NONE)
        time_add_rfc3339(&text, time.ns);
    strbuf_addstr(&text, time.zone == LOG_TIME_UTC ? "Z" : "");
    json_text(out, name, text.len > 0 ? strbuf_text(&text) : NULL);
    strbuf_release(&text);
}

void explain_json_event(const char *file, const struct log_event *event, struct strbuf *out) {
    strbuf_addch(out, '{');
    if (file)
        json_text(out, "file", file);
    json_u64(out, "line", event->line);
    add_time(out, "time", (struct explain_time){event->time, event->wall_ns});
    json_text(out, "kind", log_event_kind_name(event->kind));
    /* "Aborted connection 0 to db: …" is what MariaDB writes of one that was refused before it got a number. */
    if (event->connection_id || (log_event_is_abort(event) && event->db.ptr))
        json_u64(out, "connection_id", event->connection_id);
    else
        json_null(out, "connection_id");
    json_span(out, "db", event->db);
    json_span(out, "user", event->user);
    json_span(out, "host", event->host);
    json_span(out, "reason", event->reason);
    json_bool(out, "suspect", event->suspect);
    strbuf_addstr(out, "}\n");
}

/* --- the summary --- */

static void add_files(struct strbuf *out, const struct explain_file *files, size_t count) {
    json_open(out, "files", '[');
    for (size_t i = 0; i < count; i++) {
        json_open(out, NULL, '{');
        json_text(out, "file", files[i].name);
        json_u64(out, "lines", files[i].lines);
        json_u64(out, "cut_lines", files[i].cut_lines);
        json_u64(out, "bytes", files[i].bytes);
        json_text(out, "error", files[i].error[0] ? files[i].error : NULL);
        json_close(out, '}');
    }
    json_close(out, ']');
}

static void add_kind(struct strbuf *out, const struct explain_kind *kind) {
    json_u64(out, "count", kind->count);
    add_time(out, "first", kind->first);
    add_time(out, "last", kind->last);
}

static void add_kinds(struct strbuf *out, const struct explain_summary *summary) {
    json_open(out, "events", '{');
    for (int i = LOG_EVENT_NONE + 1; i < LOG_EVENT_KIND_COUNT; i++) {
        if (!explain_tells((enum log_event_kind)i))
            continue;
        json_open(out, log_event_kind_name((enum log_event_kind)i), '{');
        add_kind(out, &summary->kinds[i]);
        json_u64(out, "suspect", summary->kinds[i].suspect);
        json_close(out, '}');
    }
    json_close(out, '}');
}

static void add_entry(struct strbuf *out, enum explain_list list, const struct top_entry *entry) {
    json_open(out, NULL, '{');
    if (explain_list_of_clients(list)) {
        struct span user, host;
        explain_client_split(entry->text, &user, &host);
        json_span(out, "user", user);
        json_span(out, "host", host);
    } else {
        json_span(out, explain_list_name(list), entry->text);
    }
    json_u64(out, "count", entry->count);
    json_close(out, '}');
}

static void add_list(struct strbuf *out, struct explain_summary *summary, enum explain_list list, uint64_t top) {
    struct top *texts = summary->lists[list];
    uint64_t others = top_total(texts);
    size_t count;
    const struct top_entry *entries = top_sorted(texts, &count);
    char name[64];
    snprintf(name, sizeof name, "by_%s", explain_list_name(list));
    json_open(out, name, '{');
    json_open(out, "top", '[');
    for (size_t i = 0; i < count && i < top; i++) {
        add_entry(out, list, &entries[i]);
        others -= entries[i].count;
    }
    json_close(out, ']');
    json_u64(out, "others", others);
    json_u64(out, "unnamed", summary->unnamed[list]);
    json_u64(out, "too_low_by_at_most", top_error(texts));
    json_close(out, '}');
}

static void add_timeline(struct strbuf *out, const struct explain_summary *summary) {
    struct timeline_rows rows;
    enum log_time zone = summary->aborts.first.zone;
    timeline_rows(&summary->when, EXPLAIN_STEPS_MAX, &rows);
    json_open(out, "over_time", '{');
    json_u64(out, "step_seconds", (uint64_t)rows.width_s);
    json_open(out, "steps", '[');
    for (unsigned i = 0; i < rows.count; i++) {
        json_open(out, NULL, '{');
        add_time(out, "time", (struct explain_time){zone, (rows.first_s + i * rows.width_s) * NS_PER_S});
        json_u64(out, "count", rows.counts[i]);
        json_close(out, '}');
    }
    strbuf_addstr(out, "]}");
}

static void add_totals(struct strbuf *out, const struct explain_file *files, size_t count) {
    struct explain_file all = {0};
    for (size_t i = 0; i < count; i++) {
        all.lines += files[i].lines;
        all.cut_lines += files[i].cut_lines;
        all.bytes += files[i].bytes;
    }
    json_u64(out, "lines", all.lines);
    json_u64(out, "cut_lines", all.cut_lines);
    json_u64(out, "bytes", all.bytes);
}

void explain_json_summary(const struct explain_file *files, size_t file_count, struct explain_summary *summary,
                          uint64_t top, struct strbuf *out) {
    const char *clock = explain_summary_clock(summary);
    strbuf_addch(out, '{');
    add_files(out, files, file_count);
    add_totals(out, files, file_count);
    json_text(out, "clock", clock);
    json_u64(out, "outside", summary->outside);
    json_u64(out, "without_time", summary->without_time);
    add_kinds(out, summary);
    json_open(out, "aborts", '{');
    add_kind(out, &summary->aborts);
    for (int i = 0; i < EXPLAIN_LIST_REFUSED; i++)
        add_list(out, summary, (enum explain_list)i, top);
    add_timeline(out, summary);
    json_close(out, '}');
    json_open(out, "refused_logins", '{');
    add_list(out, summary, EXPLAIN_LIST_REFUSED, top);
    strbuf_addstr(out, "}}\n");
}
