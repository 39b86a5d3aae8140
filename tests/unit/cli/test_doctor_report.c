/*
 * What `doctor` tells: the findings in a form that people and programs can read, within the terminal's width, and
 * nothing that a server or client named can steer the terminal or break the JSON.
 */
#include "cli/doctor_report.h"

#include "../explain/explaining.h"
#include "../expose/fake_targets.h"
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct fixture {
    struct target *target;
    struct explaining *explaining;
    struct doctor_report report;
    struct terminal_style style;
    struct strbuf out;
};

static int setup(void **state) {
    struct fixture *fx = calloc(1, sizeof *fx);
    assert_non_null(fx);
    fx->target = fake_target("db1");
    fx->explaining = explaining_new(10, 10);
    fx->report = (struct doctor_report){"db1.example", 30 * NS_PER_S, fx->target};
    fx->style = (struct terminal_style){.utf8 = true, .columns = 80};
    strbuf_init(&fx->out, 1024 * 1024);
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT, stderr);
    *state = fx;
    return 0;
}

static int teardown(void **state) {
    struct fixture *fx = *state;
    explaining_removed(fx->explaining, fx->target);
    explaining_free(fx->explaining);
    fake_target_free(fx->target);
    strbuf_release(&fx->out);
    free(fx);
    return 0;
}

