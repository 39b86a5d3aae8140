/*
 * Numbers: the whole text or nothing, within the range or an error, and back again without loss.
 */
#include "base/number.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define YEAR_NS (365 * 86400 * NS_PER_S)

static void unsigned_numbers(void **state) {
    static const struct {
        const char *text;
        uint64_t max;
        int rc;
        uint64_t value;
    } cases[] = {
        {"0", 10, 0, 0},
        {"10", 10, 0, 10},
        {"11", 10, -ERANGE, 0},
        {"18446744073709551615", UINT64_MAX, 0, UINT64_MAX},
        {"18446744073709551616", UINT64_MAX, -ERANGE, 0},
        {"99999999999999999999999", UINT64_MAX, -ERANGE, 0},
        {"", 10, -EINVAL, 0},
        {"-1", 10, -EINVAL, 0},
        {"+1", 10, -EINVAL, 0},
        {" 1", 10, -EINVAL, 0},
        {"1 ", 10, -EINVAL, 0},
        {"0x1", 10, -EINVAL, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t value = 4711;
        assert_int_equal(number_parse_u64(span_of(cases[i].text), cases[i].max, &value), cases[i].rc);
        assert_true(value == (cases[i].rc == 0 ? cases[i].value : 4711)); /* untouched on failure */
    }
}

static void signed_numbers(void **state) {
    int64_t value;
    (void)state;
    assert_int_equal(number_parse_i64(span_of("-9223372036854775808"), INT64_MIN, INT64_MAX, &value), 0);
    assert_true(value == INT64_MIN);
    assert_int_equal(number_parse_i64(span_of("9223372036854775808"), INT64_MIN, INT64_MAX, &value), -ERANGE);
    assert_int_equal(number_parse_i64(span_of("-5"), -4, 4, &value), -ERANGE);
    assert_int_equal(number_parse_i64(span_of("-"), -4, 4, &value), -EINVAL);
}

static void doubles(void **state) {
    static const char *const wrong[] = {"", "abc", "1.5x", "inf", "nan", "0x10", " 1", "1e", "--1"};
    double value = 0;
    (void)state;
    assert_int_equal(number_parse_double(span_of("-1.25e3"), &value), 0);
    assert_true(value == -1250);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(number_parse_double(span_of(wrong[i]), &value), -EINVAL);
    assert_int_equal(number_parse_double(span_of("1e999"), &value), -ERANGE);
    assert_true(value == -1250);
}

static void whole_doubles_are_read_as_strtod_does(void **state) {
    static const char *const whole[] = {"0",
                                        "007",
                                        "999999999999999",
                                        "9007199254740993",
                                        "18446744073709551615",
                                        "18446744073709551616",
                                        "1234567890123456789012345678901234567890"};
    (void)state;
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
        double value = NAN;
        assert_int_equal(number_parse_double(span_of(whole[i]), &value), 0);
        assert_true(value == strtod(whole[i], NULL));
    }
}

static void durations_both_ways(void **state) {
    static const struct {
        const char *text;
        int64_t ns;
        const char *back;
    } cases[] = {
        {"15s", 15 * NS_PER_S, "15s"},
        {"1m30s", 90 * NS_PER_S, "1m30s"},
        {"90s", 90 * NS_PER_S, "1m30s"},
        {"500ms", 500 * NS_PER_MS, "500ms"},
        {"250us", 250 * NS_PER_US, "250us"},
        {"1h1ns", 3600 * NS_PER_S + 1, "1h1ns"},
        {"2d", 2 * 86400 * NS_PER_S, "2d"},
        {"0", 0, "0s"},
        {"0s", 0, "0s"},
        {"1s500ms", 1500 * NS_PER_MS, "1s500ms"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t ns = -1;
        struct strbuf sb;
        assert_int_equal(number_parse_duration(span_of(cases[i].text), YEAR_NS, &ns), 0);
        assert_true(ns == cases[i].ns);
        strbuf_init(&sb, 64);
        number_add_duration(&sb, ns);
        assert_string_equal(strbuf_text(&sb), cases[i].back);
        strbuf_release(&sb);
    }
}

static void wrong_durations(void **state) {
    static const struct {
        const char *text;
        int rc;
    } cases[] = {
        {"", -EINVAL},
        {"15", -EINVAL},
        {"s", -EINVAL},
        {"15 s", -EINVAL},
        {"1s1m", -EINVAL},
        {"1s1s", -EINVAL},
        {"1.5s", -EINVAL},
        {"-1s", -EINVAL},
        {"1w", -EINVAL},
        {"2d", -ERANGE}, /* above the maximum of one day below */
        {"99999999999999999999s", -ERANGE},
        {"9223372036854775807d", -ERANGE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t ns = 4711;
        assert_int_equal(number_parse_duration(span_of(cases[i].text), 86400 * NS_PER_S, &ns), cases[i].rc);
        assert_true(ns == 4711);
    }
}

static void doubles_read_back_the_same(void **state) {
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0, "0"},
        {1, "1"},
        {-42, "-42"},
        {0.1, "0.1"},
        {0.00025, "0.00025"},
        {1.0 / 3, "0.33333333333333331"},
        {9007199254740992.0, "9007199254740992"},
        {1e300, "1e+300"},
    };
    (void)state;
    struct strbuf sb;
    strbuf_init(&sb, 64);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        strbuf_reset(&sb);
        number_add_double(&sb, cases[i].value);
        assert_string_equal(strbuf_text(&sb), cases[i].text);
    }
    strbuf_reset(&sb);
    number_add_double(&sb, (double)NAN);
    number_add_double(&sb, (double)INFINITY);
    number_add_double(&sb, -(double)INFINITY);
    assert_string_equal(strbuf_text(&sb), "NaN+Inf-Inf");
    strbuf_release(&sb);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unsigned_numbers),
        cmocka_unit_test(signed_numbers),
        cmocka_unit_test(doubles),
        cmocka_unit_test(durations_both_ways),
        cmocka_unit_test(whole_doubles_are_read_as_strtod_does),
        cmocka_unit_test(wrong_durations),
        cmocka_unit_test(doubles_read_back_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
