/*
 * Escaping: whatever bytes go in, well-formed text comes out.
 */
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#define FFFD "\xEF\xBF\xBD"

typedef void add_fn(struct strbuf *sb, struct span value);

static void check(add_fn *add, const char *in, size_t len, const char *expected) {
    struct strbuf sb;
    strbuf_init(&sb, 1000);
    add(&sb, (struct span){in, len});
    assert_string_equal(strbuf_text(&sb), expected);
    strbuf_release(&sb);
}
#define CHECK(add, in, expected) check((add), (in), sizeof(in) - 1, (expected))

static void label_values(void **state) {
    (void)state;
    CHECK(text_add_label_value, "plain", "plain");
    CHECK(text_add_label_value, "a\"b\\c\nd\te", "a\\\"b\\\\c\\nd\te");
    CHECK(text_add_label_value, "\xc3\xbcn\xc3\xaf \xe2\x9c\x93 \xf0\x9f\x90\xac",
          "\xc3\xbcn\xc3\xaf \xe2\x9c\x93 \xf0\x9f\x90\xac");
}

static void invalid_utf8_is_replaced(void **state) {
    (void)state;
    CHECK(text_add_label_value,
          "a\xff"
          "b",
          "a" FFFD "b");
    CHECK(text_add_label_value, "\xc3", FFFD);                            /* cut off */
    CHECK(text_add_label_value, "\xc0\xaf", FFFD FFFD);                   /* overlong */
    CHECK(text_add_label_value, "\xed\xa0\x80", FFFD FFFD FFFD);          /* a surrogate */
    CHECK(text_add_label_value, "\xf4\x90\x80\x80", FFFD FFFD FFFD FFFD); /* above U+10FFFF */
    CHECK(text_add_label_value, "\xe2\x9c", FFFD FFFD);
    CHECK(text_add_label_value, "\xe2\x9c\"", FFFD FFFD "\\\""); /* the quote is not swallowed */
}

static void json(void **state) {
    (void)state;
    CHECK(text_add_json, "a\"b\\c\n\r\t\x01\x7f", "a\\\"b\\\\c\\n\\r\\t\\u0001\\u007f");
    CHECK(text_add_json, "\0", "\\u0000");
}

static void html(void **state) {
    (void)state;
    CHECK(text_add_html, "<script>alert('x' & \"y\")</script>",
          "&lt;script&gt;alert(&#39;x&#39; &amp; &quot;y&quot;)&lt;/script&gt;");
    CHECK(text_add_html, "a\x1b[31m", "a" FFFD "[31m");
}

static void logfmt(void **state) {
    (void)state;
    CHECK(text_add_logfmt, "plain/value:1", "plain/value:1");
    CHECK(text_add_logfmt, "", "\"\"");
    CHECK(text_add_logfmt, "two words", "\"two words\"");
    CHECK(text_add_logfmt, "a=b", "\"a=b\"");
    CHECK(text_add_logfmt, "line\nlevel=error", "\"line\\nlevel=error\"");
}

static void any_bytes_give_well_formed_text(void **state) {
    char bytes[64];
    (void)state;
    srand(1);
    for (int round = 0; round < 20000; round++) {
        struct strbuf once, twice;
        strbuf_init(&once, 1000);
        strbuf_init(&twice, 1000);
        size_t len = (size_t)rand() % sizeof bytes;
        for (size_t i = 0; i < len; i++)
            bytes[i] = (char)(rand() % 4 ? rand() % 64 + 0xc0 : rand());
        text_add_label_value(&once, (struct span){bytes, len});
        /* Well-formed text passes a second time with nothing replaced: only escapes grow. */
        text_add_html(&twice, (struct span){once.data ? once.data : "", once.len});
        for (size_t i = 0; i + 1 < once.len; i++)
            assert_true(once.data[i] != '\n');
        assert_false(strbuf_failed(&once));
        strbuf_release(&once);
        strbuf_release(&twice);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(label_values), cmocka_unit_test(invalid_utf8_is_replaced),
        cmocka_unit_test(json),         cmocka_unit_test(html),
        cmocka_unit_test(logfmt),       cmocka_unit_test(any_bytes_give_well_formed_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
