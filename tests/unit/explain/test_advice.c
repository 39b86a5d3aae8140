/*
 * From made-up polls, probes and lines of a log to the rules that are raised for a target: each number of the evidence
 * comes from where it should, a rule stays raised since when it was first, and what is over goes away.
 */
#include "explain/advice.h"

#include "../expose/fake_targets.h"
#include "base/log.h"
#include "explaining.h"
#include "expose/advice_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct target *target;
    struct explaining *explaining;
};

static void status(struct fixture *fx, const char *name, double value) {
    fake_value(fx->target, VARIABLE_STATUS, name, value);
}

static void setting(struct fixture *fx, const char *name, double value) {
    fake_value(fx->target, VARIABLE_SETTING, name, value);
}

static int setup(void **state) {
    struct fixture *fx = calloc(1, sizeof *fx);
    assert_non_null(fx);
    fx->target = fake_target("db1");
    fx->target->config->poll.interval_ns = NS_PER_S;
    fx->target->config->user = strdup("mysqlconn");
    fx->explaining = explaining_new(10, 10);
    snprintf(fx->target->poll.version, sizeof fx->target->poll.version, "10.11.19-MariaDB");
    for (int i = 0; i < EVIDENCE_COUNT; i++)
        fx->target->evidence[i] = EVIDENCE_UNSUPPORTED;
    static const struct {
        const char *name;
        double value;
    } settings[] = {{"wait_timeout", 600},        {"interactive_timeout", 600}, {"max_connections", 100},
                    {"max_allowed_packet", 4096}, {"skip_name_resolve", 1},     {"performance_schema", 1},
                    {"log_warnings", 2}};
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        setting(fx, settings[i].name, settings[i].value);
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT, stderr);
    *state = fx;
    return 0;
}

static int teardown(void **state) {
    struct fixture *fx = *state;
    explaining_removed(fx->explaining, fx->target);
    explaining_free(fx->explaining);
    assert_null(fx->target->advice);
    sessions_free(fx->target->sessions);
    host_cache_free(fx->target->host_cache);
    free(fx->target->config->user);
    fake_target_free(fx->target);
    free(fx);
    return 0;
}

static void poll_server(struct fixture *fx) {
    static const char *const counters[] = {"Aborted_clients",
                                           "Aborted_connects",
                                           "Connections",
                                           "Aborted_connects_preauth",
                                           "Threads_connected",
                                           "Max_used_connections",
                                           "Connection_errors_max_connections"};
    fx->target->poll.health = TARGET_UP;
    fx->target->poll.polls++;
    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++)
        if (isnan(target_status(fx->target, counters[i])))
            status(fx, counters[i], 1);
    status(fx, "Uptime", 1000 + (double)fx->target->poll.polls);
    fx->explaining->observer.polled(fx->explaining->observer.arg, fx->target, mono_now());
}

static void fail_poll(struct fixture *fx) {
    fx->target->poll.health = TARGET_DOWN;
    fx->target->poll.down = fake_failure(PHASE_CONNECT, FAILURE_REFUSED, "Can't connect");
    for (size_t i = 0; i < variable_count; i++)
        fx->target->poll.value[i] = (double)NAN;
    fx->explaining->observer.polled(fx->explaining->observer.arg, fx->target, mono_now());
}

/* The advice of that rule, or NULL. error_log_not_read is there always: fake targets have no log. */
static const struct advice *raised(const struct fixture *fx, const char *rule) {
    size_t count;
    const struct advice *advice = advice_of(fx->target, &count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(advice[i].rule->id, rule) == 0)
            return &advice[i];
    return NULL;
}

static const char *evidence_of(const struct fixture *fx, const char *rule, size_t place) {
    const struct advice *advice = raised(fx, rule);
    return advice && place < advice->finding.evidence.count ? advice->finding.evidence.texts[place] : "";
}

static void assert_begins(const char *text, const char *begin) {
    if (strncmp(text, begin, strlen(begin)) != 0)
        fail_msg("'%s' does not begin with '%s'", text, begin);
}

static void tell_vanished(struct fixture *fx, uint64_t id) {
    struct log_event event = {.kind = LOG_EVENT_ABORTED,
                              .connection_id = id,
                              .user = span_of("app"),
                              .host = span_of("10.0.0.7"),
                              .reason = span_of("Got an error reading communication packets")};
    explaining_line(fx->explaining, fx->target, &event);
}

/* --- sessions made up --- */

static void add_session(struct fixture *fx, uint64_t id, int64_t idle_s) {
    struct session_row row = {.id = id,
                              .user = span_of("app"),
                              .host = span_of("10.0.0.7:4711"),
                              .command = span_of("Sleep"),
                              .time_ns = idle_s * NS_PER_S};
    sessions_add(fx->target->sessions, &row);
}

