/*
 * Lines to events: what is wrapped around lines, lines that belong together, refused names that hold newlines, times,
 * and whole blocks against line by line.
 */
#include "base/clock.h"
#include "observe/log_decoder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define READ_ERROR "Got an error reading communication packets"
#define ABORT_MESSAGE "Aborted connection 5 to db: 'shop' user: 'app' host: '10.0.0.7' (" READ_ERROR ")"
#define ABORT_LINE "2026-11-21  1:51:41 5 [Warning] " ABORT_MESSAGE
#define ABORT_TOLD "aborted 5 shop/app/10.0.0.7 (" READ_ERROR ")"
/* 2026-11-21T01:51:41Z */
#define THEN INT64_C(1795225901)

/* --- events as text: LINE KIND ID DB/USER/HOST (REASON), with ! in front where suspect --- */

struct told {
    struct strbuf text;
    struct log_event last;
};

static void on_event(void *arg, const struct log_event *e) {
    struct told *told = arg;
    told->last = *e;
    strbuf_addf(&told->text, "%s%llu %s %llu %.*s/%.*s/%.*s", e->suspect ? "!" : "", (unsigned long long)e->line,
                log_event_kind_name(e->kind), (unsigned long long)e->connection_id, (int)e->db.len,
                e->db.ptr ? e->db.ptr : "", (int)e->user.len, e->user.ptr ? e->user.ptr : "", (int)e->host.len,
                e->host.ptr ? e->host.ptr : "");
    struct span reason = log_event_reason(e);
    if (reason.ptr)
        strbuf_addf(&told->text, " (%.*s)", (int)reason.len, reason.ptr);
    strbuf_addch(&told->text, '\n');
}

struct fixture {
    struct told told;
    struct log_decoder *decoder;
};

static int set_up(void **state) {
    struct fixture *fx = calloc(1, sizeof *fx);
    strbuf_init(&fx->told.text, 1 << 20);
    fx->decoder = log_decoder_new(on_event, &fx->told);
    *state = fx;
    return fx->decoder ? 0 : -1;
}

static int tear_down(void **state) {
    struct fixture *fx = *state;
    log_decoder_free(fx->decoder);
    strbuf_release(&fx->told.text);
    free(fx);
    return 0;
}

/* A copy of exactly the line's size, so that the sanitizer sees a read past either end, and one that is kept. */
static void feed(struct fixture *fx, const char *line, size_t len) {
    char *copy = malloc(len ? len : 1);
    memcpy(copy, line, len);
    log_decoder_line(fx->decoder, (struct span){copy, len});
    free(copy);
}

static void line(struct fixture *fx, const char *text) {
    feed(fx, text, strlen(text));
}

/* What was told since the last time. */
static void expect(struct fixture *fx, const char *want) {
    assert_string_equal(strbuf_text(&fx->told.text), want);
    strbuf_reset(&fx->told.text);
}

/* A decoder that knows nothing yet. */
static void anew(struct fixture *fx) {
    log_decoder_free(fx->decoder);
    fx->decoder = log_decoder_new(on_event, &fx->told);
    assert_non_null(fx->decoder);
    strbuf_reset(&fx->told.text);
}

/* --- what is wrapped around lines --- */

/* journalctl -o json writes the bytes of what is not UTF-8, or holds a control character, as numbers. */
static void a_journals_message_may_be_numbers(void **state) {
    static const char message[] = "2026-11-21  1:51:41 5 [Warning] Aborted connection 5 to db: 'd' user: '\xff\x01' "
                                  "host: 'h' (KILLED)";
    static const char *const wrong[] = {"[]", "[256]", "[65", "[65,]", "[65 66]", "[-1]", "[\"a\"]", "null"};
    struct fixture *fx = *state;
    struct strbuf text;
    strbuf_init(&text, 4096);
    strbuf_addstr(&text, "{\"MESSAGE\":[");
    for (const char *p = message; *p; p++)
        strbuf_addf(&text, "%s%u", p > message ? ", " : " ", (unsigned)(unsigned char)*p);
    strbuf_addstr(&text, " ],\"__REALTIME_TIMESTAMP\":\"1795225901123456\"}");
    line(fx, strbuf_text(&text));
    assert_non_null(strstr(strbuf_text(&fx->told.text), "\xff\x01"));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        anew(fx);
        strbuf_reset(&text);
        strbuf_addf(&text, "{\"MESSAGE\":%s,\"__REALTIME_TIMESTAMP\":\"1795225901123456\"}", wrong[i]);
        line(fx, strbuf_text(&text));
        expect(fx, "");
    }
    strbuf_release(&text);
}

