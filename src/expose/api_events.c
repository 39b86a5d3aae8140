/*
 * /api/v1/events: the aborts that are kept, newest first, by page. One table declares what is written of each.
 */
#include "base/json.h"
#include "expose/api_internal.h"

#include <stdlib.h>

static bool begin(struct api_page *page) {
    return !page->state->events || event_list_make(&page->events, &page->filter, page->state->events);
}

/* --- writing --- */

static void add_target(struct strbuf *out, const char *name, const struct kept_event *kept) {
    json_text(out, name, kept->target);
}

static void add_source(struct strbuf *out, const char *name, const struct kept_event *kept) {
    json_text(out, name, fact_source_name(kept->event.source));
}

static void add_kind(struct strbuf *out, const char *name, const struct kept_event *kept) {
    json_text(out, name, kept->event.kind == LOG_EVENT_NONE ? NULL : log_event_kind_name(kept->event.kind));
}

static void add_cause(struct strbuf *out, const char *name, const struct kept_event *kept) {
    json_text(out, name, cause_name(kept->event.cause.cause));
}

static void add_confidence(struct strbuf *out, const char *name, const struct kept_event *kept) {
    json_text(out, name, confidence_name(kept->event.cause.confidence));
}

static void add_possible(struct strbuf *out, const char *name, const struct kept_event *kept) {
    json_open(out, name, '[');
    for (unsigned cause = 0; cause < CAUSE_COUNT; cause++)
        if (kept->event.cause.possible & UINT32_C(1) << cause)
            json_text(out, NULL, cause_name((enum cause)cause));
    json_close(out, ']');
}

static void add_counters(struct strbuf *out, const char *name, const struct kept_event *kept) {
    json_open(out, name, '[');
    for (unsigned counter = 0; counter < COUNTER_COUNT; counter++)
        if (kept->event.cause.raises & 1U << counter)
            json_text(out, NULL, abort_counter_name((enum abort_counter)counter));
    json_close(out, ']');
}

static void add_in_transaction(struct strbuf *out, const char *name, const struct kept_event *kept) {
    if (kept->event.in_transaction == KNOWN_NOT)
        json_null(out, name);
    else
        json_bool(out, name, kept->event.in_transaction == KNOWN_YES);
}

static void add_idle(struct strbuf *out, const char *name, const struct kept_event *kept) {
    if (kept->event.idle_ns < 0)
        json_null(out, name);
    else
        json_seconds(out, name, kept->event.idle_ns);
}

static void add_evidence(struct strbuf *out, const char *name, const struct kept_event *kept) {
    json_open(out, name, '[');
    for (unsigned i = 0; i < kept->event.evidence_count; i++) {
        const struct abort_evidence *evidence = &kept->event.evidence[i];
        json_open(out, NULL, '{');
        json_text(out, "source", fact_source_name(evidence->source));
        json_time(out, "time", evidence->wall_ns);
        json_span(out, "text", evidence->text);
        json_close(out, '}');
    }
    json_close(out, ']');
}

