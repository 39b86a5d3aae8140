/*
 * Causes: a row for each line that a server writes, as `../shared/facts/` has them for both, and what else is known
 * narrows them, never beyond what it proves.
 */
#include "explain/cause.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define CLI (1U << COUNTER_CLIENTS)
#define CON (1U << COUNTER_CONNECTS)
#define PRE (1U << COUNTER_PREAUTH)

enum { NOBODY, USER };

struct row {
    enum server_flavour flavour;
    enum log_event_kind kind;
    const char *reason;
    int who;
    enum cause cause;
    enum confidence confidence;
    unsigned raises, may_raise;
};

#define MA SERVER_MARIADB
#define MY SERVER_MYSQL
#define SURE CONFIDENCE_CERTAIN
#define LIKELY CONFIDENCE_LIKELY
#define OPEN CONFIDENCE_UNKNOWN
#define READING "Got an error reading communication packets"
#define TIMEOUT "Got timeout reading communication packets"
#define WRITING "Got an error writing communication packets"
#define PREAUTH "This connection closed normally without authentication"
#define BIG "Got a packet bigger than 'max_allowed_packet' bytes"
#define ABORT LOG_EVENT_ABORTED

/* clang-format off */
static const struct row rows[] = {
    {MA, ABORT, READING, USER, CAUSE_CLIENT_VANISHED, SURE, CLI, 0},
    {MY, ABORT, READING, USER, CAUSE_CLIENT_VANISHED, SURE, CLI, 0},
    {MA, ABORT, WRITING, USER, CAUSE_LEFT_MID_RESULT, LIKELY, CLI, 0},
    {MY, ABORT, WRITING, USER, CAUSE_LEFT_MID_RESULT, LIKELY, CLI, 0},
    {MA, ABORT, TIMEOUT, USER, CAUSE_IDLE_TIMEOUT, LIKELY, CLI, 0},
    {MY, ABORT, TIMEOUT, USER, CAUSE_READ_TIMEOUT, SURE, CLI, 0},
    {MY, ABORT, "The client was disconnected by the server because of inactivity.", USER, CAUSE_IDLE_TIMEOUT, SURE, CLI, 0},
    {MY, ABORT, "Got timeout writing communication packets", USER, CAUSE_WRITE_TIMEOUT, SURE, CLI, 0},
    {MA, ABORT, BIG, USER, CAUSE_PACKET_TOO_LARGE, SURE, CLI, 0},
    {MY, ABORT, BIG, USER, CAUSE_PACKET_TOO_LARGE, SURE, CLI, 0},
    {MA, ABORT, "Couldn't uncompress communication packet", USER, CAUSE_PROTOCOL_ERROR, SURE, CLI, 0},
    {MA, LOG_EVENT_OTHER, "Got packets out of order", NOBODY, CAUSE_PROTOCOL_ERROR, SURE, 0, 0},
    {MA, ABORT, "KILLED", USER, CAUSE_KILLED, LIKELY, 0, CLI},
    {MA, ABORT, "RELEASE", USER, CAUSE_RELEASED, SURE, CLI, 0},
    {MA, ABORT, "CLOSE_CONNECTION", USER, CAUSE_NO_ABORT, SURE, 0, 0},
    {MA, ABORT, "This connection closed normally", USER, CAUSE_NO_ABORT, SURE, 0, 0},
    {MA, ABORT, "Unknown error", USER, CAUSE_UNKNOWN, OPEN, CLI, 0},
    {MA, ABORT, "something new", USER, CAUSE_UNKNOWN, OPEN, CLI, 0},
    {MY, ABORT, "failed on flush_net()", USER, CAUSE_REPLICATION_CLIENT, SURE, CLI, 0},
    {MA, LOG_EVENT_INIT_CONNECT, "init_connect command failed", USER, CAUSE_INIT_CONNECT, SURE, CLI, 0},
    {MY, LOG_EVENT_INIT_CONNECT, "init_connect command failed", USER, CAUSE_INIT_CONNECT, SURE, CLI, 0},
    {MY, LOG_EVENT_FORCED_CLOSE, NULL, USER, CAUSE_SERVER_RESTART, SURE, 0, CLI},
    /* before login */
    {MA, ABORT, PREAUTH, NOBODY, CAUSE_BEFORE_LOGIN, OPEN, CON | PRE, 0},
    {MY, ABORT, READING, NOBODY, CAUSE_HEALTH_CHECK, LIKELY, CON, 0},
    {MY, ABORT, TIMEOUT, NOBODY, CAUSE_HANDSHAKE_TIMEOUT, SURE, CON, 0},
    {MY, ABORT, "Got packets out of order", NOBODY, CAUSE_PROTOCOL_ERROR, SURE, CON, 0},
    {MY, ABORT, "Bad handshake", NOBODY, CAUSE_TLS_FAILURE, LIKELY, CON, 0},
    {MY, ABORT, "something new", NOBODY, CAUSE_BEFORE_LOGIN, OPEN, CON, 0},
    /* refused */
    {MA, LOG_EVENT_ACCESS_DENIED, NULL, USER, CAUSE_ACCESS_DENIED, SURE, CON, 0},
    {MY, LOG_EVENT_ACCESS_DENIED, NULL, USER, CAUSE_ACCESS_DENIED, SURE, CON, 0},
    {MA, LOG_EVENT_TOO_MANY_CONNECTIONS, "Too many connections", NOBODY, CAUSE_TOO_MANY_CONNECTIONS, SURE, 0, 0},
    {MA, LOG_EVENT_HOST_BLOCKED, NULL, NOBODY, CAUSE_HOST_BLOCKED, SURE, CON | PRE, 0},
    /* nothing that a counter counts */
    {MY, LOG_EVENT_DNS, NULL, NOBODY, CAUSE_DNS, SURE, 0, 0},
    {MA, LOG_EVENT_ACCEPT_ERROR, NULL, NOBODY, CAUSE_SERVER_RESOURCES, SURE, 0, 0},
    {MA, LOG_EVENT_SERVER_STOP, NULL, NOBODY, CAUSE_UNKNOWN, OPEN, 0, 0},
};
/* clang-format on */

