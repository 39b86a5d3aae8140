/*
 * The judge: lines, sums, counters and sessions become events, each abort once, with all that is known; forged lines
 * become nothing.
 */
#include "explain/judge.h"

#include "../expose/fake_targets.h"
#include "base/log.h"
#include "explaining.h"
#include "quiet_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define READING "Got an error reading communication packets"
#define WRITING "Got an error writing communication packets"
#define TIMEOUT "Got timeout reading communication packets"
#define PREAUTH "This connection closed normally without authentication"

/* So much later than the clock says. */
static int64_t passed_s;

int clock_gettime(clockid_t id, struct timespec *t) {
    long error = syscall(SYS_clock_gettime, id, t);
    t->tv_sec += passed_s;
    return (int)error;
}

struct fixture {
    struct explaining *x;
    struct target *target;
    double uptime, clients, connects, preauth, full;
    bool mysql;
};

static int setup(void **state) {
    struct fixture *fx = calloc(1, sizeof *fx);
    fx->x = explaining_new(10, 50);
    fx->target = fake_target("db1");
    fx->target->config->poll.interval_ns = NS_PER_S;
    fx->target->poll.health = TARGET_UP;
    snprintf(fx->target->poll.version, sizeof fx->target->poll.version, "10.11.19-MariaDB");
    fx->target->sessions = sessions_new();
    *state = fx;
    return 0;
}

static int teardown(void **state) {
    struct fixture *fx = *state;
    explaining_removed(fx->x, fx->target);
    assert_null(fx->target->judgement);
    sessions_free(fx->target->sessions);
    fake_target_free(fx->target);
    explaining_free(fx->x);
    free(fx);
    return 0;
}

static void be_mysql(struct fixture *fx) {
    snprintf(fx->target->poll.version, sizeof fx->target->poll.version, "9.7.4");
    fx->mysql = true;
}

static void see_session(struct fixture *fx, uint64_t id, const char *command, int64_t slept_s) {
    struct session_limits limits = {.sessions = 10, .users = 10, .drivers = 10};
    sessions_begin(fx->target->sessions, &limits, 0, wall_now_ns());
    sessions_add(fx->target->sessions, &(struct session_row){.id = id,
                                                             .user = span_of("app"),
                                                             .host = span_of("10.0.0.7:40000"),
                                                             .db = span_of("shop"),
                                                             .command = span_of(command),
                                                             .time_ns = slept_s * NS_PER_S});
    sessions_attribute(fx->target->sessions, id, span_of("_client_name"), span_of("pymysql"));
    sessions_attribute(fx->target->sessions, id, span_of("_client_version"), span_of("1.0.2"));
    sessions_attributes_read(fx->target->sessions);
    sessions_end(fx->target->sessions);
}

static struct log_event abort_line(uint64_t id, const char *reason) {
    return (struct log_event){.kind = LOG_EVENT_ABORTED,
                              .connection_id = id,
                              .thread = id,
                              .user = span_of("app"),
                              .host = span_of("10.0.0.7"),
                              .db = span_of("unconnected"),
                              .reason = span_of(reason)};
}

static void tell(struct fixture *fx, const struct log_event *line) {
    explaining_line(fx->x, fx->target, line);
}

static size_t count(const struct fixture *fx) {
    return event_ring_count(fx->target);
}

static const struct abort_event *newest(const struct fixture *fx) {
    const struct kept_event *kept = event_ring_before(fx->x->ring, fx->target, 0);
    assert_non_null(kept);
    return &kept->event;
}

static bool is_said(const struct abort_event *event, enum fact_source source, const char *text) {
    for (unsigned i = 0; i < event->evidence_count; i++)
        if (event->evidence[i].source == source && span_is(event->evidence[i].text, text))
            return true;
    return false;
}

static void poll_server(struct fixture *fx) {
    struct target *target = fx->target;
    target->poll.polls++;
    fake_value(target, VARIABLE_STATUS, "Uptime", ++fx->uptime);
    fake_value(target, VARIABLE_STATUS, "Uptime_since_flush_status", fx->uptime);
    fake_value(target, VARIABLE_STATUS, "Aborted_clients", fx->clients);
    fake_value(target, VARIABLE_STATUS, "Aborted_connects", fx->connects);
    fake_value(target, VARIABLE_STATUS, "Aborted_connects_preauth", fx->mysql ? (double)NAN : fx->preauth);
    fake_value(target, VARIABLE_STATUS, "Connection_errors_max_connections", fx->full);
    fx->x->observer.polled(fx->x->observer.arg, target, mono_now());
}

/* A restart ends all waiting at once. */
static void restart(struct fixture *fx) {
    fx->uptime = fx->clients = fx->connects = fx->preauth = fx->full = 0;
    poll_server(fx);
}

static void a_line_finds_its_session(void **state) {
    struct fixture *fx = *state;
    struct log_event line = abort_line(7, READING);
    see_session(fx, 7, "Sleep", 90);
    line.time = LOG_TIME_UTC;
    line.wall_ns = wall_now_ns();
    tell(fx, &line);
    const struct abort_event *e = newest(fx);
    assert_int_equal(e->cause.cause, CAUSE_CLIENT_VANISHED);
    assert_int_equal(e->connection_id, 7);
    assert_true(span_is(e->user, "app") && span_is(e->host, "10.0.0.7") && span_is(e->db, "shop"));
    assert_true(span_is(e->driver, "pymysql") && span_is(e->driver_version, "1.0.2") && span_is(e->command, "Sleep"));
    assert_null(e->program.ptr);
    assert_int_equal(e->port, 40000);
    assert_true(e->idle_ns >= 90 * NS_PER_S && e->idle_ns < 120 * NS_PER_S);
    assert_int_equal(e->wall_ns, line.wall_ns);
    assert_true(is_said(e, FACT_LOG, READING) && is_said(e, FACT_SESSIONS, "Sleep for 90 s"));
}

