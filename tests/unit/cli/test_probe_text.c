/*
 * What people and programs are shown of probes: golden texts, plain, coloured and JSON, and hostile ones made harmless.
 */
#include "base/clock.h"
#include "base/text.h"
#include "cli/probe_json.h"
#include "cli/probe_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define US NS_PER_US
#define MS NS_PER_MS
#define OUT_MAX 100000
#define LINE "\xE2\x94\x81" /* ━ */

static const struct terminal_style plain = {.columns = 80};
static const struct terminal_style bare = {.utf8 = true, .columns = 80};
static const struct terminal_style rich = {.colour = true, .bars = true, .utf8 = true, .columns = 80};

static struct probe_result success(uint64_t number) {
    return (struct probe_result){.number = number,
                                 .wall_ns = 1700000000 * NS_PER_S + 5,
                                 .ok = true,
                                 .phase_ns = {[PHASE_RESOLVE] = 400,
                                              [PHASE_CONNECT] = 41 * US,
                                              [PHASE_GREETING] = 1234 * US,
                                              [PHASE_TLS] = -1,
                                              [PHASE_AUTH] = 12340 * US,
                                              [PHASE_PING] = 80 * US,
                                              [PHASE_QUERY] = 123400 * US,
                                              [PHASE_HOLD] = -1,
                                              [PHASE_QUIT] = 1500 * MS},
                                 .closed = true,
                                 .close = CLOSE_CLEAN,
                                 .connection_id = 17};
}

static struct probe_result broken(uint64_t number, const char *text) {
    struct probe_result result = {.number = number,
                                  .failure = {.failure = FAILURE_ACCESS_DENIED, .phase = PHASE_AUTH, .code = 1045}};
    for (int i = 0; i < PHASE_COUNT; i++)
        result.phase_ns[i] = i < PHASE_GREETING ? (i + 1) * MS : -1;
    snprintf(result.failure.text, sizeof result.failure.text, "%s", text);
    return result;
}

static void assert_text(struct strbuf *out, const char *expected) {
    assert_false(strbuf_failed(out));
    assert_string_equal(strbuf_text(out), expected);
    strbuf_release(out);
}