static struct abort_facts facts_of(const struct row *row) {
    return (struct abort_facts){.kind = row->kind,
                                .reason = row->reason ? span_of(row->reason) : (struct span){0},
                                .flavour = row->flavour,
                                .version = row->flavour == SERVER_MYSQL ? 90704 : 101119,
                                .user_known = row->who == USER,
                                .host_known = true,
                                .writing_ns = -1,
                                .write_limit_s = 60,
                                .kills = -1,
                                .login_at_most_ns = -1,
                                .idle_ns = -1,
                                .idle_limit_s = 28800};
}

static void each_line_has_its_cause(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct abort_facts facts = facts_of(&rows[i]);
        struct abort_cause c = cause_of(&facts);
        if (c.cause != rows[i].cause || c.confidence != rows[i].confidence || c.raises != rows[i].raises ||
            c.may_raise != rows[i].may_raise)
            fail_msg("row %zu (%s): %s, %s, raises %x or %x", i, rows[i].reason ? rows[i].reason : "",
                     cause_name(c.cause), confidence_name(c.confidence), c.raises, c.may_raise);
        assert_true(c.possible & UINT32_C(1) << c.cause);
        if (c.confidence == SURE)
            assert_int_equal(c.possible, UINT32_C(1) << c.cause);
    }
}

static bool possible(const struct abort_cause *c, enum cause cause) {
    return c->possible & UINT32_C(1) << cause;
}

static struct abort_cause cause_of_row(struct abort_facts *facts, enum server_flavour flavour, const char *reason,
                                       int who) {
    *facts = facts_of(&(struct row){.flavour = flavour, .kind = ABORT, .reason = reason, .who = who});
    return cause_of(facts);
}

