/*
 * The kernel's counters out of its files: recorded ones (Linux 6.18 and 3.10), and what no kernel writes.
 */
#include "observe/net_counters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Shortened: some columns of each line. */
static const char netstat[] =
    "TcpExt: SyncookiesSent SyncookiesRecv SyncookiesFailed EmbryonicRsts PruneCalled RcvPruned ListenOverflows "
    "ListenDrops TCPTimeouts TCPAbortOnData TCPAbortOnClose TCPSynRetrans TCPOrigDataSent\n"
    "TcpExt: 0 0 7 1 2 0 9353 9354 187051 17212 7655 7633 16848682\n"
    "IpExt: InNoRoutes InTruncatedPkts InMcastPkts\n"
    "IpExt: 0 5 6\n"
    "MPTcpExt: MPCapableSYNRX ListenOverflows\n"
    "MPTcpExt: 1 2\n";
static const char snmp[] = "Ip: Forwarding DefaultTTL InReceives\n"
                           "Ip: 2 64 27285249\n"
                           "Icmp: InMsgs InErrors\n"
                           "Icmp: 3 1\n"
                           "Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets "
                           "CurrEstab InSegs OutSegs "
                           "RetransSegs InErrs OutRsts InCsumErrors\n"
                           "Tcp: 1 200 120000 -1 1346901 1306858 38015 73101 0 27285507 27492808 23222 4 97249 0\n"
                           "Udp: InDatagrams NoPorts InErrors\n"
                           "Udp: 1773 0 0\n";
static const char old_snmp[] = "Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails "
                               "EstabResets CurrEstab InSegs OutSegs "
                               "RetransSegs InErrs OutRsts\n"
                               "Tcp: 1 200 120000 -1 1 2 3 4 5 6 7 8 9 10\n";
static const char dev[] =
    "Inter-|   Receive                                                |  Transmit\n"
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier "
    "compressed\n"
    "    lo: 50795161748 27259642    0    0    0     0          0         0 50795161748 27259642    0    0    0     0  "
    "     0          0\n"
    "  eth0:1132000689   27783    1    2    0     0          0         0  1336694   17511    4    8    0     0       0 "
    " "
    "        0\n";

static bool knows(const struct net_counters *c, enum net_counter counter, uint64_t value) {
    return c->known >> counter & 1 && c->value[counter] == value;
}

static struct net_counters read(const char *text) {
    struct net_counters c = {.known = 0};
    char *exact = malloc(strlen(text) + !*text); /* so that the sanitizer sees a byte that is read behind it */
    memcpy(exact, text, strlen(text));
    net_counters_read(&c, (struct span){exact, strlen(text)});
    free(exact);
    return c;
}

static void names_and_values_are_paired(void **state) {
    (void)state;
    struct net_counters c = read(netstat);
    assert_true(knows(&c, NET_LISTEN_OVERFLOWS, 9353));
    assert_true(knows(&c, NET_LISTEN_DROPS, 9354));
    assert_true(knows(&c, NET_SYNCOOKIES_FAILED, 7));
    assert_true(knows(&c, NET_SYN_RETRANS, 7633));
    assert_false(c.known >> NET_RETRANS_SEGS & 1);
    net_counters_read(&c, span_of(snmp));
    assert_true(knows(&c, NET_RETRANS_SEGS, 23222));
    assert_true(knows(&c, NET_OUT_RSTS, 97249));
    assert_true(knows(&c, NET_IN_ERRORS, 4)); /* Tcp's, not Icmp's or Udp's InErrors */
    assert_true(knows(&c, NET_IN_CSUM_ERRORS, 0));
    assert_true(knows(&c, NET_LISTEN_OVERFLOWS, 9353));
}

static void what_an_old_kernel_lacks_is_not_known(void **state) {
    (void)state;
    struct net_counters c = read(old_snmp);
    assert_true(knows(&c, NET_OUT_RSTS, 10));
    assert_false(c.known >> NET_IN_CSUM_ERRORS & 1);
    assert_false(c.known >> NET_LISTEN_OVERFLOWS & 1);
}