static void wrappers_are_taken_off(void **state) {
    static const char *const wrapped[] = {
        ABORT_LINE,
        ABORT_LINE "\r",
        "{\"log\":\"" ABORT_LINE "\\n\",\"stream\":\"stderr\",\"time\":\"2026-11-21T01:51:41.123456789Z\"}",
        "{\"log\":\"" ABORT_LINE
        "\\r\\n\",\"stream\":\"stderr\",\"attrs\":{\"a\":[1,{\"}\":\"]\"}]},\"time\":\"2026-11-"
        "21T01:51:41.123456789Z\"}",
        "2026-11-21T01:51:41.123456789Z stderr F " ABORT_LINE,
        "2026-11-21T02:51:41.123456789+01:00 stdout F " ABORT_LINE,
        "db-1  | " ABORT_LINE,
        "shop_db.1 | " ABORT_LINE,
        "2026-11-21T01:51:41.123456789Z " ABORT_LINE,
        "[pod/mysql-0/mysql] " ABORT_LINE,
        "[pod/mysql-0/mysql] 2026-11-21T01:51:41.123456789Z " ABORT_LINE,
        "Nov 21 01:51:41 db1 mariadbd[811]: " ABORT_LINE,
        "Nov 21 01:51:41 db1 mysqld[811]: " ABORT_MESSAGE,
        "Nov 21 01:51:41 db1 mysqld[811]: [Warning] " ABORT_MESSAGE,
        "<28>Nov  1 01:51:41 db1 mysqld[811]: " ABORT_MESSAGE,
        "<28>Nov 21 01:51:41 db1 mysqld: " ABORT_MESSAGE,
        "Nov 21 01:51:41 db1 mysqld: " ABORT_MESSAGE,
        "2026-11-21T01:51:41.123456+01:00 db1 mariadbd: " ABORT_MESSAGE ".",
        "<28>1 2026-11-21T01:51:41.003Z db1 mysqld 811 - - " ABORT_LINE,
        "<30>1 2026-11-21T02:51:41.003+01:00 db1 mysqld 811 - - " ABORT_MESSAGE ".",
        "<30>1 2026-11-21T01:51:41Z db1 mysqld 811 - - \xef\xbb\xbf" ABORT_MESSAGE ".",
        "<30>1 2026-11-21T01:51:41Z db1 mysqld - ID [a@1 b=\"\\\"] x\"][timeQuality tzKnown=\"1\"] " ABORT_MESSAGE,
        "<30>1 2026-11-21T01:51:41Z db1 mysqld 811 - [a b=\"c\"] " ABORT_LINE,
        "<30>1 - db1 mysqld 811 - - " ABORT_LINE,
        "{\"PRIORITY\":\"4\",\"MESSAGE\":\"" ABORT_LINE "\",\"__REALTIME_TIMESTAMP\":\"1795225901123456\"}",
        "{\"__REALTIME_TIMESTAMP\":\"1795225901123456\",\"MESSAGE\":\"" ABORT_MESSAGE ".\"}",
        "INFO 2026-11-21T01:51:41.003Z 2026-11-21T01:51:41.123456Z 5 [Note] " ABORT_MESSAGE,
        "2026-11-21T01:51:41.123456Z 5 [Note] [MY-010914] [Server] " ABORT_MESSAGE " (sql_connect.cc:842)",
        "{ \"prio\" : 3, \"err_code\" : 10914, \"source_line\" : 842, \"msg\" : \"" ABORT_MESSAGE ".\", \"time\" : "
        "\"2026-11-21T01:51:41.123456Z\", \"ts\" : 1795225901123, \"thread\" : 5, \"label\" : \"Note\" }",
        "{\"label\":\"Note\",\"msg\":\"" ABORT_MESSAGE ".\",\"thread\":5}",
        "[pod/mysql-0/mysql] {\"label\":\"Note\",\"msg\":\"" ABORT_MESSAGE ".\",\"thread\":5}",
        "db-1  | {\"label\":\"Note\",\"msg\":\"" ABORT_MESSAGE ".\",\"thread\":5}",
        "{\"log\":\"{ \\\"prio\\\" : 3, \\\"msg\\\" : \\\"" ABORT_MESSAGE
        ".\\\" }\\n\",\"stream\":\"stderr\",\"time\":\"2026-"
        "11-21T01:51:41.123456789Z\"}",
        "2026-11-21T01:51:41.123456789Z stderr F {\"label\":\"Note\",\"msg\":\"" ABORT_MESSAGE ".\"}",
        "<28>Nov 21 01:51:41 db1 mysqld[811]: {\"label\":\"Note\",\"msg\":\"" ABORT_MESSAGE ".\"}",
        "<28>1 2026-11-21T01:51:41.003Z db1 mysqld 811 - - {\"label\":\"Note\",\"msg\":\"" ABORT_MESSAGE ".\"}",
        "{\"__REALTIME_TIMESTAMP\":\"1795225901123456\",\"MESSAGE\":\"{ \\\"prio\\\" : 3, \\\"msg\\\" : "
        "\\\"" ABORT_MESSAGE "\\\" }\"}",
    };
    struct fixture *fx = *state;
    for (size_t i = 0; i < sizeof wrapped / sizeof *wrapped; i++) {
        anew(fx);
        line(fx, wrapped[i]);
        if (strcmp(strbuf_text(&fx->told.text), "1 " ABORT_TOLD "\n") != 0)
            fail_msg("%s\n  gave %s", wrapped[i], strbuf_text(&fx->told.text));
        assert_int_equal(log_decoder_held(fx->decoder), 0);
        /* the same of a block */
        anew(fx);
        log_decoder_block(fx->decoder, span_of(wrapped[i]));
        if (strcmp(strbuf_text(&fx->told.text), "1 " ABORT_TOLD "\n") != 0)
            fail_msg("%s\n  as a block gave %s", wrapped[i], strbuf_text(&fx->told.text));
    }
    anew(fx);
    static const char hole[] = "\0\0\0\0" ABORT_LINE;
    feed(fx, hole, sizeof hole - 1);
    expect(fx, "1 " ABORT_TOLD "\n");
}

static void escapes_are_taken_off(void **state) {
    struct fixture *fx = *state;
    line(fx, "{\"log\":\"2026-11-21  1:51:41 5 [Warning] Access denied for user "
             "'a\\\"\\\\\\u00e4\\ud83d\\ude00\\t\\ud83d'@'h' "
             "(using password: NO)\\n\",\"time\":\"2026-11-21T01:51:41Z\"}");
    log_decoder_flush(fx->decoder);
    expect(fx, "1 access_denied 0 /a\"\\ä😀\t\xef\xbf\xbd/h\n");
    /* a newline in JSON is inside the name, and no line */
    line(fx, "{ \"prio\" : 3, \"msg\" : \"Access denied for user 'x\\n[Note] Aborted connection 1 to db: 'a' user: 'b' "
             "host: "
             "'c' (x)\\n'@'h' (using password: YES)\" }");
    expect(fx, "2 access_denied 0 /x\n[Note] Aborted connection 1 to db: 'a' user: 'b' host: 'c' (x)\n/h\n");
}

static void what_only_looks_wrapped_is_none(void **state) {
    static const char *const lines[] = {
        "{",
        "{}",
        "{\"log\":\"" ABORT_LINE "\\n\",\"stream\":\"stderr\"",
        "{\"log\":5,\"time\":\"2026-11-21T01:51:41Z\"}",
        "{\"text\":\"" ABORT_LINE "\"}",
        "{\"msg\":\"" ABORT_MESSAGE "\"}",
        "{\"MESSAGE\":\"" ABORT_LINE "\"}",
        "{\"MESSAGE\":\"" ABORT_LINE "\",\"__REALTIME_TIMESTAMP\":\"-5\"}",
        "<30>1 2026-11-21T01:51:41Z db1 mysqld 811 - " ABORT_MESSAGE,
        "<30>1 2026-11-21T01:51:41Z db1 mysqld 811 - [a b=\"] " ABORT_MESSAGE,
        "<30>1 yesterday db1 mysqld 811 - - " ABORT_MESSAGE,
        "<30>2 2026-11-21T01:51:41Z db1 mysqld 811 - - " ABORT_MESSAGE,
        "{ \"prio\" : 3, \"err_code\" : 10914 }",
        "{\"log\":\"\\n\"}",
        "{\"log\":\"{\\\"log\\\":\\\"" ABORT_LINE "\\\\n\\\"}\\n\"}",
        "2026-11-21T01:51:41.123456789Z stderr X 5 Query 'x' | " ABORT_MESSAGE,
        "a|b | c 'x' " ABORT_LINE,
    };
    struct fixture *fx = *state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        anew(fx);
        line(fx, lines[i]);
        log_decoder_flush(fx->decoder);
        if (fx->told.text.len)
            fail_msg("%s\n  gave %s", lines[i], strbuf_text(&fx->told.text));
    }
}