static void mariadbs_one_line_is_not_guessed(void **state) {
    struct abort_facts facts;
    (void)state;
    struct abort_cause c = cause_of_row(&facts, MA, PREAUTH, NOBODY);
    assert_true(possible(&c, CAUSE_HEALTH_CHECK) && possible(&c, CAUSE_HANDSHAKE_TIMEOUT));
    assert_true(possible(&c, CAUSE_TLS_FAILURE) && possible(&c, CAUSE_PROTOCOL_ERROR));
    assert_true(possible(&c, CAUSE_HOST_BLOCKED) && possible(&c, CAUSE_HOST_NOT_ALLOWED));
    assert_false(possible(&c, CAUSE_ACCESS_DENIED) || possible(&c, CAUSE_CLIENT_VANISHED));
    facts.host_known = false; /* 'connecting host': gone before it could be asked */
    c = cause_of(&facts);
    assert_int_equal(c.cause, CAUSE_HEALTH_CHECK);
    assert_int_equal(c.confidence, LIKELY);
    assert_int_equal(c.raises, CON | PRE);
}

static void how_long_a_login_took_narrows_mariadbs_one_line(void **state) {
    struct abort_facts facts;
    (void)state;
    cause_of_row(&facts, MA, PREAUTH, NOBODY);
    facts.login_limit_s = 10;
    facts.login_at_least_ns = 8 * NS_PER_S;
    facts.login_at_most_ns = 12 * NS_PER_S;
    struct abort_cause c = cause_of(&facts);
    assert_true(c.cause == CAUSE_HANDSHAKE_TIMEOUT && c.confidence == LIKELY && possible(&c, CAUSE_HEALTH_CHECK));
    assert_int_equal(c.raises, CON | PRE);
    facts.login_at_least_ns = 7 * NS_PER_S;
    c = cause_of(&facts);
    assert_true(c.cause == CAUSE_BEFORE_LOGIN && possible(&c, CAUSE_HANDSHAKE_TIMEOUT));
    facts.login_at_most_ns = 9 * NS_PER_S;
    c = cause_of(&facts);
    assert_true(c.cause == CAUSE_BEFORE_LOGIN && c.confidence == OPEN && !possible(&c, CAUSE_HANDSHAKE_TIMEOUT));
    facts.login_limit_s = (double)NAN;
    c = cause_of(&facts);
    assert_true(possible(&c, CAUSE_HANDSHAKE_TIMEOUT));
}

static void a_session_narrows_a_timeout(void **state) {
    struct abort_facts facts;
    (void)state;
    struct abort_cause c = cause_of_row(&facts, MA, TIMEOUT, USER);
    assert_true(possible(&c, CAUSE_READ_TIMEOUT));
    facts.idle_ns = 60 * NS_PER_S;
    assert_int_equal(cause_of(&facts).cause, CAUSE_READ_TIMEOUT);
    facts.idle_ns = 28799 * NS_PER_S;
    assert_int_equal(cause_of(&facts).cause, CAUSE_IDLE_TIMEOUT);
    facts.idle_limit_s = (double)NAN;
    facts.idle_ns = 1;
    assert_int_equal(cause_of(&facts).cause, CAUSE_IDLE_TIMEOUT);
    /* Before 8.0.24 MySQL said the same of both. */
    cause_of_row(&facts, MY, TIMEOUT, USER);
    facts.version = 50744;
    assert_int_equal(cause_of(&facts).cause, CAUSE_IDLE_TIMEOUT);
    assert_int_equal(cause_of(&facts).confidence, LIKELY);
}

static void assert_is(const struct abort_facts *facts, enum cause cause, enum confidence confidence) {
    struct abort_cause c = cause_of(facts);
    if (c.cause != cause || c.confidence != confidence)
        fail_msg("%s, %s, not %s", cause_name(c.cause), confidence_name(c.confidence), cause_name(cause));
}

static void who_did_not_read_is_told_from_who_left(void **state) {
    struct abort_facts facts;
    (void)state;
    struct abort_cause c = cause_of_row(&facts, MA, WRITING, USER);
    assert_true(possible(&c, CAUSE_WRITE_TIMEOUT));
    facts.writing_ns = 59 * NS_PER_S;
    c = cause_of(&facts);
    assert_false(possible(&c, CAUSE_WRITE_TIMEOUT));
    assert_is(&facts, CAUSE_LEFT_MID_RESULT, LIKELY);
    facts.writing_ns = 60 * NS_PER_S; /* it may have been, but was not seen so */
    assert_is(&facts, CAUSE_UNKNOWN, OPEN);
    facts.seen_writing = true;
    assert_is(&facts, CAUSE_WRITE_TIMEOUT, LIKELY);
    facts.write_limit_s = (double)NAN;
    assert_is(&facts, CAUSE_LEFT_MID_RESULT, LIKELY);
}

