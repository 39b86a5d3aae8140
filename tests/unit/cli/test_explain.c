/*
 * What people and programs are shown of error logs: golden texts, plain, coloured and JSON, and hostile ones made
 * harmless.
 */
#include "base/clock.h"
#include "cli/explain_json.h"
#include "cli/explain_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define OUT_MAX 1000000
#define LINE "\xE2\x94\x81" /* ━ */
#define FFFD "\xEF\xBF\xBD"
#define NOON (INT64_C(1795219200) + 12 * 3600) /* 2026-11-21 */

static const struct terminal_style plain = {.utf8 = true, .columns = 80};
static const struct terminal_style rich = {.colour = true, .bars = true, .utf8 = true, .columns = 80};

static struct span text(const char *s) {
    return s ? span_of(s) : (struct span){0};
}

static struct log_event event(enum log_event_kind kind, int64_t second, const char *user, const char *host,
                              const char *reason) {
    return (struct log_event){.kind = kind,
                              .time = LOG_TIME_UTC,
                              .wall_ns = second * NS_PER_S,
                              .line = 7,
                              .connection_id = 5,
                              .db = text("shop"),
                              .user = text(user),
                              .host = text(host),
                              .reason = text(reason)};
}

static void add(struct explain_summary *summary, struct log_event e) {
    explain_summary_add(summary, &e);
}

static void assert_text(struct strbuf *out, const char *expected) {
    assert_false(strbuf_failed(out));
    assert_string_equal(strbuf_text(out), expected);
    strbuf_release(out);
}

static struct explain_summary *filled(void) {
    struct explain_summary *summary = explain_summary_new();
    assert_non_null(summary);
    for (int i = 0; i < 3; i++)
        add(summary, event(LOG_EVENT_ABORTED, NOON + 20 * i, "app", "10.0.0.1", "Got an error"));
    add(summary, event(LOG_EVENT_ABORTED, NOON + 7, "", "10.0.0.2", NULL));
    add(summary, event(LOG_EVENT_ACCESS_DENIED, NOON + 90, "root", "10.0.0.3", NULL));
    struct log_event forged = event(LOG_EVENT_ABORTED, NOON, "victim", "h", "r");
    forged.suspect = true;
    add(summary, forged);
    return summary;
}

static const struct explain_file one = {.name = "dir/a.log", .lines = 9, .bytes = 1234};

static void plain_summary(void **state) {
    (void)state;
    struct explain_summary *summary = filled();
    struct strbuf out;
    strbuf_init(&out, OUT_MAX);
    explain_text_summary(&plain, &one, 1, summary, 1, &out);
    assert_text(&out, "dir/a.log: 9 lines, 1.2 kB\n"
                      "\n"
                      "event                         count  first                last (UTC)\n"
                      "aborted                           4  2026-11-21 12:00:00  2026-11-21 12:00:40\n"
                      "access_denied                     1  2026-11-21 12:01:30  2026-11-21 12:01:30\n"
                      "\n"
                      "aborts by reason\n"
                      "           3   75.0%  Got an error\n"
                      "           1   25.0%  (the line does not say)\n"
                      "\n"
                      "aborts by user\n"
                      "           3   75.0%  app\n"
                      "           1   25.0%  (all others)\n"
                      "\n"
                      "aborts by host\n"
                      "           3   75.0%  10.0.0.1\n"
                      "           1   25.0%  (all others)\n"
                      "\n"
                      "aborts by database\n"
                      "           4  100.0%  shop\n"
                      "\n"
                      "noisiest clients\n"
                      "           3   75.0%  app@10.0.0.1\n"
                      "           1   25.0%  (all others)\n"
                      "\n"
                      "aborts over time, 2 seconds each\n"
                      "  2026-11-21 12:00:00           1\n"
                      "  2026-11-21 12:00:02           0\n"
                      "  2026-11-21 12:00:04           0\n"
                      "  2026-11-21 12:00:06           1\n"
                      "  2026-11-21 12:00:08           0\n"
                      "  2026-11-21 12:00:10           0\n"
                      "  2026-11-21 12:00:12           0\n"
                      "  2026-11-21 12:00:14           0\n"
                      "  2026-11-21 12:00:16           0\n"
                      "  2026-11-21 12:00:18           0\n"
                      "  2026-11-21 12:00:20           1\n"
                      "  2026-11-21 12:00:22           0\n"
                      "  2026-11-21 12:00:24           0\n"
                      "  2026-11-21 12:00:26           0\n"
                      "  2026-11-21 12:00:28           0\n"
                      "  2026-11-21 12:00:30           0\n"
                      "  2026-11-21 12:00:32           0\n"
                      "  2026-11-21 12:00:34           0\n"
                      "  2026-11-21 12:00:36           0\n"
                      "  2026-11-21 12:00:38           0\n"
                      "  2026-11-21 12:00:40           1\n"
                      "\n"
                      "refused logins by client\n"
                      "           1  100.0%  root@10.0.0.3\n"
                      "\n"
                      "forged by a client, counted nowhere above: 1 line in the form of aborted\n");
    explain_summary_free(summary);
}

