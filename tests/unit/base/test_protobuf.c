/*
 * Protocol Buffers' wire format: the bytes of the examples in its documentation, and of the ends of each type's range.
 */
#include "base/protobuf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct strbuf out;

static int begin(void **state) {
    (void)state;
    strbuf_init(&out, 100000);
    return 0;
}

static int end(void **state) {
    (void)state;
    strbuf_release(&out);
    return 0;
}

#define ASSERT_BYTES(text)                                                                                             \
    assert_int_equal(out.len, sizeof(text) - 1);                                                                       \
    assert_memory_equal(out.data, text, sizeof(text) - 1);                                                             \
    strbuf_reset(&out)

static void fields_are_as_documented(void **state) {
    (void)state;
    protobuf_add_uint64(&out, 1, 150);
    ASSERT_BYTES("\x08\x96\x01");
    protobuf_add_uint64(&out, 16, UINT64_MAX);
    ASSERT_BYTES("\x80\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    protobuf_add_bytes(&out, 2, span_of("testing"));
    ASSERT_BYTES("\x12\x07testing");
    protobuf_add_double(&out, 1, 1);
    ASSERT_BYTES("\x09\0\0\0\0\0\0\xf0\x3f");
    protobuf_add_sint32(&out, 5, -2);
    ASSERT_BYTES("\x28\x03");
    protobuf_add_sint32(&out, 5, INT32_MIN);
    ASSERT_BYTES("\x28\xff\xff\xff\xff\x0f");
    protobuf_add_packed_sint64(&out, INT64_MIN);
    ASSERT_BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    protobuf_add_packed_sint64(&out, INT64_MAX);
    ASSERT_BYTES("\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01");
}

static void messages_have_their_length_in_front(void **state) {
    static char long_text[300];
    (void)state;
    size_t outer = protobuf_open(&out, 3);
    size_t inner = protobuf_open(&out, 1);
    protobuf_close(&out, inner);
    protobuf_add_uint64(&out, 1, 150);
    protobuf_close(&out, outer);
    ASSERT_BYTES("\x1a\x05\x0a\x00\x08\x96\x01");
    memset(long_text, 'x', sizeof long_text);
    outer = protobuf_open(&out, 1);
    protobuf_add_bytes(&out, 1, (struct span){long_text, sizeof long_text});
    protobuf_close(&out, outer);
    assert_int_equal(out.len, 3 + 3 + 300);
    assert_memory_equal(out.data, "\x0a\xaf\x02\x0a\xac\x02xxx", 9);
}

static void a_full_buffer_fails(void **state) {
    (void)state;
    struct strbuf small;
    strbuf_init(&small, 10);
    size_t message = protobuf_open(&small, 1);
    protobuf_add_bytes(&small, 1, span_of("1234567890"));
    protobuf_close(&small, message);
    assert_true(strbuf_failed(&small));
    strbuf_release(&small);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fields_are_as_documented, begin, end),
        cmocka_unit_test_setup_teardown(messages_have_their_length_in_front, begin, end),
        cmocka_unit_test(a_full_buffer_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