static struct abort_facts facts_of_sum(unsigned number, unsigned with_number) {
    struct abort_facts facts = facts_of(&(struct row){.flavour = MY, .kind = LOG_EVENT_NONE, .who = USER});
    facts.error_number = number;
    facts.with_number = with_number;
    return facts;
}

static void a_kill_is_told_from_a_client_that_is_gone(void **state) {
    static const struct {
        unsigned number, with_number;
        enum cause cause;
        enum confidence without_kills;
    } sums[] = {{1158, 1160, CAUSE_CLIENT_VANISHED, SURE}, {1160, 0, CAUSE_LEFT_MID_RESULT, LIKELY}};
    (void)state;
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
        struct abort_facts facts = facts_of_sum(sums[i].number, sums[i].with_number);
        assert_is(&facts, sums[i].cause, LIKELY);
        facts.kills = 0;
        assert_is(&facts, sums[i].cause, sums[i].without_kills);
        facts.kills = 1;
        assert_is(&facts, CAUSE_KILLED, LIKELY);
        facts.untold = true;
        assert_is(&facts, CAUSE_KILLED, SURE);
    }
    struct abort_facts line;
    cause_of_row(&line, MY, READING, USER);
    line.kills = 1;
    assert_is(&line, CAUSE_CLIENT_VANISHED, SURE);
}

/* COMMIT RELEASE raises the counter and nothing else. */
static void a_write_error_that_the_counter_confirms_may_be_a_release(void **state) {
    struct abort_facts facts = facts_of_sum(1160, 0);
    (void)state;
    facts.kills = 0;
    struct abort_cause c = cause_of(&facts);
    assert_false(possible(&c, CAUSE_RELEASED));
    facts.doubtful = true;
    c = cause_of(&facts);
    assert_int_equal(c.confidence, LIKELY);
    assert_true(possible(&c, CAUSE_RELEASED) && possible(&c, CAUSE_LEFT_MID_RESULT));
    facts = facts_of_sum(1159, 0); /* twice of one abort, but of nothing else */
    facts.doubtful = true;
    assert_is(&facts, CAUSE_READ_TIMEOUT, SURE);
}

static void a_second_timeout_of_one_abort_is_none(void **state) {
    struct abort_facts facts = facts_of_sum(1159, 0);
    (void)state;
    assert_is(&facts, CAUSE_READ_TIMEOUT, SURE);
    facts.untold = true;
    assert_is(&facts, CAUSE_NO_ABORT, SURE);
}

static void what_else_is_known_counts(void **state) {
    struct abort_facts facts;
    (void)state;
    cause_of_row(&facts, MA, WRITING, USER);
    facts.replication = true;
    assert_int_equal(cause_of(&facts).cause, CAUSE_REPLICATION_CLIENT);
    assert_int_equal(cause_of(&facts).confidence, SURE);
    cause_of_row(&facts, MA, "KILLED", USER);
    facts.shutting_down = true;
    assert_is(&facts, CAUSE_SERVER_RESTART, SURE);
}

static void our_own_are_ours_unless_another_ended_them(void **state) {
    struct abort_facts facts;
    (void)state;
    cause_of_row(&facts, MA, READING, USER);
    facts.own = true;
    struct abort_cause c = cause_of(&facts);
    assert_int_equal(c.cause, CAUSE_SELF);
    assert_int_equal(c.raises, CLI);
    cause_of_row(&facts, MA, "KILLED", USER);
    facts.own = true;
    assert_int_equal(cause_of(&facts).cause, CAUSE_KILLED);
}

/* COM_CHANGE_USER: MySQL ends the connection and counts an aborted client, MariaDB goes on. (Measured.) */
static void who_had_logged_in_is_no_aborted_connect(void **state) {
    struct abort_facts facts = facts_of(&(struct row){.flavour = MY, .kind = LOG_EVENT_ACCESS_DENIED, .who = USER});
    (void)state;
    facts.logged_in = true;
    struct abort_cause c = cause_of(&facts);
    assert_int_equal(c.cause, CAUSE_ACCESS_DENIED);
    assert_int_equal(c.raises, CLI);
    assert_true(c.number == 1045 && c.with_number == 1873);
    facts.flavour = MA;
    assert_int_equal(cause_of(&facts).raises, 0);
    facts = facts_of_sum(1045, 1873);
    assert_is(&facts, CAUSE_ACCESS_DENIED, SURE);
    assert_int_equal(cause_of(&facts).raises, CLI);
}

