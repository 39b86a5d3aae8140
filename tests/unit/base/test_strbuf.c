/*
 * The text buffer: grows to its maximum and not beyond, and its error sticks.
 */
#include "base/strbuf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static void empty_buffer_is_an_empty_string(void **state) {
    struct strbuf sb;
    (void)state;
    strbuf_init(&sb, 10);
    assert_string_equal(strbuf_text(&sb), "");
    strbuf_release(&sb);
    strbuf_release(NULL);
}

static void fills_to_its_maximum(void **state) {
    struct strbuf sb;
    (void)state;
    strbuf_init(&sb, 10);
    strbuf_addstr(&sb, "12345");
    strbuf_addf(&sb, "%d", 67890);
    assert_false(strbuf_failed(&sb));
    assert_string_equal(strbuf_text(&sb), "1234567890");
    strbuf_release(&sb);
}

static void error_sticks_until_reset(void **state) {
    struct strbuf sb;
    (void)state;
    strbuf_init(&sb, 4);
    strbuf_addstr(&sb, "abc");
    strbuf_addstr(&sb, "de");
    assert_true(strbuf_failed(&sb));
    strbuf_addch(&sb, 'f'); /* would fit, must be ignored */
    assert_string_equal(strbuf_text(&sb), "abc");
    assert_null(strbuf_detach(&sb));
    strbuf_reset(&sb);
    strbuf_addstr(&sb, "wxyz");
    assert_false(strbuf_failed(&sb));
    assert_string_equal(strbuf_text(&sb), "wxyz");
    strbuf_release(&sb);
}

static void numbers_are_written_as_printf_would(void **state) {
    static const struct {
        uint64_t value;
        const char *text;
    } cases[] = {
        {0, "0"}, {7, "7"}, {10, "10"}, {1234567890, "1234567890"}, {UINT64_MAX, "18446744073709551615"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct strbuf sb;
        strbuf_init(&sb, 30);
        strbuf_addu64(&sb, cases[i].value);
        assert_string_equal(strbuf_text(&sb), cases[i].text);
        strbuf_release(&sb);
    }
}

static void detach_hands_over_and_truncate_cuts(void **state) {
    struct strbuf sb;
    (void)state;
    strbuf_init(&sb, 100);
    strbuf_addstr(&sb, "hello world");
    strbuf_truncate(&sb, 5);
    strbuf_truncate(&sb, 50); /* no effect */
    char *text = strbuf_detach(&sb);
    assert_string_equal(text, "hello");
    free(text);
    text = strbuf_detach(&sb);
    assert_string_equal(text, "");
    free(text);
}

static void spans_compare_by_content(void **state) {
    (void)state;
    assert_true(span_is(span_of("abc"), "abc"));
    assert_false(span_is(span_of("abc"), "abcd"));
    assert_false(span_is(span_of("abd"), "abc"));
    assert_true(span_equal((struct span){NULL, 0}, span_of("")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_buffer_is_an_empty_string),
        cmocka_unit_test(fills_to_its_maximum),
        cmocka_unit_test(error_sticks_until_reset),
        cmocka_unit_test(numbers_are_written_as_printf_would),
        cmocka_unit_test(detach_hands_over_and_truncate_cuts),
        cmocka_unit_test(spans_compare_by_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
