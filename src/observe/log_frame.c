/*
 * Messages against frames; see log_frame.h.
 *
 * A frame is C text in which single bytes below 0x10 are the holes. Its first literal is compared first, and the table
 * is indexed by that literal's first byte; those that begin with the program's name are indexed by what follows it.
 *
 * The host is the one value that holds no quote, whoever made it up: it is looked for from the end, what is behind it
 * is read forwards, and the names in front of it backwards.
 */
#include "observe/log_frame.h"

#include "observe/log_reason.h"
#include "observe/log_text.h"

#include <stdint.h>
#include <string.h>

#define HOLE_ID '\1'
#define HOLE_DB '\2'
#define HOLE_USER '\3'
#define HOLE_HOST '\4'
#define HOLE_EXTRA '\5'
#define HOLE_REASON '\6'
#define HOLE_WORD '\7'
#define HOLE_PROGRAM '\17'
#define ID "\1"
#define DB "\2"
#define USER "\3"
#define HOST "\4"
#define EXTRA "\5" /* MariaDB: " real ip: '…'" behind a trusted proxy, else nothing */
#define REASON "\6"
#define WORD "\7"     /* the server's YES or NO: short, without a quote */
#define REST "\16"    /* of no interest */
#define PROGRAM "\17" /* the server's own name and the colon after it */

