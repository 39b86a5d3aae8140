/*
 * The ledger against made-up polls and lines: for each counter the parts equal the rise after every step, whatever came
 * first, and what a flush, a restart or a gap does is told apart. (A restart also ends all waiting at once, which saves
 * these tests the five seconds.)
 */
#include "explain/ledger.h"

#include "../expose/fake_targets.h"
#include "base/log.h"
#include "explaining.h"
#include "quiet_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    struct target *target;
    struct explaining *explaining;
    struct observer observer;
    double uptime, flushed; /* the server's start is 0 */
    double clients, connects, preauth, full;
};

static int setup(void **state) {
    struct fixture *fx = calloc(1, sizeof *fx);
    assert_non_null(fx);
    fx->target = fake_target("db1");
    fx->target->config->poll.interval_ns = NS_PER_S;
    fx->explaining = explaining_new(10, 10);
    fx->observer = fx->explaining->observer;
    fx->uptime = 1000;
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT, stderr);
    *state = fx;
    return 0;
}

static int teardown(void **state) {
    struct fixture *fx = *state;
    fx->observer.target_removed(fx->observer.arg, fx->target);
    assert_null(fx->target->ledger);
    fake_target_free(fx->target);
    explaining_free(fx->explaining);
    free(fx);
    return 0;
}

static uint64_t explained(const struct fixture *fx, enum abort_counter counter, enum cause cause) {
    return ledger_explained(fx->target, counter, cause);
}

static struct ledger_account account(const struct fixture *fx, enum abort_counter counter) {
    struct ledger_account a;
    assert_true(ledger_account_of(fx->target, counter, &a));
    return a;
}

static void assert_closed(const struct fixture *fx) {
    for (unsigned counter = 0; counter < COUNTER_COUNT; counter++) {
        struct ledger_account a = account(fx, counter);
        uint64_t sum = a.unexplained + a.pending;
        for (unsigned cause = 0; cause < CAUSE_COUNT; cause++)
            sum += explained(fx, counter, cause);
        assert_int_equal(sum, a.increase);
    }
}

static void set(struct fixture *fx, const char *name, double value) {
    fake_value(fx->target, VARIABLE_STATUS, name, value);
}

static void poll_server(struct fixture *fx) {
    struct poll_facts *poll = &fx->target->poll;
    poll->health = TARGET_UP;
    poll->polls++;
    if (!poll->version[0])
        snprintf(poll->version, sizeof poll->version, "10.11.19-MariaDB");
    fx->uptime++;
    set(fx, "Uptime", fx->uptime);
    set(fx, "Uptime_since_flush_status", fx->uptime - fx->flushed);
    set(fx, "Aborted_clients", fx->clients);
    set(fx, "Aborted_connects", fx->connects);
    if (strstr(poll->version, "MariaDB"))
        set(fx, "Aborted_connects_preauth", fx->preauth);
    set(fx, "Connection_errors_max_connections", fx->full);
    fx->observer.polled(fx->observer.arg, fx->target, mono_now());
    if (ledger_began_wall_ns(fx->target) != 0)
        assert_closed(fx);
}

static void restart(struct fixture *fx) {
    fx->uptime = fx->flushed = fx->clients = fx->connects = fx->preauth = fx->full = 0;
    poll_server(fx);
}

static void tell(struct fixture *fx, enum log_event_kind kind, uint64_t id, const char *user, const char *reason) {
    struct log_event event = {.kind = kind,
                              .connection_id = id,
                              .user = span_of(user),
                              .host = span_of("10.0.0.7"),
                              .reason = reason ? span_of(reason) : (struct span){0}};
    fx->observer.log_event(fx->observer.arg, fx->target, &event);
    if (ledger_began_wall_ns(fx->target) != 0)
        assert_closed(fx);
}

static void tell_vanished(struct fixture *fx, uint64_t id) {
    tell(fx, LOG_EVENT_ABORTED, id, "app", "Got an error reading communication packets");
}

static void begins_with_what_the_counters_have(void **state) {
    struct fixture *fx = *state;
    struct ledger_account a;
    fx->clients = 41;
    tell_vanished(fx, 1);
    assert_false(ledger_account_of(fx->target, COUNTER_CLIENTS, &a));
    poll_server(fx);
    assert_int_equal(account(fx, COUNTER_CLIENTS).increase, 0);
    assert_true(account(fx, COUNTER_PREAUTH).known);
    assert_false(account(fx, COUNTER_TCPWRAP).known);
}