static void what_is_not_known_is_not_said(void **state) {
    struct fixture *fx = *state;
    struct log_event line = abort_line(8, PREAUTH);
    line.user = span_of("unauthenticated");
    line.host = span_of("connecting host");
    see_session(fx, 7, "Sleep", 90);
    tell(fx, &line);
    const struct abort_event *e = newest(fx);
    assert_true(!e->user.ptr && !e->host.ptr && !e->db.ptr && !e->driver.ptr && !e->command.ptr);
    assert_int_equal(e->idle_ns, -1);
    assert_int_equal(e->in_transaction, KNOWN_NOT);
    assert_int_equal(e->wall_ns, 0);
    assert_true(e->seen_wall_ns > 0);
}

static void an_old_session_is_not_meant(void **state) {
    struct fixture *fx = *state;
    struct log_event line = abort_line(7, READING);
    see_session(fx, 7, "Sleep", 90);
    line.time = LOG_TIME_UTC;
    line.wall_ns = wall_now_ns() - 3600 * NS_PER_S; /* a line of an hour ago: of another 7 */
    tell(fx, &line);
    assert_null(newest(fx)->driver.ptr);
    sessions_restarted(fx->target->sessions);
    line.wall_ns = wall_now_ns();
    tell(fx, &line);
    assert_null(newest(fx)->driver.ptr);
}

/* Ids begin again with the server, and its log tells that before a poll can. */
static void another_life_of_the_server_has_other_sessions(void **state) {
    struct fixture *fx = *state;
    struct log_event line = abort_line(7, READING),
                     other = {.kind = LOG_EVENT_OTHER, .thread = 9, .reason = span_of("Got packets out of order")};
    see_session(fx, 7, "Sleep", 90);
    tell(fx, &other);
    tell(fx, &(struct log_event){.kind = LOG_EVENT_SERVER_START});
    tell(fx, &line);
    assert_true(newest(fx)->cause.cause == CAUSE_CLIENT_VANISHED && !newest(fx)->driver.ptr && !newest(fx)->port);
    see_session(fx, 7, "Sleep", 90);
    tell(fx, &(struct log_event){
                 .kind = LOG_EVENT_SERVER_START, .time = LOG_TIME_UTC, .wall_ns = wall_now_ns() - 3600 * NS_PER_S});
    tell(fx, &line);
    assert_true(span_is(newest(fx)->driver, "pymysql")); /* that was a line of long ago */
    line = abort_line(9, PREAUTH);
    line.user = span_of("unauthenticated");
    tell(fx, &line);
    assert_int_equal(newest(fx)->cause.cause, CAUSE_BEFORE_LOGIN);
}

static void sessions_narrow_the_cause(void **state) {
    struct fixture *fx = *state;
    struct log_event line = abort_line(7, WRITING);
    see_session(fx, 7, "Binlog Dump GTID", 500);
    tell(fx, &line);
    assert_int_equal(newest(fx)->cause.cause, CAUSE_REPLICATION_CLIENT);
    assert_int_equal(newest(fx)->idle_ns, -1);

    fake_value(fx->target, VARIABLE_SETTING, "wait_timeout", 28800);
    fake_value(fx->target, VARIABLE_SETTING, "interactive_timeout", 28800);
    fake_value(fx->target, VARIABLE_SETTING, "net_read_timeout", 30);
    see_session(fx, 8, "Sleep", 3);
    line = abort_line(8, TIMEOUT);
    tell(fx, &line);
    assert_int_equal(newest(fx)->cause.cause, CAUSE_IDLE_TIMEOUT);
    assert_true(
        is_said(newest(fx), FACT_SETTINGS, "wait_timeout 28800, interactive_timeout 28800, net_read_timeout 30"));
    see_session(fx, 9, "Query", 3);
    line = abort_line(9, TIMEOUT);
    tell(fx, &line);
    assert_int_equal(newest(fx)->cause.cause, CAUSE_READ_TIMEOUT);
}

static void logins_narrow_the_cause(void **state) {
    struct fixture *fx = *state;
    struct log_event line = abort_line(7, PREAUTH);
    line.user = span_of("unauthenticated");
    line.time = LOG_TIME_UTC;
    line.wall_ns = wall_now_ns();
    fake_value(fx->target, VARIABLE_SETTING, "connect_timeout", 10);
    tell(fx, &line); /* nobody looked */
    assert_true(newest(fx)->cause.possible & UINT32_C(1) << CAUSE_HANDSHAKE_TIMEOUT);

    struct session_limits limits = {.sessions = 10, .users = 10, .drivers = 10};
    sessions_begin(fx->target->sessions, &limits, 0, wall_now_ns() - 3 * NS_PER_S);
    sessions_add(fx->target->sessions, &(struct session_row){.id = 7,
                                                             .user = span_of("unauthenticated user"),
                                                             .host = span_of("10.0.0.7:40000"),
                                                             .command = span_of("Connect"),
                                                             .time_ns = 6 * NS_PER_S});
    sessions_end(fx->target->sessions);
    tell(fx, &line); /* 6 to 7 s, and 3 more */
    assert_int_equal(newest(fx)->cause.cause, CAUSE_HANDSHAKE_TIMEOUT);
    assert_int_equal(newest(fx)->cause.confidence, CONFIDENCE_LIKELY);
    assert_true(is_said(newest(fx), FACT_SESSIONS, "Connect, logging in for 6 s"));
    line.connection_id = line.thread = 8; /* it was not there 3 s before */
    tell(fx, &line);
    assert_int_equal(newest(fx)->cause.cause, CAUSE_BEFORE_LOGIN);
    assert_false(newest(fx)->cause.possible & UINT32_C(1) << CAUSE_HANDSHAKE_TIMEOUT);
    line.wall_ns -= 5 * NS_PER_S; /* its end was before the look */
    tell(fx, &line);
    assert_true(newest(fx)->cause.possible & UINT32_C(1) << CAUSE_HANDSHAKE_TIMEOUT);
}

