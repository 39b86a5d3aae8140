/*
 * The judge; see judge.h.
 */
#include "explain/judge_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* From a line that tells of a shutdown until its other lines are written. */
#define SHUTDOWN_WITHIN_NS (15 * NS_PER_S)

static struct judgement *judgement_of(struct target *target) {
    struct judgement *j = target->judgement;
    if (!j)
        target->judgement = j = calloc(1, sizeof *j);
    return j;
}

static struct untold *untold_of(struct target *target) {
    struct judgement *j = judgement_of(target);
    if (j && !j->untold)
        j->untold = untold_new();
    return j ? j->untold : NULL;
}

/* --- to the sinks --- */

static void tell_sinks(struct judge *judge, struct target *target, struct abort_event *e) {
    e->id = ++judge->last_id;
    for (size_t i = 0; i < judge->sink_count; i++)
        if (judge->sinks[i].abort)
            judge->sinks[i].abort(judge->sinks[i].arg, target, e);
}

void judge_note_told(struct target *target, const struct abort_event *e, bool late) {
    struct judgement *j = target->judgement;
    for (int clients = 0; j && clients < 2; clients++)
        if (e->cause.raises & 1U << (clients ? COUNTER_CLIENTS : COUNTER_CONNECTS))
            (late ? balance_tell_late : balance_tell)(&j->balances[clients], e->n);
}

void judge_tell(struct judge *judge, struct target *target, struct abort_case *c) {
    abort_case_end(c, target);
    tell_sinks(judge, target, &c->event);
}

/* --- lines --- */

/* What servers write where they do not know. */
static struct span known_name(struct span name, const char *not_known) {
    if (name.len == 0 || span_is(name, not_known))
        return (struct span){0};
    return name;
}

static void take_line(struct abort_case *c, const struct target *target, const struct log_event *line) {
    struct abort_event *e = &c->event;
    e->kind = line->kind;
    e->wall_ns = line->time == LOG_TIME_UTC ? line->wall_ns : 0;
    e->connection_id = abort_facts_connection(target, line);
    e->user = known_name(line->user, "unauthenticated");
    e->host = known_name(line->host, "connecting host");
    e->db = known_name(line->db, "unconnected");
    e->reason = log_event_reason(line);
    struct strbuf *text = abort_case_say(c, FACT_LOG, abort_event_wall_ns(e));
    if (line->reason.ptr)
        strbuf_add(text, line->reason.ptr,
                   line->reason.len < 2 * ABORT_EVIDENCE_TEXT_MAX ? line->reason.len : 2 * ABORT_EVIDENCE_TEXT_MAX);
    else
        strbuf_addstr(text, log_event_kind_name(line->kind));
}

/* MariaDB writes of a KILL in the killer's name; what the server ends by itself it writes in nobody's. */
static bool has_killer(const struct log_event *line, uint64_t connection_id) {
    return line->thread != 0 && line->thread != connection_id;
}

static void add_killer(struct abort_case *c, const struct target *target, const struct log_event *line) {
    if (c->event.cause.cause != CAUSE_KILLED || !has_killer(line, c->event.connection_id))
        return;
    const struct session *killer = session_find(target, line->thread);
    struct strbuf *text = abort_case_say(c, FACT_LOG, abort_event_wall_ns(&c->event));
    strbuf_addf(text, "by connection %llu", (unsigned long long)line->thread);
    if (killer && !killer->before_restart)
        strbuf_addf(text, ", '%s'@'%s'", killer->user, killer->host);
}

/* The line is one of two: the other, which follows, tells that the connection ended; unless it had logged in, when
 * there is none. */
static bool is_disorder_before_login(struct target *target, const struct abort_case *c) {
    if (c->event.kind != LOG_EVENT_OTHER || c->event.cause.cause != CAUSE_PROTOCOL_ERROR)
        return false;
    struct judgement *j = judgement_of(target);
    if (j)
        j->disorder = c->event.connection_id;
    return !c->session;
}

static void take_disorder(struct target *target, struct abort_case *c) {
    struct judgement *j = target->judgement;
    struct abort_cause *cause = &c->event.cause;
    if (cause->cause != CAUSE_BEFORE_LOGIN || !j || j->disorder == 0 || j->disorder != c->event.connection_id)
        return;
    j->disorder = 0;
    cause->cause = CAUSE_PROTOCOL_ERROR;
    cause->confidence = CONFIDENCE_CERTAIN;
    cause->possible = UINT32_C(1) << CAUSE_PROTOCOL_ERROR;
    strbuf_addstr(abort_case_say(c, FACT_LOG, abort_event_wall_ns(&c->event)), "Got packets out of order");
}

static void note_shutdown(struct target *target) {
    struct judgement *j = judgement_of(target);
    if (j)
        j->closing = mono_now();
}

static bool is_shutting_down(const struct target *target) {
    const struct judgement *j = target->judgement;
    return j && j->closing.ns != 0 && mono_between(j->closing, mono_now()) < SHUTDOWN_WITHIN_NS;
}