static void poll_server(struct fixture *fx, double aborted_clients) {
    static const struct {
        enum variable_source source;
        const char *name;
        double value;
    } values[] = {
        {VARIABLE_STATUS, "Aborted_connects", 41},
        {VARIABLE_STATUS, "Threads_connected", 118},
        {VARIABLE_STATUS, "Uptime", 3661},
        {VARIABLE_SETTING, "max_connections", 151},
        {VARIABLE_SETTING, "performance_schema", 1},
        {VARIABLE_SETTING, "log_warnings", 2},
        {VARIABLE_STATUS, "Max_used_connections", 118},
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        fake_value(fx->target, values[i].source, values[i].name, values[i].value);
    fake_value(fx->target, VARIABLE_STATUS, "Aborted_clients", aborted_clients);
    fx->target->poll.health = TARGET_UP;
    fx->target->poll.polls++;
    snprintf(fx->target->poll.version, sizeof fx->target->poll.version, "10.11.19-MariaDB");
    fx->explaining->observer.polled(fx->explaining->observer.arg, fx->target, mono_now());
}

static void tell_vanished(struct fixture *fx, const char *user) {
    struct log_event event = {.kind = LOG_EVENT_ABORTED,
                              .connection_id = 42,
                              .user = span_of(user),
                              .host = span_of("10.0.0.7"),
                              .reason = span_of("Got an error reading communication packets")};
    explaining_line(fx->explaining, fx->target, &event);
}

static const char *text_of(struct fixture *fx) {
    strbuf_reset(&fx->out);
    doctor_report_text(&fx->style, &fx->report, &fx->out);
    assert_false(strbuf_failed(&fx->out));
    return strbuf_text(&fx->out);
}

static const char *json_of(struct fixture *fx) {
    strbuf_reset(&fx->out);
    doctor_report_json(&fx->report, &fx->out);
    assert_false(strbuf_failed(&fx->out));
    return strbuf_text(&fx->out);
}

static void assert_has(const char *text, const char *part) {
    if (!strstr(text, part))
        fail_msg("'%s' is not in:\n%s", part, text);
}

static void findings_are_numbered_and_wrapped(void **state) {
    struct fixture *fx = *state;
    poll_server(fx, 5);
    tell_vanished(fx, "app");
    poll_server(fx, 6);
    const char *text = text_of(fx);
    assert_has(text, "server    10.11.19-MariaDB, up 1h1m1s\n");
    assert_has(text, "load      118 of 151 connections now, at most 118 since the server's start\n");
    assert_has(text, "aborted   Aborted_clients 6, Aborted_connects 41 since the server's start; 1\n"
                     "          while we looked, of which 0 without a known cause\n");
    assert_has(text, "looked    30s: 2 polls (0 failed), 0 probes (0 failed); error log: not read\n");
    assert_has(text, "\n2 findings: 2 info\n\n 1  info     Clients leave without COM_QUIT\n    seen     1 time in ");
    assert_has(text, "    more     README.md#advice-clients_vanish\n\n 2  info     ");
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
        assert_in_range(strcspn(line, "\n"), 0, 80);
    assert_int_equal(doctor_report_worst(&fx->report), SEVERITY_INFO);
}

static void names_cannot_steer_the_terminal(void **state) {
    struct fixture *fx = *state;
    poll_server(fx, 5);
    static const char turn[] = {'\xe2', '\x80', '\xae', '\0'}; /* the direction of writing */
    char name[40];
    snprintf(name, sizeof name, "\033[2J\nseen \xff %s\"\\", turn);
    tell_vanished(fx, name);
    poll_server(fx, 6);
    const char *text = text_of(fx);
    assert_null(strchr(text, '\033'));
    assert_null(strstr(text, "\nseen"));
    assert_null(strstr(text, turn));
    fx->style.utf8 = false;
    for (const char *p = text_of(fx); *p; p++)
        assert_true((unsigned char)*p < 0x80);
    text = json_of(fx);
    assert_has(text, "\\u001b[2J\\nseen \xef\xbf\xbd ");
    assert_has(text, "\\\"\\\\@10.0.0.7");
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void what_is_not_known_is_left_out(void **state) {
    struct fixture *fx = *state;
    const char *text = text_of(fx);
    assert_has(text, "server    not known: it did not answer\nlooked    30s: 0 polls");
    assert_has(text, "The server has not answered yet");
    assert_has(json_of(fx),
               "{\"type\":\"doctor\",\"host\":\"db1.example\",\"looked_seconds\":30.000000000,\"version\":\"\","
               "\"version_comment\":\"\",\"aborted_while_looking\":0,");
    assert_has(json_of(fx), "\"findings\":[]}\n");
    poll_server(fx, 5);
    fake_value(fx->target, VARIABLE_SETTING, "max_connections", (double)NAN);
    fake_value(fx->target, VARIABLE_STATUS, "Max_used_connections", (double)NAN);
    fake_value(fx->target, VARIABLE_STATUS, "Aborted_connects", (double)NAN);
    text = text_of(fx);
    assert_has(text, "load      118 connections now\naborted   Aborted_clients 5 since");
    assert_null(strstr(text, "nan"));
    assert_null(strstr(json_of(fx), "nan"));
}

static void long_words_are_not_cut(void **state) {
    struct fixture *fx = *state;
    char user[200];
    memset(user, 'x', sizeof user - 1);
    user[sizeof user - 1] = '\0';
    poll_server(fx, 5);
    tell_vanished(fx, user);
    poll_server(fx, 6);
    fx->style.columns = 10; /* is taken for 50 */
    assert_has(text_of(fx), user);
}

static void progress_is_a_line(void **state) {
    struct fixture *fx = *state;
    poll_server(fx, 5);
    tell_vanished(fx, "app");
    poll_server(fx, 6);
    fx->report.looked_ns = 15 * NS_PER_S;
    doctor_report_progress(&fx->style, &fx->report, 30 * NS_PER_S, &fx->out);
    assert_has(strbuf_text(&fx->out), " 15 of 30 s, 1 aborted, 2 findings");
    assert_null(strchr(strbuf_text(&fx->out), '\n'));
    strbuf_reset(&fx->out);
    fx->report.looked_ns = 31 * NS_PER_S;
    doctor_report_progress(&fx->style, &fx->report, 0, &fx->out);
    assert_has(strbuf_text(&fx->out), " 31 of 0 s");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(findings_are_numbered_and_wrapped),
        TEST(names_cannot_steer_the_terminal),
        TEST(what_is_not_known_is_left_out),
        TEST(long_words_are_not_cut),
        TEST(progress_is_a_line),
    };
    return cmocka_run_group_tests_name("doctor_report", tests, NULL, NULL);
}
