/*
 * Labels for each format: any value, escaped in text and as it is in Protocol Buffers.
 */
#include "base/labels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define ASSERT_PROTOBUF(labels, wanted)                                                                                \
    assert_int_equal((labels)->protobuf.len, sizeof(wanted) - 1);                                                      \
    assert_memory_equal((labels)->protobuf.data, wanted, sizeof(wanted) - 1)

static void any_value_in_each_form(void **state) {
    struct labels labels;
    (void)state;
    labels_init(&labels);
    labels_add(&labels, "a", "q\"b\\n\nx\xff");
    labels_add(&labels, "bc", "");
    assert_false(labels_failed(&labels));
    assert_string_equal(strbuf_text(&labels.text), "a=\"q\\\"b\\\\n\\nx\xEF\xBF\xBD\",bc=\"\"");
    ASSERT_PROTOBUF(&labels, "\x0a\x0f\x0a\x01"
                             "a\x12\x0aq\"b\\n\nx\xEF\xBF\xBD"
                             "\x0a\x06\x0a\x02"
                             "bc\x12\0");
    labels_release(&labels);
}

static void those_in_front_go_again(void **state) {
    struct labels front, all;
    (void)state;
    labels_init(&front);
    labels_init(&all);
    labels_add(&front, "a", "1");
    labels_add_all(&all, &front);
    labels_add(&all, "b", "2");
    assert_string_equal(strbuf_text(&all.text), "a=\"1\",b=\"2\"");
    labels_drop_front(&all, &front);
    assert_string_equal(strbuf_text(&all.text), "b=\"2\"");
    ASSERT_PROTOBUF(&all, "\x0a\x06\x0a\x01"
                          "b\x12\x01"
                          "2");
    labels_drop_front(&all, &all);
    assert_int_equal(all.text.len + all.protobuf.len, 0);
    labels_add_all(&all, &front);
    assert_string_equal(strbuf_text(&all.text), "a=\"1\"");
    labels_release(&front);
    labels_release(&all);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_value_in_each_form),
        cmocka_unit_test(those_in_front_go_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
