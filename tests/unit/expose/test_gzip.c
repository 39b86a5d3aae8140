/*
 * gzip in pieces: what zlib's other half reads is what was written, each piece is out as soon as it is in, and the
 * memory is small.
 */
#include "expose/gzip.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

static size_t inflate_more(z_stream *z, const struct strbuf *in, size_t from, char *out, size_t size) {
    z->next_in = (z_const Bytef *)in->data + from;
    z->avail_in = (uInt)(in->len - from);
    z->next_out = (Bytef *)out;
    z->avail_out = (uInt)size;
    int rc = inflate(z, Z_SYNC_FLUSH);
    assert_true(rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR);
    return size - z->avail_out;
}

static void pieces_come_out_as_they_went_in(void **state) {
    struct gzip *gzip = gzip_new();
    struct strbuf out;
    z_stream z = {0};
    static char piece[100000], back[100001];
    uint32_t random = 1;
    (void)state;
    strbuf_init(&out, 1 << 24);
    assert_non_null(gzip);
    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    gzip_add(gzip, (struct span){"", 0}, false, &out);
    assert_int_equal(out.len, 0);
    for (size_t len = 1; len < sizeof piece; len = len * 3 + 1) {
        for (size_t i = 0; i < len; i++) /* half of it like a page, half like nothing at all */
            piece[i] = i % 100 < 50 ? "mysqlconn_up{target="[i % 20] : (char)((random = random * 1664525 + 1) >> 24);
        size_t before = out.len;
        gzip_add(gzip, (struct span){piece, len}, false, &out);
        assert_int_equal(inflate_more(&z, &out, before, back, sizeof back), len);
        assert_memory_equal(back, piece, len);
    }
    size_t before = out.len;
    gzip_add(gzip, (struct span){NULL, 0}, true, &out);
    assert_int_equal(inflate_more(&z, &out, before, back, sizeof back), 0);
    assert_int_equal(inflate(&z, Z_SYNC_FLUSH), Z_STREAM_END);
    assert_false(strbuf_failed(&out));
    inflateEnd(&z);
    gzip_free(gzip);
    gzip_free(NULL);
    strbuf_release(&out);
}

static size_t memory_used(void) {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* (Under a sanitizer it is not known.) */
static void a_page_on_its_way_takes_little_memory(void **state) {
    size_t before = memory_used();
    struct gzip *gzip = gzip_new();
    (void)state;
    assert_non_null(gzip);
    assert_true(memory_used() - before < 90000);
    gzip_free(gzip);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(pieces_come_out_as_they_went_in),
                                       cmocka_unit_test(a_page_on_its_way_takes_little_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
