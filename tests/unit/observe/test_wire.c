/*
 * Packets followed by their headers: what honest servers do is never a breach, and each breach is told, however the
 * bytes are cut.
 */
#include "observe/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A conversation: who speaks, the packet's number, its payload as text of known length. */
struct line {
    enum wire_side side;
    unsigned char sequence;
    const char *payload;
    size_t len;
};

#define S(sequence, text)                                                                                              \
    { WIRE_SERVER, sequence, text, sizeof(text) - 1 }
#define C(sequence, text)                                                                                              \
    { WIRE_CLIENT, sequence, text, sizeof(text) - 1 }
#define COUNT(lines) (sizeof(lines) / sizeof((lines)[0]))

static size_t packet(const struct line *line, unsigned char *out) {
    out[0] = (unsigned char)line->len;
    out[1] = (unsigned char)(line->len >> 8);
    out[2] = (unsigned char)(line->len >> 16);
    out[3] = line->sequence;
    memcpy(out + 4, line->payload, line->len);
    return line->len + 4;
}

/* Feeds all, in pieces of at most `piece` bytes; packets of one side that follow each other are joined. */
static void converse(struct wire *wire, const struct line *lines, size_t count, size_t piece) {
    unsigned char bytes[4096];
    for (size_t i = 0; i < count;) {
        size_t len = 0;
        enum wire_side side = lines[i].side;
        for (; i < count && lines[i].side == side; i++)
            len += packet(&lines[i], bytes + len);
        for (size_t at = 0; at < len; at += piece)
            wire_feed(wire, side, bytes + at, len - at < piece ? len - at : piece);
    }
}

static unsigned all_violations(const struct wire *wire) {
    unsigned sum = 0;
    for (int i = 0; i < WIRE_VIOLATION_COUNT; i++)
        sum += wire->violations[i];
    return sum;
}

#define LOGIN                                                                                                          \
    S(0, "\x0a"                                                                                                        \
         "8.0"),                                                                                                       \
        C(1, "login"), S(2, "\0\0\0\2\0\0\0")
#define QUIT C(0, "\1")

static void honest_servers_are_not_blamed(void **state) {
    static const struct line plain[] = {LOGIN,
                                        C(0, "\x0e"),
                                        S(1, "\0\0\0\2\0\0\0"),
                                        C(0, "\3SELECT 1"),
                                        S(1, "\1"),
                                        S(2, "\3def"),
                                        S(3, "\xfe\0\0\2\0"),
                                        S(4, "\1"
                                             "1"),
                                        S(5, "\xfe\0\0\2\0"),
                                        C(0, "\3DO 1"),
                                        S(1, "\0\0\0\2\0"),
                                        QUIT};
    static const struct line tls_and_switch[] = {S(0, "\x0a"
                                                      "8.0"),
                                                 C(1, "ssl request"),
                                                 C(2, "login"),
                                                 S(3, "\xfe"
                                                      "caching_sha2_password\0salt"),
                                                 C(4, "x"),
                                                 S(5, "\1\4"),
                                                 C(6, "\2"),
                                                 S(7, "\1key"),
                                                 C(8, "secret"),
                                                 S(9, "\0\0\0\2\0\0\0"),
                                                 QUIT};
    static const struct line fast[] = {S(0, "\x0a"
                                            "8.0"),
                                       C(1, "login"), S(2, "\1\3"), S(3, "\0\0\0\2\0\0\0"), QUIT};
    static const struct line refused[] = {S(0, "\xff\x10\4Too many connections")};
    static const struct line many_results[] = {LOGIN,
                                               C(0, "\3CALL p()"),
                                               S(1, "\1"),
                                               S(2, "\3def"),
                                               S(3, "\xfe\0\0\2\0"),
                                               S(4, "\1"
                                                    "1"),
                                               S(5, "\xfe\0\0\x0a\0"),
                                               S(6, "\0\0\0\2\0\0\0"),
                                               C(0, "\x0e"),
                                               S(1, "\0\0\0\2\0\0\0"),
                                               QUIT};
    static const struct line failing[] = {LOGIN, C(0, "\3x"), S(1, "\xff\x28\4#42000no"), QUIT};
    static const struct {
        const struct line *lines;
        size_t count;
    } talks[] = {{plain, COUNT(plain)},     {tls_and_switch, COUNT(tls_and_switch)}, {fast, COUNT(fast)},
                 {refused, COUNT(refused)}, {many_results, COUNT(many_results)},     {failing, COUNT(failing)}};
    (void)state;
    for (size_t t = 0; t < COUNT(talks); t++)
        for (size_t piece = 1; piece < 80; piece++) {
            struct wire wire;
            wire_init(&wire);
            converse(&wire, talks[t].lines, talks[t].count, piece);
            if (all_violations(&wire) || wire_to_blame(&wire) || wire.broken || wire.stream[0].head_len)
                fail_msg("talk %zu in pieces of %zu: a breach that is none", t, piece);
        }
}