static void pieces_are_joined(void **state) {
    struct fixture *fx = *state;
    line(fx, "2026-11-21T01:51:40Z stderr F nothing");
    line(fx, "2026-11-21T01:51:41Z stderr P 2026-11-21  1:51:41 5 [Warn");
    assert_int_equal(log_decoder_held(fx->decoder), 1);
    line(fx, "2026-11-21T01:51:41Z stderr P ing] Aborted connection 5 to db: 'shop' user: 'ap");
    assert_int_equal(log_decoder_held(fx->decoder), 2);
    expect(fx, "");
    line(fx, "2026-11-21T01:51:41Z stderr F p' host: '10.0.0.7' (" READ_ERROR ")");
    expect(fx, "2 " ABORT_TOLD "\n");
    assert_int_equal(log_decoder_held(fx->decoder), 0);
    assert_int_equal(fx->told.last.time, LOG_TIME_UTC);

    line(fx, "{\"log\":\"2026-11-21  1:51:41 5 [Warning] Aborted connection 5 to db: 'shop' "
             "\",\"time\":\"2026-11-21T01:51:41Z\"}");
    assert_int_equal(log_decoder_held(fx->decoder), 1);
    line(fx, "{\"log\":\"user: 'app' host: '10.0.0.7' (" READ_ERROR ")\\n\",\"time\":\"2026-11-21T01:51:41Z\"}");
    expect(fx, "5 " ABORT_TOLD "\n");

    /* JSON in pieces, and one that never ends */
    line(fx,
         "2026-11-21T01:51:41Z stderr P { \"prio\" : 3, \"msg\" : \"Aborted connection 5 to db: 'shop' user: 'app' ");
    line(fx, "2026-11-21T01:51:41Z stderr F host: '10.0.0.7' (" READ_ERROR ").\" }");
    expect(fx, "7 " ABORT_TOLD "\n");
    line(fx, "2026-11-21T01:51:41Z stderr P " ABORT_LINE);
    log_decoder_flush(fx->decoder);
    expect(fx, "9 " ABORT_TOLD "\n");
    assert_int_equal(log_decoder_held(fx->decoder), 0);

    /* more pieces than anybody would write: bounded */
    char filler[1001];
    memset(filler, 'x', sizeof filler - 1);
    filler[1000] = '\0';
    char piece[1100];
    snprintf(piece, sizeof piece, "2026-11-21T01:51:41Z stderr P %s", filler);
    line(fx, "2026-11-21T01:51:41Z stderr P " ABORT_LINE);
    for (int i = 0; i < 1000; i++)
        line(fx, piece);
    line(fx, "2026-11-21T01:51:41Z stderr F .");
    expect(fx, "");
    line(fx, ABORT_LINE);
    expect(fx, "1012 " ABORT_TOLD "\n");
}

/* --- times --- */

static void times_are_right(void **state) {
    static const struct {
        const char *front;
        enum log_time time;
        int64_t ms; /* after 2026-11-21T00:00:00, as the clock says */
    } cases[] = {
        {"2026-11-21  1:51:41 5 ", LOG_TIME_LOCAL, 6701000},
        {"2026-11-21 01:51:41 5 ", LOG_TIME_LOCAL, 6701000},
        {"261121  1:51:41 ", LOG_TIME_LOCAL, 6701000},
        {"261121 01:51:41 ", LOG_TIME_LOCAL, 6701000},
        {"2026-11-21T01:51:41.123456Z 5 ", LOG_TIME_UTC, 6701123},
        {"2026-11-21T09:51:41.123456+08:00 5 ", LOG_TIME_UTC, 6701123},
        {"2026-11-20T22:21:41.5-03:30 5 ", LOG_TIME_UTC, 6701500},
        {"2026-11-21T01:51:41.123456 5 ", LOG_TIME_LOCAL, 6701123},
        /* a zone that somebody else names settles the server's clock, to its own second */
        {"2026-11-21T01:51:43.123456789Z 2026-11-21  1:51:41 5 ", LOG_TIME_UTC, 6701000},
        {"2026-11-21T01:51:43.123456789Z 2026-11-21  2:51:41 5 ", LOG_TIME_UTC, 6701000},
        {"2026-11-21T01:51:43.123456789Z 2026-11-20 16:06:41 5 ", LOG_TIME_UTC, 6701000},
        {"2026-11-21T01:51:43Z stderr F 261121  7:21:41 ", LOG_TIME_UTC, 6701000},
        {"<28>1 2026-11-21T01:51:41.003Z db1 mysqld 811 - - 2026-11-21  2:51:41 5 ", LOG_TIME_UTC, 6701000},
        {"<28>1 2026-11-21T01:51:41.003Z db1 mysqld[811]: ", LOG_TIME_UTC, 6701003},
        {"INFO 2026-11-21T01:51:43.003Z 2026-11-21T01:51:41.123456Z 5 ", LOG_TIME_UTC, 6701123},
        /* a server's clock that does not fit to any zone is not believed */
        {"2026-11-21T01:51:43Z stderr F 2026-11-21  1:43:00 5 ", LOG_TIME_UTC, 6703000},
        {"", LOG_TIME_NONE, 0},
        {"mysqld[811]: ", LOG_TIME_NONE, 0},
        {"2026-13-21  1:51:41 5 ", LOG_TIME_NONE, 0},
    };
    struct fixture *fx = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[300];
        anew(fx);
        snprintf(text, sizeof text, "%s[Warning] " ABORT_MESSAGE, cases[i].front);
        line(fx, text);
        const struct log_event *e = &fx->told.last;
        int64_t want = (THEN / 86400 * 86400 * 1000 + cases[i].ms) * NS_PER_MS;
        if (!fx->told.text.len || e->time != cases[i].time ||
            (e->time != LOG_TIME_NONE && e->wall_ns / NS_PER_MS * NS_PER_MS != want))
            fail_msg("%s: got %d, %lld ms", cases[i].front, e->time,
                     (long long)(e->wall_ns / NS_PER_MS - THEN / 86400 * 86400 * 1000));
    }
    /* without a year: the latest such day, and never one in the future */
    for (int day = 1; day <= 28; day++)
        for (int month = 0; month < 12; month++) {
            char text[300];
            snprintf(text, sizeof text, "%s%.3s %2d 01:51:41 db1 mysqld[811]: " ABORT_MESSAGE, day % 2 ? "<28>" : "",
                     &"JanFebMarAprMayJunJulAugSepOctNovDec"[(size_t)3 * (size_t)month], day);
            line(fx, text);
            int64_t age_ns = wall_now_ns() - fx->told.last.wall_ns;
            assert_int_equal(fx->told.last.time, LOG_TIME_LOCAL);
            assert_true(age_ns > -2 * 86400 * NS_PER_S && age_ns < 367 * 86400 * NS_PER_S);
        }
    /* of JSON, and of an entry that was timed by its source */
    line(fx, "{\"prio\":3,\"msg\":\"" ABORT_MESSAGE "\",\"time\":\"2026-11-21T01:51:41.5Z\",\"thread\":77}");
    assert_int_equal(fx->told.last.time, LOG_TIME_UTC);
    assert_int_equal(fx->told.last.wall_ns, THEN * NS_PER_S + NS_PER_S / 2);
    assert_int_equal(fx->told.last.thread, 77);
    log_decoder_entry(fx->decoder, span_of(ABORT_MESSAGE), THEN * NS_PER_S);
    assert_int_equal(fx->told.last.time, LOG_TIME_UTC);
    assert_int_equal(fx->told.last.wall_ns, THEN * NS_PER_S);
    log_decoder_entry(fx->decoder, span_of("2026-11-21 14:51:40 5 [Warning] " ABORT_MESSAGE), THEN * NS_PER_S);
    assert_int_equal(fx->told.last.time, LOG_TIME_UTC);
    assert_int_equal(fx->told.last.wall_ns, (THEN - 1) * NS_PER_S);
    strbuf_reset(&fx->told.text);
    log_decoder_entry(fx->decoder, span_of("{\"prio\":3,\"msg\":\"" ABORT_MESSAGE "\"}"), THEN * NS_PER_S);
    assert_int_equal(fx->told.last.wall_ns, THEN * NS_PER_S);
    assert_non_null(strstr(strbuf_text(&fx->told.text), ABORT_TOLD));
}

