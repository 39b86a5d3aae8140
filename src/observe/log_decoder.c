/*
 * Lines to events; see log_decoder.h.
 *
 * Most events are told at once. Held back, in order, are those that the next lines can change: a refused login, whose
 * name can go on (log_refusal.h); the first of two lines that tell of one abort; an abort by init_connect, which the
 * SQL error follows. What comes meanwhile waits behind them.
 */
#include "observe/log_decoder.h"

#include "observe/log_refusal.h"
#include "observe/log_scan.h"
#include "observe/log_text.h"
#include "observe/log_unwrap.h"

#include <stdlib.h>

enum {
    LINE_MAX_BYTES = 64 * 1024, /* of one that is put together from pieces */
    HELD_MAX = 64,              /* events */
    /* How many lines of others a server's threads may write between the two that one of them writes. */
    PARTNER_LINES = 8,
};

struct held {
    struct log_event event;
    char *text;     /* what its parts point into */
    uint64_t until; /* the line by which it is settled */
    bool announces; /* an abort, which tells it again */
};

struct log_decoder {
    log_event_fn *on_event;
    void *arg;
    uint64_t lines;
    struct strbuf scratch[2];

    struct strbuf piece;   /* the beginning of a line that goes on in the next one */
    uint64_t piece_line;   /* 0: none */
    unsigned piece_engine; /* its layer */
    struct log_stamp piece_stamp;

    struct held *held;          /* HELD_MAX, from the first that waits on: most logs never have one */
    size_t held_count, refused; /* held[refused] is what `refusal` is about */
    size_t waiting;             /* what waits for its end: up to there, or from a whole name on that may be around it */
    struct log_refusal refusal;
    unsigned line_layers;       /* what was wrapped around this line … */
    unsigned refusal_layers;    /* … and around that in which the refused name begins */
    uint64_t init_connect_line; /* the one that told of an init_connect that failed */
    uint64_t init_connect_thread;
    struct {
        uint64_t id, line;
        enum log_event_kind kind;
    } ended[PARTNER_LINES]; /* the connections whose aborts and blocked accounts were told last, in a ring */
    size_t ended_next;
};

struct log_decoder *log_decoder_new(log_event_fn *on_event, void *arg) {
    struct log_decoder *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->on_event = on_event;
    d->arg = arg;
    strbuf_init(&d->scratch[0], LINE_MAX_BYTES);
    strbuf_init(&d->scratch[1], LINE_MAX_BYTES);
    strbuf_init(&d->piece, LINE_MAX_BYTES);
    log_refusal_init(&d->refusal);
    log_frame_init();
    return d;
}

void log_decoder_free(struct log_decoder *d) {
    if (!d)
        return;
    for (size_t i = 0; i < d->held_count; i++)
        free(d->held[i].text);
    free(d->held);
    strbuf_release(&d->scratch[0]);
    strbuf_release(&d->scratch[1]);
    strbuf_release(&d->piece);
    log_refusal_release(&d->refusal);
    free(d);
}

uint64_t log_decoder_lines(const struct log_decoder *d) {
    return d->lines;
}

/* --- events that wait --- */

static void drop_held(struct log_decoder *d, size_t i) {
    free(d->held[i].text);
    d->held_count--;
    memmove(&d->held[i], &d->held[i + 1], (d->held_count - i) * sizeof *d->held);
    d->refused -= d->refused > i;
    d->waiting -= d->waiting > i;
}

static bool is_settled(const struct log_decoder *d, size_t i) {
    return !(d->refusal.open && i >= d->waiting) && d->held[i].until <= d->lines;
}

/* Tell those at the front that wait for nothing any more; all, where `all`. */
static void release(struct log_decoder *d, bool all) {
    size_t done = 0;
    if (!d->held_count)
        return;
    for (; done < d->held_count && (all || is_settled(d, done)); done++) {
        struct held *h = &d->held[done];
        if (h->event.kind != LOG_EVENT_NONE)
            d->on_event(d->arg, &h->event);
        free(h->text);
    }
    d->held_count -= done;
    memmove(d->held, d->held + done, d->held_count * sizeof *d->held);
    d->refused -= d->refused < done ? d->refused : done;
    d->waiting -= d->waiting < done ? d->waiting : done;
}