static void look_at_hosts(struct fixture *fx, uint64_t handshakes, uint64_t acl, uint64_t blocked) {
    struct host_cache *cache = fx->target->host_cache;
    struct host_cache_rows rows = {.age = HOST_CACHE_OLD, .hosts = 3};
    rows.errors[HOST_CACHE_HANDSHAKE] = handshakes;
    rows.errors[HOST_CACHE_HOST_ACL] = acl;
    rows.errors[HOST_CACHE_HOST_BLOCKED] = blocked;
    host_cache_begin(cache, 100, 0xffffff, 0);
    host_cache_add(cache, &rows);
    host_cache_end(cache, wall_now_ns());
    poll_server(fx);
}

static void tell_preauth(struct fixture *fx, const char *host) {
    struct log_event line = abort_line(7, PREAUTH);
    line.user = span_of("unauthenticated");
    line.host = span_of(host);
    tell(fx, &line);
}

static void the_host_cache_narrows_mariadbs_one_line(void **state) {
    struct fixture *fx = *state;
    const uint32_t refused = UINT32_C(1) << CAUSE_HOST_NOT_ALLOWED | UINT32_C(1) << CAUSE_HOST_BLOCKED;
    fx->target->host_cache = host_cache_new();
    fx->target->evidence[EVIDENCE_HOST_CACHE] = EVIDENCE_SEEN;
    look_at_hosts(fx, 5, 5, 5);
    tell_preauth(fx, "127.0.0.1"); /* of which there are no rows */
    assert_int_equal(count(fx), 1);
    assert_false(fx->target->host_cache_wanted);

    tell_preauth(fx, "10.0.0.7");
    assert_true(count(fx) == 1 && fx->target->host_cache_wanted);
    fx->connects = fx->preauth = 2;
    look_at_hosts(fx, 5, 6, 5);
    assert_true(count(fx) == 2 && newest(fx)->cause.cause == CAUSE_HOST_NOT_ALLOWED);
    assert_int_equal(newest(fx)->cause.confidence, CONFIDENCE_LIKELY);
    assert_true(is_said(newest(fx), FACT_HOST_CACHE, "COUNT_HOST_ACL_ERRORS"));
    assert_int_equal(ledger_explained(fx->target, COUNTER_CONNECTS, CAUSE_HOST_NOT_ALLOWED), 1);
    assert_int_equal(ledger_explained(fx->target, COUNTER_PREAUTH, CAUSE_HOST_NOT_ALLOWED), 1);

    tell_preauth(fx, "10.0.0.7");
    look_at_hosts(fx, 5, 6, 6);
    assert_int_equal(newest(fx)->cause.cause, CAUSE_HOST_BLOCKED);
    tell_preauth(fx, "10.0.0.7");
    tell_preauth(fx, "10.0.0.8");
    look_at_hosts(fx, 7, 6, 6);
    assert_true(count(fx) == 5 && newest(fx)->cause.cause == CAUSE_BEFORE_LOGIN);
    assert_int_equal(newest(fx)->cause.possible & refused, 0);
    tell_preauth(fx, "10.0.0.7");
    tell_preauth(fx, "10.0.0.8");
    look_at_hosts(fx, 8, 7, 6); /* one of each: whose is which? */
    assert_true(count(fx) == 7 && newest(fx)->cause.cause == CAUSE_BEFORE_LOGIN);
    assert_int_equal(newest(fx)->cause.possible & refused, refused);
    tell_preauth(fx, "10.0.0.7"); /* and nobody looks */
    poll_server(fx);
    assert_int_equal(count(fx), 7);
    poll_server(fx);
    assert_true(count(fx) == 8 && newest(fx)->cause.cause == CAUSE_BEFORE_LOGIN);
    for (int i = 0; i < 70; i++) /* more than are held */
        tell_preauth(fx, "10.0.0.7");
    assert_int_equal(count(fx), 14);
    look_at_hosts(fx, 8, 77, 6);
    assert_true(newest(fx)->cause.cause == CAUSE_BEFORE_LOGIN);
    host_cache_free(fx->target->host_cache);
    fx->target->host_cache = NULL;
}

static void forged_and_foreign_lines_are_no_events(void **state) {
    struct fixture *fx = *state;
    struct log_event line = abort_line(7, READING);
    line.suspect = true;
    tell(fx, &line);
    line.kind = LOG_EVENT_SERVER_START;
    tell(fx, &line);
    assert_int_equal(aborts_suspect(fx->target), 2);
    static const enum log_event_kind kinds[] = {LOG_EVENT_SERVER_START, LOG_EVENT_SERVER_STOP, LOG_EVENT_OTHER};
    for (int i = 0; i < 3; i++)
        tell(fx, &(struct log_event){.kind = kinds[i]});
    line = abort_line(7, "This connection closed normally");
    tell(fx, &line);
    assert_int_equal(count(fx), 0);
    assert_int_equal(clients_aborts(fx->target, CAUSE_CLIENT_VANISHED, CONFIDENCE_CERTAIN), 0);
}

static void two_lines_of_one_abort_are_one(void **state) {
    struct fixture *fx = *state;
    struct log_event other = {.kind = LOG_EVENT_OTHER, .thread = 9, .reason = span_of("Got packets out of order")};
    struct log_event line = abort_line(9, PREAUTH);
    line.user = span_of("unauthenticated");
    tell(fx, &other);
    assert_int_equal(count(fx), 0);
    tell(fx, &line);
    assert_int_equal(count(fx), 1);
    assert_int_equal(newest(fx)->cause.cause, CAUSE_PROTOCOL_ERROR);
    line.connection_id = line.thread = 10;
    tell(fx, &line);
    assert_int_equal(newest(fx)->cause.cause, CAUSE_BEFORE_LOGIN);
    see_session(fx, 11, "Sleep", 1); /* who had logged in has no second line */
    other.thread = 11;
    tell(fx, &other);
    assert_int_equal(count(fx), 3);
    assert_true(span_is(newest(fx)->user, "app"));
}