static void each_breach_is_told(void **state) {
    static const struct {
        struct line lines[12];
        enum wire_violation violation;
        const char *text;
    } talks[] = {
        {{S(3, "\x0a"
               "8.0")},
         WIRE_SEQUENCE,
         "sequence number 3 where 0 was due"},
        {{S(0, "\x0a"
               "8.0"),
          C(1, "login"), S(5, "\0\0\0\2\0\0\0")},
         WIRE_SEQUENCE,
         "sequence number 5 where 2 was due"},
        {{LOGIN, C(0, "\x0e"), S(0, "\xff\xbf\x0f#HY000idle")},
         WIRE_SEQUENCE,
         "sequence number 0 where 1 was due (an error packet, number 4031)"},
        {{LOGIN, C(0, "\x0e"), S(1, "\0\0\0\2\0\0\0"), S(2, "\0\0\0\2\0\0\0")},
         WIRE_UNEXPECTED_PACKET,
         "a packet of 7 bytes that nobody asked for"},
        {{LOGIN, S(0, "\xff\xbf\x0f#HY000idle")},
         WIRE_UNEXPECTED_PACKET,
         "a packet of 13 bytes that nobody asked for (an error packet, number 4031)"},
        {{S(0, "\x0a"
               "8.0"),
          S(1, "\0\0\0\2\0\0\0")},
         WIRE_UNEXPECTED_PACKET,
         "a packet of 7 bytes that nobody asked for"},
        {{LOGIN, C(0, "\3SELECT 1"), S(1, "\1"), S(2, "\3def"), S(3, "\xfe\0\0\2\0"), S(4, "\1a"), S(5, "\xfe\0\0\2\0"),
          S(6, "\1a")},
         WIRE_UNEXPECTED_PACKET,
         "a packet of 2 bytes that nobody asked for"},
        {{LOGIN, C(0, "\3SELECT 1"), S(1, "\xfb/etc/passwd")},
         WIRE_FILE_REQUEST,
         "the server asked for a file of ours"},
    };
    (void)state;
    for (size_t t = 0; t < COUNT(talks); t++)
        for (size_t piece = 1; piece < 60; piece++) {
            struct wire wire;
            char text[100];
            size_t count = 0;
            while (count < 12 && talks[t].lines[count].payload)
                count++;
            wire_init(&wire);
            converse(&wire, talks[t].lines, count, piece);
            assert_int_equal(wire.violations[talks[t].violation], 1);
            assert_int_equal(all_violations(&wire), 1);
            assert_true(wire_to_blame(&wire));
            wire_describe(&wire, text, sizeof text);
            assert_string_equal(text, talks[t].text);
        }
}

/* A breach explains a failure of the same exchange or of the next, not of one much later. */
static void blame_ends(void **state) {
    static const struct line ping[] = {C(0, "\x0e"), S(1, "\0\0\0\2\0\0\0")};
    static const struct line login[] = {LOGIN, S(3, "\0\0\0\2\0\0\0")};
    struct wire wire;
    (void)state;
    wire_init(&wire);
    converse(&wire, login, COUNT(login), 4096);
    converse(&wire, ping, COUNT(ping), 4096);
    assert_true(wire_to_blame(&wire));
    converse(&wire, ping, COUNT(ping), 4096);
    assert_false(wire_to_blame(&wire));
    assert_int_equal(wire.violations[WIRE_UNEXPECTED_PACKET], 1);
}

