/*
 * Rows of the statistics of users and clients: bounded, each name once, read as a whole or not at all.
 */
#include "observe/userstat.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TWO (UINT32_C(1) << USERSTAT_TOTAL_CONNECTIONS | UINT32_C(1) << USERSTAT_LOST_CONNECTIONS)

static void add(struct userstat *u, const char *name, const char *total, const char *lost) {
    const struct span values[] = {{total, total ? strlen(total) : 0}, {lost, lost ? strlen(lost) : 0}};
    userstat_add(u, USERSTAT_USERS, (struct span){name, strlen(name)}, values, 2);
}

static const struct userstat_row *rows(struct userstat *u, size_t expected) {
    size_t count;
    const struct userstat_row *found = userstat_rows(u, USERSTAT_USERS, &count);
    assert_int_equal(count, expected);
    return found;
}

static void values_go_to_the_columns_that_there_are(void **state) {
    struct userstat *u = userstat_new();
    (void)state;
    userstat_set_columns(u, USERSTAT_USERS, TWO);
    userstat_begin(u, USERSTAT_USERS, 10);
    add(u, "zoe", "7", "0.5");
    add(u, "app", "3", NULL);
    add(u, "bad", "many", "1e400");
    rows(u, 0);
    userstat_end(u, USERSTAT_USERS, 3, 17);
    const struct userstat_row *r = rows(u, 3);
    assert_string_equal(r[0].name, "app");
    assert_true(r[0].value[USERSTAT_TOTAL_CONNECTIONS] == 3 && isnan(r[0].value[USERSTAT_LOST_CONNECTIONS]));
    assert_true(isnan(r[1].value[USERSTAT_TOTAL_CONNECTIONS]) && isnan(r[1].value[USERSTAT_LOST_CONNECTIONS]));
    assert_true(r[2].value[USERSTAT_TOTAL_CONNECTIONS] == 7 && r[2].value[USERSTAT_LOST_CONNECTIONS] == 0.5);
    assert_true(isnan(r[2].value[USERSTAT_BUSY_TIME]));
    assert_int_equal(userstat_left_out(u, USERSTAT_USERS), 0);
    assert_int_equal(userstat_read_wall_ns(u), 17);
    userstat_free(u);
}

static void a_name_is_there_once_and_is_safe(void **state) {
    struct userstat *u = userstat_new();
    (void)state;
    userstat_set_columns(u, USERSTAT_USERS, TWO);
    userstat_begin(u, USERSTAT_USERS, 10);
    add(u, "a\xff", "1", "0");
    add(u, "a\xfe", "2", "0"); /* the same once both are UTF-8 */
    add(u, "", "3", "0");
    userstat_add(u, USERSTAT_USERS, (struct span){NULL, 0}, NULL, 0);
    userstat_end(u, USERSTAT_USERS, 4, 1);
    const struct userstat_row *r = rows(u, 2);
    assert_string_equal(r[0].name, "");
    assert_string_equal(r[1].name, "a\xef\xbf\xbd");
    assert_int_equal(userstat_left_out(u, USERSTAT_USERS), 2);
    userstat_free(u);
}

static void rows_are_bounded_and_the_rest_is_told(void **state) {
    struct userstat *u = userstat_new();
    (void)state;
    userstat_set_columns(u, USERSTAT_USERS, TWO);
    for (int pass = 0; pass < 2; pass++) {
        userstat_begin(u, USERSTAT_USERS, 100);
        for (int i = 0; i < 1000; i++) {
            char name[16];
            snprintf(name, sizeof name, "u%03d", i);
            add(u, name, "1", "0");
        }
        assert_int_equal(userstat_came(u, USERSTAT_USERS), 1000);
        userstat_end(u, USERSTAT_USERS, 5000, 1);
        assert_string_equal(rows(u, 100)[99].name, "u099");
        assert_int_equal(userstat_left_out(u, USERSTAT_USERS), 4900);
    }
    userstat_free(u);
}

static void a_look_that_did_not_end_changes_nothing(void **state) {
    struct userstat *u = userstat_new();
    (void)state;
    userstat_set_columns(u, USERSTAT_USERS, TWO);
    userstat_begin(u, USERSTAT_USERS, 10);
    add(u, "app", "1", "0");
    userstat_end(u, USERSTAT_USERS, 1, 1);
    userstat_begin(u, USERSTAT_USERS, 10);
    add(u, "half", "1", "0");
    assert_string_equal(rows(u, 1)[0].name, "app");
    userstat_begin(u, USERSTAT_USERS, 10);
    userstat_end(u, USERSTAT_USERS, 0, 2);
    rows(u, 0);
    userstat_free(u);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_go_to_the_columns_that_there_are),
        cmocka_unit_test(a_name_is_there_once_and_is_safe),
        cmocka_unit_test(rows_are_bounded_and_the_rest_is_told),
        cmocka_unit_test(a_look_that_did_not_end_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
