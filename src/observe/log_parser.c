/*
 * From one line of an error log to an event; see log_parser.h.
 *
 * A line is front, label, tags, message:
 *
 *     2026-11-21  1:51:41 5 [Warning] Aborted connection 5 to db: …
 *     2026-11-21T01:51:41.123456Z 5 [Note] [MY-010914] [Server] Aborted connection 5 to db: …
 *     010301 14:38:23  Aborted connection 854 to db: …                                          (3.23 and 4.0: no
 * label)
 *
 * The first label in the line is the server's own, so the message begins there and nowhere else: what quotes a message,
 * in a statement or in another error, stands further behind, or has a front that no server writes. Inside a message
 * nothing is escaped; of the places where a name could end, the last one that still lets the rest of the frame fit is
 * taken.
 */
#include "observe/log_parser.h"

#include "base/number.h"

#include <stdint.h>
#include <string.h>

/* MariaDB takes user names of up to 384 bytes (128 characters) from a client before it knows him; the rest is margin
 * for the end of the message. */
#define OPEN_NAME_BYTES 512

struct literal {
    const char *text;
    size_t len;
};
#define TEXT(s)                                                                                                        \
    { (s), sizeof(s) - 1 }
#define LITERAL(s) ((struct literal)TEXT(s))

/* --- spans --- */

static struct span span_from(struct span s, size_t skip) {
    return (struct span){s.ptr + skip, s.len - skip};
}

static struct span span_until(struct span s, const char *end) {
    return (struct span){s.ptr, (size_t)(end - s.ptr)};
}

static bool starts_with(struct span s, struct literal l) {
    return s.len >= l.len && memcmp(s.ptr, l.text, l.len) == 0;
}

static bool ends_with(struct span s, struct literal l) {
    return s.len >= l.len && memcmp(s.ptr + s.len - l.len, l.text, l.len) == 0;
}

static bool take(struct span *s, struct literal l) {
    if (!starts_with(*s, l))
        return false;
    *s = span_from(*s, l.len);
    return true;
}

static bool cut_end(struct span *s, struct literal l) {
    if (!ends_with(*s, l))
        return false;
    s->len -= l.len;
    return true;
}

static const char *find_char(struct span s, char c) {
    return s.len ? memchr(s.ptr, c, s.len) : NULL;
}

static bool contains(struct span s, struct literal l) {
    return s.len >= l.len && memmem(s.ptr, s.len, l.text, l.len);
}

static const char *find_last(struct span s, struct literal l) {
    while (s.len >= l.len) {
        const char *p = memrchr(s.ptr, l.text[0], s.len - l.len + 1);
        if (!p || memcmp(p, l.text, l.len) == 0)
            return p;
        s.len = (size_t)(p - s.ptr) + l.len - 1;
    }
    return NULL;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Take the number that `s` begins with. */
static bool take_number(struct span *s, uint64_t *out) {
    size_t digits = 0;
    while (digits < s->len && is_digit(s->ptr[digits]))
        digits++;
    if (number_parse_u64((struct span){s->ptr, digits}, UINT64_MAX, out) < 0)
        return false;
    *s = span_from(*s, digits);
    return true;
}

/* --- the line around the message --- */

static const struct literal labels[] = {TEXT("[Note] "), TEXT("[Warning] "), TEXT("[ERROR] "), TEXT("[System] ")};

static struct span take_last_word(struct span *s) {
    while (s->len && s->ptr[s->len - 1] == ' ')
        s->len--;
    const char *space = s->len ? memrchr(s->ptr, ' ', s->len) : NULL;
    struct span word = space ? span_from(*s, (size_t)(space + 1 - s->ptr)) : *s;
    s->len -= word.len;
    return word;
}

static bool is_number(struct span word) {
    for (size_t i = 0; i < word.len; i++)
        if (!is_digit(word.ptr[i]))
            return false;
    return word.len > 0;
}

/* "1:51:41", "2026-11-21T01:51:41.123456Z", "2026-11-21T01:51:41.123456+08:00" */
static bool is_time(struct span word) {
    const struct span marks = {":.-+TZ", 6};
    for (size_t i = 0; i < word.len; i++)
        if (!is_digit(word.ptr[i]) && !find_char(marks, word.ptr[i]))
            return false;
    return word.len > 0 && is_digit(word.ptr[0]) && find_char(word, ':');
}

/* What servers, and those who pass their lines on, write in front of the label: nothing; … time; … time thread; or
 * syslog's "… mysqld[123]:". Quotes and tabs belong to statements (the general log) and to quotations. */
static bool front_is_plausible(struct span front) {
    if (front.len == 0)
        return true;
    if (find_char(front, '\'') || find_char(front, '"') || find_char(front, '`') || find_char(front, '\t') ||
        front.ptr[front.len - 1] != ' ')
        return false;
    struct span word = take_last_word(&front);
    if (ends_with(word, LITERAL("]:")))
        return true;
    return is_time(is_number(word) ? take_last_word(&front) : word);
}

/* MySQL 8: "[MY-010914] [Server] ". */
static struct span skip_tags(struct span message) {
    const char *end;
    if (!starts_with(message, LITERAL("[MY-")))
        return message;
    while (message.len && message.ptr[0] == '[' && (end = find_char(message, ']'))) {
        message = span_from(message, (size_t)(end + 1 - message.ptr));
        take(&message, LITERAL(" "));
    }
    return message;
}

static bool find_message(struct span line, struct span *front, struct span *message) {
    const char *end = line.ptr + line.len;
    for (const char *p = find_char(line, '['); p; p = find_char((struct span){p + 1, (size_t)(end - p - 1)}, '['))
        for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
            struct span rest = {p, (size_t)(end - p)};
            if (take(&rest, labels[i])) {
                *front = span_until(line, p);
                *message = skip_tags(rest);
                return true;
            }
        }
    /* 3.23 and 4.0: "yymmdd hh:mm:ss  " and the message; the manual shows it with one space. */
    enum { TIME_LEN = 15 };
    if (line.len <= TIME_LEN + 1 || line.ptr[TIME_LEN] != ' ' || !is_digit(line.ptr[0]) || line.ptr[6] != ' ')
        return false;
    *front = (struct span){line.ptr, TIME_LEN + 1};
    *message = span_from(line, TIME_LEN + 1);
    take(message, LITERAL(" "));
    return true;
}