/* A member of the event, or a function where more is to be done than to print it. */
#define AT(member) .offset = offsetof(struct abort_event, member)
static const struct event_field {
    const char *name, *meaning;
    enum { FIELD_MADE, FIELD_SPAN, FIELD_NUMBER, FIELD_SMALL_NUMBER, FIELD_TIME } type;
    size_t offset; /* in the event */
    void (*add)(struct strbuf *out, const char *name, const struct kept_event *kept);
} fields[] = {
    {"id", "from 1 on, in the order in which we learnt of the events; a start of ours begins anew", FIELD_NUMBER,
     AT(id)},
    {"target", "the target's name", .add = add_target},
    {"time", "the server's own time of it; null where it is not known", FIELD_TIME, AT(wall_ns)},
    {"seen", "when we learnt of it", FIELD_TIME, AT(seen_wall_ns)},
    {"since", "of sums and counters: it came between this time and `seen`", FIELD_TIME, AT(since_wall_ns)},
    {"n", "how many aborts it stands for: sums and counters tell several at once", FIELD_NUMBER, AT(n)},
    {"source", "what told of it: `error_log`, `error_summary`, `counter` or `own`", .add = add_source},
    {"kind", "of its line, as in `mysqlconn_error_log_events_total`", .add = add_kind},
    {"cause", "as in the table of causes", .add = add_cause},
    {"confidence", "`certain`, `likely` or `unknown`: then `cause` is what those that remain possible have in common",
     .add = add_confidence},
    {"possible", "the causes that the evidence allows", .add = add_possible},
    {"counters", "the server's counters that rose for it, as far as that is sure", .add = add_counters},
    {"connection_id", "the server's number of the connection, 0 where it is not known", FIELD_NUMBER,
     AT(connection_id)},
    {"user", "null where it is not known, as all texts", FIELD_SPAN, AT(user)},
    {"host", "the client's name or address", FIELD_SPAN, AT(host)},
    {"port", "the client's port, 0 where it is not known", FIELD_SMALL_NUMBER, AT(port)},
    {"db", "the default database", FIELD_SPAN, AT(db)},
    {"driver", "what the client announced as `_client_name` …", FIELD_SPAN, AT(driver)},
    {"driver_version", "… as `_client_version` …", FIELD_SPAN, AT(driver_version)},
    {"program", "… and as `program_name`", FIELD_SPAN, AT(program)},
    {"command", "what the process list said when the session was last seen", FIELD_SPAN, AT(command)},
    {"idle_seconds", "for how long it had slept then, and the time since", .add = add_idle},
    {"in_transaction", "whether a transaction was open then", .add = add_in_transaction},
    {"reason", "as an English server words it", FIELD_SPAN, AT(reason)},
    {"error_number", "MySQL's, where its sums of errors told of it, else 0", FIELD_SMALL_NUMBER, AT(error_number)},
    {"evidence", "what it is concluded from: `source`, `time` and `text` of each", .add = add_evidence},
};
enum { FIELDS = sizeof fields / sizeof *fields };

static void add_field(struct strbuf *out, const struct event_field *field, const struct kept_event *kept) {
    const void *at = (const char *)&kept->event + field->offset;
    switch (field->type) {
    case FIELD_MADE:
        field->add(out, field->name, kept);
        break;
    case FIELD_SPAN:
        json_span(out, field->name, *(const struct span *)at);
        break;
    case FIELD_NUMBER:
        json_u64(out, field->name, *(const uint64_t *)at);
        break;
    case FIELD_SMALL_NUMBER:
        json_u64(out, field->name, *(const unsigned *)at);
        break;
    case FIELD_TIME:
        json_time(out, field->name, *(const int64_t *)at);
        break;
    }
}

static bool item(const struct api_page *page, struct strbuf *out) {
    if (page->item >= page->events.count)
        return false;
    strbuf_addch(out, '{');
    for (size_t i = 0; i < FIELDS; i++)
        add_field(out, &fields[i], page->events.at[page->item]);
    strbuf_addch(out, '}');
    return true;
}

static void tail(const struct api_page *page, struct strbuf *out) {
    if (!page->events.next) {
        json_null(out, "next_cursor");
        return;
    }
    strbuf_addstr(out, ",\"next_cursor\":\"");
    strbuf_addu64(out, page->events.next);
    strbuf_addch(out, '"');
}

const struct api_resource api_events = {
    .path = "/api/v1/events",
    .list = "events",
    .meaning =
        "The newest aborts and refused logins, `limits.events_per_target` of each target, the one that was learnt "
        "of last first. `next_cursor` leads to the next page; null: this was the last.",
    .filtered = true,
    .begin = begin,
    .item = item,
    .tail = tail,
};

void api_events_reference(struct strbuf *out) {
    strbuf_addstr(out, "| Field of an event | Meaning |\n|---|---|\n");
    for (size_t i = 0; i < FIELDS; i++)
        strbuf_addf(out, "| `%s` | %s |\n", fields[i].name, fields[i].meaning);
}