/* --- two lines, one event --- */

#define NOTE(id)                                                                                                       \
    "2026-11-21T01:51:41.123456Z " id " [Note] [MY-013730] [Server] 'wait_timeout' period of 10 seconds was exceeded " \
    "for `app`@`%`. The idle time since last command was too long."
#define INACTIVE(id)                                                                                                   \
    "2026-11-21T01:51:41.123456Z " id " [Note] [MY-010914] [Server] Aborted connection " id                            \
    " to db: 'shop' user: 'app' host: '10.0.0.7' (The client was disconnected by the server because of inactivity.)."
#define INACTIVE_TOLD(id)                                                                                              \
    "aborted " id " shop/app/10.0.0.7 (The client was disconnected by the server because of inactivity.)\n"
#define OTHER_LINE "2026-11-21T01:51:41.123456Z 99 [Note] [MY-010000] [Server] Something else"

#define BLOCKED(id, more)                                                                                              \
    "2026-11-21T01:51:41.123456Z " id " [Note] [MY-010914] [Server] Access denied for user 'b'@'h'. Account is "       \
    "blocked for 3 day(s) (3 day(s) remaining) due to 1 consecutive failed logins." more

static void two_lines_of_one_event_are_one(void **state) {
    struct fixture *fx = *state;
    line(fx, NOTE("5"));
    expect(fx, "");
    assert_int_equal(log_decoder_held(fx->decoder), 1);
    line(fx, INACTIVE("5"));
    expect(fx, "2 " INACTIVE_TOLD("5"));
    assert_int_equal(log_decoder_held(fx->decoder), 0);
    /* other threads write meanwhile */
    line(fx, NOTE("6"));
    line(fx, OTHER_LINE);
    line(fx, NOTE("7"));
    line(fx, INACTIVE("7"));
    expect(fx, "");
    assert_int_equal(log_decoder_held(fx->decoder), 4);
    line(fx, INACTIVE("6"));
    expect(fx, "6 " INACTIVE_TOLD("7") "7 " INACTIVE_TOLD("6"));
    /* no abort comes */
    line(fx, NOTE("8"));
    for (int i = 0; i < 7; i++)
        line(fx, OTHER_LINE);
    expect(fx, "");
    line(fx, OTHER_LINE);
    expect(fx, "8 timeout_note 0 /app/%\n");
    line(fx, NOTE("9"));
    log_decoder_flush(fx->decoder);
    expect(fx, "17 timeout_note 0 /app/%\n");
    /* 8.4, and MariaDB at level 4 */
    line(fx, "2026-11-21T01:51:41.123456Z 5 [Note] [MY-015123] [Server] A connection from `app`@`%` was closed by the "
             "server "
             "due to a timeout in the communication layer (vio:1, packet:0) .");
    line(fx, INACTIVE("5"));
    expect(fx, "19 " INACTIVE_TOLD("5"));
    line(fx, "2026-11-21  1:51:41 5 [Warning] Could not read packet: fd: 44  state: 1  read_length: 4  errno: 11  "
             "vio_errno: "
             "1158  length: 0");
    line(fx, ABORT_LINE);
    expect(fx, "21 " ABORT_TOLD "\n");
    line(fx, "2026-11-21  1:51:41 5 [ERROR] mariadbd: Got packets out of order");
    line(fx, ABORT_LINE);
    expect(fx, "23 " ABORT_TOLD "\n");
    line(fx, "2026-11-21  1:51:41 8 [ERROR] mariadbd: Got packets out of order");
    log_decoder_flush(fx->decoder);
    expect(fx, "24 other 0 // (Got packets out of order)\n");
    /* the list of addresses is part of the warning */
    line(fx, "2026-11-21  1:51:41 5 [Warning] Hostname 'web1' does not resolve to '10.0.0.7'.");
    line(fx, "2026-11-21  1:51:41 5 [Note] Hostname 'web1' has the following IP addresses:");
    line(fx, "2026-11-21  1:51:41 5 [Note]  - 10.0.0.8");
    expect(fx, "25 dns 0 //web1\n");
    /* MySQL 9 of an account that is blocked for a while, twice */
    line(fx, BLOCKED("97", " Use FLUSH PRIVILEGES or ALTER USER to reset."));
    line(fx, OTHER_LINE);
    line(fx, BLOCKED("97", ""));
    line(fx, BLOCKED("98", ""));
    expect(fx, "28 access_denied 0 /b/h\n31 access_denied 0 /b/h\n");
}

static void the_error_of_init_connect_belongs_to_it(void **state) {
    struct fixture *fx = *state;
    static const char failed[] =
        "2026-11-21  1:51:56 34 [Warning] Aborted connection 34 to db: 'unconnected' user: 'app' "
        "host: 'h' (init_connect command failed)";
    line(fx, failed);
    assert_int_equal(log_decoder_held(fx->decoder), 1);
    line(fx, "2026-11-21  1:51:56 34 [Warning] Access denied for user 'app'@'%' to database 'secret'");
    expect(fx, "1 init_connect 34 unconnected/app/h (init_connect command failed)\n");
    /* but not another's */
    line(fx, failed);
    line(fx, "2026-11-21  1:51:56 35 [Warning] Access denied for user 'app'@'%' to database 'secret'");
    log_decoder_flush(fx->decoder);
    expect(fx, "3 init_connect 34 unconnected/app/h (init_connect command failed)\n"
               "4 access_denied 0 secret/app/%\n");
    line(fx, failed);
    line(fx, ABORT_LINE);
    expect(fx, "5 init_connect 34 unconnected/app/h (init_connect command failed)\n6 " ABORT_TOLD "\n");
    /* other threads write meanwhile */
    line(fx, failed);
    line(fx, ABORT_LINE);
    line(fx, "2026-11-21  1:51:56 34 [Warning] Access denied for user 'app'@'%' to database 'secret'");
    log_decoder_flush(fx->decoder);
    expect(fx, "7 init_connect 34 unconnected/app/h (init_connect command failed)\n8 " ABORT_TOLD "\n");
}

/* MariaDB up to 10.3 at log_warnings=4 */
static void an_end_is_told_once(void **state) {
    struct fixture *fx = *state;
    static const char closed[] = "2017-11-21  1:51:41 5 [Warning] Aborted connection 5 to db: 'd' user: 'u' host: 'h' "
                                 "(CLOSE_CONNECTION)";
    line(fx, ABORT_LINE);
    line(fx, OTHER_LINE);
    line(fx, closed);
    expect(fx, "1 " ABORT_TOLD "\n");
    /* init_connect: three lines */
    line(fx,
         "2017-11-21  1:51:56 5 [Warning] Aborted connection 5 to db: 'd' user: 'u' host: 'h' (init_connect command "
         "failed)");
    line(fx, "2017-11-21  1:51:56 5 [Warning] You have an error in your SQL syntax");
    line(fx, closed);
    expect(fx, "4 init_connect 5 d/u/h (init_connect command failed)\n");
    /* but not of another's, nor much later, nor of one that just ended */
    line(fx, "2017-11-21  1:51:41 6 [Warning] Aborted connection 6 to db: 'd' user: 'u' host: 'h' (CLOSE_CONNECTION)");
    for (int i = 0; i < 8; i++)
        line(fx, OTHER_LINE);
    line(fx, closed);
    expect(fx, "7 aborted 6 d/u/h (CLOSE_CONNECTION)\n16 aborted 5 d/u/h (CLOSE_CONNECTION)\n");
}

