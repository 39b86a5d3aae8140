/*
 * Which servers requests may name: each form of an entry, what is none, and the ways round them.
 */
#include "config/address.h"
#include "config/allow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct strbuf why;

static int begin(void **state) {
    (void)state;
    strbuf_init(&why, 1000);
    return 0;
}

static int end(void **state) {
    (void)state;
    strbuf_release(&why);
    return 0;
}

static void entries_are_checked(void **state) {
    static const char *const good[] = {
        "db1",          "*.example", "db-?.example:3306",       "db:3306-3310", "db:*", "10.0.0.0/8", "10.1.2.3",
        "10.0.0.0/0:*", "[::1]",     "[2001:db8::]/32:1-65535", "192.0.2.1/32"};
    static const char *const bad[] = {
        "",          "db:0",   "db:65536", "db:5-4", "db:a",          "db:", "db:1-", "10.0.0.0/33",  "db/8",
        "[::1]/129", "[::1",   "[db]",     "::1",    "2001:db8::/32", "d b", "db;",   "10.0.0.0/8/8", "[::1]x",
        "10.0.0.0/", "db:1:2", "d\xc3\xb6"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (!allow_check_entry(good[i], &why))
            fail_msg("%s: %s", good[i], strbuf_text(&why));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        strbuf_reset(&why);
        if (allow_check_entry(bad[i], &why))
            fail_msg("%s is taken", bad[i]);
        assert_true(why.len > 0);
    }
}

enum verdict { NO, YES };

static const struct {
    const char *allowed[4];
    const char *address;
    enum verdict asked;
    const char *numeric; /* what the name resolves to; NULL: not asked */
    enum verdict reached;
} cases[] = {
    {{NULL}, "db1", NO, NULL, NO},
    {{"db1"}, "db1", YES, "203.0.113.9", YES}, /* no network says where names may lead */
    {{"db1"}, "DB1", YES, NULL, NO},
    {{"db1"}, "db1:3307", NO, NULL, NO},
    {{"db1"}, "db10", NO, NULL, NO},
    {{"db1:3306-3308"}, "db1:3308", YES, NULL, NO},
    {{"*.example"}, "a.b.example", YES, NULL, NO},
    {{"*.example"}, "example", NO, NULL, NO},
    /* Elsewhere than at the beginning it stays within its label: nobody's domain ends a name that we let begin. */
    {{"db*"}, "db7", YES, NULL, NO},
    {{"db*"}, "db.evil.org", NO, NULL, NO},
    {{"db*"}, "db7.evil.org", NO, NULL, NO},
    {{"db?"}, "db.", NO, NULL, NO},
    {{"db.*"}, "db.evil.org", NO, NULL, NO},
    {{"db.*"}, "DB.shop", YES, NULL, NO},
    {{"shop-*.example"}, "shop-1.example", YES, NULL, NO},
    {{"shop-*.example"}, "shop-1.evil.example", NO, NULL, NO},
    {{"*-shop.*.example"}, "a.b-shop.c.example", YES, NULL, NO},
    {{"*-shop.*.example"}, "a.b-shop.c.d.example", NO, NULL, NO},
    {{"**"}, "a.b", YES, NULL, NO},
    {{"*a*a*a*a*a*a*a*a*a*ab"},
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
     NO,
     NULL,
     NO},
    {{"*"}, "203.0.113.9", NO, NULL, NO}, /* a pattern of names is none of addresses */
    {{"*"}, "[::1]", NO, NULL, NO},
    {{"10.0.0.0/8"}, "10.255.0.1", YES, "10.255.0.1", YES},
    {{"10.0.0.0/8"}, "11.0.0.1", NO, NULL, NO},
    {{"10.0.0.0/8"}, "db1", YES, "10.1.1.1", YES}, /* its addresses decide */
    {{"10.0.0.0/8"}, "db1", YES, "169.254.169.254", NO},
    {{"10.0.0.0/8", "*.example"}, "evil.org", NO, NULL, NO},
    {{"10.0.0.0/8", "*.example"}, "db.example", YES, "11.0.0.1", NO},
    {{"10.0.0.0/8", "*.example"}, "db.example", YES, "::ffff:10.0.0.1", YES},
    {{"10.0.0.0/9"}, "10.128.0.1", NO, NULL, NO},
    {{"10.0.0.0/9"}, "10.127.0.1", YES, NULL, NO},
    {{"[2001:db8::]/33"}, "[2001:db8:7fff::1]", YES, NULL, NO},
    {{"[2001:db8::]/33"}, "[2001:db8:8000::1]", NO, NULL, NO},
    {{"[fe80::]/10"}, "[fe80::1%eth0]", YES, "fe80::1%eth0", YES},
    {{"[::]/0:*"}, "[::1]:1", YES, "10.0.0.1", YES}, /* IPv4 lies in ::ffff:0:0/96 */
    {{"0.0.0.0/0:*"}, "[::1]", NO, NULL, NO},
    {{"*", "[::]/0", "0.0.0.0/0"}, "/run/mysqld/mysqld.sock", NO, NULL, NO},
    {{"*"}, "unix:/run/mysqld/mysqld.sock", NO, NULL, NO},
};

static void only_what_is_allowed_is_reached(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *texts[4];
        struct text_list allowed = {texts, 0};
        struct address address;
        while (allowed.count < 4 && cases[i].allowed[allowed.count]) {
            texts[allowed.count] = strdup(cases[i].allowed[allowed.count]);
            allowed.count++;
        }
        strbuf_reset(&why);
        assert_true(address_parse(cases[i].address, &address, &why));
        if (allow_target(&allowed, &address, &why) != (cases[i].asked == YES))
            fail_msg("case %zu: %s: %s", i, cases[i].address, strbuf_text(&why));
        assert_true(cases[i].asked == YES || why.len > 0);
        if (cases[i].numeric && allow_address(&allowed, cases[i].numeric, address.port) != (cases[i].reached == YES))
            fail_msg("case %zu: %s at %s", i, cases[i].address, cases[i].numeric);
        address_release(&address);
        for (size_t k = 0; k < allowed.count; k++)
            free(texts[k]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(entries_are_checked, begin, end),
        cmocka_unit_test_setup_teardown(only_what_is_allowed_is_reached, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