static void who_may_have_been_killed_is_named_and_not_accused(void **state) {
    struct fixture *fx = *state;
    struct session_limits limits = {.sessions = 10, .users = 10, .drivers = 10};
    struct quiet_log log;
    quiet_log_open(&log, fx->target);
    see_session(fx, 7, "Sleep", 90);
    fake_value(fx->target, VARIABLE_STATUS, "Com_kill", 1);
    poll_server(fx);
    sessions_begin(fx->target->sessions, &limits, 0, wall_now_ns());
    sessions_end(fx->target->sessions);
    fake_value(fx->target, VARIABLE_STATUS, "Com_kill", 2);
    fx->clients = 1;
    poll_server(fx);
    restart(fx);
    assert_true(count(fx) == 1 && newest(fx)->cause.cause == CAUSE_KILLED);
    assert_int_equal(newest(fx)->cause.confidence, CONFIDENCE_LIKELY);
    assert_true(newest(fx)->connection_id == 0 && !newest(fx)->user.ptr);
    assert_true(is_said(newest(fx), FACT_SESSIONS, "it may have been one of those that went: 7 'app'@'10.0.0.7'"));
    quiet_log_close(&log, fx->target);
}

static void the_killer_is_named(void **state) {
    struct fixture *fx = *state;
    struct log_event line = abort_line(7, "KILLED");
    line.thread = 12;
    see_session(fx, 12, "Query", 0);
    tell(fx, &line);
    assert_int_equal(newest(fx)->cause.cause, CAUSE_KILLED);
    assert_true(is_said(newest(fx), FACT_LOG, "by connection 12, 'app'@'10.0.0.7'"));
    tell(fx, &(struct log_event){.kind = LOG_EVENT_FORCED_CLOSE, .thread = 0, .connection_id = 5});
    line.thread = 0;
    tell(fx, &line);
    assert_int_equal(newest(fx)->cause.cause, CAUSE_SERVER_RESTART);
}

static void server_error(struct fixture *fx, unsigned code, const char *user, uint64_t n) {
    struct server_error error = {
        .code = code, .account_known = true, .user = user, .host = "10.0.0.9", .increase = n, .from_wall_ns = 1000};
    fx->x->observer.server_error(fx->x->observer.arg, fx->target, &error);
}

/* Until it has started again, and of what nobody killed. */
static void who_is_killed_by_a_shutdown_is_not_killed_by_a_client(void **state) {
    struct fixture *fx = *state;
    struct log_event line = abort_line(7, "KILLED");
    line.thread = 0;
    tell(fx, &line);
    assert_int_equal(newest(fx)->cause.cause, CAUSE_KILLED); /* for its time was up */
    tell(fx, &(struct log_event){.kind = LOG_EVENT_SERVER_STOPPING});
    assert_int_equal(count(fx), 1);
    tell(fx, &line);
    assert_int_equal(newest(fx)->cause.cause, CAUSE_SERVER_RESTART);
    assert_int_equal(newest(fx)->cause.confidence, CONFIDENCE_CERTAIN);
    assert_true(is_said(newest(fx), FACT_LOG, "the server was shutting down"));
    line.thread = 9;
    tell(fx, &line);
    assert_int_equal(newest(fx)->cause.cause, CAUSE_KILLED);
    tell(fx, &(struct log_event){.kind = LOG_EVENT_SERVER_START});
    line.thread = 0;
    tell(fx, &line);
    assert_int_equal(newest(fx)->cause.cause, CAUSE_KILLED);
    assert_int_equal(count(fx), 4);
}

static void sums_tell_where_the_log_does_not(void **state) {
    struct fixture *fx = *state;
    be_mysql(fx);
    poll_server(fx);
    server_error(fx, 1158, "app", 3);
    server_error(fx, 1105, "app", 3); /* any error of a statement: no abort */
    fx->clients = 3;
    poll_server(fx);
    assert_int_equal(count(fx), 0); /* the next look may bring a second number */
    poll_server(fx);
    assert_int_equal(count(fx), 1);
    const struct abort_event *e = newest(fx);
    assert_int_equal(e->source, FACT_ERRORS);
    assert_int_equal(e->cause.cause, CAUSE_CLIENT_VANISHED);
    assert_int_equal(e->n, 3);
    assert_int_equal(e->error_number, 1158);
    assert_int_equal(e->since_wall_ns, 1000);
    assert_true(span_is(e->user, "app") && span_is(e->host, "10.0.0.9"));
    assert_true(is_said(e, FACT_ERRORS, "ER_NET_READ_ERROR (1158), 3 times"));
    assert_int_equal(ledger_explained(fx->target, COUNTER_CLIENTS, CAUSE_CLIENT_VANISHED), 3);
}

/* What waits for a sum when the server ends is told before what its next life tells, and explains nothing of that. */
static void what_is_held_is_of_the_life_that_wrote_it(void **state) {
    struct fixture *fx = *state;
    struct quiet_log log;
    struct log_event line = {.kind = LOG_EVENT_ABORTED, .thread = 9, .reason = span_of(READING)};
    be_mysql(fx);
    quiet_log_open(&log, fx->target);
    fx->target->evidence[EVIDENCE_ERRORS] = fx->target->evidence[EVIDENCE_ERROR_ACCOUNTS] = EVIDENCE_SEEN;
    poll_server(fx);
    tell(fx, &line);
    assert_int_equal(count(fx), 0);
    tell(fx, &(struct log_event){.kind = LOG_EVENT_SERVER_START});
    assert_int_equal(count(fx), 1);
    fx->uptime = 0;
    fx->connects = 1; /* somebody else's */
    for (int i = 0; i < 3; i++)
        poll_server(fx);
    assert_int_equal(count(fx), 1);
    assert_int_equal(ledger_explained(fx->target, COUNTER_CONNECTS, CAUSE_HEALTH_CHECK), 0);
    assert_int_equal(ledger_unmatched(fx->target, COUNTER_CONNECTS, CAUSE_HEALTH_CHECK), 1);
    quiet_log_close(&log, fx->target);
}