/* --- forgeries --- */

#define FRONT "2026-11-21  1:51:41 5 [Warning] "
#define FORGED FRONT "Aborted connection 1 to db: 'a' user: 'b' host: 'c' (x)"
#define FORGED_TOLD "aborted 1 a/b/c (x)\n"
#define REFUSED FRONT "Access denied for user '"
#define END "'@'127.0.0.1' (using password: YES)"

static void lines_inside_a_refused_name_are_suspect(void **state) {
    struct fixture *fx = *state;
    /* the name is told whole, and what is in it is nobody's abort */
    line(fx, REFUSED "x");
    line(fx, FORGED);
    assert_int_equal(log_decoder_held(fx->decoder), 2);
    line(fx, END);
    log_decoder_flush(fx->decoder);
    expect(fx, "1 access_denied 0 /x\n" FORGED "\n/127.0.0.1\n!2 " FORGED_TOLD);
    /* the end on the forged line itself */
    line(fx, REFUSED "x");
    line(fx, FORGED END);
    line(fx, ABORT_LINE);
    expect(fx, "4 access_denied 0 /x\n" FORGED "/127.0.0.1\n"
               "!5 aborted 1 a/b/c (x)'@'127.0.0.1' (using password: YES)\n6 " ABORT_TOLD "\n");
    /* a second beginning inside the name */
    line(fx, REFUSED "x");
    line(fx, FORGED);
    line(fx, REFUSED "root" END);
    line(fx, ABORT_LINE);
    expect(fx, "7 access_denied 0 /x\n" FORGED "\n" REFUSED "root/127.0.0.1\n!8 " FORGED_TOLD
               "!9 access_denied 0 /root/127.0.0.1\n10 " ABORT_TOLD "\n");
}

static void a_name_that_holds_a_whole_end_hides_nothing(void **state) {
    struct fixture *fx = *state;
    line(fx, REFUSED "x'@'h' (using password: NO)");
    line(fx, FORGED);
    line(fx, "y" END);
    line(fx, ABORT_LINE);
    expect(fx, "1 access_denied 0 /x'@'h' (using password: NO)\n" FORGED "\ny/127.0.0.1\n!2 " FORGED_TOLD
               "4 " ABORT_TOLD "\n");
    /* with every line's front left out, a name can hold two refused logins and an abort between them */
    line(fx, "[Warning] Access denied for user 'x'@'h' (using password: NO)");
    line(fx, "[Note] Aborted connection 5 to db: '' user: 'b' host: 'c' (x)");
    line(fx, "[Note] Access denied for user 'y" END);
    log_decoder_flush(fx->decoder);
    expect(fx, "5 access_denied 0 /x/h\n!6 aborted 5 /b/c (x)\n7 access_denied 0 /y/127.0.0.1\n");
    /* but lines as a server writes them are too long for that */
    line(fx, REFUSED "a" END);
    line(fx, FORGED);
    line(fx, REFUSED "b" END);
    line(fx, REFUSED "c" END);
    log_decoder_flush(fx->decoder);
    expect(fx, "8 access_denied 0 /a/127.0.0.1\n9 " FORGED_TOLD
               "10 access_denied 0 /b/127.0.0.1\n11 access_denied 0 /c/127.0.0.1\n");
}

static void in_other_languages_too(void **state) {
    struct fixture *fx = *state;
    line(fx, FRONT "Benutzer 'x");
    line(fx, FRONT "Abbruch der Verbindung 39 zur Datenbank 'd'. Benutzer: 'a', Host: 'h' (Unbekannter Fehler)");
    line(fx, "'@'127.0.0.1' hat keine Zugriffsberechtigung (verwendetes Passwort: Ja)");
    line(fx, ABORT_LINE);
    expect(fx,
           "1 access_denied 0 /x\n" FRONT
           "Abbruch der Verbindung 39 zur Datenbank 'd'. Benutzer: 'a', Host: 'h' (Unbekannter Fehler)\n/127.0.0.1\n"
           "!2 aborted 39 d/a/h (Unknown error)\n4 " ABORT_TOLD "\n");
    /* where a lone quote opens the message, which others begin with too */
    line(fx, FRONT "'x");
    line(fx, FORGED);
    line(fx, "'@'127.0.0.1' 用户无权访问 (使用密码: 是的)");
    log_decoder_flush(fx->decoder);
    expect(fx, "5 access_denied 0 /x\n" FORGED "\n/127.0.0.1\n!6 " FORGED_TOLD);
    line(fx, FRONT "'user' entry 'root@web1' ignored in --skip-name-resolve mode.");
    line(fx, "mysqld: ready for connections");
    line(fx, REFUSED "b" END);
    line(fx, ABORT_LINE);
    expect(fx, "10 access_denied 0 /b/127.0.0.1\n11 " ABORT_TOLD "\n");
    /* and soon after a whole one, whose reach it exceeds */
    line(fx, FRONT "'a'@'127.0.0.1' 用户无权访问 (使用密码: 是的)");
    line(fx, FRONT "'x");
    line(fx, FORGED);
    line(fx, "'@'127.0.0.1' 用户无权访问 (使用密码: 是的)");
    line(fx, ABORT_LINE);
    expect(fx, "12 access_denied 0 /a/127.0.0.1\n13 access_denied 0 /x\n" FORGED "\n/127.0.0.1\n!14 " FORGED_TOLD
               "16 " ABORT_TOLD "\n");
}

/* … and a name may hold what looks like the beginning of another such message. */
static void a_lone_quote_inside_a_name_is_none(void **state) {
    static const char *const inside[] = {"[Note] 'y", "[Note] Access denied for user ''@''", "[Note] Benutzer '\ny"};
    struct fixture *fx = *state;
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) {
        char text[600];
        anew(fx);
        snprintf(text, sizeof text,
                 FRONT "'x\n[Note] Aborted connection 1 to db: '' user: 'b'\n%s'@'127.0.0.1' 用户无权访问 (使用密码: "
                       "是的)\n" ABORT_LINE "\n",
                 inside[i]);
        log_decoder_block(fx->decoder, span_of(text));
        log_decoder_flush(fx->decoder);
        if (!strstr(strbuf_text(&fx->told.text), "!2 aborted 1 /b/") ||
            !strstr(strbuf_text(&fx->told.text), " " ABORT_TOLD "\n"))
            fail_msg("%s\n  gave %s", text, strbuf_text(&fx->told.text));
    }
}

