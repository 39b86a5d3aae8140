/*
 * The duration histogram: a value on a bound belongs below it, beyond the last bound to +Inf.
 */
#include "base/histogram.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void values_fall_into_their_buckets(void **state) {
    struct histogram h = {0};
    (void)state;
    histogram_add(&h, -5);                 /* as 0 */
    histogram_add(&h, 50 * NS_PER_US);     /* on the first bound */
    histogram_add(&h, 50 * NS_PER_US + 1); /* just above */
    histogram_add(&h, 10 * NS_PER_S);      /* on the last bound */
    histogram_add(&h, 3600 * NS_PER_S);    /* beyond */
    assert_int_equal(h.bucket[0], 2);
    assert_int_equal(h.bucket[1], 1);
    assert_int_equal(h.bucket[HISTOGRAM_BOUNDS - 1], 1);
    assert_int_equal(h.bucket[HISTOGRAM_BOUNDS], 1);
    assert_int_equal(h.count, 5);
    assert_true(h.sum_ns == 3610 * NS_PER_S + 100 * NS_PER_US + 1);
}

static void bounds_rise_from_50_us_to_10_s(void **state) {
    (void)state;
    for (int i = 1; i < HISTOGRAM_BOUNDS; i++)
        assert_true(histogram_bound_ns[i - 1] < histogram_bound_ns[i]);
    assert_true(histogram_bound_ns[0] == 50 * NS_PER_US);
    assert_true(histogram_bound_ns[HISTOGRAM_BOUNDS - 1] == 10 * NS_PER_S);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_fall_into_their_buckets),
        cmocka_unit_test(bounds_rise_from_50_us_to_10_s),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