/* `in_transaction`: an id. */
static void begin_sessions(struct fixture *fx, uint64_t in_transaction) {
    struct session_limits limits = {.sessions = 100, .users = 10, .drivers = 10};
    if (!fx->target->sessions)
        fx->target->sessions = sessions_new();
    sessions_begin(fx->target->sessions, &limits, 600 * NS_PER_S, wall_now_ns());
    sessions_transaction(fx->target->sessions, in_transaction);
}

static void end_sessions(struct fixture *fx, const char *driver, const char *version) {
    static const enum evidence_kind kinds[] = {EVIDENCE_SESSIONS, EVIDENCE_TRANSACTIONS, EVIDENCE_ATTRIBUTES};
    uint64_t ids[10];
    size_t count = sessions_unasked(fx->target->sessions, ids, 10);
    for (size_t i = 0; i < count; i++) {
        sessions_attribute(fx->target->sessions, ids[i], span_of("_client_name"), span_of(driver));
        sessions_attribute(fx->target->sessions, ids[i], span_of("_client_version"), span_of(version));
    }
    sessions_attributes_read(fx->target->sessions);
    sessions_end(fx->target->sessions);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        fx->target->evidence[kinds[i]] = EVIDENCE_SEEN;
}

/* --- the tests --- */

static void the_ledger_tells_aborts(void **state) {
    struct fixture *fx = *state;
    poll_server(fx);
    assert_null(raised(fx, "clients_vanish"));
    tell_vanished(fx, 42);
    status(fx, "Aborted_clients", 2);
    poll_server(fx);
    assert_begins(evidence_of(fx, "clients_vanish", 0), "1 time in ");
    assert_non_null(strstr(evidence_of(fx, "clients_vanish", 0), "the last: app@10.0.0.7, connection 42"));
    for (uint64_t id = 43; id < 52; id++)
        tell_vanished(fx, id);
    status(fx, "Aborted_clients", 11);
    poll_server(fx);
    assert_begins(evidence_of(fx, "clients_vanish", 0), "10 times in ");
    assert_int_equal(raised(fx, "clients_vanish")->severity, SEVERITY_WARNING);
}

static void refusals_count_once(void **state) {
    struct fixture *fx = *state;
    poll_server(fx);
    status(fx, "Connection_errors_max_connections", 4);
    status(fx, "Aborted_connects", 4); /* as MariaDB counts them */
    poll_server(fx);
    assert_begins(evidence_of(fx, "max_connections", 0), "3 connections were refused");
}

static void a_rule_is_raised_since_it_was_first(void **state) {
    struct fixture *fx = *state;
    poll_server(fx);
    assert_null(raised(fx, "timeouts_differ"));
    setting(fx, "interactive_timeout", 700);
    poll_server(fx);
    int64_t since = raised(fx, "timeouts_differ")->since_wall_ns;
    assert_true(wall_now_ns() - since < 60 * NS_PER_S);
    usleep(2000);
    setting(fx, "interactive_timeout", 800);
    poll_server(fx);
    assert_true(raised(fx, "timeouts_differ")->since_wall_ns == since);
    setting(fx, "interactive_timeout", 600);
    poll_server(fx);
    assert_null(raised(fx, "timeouts_differ"));
    setting(fx, "interactive_timeout", 700);
    poll_server(fx);
    assert_true(raised(fx, "timeouts_differ")->since_wall_ns > since);
}

static void the_most_severe_comes_first(void **state) {
    struct fixture *fx = *state;
    size_t count;
    poll_server(fx);
    setting(fx, "interactive_timeout", 700);
    status(fx, "Threads_connected", 96);
    fx->target->self_aborts[SELF_PROBE]++;
    poll_server(fx);
    const struct advice *advice = advice_of(fx->target, &count);
    assert_int_equal(count, 4);
    assert_string_equal(advice[0].rule->id, "max_connections");
    assert_string_equal(advice[1].rule->id, "own_aborts");
    assert_string_equal(advice[2].rule->id, "timeouts_differ");
    assert_string_equal(advice[3].rule->id, "error_log_not_read");
}

static void aborts_on_purpose_are_not_our_fault(void **state) {
    struct fixture *fx = *state;
    fx->target->self_aborts[SELF_POLL] = 7; /* before the first poll */
    poll_server(fx);
    fx->target->self_aborts[SELF_CLOSE_STYLE]++;
    fx->target->self_aborts[SELF_HOLD]++;
    poll_server(fx);
    assert_null(raised(fx, "own_aborts"));
}