/* The first one that fits is taken. */
static const struct frame {
    enum log_event_kind kind;
    const char *text;
} frames[] = {
/* clang-format off */
#define FRAME(kind, text) {LOG_EVENT_##kind, text},
FRAME(ABORTED, "Aborted connection " ID " to db: '" DB "' user: '" USER "' host: '" HOST "'" EXTRA " (" REASON ")")
FRAME(ABORTED, "Aborted connection " ID " to db: '" DB "' user: '" USER "' host: `" HOST "'" EXTRA " (" REASON ")") /* 5.0 */
FRAME(ABORTED, "Aborted connection " ID " to db: '" DB "' user: '" USER "' (" REASON ")") /* 3.23, 4.0 */
FRAME(ABORTED, "Aborted connection " ID " to db: '" DB "' user: '" USER "'")
FRAME(ACCESS_DENIED, "Access denied for user '" USER "'@'" HOST "' (using password: " WORD ")") /* in other languages too, in those where the rest was not translated */
FRAME(ACCESS_DENIED, "Access denied for user '" USER "'@'" HOST "'")
FRAME(ACCESS_DENIED, "Access denied for user '" USER "'@'" HOST "' to database '" DB "'")
FRAME(ACCESS_DENIED, "Access denied for user '" USER "'@'" HOST "'. Account is locked.")
FRAME(ACCESS_DENIED, "Access denied for user '" USER "'@'" HOST "'. Account is blocked for " REST)
FRAME(ACCESS_DENIED, "Access denied for user '" USER "'@'" HOST "', missing proxy privilege" REST) /* MySQL 9 */
FRAME(ACCESS_DENIED, "Access denied for user '" USER "'@'" HOST "', proxied user " REST "doesn't exist.")
FRAME(ACCESS_DENIED, "Access denied for AuthId `" USER "`@`" HOST "` to database '" DB "'") /* some 8.0 */
FRAME(ACCESS_DENIED, "Access denied trying to change to user '" USER "'@'" HOST "' (using password: " WORD "). Disconnecting.")
FRAME(ACCESS_DENIED, "Access denied, this account is locked")
FRAME(ACCESS_DENIED, "Host '" HOST "' is not allowed to connect to this " REST)
FRAME(TOO_MANY_CONNECTIONS, "Too many connections")
FRAME(HOST_BLOCKED, "Host '" HOST "' is blocked because of many connection errors" REST)
FRAME(DNS, "IP address '" HOST "' could not be resolved: " REASON)
FRAME(DNS, "IP address '" HOST "' has been resolved to the host name '" REST "', which resembles IPv4-address itself.")
FRAME(DNS, "Host name '" HOST "' could not be resolved: " REASON)
FRAME(DNS, "Hostname '" HOST "' does not resolve to '" REST "'.")
FRAME(FORCED_CLOSE, PROGRAM "Forcing close of thread " ID "  user: '" USER "'")
FRAME(FORCED_CLOSE, PROGRAM "Thread " ID " (user : '" USER "') did not exit")
FRAME(SSL, "Failed to set up SSL because of the following SSL library error: " REASON)
FRAME(SSL, "Failed to initialize TLS for channel: " REASON)
FRAME(SSL, "SSL error: " REASON)
FRAME(SSL, "SSL connection error: " REASON)
FRAME(SSL, "SSL_CTX_set_default_verify_paths failed" REST)
FRAME(SSL, "Failed to setup SSL" REST)
FRAME(SSL, "CA certificate " REST " is self signed.")
FRAME(SSL, "CA certificate is self signed" REST)
FRAME(SSL, "Server SSL certificate doesn't verify: " REASON)
FRAME(SSL, "Failed to validate certificate " REST " because " REASON) /* MySQL 9, and the next */
FRAME(SSL, "Server certificate " REST " verification has failed" REST)
FRAME(TIMEOUT_NOTE, "'wait_timeout' period of " REST " was exceeded for `" USER "`@`" HOST "`. " REST)
FRAME(TIMEOUT_NOTE, "'wait_timeout' period of " REST " was exceeded for " REST)
FRAME(TIMEOUT_NOTE, "The wait_timeout period was exceeded, the idle time since last command was too long.") /* 8.0, early */
FRAME(TIMEOUT_NOTE, "'interactive_timeout' period of " REST " was exceeded for `" USER "`@`" HOST "`. " REST)
FRAME(TIMEOUT_NOTE, "'interactive_timeout' period of " REST " was exceeded for " REST)
FRAME(TIMEOUT_NOTE, "A connection from `" USER "`@`" HOST "` was closed by the server due to a timeout in the communication layer" REST)
FRAME(TIMEOUT_NOTE, "A connection from " REST " was closed by the server due to a timeout in the communication layer" REST)
FRAME(ACCEPT_ERROR, "Error in accept: " REASON)
FRAME(ACCEPT_ERROR, PROGRAM "Got error " REST " from select")
FRAME(SERVER_START, PROGRAM "ready for connections.")
FRAME(SERVER_START, PROGRAM "ready for connections. Version: " REST)
FRAME(SERVER_STOPPING, PROGRAM "Normal shutdown")
FRAME(SERVER_STOP, PROGRAM "Shutdown complete")
FRAME(SERVER_STOP, PROGRAM "Shutdown complete (mysqld " REST)
FRAME(OTHER, "Could not read packet: fd: " REST)
FRAME(OTHER, "Connection attributes of length " REST " for connection " ID ", user " USER "@" HOST " (as " REST)
FRAME(OTHER, "Connection attributes of length " REST)
FRAME(OTHER, "Unknown database '" DB "'")
FRAME(OTHER, "Password for the account '" USER "'@'" HOST "' has expired. To log in, " REST)
FRAME(OTHER, "Can't create thread to handle new connection" REST)
FRAME(OTHER, "Can't create thread to handle request" REST) /* 5.6 */
FRAME(OTHER, "Can't create thread to kill server" REST)
FRAME(OTHER, "Error log throttle: " REST)
FRAME(OTHER, "Connection closed. Connection memory limit " REST)
FRAME(OTHER, "Connection closed. Global connection memory limit " REST)
#include "observe/log_frames.inc"
#undef FRAME
    /* clang-format on */
};
/* Servers cut every name and reason; a name that was refused can have 512 bytes. */
enum { MESSAGE_MAX_BYTES = 4096 };
enum { FRAMES = sizeof frames / sizeof *frames };

