/*
 * The variable table: in order, named as mysqld_exporter names, and each row found again.
 */
#include "observe/variable.h"

#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

static void rows_are_sorted_and_unique(void **state) {
    (void)state;
    for (size_t i = 1; i < variable_count; i++) {
        const struct variable *before = &variable_table[i - 1], *row = &variable_table[i];
        assert_true(before->source <= row->source);
        if (before->source == row->source && strcasecmp(before->name, row->name) >= 0)
            fail_msg("%s does not come after %s", row->name, before->name);
    }
}

/* mysqld_exporter: lower case under a prefix; Connection_errors_* and Com_* one counter with a label. */
static void names_and_types_are_mysqld_exporters(void **state) {
    (void)state;
    for (size_t i = 0; i < variable_count; i++) {
        const struct variable *row = &variable_table[i];
        char expected[128], lower[96] = "";
        if (!row->metric)
            continue;
        for (size_t c = 0; row->name[c]; c++)
            lower[c] = (char)tolower(row->name[c]);
        snprintf(expected, sizeof expected, "mysql_global_%s_%s",
                 row->source == VARIABLE_STATUS ? "status" : "variables", lower);
        if (strncmp(lower, "connection_errors_", 18) == 0) {
            assert_string_equal(row->metric, "mysql_global_status_connection_errors_total");
            assert_string_equal(row->label_name, "error");
            assert_string_equal(row->label_value, lower + 18);
            assert_int_equal(row->type, VARIABLE_COUNTER);
        } else if (strncmp(lower, "com_", 4) == 0) {
            assert_string_equal(row->metric, "mysql_global_status_commands_total");
            assert_string_equal(row->label_name, "command");
            assert_string_equal(row->label_value, lower + 4);
            assert_int_equal(row->type, VARIABLE_COUNTER);
        } else {
            assert_string_equal(row->metric, expected);
            assert_null(row->label_name);
            assert_int_equal(row->type, row->source == VARIABLE_STATUS ? VARIABLE_UNTYPED : VARIABLE_GAUGE);
        }
        const char *named = !row->label_name                          ? row->name
                            : strcmp(row->label_name, "command") == 0 ? "Com_*"
                                                                      : "Connection_errors_*";
        assert_non_null(strcasestr(row->help, named));
    }
}

static void every_row_is_found_in_any_case(void **state) {
    (void)state;
    for (size_t i = 0; i < variable_count; i++) {
        const struct variable *row = &variable_table[i];
        char text[96] = "";
        assert_int_equal(variable_find(row->source, span_of(row->name)), (int)i);
        for (size_t c = 0; row->name[c]; c++)
            text[c] = (char)(c % 2 ? toupper(row->name[c]) : tolower(row->name[c]));
        assert_int_equal(variable_find(row->source, span_of(text)), (int)i);
        text[strlen(text) - 1] = '~'; /* not a row's name */
        assert_int_equal(variable_find(row->source, span_of(text)), -1);
    }
}

static void whatever_was_looked_for_before_each_row_is_found(void **state) {
    (void)state;
    for (size_t i = 0; i < variable_count; i++)
        for (size_t k = 0; k < variable_count; k++) {
            variable_find(variable_table[k].source, span_of(variable_table[k].name));
            assert_int_equal(variable_find(variable_table[i].source, span_of(variable_table[i].name)), (int)i);
        }
}

static void strangers_are_not_found(void **state) {
    static const char *const names[] = {"",    "A",          "Aborted", "Aborted_client", "Aborted_clients2",
                                        "zzz", "Com_select", "\xff"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(variable_find(VARIABLE_STATUS, span_of(names[i])), -1);
        assert_int_equal(variable_find(VARIABLE_SETTING, span_of(names[i])), -1);
    }
    assert_int_equal(variable_find(VARIABLE_STATUS, span_of("max_connections")), -1);
    assert_int_equal(variable_find(VARIABLE_SETTING, span_of("Uptime")), -1);
    assert_int_equal(variable_find(VARIABLE_STATUS, (struct span){"Uptime\0x", 8}), -1);
    assert_int_equal(variable_find(VARIABLE_STATUS, (struct span){"Uptimes", 6}),
                     variable_find(VARIABLE_STATUS, span_of("uptime")));
}

static void values_are_numbers_or_switches(void **state) {
    static const struct {
        const char *text;
        double value;
    } good[] = {
        {"0", 0},  {"17", 17},   {"-1", -1},     {"10.000000", 10}, {"18446744073709551615", 18446744073709551615.0},
        {"ON", 1}, {"on", 1},    {"Yes", 1},     {"TRUE", 1},       {"OFF", 0},
        {"no", 0}, {"False", 0}, {"DISABLED", 0}};
    static const char *const bad[] = {"", " ", "1x", "ONE", "O", "nan", "inf", "0x10", "one-thread-per-connection"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        double value = -99;
        assert_int_equal(variable_parse(span_of(good[i].text), &value), 0);
        assert_true(value == good[i].value);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        double value = -99;
        assert_int_equal(variable_parse(span_of(bad[i]), &value), -EINVAL);
        assert_true(value == -99);
    }
}

static double read_setting(const char *name, const char *text) {
    double value = -1;
    assert_int_equal(variable_read(variable_find(VARIABLE_SETTING, span_of(name)), span_of(text), &value), 0);
    return value;
}

/* As MySQL 9.7 takes them, each seen to hide the line or not. */
static void what_hides_aborted_connections(void **state) {
    static const char *const hiding[] = {"MY-010914",      "10914",
                                         "my-010914",      " 010914\t",
                                         "MY-00000010914", "er_aborting_user_connection",
                                         "10926, 10914",   "MY-010914,MY-010926"};
    static const char *const others[] = {"",
                                         " ",
                                         ",",
                                         "MY-",
                                         "MY-010926",
                                         "ER_CONNECTION_ABORTED",
                                         "13130",
                                         "110914",
                                         "10914x",
                                         "MY-010914 MY-010926",
                                         "99999999999999999999999"};
    (void)state;
    for (size_t i = 0; i < sizeof hiding / sizeof hiding[0]; i++)
        assert_true(read_setting("log_error_suppression_list", hiding[i]) == 1);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_true(read_setting("log_error_suppression_list", others[i]) == 0);
    assert_true(read_setting("log_error_services", "log_filter_internal; log_sink_internal") == LOG_FILTER_OWN);
    assert_true(read_setting("log_error_services", "log_filter_internal,log_sink_json") == LOG_FILTER_OWN);
    assert_true(read_setting("log_error_services", "log_sink_internal") == LOG_FILTER_NONE);
    assert_true(read_setting("log_error_services", "log_filter_dragnet; log_sink_internal") == LOG_FILTER_OTHER);
    assert_true(read_setting("log_error_services", "log_filter_dragnet;log_filter_internal;log_sink_x") ==
                LOG_FILTER_OTHER);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_sorted_and_unique),
        cmocka_unit_test(names_and_types_are_mysqld_exporters),
        cmocka_unit_test(every_row_is_found_in_any_case),
        cmocka_unit_test(strangers_are_not_found),
        cmocka_unit_test(whatever_was_looked_for_before_each_row_is_found),
        cmocka_unit_test(values_are_numbers_or_switches),
        cmocka_unit_test(what_hides_aborted_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
