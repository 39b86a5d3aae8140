/*
 * Times that people write, and what clocks in time zones mean.
 */
#include "base/clock.h"
#include "base/time_zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#define S NS_PER_S

static void times(void **state) {
    (void)state;
    const struct {
        const char *text;
        int64_t ns;
        bool has_zone;
    } cases[] = {
        {"1970-01-01", 0, false},
        {"2026-11-21", 1795219200 * S, false},
        {"2026-11-21 06:21", (1795219200 + 22860) * S, false},
        {"2026-11-21 06:21:48", (1795219200 + 22908) * S, false},
        {"2026-11-21T06:21:48.5", (1795219200 + 22908) * S + 500 * NS_PER_MS, false},
        {"2026-11-21T06:21:48.123456Z", (1795219200 + 22908) * S + 123456 * NS_PER_US, true},
        {"2026-11-21t06:21:48.123456789z", (1795219200 + 22908) * S + 123456789, true},
        {"2026-11-21T06:21:48+01:00", (1795219200 + 22908 - 3600) * S, true},
        {"2026-11-21 06:21-0330", (1795219200 + 22860 + 12600) * S, true},
        {"2028-02-29", 1835395200 * S, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t ns = -1;
        bool has_zone = !cases[i].has_zone;
        if (time_parse(span_of(cases[i].text), &ns, &has_zone) < 0 || ns != cases[i].ns ||
            has_zone != cases[i].has_zone)
            fail_msg("%s: %lld", cases[i].text, (long long)ns);
    }
}

static void no_times(void **state) {
    (void)state;
    const char *const cases[] = {"",
                                 "now",
                                 "2026",
                                 "2026-11",
                                 "2026-11-21Z",
                                 "2026-11-21T",
                                 "2026-11-21 06",
                                 "2026-11-21 06:21:",
                                 "2026-11-21 06:21:48.",
                                 "2026-11-21 06:21:48.1234567890",
                                 "2026-11-21 06:21:48 ",
                                 "2026-11-21 06:21:48+",
                                 "2026-11-21 06:21:48+1",
                                 "2026-11-21 06:21:48+14",
                                 "2026-11-21 06:21-05:",
                                 "2026-11-21 06:21:48+01:0",
                                 "2026-11-21 06:21:48+24:00",
                                 "2026-11-21 24:00",
                                 "2026-11-21 06:60",
                                 "2026-11-21 06:21:60",
                                 "2026-13-01",
                                 "2026-00-01",
                                 "2026-02-29",
                                 "2026-11-31",
                                 "2026-11-00",
                                 "1969-12-31",
                                 "2262-01-01",
                                 "+026-11-21",
                                 " 2026-11-21"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t ns;
        bool has_zone;
        if (time_parse(span_of(cases[i]), &ns, &has_zone) == 0)
            fail_msg("accepted: %s", cases[i]);
    }
}

static void check_text(int64_t ns, const char *expected) {
    struct strbuf out;
    strbuf_init(&out, 100);
    time_add_rfc3339(&out, ns);
    assert_string_equal(strbuf_text(&out), expected);
    strbuf_release(&out);
}

static void texts(void **state) {
    (void)state;
    check_text(0, "1970-01-01T00:00:00");
    check_text((1795219200 + 22908) * S + 123456000, "2026-11-21T06:21:48.123456");
    check_text((1795219200 + 22908) * S + 1, "2026-11-21T06:21:48.000000001");
    check_text(-1, "1969-12-31T23:59:59.999999999");
    check_text(INT64_MAX, "2262-04-11T23:47:16.854775807");
    check_text(INT64_MIN, "1677-09-21T00:12:43.145224192");
}

static int64_t local(const char *text) {
    int64_t ns;
    bool has_zone;
    assert_int_equal(time_parse(span_of(text), &ns, &has_zone), 0);
    return ns;
}

static void zones(void **state) {
    (void)state;
    const struct {
        const char *zone, *local, *utc;
    } cases[] = {
        {"UTC", "2026-11-21 06:21", "2026-11-21 06:21"},
        {"Z", "2026-11-21 06:21", "2026-11-21 06:21"},
        {"+05:30", "2026-11-21 06:21", "2026-11-21 00:51"},
        {"-03:30", "2026-11-21 22:21", "2026-11-22 01:51"},
        {"Europe/Berlin", "2026-11-21 06:21:48", "2026-11-21 05:21:48"},
        {"Europe/Berlin", "2026-07-01 00:00", "2026-06-30 22:00"},
        {"Europe/Berlin", "2026-10-25 01:59:59", "2026-10-24 23:59:59"},
        {"Europe/Berlin", "2026-10-25 02:30", "2026-10-25 00:30"}, /* the first of two */
        {"Europe/Berlin", "2026-10-25 03:00", "2026-10-25 02:00"},
        {"Europe/Dublin", "2026-10-25 01:30", "2026-10-25 00:30"},    /* winter, which it has for its summer time */
        {"Europe/Moscow", "2014-10-26 01:30", "2014-10-25 21:30"},    /* neither is summer time */
        {"America/St_Johns", "2005-10-30 00:02", "2005-10-30 03:32"}, /* changed at 00:01 */
        {"Asia/Kathmandu", "2026-11-21 06:21", "2026-11-21 00:36"},
        {"America/St_Johns", "2026-03-08 03:00", "2026-03-08 05:30"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct time_zone zone;
        assert_int_equal(time_zone_choose(cases[i].zone, &zone), 0);
        for (int again = 0; again < 2; again++)
            if (time_zone_to_utc_ns(&zone, local(cases[i].local)) != local(cases[i].utc))
                fail_msg("%s %s", cases[i].zone, cases[i].local);
    }
}

static void this_machines_zone(void **state) {
    (void)state;
    struct time_zone zone;
    setenv("TZ", "Asia/Tokyo", 1);
    assert_int_equal(time_zone_choose("local", &zone), 0);
    assert_int_equal(time_zone_to_utc_ns(&zone, local("2026-11-21 09:00")), local("2026-11-21"));
    assert_int_equal(time_zone_to_utc_ns(&zone, INT64_MIN), INT64_MIN); /* no overflow */
}

static void no_zones(void **state) {
    (void)state;
    const char *const cases[] = {
        "", "Europe", "Europe/Atlantis", "../etc/passwd", "/etc/localtime", "+1", "+25:00", "+01:00x", "."};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct time_zone zone;
        if (time_zone_choose(cases[i], &zone) == 0)
            fail_msg("accepted: %s", cases[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times), cmocka_unit_test(no_times),           cmocka_unit_test(texts),
        cmocka_unit_test(zones), cmocka_unit_test(this_machines_zone), cmocka_unit_test(no_zones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
