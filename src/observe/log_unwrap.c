/*
 * Wrappers taken off; see log_unwrap.h.
 *
 *     {"log":"2026-11-21  1:51:41 5 [Warning] …\n","stream":"stderr","time":"2026-11-21T01:51:41.123456789Z"}   Docker
 *     2026-11-21T01:51:41.123456789Z stderr F 2026-11-21  1:51:41 5 [Warning] …              CRI; P: it goes on
 *     db-1  | 2026-11-21  1:51:41 5 [Warning] …                                              Compose
 *     [pod/mysql-0/mysql] 2026-11-21  1:51:41 5 [Warning] …                                  kubectl logs --prefix
 *     { "prio" : 3, "err_code" : 10914, …, "msg" : "…", "time" : "…", "thread" : 5, … }      MySQL 8, log_sink_json
 *     { "MESSAGE" : "…", "__REALTIME_TIMESTAMP" : "1795225901000000", … }                    journalctl -o json
 *     <30>1 2026-11-21T01:51:41.123456Z db1 mysqld 811 - - Aborted connection 5 to db: …     RFC 5424
 */
#include "observe/log_unwrap.h"

#include "base/clock.h"
#include "observe/log_json.h"
#include "observe/log_text.h"

enum {
    NAME_MAX = 128, /* bytes of a service's or pod's name */
    STAMP_MIN = 20, /* 2026-11-21T01:51:41Z */
    STAMP_MAX = 36,
};

/* The blank behind an ISO time that the line begins with. */
static const char *behind_stamp(struct span line) {
    if (line.len <= STAMP_MIN || line.ptr[4] != '-' || line.ptr[7] != '-' || line.ptr[10] != 'T' || line.ptr[13] != ':')
        return NULL;
    const size_t max = line.len < STAMP_MAX ? line.len : STAMP_MAX;
    return memchr(line.ptr + STAMP_MIN - 1, ' ', max - STAMP_MIN + 1);
}

/* MySQL's JSON: at the beginning, or behind what syslog and journalctl put in front of a line. */
static const char *find_json(struct span line) {
    const char *brace = span_find_char(line, '{');
    return brace && log_front_is_plausible(span_until(line, brace)) ? brace : NULL;
}

/* "NAME  | " in front: where it ends. */
static const char *behind_bar(struct span line) {
    const char *bar = memchr(line.ptr, '|', line.len < NAME_MAX ? line.len : NAME_MAX);
    if (!bar || bar == line.ptr || bar[-1] != ' ' || line.ptr + line.len - bar < 2 || bar[1] != ' ')
        return NULL;
    const char *name_end = bar;
    while (name_end > line.ptr && name_end[-1] == ' ')
        name_end--;
    for (const char *p = line.ptr; p < name_end; p++)
        if (!is_digit(*p) && !(*p >= 'a' && *p <= 'z') && !(*p >= 'A' && *p <= 'Z') && *p != '-' && *p != '_' &&
            *p != '.')
            return NULL;
    return name_end > line.ptr ? bar + 2 : NULL;
}

bool log_unwrap_is_syslog(struct span line) {
    uint64_t priority;
    return span_take(&line, SPAN_LITERAL("<")) && span_take_number(&line, &priority) &&
           span_take(&line, SPAN_LITERAL(">1 "));
}

bool log_unwrap_is_needed(struct span line) {
    if (line.len < 2)
        return false;
    char c = line.ptr[0];
    if (c == '{' || (c == '<' && log_unwrap_is_syslog(line)) || (c == '[' && span_starts(line, SPAN_LITERAL("[pod/"))))
        return true;
    /* A server's own line goes on with a thread or a label. */
    const char *p = behind_stamp(line);
    if (p && p + 1 < line.ptr + line.len && (p[1] == 's' || p[1] == '{'))
        return true;
    return behind_bar(line) || find_json(line);
}

/* --- the layers; each takes itself off out->text where it is there --- */

static void take_compose(struct log_unwrapped *out) {
    const char *end = out->text.len ? behind_bar(out->text) : NULL;
    if (!end)
        return;
    out->layers |= LOG_LAYER_COMPOSE;
    out->text = span_from(out->text, (size_t)(end - out->text.ptr));
}

