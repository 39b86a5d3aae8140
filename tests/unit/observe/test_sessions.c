/*
 * Sessions: found by id while they are there and for a while after, in sums, and within the bound.
 */
#include "base/clock.h"
#include "observe/sessions.h"
#include "observe/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define MINUTE (60 * NS_PER_S)

static const struct session_limits few = {.sessions = 4, .users = 2, .hosts = 2, .drivers = 2};
static const struct session_limits many = {.sessions = 1000, .users = 100, .hosts = 100, .drivers = 100};

static void begin(struct sessions *s, const struct session_limits *limits, int64_t wall_ns) {
    sessions_begin(s, limits, 100 * NS_PER_S, wall_ns);
}

static void add(struct sessions *s, uint64_t id, const char *user, const char *command, int64_t time_s, bool trx) {
    struct session_row row = {.id = id,
                              .user = span_of(user),
                              .host = span_of("10.0.0.7:51234"),
                              .db = span_of("shop"),
                              .command = span_of(command),
                              .time_ns = time_s * NS_PER_S};
    if (trx)
        sessions_transaction(s, id);
    sessions_add(s, &row);
}

static uint64_t count_of(const struct tally *tally, const char *text, size_t len) {
    size_t count;
    const struct tally_entry *entries = tally_entries(tally, &count);
    for (size_t i = 0; i < count; i++)
        if (span_equal(entries[i].text, (struct span){text, len}))
            return entries[i].count;
    return 0;
}

static void who_went_is_found_by_account_and_time(void **state) {
    const struct session *gone[4];
    struct span app = span_of("app"), host = span_of("10.0.0.7");
    struct sessions *s = sessions_new();
    (void)state;
    assert_int_equal(sessions_gone(NULL, app, host, 0, INT64_MAX, gone, 4), 0);
    for (int pass = 1; pass <= 3; pass++) { /* 1 to 3 are there; 1 goes after the first pass, 2 after the second … */
        begin(s, &many, pass * MINUTE);
        for (int id = pass; id <= 3; id++)
            add(s, (uint64_t)id, "app", "Sleep", 5, false);
        if (pass == 1)
            add(s, 9, "root", "Sleep", 5, false);
        sessions_end(s);
    }
    assert_int_equal(sessions_gone(s, app, host, 0, INT64_MAX, gone, 4), 2);
    assert_int_equal(gone[0]->id, 2);
    assert_int_equal(gone[1]->id, 1);
    assert_int_equal(sessions_gone(s, app, host, 2 * MINUTE, INT64_MAX, gone, 4), 1);
    assert_int_equal(sessions_gone(s, app, host, 0, MINUTE, gone, 4), 1);
    assert_int_equal(gone[0]->id, 1);
    assert_int_equal(sessions_gone(s, app, host, 0, INT64_MAX, gone, 1), 1);
    assert_int_equal(sessions_gone(s, app, span_of("10.0.0.8"), 0, INT64_MAX, gone, 4), 0);
    assert_int_equal(sessions_gone(s, span_of("root"), host, 0, INT64_MAX, gone, 4), 1);
    assert_int_equal(sessions_gone(s, (struct span){0}, host, 0, INT64_MAX, gone, 4), 3);
    sessions_restarted(s); /* what is told from now on is of others */
    assert_int_equal(sessions_gone(s, app, host, 0, INT64_MAX, gone, 4), 0);
    sessions_free(s);
}

/* Nobody saw the restart between two passes. */
static void an_id_that_comes_from_another_port_is_another_session(void **state) {
    (void)state;
    struct sessions *s = sessions_new();
    const char *const hosts[] = {"10.0.0.7:51234", "10.0.0.7:51234", "10.0.0.7:40001", ""};
    for (int pass = 0; pass < 4; pass++) {
        begin(s, &many, (pass + 1) * MINUTE);
        sessions_add(s,
                     &(struct session_row){
                         .id = 7, .user = span_of("app"), .host = span_of(hosts[pass]), .command = span_of("Sleep")});
        if (pass == 0) {
            sessions_attribute(s, 7, span_of("_client_name"), span_of("pymysql"));
            sessions_attributes_read(s);
        }
        sessions_end(s);
        const struct session *session = sessions_find(s, 7);
        assert_string_equal(session->driver, pass < 2 ? "pymysql" : "");
        assert_int_equal(session->first_seen_wall_ns, (pass < 2 ? 1 : 3) * MINUTE); /* not told is not another */
        assert_int_equal(sessions_unasked(s, NULL, 0), pass < 2 ? 0 : 1);
    }
    assert_int_equal(sessions_remembered(s), 1);
    sessions_free(s);
}

