/*
 * JSON: commas where they belong, any bytes made safe, numbers that JSON has no word for.
 */
#include "base/json.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void members_and_values_are_separated(void **state) {
    struct strbuf out;
    (void)state;
    strbuf_init(&out, 4096);
    json_open(&out, NULL, '{');
    json_u64(&out, "a", UINT64_MAX);
    json_open(&out, "list", '[');
    json_text(&out, NULL, "x");
    json_open(&out, NULL, '{');
    json_close(&out, '}');
    json_null(&out, NULL);
    json_close(&out, ']');
    json_open(&out, "empty", '{');
    json_close(&out, '}');
    json_bool(&out, "yes", true);
    json_text(&out, "none", NULL);
    json_close(&out, '}');
    assert_string_equal(strbuf_text(&out),
                        "{\"a\":18446744073709551615,\"list\":[\"x\",{},null],\"empty\":{},\"yes\":true,"
                        "\"none\":null}");
    strbuf_release(&out);
}

static void texts_end_where_they_end(void **state) {
    struct strbuf out;
    (void)state;
    strbuf_init(&out, 4096);
    json_open(&out, NULL, '[');
    json_span(&out, NULL, (struct span){"a\0\"\\\n\xff{", 7}); /* the last byte is one after which no comma stands */
    json_span(&out, NULL, (struct span){"", 0});
    json_close(&out, ']');
    assert_string_equal(strbuf_text(&out), "[\"a\\u0000\\\"\\\\\\n\xef\xbf\xbd{\",\"\"]");
    strbuf_release(&out);
}

static void numbers_and_times(void **state) {
    struct strbuf out;
    (void)state;
    strbuf_init(&out, 4096);
    json_open(&out, NULL, '[');
    json_double(&out, NULL, 0.5);
    json_double(&out, NULL, (double)NAN);
    json_double(&out, NULL, -(double)INFINITY);
    json_seconds(&out, NULL, INT64_C(1500000001));
    json_seconds(&out, NULL, -1);
    json_seconds(&out, NULL, INT64_MIN);
    json_time(&out, NULL, 0);
    json_time(&out, NULL, INT64_C(1763690400250000000));
    json_close(&out, ']');
    assert_string_equal(strbuf_text(&out), "[0.5,null,null,1.500000001,-0.000000001,-9223372036.854775808,null,"
                                           "\"2025-11-21T02:00:00.250000Z\"]");
    strbuf_release(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_and_values_are_separated),
        cmocka_unit_test(texts_end_where_they_end),
        cmocka_unit_test(numbers_and_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
