/*
 * From sums to what came: by account and without one, over TRUNCATE and restarts, and within the bound.
 */
#include "observe/server_errors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

enum { READ_ERROR = 1158 };

struct told {
    unsigned count;
    uint64_t known, unknown; /* sums of increases */
    struct server_error last;
    char user[64];
};

static void on_error(void *arg, const struct server_error *error) {
    struct told *told = arg;
    told->count++;
    *(error->account_known ? &told->known : &told->unknown) += error->increase;
    told->last = *error;
    snprintf(told->user, sizeof told->user, "%s", error->user);
}

static void account(struct server_errors *e, const char *user, uint64_t sum) {
    server_errors_account(e, span_of(user), span_of("10.0.0.7"), READ_ERROR, sum);
}

static struct told end(struct server_errors *e, bool accounts_told) {
    static int64_t wall_ns;
    struct told told = {0};
    server_errors_end(e, accounts_told, true, ++wall_ns, on_error, &told);
    return told;
}

/* A look that finds the same sum in all and in app's account. */
static struct told look(struct server_errors *e, uint64_t sum) {
    server_errors_global(e, READ_ERROR, sum);
    account(e, "app", sum);
    return end(e, true);
}

static void the_first_look_is_where_it_starts(void **state) {
    (void)state;
    struct server_errors *e = server_errors_new();
    unsigned codes[SERVER_ERROR_CODE_COUNT];
    server_errors_global(e, READ_ERROR, 5);
    server_errors_global(e, 1064, 5); /* no business of ours */
    assert_int_equal(server_errors_asked(e, codes), 1);
    assert_int_equal(codes[0], READ_ERROR);
    account(e, "app", 5);
    assert_int_equal(end(e, true).count, 0);

    server_errors_global(e, READ_ERROR, 5);
    assert_int_equal(server_errors_asked(e, codes), 0);
    assert_int_equal(end(e, true).count, 0);

    struct told told = look(e, 7);
    assert_int_equal(told.count, 1);
    assert_int_equal(told.last.increase, 2);
    assert_int_equal(told.last.code, READ_ERROR);
    assert_true(told.last.account_known);
    assert_int_equal(told.last.to_wall_ns - told.last.from_wall_ns, 1);
    assert_string_equal(told.user, "app");
    size_t count;
    assert_int_equal(server_errors_counts(e, &count)[0].total, 2);
    assert_int_equal(count, 1);
    server_errors_free(e);
}

static void a_new_account_and_one_that_is_not_known(void **state) {
    (void)state;
    struct server_errors *e = server_errors_new();
    look(e, 5);
    server_errors_global(e, READ_ERROR, 12);
    account(e, "app", 6);
    server_errors_account(e, (struct span){0}, (struct span){0}, READ_ERROR, 4); /* had not logged in */
    struct told told = end(e, true);
    assert_int_equal(told.known, 5);
    assert_int_equal(told.unknown, 0); /* the accounts may come to it */
    account(e, "app", 7);
    told = end(e, true);
    assert_int_equal(told.known, 1);
    server_errors_global(e, READ_ERROR, 13); /* and another one */
    assert_int_equal(end(e, true).unknown, 0);
    assert_int_equal(end(e, true).unknown, 1);
    assert_int_equal(end(e, true).unknown, 0);
    assert_int_equal(end(e, true).unknown, 1);
    assert_int_equal(end(e, true).unknown, 0);
    assert_int_equal(server_errors_without_account(e, READ_ERROR), 2);
    server_errors_free(e);
}

static void accounts_may_be_ahead(void **state) {
    (void)state;
    struct server_errors *e = server_errors_new();
    look(e, 5);
    server_errors_global(e, READ_ERROR, 6);
    account(e, "app", 8); /* two came between the queries */
    assert_int_equal(end(e, true).known, 3);
    struct told told = look(e, 8);
    assert_int_equal(told.count, 0);
    told = look(e, 9);
    assert_true(told.known == 1 && told.unknown == 0);
    server_errors_free(e);
}