/* Who logged in, was seen by no look, and then asked for another's rights: MySQL ends it and counts an aborted client.
 * The line alone looks like a login that was refused. */
static void a_refused_change_of_user_is_no_refused_login(void **state) {
    struct fixture *fx = *state;
    struct quiet_log log;
    struct log_event line = {
        .kind = LOG_EVENT_ACCESS_DENIED, .thread = 9, .user = span_of("app"), .host = span_of("10.0.0.9")};
    be_mysql(fx);
    quiet_log_open(&log, fx->target);
    fx->target->evidence[EVIDENCE_ERRORS] = fx->target->evidence[EVIDENCE_ERROR_ACCOUNTS] = EVIDENCE_SEEN;
    poll_server(fx);
    tell(fx, &line);
    line.thread = 10;
    tell(fx, &line);
    assert_int_equal(count(fx), 0);
    server_error(fx, 1045, "app", 2);
    server_error(fx, 1873, "app", 1);
    server_error(fx, 1873, "web", 1);
    fx->clients = fx->connects = 1;
    poll_server(fx);
    assert_int_equal(count(fx), 2);
    poll_server(fx);
    assert_int_equal(ledger_explained(fx->target, COUNTER_CLIENTS, CAUSE_ACCESS_DENIED), 1);
    assert_int_equal(ledger_explained(fx->target, COUNTER_CONNECTS, CAUSE_ACCESS_DENIED), 1);
    assert_int_equal(newest(fx)->cause.raises, 1U << COUNTER_CONNECTS);
    tell(fx, &line); /* whose sum is not seen for long */
    for (int i = 0; i < 3; i++)
        poll_server(fx);
    assert_int_equal(count(fx), 3);
    assert_int_equal(newest(fx)->cause.raises, 1U << COUNTER_CONNECTS);
    quiet_log_close(&log, fx->target);
}

/* The sums of a look are read after its counters: a KILL between them is in the next poll's count. */
static void a_kill_that_the_next_poll_counts_is_told(void **state) {
    struct fixture *fx = *state;
    be_mysql(fx);
    fake_value(fx->target, VARIABLE_STATUS, "Com_kill", 7);
    poll_server(fx);
    server_error(fx, 1158, "app", 1);
    server_error(fx, 1160, "app", 1);
    poll_server(fx);
    fake_value(fx->target, VARIABLE_STATUS, "Com_kill", 8);
    fx->clients = 1;
    poll_server(fx);
    assert_int_equal(count(fx), 1);
    assert_int_equal(newest(fx)->cause.cause, CAUSE_KILLED);
    assert_int_equal(newest(fx)->cause.confidence, CONFIDENCE_LIKELY);
    assert_int_equal(ledger_explained(fx->target, COUNTER_CLIENTS, CAUSE_KILLED), 1);

    server_error(fx, 1160, "app", 1); /* no KILL before it, nor after it */
    fx->clients = 2;
    for (int i = 0; i < 3; i++)
        poll_server(fx);
    assert_int_equal(count(fx), 2);
    assert_int_equal(newest(fx)->cause.cause, CAUSE_LEFT_MID_RESULT);
    assert_false(newest(fx)->cause.possible & UINT32_C(1) << CAUSE_KILLED);
}

static void what_statements_raise_too_is_told_when_the_counter_shows_it(void **state) {
    struct fixture *fx = *state;
    be_mysql(fx);
    poll_server(fx);
    server_error(fx, 1044, "app", 5);
    fx->connects = 1;
    poll_server(fx);
    assert_int_equal(count(fx), 0);
    poll_server(fx);
    assert_int_equal(count(fx), 1);
    const struct abort_event *e = newest(fx);
    assert_true(e->cause.cause == CAUSE_ACCESS_DENIED && e->n == 1 && span_is(e->user, "app"));
    assert_int_equal(e->cause.confidence, CONFIDENCE_LIKELY);
    assert_int_equal(e->cause.raises, 1U << COUNTER_CONNECTS);
    assert_int_equal(ledger_explained(fx->target, COUNTER_CONNECTS, CAUSE_ACCESS_DENIED), 1);

    server_error(fx, 1044, "app", 1); /* two that it may have been */
    server_error(fx, 1049, "root", 1);
    fx->connects = 2;
    for (int i = 0; i < 4; i++)
        poll_server(fx);
    assert_int_equal(count(fx), 1);
}

/* It came between the poll's counters and its sums. */
static void what_the_next_poll_counts_confirms_it_too(void **state) {
    struct fixture *fx = *state;
    be_mysql(fx);
    poll_server(fx);
    server_error(fx, 1049, "app", 1);
    poll_server(fx);
    fx->connects = 1;
    poll_server(fx);
    poll_server(fx);
    assert_int_equal(count(fx), 1);
    assert_int_equal(newest(fx)->cause.cause, CAUSE_UNKNOWN_DATABASE);
    assert_int_equal(ledger_explained(fx->target, COUNTER_CONNECTS, CAUSE_UNKNOWN_DATABASE), 1);

    server_error(fx, 1049, "app", 1); /* a statement's … */
    poll_server(fx);
    server_error(fx, 1049, "root", 1); /* … and perhaps a login's */
    fx->connects = 2;
    for (int i = 0; i < 3; i++)
        poll_server(fx);
    assert_int_equal(count(fx), 1);
}

