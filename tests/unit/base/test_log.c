/*
 * The log: well-formed lines in both formats, levels, and repeats that are counted instead of written.
 */
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static char *text;
static size_t text_len;
static FILE *out;

static int open_log(void **state) {
    (void)state;
    out = open_memstream(&text, &text_len);
    return 0;
}

static int close_log(void **state) {
    (void)state;
    log_flush();
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, NULL);
    fclose(out);
    free(text);
    return 0;
}

static int lines(void) {
    int count = 0;
    for (const char *p = text; *p; p++)
        count += *p == '\n';
    return count;
}

static void logfmt_line(void **state) {
    (void)state;
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, out);
    log_warn("it failed", LF_STR("who", "a \"b\"\nlevel=error"), LF_NUM("code", -7), LF_NS("after", 1500000));
    assert_non_null(
        strstr(text, " level=warn msg=\"it failed\" who=\"a \\\"b\\\"\\nlevel=error\" code=-7 after=1ms500us\n"));
    assert_int_equal(lines(), 1);
}

static void json_line(void **state) {
    (void)state;
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON, out);
    log_error("json failed", LF_STR("who", "a\"b"), LF_NUM("code", 7));
    assert_non_null(strstr(text, "\"level\":\"error\",\"msg\":\"json failed\",\"who\":\"a\\\"b\",\"code\":7}\n"));
    assert_int_equal(text[0], '{');
}

static void below_the_level_nothing_is_written(void **state) {
    (void)state;
    log_configure(LOG_LEVEL_WARN, LOG_FORMAT_LOGFMT, out);
    log_info("quiet");
    fflush(out);
    assert_int_equal(text_len, 0);
}

static void repeats_are_counted(void **state) {
    (void)state;
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, out);
    for (int i = 0; i < 100; i++)
        log_warn("again and again", LF_STR("target", "db1"), LF_NUM("id", i)); /* numbers do not make it another line */
    log_warn("again and again", LF_STR("target", "db2"));
    assert_int_equal(lines(), 2);
    log_flush();
    assert_non_null(strstr(text, "msg=\"repeated lines were suppressed\" line=\"again and again\" count=99\n"));
}

static void lines_that_meet_in_the_table_do_not_undo_each_other(void **state) {
    (void)state;
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, out);
    /* As many as a big outage makes: some meet in one row of the table whatever its hash. */
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 100; i++) {
            char target[16];
            snprintf(target, sizeof target, "db%d", i);
            log_warn("is down", LF_STR("target", target));
        }
    assert_int_equal(lines(), 100);
}

static void a_field_that_is_too_long_is_left_out(void **state) {
    static char big[20000];
    (void)state;
    memset(big, 'x', sizeof big - 1);
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, out);
    log_info("long", LF_STR("big", big), LF_STR("small", "y"));
    assert_null(strstr(text, "big="));
    assert_non_null(strstr(text, "small=y\n"));
}

static void names_are_parsed(void **state) {
    enum log_level level;
    enum log_format format;
    (void)state;
    assert_int_equal(log_level_parse("warn", &level), 0);
    assert_int_equal(level, LOG_LEVEL_WARN);
    assert_int_equal(log_format_parse("json", &format), 0);
    assert_int_equal(format, LOG_FORMAT_JSON);
    assert_true(log_level_parse("loud", &level) < 0);
    assert_true(log_format_parse("xml", &format) < 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(logfmt_line, open_log, close_log),
        cmocka_unit_test_setup_teardown(json_line, open_log, close_log),
        cmocka_unit_test_setup_teardown(below_the_level_nothing_is_written, open_log, close_log),
        cmocka_unit_test_setup_teardown(repeats_are_counted, open_log, close_log),
        cmocka_unit_test_setup_teardown(lines_that_meet_in_the_table_do_not_undo_each_other, open_log, close_log),
        cmocka_unit_test_setup_teardown(a_field_that_is_too_long_is_left_out, open_log, close_log),
        cmocka_unit_test(names_are_parsed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
