/*
 * The event of a case while it is made; see abort_case.h.
 */
#include "explain/abort_case.h"

#include "base/clock.h"
#include "base/number.h"
#include "base/text.h"
#include "explain/network_evidence.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define LOG_TIMES_WITHIN_NS (2 * NS_PER_S) /* whole seconds, and two clocks that agree well */

void abort_case_init(struct abort_case *c, enum fact_source source) {
    *c = (struct abort_case){
        .event = {.n = 1, .source = source, .seen_wall_ns = wall_now_ns(), .idle_ns = -1, .in_transaction = KNOWN_NOT}};
    for (int i = 0; i < ABORT_EVIDENCE_MAX; i++)
        strbuf_init(&c->said[i], ABORT_EVIDENCE_TEXT_MAX + 512);
}

void abort_case_release(struct abort_case *c) {
    for (int i = 0; i < ABORT_EVIDENCE_MAX; i++)
        strbuf_release(&c->said[i]);
}

struct strbuf *abort_case_say(struct abort_case *c, enum fact_source source, int64_t wall_ns) {
    assert(c->event.evidence_count < ABORT_EVIDENCE_MAX);
    unsigned i = c->event.evidence_count++;
    c->event.evidence[i] = (struct abort_evidence){.source = source, .wall_ns = wall_ns};
    return &c->said[i];
}

static void end_evidence(struct abort_case *c) {
    for (unsigned i = 0; i < c->event.evidence_count; i++) {
        struct span text = {strbuf_text(&c->said[i]), c->said[i].len};
        c->event.evidence[i].text = text_cut(text, ABORT_EVIDENCE_TEXT_MAX);
    }
}

static void add_seconds(struct strbuf *out, int64_t ns) {
    int64_t ms = ns / NS_PER_MS;
    number_add_double(out, (double)ms / 1000);
    strbuf_addstr(out, " s");
}

/* --- the session --- */

/* Of MariaDB's and MySQL's process list: "Binlog Dump", "Binlog Dump GTID". */
static bool is_replication(const char *command) {
    return strncmp(command, "Binlog Dump", 11) == 0;
}

struct span abort_text(const char *text) {
    return *text ? span_of(text) : (struct span){0};
}

/* Ids begin again with each start of the server, and a line may be an old one. */
static bool is_of_session(const struct abort_event *e, const struct session *s) {
    return !s->before_restart &&
           (e->wall_ns == 0 || e->wall_ns > s->first_seen_wall_ns - CLOCKS_WITHIN_NS || e->wall_ns < 0);
}

/* The line tells when it ended, in whole seconds, and may be read somewhat later. */
static void take_login(struct abort_case *c, const struct session *s) {
    const struct abort_event *e = &c->event;
    int64_t seen_ns = s->last_seen_wall_ns - s->first_seen_wall_ns;
    int64_t later_ns = e->wall_ns > s->last_seen_wall_ns ? e->wall_ns - s->last_seen_wall_ns : 0;
    c->facts.login_at_least_ns = (seen_ns > s->login_ns ? seen_ns : s->login_ns) + later_ns;
    c->facts.login_at_most_ns = s->login_ns + NS_PER_S + (e->seen_wall_ns - s->last_seen_wall_ns);
}

/* Who was never seen had come after the last look before its end. */
static void take_unseen_login(struct abort_case *c, const struct target *target) {
    const struct abort_event *e = &c->event;
    if (!e->connection_id || e->wall_ns <= 0 || !target->sessions ||
        sessions_sums(target->sessions)->not_remembered > 0)
        return;
    int64_t looked_ns = sessions_read_before(target->sessions, e->wall_ns);
    if (looked_ns > 0)
        c->facts.login_at_most_ns = e->wall_ns - looked_ns + LOG_TIMES_WITHIN_NS;
}

