/*
 * The state of a target's error log: what is printed is read again, and what cannot be right is refused with its line.
 */
#include "observe/log_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool take_other(void *arg, const struct record *record) {
    unsigned *seen = arg;
    *seen += span_is(record->name, "listener") && record->count == 1 && span_is(record->field[0], "x y");
    return !span_is(record->name, "bad");
}

static void what_is_printed_is_read_again(void **state) {
    struct log_state in = {.saved = {.kind = LOG_FILE,
                                     .state = {.lines = 7, .gaps = 3, .last_read_wall_ns = 5, .since_wall_ns = 4}}},
                     out;
    const uint64_t numbers[LOG_PLACE_NUMBERS] = {1, 2, 3, 4, 5, UINT64_MAX, 7, 8, 9, 10, 11, 12};
    struct records records;
    struct strbuf text;
    unsigned seen = 0;
    (void)state;
    in.saved.name = strdup("/var/log/my sql/%.log");
    in.events[LOG_EVENT_ABORTED] = 42;
    in.clock_known = true;
    in.ahead_s = -12600;
    assert_true(log_saved_add(&in.saved, numbers, "/a path"));
    assert_true(log_saved_add(&in.saved, numbers, NULL));
    for (int i = 0; i <= LOG_FORMER_MAX; i++) {
        struct log_saved *former = calloc(1, sizeof *former);
        assert_non_null(former);
        former->kind = LOG_JOURNALD;
        former->name = strdup(i == LOG_FORMER_MAX ? "the last one" : "one before");
        assert_true(log_saved_add(former, numbers, "a cursor"));
        log_saved_push(&in.saved.former, former);
    }
    strbuf_init(&text, 1 << 16);
    log_state_print(&text, "db1:3306", &in);
    record_begin(&text, "listener");
    record_add(&text, span_of("x y"));
    record_end(&text);
    records_end(&text);
    assert_true(log_state_parse(&records, text.data, text.len, "db1:3306", &out, take_other, &seen));
    assert_int_equal(seen, 1);
    assert_int_equal(out.saved.kind, LOG_FILE);
    assert_string_equal(out.saved.name, in.saved.name);
    assert_int_equal(out.saved.count, 2);
    assert_memory_equal(out.saved.places[0].number, numbers, sizeof numbers);
    assert_string_equal(out.saved.places[0].text, "/a path");
    assert_null(out.saved.places[1].text);
    unsigned formers = 0;
    for (const struct log_saved *former = out.saved.former; former; former = former->former, formers++) {
        assert_int_equal(former->kind, LOG_JOURNALD);
        assert_string_equal(former->name, formers == 0 ? "the last one" : "one before");
        assert_int_equal(former->count, 1);
        assert_string_equal(former->places[0].text, "a cursor");
    }
    assert_int_equal(formers, LOG_FORMER_MAX);
    assert_int_equal(out.saved.state.lines, 7);
    assert_int_equal(out.saved.state.gaps, 3);
    assert_int_equal(out.saved.state.last_read_wall_ns, 5);
    assert_int_equal(out.saved.state.since_wall_ns, 4);
    assert_int_equal(out.events[LOG_EVENT_ABORTED], 42);
    assert_true(out.clock_known);
    assert_int_equal(out.ahead_s, -12600);
    log_state_release(&out);
    log_state_release(&in);
    strbuf_release(&text);
}

static void assert_refused(const char *body, unsigned line) {
    struct records records;
    struct log_state out;
    struct strbuf text;
    unsigned seen = 0;
    strbuf_init(&text, 1 << 16);
    records_begin(&text, "mysqlconn_exporter-error-log 1");
    strbuf_addstr(&text, body);
    records_end(&text);
    assert_false(log_state_parse(&records, text.data, text.len, "db1", &out, take_other, &seen));
    assert_non_null(records.wrong);
    assert_int_equal(records.line, line);
    strbuf_release(&text);
}

static void what_cannot_be_right_is_refused(void **state) {
    (void)state;
    assert_refused("target db2\n", 2);
    assert_refused("target db1 db2\n", 2);
    assert_refused("target db1\nsource file\n", 3);
    assert_refused("target db1\nsource file /x\nsource file /x\n", 4);
    assert_refused("target db1\nsource file /x%00\n", 3);
    assert_refused("target db1\nplace 1 2 3\n", 3);
    assert_refused("target db1\nformer file\n", 3);
    assert_refused("target db1\nformer file /1\nformer file /2\nformer file /3\nformer file /4\n", 6);
    assert_refused("target db1\nplace 1 2 3 4 5 6 7 8 9 10 11 -12\n", 3);
    assert_refused("target db1\ncount lines 99999999999999999999\n", 3);
    assert_refused("target db1\ncount lines\n", 3);
    assert_refused("target db1\nevent aborted x\n", 3);
    assert_refused("target db1\nclock behind 86401\n", 3);
    assert_refused("target db1\nbad\n", 3);
    struct strbuf many;
    strbuf_init(&many, 1 << 16);
    strbuf_addstr(&many, "target db1\n");
    for (int i = 0; i <= LOG_PLACES_MAX; i++)
        strbuf_addstr(&many, "place 1 2 3 4 5 6 7 8 9 10 11 12 /x\n");
    assert_refused(strbuf_text(&many), 3 + LOG_PLACES_MAX);
    strbuf_release(&many);
}

static void what_a_later_version_adds_is_no_harm(void **state) {
    struct records records;
    struct log_state out;
    struct strbuf text;
    (void)state;
    strbuf_init(&text, 1 << 16);
    records_begin(&text, "mysqlconn_exporter-error-log 1");
    strbuf_addstr(&text, "target db1\nsource teleprinter 5\ncount tea 3\nevent eclipse 1\nnovelty\n");
    records_end(&text);
    assert_true(log_state_parse(&records, text.data, text.len, "db1", &out, NULL, NULL));
    assert_int_equal(out.saved.kind, LOG_NONE);
    assert_false(out.clock_known);
    log_state_release(&out);
    strbuf_release(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_printed_is_read_again),
        cmocka_unit_test(what_cannot_be_right_is_refused),
        cmocka_unit_test(what_a_later_version_adds_is_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