static void nothing_found(void **state) {
    (void)state;
    struct explain_summary *summary = explain_summary_new();
    const struct explain_file files[] = {{.name = "-", .lines = 1, .bytes = 1},
                                         {.name = "b", .cut_lines = 1, .error = "No such file"}};
    struct strbuf out;
    summary->outside = 2;
    summary->without_time = 1;
    strbuf_init(&out, OUT_MAX);
    explain_text_summary(&plain, files, 2, summary, 10, &out);
    assert_text(&out, "stdin: 1 line, 1 B\n"
                      "b: 0 lines, 0 B, 1 line cut, No such file\n"
                      "\n"
                      "2 events outside of --since and --until left out\n"
                      "1 event without a time left out\n"
                      "No aborted connection among what was not left out.\n");
    summary->outside = summary->without_time = 0;
    strbuf_init(&out, OUT_MAX);
    explain_text_summary(&plain, files, 1, summary, 10, &out);
    assert_text(&out, "stdin: 1 line, 1 B\n"
                      "\n"
                      "No aborted connection. MySQL 8 logs them with log_error_verbosity=3 only, MariaDB\n"
                      "with log_warnings=2 (its default) or more.\n");
    strbuf_init(&out, OUT_MAX);
    explain_text_summary(&plain, files + 1, 1, summary, 10, &out);
    assert_text(&out, "b: 0 lines, 0 B, 1 line cut, No such file\n");
    explain_summary_free(summary);
}

static void coloured_summary(void **state) {
    (void)state;
    struct explain_summary *summary = filled();
    struct strbuf out;
    strbuf_init(&out, OUT_MAX);
    explain_text_summary(&rich, &one, 1, summary, 10, &out);
    assert_non_null(strstr(strbuf_text(&out),
                           "\033[1maborts by user\033[0m\n           \033[1m3\033[0m   75.0%  \033[36m" LINE LINE LINE
                               LINE LINE LINE LINE LINE LINE LINE LINE LINE LINE LINE LINE
                           "\033[0m       app\n           \033[1m1\033[0m   25.0%  \033[36m" LINE LINE LINE LINE LINE
                           "\033[0m                 ''\n"));
    strbuf_release(&out);
    explain_summary_free(summary);
}

/* Whatever the names, no line is wider than the terminal. */
static void fits_80_columns(void **state) {
    (void)state;
    struct explain_summary *summary = explain_summary_new();
    struct terminal_style style = {.bars = true, .columns = 80};
    char name[300];
    struct strbuf out;
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    struct log_event e = event(LOG_EVENT_ABORTED, NOON, name, name, name);
    e.db = text(name);
    add(summary, e);
    e.kind = LOG_EVENT_ACCESS_DENIED;
    add(summary, e);
    e.suspect = true;
    add(summary, e);
    e = event(LOG_EVENT_ABORTED, NOON + 100, "u", "h", "r");
    e.time = LOG_TIME_LOCAL;
    add(summary, e);
    strbuf_init(&out, OUT_MAX);
    explain_text_summary(&style, &(struct explain_file){.name = "error.log", .lines = 123456789, .bytes = 99999999}, 1,
                         summary, 10, &out);
    assert_non_null(strstr(strbuf_text(&out), "--time-zone"));
    for (const char *line = strbuf_text(&out); *line; line += strcspn(line, "\n") + 1)
        assert_in_range(strcspn(line, "\n"), 0, 80);
    strbuf_release(&out);
    strbuf_init(&out, OUT_MAX);
    explain_text_progress(&style, name, (struct explain_progress){.read = 555555555, .size = 9999999999},
                          NS_PER_S / 100, &out);
    assert_in_range(out.len, 60, 79);
    strbuf_release(&out);
    explain_summary_free(summary);
}