static void lines_come_before_or_after_their_counter(void **state) {
    struct fixture *fx = *state;
    poll_server(fx);
    tell_vanished(fx, 1);
    assert_int_equal(explained(fx, COUNTER_CLIENTS, CAUSE_CLIENT_VANISHED), 0);
    fx->clients = 3;
    poll_server(fx);
    assert_int_equal(explained(fx, COUNTER_CLIENTS, CAUSE_CLIENT_VANISHED), 1);
    assert_int_equal(account(fx, COUNTER_CLIENTS).pending, 2);
    tell_vanished(fx, 2);
    assert_int_equal(explained(fx, COUNTER_CLIENTS, CAUSE_CLIENT_VANISHED), 2);
    restart(fx);
    assert_int_equal(account(fx, COUNTER_CLIENTS).pending, 0);
    assert_int_equal(account(fx, COUNTER_CLIENTS).unexplained, 1);
    assert_int_equal(ledger_steps(fx->target, LEDGER_RESTART), 1);
}

static void evidence_without_a_rise_is_let_go(void **state) {
    struct fixture *fx = *state;
    poll_server(fx);
    tell(fx, LOG_EVENT_ABORTED, 9, "unauthenticated", "This connection closed normally without authentication");
    fx->connects = 1; /* and no preauth */
    poll_server(fx);
    poll_server(fx);
    assert_int_equal(explained(fx, COUNTER_CONNECTS, CAUSE_BEFORE_LOGIN), 1);
    assert_int_equal(ledger_unmatched(fx->target, COUNTER_PREAUTH, CAUSE_BEFORE_LOGIN), 1);
    fx->preauth = 1; /* much later: of somebody else */
    poll_server(fx);
    assert_int_equal(explained(fx, COUNTER_PREAUTH, CAUSE_BEFORE_LOGIN), 0);
    assert_int_equal(account(fx, COUNTER_PREAUTH).pending, 1);
}

static void what_may_have_been_is_asked_last(void **state) {
    struct fixture *fx = *state;
    poll_server(fx);
    tell(fx, LOG_EVENT_ABORTED, 1, "app", "KILLED"); /* the query … */
    tell(fx, LOG_EVENT_ABORTED, 2, "app", "KILLED"); /* … or the connection */
    fx->clients = 2;
    poll_server(fx);
    tell_vanished(fx, 3);
    restart(fx);
    assert_int_equal(explained(fx, COUNTER_CLIENTS, CAUSE_CLIENT_VANISHED), 1);
    assert_int_equal(explained(fx, COUNTER_CLIENTS, CAUSE_KILLED), 1);
    assert_int_equal(account(fx, COUNTER_CLIENTS).unexplained, 0);
}

/* However many come after it. (The interval makes maybes older after a quarter of a second.) */
static void what_may_have_been_long_ago_is_not_asked(void **state) {
    struct fixture *fx = *state;
    poll_server(fx);
    fx->target->config->poll.interval_ns = -3250 * NS_PER_MS;
    for (int i = 0; i < 8; i++) { /* queries, say; two a poll */
        tell(fx, LOG_EVENT_ABORTED, 1, "app", "KILLED");
        tell(fx, LOG_EVENT_ABORTED, 1, "app", "KILLED");
        if (i == 3 || i == 6) /* twice older they are forgotten */
            usleep(300000);
        poll_server(fx);
    }
    fx->clients = 16;
    poll_server(fx);
    restart(fx);
    assert_in_range(explained(fx, COUNTER_CLIENTS, CAUSE_KILLED), 1, 9);
}