static void seen_gone_and_forgotten(void **state) {
    (void)state;
    struct sessions *s = sessions_new();
    struct target target = {.sessions = s};
    begin(s, &many, MINUTE);
    add(s, 7, "app", "Sleep", 5, false);
    sessions_end(s);
    const struct session *session = session_find(&target, 7);
    assert_non_null(session);
    assert_string_equal(session->user, "app");
    assert_string_equal(session->host, "10.0.0.7");
    assert_int_equal(session->port, 51234);
    assert_string_equal(session->db, "shop");
    assert_string_equal(session->command, "Sleep");
    assert_int_equal(session->idle_ns, 5 * NS_PER_S);
    assert_false(session->gone);

    begin(s, &many, 2 * MINUTE); /* did not come to its end: nothing is gone */
    begin(s, &many, 2 * MINUTE);
    add(s, 8, "app", "Query", 5, false);
    assert_false(sessions_find(s, 7)->gone);
    sessions_end(s);
    assert_true(sessions_find(s, 7)->gone);
    assert_int_equal(sessions_find(s, 7)->last_seen_wall_ns, MINUTE);
    assert_int_equal(sessions_find(s, 8)->idle_ns, 0);

    begin(s, &many, 11 * MINUTE);
    sessions_end(s);
    assert_non_null(sessions_find(s, 7));
    begin(s, &many, 11 * MINUTE + NS_PER_S);
    sessions_end(s);
    assert_null(sessions_find(s, 7));
    assert_non_null(sessions_find(s, 8));
    assert_int_equal(sessions_remembered(s), 1);
    assert_null(session_find(&(struct target){0}, 7));
    sessions_free(s);
}

static void within_the_bound_those_that_went_first(void **state) {
    (void)state;
    struct sessions *s = sessions_new();
    begin(s, &few, MINUTE);
    for (uint64_t id = 1; id <= 3; id++)
        add(s, id, "app", "Sleep", 1, false);
    sessions_end(s);
    begin(s, &few, 2 * MINUTE);
    for (uint64_t id = 3; id <= 8; id++)
        add(s, id, "app", "Sleep", 1, false);
    sessions_end(s);
    assert_int_equal(sessions_remembered(s), 4); /* 1 and 2 had not been missed yet when 5 came */
    assert_true(sessions_find(s, 1)->gone && !sessions_find(s, 4)->gone && !sessions_find(s, 5));
    assert_int_equal(sessions_sums(s)->not_remembered, 4);
    assert_int_equal(sessions_sums(s)->sessions, 6);
    begin(s, &few, 3 * MINUTE);
    for (uint64_t id = 3; id <= 8; id++)
        add(s, id, "app", "Sleep", 1, false);
    sessions_end(s);
    assert_int_equal(sessions_remembered(s), 4);
    assert_true(!sessions_find(s, 1) && !sessions_find(s, 2) && !sessions_find(s, 6)->gone && !sessions_find(s, 7));
    assert_int_equal(sessions_sums(s)->not_remembered, 2);
    sessions_free(s);
}

static void sums(void **state) {
    (void)state;
    struct sessions *s = sessions_new();
    begin(s, &few, MINUTE);
    add(s, 1, "a", "Sleep", 1, false);
    add(s, 2, "b", "Sleep", 89, true);
    add(s, 2, "b", "Sleep", 89, true); /* two transactions of one session */
    add(s, 3, "c", "Sleep", 90, true);
    add(s, 4, "c", "Sleep", 100, false);
    add(s, 5, "c", "Sleep", 101, false);
    add(s, 6, "c", "Query", 101, true);
    add(s, 7, "c", "Sleep", -3, false); /* the server's clock was set */
    sessions_end(s);
    const struct session_sums *sums = sessions_sums(s);
    assert_int_equal(sums->sessions, 7);
    assert_int_equal(sums->sleeping, 6);
    assert_int_equal(sums->idle_in_transaction, 2);
    assert_int_equal(sums->longest_idle_in_transaction_ns, 90 * NS_PER_S);
    assert_int_equal(sums->near_timeout, 2);
    assert_int_equal(sums->past_timeout, 1);
    assert_int_equal(sums->slept[0], 2);
    assert_int_equal(sums->slept[3], 4);
    assert_int_equal(sums->slept_ns, (1 + 89 + 90 + 100 + 101) * NS_PER_S);
    assert_int_equal(count_of(sessions_tally(s, SESSIONS_BY_COMMAND), "Sleep", 5), 6);
    assert_int_equal(count_of(sessions_tally(s, SESSIONS_BY_USER), "a", 1), 1);
    assert_int_equal(tally_other(sessions_tally(s, SESSIONS_BY_USER)).count, 5);
    sessions_free(s);
}