static void take_pod(struct log_unwrapped *out) {
    const char *end = span_starts(out->text, SPAN_LITERAL("[pod/")) ? span_find(out->text, SPAN_LITERAL("] ")) : NULL;
    if (!end || end - out->text.ptr > 2 * NAME_MAX)
        return;
    out->layers |= LOG_LAYER_POD;
    out->text = span_from(out->text, (size_t)(end - out->text.ptr) + 2);
}

/* A time alone is taken off only in front of JSON: elsewhere it is part of the front. */
static void take_cri(unsigned layers, struct log_unwrapped *out) {
    const char *end = behind_stamp(out->text);
    struct log_stamp stamp;
    if (!end || !log_time_iso(span_until(out->text, end), &stamp))
        return;
    struct span rest = span_from(out->text, (size_t)(end + 1 - out->text.ptr));
    if (layers & LOG_LAYER_STAMP && rest.len && rest.ptr[0] == '{') {
        out->layers |= LOG_LAYER_STAMP;
        out->text = rest;
        out->stamp = stamp;
        return;
    }
    if (!(layers & LOG_LAYER_CRI) ||
        (!span_take(&rest, SPAN_LITERAL("stdout ")) && !span_take(&rest, SPAN_LITERAL("stderr "))))
        return;
    const char *tag_end = span_find_char(rest, ' ');
    if (!tag_end || (rest.ptr[0] != 'F' && rest.ptr[0] != 'P') || (tag_end > rest.ptr + 1 && rest.ptr[1] != ':'))
        return;
    out->layers |= LOG_LAYER_CRI;
    out->goes_on = rest.ptr[0] == 'P';
    out->text = span_from(rest, (size_t)(tag_end + 1 - rest.ptr));
    out->stamp = stamp;
}

static struct span decoded(struct span raw, struct strbuf *scratch) {
    strbuf_reset(scratch);
    log_json_add_text(scratch, raw);
    return strbuf_failed(scratch) ? (struct span){"", 0} : (struct span){strbuf_text(scratch), scratch->len};
}

/* Whether it may be an object with that member: to look for one is cheaper than to read all that is there. */
static bool may_have(struct span text, struct span quoted_name) {
    return text.len && text.ptr[0] == '{' && span_find(text, quoted_name);
}

static void take_docker(struct strbuf *scratch, struct log_unwrapped *out) {
    enum { LOG, TIME, MEMBERS };
    struct log_json_member m[MEMBERS] = {{.name = "log"}, {.name = "time"}};
    if (!may_have(out->text, SPAN_LITERAL("\"log\"")) || !log_json_read(out->text, m, MEMBERS) || !m[LOG].is_string)
        return;
    out->layers |= LOG_LAYER_DOCKER;
    out->text = decoded(m[LOG].raw, scratch);
    out->goes_on = !span_cut_end(&out->text, SPAN_LITERAL("\n")) && out->text.len;
    if (m[TIME].is_string)
        log_time_iso(m[TIME].raw, &out->stamp);
}

static bool take_journal(struct strbuf *scratch, struct log_unwrapped *out) {
    enum { MESSAGE, TIME, MEMBERS };
    struct log_json_member m[MEMBERS] = {{.name = "MESSAGE"}, {.name = "__REALTIME_TIMESTAMP"}};
    uint64_t us;
    if (!may_have(out->text, SPAN_LITERAL("\"MESSAGE\"")) || !log_json_read(out->text, m, MEMBERS) ||
        !m[MESSAGE].raw.ptr || !m[TIME].is_string || number_parse_u64(m[TIME].raw, INT64_MAX / NS_PER_US, &us) < 0)
        return false;
    /* What is not UTF-8 or holds a control character is a list of its bytes. */
    if (m[MESSAGE].is_string) {
        out->text = decoded(m[MESSAGE].raw, scratch);
    } else {
        strbuf_reset(scratch);
        if (!log_json_add_bytes(scratch, m[MESSAGE].raw) || strbuf_failed(scratch))
            return false;
        out->text = (struct span){strbuf_text(scratch), scratch->len};
    }
    out->layers |= LOG_LAYER_JOURNAL;
    out->is_message = true;
    out->stamp = (struct log_stamp){LOG_TIME_UTC, (int64_t)us * NS_PER_US};
    return true;
}

