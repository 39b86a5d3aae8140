/*
 * What stands before each path: what is cut off, and what is refused before it gets into a link.
 */
#include "expose/prefix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *text;
    const char *of_path; /* NULL: refused */
    const char *of_url;
} cases[] = {
    {"", NULL, NULL},
    {"/", "", ""},
    {"/conn", "/conn", "/conn"},
    {"/db/conn/", "/db/conn", "/db/conn"},
    {"/a.b/..c/-_~", "/a.b/..c/-_~", "/a.b/..c/-_~"},
    {"conn", NULL, NULL},
    {"//", NULL, NULL},
    {"//evil.example", NULL, NULL}, /* to a browser another host */
    {"/a//b", NULL, NULL},
    {"/a//", NULL, NULL},
    {"/.", NULL, NULL},
    {"/..", NULL, NULL},
    {"/a/..", NULL, NULL},
    {"/a/./b", NULL, NULL},
    {"/a/../b", NULL, NULL},
    {"/a\"b", NULL, NULL},
    {"/a b", NULL, NULL},
    {"/a\r\nb", NULL, NULL},
    {"/a%2fb", NULL, NULL},
    {"/a?b", NULL, NULL},
    {"/a#b", NULL, NULL},
    {"/\xc3\xa4", NULL, NULL},
    {"http://ops.example", NULL, ""},
    {"https://ops.example:8443/", NULL, ""},
    {"https://[::1]:8443/conn/", NULL, "/conn"},
    {"http://", NULL, NULL},
    {"http:///conn", NULL, NULL},
    {"http://?x", NULL, NULL},
    {"http://ops.example?x", NULL, NULL},
    {"http://ops.example/a?x", NULL, NULL},
    {"http://ops.example/a/..", NULL, NULL},
    {"ftp://ops.example/a", NULL, NULL},
    {"javascript:alert(1)", NULL, NULL},
};

static void check(const char *text, const char *(*parse)(const char *, struct strbuf *), const char *expected) {
    struct strbuf out;
    strbuf_init(&out, 4096);
    strbuf_addstr(&out, "before");
    const char *wrong = parse(text, &out);
    if ((wrong == NULL) != (expected != NULL))
        fail_msg("%s: %s", text, wrong ? wrong : "is taken");
    assert_string_equal(strbuf_text(&out) + strlen("before"), expected ? expected : "");
    strbuf_release(&out);
}

static void each_form(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check(cases[i].text, prefix_of_path, cases[i].of_path);
        check(cases[i].text, prefix_of_url, cases[i].of_url);
    }
}

static void long_ones(void **state) {
    char path[1026];
    (void)state;
    memset(path, 'a', sizeof path);
    path[0] = '/';
    path[1025] = '\0';
    check(path, prefix_of_path, NULL);
    path[1024] = '\0';
    check(path, prefix_of_path, path);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_form), cmocka_unit_test(long_ones)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
