/*
 * What is left of a counter's rise when all that was told of is taken off.
 */
#include "explain/balance.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void what_is_left(void **state) {
    (void)state;
    struct balance b = {0};
    balance_settle(&b, 100); /* where it stood belongs to nobody */
    assert_int_equal(balance_take(&b, 9), 0);
    balance_tell(&b, 3);
    balance_settle(&b, 105);
    assert_int_equal(balance_take(&b, 1), 1);
    assert_int_equal(balance_take(&b, 9), 1);
    assert_int_equal(balance_take(&b, 9), 0);
    balance_settle(&b, 107);
    balance_settle(&b, 107); /* at the next poll it is not forgotten … */
    assert_int_equal(balance_take(&b, 1), 1);
    balance_settle(&b, 108);
    balance_settle(&b, 108); /* … but at the one after that it is nobody's */
    assert_int_equal(balance_left(&b), 1);
    balance_settle(&b, 108);
    assert_int_equal(balance_left(&b), 0);
    balance_settle(&b, 109);
    balance_settle(&b, 3); /* another life */
    assert_int_equal(balance_left(&b), 0);
}

static void what_is_told_before_the_counter_is_read(void **state) {
    (void)state;
    struct balance b = {0};
    balance_settle(&b, 0);
    balance_tell(&b, 2);
    balance_settle(&b, 1);
    balance_settle(&b, 3);
    assert_int_equal(balance_take(&b, 9), 1);
    balance_tell(&b, 1); /* never rises */
    balance_settle(&b, 3);
    balance_settle(&b, 3);
    balance_settle(&b, 4);
    assert_int_equal(balance_take(&b, 9), 1);
}

static void what_is_told_after_the_counter_was_read(void **state) {
    (void)state;
    struct balance b = {0};
    balance_settle(&b, 0);
    balance_settle(&b, 3);
    balance_tell_late(&b, 2);
    assert_int_equal(balance_take(&b, 9), 1);
    balance_tell_late(&b, 1); /* of what comes now */
    balance_settle(&b, 5);
    assert_int_equal(balance_take(&b, 9), 1);
}

static void steps_and_nonsense(void **state) {
    (void)state;
    struct balance b = {0};
    balance_settle(&b, 10);
    balance_settle(&b, 4);
    assert_int_equal(balance_take(&b, 9), 0);
    balance_settle(&b, 5);
    assert_int_equal(balance_take(&b, 9), 1);
    balance_settle(&b, (double)NAN);
    balance_settle(&b, -1);
    balance_settle(&b, 0x1p64);
    balance_settle(&b, 6);
    assert_int_equal(balance_take(&b, 9), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left),
        cmocka_unit_test(what_is_told_before_the_counter_is_read),
        cmocka_unit_test(what_is_told_after_the_counter_was_read),
        cmocka_unit_test(steps_and_nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