static enum untold_log log_of(const struct target *target) {
    if (!abort_facts_log_tells(target))
        return UNTOLD_SILENT;
    return server_flavour_of(target) == SERVER_MARIADB ? UNTOLD_MARIADB : UNTOLD_MYSQL;
}

/* 1040 is its counter's; the others are seen where the server has sums and shows them. */
static bool has_sum(const struct target *target, const struct abort_event *e) {
    bool counted = e->cause.number == 1040 || target->evidence[EVIDENCE_ERRORS] == EVIDENCE_SEEN;
    return e->cause.number != 0 && counted && abort_facts_log_tells(target);
}

static void expect_sum(struct target *target, const struct abort_event *e) {
    struct untold *untold = has_sum(target, e) ? untold_of(target) : NULL;
    if (untold)
        untold_lines(untold, e->user, e->host, e->cause.number, e->cause.with_number, 1);
}

/* Where a look may tell more of it, that is waited for. */
static bool hold(struct target *target, struct abort_case *c) {
    const struct abort_event *e = &c->event;
    bool sums_tell = has_sum(target, e) && target->evidence[EVIDENCE_ERROR_ACCOUNTS] == EVIDENCE_SEEN;
    bool nobody = !e->user.ptr && !e->host.ptr && e->cause.number != TOO_MANY;
    bool refused = e->cause.cause == CAUSE_ACCESS_DENIED && !c->session;
    bool may_tell = (sums_tell && (nobody || refused)) || held_lines_host_cache_may_tell(target, e);
    struct judgement *j = may_tell ? judgement_of(target) : NULL;
    if (j && !j->held)
        j->held = held_lines_new();
    if (!j || !j->held)
        return false;
    abort_case_end(c, target);
    return held_lines_add(j->held, target, e);
}

static void judge_line(struct judge *judge, struct target *target, const struct log_event *line) {
    struct abort_case c;
    abort_case_init(&c, FACT_LOG);
    abort_facts_of_event(&c.facts, target, line);
    take_line(&c, target, line);
    if (line->kind == LOG_EVENT_FORCED_CLOSE)
        note_shutdown(target);
    c.facts.shutting_down = is_shutting_down(target) && !has_killer(line, c.event.connection_id);
    abort_case_take_session(&c, target);
    c.event.cause = cause_of(&c.facts);
    if (c.event.cause.cause == CAUSE_SERVER_RESTART && line->kind == LOG_EVENT_ABORTED)
        strbuf_addstr(abort_case_say(&c, FACT_LOG, abort_event_wall_ns(&c.event)), "the server was shutting down");
    if (c.facts.own)
        own_connections_logged(&target->own, c.event.connection_id);
    take_disorder(target, &c);
    add_killer(&c, target, line);
    for (size_t i = 0; i < judge->sink_count; i++)
        if (judge->sinks[i].line)
            judge->sinks[i].line(judge->sinks[i].arg, target, line, c.event.cause.cause);
    /* Of what else the log says there is no cause. */
    bool is_event = line->kind != LOG_EVENT_OTHER || c.event.cause.cause != CAUSE_UNKNOWN;
    if (!is_disorder_before_login(target, &c) && is_event && !hold(target, &c)) {
        expect_sum(target, &c.event);
        judge_note_told(target, &c.event, false);
        judge_tell(judge, target, &c);
    }
    abort_case_release(&c);
}

/* --- sums --- */

/* A warning, which needs no higher level than the default. */
static bool line_tells_anyway(const struct target *target, unsigned code) {
    const struct log_source_state *log = target->error_log ? log_source_state(target->error_log) : NULL;
    return code == INIT_CONNECT_FAILED && log && log->readable && target_setting(target, "log_error_verbosity") >= 2;
}

static void on_server_error(void *arg, struct target *target, const struct server_error *error) {
    struct untold *untold = line_tells_anyway(target, error->code) ? NULL : untold_of(target);
    (void)arg;
    if (!untold)
        return;
    untold_sum(untold, mono_now(), error);
    /* Who logged in before it was refused is among those of the counter, which is read later. */
    if (error->code == TOO_MANY && error->account_known && error->increase <= UINT32_MAX)
        untold_lines(untold, (struct span){0}, (struct span){0}, TOO_MANY, 0, (uint32_t)error->increase);
}

/* Lines that were written before the look may not be read yet. */
static bool log_is_behind(const struct target *target) {
    const struct log_source *log = target->error_log;
    return log && log_source_state(log)->readable && log_source_is_behind(log);
}

/* The line's event, with what a sum adds to it. */
static void release(void *arg, struct target *target, struct abort_event *e, const char *user, const char *host) {
    if (user && e->evidence_count < ABORT_EVIDENCE_MAX) {
        const char *name = server_error_name(e->cause.number);
        e->evidence[e->evidence_count++] =
            (struct abort_evidence){.source = FACT_ERRORS, .wall_ns = wall_now_ns(), .text = span_of(name)};
        e->user = abort_text(user);
        e->host = abort_text(host);
    }
    expect_sum(target, e);
    judge_note_told(target, e, true);
    tell_sinks(arg, target, e);
}