static void a_kill_is_believed_where_a_line_would_tell_of_all_else(void **state) {
    struct fixture *fx = *state;
    struct quiet_log log;
    quiet_log_open(&log, fx->target);
    set(fx, "Com_kill", 7);
    poll_server(fx);
    set(fx, "Com_kill", 8); /* in the poll before its victim is counted */
    poll_server(fx);
    fx->clients = 2;
    poll_server(fx);
    fx->clients = 3; /* whose line is taken for the older rise */
    tell_vanished(fx, 1);
    poll_server(fx);
    restart(fx);
    assert_int_equal(explained(fx, COUNTER_CLIENTS, CAUSE_CLIENT_VANISHED), 1);
    assert_int_equal(explained(fx, COUNTER_CLIENTS, CAUSE_KILLED), 1);
    assert_int_equal(account(fx, COUNTER_CLIENTS).unexplained, 1);

    set(fx, "Com_kill", 9); /* too long ago */
    poll_server(fx);
    poll_server(fx);
    poll_server(fx);
    fx->clients = 1;
    poll_server(fx);
    restart(fx);
    assert_int_equal(explained(fx, COUNTER_CLIENTS, CAUSE_KILLED), 1);

    fake_value(fx->target, VARIABLE_SETTING, "log_warnings", 1); /* it might have been anything */
    set(fx, "Com_kill", 10);
    fx->clients = 1;
    poll_server(fx);
    restart(fx);
    assert_int_equal(explained(fx, COUNTER_CLIENTS, CAUSE_KILLED), 1);
    quiet_log_close(&log, fx->target);
}

static void flush_status_is_a_step(void **state) {
    struct fixture *fx = *state;
    fx->clients = fx->connects = 100;
    poll_server(fx);
    fx->flushed = fx->uptime;
    fx->clients = 5;
    fx->connects = 200; /* also anew: higher than before is no proof */
    poll_server(fx);
    assert_int_equal(ledger_steps(fx->target, LEDGER_FLUSH), 1);
    assert_int_equal(account(fx, COUNTER_CLIENTS).increase, 5);
    assert_int_equal(account(fx, COUNTER_CONNECTS).increase, 200);
    fx->clients = 2; /* in the same second again: the clocks do not show it */
    poll_server(fx);
    assert_int_equal(ledger_steps(fx->target, LEDGER_FLUSH), 2);
    assert_int_equal(account(fx, COUNTER_CLIENTS).increase, 7);
    poll_server(fx);
    assert_int_equal(ledger_steps(fx->target, LEDGER_FLUSH), 2);
}

/* A name or an address that moves to another server, and back; or a proxy that asks now this one, now that. */
static void another_servers_counters_are_no_rise(void **state) {
    struct fixture *fx = *state;
    fx->clients = 10;
    poll_server(fx);
    fx->uptime = 900000;
    fx->clients = 5000;
    poll_server(fx);
    assert_int_equal(account(fx, COUNTER_CLIENTS).increase, 0);
    assert_int_equal(ledger_steps(fx->target, LEDGER_OTHER), 1);
    fx->clients = 5001;
    poll_server(fx);
    assert_int_equal(account(fx, COUNTER_CLIENTS).increase, 1);
    fx->uptime = 1005; /* it did not start within the time between two polls */
    fx->clients = 12;
    poll_server(fx);
    assert_int_equal(account(fx, COUNTER_CLIENTS).increase, 1);
    fx->clients = 7; /* where the clocks tell nothing */
    poll_server(fx);
    assert_int_equal(account(fx, COUNTER_CLIENTS).increase, 1);
    assert_int_equal(ledger_steps(fx->target, LEDGER_OTHER), 3);
    assert_int_equal(ledger_steps(fx->target, LEDGER_RESTART) + ledger_steps(fx->target, LEDGER_FLUSH), 0);
    restart(fx);
    assert_int_equal(ledger_steps(fx->target, LEDGER_RESTART), 1);
}

/* Its clock counts whole seconds: two lives that are as short look like one. The log tells them apart. */
static void a_start_that_only_the_log_tells_is_a_step(void **state) {
    struct fixture *fx = *state;
    fx->uptime = 1;
    fx->target->poll.connection_id = 5;
    fx->clients = 1;
    poll_server(fx);
    for (int told = 0; told < 2; told++) {
        if (told)
            tell(fx, LOG_EVENT_SERVER_START, 0, "", NULL);
        fx->target->poll.connection_id++;
        fx->clients = 2;
        fx->uptime = 1;
        poll_server(fx);
        assert_int_equal(ledger_steps(fx->target, LEDGER_RESTART), told);
    }
    assert_int_equal(account(fx, COUNTER_CLIENTS).increase, 1 + 2);
    tell(fx, LOG_EVENT_SERVER_START, 0, "", NULL); /* read late: it is the life that answers already */
    fx->uptime = 1;
    poll_server(fx);
    fx->target->poll.connection_id++;
    poll_server(fx);
    assert_int_equal(ledger_steps(fx->target, LEDGER_RESTART), 1);
}