static void a_mark_between_polls_counts(void **state) {
    struct fixture *fx = *state;
    status(fx, "Threads_connected", 10);
    status(fx, "Max_used_connections", 99); /* of last week */
    poll_server(fx);
    assert_null(raised(fx, "max_connections"));
    status(fx, "Max_used_connections", 100);
    poll_server(fx);
    assert_begins(evidence_of(fx, "max_connections", 0), "100 connections at one time");
}

static void connections_are_those_of_others(void **state) {
    struct fixture *fx = *state;
    poll_server(fx);
    fx->target->probes[0].facts.probes += 1000;
    status(fx, "Connections", 1001 + 40 + 9);
    status(fx, "Aborted_connects", 10);
    poll_server(fx); /* 40 of others */
    assert_null(raised(fx, "connection_churn"));
    status(fx, "Connections", 1001 + 40 + 9 + 10);
    poll_server(fx); /* 50 */
    assert_non_null(raised(fx, "connection_churn"));
}

static void a_restart_is_no_million_of_connections(void **state) {
    struct fixture *fx = *state;
    status(fx, "Connections", 1e6);
    status(fx, "Aborted_connects", 1e5);
    poll_server(fx);
    status(fx, "Connections", 30);
    status(fx, "Aborted_connects", 3);
    poll_server(fx); /* 27 */
    assert_null(raised(fx, "connection_churn"));
    status(fx, "Connections", 53);
    poll_server(fx); /* 50 */
    assert_non_null(raised(fx, "connection_churn"));
}

static void another_servers_connections_are_no_churn(void **state) {
    struct fixture *fx = *state;
    poll_server(fx);
    status(fx, "Connections", 1e6);
    status(fx, "Aborted_connects", 1e5);
    fx->target->poll.others++;
    poll_server(fx);
    assert_null(raised(fx, "connection_churn"));
    status(fx, "Connections", 1e6 + 50);
    poll_server(fx);
    assert_non_null(raised(fx, "connection_churn"));
}

static void what_a_down_server_had_stays(void **state) {
    struct fixture *fx = *state;
    poll_server(fx);
    tell_vanished(fx, 42);
    status(fx, "Aborted_clients", 2);
    poll_server(fx);
    fail_poll(fx);
    assert_begins(evidence_of(fx, "server_down", 0), "the last poll failed in phase connect: refused");
    assert_non_null(raised(fx, "clients_vanish"));
    assert_null(raised(fx, "error_log_not_read")); /* which nobody knows now */
    poll_server(fx);
    assert_null(raised(fx, "server_down"));
}

static void sleepers_are_named(void **state) {
    struct fixture *fx = *state;
    begin_sessions(fx, 4);
    add_session(fx, 1, 539);
    add_session(fx, 2, 545);
    add_session(fx, 3, 599);
    add_session(fx, 4, 11);
    end_sessions(fx, "pymysql", "1.0.2");
    poll_server(fx);
    assert_begins(evidence_of(fx, "sleepers_near_timeout", 0), "2 of 4 sleeping sessions");
    assert_string_equal(evidence_of(fx, "sleepers_near_timeout", 1), "2 of app@10.0.0.7 (pymysql 1.0.2)");
    assert_begins(evidence_of(fx, "idle_transactions", 0),
                  "1 session sleeps with an open transaction, the longest for 11s");
    assert_string_equal(evidence_of(fx, "idle_transactions", 1), "1 of app@10.0.0.7 (pymysql 1.0.2)");
    assert_null(raised(fx, "drivers")); /* PyMySQL closes well when it is asked to */
    begin_sessions(fx, 0);
    end_sessions(fx, "", "");
    poll_server(fx);
    assert_null(raised(fx, "sleepers_near_timeout"));
}

static void an_abort_is_laid_to_its_driver(void **state) {
    struct fixture *fx = *state;
    begin_sessions(fx, 0);
    add_session(fx, 42, 5);
    add_session(fx, 43, 5);
    end_sessions(fx, "pymysql", "1.0.2");
    poll_server(fx);
    tell_vanished(fx, 42);
    tell_vanished(fx, 99); /* whose driver nobody knows */
    poll_server(fx);
    assert_begins(evidence_of(fx, "drivers", 0), "1 abort of PyMySQL 1.0.2 in ");
    assert_int_equal(raised(fx, "drivers")->severity, SEVERITY_WARNING);
    assert_int_equal(raised(fx, "drivers")->finding.evidence.count, 1);
}

static void a_driver_that_closes_badly_is_told_at_once(void **state) {
    struct fixture *fx = *state;
    begin_sessions(fx, 0);
    add_session(fx, 42, 5);
    end_sessions(fx, "Node-MySQL-2", "3.11.0");
    poll_server(fx);
    assert_begins(evidence_of(fx, "drivers", 0), "1 session of mysql2 (Node.js) 3.11.0");
    assert_int_equal(raised(fx, "drivers")->severity, SEVERITY_INFO);
}