/* --- Aborted connection --- */

/* What ends the name in the message of a refused login, and stands nowhere else in a frame. */
#define AT LITERAL("'@'")
#define HOST LITERAL("' host: ")

/* DB' user: 'USER */
static bool split_names(struct span names, struct log_event *e) {
    const struct literal user = LITERAL("' user: '");
    const char *p = find_last(names, user);
    if (!p)
        return false;
    e->db = span_until(names, p);
    e->user = span_from(names, e->db.len + user.len);
    return true;
}

/* 'HOST' (REASON, with MariaDB's real ip: 'ADDRESS' in between where a proxy is trusted; MySQL 5.0 opens with a
 * backtick. No host holds a quote. */
static bool split_host(struct span tail, struct log_event *e) {
    if (!take(&tail, LITERAL("'")) && !take(&tail, LITERAL("`")))
        return false;
    const char *quote = find_char(tail, '\'');
    if (!quote)
        return false;
    struct span host = span_until(tail, quote);
    tail = span_from(tail, host.len + 1);
    if (take(&tail, LITERAL(" real ip: '"))) {
        quote = find_char(tail, '\'');
        if (!quote)
            return false;
        tail = span_from(tail, (size_t)(quote + 1 - tail.ptr));
    }
    if (!take(&tail, LITERAL(" (")))
        return false;
    e->host = host;
    e->reason = tail;
    return true;
}

/* Take off what MySQL 8 (a full stop) and Aurora (" (sql_connect.cc:842)") put behind the frame. */
static void cut_source_place(struct span *s) {
    const char *p = find_last(*s, LITERAL(" ("));
    uint64_t number;
    if (!p || !ends_with(*s, LITERAL(")")))
        return;
    struct span place = span_from(*s, (size_t)(p - s->ptr));
    const char *dot = memmem(place.ptr, place.len, ".cc:", 4);
    if (!dot)
        return;
    place = span_from(place, (size_t)(dot + 4 - place.ptr));
    if (take_number(&place, &number) && place.len == 1)
        *s = span_until(*s, p);
}

/* DB' user: 'USER' host: 'HOST' (REASON)   or, before 5.0,   DB' user: 'USER' (REASON)   DB' user: 'USER' */
static bool split_aborted(struct span s, struct log_event *e) {
    if (cut_end(&s, LITERAL(")"))) {
        struct span names = s;
        for (const char *p; (p = find_last(names, HOST));) {
            names = span_until(names, p);
            if (split_host(span_from(s, names.len + HOST.len), e))
                return split_names(names, e);
        }
        const struct literal open = LITERAL("' (");
        const char *p = find_last(s, open);
        if (!p)
            return false;
        e->reason = span_from(s, (size_t)(p - s.ptr) + open.len);
        s = span_until(s, p);
    } else if (!cut_end(&s, LITERAL("'"))) {
        return false;
    }
    e->host = (struct span){0};
    /* With a host the line was cut off behind it: where the user ends, nobody knows. */
    return !contains(s, HOST) && split_names(s, e);
}

static bool parse_aborted(struct span rest, struct log_event *e) {
    if (!take_number(&rest, &e->connection_id) || !take(&rest, LITERAL(" to db: '")))
        return false;
    cut_source_place(&rest);
    cut_end(&rest, LITERAL("."));
    bool fits = split_aborted(rest, e);
    /* A name that was refused and holds this line ends as all refused names do. */
    if (fits ? contains(e->reason, AT) || (!e->host.ptr && contains(e->user, AT)) : contains(rest, AT)) {
        e->suspect = true;
        return true;
    }
    return fits;
}