static void mysql_keeps_aborted_connects_over_a_flush(void **state) {
    struct fixture *fx = *state;
    snprintf(fx->target->poll.version, sizeof fx->target->poll.version, "9.7.4");
    fx->clients = fx->connects = 100;
    poll_server(fx);
    fx->flushed = fx->uptime;
    fx->clients = 5;
    fx->connects = 102;
    poll_server(fx);
    assert_int_equal(account(fx, COUNTER_CLIENTS).increase, 5);
    assert_int_equal(account(fx, COUNTER_CONNECTS).increase, 2);
    assert_false(account(fx, COUNTER_PREAUTH).known);
}

static void a_gap_loses_nothing(void **state) {
    struct fixture *fx = *state;
    poll_server(fx);
    fx->target->poll.health = TARGET_DOWN;
    for (size_t i = 0; i < VARIABLE_MAX; i++)
        fx->target->poll.value[i] = (double)NAN;
    fx->observer.polled(fx->observer.arg, fx->target, mono_now());
    fx->observer.polled(fx->observer.arg, fx->target, mono_now());
    tell_vanished(fx, 1);
    fx->clients = 2;
    poll_server(fx);
    assert_int_equal(ledger_steps(fx->target, LEDGER_GAP), 1);
    assert_int_equal(explained(fx, COUNTER_CLIENTS, CAUSE_CLIENT_VANISHED), 1);
    assert_int_equal(account(fx, COUNTER_CLIENTS).pending, 1);
}

static void a_full_server_counts_twice(void **state) {
    struct fixture *fx = *state;
    poll_server(fx);
    tell(fx, LOG_EVENT_TOO_MANY_CONNECTIONS, 0, "unauthenticated", "Too many connections");
    fx->full = 3;
    fx->connects = 3;
    poll_server(fx);
    assert_int_equal(explained(fx, COUNTER_MAX_CONNECTIONS, CAUSE_TOO_MANY_CONNECTIONS), 3);
    assert_int_equal(explained(fx, COUNTER_CONNECTS, CAUSE_TOO_MANY_CONNECTIONS), 3);
}

static void add_own(struct fixture *fx, unsigned place, uint64_t id, enum own_abort abort) {
    fx->target->own.ring[place] =
        (struct own_connection){.id = id, .abort = abort, .began = mono_now(), .ended = mono_now()};
}

static void our_own_count_once(void **state) {
    struct fixture *fx = *state;
    add_own(fx, 0, 6, OWN_ABORTED_CLIENT); /* before the ledger: nobody's */
    poll_server(fx);
    add_own(fx, 1, 7, OWN_ABORTED_CLIENT);
    add_own(fx, 2, 8, OWN_ABORTED_CLIENT);
    add_own(fx, 3, 9, OWN_ABORTED_PREAUTH);
    add_own(fx, 4, 10, OWN_NO_ABORT);
    tell_vanished(fx, 7); /* 8 without a line */
    fx->clients = 4;      /* and two others */
    fx->connects = fx->preauth = 1;
    poll_server(fx);
    assert_int_equal(explained(fx, COUNTER_CLIENTS, CAUSE_SELF), 1);
    restart(fx);
    assert_int_equal(explained(fx, COUNTER_CLIENTS, CAUSE_SELF), 2);
    assert_int_equal(explained(fx, COUNTER_CONNECTS, CAUSE_SELF), 1);
    assert_int_equal(explained(fx, COUNTER_PREAUTH, CAUSE_SELF), 1);
    assert_int_equal(account(fx, COUNTER_CLIENTS).unexplained, 2);
}

/* However long ago, if it was after the last good poll. (The interval makes everything long ago.) */
static void our_own_in_a_gap_are_ours(void **state) {
    struct fixture *fx = *state;
    poll_server(fx);
    fx->target->config->poll.interval_ns = -20 * NS_PER_S;
    fx->target->poll.health = TARGET_DOWN;
    fx->observer.polled(fx->observer.arg, fx->target, mono_now());
    add_own(fx, 0, 7, OWN_ABORTED_CLIENT);
    fx->clients = 2;
    poll_server(fx);
    restart(fx);
    assert_int_equal(explained(fx, COUNTER_CLIENTS, CAUSE_SELF), 1);
    assert_int_equal(account(fx, COUNTER_CLIENTS).unexplained, 1);
}