/* … whose rise, meanwhile, was taken for that of a refusal which is sure, and is counted a poll later. */
static void what_is_sure_and_not_counted_yet_takes_nothing_from_a_doubt(void **state) {
    struct fixture *fx = *state;
    be_mysql(fx);
    poll_server(fx);
    server_error(fx, 1044, "app", 1);
    server_error(fx, 1045, "web", 1);
    fx->connects = 1;
    poll_server(fx);
    server_error(fx, 1049, "root", 1);
    server_error(fx, 1045, "web", 1);
    fx->connects = 3;
    poll_server(fx);
    fx->connects = 4;
    for (int i = 0; i < 3; i++)
        poll_server(fx);
    assert_int_equal(ledger_explained(fx->target, COUNTER_CONNECTS, CAUSE_ACCESS_DENIED), 3);
    assert_int_equal(ledger_explained(fx->target, COUNTER_CONNECTS, CAUSE_UNKNOWN_DATABASE), 1);
}

/* What may come with either of two looks: an abort's two numbers, its counter's rise, the KILL that made it, and the
 * end of its session. */
struct split {
    bool second_late, first_late, counted_late, kill_late, gone_late;
};

static void see_sessions(struct fixture *fx, bool there) {
    if (there)
        see_session(fx, 7, "Sleep", 0);
    else
        see_session(fx, 8, "Sleep", 0);
}

/* Two looks, and some more in which nothing comes. */
static void two_looks(struct fixture *fx, const struct split *split, const unsigned numbers[2], const char *user,
                      double *counter, double *kills) {
    for (int look = 0; look < 5; look++) {
        if (look == split->counted_late)
            ++*counter;
        if (kills && look == split->kill_late)
            ++*kills;
        if (kills)
            fake_value(fx->target, VARIABLE_STATUS, "Com_kill", *kills);
        see_sessions(fx, look < split->gone_late);
        if (look == split->first_late)
            server_error(fx, numbers[0], user, 1);
        if (numbers[1] && look == split->second_late)
            server_error(fx, numbers[1], user, 1);
        poll_server(fx);
    }
}

static void assert_one(struct fixture *fx, enum abort_counter counter, enum cause cause, size_t events) {
    assert_int_equal(count(fx), events);
    assert_int_equal(newest(fx)->cause.cause, cause);
    assert_int_equal(newest(fx)->n, 1);
    assert_int_equal(ledger_explained(fx->target, counter, cause), events);
    struct ledger_account account;
    assert_true(ledger_account_of(fx->target, counter, &account));
    assert_int_equal(account.increase, events);
    assert_int_equal(account.pending + account.unexplained, 0);
    for (unsigned c = 0; c < COUNTER_LINED; c++)
        for (unsigned other = 0; other < CAUSE_COUNT; other++)
            assert_int_equal(ledger_unmatched(fx->target, c, other), 0);
}

static struct split split_of(unsigned bits) {
    return (struct split){bits & 1, bits & 2, bits & 4, bits & 8, bits & 16};
}

static void one_abort_over_two_looks_is_the_same_abort(void **state) {
    struct fixture *fx = *state;
    static const unsigned reset[] = {1158, 1160};
    be_mysql(fx);
    fake_value(fx->target, VARIABLE_STATUS, "Com_kill", 0);
    see_sessions(fx, true);
    poll_server(fx);
    size_t events = 0;
    for (unsigned bits = 0; bits < 32; bits++) {
        struct split split = split_of(bits);
        if (split.kill_late)
            continue;
        see_sessions(fx, true);
        two_looks(fx, &split, reset, "app", &fx->clients, NULL);
        assert_one(fx, COUNTER_CLIENTS, CAUSE_CLIENT_VANISHED, ++events);
        assert_int_equal(newest(fx)->cause.confidence, CONFIDENCE_CERTAIN);
    }
}

/* A KILL is counted before what it does: Com_kill rises before the counter of aborts, or at once. */
static void a_kill_over_two_looks_is_that_kill(void **state) {
    struct fixture *fx = *state;
    double kills = 3;
    static const unsigned numbers[][2] = {{1158, 1160}, {1160, 0}};
    be_mysql(fx);
    fake_value(fx->target, VARIABLE_STATUS, "Com_kill", kills);
    poll_server(fx);
    size_t events = 0;
    for (unsigned bits = 0; bits < 64; bits++) {
        struct split split = split_of(bits);
        if (split.kill_late && !split.counted_late)
            continue;
        two_looks(fx, &split, numbers[bits >> 5], "app", &fx->clients, &kills);
        assert_one(fx, COUNTER_CLIENTS, CAUSE_KILLED, ++events);
        assert_int_equal(newest(fx)->cause.confidence, CONFIDENCE_LIKELY);
        assert_true(newest(fx)->cause.possible & UINT32_C(1) << CAUSE_KILLED);
    }
}

static void each_pair_of_numbers_may_come_with_two_looks(void **state) {
    struct fixture *fx = *state;
    static const struct {
        unsigned numbers[2];
        const char *user;
        enum abort_counter counter;
        enum cause cause;
    } rows[] = {
        {{1043, 1158}, "", COUNTER_CONNECTS, CAUSE_HEALTH_CHECK},
        {{1043, 1159}, "", COUNTER_CONNECTS, CAUSE_HANDSHAKE_TIMEOUT},
        {{1043, 1156}, "", COUNTER_CONNECTS, CAUSE_PROTOCOL_ERROR},
        {{1105, 1160}, "app", COUNTER_CLIENTS, CAUSE_REPLICATION_CLIENT},
        {{1045, 1873}, "app", COUNTER_CLIENTS, CAUSE_ACCESS_DENIED},
    };
    be_mysql(fx);
    fake_value(fx->target, VARIABLE_STATUS, "Com_kill", 0);
    poll_server(fx);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double *counter = rows[i].counter == COUNTER_CLIENTS ? &fx->clients : &fx->connects;
        for (unsigned bits = 0; bits < 8; bits++) {
            size_t before = count(fx);
            uint64_t explained = ledger_explained(fx->target, rows[i].counter, rows[i].cause);
            struct split split = split_of(bits);
            two_looks(fx, &split, rows[i].numbers, rows[i].user, counter, NULL);
            assert_int_equal(count(fx), before + 1);
            assert_int_equal(newest(fx)->cause.cause, rows[i].cause);
            assert_int_equal(ledger_explained(fx->target, rows[i].counter, rows[i].cause), explained + 1);
        }
    }
}