static void under_mysqld_exporters_labels(void **state) {
    (void)state;
    struct sessions *s = sessions_new();
    begin(s, &many, MINUTE);
    struct session_row own = {.id = 1, .user = span_of("monitor"), .command = span_of("Query"), .own = true};
    sessions_add(s, &own);
    add(s, 2, "a", "Sleep", 7, false);
    add(s, 3, "a", "Sleep", 8, false);
    sessions_end(s);
    size_t count;
    const struct tally_entry *entries = tally_entries(sessions_tally(s, SESSIONS_BY_STATE), &count);
    assert_int_equal(count, 1);
    assert_true(span_equal(entries[0].text, (struct span){"sleep\0unknown", 13}));
    assert_int_equal(entries[0].count, 2);
    assert_int_equal(entries[0].sum, 15);
    assert_int_equal(count_of(sessions_tally(s, SESSIONS_BY_OLD_STATE), "idle", 4), 2);
    assert_int_equal(count_of(sessions_tally(s, SESSIONS_BY_HOST), "10.0.0.7", 8), 2);
    assert_int_equal(count_of(sessions_tally(s, SESSIONS_BY_USER), "monitor", 7), 1);
    assert_string_equal(sessions_own_user(s), "monitor");
    assert_int_equal(sessions_read_wall_ns(s), MINUTE);
    sessions_free(s);
}

static void many_transactions(void **state) {
    (void)state;
    struct sessions *s = sessions_new();
    begin(s, &many, MINUTE);
    for (uint64_t id = 5000; id > 0; id--)
        sessions_transaction(s, id); /* more than are remembered: those that came first have a place */
    add(s, 5000, "a", "Sleep", 1, false);
    add(s, 5001, "a", "Sleep", 1, false);
    sessions_end(s);
    assert_int_equal(sessions_sums(s)->idle_in_transaction, 1);
    begin(s, &many, MINUTE);
    add(s, 5000, "a", "Sleep", 1, false);
    sessions_end(s);
    assert_int_equal(sessions_sums(s)->idle_in_transaction, 0);
    sessions_free(s);
}

static void who_is_logging_in_is_asked_again(void **state) {
    (void)state;
    struct sessions *s = sessions_new();
    uint64_t ids[1];
    begin(s, &many, MINUTE);
    add(s, 1, "unauthenticated user", "Connect", 0, false);
    assert_int_equal(sessions_unasked(s, ids, 1), 1);
    sessions_attributes_read(s);
    sessions_end(s);
    begin(s, &many, 2 * MINUTE);
    add(s, 1, "app", "Sleep", 0, false);
    assert_int_equal(sessions_unasked(s, ids, 1), 1);
    sessions_attribute(s, 1, span_of("_client_name"), span_of("libmariadb"));
    sessions_attributes_read(s);
    sessions_end(s);
    assert_string_equal(sessions_find(s, 1)->driver, "libmariadb");
    begin(s, &many, 3 * MINUTE);
    add(s, 1, "app", "Sleep", 0, false);
    assert_int_equal(sessions_unasked(s, ids, 1), 0);
    sessions_free(s);
}

static void what_clients_announced(void **state) {
    (void)state;
    struct sessions *s = sessions_new();
    uint64_t ids[1];
    begin(s, &many, MINUTE);
    add(s, 1, "app", "Sleep", 1, false);
    add(s, 2, "app", "Sleep", 1, false);
    assert_int_equal(sessions_unasked(s, ids, 1), 2);
    assert_int_equal(ids[0], 2);
    sessions_attribute(s, 1, span_of("_client_name"), span_of("libmariadb"));
    sessions_attribute(s, 1, span_of("_client_version"), span_of("3.3.20"));
    sessions_attribute(s, 1, span_of("program_name"), span_of("billing"));
    sessions_attribute(s, 1, span_of("_pid"), span_of("4711"));
    sessions_attribute(s, 99, span_of("_client_name"), span_of("nobody's"));
    sessions_attributes_read(s);
    sessions_end(s);
    assert_string_equal(sessions_find(s, 1)->driver, "libmariadb");
    assert_string_equal(sessions_find(s, 1)->version, "3.3.20");
    assert_string_equal(sessions_find(s, 1)->program, "billing");
    assert_true(sessions_find(s, 2)->attributes_read);
    assert_int_equal(count_of(sessions_tally(s, SESSIONS_BY_DRIVER), "libmariadb\0003.3.20", 17), 1);
    assert_int_equal(count_of(sessions_tally(s, SESSIONS_BY_DRIVER), "unknown\0", 8), 1);

    begin(s, &many, 2 * MINUTE); /* from now on known */
    add(s, 1, "app", "Sleep", 61, false);
    assert_int_equal(sessions_unasked(s, ids, 1), 0);
    sessions_end(s);
    assert_string_equal(sessions_find(s, 1)->program, "billing");
    assert_int_equal(count_of(sessions_tally(s, SESSIONS_BY_DRIVER), "libmariadb\0003.3.20", 17), 1);
    sessions_free(s);
}