/* --- Access denied --- */

/* USER'@'HOST' then (using password: YES), to database 'DB', ". Account is …" or nothing. */
static bool parse_denied(struct span rest, struct log_event *e) {
    static const struct literal account = TEXT("'. Account is ");
    const char *at = find_last(rest, AT), *p = find_last(rest, account);
    if (!at)
        return false;
    bool with_password = false;
    if (p && p > at) {
        rest = span_until(rest, p + 1);
    } else {
        cut_end(&rest, LITERAL("."));
        with_password =
            cut_end(&rest, LITERAL(" (using password: YES)")) || cut_end(&rest, LITERAL(" (using password: NO)"));
    }
    if (!cut_end(&rest, LITERAL("'")) || rest.ptr + rest.len < at + AT.len)
        return false;

    e->user = span_until(rest, at);
    e->host = span_from(rest, e->user.len + AT.len);
    const char *quote = find_char(e->host, '\'');
    if (quote) {
        struct span db = span_from(e->host, (size_t)(quote - e->host.ptr));
        if (with_password || !take(&db, LITERAL("' to database '")))
            return false;
        e->db = db;
        e->host = span_until(e->host, quote);
    }
    /* The client chose the database too: with a second '@' nobody can tell which part is his. */
    e->suspect = !with_password && contains(e->user, AT);
    return true;
}

/* --- start and stop --- */

static const struct server_frame {
    enum log_event_kind kind;
    struct literal text, more; /* nothing follows, or this */
} server_frames[] = {
    {LOG_EVENT_SERVER_START, TEXT("ready for connections"), TEXT(" Version: ")},
    {LOG_EVENT_SERVER_STOP, TEXT("Shutdown complete"), TEXT(" (mysqld ")},
};

/* PROGRAM: ready for connections. */
static bool parse_server(struct span message, struct log_event *e) {
    const char *p = find_char(message, ':');
    while (p && !starts_with(span_from(message, (size_t)(p - message.ptr)), LITERAL(": ")))
        p = find_char(span_from(message, (size_t)(p + 1 - message.ptr)), ':');
    if (!p)
        return false;
    struct span program = span_until(message, p), rest = span_from(message, program.len + 2);
    for (size_t i = 0; i < sizeof server_frames / sizeof *server_frames; i++) {
        if (!take(&rest, server_frames[i].text))
            continue;
        /* A path may hold spaces, "C:\Program Files\…", a program's own name does not. */
        struct span word = take_last_word(&program);
        if (program.len && !find_char(word, '/') && !find_char(word, '\\'))
            return false;
        take(&rest, LITERAL("."));
        e->kind = server_frames[i].kind;
        e->suspect = contains(rest, AT);
        return e->suspect || rest.len == 0 || starts_with(rest, server_frames[i].more);
    }
    return false;
}

/* ------------------------------------------------------------------------------------------------------------------ */

enum { ABORTED, DENIED };
static const struct literal openings[] = {
    [ABORTED] = TEXT("Aborted connection "),
    [DENIED] = TEXT("Access denied for user '"),
};

/* Whether the message is an event; *open when it is a refused login whose end is not on this line. */
static bool parse_message(struct span front, struct span message, struct log_event *e, bool *open) {
    while (cut_end(&message, LITERAL(" ")) || cut_end(&message, LITERAL("\r")))
        ;
    if (take(&message, openings[ABORTED])) {
        e->kind = LOG_EVENT_ABORTED;
        if (!front_is_plausible(front) || !parse_aborted(message, e))
            return false;
        if (starts_with(e->reason, LITERAL("init_connect command failed")))
            e->kind = LOG_EVENT_INIT_CONNECT;
        else if (span_is(e->reason, "Too many connections"))
            e->kind = LOG_EVENT_TOO_MANY_CONNECTIONS;
        return true;
    }
    if (take(&message, openings[DENIED])) {
        e->kind = LOG_EVENT_ACCESS_DENIED;
        if (!front_is_plausible(front))
            return false;
        bool fits = parse_denied(message, e);
        *open = !fits;
        return fits;
    }
    return parse_server(message, e) && front_is_plausible(front);
}

void log_parser_line(struct log_parser *parser, struct span line, struct log_event *event) {
    struct span front, message;
    bool inside = parser->open_name > 0, open = false;
    bool goes_on = inside && line.len < parser->open_name && !contains(line, AT);
    parser->open_name = goes_on ? parser->open_name - line.len - 1 : 0;

    *event = (struct log_event){0};
    if (!find_message(line, &front, &message))
        return;
    if (!parse_message(front, message, event, &open))
        *event = (struct log_event){.kind = LOG_EVENT_NONE};
    event->suspect |= inside && event->kind != LOG_EVENT_NONE;
    if (open)
        parser->open_name = OPEN_NAME_BYTES;
}

void log_parse(struct span line, struct log_event *event) {
    struct log_parser alone = {0};
    log_parser_line(&alone, line, event);
}