/* Fewer KILLs than aborts that may be theirs: nobody's is guessed. */
static void of_many_and_one_kill_one_is_not_told_apart(void **state) {
    struct fixture *fx = *state;
    be_mysql(fx);
    fake_value(fx->target, VARIABLE_STATUS, "Com_kill", 3);
    poll_server(fx);
    server_error(fx, 1158, "app", 5); /* five lost over TLS, and one killed of these or of the other's */
    server_error(fx, 1160, "app", 5);
    server_error(fx, 1160, "web", 1);
    fake_value(fx->target, VARIABLE_STATUS, "Com_kill", 4);
    fx->clients = 6;
    for (int i = 0; i < 3; i++)
        poll_server(fx);
    assert_int_equal(count(fx), 3);
    assert_int_equal(ledger_explained(fx->target, COUNTER_CLIENTS, CAUSE_CLIENT_VANISHED), 4);
    assert_int_equal(ledger_explained(fx->target, COUNTER_CLIENTS, CAUSE_UNKNOWN), 2);
    assert_int_equal(ledger_explained(fx->target, COUNTER_CLIENTS, CAUSE_KILLED), 0);
    const struct abort_event *e = newest(fx);
    assert_true(span_is(e->user, "web") && e->cause.cause == CAUSE_UNKNOWN && e->n == 1);
    assert_int_equal(e->cause.confidence, CONFIDENCE_UNKNOWN);
    assert_true(e->cause.possible & UINT32_C(1) << CAUSE_KILLED);
    assert_true(e->cause.possible & UINT32_C(1) << CAUSE_LEFT_MID_RESULT);
}

/* Between a poll's counters and its look one is killed, whom the next poll counts, KILL and all; another was counted.
 */
static void a_kill_in_the_middle_of_a_poll_may_be_of_either(void **state) {
    struct fixture *fx = *state;
    be_mysql(fx);
    fake_value(fx->target, VARIABLE_STATUS, "Com_kill", 3);
    poll_server(fx);
    server_error(fx, 1158, "app", 1);
    server_error(fx, 1160, "app", 1);
    server_error(fx, 1158, "web", 1);
    server_error(fx, 1160, "web", 1);
    fx->clients = 1;
    poll_server(fx);
    fx->clients = 2;
    fake_value(fx->target, VARIABLE_STATUS, "Com_kill", 4);
    for (int i = 0; i < 3; i++)
        poll_server(fx);
    assert_int_equal(count(fx), 2);
    assert_int_equal(ledger_explained(fx->target, COUNTER_CLIENTS, CAUSE_UNKNOWN), 2);
    assert_true(newest(fx)->cause.possible & UINT32_C(1) << CAUSE_KILLED);
}

/* A KILL later than the look says nothing of what the counters had shown before. */
static void a_later_kill_explains_nothing_before_it(void **state) {
    struct fixture *fx = *state;
    be_mysql(fx);
    fake_value(fx->target, VARIABLE_STATUS, "Com_kill", 3);
    poll_server(fx);
    server_error(fx, 1158, "app", 1);
    server_error(fx, 1160, "app", 1);
    fx->clients = 1;
    poll_server(fx);
    fake_value(fx->target, VARIABLE_STATUS, "Com_kill", 4);
    poll_server(fx);
    assert_int_equal(newest(fx)->cause.cause, CAUSE_CLIENT_VANISHED);
    assert_int_equal(newest(fx)->cause.confidence, CONFIDENCE_LIKELY);
}

static void ignore(void *arg, const struct server_error *error) {
    (void)arg;
    (void)error;
}

/* An account's row may come a look after the sum over all. */
static void a_row_that_comes_late_is_waited_for(void **state) {
    struct fixture *fx = *state;
    be_mysql(fx);
    fx->target->config->poll.interval_ns = 10 * NS_PER_S;
    fx->target->server_errors = server_errors_new();
    struct server_errors *errors = fx->target->server_errors;
    server_errors_end(errors, true, false, 1, ignore, NULL);
    poll_server(fx);
    fx->clients = 1;
    server_errors_global(errors, 1158, 1);
    server_errors_end(errors, true, false, 2, ignore, NULL);
    assert_true(server_errors_missing(errors));
    poll_server(fx);
    passed_s += 10;
    server_errors_global(errors, 1158, 1);
    server_errors_account(errors, span_of("app"), span_of("10.0.0.9"), 1158, 1);
    server_errors_end(errors, true, false, 3, ignore, NULL);
    assert_false(server_errors_missing(errors));
    server_error(fx, 1158, "app", 1);
    poll_server(fx);
    passed_s += 10;
    server_errors_end(errors, true, false, 4, ignore, NULL);
    poll_server(fx);
    assert_one(fx, COUNTER_CLIENTS, CAUSE_CLIENT_VANISHED, 1);
    server_errors_free(errors);
    fx->target->server_errors = NULL;
}