/* --- frames taken apart, found by their first byte --- */

enum { HOLES_MAX = 6 };

/* LITERAL HOLE LITERAL HOLE … LITERAL; a program's name in front is taken off. */
struct shape {
    struct span literals[HOLES_MAX + 1];
    char holes[HOLES_MAX];
    size_t count, host; /* of holes; where the host is, or `count` */
};

/* Which frames begin with a byte; '0' stands for all digits. Those behind a program's name have an index of their own.
 */
struct frame_index {
    char first[FRAMES];
    bool has[256];
};

static struct {
    bool ready;
    struct shape shapes[FRAMES];
    struct frame_index plain, named;
} table;

uint8_t log_frame_beginnings[1 << 13];
/* What of these is no program's name; how the frames behind such a name begin; how reasons do. */
static uint8_t plain_beginnings[1 << 13], named_beginnings[1 << 13], reason_beginnings[1 << 13];

static bool is_noted(const uint8_t *set, const char *p) {
    unsigned hash = log_frame_hash(p);
    return set[hash / 8] >> hash % 8 & 1;
}

static void note(uint8_t *set, const char *p) {
    unsigned hash = log_frame_hash(p);
    set[hash / 8] |= (uint8_t)(1 << hash % 8);
}

static void note_beginning(const char *p) {
    note(log_frame_beginnings, p);
}

/* Whatever the other two bytes are: the third one leads to no hash that the second alone does not lead to. */
static void note_first_byte(uint8_t *set, char c) {
    for (unsigned second = 0; second <= UINT8_MAX; second++)
        note(set, (char[]){c, (char)second, 0});
}