static void mysqls_unknown_database_is_known_by_its_name(void **state) {
    struct abort_facts facts =
        facts_of(&(struct row){.flavour = MY, .kind = LOG_EVENT_OTHER, .reason = NULL, .who = NOBODY});
    (void)state;
    assert_int_equal(cause_of(&facts).cause, CAUSE_UNKNOWN);
    facts.db_named = true;
    assert_int_equal(cause_of(&facts).cause, CAUSE_UNKNOWN_DATABASE);
    assert_int_equal(cause_of(&facts).raises, CON);
}

static void error_numbers_stand_for_lines(void **state) {
    static const struct {
        unsigned number;
        enum cause cause;
    } known[] = {{1158, CAUSE_CLIENT_VANISHED}, {1160, CAUSE_LEFT_MID_RESULT},  {1040, CAUSE_TOO_MANY_CONNECTIONS},
                 {1161, CAUSE_WRITE_TIMEOUT},   {1153, CAUSE_PACKET_TOO_LARGE}, {4031, CAUSE_IDLE_TIMEOUT},
                 {1045, CAUSE_ACCESS_DENIED},   {1049, CAUSE_UNKNOWN_DATABASE}, {1130, CAUSE_HOST_NOT_ALLOWED},
                 {1226, CAUSE_USER_LIMIT},      {1203, CAUSE_USER_LIMIT},       {1129, CAUSE_HOST_BLOCKED},
                 {1156, CAUSE_PROTOCOL_ERROR},  {3159, CAUSE_TLS_REQUIRED},     {0, CAUSE_UNKNOWN},
                 {1064, CAUSE_UNKNOWN}};
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct abort_facts facts = {.error_number = known[i].number,
                                    .flavour = SERVER_MYSQL,
                                    .version = 90704,
                                    .user_known = true,
                                    .host_known = true,
                                    .writing_ns = -1,
                                    .kills = -1,
                                    .idle_ns = -1,
                                    .idle_limit_s = 28800};
        if (cause_of(&facts).cause != known[i].cause)
            fail_msg("%u is %s", known[i].number, cause_name(cause_of(&facts).cause));
    }
}

static void the_table_is_whole(void **state) {
    struct strbuf out;
    (void)state;
    strbuf_init(&out, 1 << 16);
    cause_reference(&out);
    assert_false(strbuf_failed(&out));
    for (unsigned cause = 0; cause < CAUSE_COUNT; cause++) {
        char cell[96];
        snprintf(cell, sizeof cell, "\n| <a id=\"cause-%s\"></a>`%s` | ", cause_name(cause), cause_name(cause));
        assert_non_null(strstr(strbuf_text(&out), cell));
        assert_true(strlen(cause_advice(cause)) > 5);
    }
    strbuf_release(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_line_has_its_cause),
        cmocka_unit_test(mariadbs_one_line_is_not_guessed),
        cmocka_unit_test(how_long_a_login_took_narrows_mariadbs_one_line),
        cmocka_unit_test(a_session_narrows_a_timeout),
        cmocka_unit_test(who_did_not_read_is_told_from_who_left),
        cmocka_unit_test(a_kill_is_told_from_a_client_that_is_gone),
        cmocka_unit_test(a_write_error_that_the_counter_confirms_may_be_a_release),
        cmocka_unit_test(a_second_timeout_of_one_abort_is_none),
        cmocka_unit_test(what_else_is_known_counts),
        cmocka_unit_test(our_own_are_ours_unless_another_ended_them),
        cmocka_unit_test(who_had_logged_in_is_no_aborted_connect),
        cmocka_unit_test(mysqls_unknown_database_is_known_by_its_name),
        cmocka_unit_test(error_numbers_stand_for_lines),
        cmocka_unit_test(the_table_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
