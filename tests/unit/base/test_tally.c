/*
 * Counting what there is: entries that stay, a bound, and passes that did not end.
 */
#include "base/tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static void add(struct tally *tally, const char *text, unsigned times) {
    while (times--)
        tally_add(tally, span_of(text), 10);
}

static uint64_t count_of(const struct tally *tally, const char *text) {
    size_t count;
    const struct tally_entry *entries = tally_entries(tally, &count);
    for (size_t i = 0; i < count; i++)
        if (span_is(entries[i].text, text))
            return entries[i].count;
    return 0;
}

static void names_stay_while_there_are_any(void **state) {
    (void)state;
    struct tally *tally = tally_new(8);
    size_t count;
    tally_begin(tally, 2);
    add(tally, "a", 1);
    add(tally, "b", 2);
    add(tally, "c", 3);
    tally_end(tally);
    assert_int_equal(count_of(tally, "a"), 1);
    assert_int_equal(count_of(tally, "b"), 2);
    assert_int_equal(tally_other(tally).count, 3);

    tally_begin(tally, 2); /* whatever the order */
    add(tally, "c", 30);
    add(tally, "b", 5);
    assert_int_equal(count_of(tally, "b"), 2); /* not ended yet */
    tally_end(tally);
    assert_int_equal(count_of(tally, "b"), 5);
    assert_int_equal(tally_entries(tally, &count)[0].sum, 50);
    assert_int_equal(tally_other(tally).sum, 300);
    assert_int_equal(tally_other(tally).count, 30);
    tally_entries(tally, &count);
    assert_int_equal(count, 1);

    tally_begin(tally, 2); /* "a" has left its place */
    add(tally, "c", 1);
    add(tally, "b", 1);
    tally_end(tally);
    assert_int_equal(count_of(tally, "c"), 1);
    assert_int_equal(tally_other(tally).count, 0);
    tally_free(tally);
}

static void a_pass_that_did_not_end_is_forgotten(void **state) {
    (void)state;
    struct tally *tally = tally_new(8);
    tally_begin(tally, 1);
    add(tally, "a", 7);
    add(tally, "b", 7);
    tally_begin(tally, 1);
    add(tally, "a", 1);
    tally_end(tally);
    assert_int_equal(count_of(tally, "a"), 1);
    assert_int_equal(tally_other(tally).count, 0);
    tally_free(tally);
}

static void cut_between_characters(void **state) {
    (void)state;
    struct tally *tally = tally_new(8);
    size_t count;
    tally_begin(tally, 10);
    add(tally, "1234567\u00e4", 1); /* the bytes of its last character differ, */
    add(tally, "1234567\u0431", 1); /* but what shows that does not fit */
    tally_end(tally);
    tally_entries(tally, &count);
    assert_int_equal(count, 1);
    assert_int_equal(count_of(tally, "1234567"), 2);
    tally_free(tally);
}

static void many_names(void **state) {
    (void)state;
    struct tally *tally = tally_new(20);
    size_t count;
    char name[20];
    tally_begin(tally, 300);
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "user%d", i % 500);
        add(tally, name, 1);
    }
    tally_end(tally);
    tally_entries(tally, &count);
    assert_int_equal(count, 300);
    assert_int_equal(count_of(tally, "user299"), 2);
    assert_int_equal(tally_other(tally).count, 400);
    tally_free(tally);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_stay_while_there_are_any),
        cmocka_unit_test(a_pass_that_did_not_end_is_forgotten),
        cmocka_unit_test(cut_between_characters),
        cmocka_unit_test(many_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