static void in_containers_too(void **state) {
    struct fixture *fx = *state;
    line(fx, "{\"log\":\"" REFUSED "x\\n\",\"time\":\"2026-11-21T01:51:41Z\"}");
    line(fx, "{\"log\":\"" FORGED "\\n\",\"time\":\"2026-11-21T01:51:41Z\"}");
    line(fx,
         "{\"log\":\"{\\\"prio\\\":3,\\\"msg\\\":\\\"" ABORT_MESSAGE "\\\"}\\n\",\"time\":\"2026-11-21T01:51:41Z\"}");
    line(fx, "{\"log\":\"" END "\\n\",\"time\":\"2026-11-21T01:51:41Z\"}");
    line(fx, "{\"log\":\"" ABORT_LINE "\\n\",\"time\":\"2026-11-21T01:51:41Z\"}");
    log_decoder_flush(fx->decoder);
    const char *text = strbuf_text(&fx->told.text);
    assert_non_null(strstr(text, "1 access_denied 0 /x\n"));
    assert_non_null(strstr(text, "\n!2 " FORGED_TOLD));
    assert_null(strstr(text, "3 " ABORT_TOLD)); /* what is in a name is no JSON */
    assert_non_null(strstr(text, "\n5 " ABORT_TOLD));
    anew(fx);
    line(fx, "2026-11-21T01:51:41Z stderr F " REFUSED "x");
    line(fx, "2026-11-21T01:51:41Z stderr F " FORGED);
    line(fx, "2026-11-21T01:51:41Z stderr F " END);
    line(fx, "2026-11-21T01:51:41Z stderr F " ABORT_LINE);
    expect(fx, "1 access_denied 0 /x\n" FORGED "\n/127.0.0.1\n!2 " FORGED_TOLD "4 " ABORT_TOLD "\n");
}

/* The text with a number for each '#'. */
static void add_counting(struct strbuf *out, const char *text, unsigned number) {
    for (; *text; text++)
        if (*text == '#')
            strbuf_addf(out, "%u", number);
        else
            strbuf_addch(out, *text);
}

/* Whatever stands in front of each line is no part of the name, neither of its text nor of its length. */
static void behind_every_wrapper_too(void **state) {
    static const struct {
        const char *before, *behind;
    } wrappers[] = {
        {"", ""},
        {"", "\r"},
        {"{\"log\":\"", "\\n\",\"stream\":\"stderr\",\"time\":\"2026-11-21T01:51:#.123456789Z\"}"},
        {"2026-11-21T01:51:#.123456789Z stderr F ", ""},
        {"db-1  | ", ""},
        {"db-1  | 2026-11-21T01:51:#.123456789Z ", ""},
        {"db.1.x8k2@node#    | ", ""},
        {"2026-11-21T01:51:#.123456789Z ", ""},
        {"[pod/mysql-0/mysql] ", ""},
        {"[pod/mysql-0/mysql] 2026-11-21T01:51:#.5Z ", ""},
        {"mysql-0 mysql ", ""},
        {"Nov 21 01:51:# db1 mariadbd[811]: ", ""},
        {"<28>Nov 21 01:51:# db1 mariadbd[811]: ", ""},
        {"Nov 21 01:51:# db1 mysqld: ", ""},
        {"2026-11-21T01:51:#.123456+01:00 db1 mariadbd[811]: ", ""},
        {"<28>1 2026-11-21T01:51:#.003Z db1 mariadbd 811 - - ", ""},
        {"Sat 2026-11-21 01:51:# CET db1 mariadbd[811]: ", ""},
        {"INFO 2026-11-21T01:51:#.003Z ", ""},
        {"{\"MESSAGE\":\"", "\",\"__REALTIME_TIMESTAMP\":\"17952259#123456\"}"},
    };
    static const struct {
        const char *lines[5], *told;
    } names[] = {
        {{REFUSED "x", FORGED, END, ABORT_LINE},
         "1 access_denied 0 /x\n" FORGED "\n/127.0.0.1\n!2 " FORGED_TOLD "4 " ABORT_TOLD "\n"},
        {{REFUSED "x'@'h' (using password: NO)", FORGED, "y" END, ABORT_LINE},
         "1 access_denied 0 /x'@'h' (using password: NO)\n" FORGED "\ny/127.0.0.1\n!2 " FORGED_TOLD "4 " ABORT_TOLD
         "\n"},
        {{REFUSED "x" END, ABORT_LINE, ABORT_LINE},
         "1 access_denied 0 /x/127.0.0.1\n2 " ABORT_TOLD "\n3 " ABORT_TOLD "\n"},
    };
    struct fixture *fx = *state;
    for (size_t n = 0; n < sizeof names / sizeof *names; n++)
        for (size_t w = 0; w < sizeof wrappers / sizeof *wrappers; w++) {
            anew(fx);
            for (unsigned i = 0; names[n].lines[i]; i++) {
                struct strbuf text;
                strbuf_init(&text, 1000);
                add_counting(&text, wrappers[w].before, 58 + i);
                strbuf_addstr(&text, names[n].lines[i]);
                add_counting(&text, wrappers[w].behind, 58 + i);
                line(fx, strbuf_text(&text));
                strbuf_release(&text);
            }
            log_decoder_flush(fx->decoder);
            if (strcmp(strbuf_text(&fx->told.text), names[n].told) != 0)
                fail_msg("%s%s\n  gave %s", wrappers[w].before, wrappers[w].behind, strbuf_text(&fx->told.text));
        }
}

/* Whatever a second beginning, inside a name, seems to be, it hides nothing of what follows in the name, and nothing of
 * what follows behind it. */
static void a_beginning_inside_a_name_is_none(void **state) {
    struct fixture *fx = *state;
    static const char *const inside[] = {
        "x[1]: Access denied for user ''@''",
        "x[1]: Access denied for user '",
        "Access denied for user ''@''",
        "Access denied for user '",
        "[MY-1] Access denied for user ''@''", /* MySQL 8 keeps a name on its line; but this is no MySQL 8 */
        "[MY-1] Access denied for user '",
        "[MY-1] ''@'' 用户无权访问 (使用密码: 是)",
        "[Note] Benutzer ''@'' (",
        "[Note] 'y",
    };
    static const struct {
        const char *before, *behind;
    } around[] = {
        {"", ""},
        {"{\"MESSAGE\":\"", "\",\"__REALTIME_TIMESTAMP\":\"1795225901123456\"}"},
        {"<28>1 2026-11-21T01:51:41Z db1 mariadbd 811 - - ", ""},
        {"Nov 21 01:51:41 db1 mariadbd[811]: ", ""},
        {"2026-11-21T01:51:41.123456789Z ", ""},
    };
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++)
        for (size_t a = 0; a < sizeof around / sizeof *around; a++) {
            const char *const lines[] = {REFUSED "'@''", inside[i], "[Note] Aborted connection 1 to db: '' user: 'b'",
                                         "y" END, ABORT_LINE};
            anew(fx);
            for (size_t l = 0; l < sizeof lines / sizeof *lines; l++) {
                char text[1000];
                snprintf(text, sizeof text, "%s%s%s", around[a].before, lines[l], around[a].behind);
                line(fx, text);
            }
            log_decoder_flush(fx->decoder);
            if (!strstr(strbuf_text(&fx->told.text), "\n!3 aborted 1 /b/") ||
                !strstr(strbuf_text(&fx->told.text), "\n5 " ABORT_TOLD "\n"))
                fail_msg("%s%s\n  gave %s", around[a].before, inside[i], strbuf_text(&fx->told.text));
        }
    /* a beginning behind what is forged: the end that it has may be the end of the name around it */
    anew(fx);
    line(fx, REFUSED "'@''");
    line(fx, "[Note] Aborted connection 1 to db: '' user: 'b'");
    line(fx, "[Note] Access denied for user '");
    line(fx, "y" END);
    line(fx, ABORT_LINE);
    expect(fx, "1 access_denied 0 //\n!2 aborted 1 /b/\n3 access_denied 0 /\ny/127.0.0.1\n5 " ABORT_TOLD "\n");
    /* but that of a second refused login may be its own alone */
    anew(fx);
    line(fx, REFUSED "a" END);
    line(fx, REFUSED "x");
    line(fx, FORGED);
    line(fx, END);
    line(fx, ABORT_LINE);
    expect(fx, "1 access_denied 0 /a/127.0.0.1\n2 access_denied 0 /x\n" FORGED "\n/127.0.0.1\n!3 " FORGED_TOLD
               "5 " ABORT_TOLD "\n");
    /* a name's last line that begins in another language than it ends */
    anew(fx);
    line(fx, REFUSED "x'@'h' (using password: NO)");
    line(fx, "[Note] Benutzer 'y" END);
    line(fx, ABORT_LINE);
    log_decoder_flush(fx->decoder);
    expect(fx, "1 access_denied 0 /x/h\n!2 access_denied 0 /y/127.0.0.1\n3 " ABORT_TOLD "\n");
}

