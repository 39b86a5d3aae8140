/*
 * Sums of errors less lines: what each way to end a connection raises (measured on MySQL 9.7) is told once, whatever
 * comes first, by account; and what no line told of is what is left.
 */
#include "explain/untold.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct untold *untold;
    struct mono now;
    char told[16384]; /* "user@host:number+second*n " of each */
    bool untold_mark;
    uint64_t confirmed; /* so many of what is doubtful are aborts */
};

static int setup(void **state) {
    static struct fixture fx;
    fx = (struct fixture){.untold = untold_new()};
    assert_non_null(fx.untold);
    *state = &fx;
    return 0;
}

static int teardown(void **state) {
    struct fixture *fx = *state;
    untold_free(fx->untold);
    return 0;
}

static uint64_t on_aborts(void *arg, const struct untold_aborts *a) {
    struct fixture *fx = arg;
    size_t len = strlen(fx->told);
    uint64_t n = a->n;
    if (a->doubtful) {
        n = a->rivals > 0 && n + a->rivals > fx->confirmed ? 0 : n < fx->confirmed ? n : fx->confirmed;
        fx->confirmed -= n;
    }
    if (n > 0)
        snprintf(fx->told + len, sizeof fx->told - len, "%s%s@%s:%u+%u*%llu%s ", a->account_known ? "" : "?", a->user,
                 a->host, a->number, a->with_number, (unsigned long long)n, a->doubtful ? "~" : "");
    fx->untold_mark = a->untold;
    return n;
}

static void sum(struct fixture *fx, const char *user, const char *host, unsigned code, uint64_t n) {
    struct server_error error = {
        .code = code, .account_known = user != NULL, .user = user ? user : "", .host = host ? host : "", .increase = n};
    untold_sum(fx->untold, fx->now, &error);
}

static void line(struct fixture *fx, const char *user, const char *host, unsigned number, unsigned with_number) {
    untold_lines(fx->untold, user ? span_of(user) : (struct span){0}, host ? span_of(host) : (struct span){0}, number,
                 with_number, 1);
}

/* What is told at once, where the log tells nothing. */
static const char *silent(struct fixture *fx) {
    fx->told[0] = '\0';
    untold_settle(fx->untold, fx->now, UNTOLD_SILENT, on_aborts, fx);
    return fx->told;
}

/* What is told in the end, where the log tells. */
static const char *after_lines(struct fixture *fx) {
    fx->told[0] = '\0';
    untold_settle(fx->untold, fx->now, UNTOLD_MYSQL, on_aborts, fx);
    assert_string_equal(fx->told, "");
    fx->now = mono_add(fx->now, 2499 * NS_PER_MS);
    untold_settle(fx->untold, fx->now, UNTOLD_MYSQL, on_aborts, fx);
    assert_string_equal(fx->told, "");
    fx->now = mono_add(fx->now, NS_PER_MS);
    untold_settle(fx->untold, fx->now, UNTOLD_MYSQL, on_aborts, fx);
    return fx->told;
}

/* Which may bring a second number. */
static void without_lines_all_is_told_with_the_next_look(void **state) {
    struct fixture *fx = *state;
    assert_string_equal(silent(fx), "");
    sum(fx, "app", "h1", 1158, 1);
    sum(fx, "app", "h1", 1226, 1); /* with which nothing comes: at once */
    assert_string_equal(silent(fx), "app@h1:1226+0*1 ");
    assert_string_equal(silent(fx), "app@h1:1158+0*1 ");
    sum(fx, "app", "h1", 1158, 3); /* FIN, and one of them RST, TLS or KILL */
    sum(fx, "app", "h1", 1160, 1);
    sum(fx, "app", "h2", 1160, 2); /* left in the middle of results */
    sum(fx, "app", "h1", 4031, 1);
    assert_string_equal(silent(fx), "");
    assert_string_equal(silent(fx), "app@h1:1158+1160*1 app@h1:1158+0*2 app@h1:4031+0*1 app@h2:1160+0*2 ");
    assert_false(fx->untold_mark);
    assert_string_equal(silent(fx), "");
}

/* However soon others come: what the counters rose by at each look is matched with that look's sums. */
static void what_waits_for_the_next_look_waits_no_longer(void **state) {
    struct fixture *fx = *state;
    sum(fx, "app", "h1", 1158, 1);
    sum(fx, "app", "h1", 1160, 1);
    sum(fx, "app", "h1", 1045, 1);
    assert_string_equal(silent(fx), "");
    fx->now = mono_add(fx->now, 200 * NS_PER_MS);
    sum(fx, "app", "h1", 1045, 3);
    assert_string_equal(silent(fx), "app@h1:1158+1160*1 app@h1:1045+0*1 ");
    assert_string_equal(silent(fx), "app@h1:1045+0*3 ");
    assert_string_equal(silent(fx), "");
}

