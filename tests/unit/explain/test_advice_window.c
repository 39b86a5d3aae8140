/*
 * Counts over a sliding window: what is told stays for fifty minutes at least, and is gone after an hour.
 */
#include "explain/advice_window.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MINUTE (60 * NS_PER_S)

static struct mono at(int64_t minutes) {
    return (struct mono){NS_PER_S + minutes * MINUTE};
}

static void counts_go_away(void **state) {
    struct advice_window *window = advice_window_new(2, at(0));
    (void)state;
    assert_non_null(window);
    advice_window_add(window, 0, 3, at(9));
    advice_window_add(window, 1, 1, at(10));
    advice_window_add(window, 0, 4, at(55));
    assert_int_equal(advice_window_count(window, 0), 7);
    advice_window_slide(window, at(59));
    assert_int_equal(advice_window_count(window, 0), 7);
    assert_int_equal(advice_window_ns(window, at(59)), 59 * MINUTE);
    advice_window_slide(window, at(60));
    assert_int_equal(advice_window_count(window, 0), 4);
    assert_int_equal(advice_window_count(window, 1), 1);
    assert_int_equal(advice_window_ns(window, at(61)), 51 * MINUTE);
    advice_window_slide(window, at(109));
    assert_int_equal(advice_window_count(window, 0), 4);
    assert_int_equal(advice_window_count(window, 1), 0);
    advice_window_slide(window, at(110));
    assert_int_equal(advice_window_count(window, 0), 0);
    advice_window_free(window);
}

static void a_long_pause_forgets_all(void **state) {
    struct advice_window *window = advice_window_new(1, at(0));
    (void)state;
    for (int i = 0; i < 60; i += 5)
        advice_window_add(window, 0, 1, at(i));
    assert_int_equal(advice_window_count(window, 0), 12);
    advice_window_slide(window, at(100000));
    assert_int_equal(advice_window_count(window, 0), 0);
    assert_true(advice_window_ns(window, at(100000)) <= 60 * MINUTE);
    advice_window_add(window, 0, 2, at(100001));
    assert_int_equal(advice_window_count(window, 0), 2);
    advice_window_free(window);
}

static void counts_stop_at_their_greatest(void **state) {
    struct advice_window *window = advice_window_new(1, at(0));
    (void)state;
    advice_window_add(window, 0, UINT64_MAX, at(0));
    advice_window_add(window, 0, 5, at(0));
    assert_int_equal(advice_window_count(window, 0), UINT32_MAX);
    advice_window_free(window);
}

static void the_greatest_goes_away_too(void **state) {
    struct advice_window *window = advice_window_new(0, at(0));
    (void)state;
    assert_true(isnan(advice_window_greatest_of(window)));
    advice_window_greatest(window, 7, at(1));
    advice_window_greatest(window, 5, at(2));
    advice_window_greatest(window, 3, at(30));
    assert_true(advice_window_greatest_of(window) == 7);
    advice_window_slide(window, at(60));
    assert_true(advice_window_greatest_of(window) == 3);
    advice_window_slide(window, at(90));
    assert_true(isnan(advice_window_greatest_of(window)));
    advice_window_free(window);
    advice_window_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_go_away),
        cmocka_unit_test(a_long_pause_forgets_all),
        cmocka_unit_test(counts_stop_at_their_greatest),
        cmocka_unit_test(the_greatest_goes_away_too),
    };
    return cmocka_run_group_tests_name("advice_window", tests, NULL, NULL);
}