static void accounts_that_fail_once_are_asked_again(void **state) {
    (void)state;
    struct server_errors *e = server_errors_new();
    unsigned codes[SERVER_ERROR_CODE_COUNT];
    look(e, 5);
    server_errors_global(e, READ_ERROR, 7);
    assert_int_equal(end(e, false).count, 0);
    server_errors_global(e, READ_ERROR, 7);
    assert_int_equal(server_errors_asked(e, codes), 1);
    account(e, "app", 7);
    assert_int_equal(end(e, true).known, 2);
    server_errors_free(e);
}

static void truncate_and_restart_are_steps(void **state) {
    (void)state;
    struct server_errors *e = server_errors_new();
    look(e, 5);
    struct told told = look(e, 2); /* TRUNCATE, and two since */
    assert_true(told.known == 2 && told.unknown == 0);
    assert_int_equal(server_errors_steps(e), 2); /* of all, and of the account */
    server_errors_restarted(e);
    told = look(e, 9); /* more than before, but all of the new run */
    assert_true(told.known == 9 && told.unknown == 0);
    assert_int_equal(server_errors_steps(e), 2);
    server_errors_free(e);
}

static void another_servers_sums_are_nobodys(void **state) {
    (void)state;
    struct server_errors *e = server_errors_new();
    look(e, 5);
    server_errors_global(e, READ_ERROR, 7); /* and by nobody */
    end(e, true);
    server_errors_forget(e);
    assert_int_equal(look(e, 4000).count, 0);
    struct told told = look(e, 4001);
    assert_true(told.count == 1 && told.known == 1);
    server_errors_forget(e);
    account(e, "new", 30); /* who was not there before */
    assert_int_equal(look(e, 6).count, 0);
    for (int i = 0; i < SERVER_ERROR_LOOKS + 1; i++)
        assert_int_equal(look(e, 6).count, 0);
    server_errors_free(e);
}

static void accounts_are_bounded(void **state) {
    (void)state;
    struct server_errors *e = server_errors_new();
    enum { MORE = SERVER_ERROR_ACCOUNTS_MAX + 50 };
    look(e, 0);
    for (int pass = 1; pass <= 2; pass++) {
        server_errors_global(e, READ_ERROR, (uint64_t)pass * MORE);
        for (int i = 0; i < MORE; i++) {
            char user[16];
            snprintf(user, sizeof user, "user%d", i);
            account(e, user, (uint64_t)pass);
        }
        struct told told = end(e, true);
        assert_int_equal(told.known, MORE - 51); /* app has a place */
        for (int i = 0; i < SERVER_ERROR_LOOKS; i++)
            told = end(e, true);
        assert_int_equal(told.unknown, 51);
    }
    size_t count;
    server_errors_counts(e, &count);
    assert_int_equal(count, SERVER_ERROR_ACCOUNTS_MAX);
    server_errors_free(e);
}

/* Names that anybody can make up. */
static void refused_logins_leave_places_for_those_who_got_in(void **state) {
    (void)state;
    struct server_errors *e = server_errors_new();
    enum { REFUSED = 1045 };
    char user[32];
    look(e, 0);
    for (int i = 0; i < 2 * SERVER_ERROR_ACCOUNTS_MAX; i++) {
        snprintf(user, sizeof user, "guess%d", i);
        server_errors_account(e, span_of(user), span_of("10.9.9.9"), REFUSED, 1);
    }
    server_errors_global(e, REFUSED, 2 * SERVER_ERROR_ACCOUNTS_MAX);
    end(e, true);
    server_errors_global(e, READ_ERROR, 3);
    account(e, "late", 3);
    struct told told = end(e, true);
    assert_true(told.known == 3 && strcmp(told.user, "late") == 0);
    server_errors_free(e);
}

static void codes_have_names(void **state) {
    (void)state;
    assert_string_equal(server_error_name(READ_ERROR), "ER_NET_READ_ERROR");
    assert_null(server_error_name(1064));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_look_is_where_it_starts),
        cmocka_unit_test(a_new_account_and_one_that_is_not_known),
        cmocka_unit_test(accounts_may_be_ahead),
        cmocka_unit_test(accounts_that_fail_once_are_asked_again),
        cmocka_unit_test(truncate_and_restart_are_steps),
        cmocka_unit_test(another_servers_sums_are_nobodys),
        cmocka_unit_test(accounts_are_bounded),
        cmocka_unit_test(refused_logins_leave_places_for_those_who_got_in),
        cmocka_unit_test(codes_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
