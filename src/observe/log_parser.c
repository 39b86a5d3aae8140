/*
 * From one line of an error log to an event; see log_parser.h.
 *
 * A line is front, label, tags, message:
 *
 *     2026-11-21  1:51:41 5 [Warning] Aborted connection 5 to db: …
 *     2026-11-21T01:51:41.123456Z 5 [Note] [MY-010914] [Server] Aborted connection 5 to db: …
 *     Nov 21 01:51:41 db1 mysqld[811]: Aborted connection 5 to db: …                            (syslog: no label)
 *     Nov 21 01:51:41 db1 mysqld: Aborted connection 5 to db: …                                 (… and no pid)
 *     010301 14:38:23  Aborted connection 854 to db: …                                          (3.23 and 4.0: no
 * label)
 *
 * The first label in the line is the server's own, so the message begins there and nowhere else: what quotes a message,
 * in a statement or in another error, stands further behind, or has a front that no server writes.
 */
#include "observe/log_parser.h"

#include "observe/log_text.h"

/* --- where the message begins --- */

/* MySQL 8: "[MY-010914] [Server] ". */
static struct span skip_tags(struct span message, bool *one_line) {
    const char *end;
    *one_line = span_starts(message, SPAN_LITERAL("[MY-"));
    while (*one_line && message.len && message.ptr[0] == '[' && (end = span_find(message, SPAN_LITERAL("] "))))
        message = span_from(message, (size_t)(end + 2 - message.ptr));
    return message;
}

/* At a '[': a label, MySQL's number where there is no label, or syslog's "[pid]: ". */
static bool take_label(struct span *s) {
    if (s->len < 3)
        return false;
    switch (s->ptr[1]) {
    case 'N':
        return span_take(s, SPAN_LITERAL("[Note] "));
    case 'W':
        return span_take(s, SPAN_LITERAL("[Warning] "));
    case 'E':
        return span_take(s, SPAN_LITERAL("[ERROR] ")) || span_take(s, SPAN_LITERAL("[Error] "));
    case 'S':
        return span_take(s, SPAN_LITERAL("[System] "));
    case 'M':
        return span_starts(*s, SPAN_LITERAL("[MY-"));
    default:
        return false;
    }
}

/* "[123]: " behind a program's name, where no label follows. */
static bool take_pid(struct span *s) {
    struct span rest = span_from(*s, 1);
    uint64_t pid;
    if (rest.len < 4 || !is_digit(rest.ptr[0]) || !span_take_number(&rest, &pid) ||
        !span_take(&rest, SPAN_LITERAL("]: ")))
        return false;
    *s = rest;
    return true;
}

/* "mysqld: " behind a host, where syslog was told to name no pid: an abort's message only, for log_scan.h stops at no
 * other then. */
static struct span behind_program(struct span line) {
    const char *colon = span_find(line, SPAN_LITERAL(": "));
    struct span before = colon ? span_until(line, colon) : (struct span){0};
    struct span word = colon ? span_take_last_word(&before) : before;
    if (before.len == 0 || (!span_is(word, "mysqld") && !span_is(word, "mariadbd")))
        return (struct span){0};
    struct span message = span_from(line, (size_t)(colon + 2 - line.ptr));
    return span_starts(message, SPAN_LITERAL("Aborted connection ")) ? message : (struct span){0};
}

static bool find_message(struct span line, struct span *front, struct span *message, bool *one_line) {
    *one_line = false;
    struct span rest = line, behind_pid = {0};
    for (const char *p; (p = span_find_char(rest, '['));) {
        rest = span_from(rest, (size_t)(p - rest.ptr));
        struct span at = rest;
        if (take_label(&at)) {
            *front = span_until(line, p);
            *message = skip_tags(at, one_line);
            return true;
        }
        if (!behind_pid.ptr && take_pid(&at))
            behind_pid = at;
        rest = span_from(rest, 1);
    }
    if (!behind_pid.ptr)
        behind_pid = behind_program(line);
    if (behind_pid.ptr) {
        *front = span_until(line, behind_pid.ptr);
        *message = behind_pid;
        return true;
    }
    /* 3.23 and 4.0: "yymmdd hh:mm:ss  " and the message; the manual shows it with one space. */
    enum { TIME_LEN = 15 };
    if (line.len <= TIME_LEN + 1 || line.ptr[TIME_LEN] != ' ' || !is_digit(line.ptr[0]) || line.ptr[6] != ' ')
        return false;
    *front = (struct span){line.ptr, TIME_LEN + 1};
    *message = span_from(line, TIME_LEN + 1);
    span_take(message, SPAN_LITERAL(" "));
    return span_starts(*message, SPAN_LITERAL("Aborted connection "));
}