/* What waits beside a KILL was counted by the look before, and takes nothing of this one's. */
static void what_waits_beside_a_kill_is_of_the_look_that_it_came_with(void **state) {
    struct fixture *fx = *state;
    be_mysql(fx);
    poll_server(fx);
    server_error(fx, 1158, "app", 1);
    server_error(fx, 1160, "app", 1);
    server_error(fx, 1045, "app", 1);
    fx->clients = fx->connects = 1;
    poll_server(fx);
    server_error(fx, 1045, "app", 3);
    server_error(fx, 1049, "root", 1);
    fx->connects = 5;
    for (int i = 0; i < 3; i++)
        poll_server(fx);
    assert_int_equal(ledger_explained(fx->target, COUNTER_CONNECTS, CAUSE_ACCESS_DENIED), 4);
    assert_int_equal(ledger_explained(fx->target, COUNTER_CONNECTS, CAUSE_UNKNOWN_DATABASE), 1);
}

static void who_is_refused_after_the_login_is_told_once(void **state) {
    struct fixture *fx = *state;
    be_mysql(fx);
    poll_server(fx);
    server_error(fx, 1040, "app", 1);
    fx->full = 3;
    for (int i = 0; i < 4; i++)
        poll_server(fx);
    assert_int_equal(count(fx), 2);
    const struct abort_event *e = newest(fx);
    assert_true(e->source == FACT_COUNTER && e->cause.cause == CAUSE_TOO_MANY_CONNECTIONS && e->n == 2);
    e = &event_ring_before(fx->x->ring, NULL, e->id)->event;
    assert_true(e->source == FACT_ERRORS && e->cause.cause == CAUSE_TOO_MANY_CONNECTIONS && e->n == 1);
    assert_true(span_is(e->user, "app"));
}

static void what_nothing_tells_of_is_told_by_its_counter(void **state) {
    struct fixture *fx = *state;
    poll_server(fx);
    fx->clients = 4;
    fx->connects = 5;
    fx->preauth = 2;
    poll_server(fx);
    assert_int_equal(count(fx), 0); /* lines may come */
    restart(fx);
    assert_int_equal(count(fx), 3);
    const struct abort_event *e = newest(fx);
    assert_true(e->source == FACT_COUNTER && e->cause.cause == CAUSE_BEFORE_LOGIN && e->n == 2);
    e = &event_ring_before(fx->x->ring, NULL, e->id)->event;
    assert_true(e->cause.cause == CAUSE_UNKNOWN && e->n == 3);
    assert_true(is_said(e, FACT_COUNTER, "Aborted_connects rose by 3"));
    e = &event_ring_before(fx->x->ring, NULL, e->id)->event;
    assert_true(e->cause.cause == CAUSE_UNKNOWN && e->n == 4 && e->cause.confidence == CONFIDENCE_UNKNOWN);
    assert_int_equal(ledger_unmatched(fx->target, COUNTER_CLIENTS, CAUSE_UNKNOWN), 0); /* no evidence for itself */
}

static void a_full_server_is_told_once(void **state) {
    struct fixture *fx = *state;
    poll_server(fx);
    fx->full = 2;
    poll_server(fx);
    poll_server(fx);
    assert_int_equal(count(fx), 1);
    const struct abort_event *e = newest(fx);
    assert_true(e->source == FACT_COUNTER && e->cause.cause == CAUSE_TOO_MANY_CONNECTIONS && e->n == 2);
    assert_int_equal(e->cause.confidence, CONFIDENCE_CERTAIN);
}

static void hostile_lines(void **state) {
    struct fixture *fx = *state;
    char big[4000];
    memset(big, '\xff', sizeof big);
    struct span all = {big, sizeof big};
    tell(fx, &(struct log_event){.kind = LOG_EVENT_ABORTED, .db = all, .user = all, .host = all, .reason = all});
    const struct abort_event *e = newest(fx);
    assert_int_equal(e->user.len, 80);
    for (unsigned i = 0; i < e->evidence_count; i++)
        assert_true(e->evidence[i].text.len <= ABORT_EVIDENCE_TEXT_MAX);
    tell(fx, &(struct log_event){.kind = LOG_EVENT_ABORTED});
    assert_int_equal(count(fx), 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT, stderr);
    const struct CMUnitTest tests[] = {
        TEST(a_line_finds_its_session),
        TEST(what_is_not_known_is_not_said),
        TEST(an_old_session_is_not_meant),
        TEST(another_life_of_the_server_has_other_sessions),
        TEST(sessions_narrow_the_cause),
        TEST(logins_narrow_the_cause),
        TEST(the_host_cache_narrows_mariadbs_one_line),
        TEST(forged_and_foreign_lines_are_no_events),
        TEST(two_lines_of_one_abort_are_one),
        TEST(who_may_have_been_killed_is_named_and_not_accused),
        TEST(the_killer_is_named),
        TEST(who_is_killed_by_a_shutdown_is_not_killed_by_a_client),
        TEST(sums_tell_where_the_log_does_not),
        TEST(what_is_held_is_of_the_life_that_wrote_it),
        TEST(a_kill_that_the_next_poll_counts_is_told),
        TEST(what_statements_raise_too_is_told_when_the_counter_shows_it),
        TEST(what_the_next_poll_counts_confirms_it_too),
        TEST(what_waits_beside_a_kill_is_of_the_look_that_it_came_with),
        TEST(who_is_refused_after_the_login_is_told_once),
        TEST(what_is_sure_and_not_counted_yet_takes_nothing_from_a_doubt),
        TEST(one_abort_over_two_looks_is_the_same_abort),
        TEST(a_kill_over_two_looks_is_that_kill),
        TEST(each_pair_of_numbers_may_come_with_two_looks),
        TEST(of_many_and_one_kill_one_is_not_told_apart),
        TEST(a_refused_change_of_user_is_no_refused_login),
        TEST(a_row_that_comes_late_is_waited_for),
        TEST(a_kill_in_the_middle_of_a_poll_may_be_of_either),
        TEST(a_later_kill_explains_nothing_before_it),
        TEST(what_nothing_tells_of_is_told_by_its_counter),
        TEST(a_full_server_is_told_once),
        TEST(hostile_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
