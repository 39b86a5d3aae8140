/*
 * The state of a target's error log as text; see log_state.h.
 */
#include "observe/log_state.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { DAY_S = 24 * 3600 };

static const char format[] = "mysqlconn_exporter-error-log 1";

/* The counts of struct log_source_state that outlive a run. */
static const struct count {
    const char *name;
    size_t offset;
} counts[] = {
#define COUNT(field)                                                                                                   \
    { #field, offsetof(struct log_source_state, field) }
    COUNT(lines), COUNT(bytes),  COUNT(cut_lines),         COUNT(rotations),     COUNT(truncations),
    COUNT(gaps),  COUNT(missed), COUNT(last_read_wall_ns), COUNT(since_wall_ns),
#undef COUNT
};

void log_state_release(struct log_state *state) {
    log_saved_release(&state->saved);
}

/* --- printing --- */

static void add_number(struct strbuf *out, const char *record, const char *name, uint64_t value) {
    record_begin(out, record);
    record_add(out, span_of(name));
    record_add_u64(out, value);
    record_end(out);
}

static void add_place(struct strbuf *out, const struct log_place *place) {
    record_begin(out, "place");
    for (int i = 0; i < LOG_PLACE_NUMBERS; i++)
        record_add_u64(out, place->number[i]);
    if (place->text)
        record_add(out, span_of(place->text));
    record_end(out);
}

static void add_source(struct strbuf *out, const char *record, const struct log_saved *saved) {
    record_begin(out, record);
    record_add(out, span_of(log_kind_name(saved->kind)));
    record_add(out, span_of(saved->name ? saved->name : ""));
    record_end(out);
    for (unsigned i = 0; i < saved->count; i++)
        add_place(out, &saved->places[i]);
}

void log_state_print(struct strbuf *out, const char *target, const struct log_state *state) {
    records_begin(out, format);
    record_begin(out, "target");
    record_add(out, span_of(target));
    record_end(out);
    add_source(out, "source", &state->saved);
    for (const struct log_saved *former = state->saved.former; former; former = former->former)
        add_source(out, "former", former);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        uint64_t value;
        memcpy(&value, (const char *)&state->saved.state + counts[i].offset, sizeof value);
        add_number(out, "count", counts[i].name, value);
    }
    for (int kind = LOG_EVENT_NONE + 1; kind < LOG_EVENT_KIND_COUNT; kind++)
        add_number(out, "event", log_event_kind_name((enum log_event_kind)kind), state->events[kind]);
    if (state->clock_known)
        add_number(out, "clock", state->ahead_s < 0 ? "behind" : "ahead", (uint64_t)llabs(state->ahead_s));
}

/* --- reading: each false where the record is wrong --- */

struct parsing {
    const char *target;
    struct log_state *state;
    struct log_saved *source; /* that the places are in which come now */
    unsigned formers;
    bool named;
};

/* A text without NULs, copied. */
static char *copy_text(struct span text) {
    return memchr(text.ptr, '\0', text.len) ? NULL : strndup(text.ptr, text.len);
}

static bool take_target(struct parsing *p, const struct record *r) {
    p->named = r->count == 1 && span_is(r->field[0], p->target);
    return p->named;
}

static bool take_name(struct log_saved *saved, const struct record *r) {
    if (r->count != 2 || saved->name)
        return false;
    for (int kind = LOG_NONE; kind <= LOG_TABLE; kind++)
        if (span_is(r->field[0], log_kind_name((enum log_kind)kind)))
            saved->kind = (enum log_kind)kind;
    saved->name = copy_text(r->field[1]);
    return saved->name != NULL;
}

static bool take_source(struct parsing *p, const struct record *r) {
    p->source = &p->state->saved;
    return take_name(p->source, r);
}

static bool take_former(struct parsing *p, const struct record *r) {
    struct log_saved **last = &p->state->saved.former;
    if (p->formers++ == LOG_FORMER_MAX)
        return false;
    while (*last)
        last = &(*last)->former;
    p->source = *last = calloc(1, sizeof **last);
    return p->source && take_name(p->source, r);
}

static bool take_place(struct parsing *p, const struct record *r) {
    uint64_t numbers[LOG_PLACE_NUMBERS];
    for (unsigned i = 0; i < LOG_PLACE_NUMBERS; i++)
        if (!record_u64(r, i, &numbers[i]))
            return false;
    char *text = r->count > LOG_PLACE_NUMBERS ? copy_text(r->field[LOG_PLACE_NUMBERS]) : NULL;
    bool ok = (text || r->count == LOG_PLACE_NUMBERS) && log_saved_add(p->source, numbers, text);
    free(text);
    return ok;
}

static bool take_count(struct parsing *p, const struct record *r) {
    uint64_t value;
    if (r->count != 2 || !record_u64(r, 1, &value) || value > INT64_MAX)
        return false;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        if (span_is(r->field[0], counts[i].name))
            memcpy((char *)&p->state->saved.state + counts[i].offset, &value, sizeof value);
    return true;
}

static bool take_event(struct parsing *p, const struct record *r) {
    uint64_t value;
    if (r->count != 2 || !record_u64(r, 1, &value) || value > INT64_MAX)
        return false;
    for (int kind = LOG_EVENT_NONE + 1; kind < LOG_EVENT_KIND_COUNT; kind++)
        if (span_is(r->field[0], log_event_kind_name((enum log_event_kind)kind)))
            p->state->events[kind] = value;
    return true;
}

static bool take_clock(struct parsing *p, const struct record *r) {
    uint64_t value;
    if (r->count != 2 || !record_u64(r, 1, &value) || value > DAY_S)
        return false;
    p->state->clock_known = true;
    p->state->ahead_s = span_is(r->field[0], "behind") ? -(int64_t)value : (int64_t)value;
    return true;
}

static const struct {
    const char *name;
    bool (*take)(struct parsing *p, const struct record *r);
} takers[] = {
    {"target", take_target}, {"source", take_source}, {"former", take_former}, {"place", take_place},
    {"count", take_count},   {"event", take_event},   {"clock", take_clock},
};

static bool take_record(struct parsing *p, const struct record *r, log_state_fn *other, void *arg) {
    for (size_t i = 0; i < sizeof takers / sizeof takers[0]; i++)
        if (span_is(r->name, takers[i].name))
            return takers[i].take(p, r);
    return !other || other(arg, r);
}

bool log_state_parse(struct records *records, char *text, size_t len, const char *target, struct log_state *state,
                     log_state_fn *other, void *arg) {
    struct parsing p = {.target = target, .state = state, .source = &state->saved};
    struct record record;
    *state = (struct log_state){0};
    if (!records_open(records, text, len, format))
        return false;
    while (!records->wrong && records_next(records, &record))
        if (!take_record(&p, &record, other, arg))
            records->wrong = span_is(record.name, "target") ? "the state of another target" : "a value that cannot be";
    if (!records->wrong && !p.named)
        records->wrong = "whose state it is is not said";
    if (records->wrong)
        log_state_release(state);
    return !records->wrong;
}