static void an_aborts_two_numbers_may_come_with_two_looks(void **state) {
    struct fixture *fx = *state;
    sum(fx, "app", "h1", 1160, 1);
    assert_string_equal(silent(fx), "");
    sum(fx, "app", "h1", 1158, 3); /* one of them is the first of those two numbers */
    assert_string_equal(silent(fx), "app@h1:1158+1160*1 ");
    assert_string_equal(silent(fx), "app@h1:1158+0*2 ");
    sum(fx, "app", "h1", 1158, 2); /* and the other way round */
    assert_string_equal(silent(fx), "");
    sum(fx, "app", "h1", 1160, 1);
    assert_string_equal(silent(fx), "app@h1:1158+1160*1 app@h1:1158+0*1 ");
    assert_string_equal(silent(fx), "");
    sum(fx, "app", "h1", 1158, 1); /* no more than one look apart */
    assert_string_equal(silent(fx), "");
    assert_string_equal(silent(fx), "app@h1:1158+0*1 ");
    sum(fx, "app", "h1", 1160, 1);
    assert_string_equal(silent(fx), "");
    assert_string_equal(silent(fx), "app@h1:1160+0*1 ");
}

/* … also where lines are waited for: the sums wait together, or in two batches. */
static void a_kill_without_a_line_is_one_over_two_looks(void **state) {
    struct fixture *fx = *state;
    const unsigned orders[][2] = {{1158, 1160}, {1160, 1158}};
    for (int order = 0; order < 2; order++) {
        sum(fx, "app", "h1", orders[order][0], 1);
        untold_settle(fx->untold, fx->now, UNTOLD_MYSQL, on_aborts, fx);
        fx->now = mono_add(fx->now, NS_PER_S);
        sum(fx, "app", "h1", orders[order][1], 1);
        fx->told[0] = '\0';
        untold_settle(fx->untold, fx->now, UNTOLD_MYSQL, on_aborts, fx);
        assert_string_equal(fx->told, "");
        fx->now = mono_add(fx->now, 1500 * NS_PER_MS);
        untold_settle(fx->untold, fx->now, UNTOLD_MYSQL, on_aborts, fx);
        assert_string_equal(fx->told, "app@h1:1158+1160*1 ");
        assert_string_equal(after_lines(fx), "");
    }
}

/* Its line tells of one that was reset, and a look later a write error is the second number of that. */
static void a_line_is_of_both_numbers_over_two_looks(void **state) {
    struct fixture *fx = *state;
    line(fx, "app", "h1", 1158, 0);
    sum(fx, "app", "h1", 1158, 1);
    untold_settle(fx->untold, fx->now, UNTOLD_MYSQL, on_aborts, fx);
    fx->now = mono_add(fx->now, NS_PER_S);
    sum(fx, "app", "h1", 1160, 1);
    assert_string_equal(after_lines(fx), "");
    line(fx, "app", "h1", 1158, 0);
    sum(fx, "app", "h1", 1158, 1);
    for (int i = 0; i < 3; i++, fx->now = mono_add(fx->now, 9 * NS_PER_S))
        untold_settle(fx->untold, fx->now, UNTOLD_MYSQL, on_aborts, fx);
    sum(fx, "app", "h1", 1160, 1); /* long after: none of its */
    assert_string_equal(after_lines(fx), "app@h1:1160+0*1 ");
}

static void before_login_one_number_comes_with_another(void **state) {
    struct fixture *fx = *state;
    sum(fx, "", "h1", 1043, 6);
    sum(fx, "", "h1", 1159, 1); /* half a handshake */
    sum(fx, "", "h1", 1156, 1); /* garbage */
    sum(fx, "", "h1", 1158, 3); /* left; one of them by RST */
    sum(fx, "", "h1", 1160, 1);
    sum(fx, "", "h2", 1130, 1);
    assert_string_equal(silent(fx), "@h2:1130+0*1 ");
    assert_string_equal(silent(fx), "@h1:1043+1159*1 @h1:1043+1156*1 @h1:1043+1158*3 @h1:1043+0*1 ");
}

static void a_line_and_a_sum_are_one_abort(void **state) {
    struct fixture *fx = *state;
    line(fx, "app", "h1", 1158, 0); /* before its sum */
    sum(fx, "app", "h1", 1158, 2);
    sum(fx, "app", "h1", 1160, 1); /* the one by RST */
    sum(fx, "", "h1", 1043, 1);
    sum(fx, "", "h1", 1158, 1);
    sum(fx, "app", "h1", 4031, 1);
    line(fx, NULL, NULL, 1043, 1158); /* names nobody */
    line(fx, "app", "h1", 1158, 0);   /* after its sum */
    line(fx, "app", "h1", 4031, 0);
    assert_string_equal(after_lines(fx), "");
}