static void look_at_hosts(struct fixture *fx, uint64_t connect_errors, uint64_t name_errors) {
    struct host_cache *cache = fx->target->host_cache;
    struct host_cache_rows rows = {.age = HOST_CACHE_OLD, .instant = host_cache_instant(cache) + 10, .hosts = 1};
    rows.near = connect_errors >= 50;
    snprintf(rows.nearest.ip, sizeof rows.nearest.ip, "10.0.0.9");
    rows.nearest.connect_errors = connect_errors;
    rows.errors[HOST_CACHE_NAMEINFO_PERMANENT] = name_errors;
    host_cache_begin(cache, 100, ~0U, 0);
    host_cache_add(cache, &rows);
    host_cache_end(cache, wall_now_ns());
    fx->target->evidence[EVIDENCE_HOST_CACHE] = EVIDENCE_SEEN;
    poll_server(fx);
}

static void what_the_host_cache_shows_is_told(void **state) {
    struct fixture *fx = *state;
    fx->target->host_cache = host_cache_new();
    setting(fx, "skip_name_resolve", 0);
    look_at_hosts(fx, 60, 5);
    assert_string_equal(evidence_of(fx, "hosts_blocked", 1),
                        "10.0.0.9 has 60 failed handshakes in a row, of max_connect_errors = 100");
    assert_null(raised(fx, "reverse_dns"));
    look_at_hosts(fx, 3, 7);
    assert_null(raised(fx, "hosts_blocked"));
    assert_begins(evidence_of(fx, "reverse_dns", 1), "2 failed look-ups in host_cache");
    look_at_hosts(fx, 60, 7);
    fail_poll(fx);
    assert_null(raised(fx, "hosts_blocked")); /* nobody knows */
}

static void slow_greetings_and_lost_segments_are_of_new_probes(void **state) {
    struct fixture *fx = *state;
    struct probe_facts *facts = &fx->target->probes[0].facts;
    setting(fx, "skip_name_resolve", 0);
    facts->last_phase_ns[PHASE_CONNECT] = NS_PER_MS;
    facts->last_phase_ns[PHASE_GREETING] = 2 * NS_PER_S;
    facts->last_wall_ns = wall_now_ns();
    facts->tcp_retransmissions = 10;
    poll_server(fx);
    poll_server(fx); /* it is the same probe */
    assert_begins(evidence_of(fx, "reverse_dns", 1), "1 of our probes in ");
    assert_null(raised(fx, "packet_loss"));
    facts->tcp_retransmissions = 13;
    poll_server(fx);
    assert_begins(evidence_of(fx, "packet_loss", 0), "3 TCP segments were sent again");
}

static void as_json(void **state) {
    struct fixture *fx = *state;
    struct strbuf out;
    strbuf_init(&out, 1024 * 1024);
    advice_json(&out, "findings", fx->target);
    assert_string_equal(strbuf_text(&out), "\"findings\":[]");
    strbuf_reset(&out);
    setting(fx, "interactive_timeout", 700);
    poll_server(fx);
    advice_json(&out, NULL, fx->target);
    const char *text = strbuf_text(&out);
    assert_begins(text, "[{\"rule\":\"timeouts_differ\",\"severity\":\"info\",\"since\":\"20");
    assert_non_null(strstr(text, "Z\",\"problem\":\"interactive_timeout is not wait_timeout\","
                                 "\"evidence\":[\"wait_timeout = 600, interactive_timeout = 700\"],"
                                 "\"change\":[\"Set both"));
    assert_non_null(strstr(text, "\"runbook\":\"README.md#advice-timeouts_differ\"},{\"rule\":\"error_log_not_read\""));
    strbuf_release(&out);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_ledger_tells_aborts),
        TEST(refusals_count_once),
        TEST(a_rule_is_raised_since_it_was_first),
        TEST(the_most_severe_comes_first),
        TEST(aborts_on_purpose_are_not_our_fault),
        TEST(a_mark_between_polls_counts),
        TEST(connections_are_those_of_others),
        TEST(a_restart_is_no_million_of_connections),
        TEST(another_servers_connections_are_no_churn),
        TEST(what_a_down_server_had_stays),
        TEST(sleepers_are_named),
        TEST(an_abort_is_laid_to_its_driver),
        TEST(a_driver_that_closes_badly_is_told_at_once),
        TEST(what_the_host_cache_shows_is_told),
        TEST(slow_greetings_and_lost_segments_are_of_new_probes),
        TEST(as_json),
    };
    return cmocka_run_group_tests_name("advice", tests, NULL, NULL);
}
