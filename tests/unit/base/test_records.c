/*
 * Records: what goes in comes out, whatever the bytes; what is not whole, or not ours, is refused with its line.
 */
#include "base/records.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char format[] = "test-records 1";

static char *make(size_t *len) {
    struct strbuf out;
    char all[256];
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    strbuf_init(&out, 1 << 16);
    records_begin(&out, format);
    record_begin(&out, "first");
    record_add(&out, (struct span){all, sizeof all});
    record_add(&out, span_of(""));
    record_add_u64(&out, UINT64_MAX);
    record_end(&out);
    record_begin(&out, "second");
    record_end(&out);
    records_end(&out);
    *len = out.len;
    return strbuf_detach(&out);
}

static void what_goes_in_comes_out(void **state) {
    struct records records;
    struct record record;
    uint64_t number;
    size_t len;
    char *text = make(&len);
    (void)state;
    assert_true(records_open(&records, text, len, format));
    assert_true(records_next(&records, &record));
    assert_true(span_is(record.name, "first"));
    assert_int_equal(record.line, 2);
    assert_int_equal(record.count, 3);
    assert_int_equal(record.field[0].len, 256);
    for (int i = 0; i < 256; i++)
        assert_int_equal((unsigned char)record.field[0].ptr[i], i);
    assert_int_equal(record.field[1].len, 0);
    assert_true(record_u64(&record, 2, &number));
    assert_true(number == UINT64_MAX);
    assert_false(record_u64(&record, 1, &number));
    assert_false(record_u64(&record, 3, &number));
    assert_true(records_next(&records, &record));
    assert_true(span_is(record.name, "second"));
    assert_int_equal(record.count, 0);
    assert_false(records_next(&records, &record));
    assert_null(records.wrong);
    free(text);
}

static void what_was_cut_or_changed_is_refused(void **state) {
    struct records records;
    size_t len;
    char *text = make(&len), *copy = malloc(len + 1);
    (void)state;
    for (size_t cut = 0; cut < len; cut++) {
        memcpy(copy, text, len + 1);
        assert_false(records_open(&records, copy, cut, format));
        assert_non_null(records.wrong);
        assert_true(records.line >= 1);
        memcpy(copy, text, len + 1);
        copy[cut] ^= 1;
        assert_false(records_open(&records, copy, len, format));
    }
    memcpy(copy, text, len + 1);
    assert_false(records_open(&records, copy, len, "test-records 2"));
    assert_int_equal(records.line, 1);
    free(copy);
    free(text);
}

static void assert_wrong(const char *body, unsigned line) {
    struct records records;
    struct record record;
    struct strbuf out;
    strbuf_init(&out, 4096);
    records_begin(&out, format);
    strbuf_addstr(&out, body);
    records_end(&out);
    assert_true(records_open(&records, out.data, out.len, format));
    while (records_next(&records, &record))
        ;
    assert_non_null(records.wrong);
    assert_int_equal(records.line, line);
    strbuf_release(&out);
}

static void right_sums_over_wrong_lines_help_nobody(void **state) {
    (void)state;
    assert_wrong("a %\n", 2);
    assert_wrong("a b\nc %4\n", 3);
    assert_wrong("a %zz\n", 2);
    assert_wrong("a %4G\n", 2);
    assert_wrong("a 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21\n", 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out),
        cmocka_unit_test(what_was_cut_or_changed_is_refused),
        cmocka_unit_test(right_sums_over_wrong_lines_help_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
