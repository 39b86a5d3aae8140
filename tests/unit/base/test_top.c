/*
 * Frequent texts: exact while they are few, and within the bound that is told where they are many.
 */
#include "base/top.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static void add(struct top *top, const char *text, unsigned times) {
    while (times--)
        top_add(top, span_of(text));
}

static uint64_t count_of(struct top *top, const char *text) {
    size_t count;
    const struct top_entry *entries = top_sorted(top, &count);
    for (size_t i = 0; i < count; i++)
        if (span_is(entries[i].text, text))
            return entries[i].count;
    return 0;
}

static void exact_and_in_order(void **state) {
    (void)state;
    struct top *top = top_new(8, 100);
    size_t count;
    top_sorted(top, &count);
    assert_int_equal(count, 0);
    add(top, "b", 2);
    add(top, "", 2);
    add(top, "a", 2);
    add(top, "often", 7);
    add(top, "longer than eight bytes", 1);
    top_add(top, (struct span){"nul\0b", 5});
    top_add(top, (struct span){"nul\0a", 5});
    const struct top_entry *entries = top_sorted(top, &count);
    const char *const expected[] = {"often", "", "a", "b", "longer than eight bytes"};
    assert_int_equal(count, 7);
    for (size_t i = 0; i < 5; i++)
        assert_true(span_is(entries[i].text, expected[i]));
    assert_memory_equal(entries[5].text.ptr, "nul\0a", 5);
    assert_int_equal(entries[0].count, 7);
    assert_int_equal(top_total(top), 16);
    assert_int_equal(top_error(top), 0);
    add(top, "b", 9); /* found after the sorting too */
    assert_int_equal(count_of(top, "b"), 11);
    top_free(top);
    top_free(NULL);
}

static void long_texts_are_cut(void **state) {
    (void)state;
    struct top *top = top_new(4, 3);
    add(top, "abcd", 1);
    add(top, "abce", 1);
    assert_int_equal(count_of(top, "abc"), 2);
    top_free(top);
}

/* Against exact counts: names that come often, among a flood of names that come once. */
static void many_texts(void **state) {
    enum { CAPACITY = 64, OFTEN = 10, ROUNDS = 20000 };
    (void)state;
    struct top *top = top_new(CAPACITY, 100);
    uint64_t exact[OFTEN] = {0};
    char text[32];
    for (unsigned round = 0; round < ROUNDS; round++) {
        snprintf(text, sizeof text, "once %u", round);
        add(top, text, 1);
        for (unsigned i = 0; i < OFTEN; i++)
            if (round % (i + 1) == 0) {
                snprintf(text, sizeof text, "often %u", i);
                add(top, text, 1);
                exact[i]++;
            }
    }
    uint64_t sum = 0, error = top_error(top);
    size_t count;
    const struct top_entry *entries = top_sorted(top, &count);
    assert_in_range(count, 1, CAPACITY);
    for (size_t i = 0; i < count; i++)
        sum += entries[i].count;
    assert_true(sum <= top_total(top));
    assert_in_range(error, 1, top_total(top) / (CAPACITY / 2));
    for (unsigned i = 0; i < OFTEN; i++) {
        snprintf(text, sizeof text, "often %u", i);
        uint64_t found = count_of(top, text);
        assert_true(found <= exact[i] && found + error >= exact[i]);
    }
    assert_true(span_is(top_sorted(top, &count)[0].text, "often 0"));
    top_free(top);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_and_in_order),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(many_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
