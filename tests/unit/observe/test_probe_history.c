/*
 * The last probes: the newest first, as many as there is room for, each as it was.
 */
#include "observe/probe_history.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void the_newest_are_kept(void **state) {
    struct probe_history history = {.count = 0};
    (void)state;
    for (uint32_t i = 0; i < 100; i++) {
        probe_history_add(&history, &(struct past_probe){.wall_s = i});
        assert_int_equal(history.count, i < PROBE_HISTORY ? i + 1 : PROBE_HISTORY);
        for (uint32_t k = 0; k < history.count; k++)
            assert_int_equal(probe_history_at(&history, k)->wall_s, i - k);
    }
    print_message("%zu bytes for each target and module\n", sizeof history);
    assert_true(sizeof history <= 1400);
}

static void a_total_has_all_phases_but_the_idle_time(void **state) {
    struct past_probe probe = {.wall_s = 1};
    (void)state;
    for (int phase = 0; phase < PHASE_COUNT; phase++)
        probe.phase_us[phase] = past_probe_phase_us(phase == PHASE_TLS ? -1 : 7 * NS_PER_US + 999);
    assert_int_equal(probe.phase_us[PHASE_TLS], PROBE_NO_PHASE);
    assert_int_equal(probe.phase_us[PHASE_HOLD], 7);
    assert_int_equal(past_probe_total_us(&probe), 7 * (PHASE_COUNT - 2));
    assert_true(past_probe_phase_us(INT64_MAX) < PROBE_NO_PHASE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_are_kept),
        cmocka_unit_test(a_total_has_all_phases_but_the_idle_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