/* A program's name in front of a frame: a path, or one of these. */
static void note_programs(void) {
    static const char *const names[] = {"mysqld", "mariadbd", "Server", "bin/", "sbin/", "libexec/"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        note_beginning(names[i]);
    note_first_byte(log_frame_beginnings, '/');
    note_first_byte(log_frame_beginnings, '.');
    for (int drive = 'A'; drive <= 'z'; drive++)
        note_beginning((char[]){(char)drive, ':', '\\'});
}

static char index_byte(char c) {
    return is_digit(c) || c == HOLE_ID ? '0' : c;
}

static void take_apart(const char *text, struct shape *shape) {
    for (const char *p = text;; p++) {
        if (*p >= '\20' || *p < '\0')
            continue;
        shape->literals[shape->count] = (struct span){text, (size_t)(p - text)};
        if (!*p)
            break;
        if (*p == HOLE_HOST)
            shape->host = shape->count;
        shape->holes[shape->count++] = *p;
        text = p + 1;
    }
    if (!memchr(shape->holes, HOLE_HOST, shape->count))
        shape->host = shape->count;
}

void log_frame_init(void) {
    if (table.ready)
        return;
    for (size_t i = 0; i < FRAMES; i++) {
        bool named = frames[i].text[0] == HOLE_PROGRAM;
        struct frame_index *index = named ? &table.named : &table.plain;
        index->first[i] = index_byte(frames[i].text[named]);
        index->has[(unsigned char)index->first[i]] = true;
        take_apart(frames[i].text + named, &table.shapes[i]);
        struct span literal = table.shapes[i].literals[0];
        uint8_t *set = named ? named_beginnings : plain_beginnings;
        for (char digit = '0'; literal.len == 0 && digit <= '9'; digit++)
            note_first_byte(set, digit);
        if (literal.len < 3)
            note_first_byte(set, literal.ptr[0]);
        else
            note(set, literal.ptr);
    }
    struct span reason;
    for (size_t i = 0; (reason = log_reason_nth(i)).ptr; i++)
        note(reason_beginnings, reason.ptr);
    for (size_t i = 0; i < sizeof reason_beginnings; i++) {
        plain_beginnings[i] |= reason_beginnings[i];
        named_beginnings[i] |= reason_beginnings[i];
        log_frame_beginnings[i] |= plain_beginnings[i];
    }
    note_programs();
    table.ready = true;
}

/* The next frame from *i on that can begin like `s`. */
static const struct shape *next_frame(const struct frame_index *index, struct span s, size_t *i) {
    const char *p = s.len && *i < FRAMES ? memchr(index->first + *i, index_byte(s.ptr[0]), FRAMES - *i) : NULL;
    if (!p)
        return NULL;
    *i = (size_t)(p - index->first);
    return &table.shapes[(*i)++];
}

/* --- one frame --- */

static bool fill(char hole, struct span value, struct log_event *e) {
    switch (hole) {
    case HOLE_DB:
        e->db = value;
        return true;
    case HOLE_USER:
        e->user = value;
        return true;
    case HOLE_HOST:
        e->host = value;
        return !span_find_char(value, '\'');
    case HOLE_REASON:
        e->reason = value;
        return true;
    case HOLE_ID:
        return span_take_number(&value, &e->connection_id) && value.len == 0;
    case HOLE_WORD:
        return value.len <= 32 && !span_find_char(value, '\'') && !span_find_char(value, '(');
    default:
        return true;
    }
}

/* What follows the host, without the frame's last literal. */
static bool fit_after_host(const struct shape *f, struct span s, struct log_event *e) {
    size_t i = f->host + 1;
    if (i > f->count - 1)
        return s.len == 0;
    if (!span_take(&s, f->literals[i]))
        return false;
    if (f->holes[i] == HOLE_EXTRA) {
        if (span_take(&s, SPAN_LITERAL(" real ip: '"))) {
            const char *quote = span_find_char(s, '\'');
            if (!quote)
                return false;
            s = span_from(s, (size_t)(quote + 1 - s.ptr));
        }
        if (!span_take(&s, f->literals[++i]))
            return false;
    }
    return fill(f->holes[i], s, e);
}

/* HOST and what follows it. */
static bool fit_from_host(const struct shape *f, struct span s, struct log_event *e) {
    if (f->host == f->count - 1)
        return fill(HOLE_HOST, s, e);
    const char *end = span_find_char(s, f->literals[f->host + 1].ptr[0]);
    return end && fill(HOLE_HOST, span_until(s, end), e) && fit_after_host(f, span_from(s, (size_t)(end - s.ptr)), e);
}

/* `s`, behind a frame's first literal and number, up to the last literal, holds the holes from `first` on. */
static bool fit_holes(const struct shape *f, size_t first, struct span s, struct log_event *e) {
    size_t i = f->host;
    if (i == first)
        return fit_from_host(f, s, e);
    if (i < f->count) {
        struct span all = s, before = f->literals[i];
        do {
            const char *p = span_find_last(s, before);
            if (!p)
                return false;
            s = span_until(s, p);
        } while (!fit_from_host(f, span_from(all, s.len + before.len), e));
    }
    while (--i > first) {
        const char *p = span_find_last(s, f->literals[i]);
        if (!p || !fill(f->holes[i], span_from(s, (size_t)(p - s.ptr) + f->literals[i].len), e))
            return false;
        s = span_until(s, p);
    }
    return fill(f->holes[first], s, e);
}

static bool fits(const struct shape *f, struct span s, struct log_event *e) {
    size_t first = 0;
    if (!span_take(&s, f->literals[0]))
        return false;
    if (f->count && f->holes[0] == HOLE_ID) {
        if (!span_take_number(&s, &e->connection_id) || !span_take(&s, f->literals[1]))
            return false;
        first = 1;
    }
    if (first == f->count)
        return s.len == 0;
    return span_cut_end(&s, f->literals[f->count]) && fit_holes(f, first, s, e);
}

/* --- all frames --- */

/* Take off what Aurora puts behind each message: " (sql_connect.cc:842)". */
static void cut_source_place(struct span *s) {
    uint64_t number;
    const char *p = span_ends(*s, SPAN_LITERAL(")")) ? span_find_last(*s, SPAN_LITERAL(" (")) : NULL;
    if (!p)
        return;
    struct span place = span_from(*s, (size_t)(p - s->ptr));
    const char *dot = span_find(place, SPAN_LITERAL(".cc:"));
    if (!dot)
        return;
    place = span_from(place, (size_t)(dot + 4 - place.ptr));
    if (span_take_number(&place, &number) && place.len == 1)
        *s = span_until(*s, p);
}

/* A frame without a host is from before 5.0. With one the line was cut behind it: where the user ends, nobody knows. */
static bool is_cut(const struct shape *f, struct span message, enum log_event_kind kind) {
    return kind == LOG_EVENT_ABORTED && f->host == f->count && span_find(message, SPAN_LITERAL("' host: "));
}

static enum log_frame_fit parse_with(const struct frame_index *index, struct span s, struct log_event *e) {
    struct span without_dot = s;
    bool dot = span_cut_end(&without_dot, SPAN_LITERAL("."));
    enum log_frame_fit result = LOG_FRAME_NONE;
    struct log_event begins = {0};
    const struct shape *f;
    for (size_t i = 0; (f = next_frame(index, s, &i));) {
        enum log_event_kind kind = frames[i - 1].kind;
        if (!span_starts(s, f->literals[0]))
            continue;
        *e = (struct log_event){.kind = kind};
        if ((fits(f, s, e) || (dot && fits(f, without_dot, e))) && !is_cut(f, s, kind))
            return LOG_FRAME_FITS;
        if (kind == LOG_EVENT_ACCESS_DENIED && f->count && f->holes[0] == HOLE_USER) {
            result = LOG_FRAME_OPEN;
            begins = (struct log_event){.kind = kind, .user = span_from(s, f->literals[0].len)};
        } else if (result == LOG_FRAME_NONE) {
            result = LOG_FRAME_BROKEN;
            begins = (struct log_event){.kind = kind};
        }
    }
    *e = begins;
    return result;
}

/* A path may hold spaces, "C:\Program Files\…", a program's own name does not. */
static bool is_program(struct span s) {
    struct span word = span_take_last_word(&s);
    return s.len == 0 || span_find_char(word, '/') || span_find_char(word, '\\');
}

/* PROGRAM: … */
static bool take_program(struct span *s) {
    const char *p = span_find(*s, SPAN_LITERAL(": ")), *wide = NULL;
    if (!p)
        p = wide = span_find(*s, SPAN_LITERAL("：")); /* MariaDB in Chinese */
    if (!p || !is_program(span_until(*s, p)))
        return false;
    *s = span_from(*s, (size_t)(p - s->ptr) + (wide ? 3 : 2));
    return true;
}

/* MariaDB of a shutdown: PROGRAM (initiated by: …): …; whose name may hold anything. */
static bool take_initiator(struct span *s) {
    const char *p = span_find_last(*s, SPAN_LITERAL("): ")), *wide = NULL;
    if (!p)
        p = wide = span_find_last(*s, SPAN_LITERAL("）:")); /* in Chinese */
    const char *open = p ? span_find(span_until(*s, p), wide ? SPAN_LITERAL("（") : SPAN_LITERAL(" (")) : NULL;
    if (!open || !is_program(span_until(*s, open)))
        return false;
    *s = span_from(*s, (size_t)(p - s->ptr) + (wide ? strlen("）:") : strlen("): ")));
    return true;
}

bool log_frame_may_fit_behind_name(const char *p, const char *end) {
    enum { NAME_MAX = 64, BEHIND = 5 }; /* ": " and three bytes */
    const char *colon = memchr(p, ':', end - p < NAME_MAX ? (size_t)(end - p) : NAME_MAX);
    bool is_name = colon && end - colon >= BEHIND && colon[1] == ' ' && !memchr(p, ' ', (size_t)(colon - p)) &&
                   !memchr(p, '\n', (size_t)(colon - p)); /* the colon is the next line's */
    return !is_name || is_noted(plain_beginnings, p) || is_noted(named_beginnings, colon + 2);
}

/* A reason without a frame around it. */
static enum log_frame_fit parse_bare(enum log_event_kind kind, struct span s, struct log_event *e) {
    if (s.len < 3 || !is_noted(reason_beginnings, s.ptr))
        return LOG_FRAME_NONE;
    struct span english = log_reason_english(s);
    if (!log_reason_is_of_the_wire(english))
        return LOG_FRAME_NONE;
    *e = (struct log_event){.kind = kind, .reason = s, .english_reason = english};
    return LOG_FRAME_FITS;
}

static enum log_frame_fit parse_stopping(struct span s, struct log_event *e) {
    if (take_initiator(&s) && parse_with(&table.named, s, e) == LOG_FRAME_FITS && e->kind == LOG_EVENT_SERVER_STOPPING)
        return LOG_FRAME_FITS;
    *e = (struct log_event){0};
    return LOG_FRAME_NONE;
}

static enum log_frame_fit parse_named(struct span s, struct log_event *e) {
    if (!take_program(&s))
        return parse_stopping(s, e);
    enum log_frame_fit fit = parse_with(&table.named, s, e);
    /* MariaDB at log_warnings > 3: an error of the conversation, in front of the abort that it leads to */
    return fit == LOG_FRAME_NONE ? parse_bare(LOG_EVENT_OTHER, s, e) : fit;
}

enum log_frame_fit log_frame_parse(struct span message, struct log_event *e) {
    *e = (struct log_event){0};
    if (message.len > MESSAGE_MAX_BYTES)
        return LOG_FRAME_NONE;
    cut_source_place(&message);
    enum log_frame_fit fit = parse_with(&table.plain, message, e);
    if (fit == LOG_FRAME_NONE)
        fit = parse_named(message, e);
    if (fit == LOG_FRAME_NONE) /* MySQL 5.7 and 8, of one who left before the login was over */
        fit = parse_bare(LOG_EVENT_ABORTED, message, e);
    if (fit != LOG_FRAME_FITS || !e->reason.ptr)
        return fit;
    e->english_reason = log_reason_english(e->reason);
    if (e->kind == LOG_EVENT_ABORTED && log_reason_is_init_connect(e->english_reason))
        e->kind = LOG_EVENT_INIT_CONNECT;
    if (e->kind == LOG_EVENT_ABORTED && log_reason_is_too_many(e->english_reason))
        e->kind = LOG_EVENT_TOO_MANY_CONNECTIONS;
    if (span_equal(e->english_reason, e->reason))
        e->english_reason = (struct span){0};
    return fit;
}

bool log_frame_refused_end(struct span text, bool lone_quote, struct log_event *e) {
    struct span names = text;
    /* What follows the true one holds few of them: a database's name can. */
    for (int tries = 4; tries > 0; tries--) {
        const char *at = span_find_last(names, SPAN_LITERAL("'@'"));
        if (!at)
            break;
        names = span_until(names, at);
        for (size_t i = 0; i < FRAMES; i++) {
            const struct shape *f = &table.shapes[i];
            if (frames[i].kind != LOG_EVENT_ACCESS_DENIED || f->host != 1 || !span_is(f->literals[1], "'@'") ||
                (lone_quote && f->literals[0].len > 1))
                continue;
            struct span tail = span_from(text, names.len + 3);
            *e = (struct log_event){.kind = LOG_EVENT_ACCESS_DENIED, .user = names};
            if (span_cut_end(&tail, f->literals[f->count]) && fit_from_host(f, tail, e))
                return true;
        }
    }
    return false;
}