static void hostile_counters(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t known;
    } cases[] = {
        {"", 0},
        {"\n", 0},
        {"\n\n\n\n", 0},
        {":", 0},
        {":\n:\n", 0},
        {"Tcp", 0},
        {"Tcp:", 0},
        {"Tcp: OutRsts", 0},
        {"Tcp: OutRsts\n", 0},
        {"Tcp: OutRsts\nTcp:", 0},
        {"Tcp: OutRsts\nTcp: ", 0},
        {"Tcp: OutRsts\nTcp: 1", 1},
        {"Tcp: OutRsts \nTcp:      1    ", 1},
        {"Tcp: OutRsts\nTcp: -1\n", 0},
        {"Tcp: OutRsts\nTcp: 18446744073709551616\n", 0},
        {"Tcp: OutRsts\nTcp: 0x7\n", 0},
        {"Tcp: OutRsts\nUdp: 7\n", 0},
        {"Tcp: OutRsts\nTcp 7\n", 0},
        {"Udp: OutRsts\nUdp: 7\n", 0},
        {"Tcp: OutRsts\nTcp: 7 8 9\n", 1},
        {"Tcp: X OutRsts Y\nTcp: 7\n", 0},
        {"X: a\nTcp: OutRsts\nTcp: 7\n", 0}, /* out of step from the first line on */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct net_counters c = read(cases[i].text);
        assert_int_equal(c.known, cases[i].known << NET_OUT_RSTS);
    }
    char text[sizeof netstat];
    memcpy(text, netstat, sizeof text);
    for (size_t i = 0; i + 1 < sizeof netstat; i++) { /* cut anywhere, and each byte broken */
        text[i] = '\0';
        read(text);
        text[i] = '\xff';
        read(text);
        text[i] = ':';
        read(text);
        text[i] = netstat[i];
    }
}

static void interfaces(void **state) {
    (void)state;
    struct net_counters c = {.known = 0};
    struct net_interfaces all;
    net_interfaces_read(&c, &all, span_of(dev));
    assert_int_equal(all.count, 2);
    assert_int_equal(all.further, 0);
    assert_string_equal(all.kept[0].name, "lo");
    assert_string_equal(all.kept[1].name, "eth0");
    assert_int_equal(all.kept[1].receive_errors, 1);
    assert_int_equal(all.kept[1].receive_drops, 2);
    assert_int_equal(all.kept[1].transmit_errors, 4);
    assert_int_equal(all.kept[1].transmit_drops, 8);
    assert_true(knows(&c, NET_INTERFACE_ERRORS, 5));
    assert_true(knows(&c, NET_INTERFACE_DROPS, 10));
}

static void many_interfaces_and_hostile_ones(void **state) {
    (void)state;
    enum { MANY = 1000 };
    struct net_counters c = {.known = 0};
    struct net_interfaces all;
    struct strbuf text;
    strbuf_init(&text, 1 << 20);
    for (int i = 0; i < MANY; i++)
        strbuf_addf(&text, "veth%d: 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n", i);
    net_interfaces_read(&c, &all, span_of(strbuf_text(&text)));
    assert_int_equal(all.count, NET_INTERFACES_MAX);
    assert_int_equal(all.further, MANY - NET_INTERFACES_MAX);
    assert_true(knows(&c, NET_INTERFACE_ERRORS, 2 * MANY));
    strbuf_release(&text);

    static const char *const cases[] = {"",
                                        ":",
                                        "eth0",
                                        "eth0:",
                                        "eth0: 1 2 3",
                                        "eth0: 1 2 3 4 5 6 7 8 9 10 11 x",
                                        ": 1 2 3 4 5 6 7 8 9 10 11 12",
                                        "eth0: -1 2 3 4 5 6 7 8 9 10 11 12",
                                        "an-interface-name-that-is-too-long: 1 2 3 4 5 6 7 8 9 10 11 12",
                                        " face |bytes    packets: errs drop"};
    c.known = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        net_interfaces_read(&c, &all, span_of(cases[i]));
        assert_int_equal(all.count, 0);
        assert_int_equal(c.known, 0);
    }
    net_interfaces_read(&c, &all,
                        span_of("a: 0 0 18446744073709551615 0 0 0 0 0 0 0 1 0 0 0 0 0\n"
                                "b: 0 0 18446744073709551615 0 0 0 0 0 0 0 1 0"));
    assert_true(knows(&c, NET_INTERFACE_ERRORS, UINT64_MAX));
    assert_int_equal(all.count, 2);
}

static void names(void **state) {
    (void)state;
    assert_string_equal(net_counter_name(NET_LISTEN_OVERFLOWS), "TcpExtListenOverflows");
    assert_string_equal(net_counter_short(NET_RETRANS_SEGS), "RetransSegs");
    for (int i = 0; i < NET_COUNTER_COUNT; i++)
        assert_true(strlen(net_counter_meaning((enum net_counter)i)) > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_values_are_paired),
        cmocka_unit_test(what_an_old_kernel_lacks_is_not_known),
        cmocka_unit_test(hostile_counters),
        cmocka_unit_test(interfaces),
        cmocka_unit_test(many_interfaces_and_hostile_ones),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
