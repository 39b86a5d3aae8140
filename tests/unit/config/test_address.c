/*
 * Addresses: what is one, what it means, and what is refused with which words.
 */
#include "config_fixture.h"

#include "config/address.h"

static void good_addresses(void **state) {
    static const struct {
        const char *text, *host;
        uint16_t port;
        const char *socket;
    } cases[] = {
        {"db1", "db1", 3306, NULL},
        {"db1.example.:65535", "db1.example.", 65535, NULL},
        {"my_db-2:1", "my_db-2", 1, NULL},
        {"127.0.0.1:3307", "127.0.0.1", 3307, NULL},
        {"[::1]", "::1", 3306, NULL},
        {"[2001:db8::1]:3310", "2001:db8::1", 3310, NULL},
        {"[fe80::1%eth0]:3306", "fe80::1%eth0", 3306, NULL},
        {"/run/mysqld/mysqld.sock", NULL, 0, "/run/mysqld/mysqld.sock"},
        {"unix:/run/mysqld/mysqld.sock", NULL, 0, "/run/mysqld/mysqld.sock"},
        {"unix:///run/m.sock", NULL, 0, "/run/m.sock"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct address address;
        strbuf_reset(&error);
        if (!address_parse(cases[i].text, &address, &error))
            fail_msg("%s: %s", cases[i].text, strbuf_text(&error));
        assert_int_equal(address.port, cases[i].port);
        assert_string_equal(address.host ? address.host : "", cases[i].host ? cases[i].host : "");
        assert_string_equal(address.socket ? address.socket : "", cases[i].socket ? cases[i].socket : "");
        address_release(&address);
    }
}

static void bad_addresses(void **state) {
    static const char host[] = "the host must be a name, an IPv4 address, or an IPv6 address in brackets";
    static const char port[] = "the port must be a number from 1 to 65535";
    static const char v4[] = "the host is no IPv4 address";
    static const char v6[] = "what is in the brackets is no IPv6 address";
    static const char *const cases[][2] = {
        {"", "the host is missing"},
        {":3306", "the host is missing"},
        {"db1:", port},
        {"db1:0", port},
        {"db1:03306", port},
        {"db1:65536", port},
        {"db1:+1", port},
        {"db1:99999999999999999999", port},
        {"db1:33o6", port},
        {"::1", "an IPv6 address needs brackets, as in [::1]:3306"},
        {"a:1:2", "an IPv6 address needs brackets, as in [::1]:3306"},
        {"[::1", "']' is missing"},
        {"[::1]3306", "only :port may follow ']'"},
        {"[]", v6},
        {"[db1]:3306", v6},
        {"[::1%]", v6},
        {"[::1%a b]", v6},
        {"[127.0.0.1]", v6},
        {"127.1", v4},
        {"10.0.0.256", v4},
        {"1", v4},
        {"root:secret@db1", port},
        {"root@db1", host},
        {"db 1", host},
        {"-db1", host},
        {".db1", host},
        {"tcp(db1:3306)", port},
        {"d\xC3\xBC.example", host},
        {"unix:", "the path of a unix socket must be absolute"},
        {"unix:run/m.sock", "the path of a unix socket must be absolute"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct address address;
        strbuf_reset(&error);
        if (address_parse(cases[i][0], &address, &error))
            fail_msg("'%s' was taken", cases[i][0]);
        assert_string_equal(strbuf_text(&error), cases[i][1]);
    }
}

static void bounds(void **state) {
    char text[300];
    struct address address;
    (void)state;
    memset(text, 'a', sizeof text);
    text[253] = '\0';
    strbuf_reset(&error);
    assert_true(address_parse(text, &address, &error));
    address_release(&address);
    text[253] = 'a';
    text[254] = '\0';
    assert_false(address_parse(text, &address, &error));
    assert_string_equal(strbuf_text(&error), "the host's name may have 253 bytes at most");

    text[0] = '/';
    text[107] = '\0';
    strbuf_reset(&error);
    assert_true(address_parse(text, &address, &error));
    address_release(&address);
    text[107] = 'a';
    text[108] = '\0';
    assert_false(address_parse(text, &address, &error));
    assert_string_equal(strbuf_text(&error), "the path of a unix socket may have 107 bytes at most");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_addresses),
        cmocka_unit_test(bad_addresses),
        cmocka_unit_test(bounds),
    };
    return cmocka_run_group_tests_name("config/address", tests, make_folder, remove_folder);
}