static void times_have_three_digits(void **state) {
    (void)state;
    const struct {
        int64_t ns;
        const char *text;
    } cases[] = {
        {0, "0.0us"},          {449, "0.4us"},        {9949, "9.9us"},        {9950, "10us"},
        {999499, "999us"},     {999500, "1.00ms"},    {9994999, "9.99ms"},    {9995000, "10.0ms"},
        {99949999, "99.9ms"},  {99950000, "100ms"},   {999499999, "999ms"},   {999500000, "1.00s"},
        {9994999999, "9.99s"}, {9995000000, "10.0s"}, {99949999999, "99.9s"}, {100000000000, "100s"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct strbuf out;
        strbuf_init(&out, 100);
        probe_text_add_time(&out, cases[i].ns, false);
        assert_text(&out, cases[i].text);
    }
}

static void plain_lines(void **state) {
    (void)state;
    struct probe_text text = {.style = plain};
    struct probe_result first = success(1), second = success(2), failed = broken(3, "no"), again = broken(4, "no");
    struct strbuf out;
    snprintf(first.address, sizeof first.address, "192.0.2.1");
    second.tls_version = "TLSv1.3";
    second.tls_cipher = "AES\033";
    second.auth_plugin = "some_plugin";
    strbuf_init(&out, OUT_MAX);
    probe_text_result(&text, &first, &out);
    probe_text_result(&text, &first, &out);
    second.phase_ns[PHASE_TLS] = 2 * MS; /* a new phase is a new heading */
    second.close = CLOSE_UNEXPECTED_DATA;
    probe_text_result(&text, &second, &out);
    probe_text_result(&text, &failed, &out);
    again.closed = true;
    again.close = CLOSE_RESET;
    probe_text_result(&text, &again, &out);
    assert_text(&out, "  via 192.0.2.1\n"
                      "   # resolve connect greeting   auth   ping  query   quit  total  close\n"
                      "   1   0.4us    41us   1.23ms 12.3ms   80us  123ms  1.50s  1.64s  clean\n"
                      "   1   0.4us    41us   1.23ms 12.3ms   80us  123ms  1.50s  1.64s  clean\n"
                      "  via TLSv1.3 AES?, some_plugin\n"
                      "   # resolve connect greeting    tls   auth   ping  query   quit  total  close\n"
                      "   2   0.4us    41us   1.23ms 2.00ms 12.3ms   80us  123ms  1.50s  1.64s  unexpected_data\n"
                      "   3  1.00ms  2.00ms  auth: access_denied (1045)\n"
                      "     no\n"
                      "   4  1.00ms  2.00ms  auth: access_denied (1045), close: reset\n");
}

static void a_failure_before_any_phase(void **state) {
    (void)state;
    struct probe_text text = {.style = plain};
    struct probe_result result = broken(1, "");
    struct strbuf out;
    for (int i = 0; i < PHASE_COUNT; i++)
        result.phase_ns[i] = -1;
    strbuf_init(&out, OUT_MAX);
    probe_text_result(&text, &result, &out);
    assert_text(&out, "   1  auth: access_denied (1045)\n");
}

static void coloured_lines(void **state) {
    (void)state;
    struct probe_text text = {.style = rich};
    struct probe_result ok = {.number = 1, .ok = true, .closed = true, .close = CLOSE_CLEAN};
    struct probe_result failed = broken(2, "no");
    struct strbuf out;
    for (int i = 0; i < PHASE_COUNT; i++) {
        ok.phase_ns[i] = i == PHASE_CONNECT ? 6 * US : i == PHASE_QUIT ? 2 * US : -1;
        failed.phase_ns[i] = -1;
    }
    text.style.columns = 43; /* leaves 8 for the bar */
    strbuf_init(&out, OUT_MAX);
    probe_text_result(&text, &ok, &out);
    probe_text_result(&text, &failed, &out);
    assert_text(&out,
                "   \033[2m#\033[0m \033[34mconnect\033[0m   \033[96mquit\033[0m  \033[1mtotal\033[0m"
                "  \033[2mclose\033[0m\n"
                "   \033[2m1\033[0m   6.0\xC2\xB5s  2.0\xC2\xB5s  \033[1m8.0\xC2\xB5s\033[0m  \033[32mclean\033[0m"
                "  \033[34m" LINE LINE LINE LINE LINE LINE "\033[0m\033[96m" LINE LINE "\033[0m\n"
                "   \033[2m2\033[0m  \033[1;31mauth: access_denied (1045)\033[0m\n"
                "     \033[2mno\033[0m\n");
}

/* No line that leaves nothing out is wider than the terminal. */
static void fits_80_columns(void **state) {
    (void)state;
    struct probe_text text = {.style = rich};
    struct probe_result result = success(9999);
    struct strbuf out;
    text.style.colour = text.style.utf8 = false; /* a byte a column */
    for (int i = 0; i < PHASE_COUNT; i++)
        result.phase_ns[i] = 99900 * MS;
    for (int leave_out = 0; leave_out < PHASE_COUNT; leave_out++) {
        strbuf_init(&out, OUT_MAX);
        text.shown = 0;
        probe_text_result(&text, &result, &out);
        result.phase_ns[leave_out] = -1;
        for (const char *line = strbuf_text(&out); *line; line += strcspn(line, "\n") + 1)
            assert_in_range(strcspn(line, "\n"), 1, 80);
        strbuf_release(&out);
    }
}

static void add(struct probe_summary *summary, struct probe_result result) {
    assert_true(probe_summary_add(summary, &result));
}

static void fill(struct probe_summary *summary) {
    struct probe_result result = success(1);
    for (int i = 0; i < PHASE_COUNT; i++)
        result.phase_ns[i] = -1;
    for (int i = 1; i <= 200; i++) {
        result.phase_ns[PHASE_CONNECT] = (201 - i) * US;
        result.phase_ns[PHASE_PING] = 300 * US;
        add(summary, result);
    }
    add(summary, broken(201, "first"));
    add(summary, broken(202, "last"));
    summary->duration_ns = 201 * NS_PER_S;
    summary->self_aborts = 2;
    summary->retransmissions = 3;
}

static void plain_summary(void **state) {
    (void)state;
    struct probe_summary summary = {0};
    struct strbuf out;
    fill(&summary);
    strbuf_init(&out, OUT_MAX);
    probe_text_summary(&bare, "db1:3306", &summary, &out);
    assert_text(&out, "\n--- db1:3306 ---\n"
                      "202 probes in 201s: 200 succeeded, 2 failed (0.99% loss)\n"
                      "               min  median     p99     max\n"
                      "resolve     1.00ms  1.00ms  1.00ms  1.00ms\n"
                      "connect      1.0\xC2\xB5s   101\xC2\xB5s   200\xC2\xB5s  2.00ms\n"
                      "ping (RTT)   300\xC2\xB5s   300\xC2\xB5s   300\xC2\xB5s   300\xC2\xB5s\n"
                      "total        301\xC2\xB5s   400\xC2\xB5s   498\xC2\xB5s   500\xC2\xB5s\n"
                      "close     200 clean\n"
                      "TCP had to send 3 segments again.\n"
                      "The server counts 2 connections of ours as aborted.\n"
                      "2 failed: auth: access_denied (1045)\n"
                      "  errors 1045, 1698: wrong user or password\n"
                      "  last\n");
    probe_summary_release(&summary);
}

static void coloured_summary(void **state) {
    (void)state;
    struct probe_summary summary = {0};
    struct terminal_style style = rich;
    struct probe_result result = success(1);
    struct strbuf out;
    for (int i = 0; i < PHASE_COUNT; i++)
        result.phase_ns[i] = i == PHASE_CONNECT ? 30 * US : i == PHASE_PING ? 10 * US : -1;
    add(&summary, result);
    style.columns = 53; /* leaves 8 for the bars */
    strbuf_init(&out, OUT_MAX);
    probe_text_summary(&style, "h", &summary, &out);
    assert_text(&out,
                "\n--- h ---\n1 probe in 0.0\xC2\xB5s: 1 succeeded, \033[32m0 failed (0% loss)\033[0m\n"
                "               \033[2mmin\033[0m  \033[2mmedian\033[0m     \033[2mp99\033[0m     \033[2mmax\033[0m\n"
                "\033[34mconnect\033[0m       30\xC2\xB5s    \033[1m30\xC2\xB5s\033[0m    30\xC2\xB5s    30\xC2\xB5s"
                "  \033[34m" LINE LINE LINE LINE LINE LINE "\033[0m\n"
                "\033[95mping (RTT)\033[0m    10\xC2\xB5s    \033[1m10\xC2\xB5s\033[0m    10\xC2\xB5s    10\xC2\xB5s"
                "        \033[95m" LINE LINE "\033[0m\n"
                "\033[1mtotal\033[0m         40\xC2\xB5s    \033[1m40\xC2\xB5s\033[0m    40\xC2\xB5s    40\xC2\xB5s\n"
                "close     1 \033[32mclean\033[0m\n");
    probe_summary_release(&summary);
}

static void summary_of_nothing(void **state) {
    (void)state;
    struct probe_summary summary = {0};
    struct strbuf out;
    strbuf_init(&out, OUT_MAX);
    probe_text_summary(&plain, "h", &summary, &out);
    assert_text(&out, "\n--- h ---\n0 probes in 0.0us: 0 succeeded, 0 failed (0% loss)\n");
}

static void json(void **state) {
    (void)state;
    struct probe_summary summary = {0};
    struct probe_result ok = success(1), failed = broken(2, "a\"\033[31m\xff");
    struct strbuf out;
    snprintf(ok.address, sizeof ok.address, "::1");
    ok.tls_version = "TLSv1.3";
    ok.tcp = (struct tcp_facts){.known = true, .min_rtt_ns = 21 * US, .retransmissions = 3};
    strbuf_init(&out, OUT_MAX);
    probe_json_result("db1", &ok, &out);
    probe_json_result("db1", &failed, &out);
    assert_text(&out, "{\"type\":\"probe\",\"host\":\"db1\",\"number\":1,\"time\":1700000000.000000005,\"ok\":true,"
                      "\"connection_id\":17,\"address\":\"::1\",\"tls_version\":\"TLSv1.3\",\"phase_seconds\":{"
                      "\"resolve\":0.000000400,\"connect\":0.000041000,"
                      "\"greeting\":0.001234000,\"auth\":0.012340000,\"ping\":0.000080000,\"query\":0.123400000,"
                      "\"quit\":1.500000000},\"total_seconds\":1.637095400,\"tcp_min_rtt_seconds\":0.000021000,\"tcp_"
                      "retransmissions\":3,\"close\":\"clean\"}\n"
                      "{\"type\":\"probe\",\"host\":\"db1\",\"number\":2,\"time\":0.000000000,\"ok\":false,"
                      "\"phase_seconds\":{\"resolve\":0.001000000,\"connect\":0.002000000},"
                      "\"failure\":{\"phase\":\"auth\",\"reason\":\"access_denied\",\"code\":1045,"
                      "\"text\":\"a\\\"\\u001b[31m\xEF\xBF\xBD\"}}\n");
    fill(&summary);
    add(&summary, (struct probe_result){.failure = {.failure = FAILURE_RESET, .phase = PHASE_QUERY}});
    strbuf_init(&out, OUT_MAX);
    probe_json_summary("db1", &summary, &out);
    assert_non_null(
        strstr(strbuf_text(&out), "\"connect\":{\"count\":203,\"min\":0.000000000,\"median\":0.000101000,"));
    assert_non_null(strstr(strbuf_text(&out),
                           "\"closes\":{\"clean\":200},\"failures\":[{\"count\":2,\"phase\":\"auth\","
                           "\"reason\":\"access_denied\",\"code\":1045,\"text\":\"last\"},"
                           "{\"count\":1,\"phase\":\"query\",\"reason\":\"reset\",\"code\":0,"
                           "\"text\":\"\"}],\"tcp_retransmissions\":3,\"self_aborts\":2,"
                           "\"aborts_on_purpose\":0}\n"));
    strbuf_release(&out);
    probe_summary_release(&summary);
}

/* Nearest rank, for few and for more than are kept. */
static void quantiles(void **state) {
    (void)state;
    struct probe_summary summary = {0};
    struct probe_result result = success(1);
    struct quantiles q;
    assert_false(samples_quantiles(&summary.phase[PHASE_PING], &q));
    for (int64_t i = 1; i <= 3; i++) {
        result.phase_ns[PHASE_PING] = 4 - i;
        add(&summary, result);
    }
    assert_true(samples_quantiles(&summary.phase[PHASE_PING], &q));
    assert_int_equal(q.min_ns, 1);
    assert_int_equal(q.median_ns, 2);
    assert_int_equal(q.p99_ns, 3);
    for (int64_t i = 4; i <= SAMPLES_MAX + 10; i++) {
        result.phase_ns[PHASE_PING] = i;
        add(&summary, result);
    }
    assert_true(samples_quantiles(&summary.phase[PHASE_PING], &q));
    assert_int_equal(summary.phase[PHASE_PING].capacity, SAMPLES_MAX);
    assert_int_equal(q.min_ns, 1);
    assert_int_equal(q.median_ns, 10 + SAMPLES_MAX / 2);
    assert_int_equal(q.p99_ns, 10 + SAMPLES_MAX / 100 * 99);
    assert_int_equal(q.max_ns, SAMPLES_MAX + 10);
    probe_summary_release(&summary);
}

static void check_safe(const char *in, size_t len, bool utf8, const char *expected) {
    struct strbuf out;
    strbuf_init(&out, OUT_MAX);
    text_add_terminal(&out, (struct span){in, len}, utf8);
    assert_text(&out, expected);
}
#define CHECK_SAFE(in, utf8, expected) check_safe((in), sizeof(in) - 1, (utf8), (expected))
#define FFFD "\xEF\xBF\xBD"

static void nothing_steers_the_terminal(void **state) {
    /* U+202E and U+2066 turn the direction of writing, U+2028 is a line separator. No literal: compilers warn of it. */
    static const char turning[] = {'\xE2', '\x80', '\xAE', '\xE2', '\x81', '\xA6', '\xE2', '\x80', '\xA8'};
    (void)state;
    CHECK_SAFE("a\033[2J\a\x7f\n\0b", true, "a" FFFD "[2J" FFFD FFFD FFFD FFFD "b");
    CHECK_SAFE("\xC2\x9B"
               "31m",
               true, FFFD "31m"); /* CSI as a C1 control */
    CHECK_SAFE("\x9B"
               "31m",
               true, FFFD "31m");
    for (size_t i = 0; i < sizeof turning; i += 3)
        check_safe(turning + i, 3, true, FFFD);
    CHECK_SAFE("Zugriff f\xC3\xBCr \xE2\x80\x9Cu\xE2\x80\x9D \xF0\x9F\x90\xAC", true,
               "Zugriff f\xC3\xBCr \xE2\x80\x9Cu\xE2\x80\x9D \xF0\x9F\x90\xAC");
    CHECK_SAFE("f\xC3\xBCr\033\xC2\x9B", false, "f?r??");
}

static void hostile_texts_are_harmless(void **state) {
    (void)state;
    struct probe_text text = {.style = bare};
    struct probe_summary summary = {0};
    struct probe_result result = broken(1, "\033]0;owned\a\xC2\x9B"
                                           "2J\r\n\xff");
    struct strbuf out;
    strbuf_init(&out, OUT_MAX);
    probe_text_result(&text, &result, &out);
    add(&summary, result);
    probe_text_summary(&bare, "h\033[1m", &summary, &out);
    assert_null(strchr(strbuf_text(&out), '\033'));
    assert_null(strchr(strbuf_text(&out), '\a'));
    assert_null(strchr(strbuf_text(&out), '\r'));
    assert_null(strstr(strbuf_text(&out), "\xC2\x9B"));
    assert_non_null(strstr(strbuf_text(&out), FFFD "]0;owned"));
    strbuf_release(&out);
    probe_summary_release(&summary);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_have_three_digits),
        cmocka_unit_test(plain_lines),
        cmocka_unit_test(a_failure_before_any_phase),
        cmocka_unit_test(coloured_lines),
        cmocka_unit_test(fits_80_columns),
        cmocka_unit_test(plain_summary),
        cmocka_unit_test(coloured_summary),
        cmocka_unit_test(summary_of_nothing),
        cmocka_unit_test(json),
        cmocka_unit_test(quantiles),
        cmocka_unit_test(nothing_steers_the_terminal),
        cmocka_unit_test(hostile_texts_are_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