/* What names nobody has chosen, the table of kinds, is as wide as it is. */
static void rows_and_progress_fit_40_columns(void **state) {
    (void)state;
    struct explain_summary *summary = explain_summary_new();
    struct terminal_style style = {.bars = true, .columns = 40};
    struct strbuf out;
    add(summary, event(LOG_EVENT_ABORTED, NOON, "application", "198.51.100.7", "Got an error reading"));
    strbuf_init(&out, OUT_MAX);
    explain_text_summary(&style, &(struct explain_file){.name = "error.log"}, 1, summary, 10, &out);
    const char *by_user = strstr(strbuf_text(&out), "aborts by reason");
    assert_non_null(by_user);
    for (const char *line = by_user; *line; line += strcspn(line, "\n") + 1)
        assert_in_range(strcspn(line, "\n"), 0, 40);
    assert_non_null(strstr(by_user, "  applicat\n"));
    strbuf_reset(&out);
    explain_text_progress(&style, "a-log-of-a-long-name.log",
                          (struct explain_progress){.read = 555555555, .size = 9999999999}, NS_PER_S / 100, &out);
    assert_in_range(out.len, 20, 39);
    strbuf_release(&out);
    explain_summary_free(summary);
}

static void progress(void **state) {
    (void)state;
    struct strbuf out;
    strbuf_init(&out, OUT_MAX);
    explain_text_progress(&plain, "/var/log/mysql/error.log",
                          (struct explain_progress){.read = 2000000000, .size = 10000000000}, 2 * NS_PER_S, &out);
    assert_text(&out, "error.log  20% " LINE LINE LINE LINE "                 2.0 GB, 1.0 GB/s, 8 s left");
    strbuf_init(&out, OUT_MAX);
    explain_text_progress(&plain, "-", (struct explain_progress){.read = 2000}, 0, &out);
    assert_text(&out, "- 2.0 kB, 0 B/s");
}

/* More clients than are kept: the figures are said to be lower bounds. */
static void lower_bounds(void **state) {
    (void)state;
    struct explain_summary *summary = explain_summary_new();
    char user[32];
    struct strbuf out;
    for (int i = 0; i < 5000; i++) {
        snprintf(user, sizeof user, "user%d", i);
        add(summary, event(LOG_EVENT_ABORTED, NOON, user, "h", "r"));
        add(summary, event(LOG_EVENT_ABORTED, NOON, "often", "h", "r"));
    }
    strbuf_init(&out, OUT_MAX);
    explain_text_summary(&plain, &one, 1, summary, 1, &out);
    assert_non_null(strstr(strbuf_text(&out), "aborts by user\n      \xE2\x89\xA5 4998   50.0%  often\n"
                                              "        5002   50.0%  (all others)\n"
                                              "There are too many different ones: each count may be up to 2 too low.\n"
                                              "\naborts by host\n       10000  100.0%  h\n"));
    strbuf_release(&out);
    strbuf_init(&out, OUT_MAX);
    explain_json_summary(&one, 1, summary, 1, &out);
    assert_non_null(strstr(strbuf_text(&out), "\"by_user\":{\"top\":[{\"user\":\"often\",\"count\":4998}],"
                                              "\"others\":5002,\"unnamed\":0,\"too_low_by_at_most\":2}"));
    strbuf_release(&out);
    explain_summary_free(summary);
}

static void json_events(void **state) {
    (void)state;
    struct log_event e = event(LOG_EVENT_ABORTED, NOON, "a\"\033\xff\xC3\xBC", "", "r");
    struct strbuf out;
    strbuf_init(&out, OUT_MAX);
    e.wall_ns += 123456 * NS_PER_US;
    explain_json_event(NULL, &e, &out);
    e = (struct log_event){
        .kind = LOG_EVENT_ABORTED, .time = LOG_TIME_LOCAL, .line = 8, .db = text("d"), .suspect = true};
    explain_json_event("x\ny", &e, &out);
    e = (struct log_event){.kind = LOG_EVENT_SERVER_START, .line = UINT64_MAX};
    explain_json_event(NULL, &e, &out);
    assert_text(&out, "{\"line\":7,\"time\":\"2026-11-21T12:00:00.123456Z\",\"kind\":\"aborted\",\"connection_id\":5,"
                      "\"db\":\"shop\",\"user\":\"a\\\"\\u001b" FFFD
                      "\xC3\xBC\",\"host\":\"\",\"reason\":\"r\",\"suspect\":false}\n"
                      "{\"file\":\"x\\ny\",\"line\":8,\"time\":\"1970-01-01T00:00:00\",\"kind\":\"aborted\","
                      "\"connection_id\":0,\"db\":\"d\",\"user\":null,\"host\":null,\"reason\":null,\"suspect\":true}\n"
                      "{\"line\":18446744073709551615,\"time\":null,\"kind\":\"server_start\",\"connection_id\":null,"
                      "\"db\":null,\"user\":null,\"host\":null,\"reason\":null,\"suspect\":false}\n");
}