/* Move the parts of an event from one copy of its text to another. */
static void move_parts(struct log_event *e, const char *from, const char *to) {
    struct span *const parts[4] = {&e->db, &e->user, &e->host, &e->reason};
    for (int i = 0; i < 4; i++)
        if (parts[i]->ptr)
            parts[i]->ptr = to + (parts[i]->ptr - from);
}

static void tell(struct log_decoder *d, const struct log_event *event, struct span text, uint64_t until,
                 bool announces) {
    bool waits = d->held_count || d->refusal.open || until > d->lines;
    if (waits && d->held_count == HELD_MAX) {
        log_refusal_close(&d->refusal);
        release(d, true);
        waits = false;
    }
    if (waits && !d->held)
        d->held = calloc(HELD_MAX, sizeof *d->held);
    char *copy = waits && d->held ? malloc(text.len + 1) : NULL;
    if (!copy) { /* nothing to wait for, or no memory to wait in */
        if (event->kind != LOG_EVENT_NONE)
            d->on_event(d->arg, event);
        return;
    }
    memcpy(copy, text.ptr, text.len);
    struct held *h = &d->held[d->held_count++];
    *h = (struct held){.event = *event, .text = copy, .until = until, .announces = announces};
    move_parts(&h->event, text.ptr, copy);
}

/* An abort goes without the line that announced it. */
static void drop_announcement(struct log_decoder *d, const struct log_event *abort) {
    for (size_t i = 0; i < d->held_count; i++) {
        const struct held *h = &d->held[i];
        bool same = h->event.thread ? h->event.thread == abort->connection_id
                                    : h->event.user.ptr && span_equal(h->event.user, abort->user);
        if (h->announces && same && !h->event.suspect) {
            drop_held(d, i);
            return;
        }
    }
}

/* --- refused logins --- */

static void suspect_from(struct log_decoder *d, size_t first) {
    for (size_t i = first; i < d->held_count; i++)
        d->held[i].event.suspect |= d->held[i].event.kind != LOG_EVENT_ACCESS_DENIED;
}

/* The refused login (or abort) is known in full: its name goes up to this line. */
static void settle_refused(struct log_decoder *d, const struct log_event *end) {
    struct held *h = &d->held[d->refused];
    size_t len = d->refusal.text.len;
    char *copy = malloc(len + 1);
    if (!copy)
        return;
    memcpy(copy, strbuf_text(&d->refusal.text), len);
    free(h->text);
    h->text = copy;
    struct log_event begun = h->event;
    h->event = *end;
    h->event.line = begun.line;
    h->event.thread = begun.thread;
    h->event.time = begun.time;
    h->event.wall_ns = begun.wall_ns;
    move_parts(&h->event, strbuf_text(&d->refusal.text), copy);
}

/* What the lines before tell of this one; true where it is settled: it is a part of a name. */
static bool continue_refusal(struct log_decoder *d, struct span line, struct log_parsed *parsed) {
    struct log_event end;
    bool sure = d->refusal.sure && !d->refusal.whole;
    enum log_refusal_step step = log_refusal_line(&d->refusal, line, parsed, &end);
    if (!d->refusal.outer)
        d->waiting = d->refused;
    switch (step) {
    case LOG_REFUSAL_ENDS:
        settle_refused(d, &end);
        for (size_t i = d->refused + 1; i < d->held_count; i++)
            d->held[i].event.suspect = true;
        suspect_from(d, d->waiting + 1);
        if (!d->refusal.open)
            log_refusal_close(&d->refusal);
        parsed->event.suspect = true;
        return true;
    case LOG_REFUSAL_REACHES:
        suspect_from(d, d->waiting + 1);
        return false;
    case LOG_REFUSAL_WAITS:
    case LOG_REFUSAL_PASSED:
        parsed->event.suspect |= sure;
        return sure;
    }
    return false;
}

static void begin_refusal(struct log_decoder *d, struct span line, const struct log_parsed *parsed) {
    bool begins = parsed->open_name.ptr || parsed->open_abort.ptr ||
                  (parsed->event.kind == LOG_EVENT_ACCESS_DENIED && parsed->event.user.ptr);
    bool sure = d->refusal.abort || (d->refusal.sure && !d->refusal.whole);
    if (!begins || (d->refusal.open && (parsed->open_abort.ptr || (sure && parsed->maybe_open))))
        return;
    log_refusal_begin(&d->refusal, line, parsed);
    d->refused = d->held_count;
    if (!d->refusal.outer)
        d->waiting = d->refused;
    d->refusal_layers = d->line_layers;
}