void abort_case_take_session(struct abort_case *c, const struct target *target) {
    struct abort_event *e = &c->event;
    const struct session *s = e->connection_id ? session_find(target, e->connection_id) : NULL;
    if (!s)
        take_unseen_login(c, target);
    if (!s || !is_of_session(e, s))
        return;
    if (s->login_ns >= 0)
        take_login(c, s);
    int64_t unseen_ns = e->seen_wall_ns > s->last_seen_wall_ns ? e->seen_wall_ns - s->last_seen_wall_ns : 0;
    bool asleep = strcmp(s->command, "Sleep") == 0;
    c->session = s;
    if (!e->user.ptr && strcmp(s->user, "unauthenticated user") != 0)
        e->user = abort_text(s->user);
    e->host = e->host.ptr ? e->host : abort_text(s->host);
    e->db = e->db.ptr ? e->db : abort_text(s->db);
    e->driver = abort_text(s->driver);
    e->driver_version = abort_text(s->version);
    e->program = abort_text(s->program);
    e->command = abort_text(s->command);
    e->port = s->port;
    e->in_transaction = s->in_transaction ? KNOWN_YES : KNOWN_NO;
    if (asleep)
        e->idle_ns = s->idle_ns + unseen_ns;
    c->facts.idle_ns = s->idle_ns + unseen_ns;
    c->facts.asleep = asleep;
    c->facts.logged_in = strcmp(s->user, "unauthenticated user") != 0 && strcmp(s->command, "Connect") != 0;
    c->facts.replication = is_replication(s->command);
    c->facts.seen_writing = s->writing_ns >= 0;
    /* The process list counts whole seconds. */
    c->facts.writing_ns = unseen_ns + (c->facts.seen_writing ? s->writing_ns + NS_PER_S : 0);

    struct strbuf *text = abort_case_say(c, FACT_SESSIONS, s->last_seen_wall_ns);
    strbuf_addstr(text, s->command);
    if (asleep) {
        strbuf_addstr(text, " for ");
        add_seconds(text, s->idle_ns);
    }
    if (s->login_ns >= 0) {
        strbuf_addstr(text, ", logging in for ");
        add_seconds(text, s->login_ns);
    }
    strbuf_addstr(text, c->facts.seen_writing ? ", being written to" : "");
    strbuf_addstr(text, s->in_transaction ? ", in a transaction" : "");
}

/* --- the end --- */

static bool timed_out(const struct abort_event *e) {
    return e->cause.cause == CAUSE_IDLE_TIMEOUT || e->cause.cause == CAUSE_READ_TIMEOUT;
}

static void add_limits(struct abort_case *c, const struct target *target) {
    static const char *const names[] = {"wait_timeout", "interactive_timeout", "net_read_timeout"};
    struct strbuf *text = abort_case_say(c, FACT_SETTINGS, target->poll.last_success_wall_ns);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        strbuf_addf(text, "%s%s ", i ? ", " : "", names[i]);
        number_add_double(text, target_setting(target, names[i]));
    }
}

static void add_network(struct abort_case *c, const struct target *target) {
    struct strbuf text;
    strbuf_init(&text, ABORT_EVIDENCE_TEXT_MAX);
    int64_t wall_ns = network_evidence_add(target, &c->event, &text);
    if (wall_ns && c->event.evidence_count < ABORT_EVIDENCE_MAX)
        strbuf_addstr(abort_case_say(c, FACT_NETWORK, wall_ns), strbuf_text(&text));
    strbuf_release(&text);
}

void abort_case_end(struct abort_case *c, const struct target *target) {
    if (c->ended)
        return;
    c->ended = true;
    if (c->facts.own && c->event.source != FACT_OWN)
        strbuf_addstr(abort_case_say(c, FACT_OWN, c->event.seen_wall_ns), "a connection of ours");
    if (timed_out(&c->event) && !isnan(target_setting(target, "wait_timeout")))
        add_limits(c, target);
    if (!c->facts.own)
        add_network(c, target);
    end_evidence(c);
}