static void too_much_is_seen_at_the_header(void **state) {
    static const unsigned char huge[] = {0xff, 0xff, 0xff, 0};
    static const struct line login[] = {LOGIN, C(0, "\3x")};
    struct wire wire;
    (void)state;
    wire_init(&wire);
    wire_feed(&wire, WIRE_SERVER, huge, sizeof huge);
    assert_true(wire.broken);
    assert_int_equal(wire.violations[WIRE_OVERSIZED], 1);

    wire_init(&wire);
    converse(&wire, login, COUNT(login), 4096);
    assert_false(wire.broken);
    static unsigned char row[4 + 65536];
    row[2] = 1;
    row[4] = 1; /* a column count, then columns */
    for (unsigned i = 0; i < WIRE_ANSWER_BYTES / sizeof row + 1; i++) {
        assert_false(wire.broken);
        row[3] = (unsigned char)(i + 1);
        wire_feed(&wire, WIRE_SERVER, row, sizeof row);
    }
    assert_true(wire.broken);
    assert_int_equal(all_violations(&wire), 1); /* sequence numbers that wrap are right */
}

/* A payload of the full 16 MB - 1 is continued; what its continuation begins with means nothing. (Our own side sends
 * it: a server's is more than we take. The 256th packet, for its number to be a command's.) */
static void a_full_packet_goes_on_in_the_next(void **state) {
    static unsigned char full[4 + 0xffffff] = {0xff, 0xff, 0xff, 255, 3};
    static const struct line rest[] = {C(0, "\1"), S(1, "\0\0\0\2\0\0\0"), C(0, "\x0e"), S(1, "\0\0\0\2\0\0\0")};
    static const struct line login[] = {LOGIN, C(0, "\3x")};
    struct wire wire;
    (void)state;
    wire_init(&wire);
    converse(&wire, login, COUNT(login), 4096);
    wire_feed(&wire, WIRE_CLIENT, full, sizeof full);
    converse(&wire, rest, COUNT(rest), 3);
    assert_int_equal(all_violations(&wire), 0);
}

static void the_plugin_is_that_of_the_login_or_of_the_switch(void **state) {
    static const struct line login = C(1, "\x00\x82\x08\x00\0\0\0\1\x2d\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                          "user\0\4hash"
                                          "caching_sha2_password\0attributes");
    static const struct line switched[] = {S(0, "\x0a"
                                                "8.0"),
                                           C(1, "login"),
                                           S(2, "\xfe"
                                                "mysql_native_password\0salt")};
    static const struct line strange[] = {S(0, "\x0a"
                                               "8.0"),
                                          C(1, "login"),
                                          S(2, "\xfe"
                                               "no\nsuch\"plugin\0salt")};
    unsigned char bytes[256];
    size_t len = packet(&login, bytes);
    struct wire wire;
    (void)state;
    wire_init(&wire);
    for (size_t cut = WIRE_HEADER; cut < len; cut++) /* within its bounds, wherever it ends (ASan sees) */
        wire_login(&wire, bytes, cut);
    wire_login(&wire, bytes, len);
    assert_string_equal(wire.plugin, "caching_sha2_password");
    converse(&wire, switched, COUNT(switched), 7);
    assert_string_equal(wire.plugin, "mysql_native_password");
    wire_init(&wire);
    converse(&wire, strange, COUNT(strange), 7);
    assert_string_equal(wire.plugin, "other");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(honest_servers_are_not_blamed),
        cmocka_unit_test(each_breach_is_told),
        cmocka_unit_test(blame_ends),
        cmocka_unit_test(too_much_is_seen_at_the_header),
        cmocka_unit_test(a_full_packet_goes_on_in_the_next),
        cmocka_unit_test(the_plugin_is_that_of_the_login_or_of_the_switch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