/* A name that is empty and one that is missing are not the same. */
static void clients_without_a_name(void **state) {
    (void)state;
    struct explain_summary *summary = explain_summary_new();
    struct strbuf out;
    add(summary, event(LOG_EVENT_ABORTED, NOON, "", "h", "r"));
    for (int i = 0; i < 2; i++)
        add(summary, event(LOG_EVENT_ABORTED, NOON, NULL, "h", "r"));
    add(summary, event(LOG_EVENT_ABORTED, NOON, NULL, NULL, "r"));
    strbuf_init(&out, OUT_MAX);
    explain_json_summary(&one, 1, summary, 9, &out);
    assert_non_null(strstr(strbuf_text(&out),
                           "\"by_client\":{\"top\":[{\"user\":null,\"host\":\"h\",\"count\":2},"
                           "{\"user\":\"\",\"host\":\"h\",\"count\":1}],\"others\":0,\"unnamed\":1,"));
    assert_non_null(
        strstr(strbuf_text(&out), "\"by_user\":{\"top\":[{\"user\":\"\",\"count\":1}],\"others\":0,\"unnamed\":3,"));
    strbuf_release(&out);
    explain_summary_free(summary);
}

/* Percona Server's own line of one that it refused is no abort; MariaDB's words it as one. */
static void too_many_connections_alone_are_no_abort(void **state) {
    (void)state;
    struct explain_summary *summary = explain_summary_new();
    struct log_event refused = {.kind = LOG_EVENT_TOO_MANY_CONNECTIONS}, aborted = refused;
    aborted.reason = span_of("Too many connections");
    explain_summary_add(summary, &refused);
    explain_summary_add(summary, &aborted);
    assert_int_equal(summary->kinds[LOG_EVENT_TOO_MANY_CONNECTIONS].count, 2);
    assert_int_equal(summary->aborts.count, 1);
    assert_int_equal(top_total(summary->lists[EXPLAIN_LIST_REASON]), 1);
    assert_int_equal(summary->unnamed[EXPLAIN_LIST_REASON], 0);
    explain_summary_free(summary);
}

static void hostile_texts_are_harmless(void **state) {
    static const char hostile[] = "\033]0;owned\a\xC2\x9B"
                                  "2J\r\n\xff";
    (void)state;
    struct explain_summary *summary = explain_summary_new();
    struct log_event e = event(LOG_EVENT_ABORTED, NOON, hostile, hostile, hostile);
    struct strbuf out;
    e.db = text(hostile);
    add(summary, e);
    e.kind = LOG_EVENT_ACCESS_DENIED;
    add(summary, e);
    strbuf_init(&out, OUT_MAX);
    explain_text_summary(&plain, &(struct explain_file){.name = hostile}, 1, summary, 10, &out);
    explain_text_progress(&plain, hostile, (struct explain_progress){0}, 1, &out);
    assert_null(strpbrk(strbuf_text(&out), "\033\a\r"));
    assert_null(strstr(strbuf_text(&out), "\xC2\x9B"));
    assert_non_null(strstr(strbuf_text(&out), FFFD "]0;owned"));
    strbuf_release(&out);
    explain_summary_free(summary);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_summary),
        cmocka_unit_test(nothing_found),
        cmocka_unit_test(coloured_summary),
        cmocka_unit_test(fits_80_columns),
        cmocka_unit_test(rows_and_progress_fit_40_columns),
        cmocka_unit_test(progress),
        cmocka_unit_test(lower_bounds),
        cmocka_unit_test(json_events),
        cmocka_unit_test(clients_without_a_name),
        cmocka_unit_test(too_many_connections_alone_are_no_abort),
        cmocka_unit_test(hostile_texts_are_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
