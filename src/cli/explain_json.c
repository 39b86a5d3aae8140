/*
 * Events for programs; see explain_json.h.
 */
#include "cli/explain_json.h"

#include "base/clock.h"
#include "base/text.h"
#include "base/time_zone.h"

/* A comma before all but the first member of an object or list. */
static void separate(struct strbuf *out) {
    char last = out->len ? out->data[out->len - 1] : '{';
    if (last != '{' && last != '[')
        strbuf_addch(out, ',');
}

static void key(struct strbuf *out, const char *name) {
    separate(out);
    strbuf_addch(out, '"');
    strbuf_addstr(out, name);
    strbuf_addstr(out, "\":");
}

static void open_object(struct strbuf *out, const char *name) {
    key(out, name);
    strbuf_addch(out, '{');
}

static void add_number(struct strbuf *out, const char *name, uint64_t value) {
    key(out, name);
    strbuf_addu64(out, value);
}

/* null where there is none. */
static void add_text(struct strbuf *out, const char *name, struct span value) {
    key(out, name);
    if (!value.ptr) {
        strbuf_addstr(out, "null");
        return;
    }
    strbuf_addch(out, '"');
    text_add_json(out, value);
    strbuf_addch(out, '"');
}

static void add_time(struct strbuf *out, const char *name, struct explain_time time) {
    key(out, name);
    if (time.zone == LOG_TIME_NONE) {
        strbuf_addstr(out, "null");
        return;
    }
    strbuf_addch(out, '"');
    time_add_rfc3339(out, time.ns);
    strbuf_addstr(out, time.zone == LOG_TIME_UTC ? "Z\"" : "\"");
}

void explain_json_event(const char *file, const struct log_event *event, struct strbuf *out) {
    strbuf_addch(out, '{');
    if (file)
        add_text(out, "file", span_of(file));
    add_number(out, "line", event->line);
    add_time(out, "time", (struct explain_time){event->time, event->wall_ns});
    add_text(out, "kind", span_of(log_event_kind_name(event->kind)));
    /* "Aborted connection 0 to db: …" is what MariaDB writes of one that was refused before it got a number. */
    if (event->connection_id || (log_event_is_abort(event->kind) && event->db.ptr)) {
        add_number(out, "connection_id", event->connection_id);
    } else {
        key(out, "connection_id");
        strbuf_addstr(out, "null");
    }
    add_text(out, "db", event->db);
    add_text(out, "user", event->user);
    add_text(out, "host", event->host);
    add_text(out, "reason", event->reason);
    key(out, "suspect");
    strbuf_addstr(out, event->suspect ? "true}\n" : "false}\n");
}

/* --- the summary --- */

static void add_files(struct strbuf *out, const struct explain_file *files, size_t count) {
    key(out, "files");
    strbuf_addch(out, '[');
    for (size_t i = 0; i < count; i++) {
        separate(out);
        strbuf_addch(out, '{');
        add_text(out, "file", span_of(files[i].name));
        add_number(out, "lines", files[i].lines);
        add_number(out, "cut_lines", files[i].cut_lines);
        add_number(out, "bytes", files[i].bytes);
        add_text(out, "error", files[i].error[0] ? span_of(files[i].error) : (struct span){0});
        strbuf_addch(out, '}');
    }
    strbuf_addch(out, ']');
}

static void add_kind(struct strbuf *out, const struct explain_kind *kind) {
    add_number(out, "count", kind->count);
    add_time(out, "first", kind->first);
    add_time(out, "last", kind->last);
}

static void add_kinds(struct strbuf *out, const struct explain_summary *summary) {
    open_object(out, "events");
    for (int i = LOG_EVENT_NONE + 1; i < LOG_EVENT_KIND_COUNT; i++) {
        open_object(out, log_event_kind_name((enum log_event_kind)i));
        add_kind(out, &summary->kinds[i]);
        add_number(out, "suspect", summary->kinds[i].suspect);
        strbuf_addch(out, '}');
    }
    strbuf_addch(out, '}');
}

static void add_entry(struct strbuf *out, enum explain_list list, const struct top_entry *entry) {
    separate(out);
    strbuf_addch(out, '{');
    if (explain_list_of_clients(list)) {
        struct span user, host;
        explain_client_split(entry->text, &user, &host);
        add_text(out, "user", user);
        add_text(out, "host", host);
    } else {
        add_text(out, explain_list_name(list), entry->text);
    }
    add_number(out, "count", entry->count);
    strbuf_addch(out, '}');
}

static void add_list(struct strbuf *out, struct explain_summary *summary, enum explain_list list, uint64_t top) {
    struct top *texts = summary->lists[list];
    uint64_t others = top_total(texts);
    size_t count;
    const struct top_entry *entries = top_sorted(texts, &count);
    separate(out);
    strbuf_addf(out, "\"by_%s\":{", explain_list_name(list));
    key(out, "top");
    strbuf_addch(out, '[');
    for (size_t i = 0; i < count && i < top; i++) {
        add_entry(out, list, &entries[i]);
        others -= entries[i].count;
    }
    strbuf_addch(out, ']');
    add_number(out, "others", others);
    add_number(out, "unnamed", summary->unnamed[list]);
    add_number(out, "too_low_by_at_most", top_error(texts));
    strbuf_addch(out, '}');
}

static void add_timeline(struct strbuf *out, const struct explain_summary *summary) {
    struct timeline_rows rows;
    enum log_time zone = summary->aborts.first.zone;
    timeline_rows(&summary->when, EXPLAIN_STEPS_MAX, &rows);
    open_object(out, "over_time");
    add_number(out, "step_seconds", (uint64_t)rows.width_s);
    key(out, "steps");
    strbuf_addch(out, '[');
    for (unsigned i = 0; i < rows.count; i++) {
        separate(out);
        strbuf_addch(out, '{');
        add_time(out, "time", (struct explain_time){zone, (rows.first_s + i * rows.width_s) * NS_PER_S});
        add_number(out, "count", rows.counts[i]);
        strbuf_addch(out, '}');
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
    add_number(out, "lines", all.lines);
    add_number(out, "cut_lines", all.cut_lines);
    add_number(out, "bytes", all.bytes);
}

void explain_json_summary(const struct explain_file *files, size_t file_count, struct explain_summary *summary,
                          uint64_t top, struct strbuf *out) {
    static const struct span no_text = {0};
    const char *clock = explain_summary_clock(summary);
    strbuf_addch(out, '{');
    add_files(out, files, file_count);
    add_totals(out, files, file_count);
    add_text(out, "clock", clock ? span_of(clock) : no_text);
    add_number(out, "outside", summary->outside);
    add_number(out, "without_time", summary->without_time);
    add_kinds(out, summary);
    open_object(out, "aborts");
    add_kind(out, &summary->aborts);
    for (int i = 0; i < EXPLAIN_LIST_REFUSED; i++)
        add_list(out, summary, (enum explain_list)i, top);
    add_timeline(out, summary);
    strbuf_addch(out, '}');
    open_object(out, "refused_logins");
    add_list(out, summary, EXPLAIN_LIST_REFUSED, top);
    strbuf_addstr(out, "}}\n");
}