/* --- lines --- */

/* Whether an event of one of these kinds was told of connection `id` in the lines just before. */
static bool was_told(const struct log_decoder *d, uint64_t line, uint64_t id, unsigned kinds) {
    for (size_t i = 0; i < PARTNER_LINES; i++)
        if (d->ended[i].line && d->ended[i].id == id && line - d->ended[i].line <= PARTNER_LINES &&
            kinds >> d->ended[i].kind & 1)
            return true;
    return false;
}

/* MariaDB and MySQL 5.x write the SQL error of a failed init_connect in the next line, or where the thread is the
 * connection soon after; of those errors one looks like an event. */
static bool follows_init_connect(const struct log_decoder *d, const struct log_event *e) {
    if (e->kind != LOG_EVENT_ACCESS_DENIED || !e->db.ptr)
        return false;
    return (d->init_connect_line && d->init_connect_line + 1 == e->line && e->thread == d->init_connect_thread) ||
           was_told(d, e->line, e->thread, 1U << LOG_EVENT_INIT_CONNECT);
}

/* MySQL 9.7 tells of it with the advice what to do, and at once again without. */
static bool is_blocked(const struct log_event *e, struct span line) {
    return e->kind == LOG_EVENT_ACCESS_DENIED && e->thread &&
           span_find(line, SPAN_LITERAL("'. Account is blocked for "));
}

/* At log_warnings=4 MariaDB up to 10.4 tells of the end of each connection, also of one whose abort it has told. */
static bool is_told(struct log_decoder *d, const struct log_event *e) {
    const unsigned blocked = 1U << LOG_EVENT_ACCESS_DENIED;
    bool abort = log_event_is_abort(e);
    uint64_t id = abort ? e->connection_id : e->thread;
    bool again =
        !abort || span_is(e->reason, "CLOSE_CONNECTION") || span_is(e->reason, "This connection closed normally");
    if (again && was_told(d, e->line, id, abort ? ~blocked : blocked))
        return true;
    /* What may be a part of a name hides no refused login. */
    bool believed = !abort || !d->refusal.open;
    d->ended[d->ended_next].id = id;
    d->ended[d->ended_next].kind = believed ? e->kind : LOG_EVENT_ABORTED;
    d->ended[d->ended_next].line = e->line;
    d->ended_next = (d->ended_next + 1) % PARTNER_LINES;
    return false;
}

static void take_parsed(struct log_decoder *d, struct span line, struct log_parsed *parsed) {
    struct log_event *e = &parsed->event;
    parsed->one_line &= !d->refusal.open; /* a line that says so inside a name is not the server's */
    bool inside = d->refusal.open && continue_refusal(d, line, parsed);
    if (!inside)
        begin_refusal(d, line, parsed);
    if (follows_init_connect(d, e))
        e->kind = LOG_EVENT_NONE;
    bool abort = log_event_is_abort(e) && !e->suspect;
    if (abort)
        drop_announcement(d, e);
    if ((abort || is_blocked(e, line)) && is_told(d, e))
        e->kind = LOG_EVENT_NONE;

    uint64_t until = d->lines;
    if (parsed->announces_abort)
        until += PARTNER_LINES;
    /* MySQL 8 says all in one line. */
    if (e->kind == LOG_EVENT_INIT_CONNECT && !e->english_reason.ptr && !e->suspect) {
        d->init_connect_line = e->line;
        d->init_connect_thread = e->thread;
        until++;
    }
    bool begins = !inside && d->refusal.open && d->refused == d->held_count;
    if (e->kind != LOG_EVENT_NONE || begins)
        tell(d, e, line, until, parsed->announces_abort);
    if (begins && d->held_count <= d->refused) /* no memory to keep it in */
        log_refusal_close(&d->refusal);
    release(d, false);
}

static void take_text(struct log_decoder *d, const struct log_unwrapped *u, uint64_t number) {
    struct log_parsed parsed;
    if (u->is_message)
        log_parse_message(u->text, u->stamp, &parsed);
    else
        log_parse(u->text, u->stamp, &parsed);
    bool opens = parsed.open_name.ptr || parsed.open_abort.ptr;
    if (parsed.event.kind == LOG_EVENT_NONE && !opens && !d->held_count)
        return;
    parsed.event.line = number;
    d->line_layers = u->layers;
    if (!parsed.event.thread)
        parsed.event.thread = u->thread;
    take_parsed(d, u->text, &parsed);
}