/* --- the message --- */

/* A line that is a part of a refused name ends as those do. */
static bool is_suspect(struct span message, const struct log_event *e) {
    struct log_event end;
    /* Where no password is told of, the client may have chosen a database too: with a second '@' nobody can tell
     * which part is his. */
    if (e->kind == LOG_EVENT_ACCESS_DENIED)
        return e->user.ptr && !span_ends(message, SPAN_LITERAL(")")) && span_find(e->user, SPAN_LITERAL("'@'"));
    return log_frame_refused_end(message, false, &end);
}

/* What begins a refused login in one language and ends one in another is the last line of a name. */
static bool is_last_line(struct span message, struct log_event *e) {
    struct log_event end;
    struct span name = e->user;
    if (name.ptr == message.ptr + 1 || !log_frame_refused_end(name, false, &end))
        return false;
    *e = end;
    return true;
}

static void parse_message(struct span front, struct span message, struct log_stamp outer, struct log_parsed *out) {
    const struct span whole = message;
    while (span_cut_end(&message, SPAN_LITERAL(" ")) || span_cut_end(&message, SPAN_LITERAL("\r")))
        ;
    char head[3] = {0};
    memcpy(head, message.ptr, message.len < 3 ? message.len : 3);
    if (!log_frame_may_fit(head))
        return;
    enum log_frame_fit fit = log_frame_parse(message, &out->event);
    if (fit == LOG_FRAME_NONE && whole.len > message.len) /* there are texts that end with a blank */
        fit = log_frame_parse(whole, &out->event) == LOG_FRAME_FITS ? LOG_FRAME_FITS : LOG_FRAME_NONE;
    if (fit == LOG_FRAME_NONE || !log_front_is_plausible(front)) {
        out->event = (struct log_event){0};
        return;
    }
    bool last_line = fit == LOG_FRAME_OPEN && is_last_line(message, &out->event);
    if (fit == LOG_FRAME_OPEN && !last_line) {
        out->open_name = out->event.user;
        out->maybe_open = out->open_name.ptr == message.ptr + 1;
        out->event = (struct log_event){0};
    }
    bool suspect = last_line || (fit != LOG_FRAME_OPEN && is_suspect(message, &out->event));
    if (fit == LOG_FRAME_BROKEN && !suspect) { /* worth telling of only if somebody made it up, or if it goes on */
        if (out->event.kind == LOG_EVENT_ABORTED)
            out->open_abort = message;
        out->event = (struct log_event){0};
        if (!out->open_abort.ptr)
            return;
    }
    if (out->open_name.ptr || out->open_abort.ptr || out->event.kind == LOG_EVENT_ACCESS_DENIED)
        out->wrapper = log_front_wrapper(front);
    struct log_stamp stamp = log_front_time(front, outer, &out->event.thread);
    out->event.time = stamp.time;
    out->event.wall_ns = stamp.wall_ns;
    out->event.suspect = suspect;
    out->announces_abort = out->event.kind == LOG_EVENT_TIMEOUT_NOTE ||
                           (out->event.kind == LOG_EVENT_OTHER &&
                            (out->event.reason.ptr || span_starts(message, SPAN_LITERAL("Could not read packet: "))));
}

void log_parse(struct span line, struct log_stamp outer, struct log_parsed *out) {
    struct span front, message;
    *out = (struct log_parsed){0};
    if (find_message(line, &front, &message, &out->one_line))
        parse_message(front, message, outer, out);
}

void log_parse_message(struct span message, struct log_stamp outer, struct log_parsed *out) {
    struct span front, behind;
    *out = (struct log_parsed){0};
    bool is_line = find_message(message, &front, &behind, &out->one_line) && log_front_is_plausible(front);
    parse_message(is_line ? front : span_until(message, message.ptr), is_line ? behind : message, outer, out);
    out->one_line |= !is_line;
}