static void what_no_line_told_of_is_left(void **state) {
    struct fixture *fx = *state;
    sum(fx, "app", "h1", 1158, 3); /* FIN, RST and KILL: the last has no line */
    sum(fx, "app", "h1", 1160, 2);
    line(fx, "app", "h1", 1158, 0);
    line(fx, "app", "h1", 1158, 0);
    line(fx, NULL, NULL, 1043, 1158); /* of somebody before the login: not of app */
    assert_string_equal(after_lines(fx), "app@h1:1158+1160*1 ");
    assert_true(fx->untold_mark);
    sum(fx, "few", "h1", 1226, 2); /* no line ever: nothing to wait for */
    fx->told[0] = '\0';
    untold_settle(fx->untold, fx->now, UNTOLD_MYSQL, on_aborts, fx);
    assert_string_equal(fx->told, "few@h1:1226+0*2 ");
    assert_false(fx->untold_mark);
}

static void refusals_are_known_by_their_user(void **state) {
    struct fixture *fx = *state;
    sum(fx, "app", "h1", 1044, 1);
    sum(fx, "app", "h1", 1045, 1);
    fx->confirmed = 9;
    sum(fx, "lo", "h1", 3118, 1);
    sum(fx, "root", "localhost", 1049, 1);
    sum(fx, NULL, NULL, 1045, 1); /* an account for which the server had no room */
    line(fx, "app", "%", 1045, 0);
    line(fx, "app", "h1", 1045, 0);
    line(fx, "lo", "h1", 1045, 0);
    line(fx, NULL, NULL, 1049, 0);
    line(fx, "new", "h9", 1045, 0);
    assert_string_equal(after_lines(fx), "");
}

/* Whatever came before it. */
static void each_sum_waits_as_long(void **state) {
    struct fixture *fx = *state;
    char wanted[64];
    for (int i = 0; i < 12; i++, fx->now = mono_add(fx->now, NS_PER_S)) {
        sum(fx, "app", "h1", 4031, (uint64_t)i + 1);
        fx->told[0] = wanted[0] = '\0';
        untold_settle(fx->untold, fx->now, UNTOLD_MYSQL, on_aborts, fx);
        if (i >= 3)
            snprintf(wanted, sizeof wanted, "app@h1:4031+0*%d ", i - 2);
        assert_string_equal(fx->told, wanted);
    }
}

/* Connections lost over TLS raise two numbers; one that was killed in a query raises the second alone: all at once they
 * look like fewer. */
static void the_counters_tell_what_hides_behind_pairs(void **state) {
    struct fixture *fx = *state;
    sum(fx, "app", "h1", 1158, 3);
    sum(fx, "app", "h1", 1160, 3);
    assert_string_equal(silent(fx), "");
    fx->confirmed = 2;
    assert_string_equal(silent(fx), "app@h1:1158+1160*3 app@h1:1160+0*2~ ");
    fx->confirmed = 1; /* counted after its sums */
    assert_string_equal(silent(fx), "app@h1:1160+0*1~ ");
    sum(fx, "app", "h1", 1158, 1);
    sum(fx, "app", "h1", 1160, 1);
    silent(fx);
    assert_string_equal(silent(fx), "app@h1:1158+1160*1 ");
    silent(fx);
    fx->confirmed = 1; /* another's: it is too late */
    assert_string_equal(silent(fx), "");
}

static void a_line_may_be_of_either(void **state) {
    struct fixture *fx = *state;
    fx->confirmed = 1; /* the line's was a FIN, the other was killed in a query */
    line(fx, "app", "h1", 1158, 0);
    sum(fx, "app", "h1", 1158, 1);
    sum(fx, "app", "h1", 1160, 1);
    assert_string_equal(after_lines(fx), "app@h1:1160+0*1~ ");
    line(fx, "app", "h1", 1158, 0); /* both are of the line's RST */
    sum(fx, "app", "h1", 1158, 1);
    sum(fx, "app", "h1", 1160, 1);
    assert_string_equal(after_lines(fx), "");
    fx->confirmed = 1;
    assert_string_equal(after_lines(fx), "");
}

/* … while another's KILL waits for its line, which will not come: the counter's rise is that one's. */
static void what_waits_for_its_line_is_a_rival(void **state) {
    struct fixture *fx = *state;
    line(fx, "app", "h1", 1158, 0);
    sum(fx, "app", "h1", 1158, 1);
    sum(fx, "app", "h1", 1160, 1);
    untold_settle(fx->untold, fx->now, UNTOLD_MYSQL, on_aborts, fx);
    fx->now = mono_add(fx->now, 3 * NS_PER_S);
    sum(fx, "other", "h1", 1158, 1);
    sum(fx, "other", "h1", 1160, 1);
    fx->confirmed = 1;
    untold_settle(fx->untold, fx->now, UNTOLD_MYSQL, on_aborts, fx);
    assert_string_equal(fx->told, "");
    fx->confirmed = 0;
    assert_string_equal(after_lines(fx), "other@h1:1158+1160*1 ");
}