static void a_new_life_of_the_server_forgets_ids_and_evidence(void **state) {
    struct fixture *fx = *state;
    poll_server(fx);
    add_own(fx, 0, 7, OWN_NO_ABORT);
    tell_vanished(fx, 5); /* its count is lost */
    tell(fx, LOG_EVENT_SERVER_START, 0, "", NULL);
    tell_vanished(fx, 7); /* somebody else now */
    fx->uptime = fx->flushed = 0;
    fx->clients = 1;
    poll_server(fx);
    assert_int_equal(explained(fx, COUNTER_CLIENTS, CAUSE_CLIENT_VANISHED), 1);
    assert_int_equal(explained(fx, COUNTER_CLIENTS, CAUSE_SELF), 0);
    assert_int_equal(ledger_unmatched(fx->target, COUNTER_CLIENTS, CAUSE_CLIENT_VANISHED), 1);
    assert_int_equal(account(fx, COUNTER_CLIENTS).pending, 0);
}

/* Whether a line of the start tells it or a poll sees it. */
static void who_was_cut_off_by_a_shutdown_is_of_the_life_before(void **state) {
    struct fixture *fx = *state;
    poll_server(fx);
    for (int told = 0; told < 2; told++) {
        tell(fx, LOG_EVENT_FORCED_CLOSE, 1, "app", NULL);
        tell(fx, LOG_EVENT_FORCED_CLOSE, 2, "app", NULL);
        if (told)
            tell(fx, LOG_EVENT_SERVER_START, 0, "", NULL);
        restart(fx);
        fx->clients = 1; /* nobody knows why */
        poll_server(fx);
        restart(fx);
    }
    assert_int_equal(explained(fx, COUNTER_CLIENTS, CAUSE_SERVER_RESTART), 0);
    assert_int_equal(account(fx, COUNTER_CLIENTS).unexplained, 2);
}

static void forged_lines_are_no_evidence(void **state) {
    struct fixture *fx = *state;
    poll_server(fx);
    struct log_event event = {.kind = LOG_EVENT_ACCESS_DENIED, .user = span_of("x"), .suspect = true};
    fx->observer.log_event(fx->observer.arg, fx->target, &event);
    fx->connects = 1;
    poll_server(fx);
    assert_int_equal(account(fx, COUNTER_CONNECTS).pending, 1);
}

static void many_polls_with_rises_lose_none(void **state) {
    struct fixture *fx = *state;
    poll_server(fx);
    for (int i = 0; i < 100; i++) {
        fx->clients += i % 3;
        tell_vanished(fx, 1000 + (uint64_t)i);
        poll_server(fx);
    }
    assert_int_equal(account(fx, COUNTER_CLIENTS).increase, 99);
    restart(fx);
    uint64_t sum = explained(fx, COUNTER_CLIENTS, CAUSE_CLIENT_VANISHED) + account(fx, COUNTER_CLIENTS).unexplained;
    assert_int_equal(sum, 99);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(begins_with_what_the_counters_have),
        TEST(lines_come_before_or_after_their_counter),
        TEST(evidence_without_a_rise_is_let_go),
        TEST(what_may_have_been_is_asked_last),
        TEST(what_may_have_been_long_ago_is_not_asked),
        TEST(a_kill_is_believed_where_a_line_would_tell_of_all_else),
        TEST(a_start_that_only_the_log_tells_is_a_step),
        TEST(flush_status_is_a_step),
        TEST(another_servers_counters_are_no_rise),
        TEST(mysql_keeps_aborted_connects_over_a_flush),
        TEST(a_gap_loses_nothing),
        TEST(a_full_server_counts_twice),
        TEST(our_own_count_once),
        TEST(our_own_in_a_gap_are_ours),
        TEST(a_new_life_of_the_server_forgets_ids_and_evidence),
        TEST(who_was_cut_off_by_a_shutdown_is_of_the_life_before),
        TEST(forged_lines_are_no_evidence),
        TEST(many_polls_with_rises_lose_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