static void names_of_aborted_ones_hold_newlines_too(void **state) {
    struct fixture *fx = *state;
    line(fx, FRONT "Aborted connection 5 to db: 'a");
    line(fx, "b' user: 'c");
    line(fx, "d' host: '10.0.0.7' (KILLED)");
    expect(fx, "1 aborted 5 a\nb/c\nd/10.0.0.7 (KILLED)\n");
    assert_int_equal(log_decoder_held(fx->decoder), 0);
    /* who may make such databases cannot forge either */
    line(fx, FRONT "Aborted connection 5 to db: 'a");
    line(fx, FORGED);
    line(fx, "' user: 'app' host: 'h' (KILLED)");
    expect(fx, "4 aborted 5 a\n" FORGED "\n/app/h (KILLED)\n!5 " FORGED_TOLD);
    /* but a line that was cut off takes none of those after it along */
    line(fx, FRONT "Aborted connection 5 to db: 'sh");
    line(fx, ABORT_LINE);
    line(fx, REFUSED "b" END);
    line(fx, ABORT_LINE);
    log_decoder_flush(fx->decoder);
    expect(fx, "8 " ABORT_TOLD "\n9 access_denied 0 /b/127.0.0.1\n10 " ABORT_TOLD "\n");
    /* a name's end is no beginning, also where a program's name stands in front of it */
    line(fx, "Nov 21 01:51:41 db1 mariadbd[811]: " FRONT "Aborted connection 5 to db: 'd' user: 'c");
    line(fx, "Nov 21 01:51:41 db1 mariadbd[811]: ' host: '10.0.0.7' (KILLED)");
    expect(fx, "11 aborted 5 d/c\n/10.0.0.7 (KILLED)\n");
    /* what holds no value yet begins none */
    line(fx, FRONT "Aborted connection ");
    line(fx, FRONT "Aborted connection 5 to db: 'd' user: 'c");
    line(fx, "' host: '10.0.0.7' (KILLED)");
    expect(fx, "14 aborted 5 d/c\n/10.0.0.7 (KILLED)\n");
}

static void a_piece_that_is_none_swallows_nothing(void **state) {
    struct fixture *fx = *state;
    line(fx, "2026-11-21T01:51:41Z stderr P x");
    line(fx, ABORT_LINE);
    expect(fx, "2 " ABORT_TOLD "\n");
    line(fx, "2026-11-21T01:51:41Z stderr P x");
    line(fx, "{\"log\":\"" ABORT_LINE "\\n\"}");
    expect(fx, "4 " ABORT_TOLD "\n");
    line(fx, REFUSED "x");
    line(fx, "2026-11-21T01:51:41Z stderr P " END);
    line(fx, ABORT_LINE);
    expect(fx, "5 access_denied 0 /x\n2026-11-21T01:51:41Z stderr P /127.0.0.1\n7 " ABORT_TOLD "\n");
}

static void a_line_cut_off_does_not_hide_the_rest(void **state) {
    struct fixture *fx = *state;
    char filler[513];
    memset(filler, '-', 512);
    filler[512] = '\0';
    line(fx, REFUSED "x");
    line(fx, filler);
    line(fx, FORGED);
    expect(fx, "3 " FORGED_TOLD);
    /* nor for ever where nothing comes */
    line(fx, REFUSED "x");
    log_decoder_flush(fx->decoder);
    assert_int_equal(log_decoder_held(fx->decoder), 0);
    line(fx, FORGED);
    expect(fx, "5 " FORGED_TOLD);
    /* MySQL 8 keeps a message on its line: nothing is held for it */
    line(fx, "2026-11-21T01:51:41.123456Z 5 [Note] [MY-010926] [Server] Access denied for user 'x'@'h' (using "
             "password: NO)");
    assert_int_equal(log_decoder_held(fx->decoder), 0);
    expect(fx, "6 access_denied 0 /x/h\n");
}

/* --- lines that only quote --- */

/* Every event's line, quoted in every way, says nothing. */
static void quotations_are_no_events(void **state) {
    static const char *const messages[] = {
        ABORT_MESSAGE, /* NOLINT(bugprone-suspicious-missing-comma) */
        "Access denied for user 'x'@'h' (using password: YES)",
        "Host 'h' is blocked because of many connection errors; unblock with 'mysqladmin flush-hosts'",
        "IP address '10.0.0.7' could not be resolved: Name or service not known",
        "Hostname 'h' does not resolve to '10.0.0.7'.",
        "/usr/sbin/mysqld: Forcing close of thread 5  user: 'app'",
        "Too many connections",
        "Error in accept: Too many open files",
        "SSL error: Unable to get certificate",
        "/usr/sbin/mysqld: ready for connections.",
        "/usr/sbin/mysqld: Shutdown complete",
        "Got timeout reading communication packets",
        "Abbruch der Verbindung 39 zur Datenbank 'd'. Benutzer: 'a', Host: 'h' (Unbekannter Fehler)",
    };
    static const char *const around[][2] = {
        {"2026-11-21T01:51:41.123456Z\t    5 Query\tSELECT \"2026-11-21  1:51:41 5 [Warning] ", "\""},
        {"\t\t    5 Query\t-- [Warning] ", ""},
        {"261121  1:51:41\t    5 Query\tSELECT '[Warning] ", "'"},
        {"Query (0x7f00): INSERT INTO t VALUES ('2026-11-21  1:51:41 5 [Warning] ", "')"},
        {"Query (0x7f00): /* [Warning] ", " */ SELECT 1"},
        {"ERROR 1045 (28000): ", ""},
        {"ERROR 1045 (28000): [Warning] ", ""},
        {"mysqladmin: connect to server at 'localhost' failed\nerror: '", "'"},
        {"2026-11-21  1:51:41 5 [ERROR] Slave I/O: error connecting to master 'r@m:3306' - retry-time: 60  message: ",
         ""},
        {"2026-11-21  1:51:41 5 [Note] Event Scheduler: [root@localhost][d.e] ", ""},
        {"2026-11-21  1:51:41 5 [Note] Some message that quotes: [Warning] ", ""},
        {"", ""},
        {"> ", ""},
        {"$ grep -c '[Warning] ", "' error.log"},
        {"{\"message\":\"2026-11-21  1:51:41 5 [Warning] ", "\"}"},
        {"# User@Host: app[app] @  [10.0.0.7] [Warning] ", ""},
        {"2026-11-21T01:51:41.123456Z\t    5 Query\tSELECT 1 -- mysqld: ", ""},
        {"-- mysqld: ", ""},
        {"mysqld: ", ""},
    };
    struct fixture *fx = *state;
    for (size_t m = 0; m < sizeof messages / sizeof *messages; m++) {
        char text[1000];
        anew(fx);
        snprintf(text, sizeof text, FRONT "%s", messages[m]);
        line(fx, text);
        log_decoder_flush(fx->decoder);
        if (!fx->told.text.len)
            fail_msg("%s should be an event", text);
        for (size_t a = 0; a < sizeof around / sizeof *around; a++) {
            anew(fx);
            snprintf(text, sizeof text, "%s%s%s", around[a][0], messages[m], around[a][1]);
            log_decoder_block(fx->decoder, span_of(text));
            log_decoder_flush(fx->decoder);
            if (fx->told.text.len)
                fail_msg("%s\n  gave %s", text, strbuf_text(&fx->told.text));
        }
    }
}