static void after_a_restart_ids_are_others(void **state) {
    (void)state;
    struct sessions *s = sessions_new();
    begin(s, &many, MINUTE);
    add(s, 7, "old", "Sleep", 1, false);
    add(s, 8, "old", "Sleep", 1, false);
    sessions_end(s);
    sessions_restarted(s);
    assert_true(sessions_find(s, 7)->gone && sessions_find(s, 7)->before_restart);
    begin(s, &many, 2 * MINUTE);
    add(s, 7, "new", "Sleep", 1, false);
    sessions_end(s);
    assert_string_equal(sessions_find(s, 7)->user, "new");
    assert_false(sessions_find(s, 7)->before_restart);
    assert_int_equal(sessions_find(s, 7)->first_seen_wall_ns, 2 * MINUTE);
    assert_true(sessions_find(s, 8)->before_restart);
    sessions_free(s);
}

static void hostile_texts(void **state) {
    (void)state;
    struct sessions *s = sessions_new();
    char longest[2000];
    memset(longest, 'x', sizeof longest);
    struct session_row row = {.id = UINT64_MAX,
                              .user = {longest, sizeof longest},
                              .host = {longest, sizeof longest},
                              .db = {"a\0b", 3},
                              .command = {longest, sizeof longest}};
    begin(s, &many, MINUTE);
    sessions_add(s, &row);
    row = (struct session_row){.id = 0, .host = span_of("::1:99999")};
    sessions_add(s, &row);
    sessions_end(s);
    const struct session *session = sessions_find(s, UINT64_MAX);
    assert_int_equal(strlen(session->user), 80);
    assert_int_equal(strlen(session->host), 255);
    assert_string_equal(session->db, "a");
    assert_int_equal(strlen(session->command), SESSION_COMMAND_MAX - 1);
    assert_string_equal(sessions_find(s, 0)->host, "::1:99999");
    assert_string_equal(sessions_find(s, 0)->user, "");
    sessions_free(s);
}

/* How long it takes is printed; that none is lost when the table grows is what is tested. */
static void a_hundred_thousand(void **state) {
    (void)state;
    const struct session_limits limits = {200000, 100, 100, 50};
    struct sessions *s = sessions_new();
    for (int pass = 0; pass < 2; pass++) {
        struct mono start = mono_now();
        begin(s, &limits, MINUTE + pass);
        for (uint64_t id = 1; id <= 100000; id++) {
            char user[20];
            snprintf(user, sizeof user, "user%u", (unsigned)(id % 120));
            add(s, id, user, "Sleep", (int64_t)(id % 1000), false);
        }
        struct mono rows = mono_now();
        sessions_end(s);
        print_message("100,000 rows: %.1f ms, the end of the pass %.3f ms\n",
                      (double)mono_between(start, rows) / (double)NS_PER_MS,
                      (double)mono_between(rows, mono_now()) / (double)NS_PER_MS);
    }
    assert_int_equal(sessions_sums(s)->sessions, 100000);
    for (uint64_t id = 1; id <= 100000; id++)
        assert_non_null(sessions_find(s, id));
    sessions_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_that_comes_from_another_port_is_another_session),
        cmocka_unit_test(seen_gone_and_forgotten),
        cmocka_unit_test(who_went_is_found_by_account_and_time),
        cmocka_unit_test(within_the_bound_those_that_went_first),
        cmocka_unit_test(sums),
        cmocka_unit_test(under_mysqld_exporters_labels),
        cmocka_unit_test(many_transactions),
        cmocka_unit_test(who_is_logging_in_is_asked_again),
        cmocka_unit_test(what_clients_announced),
        cmocka_unit_test(after_a_restart_ids_are_others),
        cmocka_unit_test(hostile_texts),
        cmocka_unit_test(a_hundred_thousand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