/* What is inside a refused name is wrapped as the line that it begins in, and no further, whatever it looks like. */
static void unwrap(struct log_decoder *d, struct span line, unsigned already, struct log_unwrapped *u) {
    unsigned layers = d->refusal.open ? d->refusal_layers & ~already : LOG_LAYER_ALL;
    *u = (struct log_unwrapped){.text = line};
    if (layers && log_unwrap_is_needed(line))
        log_unwrap(line, layers, d->scratch, u);
    if (d->refusal.open && u->layers != layers)
        *u = (struct log_unwrapped){.text = line};
    u->layers |= already;
}

/* A line that was in pieces, as far as it is there. */
static void take_pieces(struct log_decoder *d) {
    struct log_unwrapped u;
    struct log_stamp stamp = d->piece_stamp;
    uint64_t number = d->piece_line;
    d->piece_line = 0;
    unwrap(d, (struct span){strbuf_text(&d->piece), d->piece.len}, d->piece_engine, &u);
    if (u.stamp.time == LOG_TIME_NONE)
        u.stamp = stamp;
    take_text(d, &u, number);
}

static void take_unwrapped(struct log_decoder *d, const struct log_unwrapped *u) {
    /* Nobody else goes on with an engine's pieces: a client that can write such a line does not swallow the next one.
     */
    if (d->piece_line && (u->layers & LOG_LAYER_ENGINES) != d->piece_engine)
        take_pieces(d);
    if (!u->goes_on && !d->piece_line) {
        take_text(d, u, d->lines);
        return;
    }
    if (!d->piece_line) {
        d->piece_line = d->lines;
        d->piece_engine = u->layers & LOG_LAYER_ENGINES;
        d->piece_stamp = u->stamp;
        strbuf_reset(&d->piece);
    }
    size_t room = d->piece.max - d->piece.len;
    strbuf_add(&d->piece, u->text.ptr, u->text.len < room ? u->text.len : room);
    if (!u->goes_on)
        take_pieces(d);
}

void log_decoder_line(struct log_decoder *d, struct span line) {
    struct log_unwrapped u;
    d->lines++;
    while (line.len && !line.ptr[0]) /* the hole that a truncation leaves */
        line = span_from(line, 1);
    span_cut_end(&line, SPAN_LITERAL("\r"));
    unwrap(d, line, 0, &u);
    take_unwrapped(d, &u);
}

void log_decoder_block(struct log_decoder *d, struct span lines) {
    const char *p = lines.ptr, *end = lines.ptr + lines.len;
    while (p < end) {
        bool syslog = *p == '<' && log_unwrap_is_syslog((struct span){p, (size_t)(end - p)});
        bool in_the_midst = syslog || *p == '\0' || d->held_count || d->piece_line;
        size_t passed = 0;
        const char *place = in_the_midst ? p : log_scan_next(p, end, &passed);
        d->lines += passed;
        if (!place) {
            d->lines += end[-1] != '\n'; /* a last line without a newline */
            break;
        }
        const char *before = passed ? memrchr(p, '\n', (size_t)(place - p)) : NULL, *line = before ? before + 1 : p;
        const char *newline = memchr(place, '\n', (size_t)(end - place));
        log_decoder_line(d, (struct span){line, (size_t)((newline ? newline : end) - line)});
        p = newline ? newline + 1 : end;
    }
}

void log_decoder_entry(struct log_decoder *d, struct span message, int64_t wall_ns) {
    struct log_unwrapped u = {.text = message};
    d->lines++;
    if (!d->refusal.open && message.len && message.ptr[0] == '{')
        log_unwrap(message, LOG_LAYER_MYSQL, d->scratch, &u);
    u.is_message = true;
    if (u.stamp.time == LOG_TIME_NONE)
        u.stamp = (struct log_stamp){LOG_TIME_UTC, wall_ns};
    take_text(d, &u, d->lines);
}

unsigned log_decoder_held(const struct log_decoder *d) {
    uint64_t first = d->piece_line ? d->piece_line : d->lines + 1;
    if (d->held_count && d->held[0].event.line < first)
        first = d->held[0].event.line;
    return (unsigned)(d->lines + 1 - first);
}

void log_decoder_flush(struct log_decoder *d) {
    if (d->piece_line)
        take_pieces(d);
    log_refusal_close(&d->refusal);
    release(d, true);
}