static bool take_word(struct span *s, struct span *out) {
    const char *blank = span_find_char(*s, ' ');
    if (!blank || blank == s->ptr)
        return false;
    *out = span_until(*s, blank);
    *s = span_from(*s, out->len + 1);
    return true;
}

/* RFC 5424's structured data: "-", or [NAME KEY="VALUE"…]…, and the blank behind it. */
static bool take_data(struct span *s) {
    bool quoted = false, inside = false;
    size_t i = 0;
    for (; i < s->len && (inside || s->ptr[i] != ' '); i++) {
        char c = s->ptr[i];
        if (c == '\\' && quoted)
            i++;
        else if (c == '"')
            quoted = inside && !quoted;
        else if (c == '[' && !quoted)
            inside = true;
        else if (c == ']' && !quoted)
            inside = false;
    }
    if (i >= s->len || (s->ptr[0] != '[' && !(i == 1 && s->ptr[0] == '-')))
        return false;
    *s = span_from(*s, i + 1);
    return true;
}

/* The message may have a front and a label of the server's own, or none. */
static void take_syslog(struct log_unwrapped *out) {
    enum { NAMES = 4 }; /* host, program, process, kind of message */
    struct span rest = out->text, word;
    struct log_stamp stamp = {.time = LOG_TIME_NONE};
    if (!log_unwrap_is_syslog(rest) || !take_word(&rest, &word) || !take_word(&rest, &word) ||
        (!log_time_iso(word, &stamp) && !span_is(word, "-")))
        return;
    for (int i = 0; i < NAMES; i++)
        if (!take_word(&rest, &word))
            return;
    if (!take_data(&rest))
        return;
    span_take(&rest, SPAN_LITERAL("\xef\xbb\xbf"));
    out->layers |= LOG_LAYER_SYSLOG;
    out->is_message = true;
    out->text = rest;
    out->stamp = stamp;
}

static void take_mysql(struct strbuf *scratch, struct log_unwrapped *out) {
    enum { MSG, TIME, THREAD, PRIO, ERR_CODE, LABEL, MEMBERS };
    struct log_json_member m[MEMBERS] = {{.name = "msg"},  {.name = "time"},     {.name = "thread"},
                                         {.name = "prio"}, {.name = "err_code"}, {.name = "label"}};
    const char *json = find_json(out->text);
    if (!json || !log_json_read(span_from(out->text, (size_t)(json - out->text.ptr)), m, MEMBERS) ||
        (!m[PRIO].raw.ptr && !m[ERR_CODE].raw.ptr && !m[LABEL].raw.ptr))
        return;
    out->layers |= LOG_LAYER_MYSQL;
    out->is_message = true;
    struct log_stamp stamp;
    if (m[TIME].is_string && log_time_iso(m[TIME].raw, &stamp))
        out->stamp = stamp;
    else if (json > out->text.ptr)
        out->stamp = log_front_time(span_until(out->text, json), out->stamp, &out->thread);
    out->text = m[MSG].is_string ? decoded(m[MSG].raw, scratch) : (struct span){"", 0};
    if (m[THREAD].raw.ptr)
        number_parse_u64(m[THREAD].raw, UINT64_MAX, &out->thread);
}

void log_unwrap(struct span line, unsigned layers, struct strbuf scratch[2], struct log_unwrapped *out) {
    *out = (struct log_unwrapped){.text = line};
    if (layers & LOG_LAYER_COMPOSE)
        take_compose(out);
    if (layers & LOG_LAYER_POD)
        take_pod(out);
    take_cri(layers, out);
    /* What a container engine calls a piece, no other one wraps. */
    if (layers & LOG_LAYER_DOCKER && !out->goes_on)
        take_docker(&scratch[0], out);
    if (out->goes_on)
        return;
    bool journal = layers & LOG_LAYER_JOURNAL && take_journal(&scratch[1], out);
    if (layers & LOG_LAYER_SYSLOG && !(out->layers & LOG_LAYER_ENGINES) && !journal)
        take_syslog(out);
    if (layers & LOG_LAYER_MYSQL)
        take_mysql(&scratch[journal ? 0 : 1], out);
}