/* The log's past may be read long after those that are there now were seen. */
static bool is_of_the_past(const struct target *target, const struct log_event *line) {
    int64_t seen_ns = target->sessions ? sessions_read_wall_ns(target->sessions) : 0;
    return line->time == LOG_TIME_UTC && line->wall_ns < seen_ns - CLOCKS_WITHIN_NS;
}

/* Ids begin again, and what was counted is counted no more: what waits is of the life before. */
static void begin_new_life(struct judge *judge, struct target *target, const struct log_event *line) {
    struct judgement *j = target->judgement;
    if (j && j->held)
        held_lines_release(j->held, target, NULL, true, release, judge);
    if (j) {
        j->disorder = 0;
        j->closing = (struct mono){0};
    }
    own_connections_forget(&target->own, mono_now());
    if (target->sessions && !is_of_the_past(target, line))
        sessions_restarted(target->sessions);
    for (size_t i = 0; i < judge->sink_count; i++)
        if (judge->sinks[i].server_started)
            judge->sinks[i].server_started(judge->sinks[i].arg, target);
}

static void on_log_event(void *arg, struct target *target, const struct log_event *line) {
    struct judge *judge = arg;
    for (size_t i = 0; i < judge->sink_count && line->suspect; i++)
        if (judge->sinks[i].forged)
            judge->sinks[i].forged(judge->sinks[i].arg, target, line);
    /* What is said of TLS when the server begins is no abort. */
    if (line->suspect || line->kind == LOG_EVENT_NONE || line->kind == LOG_EVENT_SERVER_STOP ||
        line->kind == LOG_EVENT_SSL)
        return;
    if (line->kind == LOG_EVENT_SERVER_START)
        begin_new_life(judge, target, line);
    else if (line->kind == LOG_EVENT_SERVER_STOPPING)
        note_shutdown(target);
    else
        judge_line(judge, target, line);
}

static void on_polled(void *arg, struct target *target, struct mono began) {
    struct judgement *j = target->poll.health == TARGET_UP ? judgement_of(target) : NULL;
    (void)began;
    if (!j)
        return;
    kills_polled(&j->kills, target);
    j->kills_before = kills_before(&j->kills);
    j->kills_lately = kills_lately(&j->kills);
    j->clients_left = j->balances[1].left;
    if (j->held)
        held_lines_release(j->held, target, j->untold, false, release, arg);
    if (j->untold && !(abort_facts_log_tells(target) && log_is_behind(target)))
        untold_settle(j->untold, mono_now(), log_of(target), judge_untold, &(struct judge_hearing){arg, target});
    balance_settle(&j->balances[0], target_status(target, "Aborted_connects"));
    balance_settle(&j->balances[1], target_status(target, "Aborted_clients"));
    balance_forget_old(&j->balances[1]); /* clients' ends may be counted of which no sum tells */
    if (target->server_errors && server_errors_missing(target->server_errors))
        j->rows_missing = 2;
    else
        j->rows_missing -= j->rows_missing > 0;
}

/* --- counters --- */

/* Of those who found no place a line may tell: that is waited for as with sums. */
static void on_rose(void *arg, struct target *target, enum abort_counter counter, enum cause cause, uint64_t n) {
    struct untold *untold = counter == COUNTER_MAX_CONNECTIONS ? untold_of(target) : NULL;
    int64_t now = wall_now_ns();
    if (untold)
        untold_sum(
            untold, mono_now(),
            &(struct server_error){
                .code = TOO_MANY, .user = "", .host = "", .increase = n, .from_wall_ns = now, .to_wall_ns = now});
    else
        judge_counter(arg, target, counter, cause, n);
}

/* --- begin and end --- */

static void on_target_removed(void *arg, struct target *target) {
    struct judgement *j = target->judgement;
    (void)arg;
    if (j) {
        held_lines_free(j->held);
        untold_free(j->untold);
    }
    free(j);
    target->judgement = NULL;
}

struct judge *judge_new(void) {
    return calloc(1, sizeof(struct judge));
}

void judge_free(struct judge *judge) {
    free(judge);
}

void judge_add_sink(struct judge *judge, struct abort_sink sink) {
    assert(judge->sink_count < JUDGE_SINKS_MAX);
    judge->sinks[judge->sink_count++] = sink;
}

struct observer judge_observer(struct judge *judge) {
    return (struct observer){.arg = judge,
                             .target_removed = on_target_removed,
                             .log_event = on_log_event,
                             .server_error = on_server_error,
                             .polled = on_polled};
}

struct ledger_listener judge_ledger_listener(struct judge *judge) {
    return (struct ledger_listener){judge, on_rose};
}