/* --- blocks --- */

static uint32_t next_random(uint32_t *seed) {
    return (*seed = *seed * 1664525 + 1013904223) >> 8;
}

/* Random logs of lines that matter, pieces of them and lines that do not: the same events, whether line by line or in
 * blocks of any size. */
static void a_block_is_its_lines(void **state) {
    static const char *const lines[] = {
        ABORT_LINE,
        FORGED,
        END,
        REFUSED "x",
        REFUSED "y" END,
        NOTE("5"),
        INACTIVE("5"),
        OTHER_LINE,
        OTHER_LINE,
        OTHER_LINE,
        "",
        "\r",
        "2026-11-21  1:51:41 5 [Note] InnoDB: page_cleaner: 1000ms intended loop took 4212ms.",
        "2026-11-21  1:51:41 0 [Note] /usr/sbin/mariadbd: Shutdown complete",
        "mysqld[5]: " ABORT_MESSAGE,
        "<30>1 2026-11-21T01:51:41Z db1 mysqld 811 - - Access denied for user 'u'@'h' (using password: YES)",
        "<30>1 2026-11-21T01:51:41Z db1 mysqld 811 - - " ABORT_MESSAGE,
        "<30>Nov 21 01:51:41 db1 mysqld: x",
        "Nov 21 01:51:41 db1 mysqld: Access denied for user 'u'@'h' (using password: YES)",
        "Nov 21 01:51:41 db1 mysqld: Bad handshake",
        "<",
        "{\"log\":\"" ABORT_LINE "\\n\",\"time\":\"2026-11-21T01:51:41Z\"}",
        "{\"log\":\"2026-11-21  1:51:4\"}",
        "2026-11-21T01:51:41Z stderr P 2026-11-21 1:51:41 5 [Warning] ",
        "2026-11-21T01:51:41Z stderr F " ABORT_MESSAGE,
        "db-1  | {\"prio\":3,\"msg\":\"" ABORT_MESSAGE "\"}",
        "010301 14:38:23  Aborted connection 854 to db: 'd' user: 'j'",
        FRONT "Benutzer 'x'@'h' hat keine Zugriffsberechtigung",
        "[Note] 'x",
        FRONT "接続 41 が中断",
        "2026-11-21T01:51:41Z 5 [Note] [MY-010914] [Server] Bad handshake",
        FRONT "mysqld: Got packets out of order",
        FRONT "Aborted connection 5 to db: 'a",
        "b' user: 'u' host: 'h' (x)",
    };
    struct fixture *fx = *state;
    uint32_t seed = 20261121;
    for (int round = 0; round < 3000; round++) {
        struct strbuf text;
        strbuf_init(&text, 1 << 20);
        for (uint32_t n = next_random(&seed) % 40; n > 0; n--) {
            const char *one = lines[next_random(&seed) % (sizeof lines / sizeof *lines)];
            size_t len = strlen(one), from = next_random(&seed) % 8 ? 0 : next_random(&seed) % (len + 1);
            strbuf_add(&text, one + from, next_random(&seed) % 8 ? len - from : next_random(&seed) % (len - from + 1));
            strbuf_addch(&text, '\n');
        }
        anew(fx);
        for (const char *p = strbuf_text(&text), *end; (end = strchr(p, '\n')); p = end + 1)
            feed(fx, p, (size_t)(end - p));
        unsigned held = log_decoder_held(fx->decoder);
        uint64_t count = log_decoder_lines(fx->decoder);
        log_decoder_flush(fx->decoder);
        char *want = strbuf_detach(&fx->told.text);
        anew(fx);
        for (const char *p = strbuf_text(&text); *p;) {
            const char *end = p;
            for (uint32_t n = next_random(&seed) % 10 + 1; n > 0 && *end; n--)
                end = strchr(end, '\n') + 1;
            char *copy = malloc((size_t)(end - p));
            memcpy(copy, p, (size_t)(end - p));
            log_decoder_block(fx->decoder, (struct span){copy, (size_t)(end - p)});
            free(copy);
            p = end;
        }
        assert_int_equal(log_decoder_held(fx->decoder), held);
        assert_int_equal(log_decoder_lines(fx->decoder), count);
        log_decoder_flush(fx->decoder);
        if (strcmp(want ? want : "", strbuf_text(&fx->told.text)) != 0)
            fail_msg("%s\n  by lines:\n%s\n  as blocks:\n%s", strbuf_text(&text), want, strbuf_text(&fx->told.text));
        free(want);
        strbuf_release(&text);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(wrappers_are_taken_off),
        TEST(a_journals_message_may_be_numbers),
        TEST(escapes_are_taken_off),
        TEST(what_only_looks_wrapped_is_none),
        TEST(pieces_are_joined),
        TEST(times_are_right),
        TEST(two_lines_of_one_event_are_one),
        TEST(the_error_of_init_connect_belongs_to_it),
        TEST(an_end_is_told_once),
        TEST(lines_inside_a_refused_name_are_suspect),
        TEST(a_name_that_holds_a_whole_end_hides_nothing),
        TEST(in_other_languages_too),
        TEST(a_lone_quote_inside_a_name_is_none),
        TEST(in_containers_too),
        TEST(behind_every_wrapper_too),
        TEST(a_beginning_inside_a_name_is_none),
        TEST(names_of_aborted_ones_hold_newlines_too),
        TEST(a_piece_that_is_none_swallows_nothing),
        TEST(a_line_cut_off_does_not_hide_the_rest),
        TEST(quotations_are_no_events),
        TEST(a_block_is_its_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
