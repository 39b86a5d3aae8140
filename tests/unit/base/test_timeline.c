/*
 * Counts over time: no count is lost or moved however wide the span becomes.
 */
#include "base/timeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#define DAY 86400

static struct timeline *new_timeline(void) {
    struct timeline *t = calloc(1, sizeof *t);
    assert_non_null(t);
    return t;
}

static void nothing(void **state) {
    (void)state;
    struct timeline *t = new_timeline();
    struct timeline_rows rows;
    timeline_rows(t, 24, &rows);
    assert_int_equal(rows.count, 0);
    free(t);
}

static void rows_are_wide_as_people_like_them(void **state) {
    (void)state;
    const struct {
        int64_t span, width, count;
    } cases[] = {{0, 1, 1},
                 {9, 1, 10},
                 {10, 2, 6},
                 {60, 10, 7},
                 {3599, 600, 6},
                 {3600, 600, 7},
                 {DAY, 10800, 9},
                 {30 * DAY, 604800, 5},
                 {2000 * DAY, 364 * DAY, 6}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct timeline *t = new_timeline();
        struct timeline_rows rows;
        int64_t begin = INT64_C(364) * 50 * DAY;
        timeline_add(t, begin);
        timeline_add(t, begin + cases[i].span);
        timeline_rows(t, 10, &rows);
        assert_int_equal(rows.width_s, cases[i].width);
        assert_int_equal(rows.count, cases[i].count);
        assert_int_equal(rows.first_s, begin);
        assert_true(rows.counts[0] > 0 && rows.counts[rows.count - 1] > 0);
        free(t);
    }
}

/* Against the times themselves, in no order, before 1970 too. */
static void no_count_is_lost(void **state) {
    enum { TIMES = 3000 };
    (void)state;
    uint64_t random = 88172645463325252;
    for (int64_t span = 1; span < INT64_C(1000000000000); span *= 17) {
        struct timeline *t = new_timeline();
        struct timeline_rows rows;
        int64_t times[TIMES];
        uint64_t expected[64] = {0};
        for (int i = 0; i < TIMES; i++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            times[i] = (int64_t)(random % (uint64_t)span) - span / 3;
            timeline_add(t, times[i]);
        }
        timeline_rows(t, 24, &rows);
        assert_in_range(rows.count, 1, 24);
        for (int i = 0; i < TIMES; i++) {
            assert_in_range(times[i] - rows.first_s, 0, rows.width_s * rows.count - 1);
            expected[(times[i] - rows.first_s) / rows.width_s]++;
        }
        for (unsigned i = 0; i < rows.count; i++)
            assert_int_equal(rows.counts[i], expected[i]);
        free(t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing),
        cmocka_unit_test(rows_are_wide_as_people_like_them),
        cmocka_unit_test(no_count_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