static void what_statements_raise_is_no_abort(void **state) {
    struct fixture *fx = *state;
    sum(fx, "app", "h1", 1044, 5);
    sum(fx, "app", "h1", 1045, 1);
    fx->confirmed = 2;
    assert_string_equal(silent(fx), "");
    assert_string_equal(silent(fx), "app@h1:1045+0*1 app@h1:1044+0*2~ ");
    for (int i = 0; i < 2; i++)
        assert_string_equal(silent(fx), "");
    fx->confirmed = 9;
    assert_string_equal(silent(fx), "");
}

/* Two that may be it, one that is: nobody is accused. */
static void what_may_be_anothers_is_not_guessed(void **state) {
    struct fixture *fx = *state;
    for (uint64_t aborts = 1; aborts <= 2; aborts++) {
        sum(fx, "app", "h1", 1044, 1);
        sum(fx, "root", "h1", 1049, 1);
        assert_string_equal(silent(fx), "");
        fx->confirmed = aborts;
        assert_string_equal(silent(fx), aborts == 1 ? "" : "app@h1:1044+0*1~ root@h1:1049+0*1~ ");
        fx->confirmed = 0;
        silent(fx);
    }
}

static void a_timeout_in_a_file_counts_once(void **state) {
    struct fixture *fx = *state;
    sum(fx, "load", "h1", 1159, 1); /* the first; it is given more time */
    assert_string_equal(silent(fx), "");
    sum(fx, "load", "h1", 1159, 1);
    assert_string_equal(silent(fx), "");
    sum(fx, "app", "h1", 1158, 2); /* over TLS: the second numbers are less likely aborts of their own */
    sum(fx, "app", "h1", 1160, 2);
    fx->confirmed = 1;
    assert_string_equal(silent(fx), "load@h1:1159+0*1~ ");
    fx->confirmed = 1; /* another's: the second of those two is none */
    assert_string_equal(silent(fx), "app@h1:1158+1160*2 app@h1:1160+0*1~ ");
}

/* A line of an hour ago does not stand for a sum of now. */
static void lines_wait_for_a_while_only(void **state) {
    struct fixture *fx = *state;
    line(fx, "app", "h1", 1158, 0);
    for (int look = 0; look < 12; look++, fx->now = mono_add(fx->now, 200 * NS_PER_MS))
        untold_settle(fx->untold, fx->now, UNTOLD_MYSQL, on_aborts, fx);
    sum(fx, "app", "h1", 1158, 1); /* late by many looks, not by much */
    assert_string_equal(after_lines(fx), "");

    line(fx, "app", "h1", 1158, 0);
    for (int look = 0; look < 3; look++, fx->now = mono_add(fx->now, 15 * NS_PER_S))
        untold_settle(fx->untold, fx->now, UNTOLD_MYSQL, on_aborts, fx);
    sum(fx, "app", "h1", 1158, 1);
    assert_string_equal(after_lines(fx), "app@h1:1158+0*1 ");
}

/* 255 have places of their own. */
static void accounts_are_bounded_and_nothing_is_lost(void **state) {
    struct fixture *fx = *state;
    char host[32];
    for (int i = 0; i < 400; i++) {
        snprintf(host, sizeof host, "h%d", i);
        sum(fx, "u", host, 4031, 1);
    }
    silent(fx);
    silent(fx);
    assert_true(strncmp(fx->told, "?@:4031+0*145 ", 14) == 0);
    sum(fx, "new", "h", 4031, 1); /* there is room again */
    silent(fx);
    assert_string_equal(silent(fx), "new@h:4031+0*1 ");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(without_lines_all_is_told_with_the_next_look),
        TEST(before_login_one_number_comes_with_another),
        TEST(what_waits_for_the_next_look_waits_no_longer),
        TEST(an_aborts_two_numbers_may_come_with_two_looks),
        TEST(a_kill_without_a_line_is_one_over_two_looks),
        TEST(a_line_is_of_both_numbers_over_two_looks),
        TEST(a_line_and_a_sum_are_one_abort),
        TEST(what_no_line_told_of_is_left),
        TEST(refusals_are_known_by_their_user),
        TEST(each_sum_waits_as_long),
        TEST(lines_wait_for_a_while_only),
        TEST(the_counters_tell_what_hides_behind_pairs),
        TEST(what_statements_raise_is_no_abort),
        TEST(a_line_may_be_of_either),
        TEST(what_waits_for_its_line_is_a_rival),
        TEST(what_may_be_anothers_is_not_guessed),
        TEST(a_timeout_in_a_file_counts_once),
        TEST(accounts_are_bounded_and_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
