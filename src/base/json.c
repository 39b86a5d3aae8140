/*
 * Members of JSON objects and lists; see json.h.
 */
#include "base/json.h"

#include "base/clock.h"
#include "base/number.h"
#include "base/text.h"
#include "base/time_zone.h"

#include <math.h>

static void begin(struct strbuf *out, const char *name) {
    char last = out->len ? out->data[out->len - 1] : '{';
    if (last != '{' && last != '[')
        strbuf_addch(out, ',');
    if (!name)
        return;
    strbuf_addch(out, '"');
    strbuf_addstr(out, name);
    strbuf_addstr(out, "\":");
}

void json_open(struct strbuf *out, const char *name, char open) {
    begin(out, name);
    strbuf_addch(out, open);
}

void json_close(struct strbuf *out, char close) {
    strbuf_addch(out, close);
}

void json_null(struct strbuf *out, const char *name) {
    begin(out, name);
    strbuf_addstr(out, "null");
}

void json_span(struct strbuf *out, const char *name, struct span value) {
    if (!value.ptr) {
        json_null(out, name);
        return;
    }
    begin(out, name);
    strbuf_addch(out, '"');
    text_add_json(out, value);
    strbuf_addch(out, '"');
}

void json_text(struct strbuf *out, const char *name, const char *value) {
    json_span(out, name, value ? span_of(value) : (struct span){0});
}

void json_u64(struct strbuf *out, const char *name, uint64_t value) {
    begin(out, name);
    strbuf_addu64(out, value);
}

void json_double(struct strbuf *out, const char *name, double value) {
    if (!isfinite(value)) {
        json_null(out, name);
        return;
    }
    begin(out, name);
    number_add_double(out, value);
}

void json_bool(struct strbuf *out, const char *name, bool value) {
    begin(out, name);
    strbuf_addstr(out, value ? "true" : "false");
}

void json_seconds(struct strbuf *out, const char *name, int64_t ns) {
    begin(out, name);
    uint64_t whole = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
    strbuf_addf(out, "%s%llu.%09llu", ns < 0 ? "-" : "", (unsigned long long)(whole / (uint64_t)NS_PER_S),
                (unsigned long long)(whole % (uint64_t)NS_PER_S));
}

void json_time(struct strbuf *out, const char *name, int64_t wall_ns) {
    if (wall_ns == 0) {
        json_null(out, name);
        return;
    }
    begin(out, name);
    strbuf_addch(out, '"');
    time_add_rfc3339(out, wall_ns);
    strbuf_addstr(out, "Z\"");
}
