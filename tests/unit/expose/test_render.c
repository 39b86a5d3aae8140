/*
 * The page of /metrics: what a small fleet looks like, and that it is the same however it is cut.
 */
#include "expose/render.h"

#include "fake_targets.h"
#include "tool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct strbuf render_in(enum metric_format format, struct target **targets, size_t count, size_t enough) {
    struct exporter_state exporter = fake_state();
    struct strbuf page, piece;
    strbuf_init(&page, 1 << 24);
    strbuf_init(&piece, 1 << 24);
    struct render *render = render_begin(targets, count, &exporter, format);
    assert_non_null(render);
    while (render_next(render, &piece, enough)) {
        strbuf_add(&page, piece.data, piece.len);
        strbuf_reset(&piece);
    }
    assert_int_equal(piece.len, 0);
    assert_false(render_next(render, &piece, enough)); /* stays at its end */
    render_end(render);
    strbuf_release(&piece);
    assert_false(strbuf_failed(&page));
    for (size_t i = 0; i < count; i++)
        assert_int_equal(targets[i]->refs, 1);
    return page;
}

static char *render_all(struct target **targets, size_t count, size_t enough) {
    struct strbuf page = render_in(FORMAT_TEXT, targets, count, enough);
    return strbuf_detach(&page);
}

/* The part of `page` that is about `family`, "" if there is none; to be free()d. */
static char *block(const char *page, const char *family) {
    char head[200];
    snprintf(head, sizeof head, "# HELP %s ", family);
    const char *start = strstr(page, head);
    if (!start)
        return strdup("");
    assert_true(start == page || start[-1] == '\n');
    const char *end = strstr(start + 1, "# HELP ");
    return strndup(start, end ? (size_t)(end - start) : strlen(start));
}

static void assert_block(const char *page, const char *family, const char *expected) {
    char *is = block(page, family);
    const char *samples = is; /* without HELP, which may be reworded */
    if (*is)
        samples = strchr(is, '\n') + 1;
    assert_string_equal(samples, expected);
    free(is);
}

static void a_small_fleet_gives_this_page(void **state) {
    struct target *targets[] = {fake_target("up"), fake_target("down"), fake_target("new")};
    (void)state;
    fake_up(targets[0]);
    labels_add(&targets[0]->labels, "env", "prod");
    fake_value(targets[0], VARIABLE_STATUS, "Aborted_clients", 18446744073709551615.0);
    fake_value(targets[0], VARIABLE_SETTING, "max_statement_time", 0.5);
    fake_value(targets[0], VARIABLE_STATUS, "Connection_errors_accept", 6);
    fake_value(targets[0], VARIABLE_STATUS, "Connection_errors_internal", 7);
    fake_value(targets[0], VARIABLE_STATUS, "Connection_errors_max_connections", 8);
    fake_value(targets[0], VARIABLE_STATUS, "Connection_errors_peer_address", 9);
    fake_value(targets[0], VARIABLE_STATUS, "Connection_errors_select", (double)NAN);
    fake_value(targets[0], VARIABLE_STATUS, "Connection_errors_tcpwrap", 11);
    fake_value(targets[0], VARIABLE_STATUS, "Locked_connects", (double)NAN);
    fake_down(targets[1]);
    char *page = render_all(targets, 3, 8192);

    assert_block(page, "mysql_up",
                 "# TYPE mysql_up gauge\n"
                 "mysql_up{target=\"up\",env=\"prod\"} 1\n"
                 "mysql_up{target=\"down\"} 0\n");
    assert_block(page, "mysql_version_info",
                 "# TYPE mysql_version_info gauge\n"
                 "mysql_version_info{target=\"up\",env=\"prod\",version=\"10.11.19-MariaDB\","
                 "version_comment=\"Debian 12\"} 1\n");
    assert_block(page, "mysql_global_status_aborted_clients",
                 "# TYPE mysql_global_status_aborted_clients untyped\n"
                 "mysql_global_status_aborted_clients{target=\"up\",env=\"prod\"} 1.8446744073709552e+19\n");
    assert_block(page, "mysql_global_variables_max_statement_time",
                 "# TYPE mysql_global_variables_max_statement_time gauge\n"
                 "mysql_global_variables_max_statement_time{target=\"up\",env=\"prod\"} 0.5\n");
    assert_block(page, "mysql_global_status_connection_errors_total",
                 "# TYPE mysql_global_status_connection_errors_total counter\n"
                 "mysql_global_status_connection_errors_total{target=\"up\",env=\"prod\",error=\"accept\"} 6\n"
                 "mysql_global_status_connection_errors_total{target=\"up\",env=\"prod\",error=\"internal\"} 7\n"
                 "mysql_global_status_connection_errors_total{target=\"up\",env=\"prod\",error=\"max_connections\"} 8\n"
                 "mysql_global_status_connection_errors_total{target=\"up\",env=\"prod\",error=\"peer_address\"} 9\n"
                 "mysql_global_status_connection_errors_total{target=\"up\",env=\"prod\",error=\"tcpwrap\"} 11\n");
    assert_block(page, "mysql_global_status_locked_connects", ""); /* no sample, no family */
    assert_block(page, "mysqlconn_target_down_info",
                 "# TYPE mysqlconn_target_down_info gauge\n"
                 "mysqlconn_target_down_info{target=\"down\",operation=\"poll\",module=\"\",phase=\"connect\",reason="
                 "\"refused\"} 1\n"
                 "mysqlconn_target_down_info{target=\"down\",operation=\"probe\",module=\"default\",phase=\"auth\","
                 "reason=\"access_denied\"} 1\n");
    assert_block(page, "mysqlconn_polls_total",
                 "# TYPE mysqlconn_polls_total counter\n"
                 "mysqlconn_polls_total{target=\"up\",env=\"prod\"} 7\n"
                 "mysqlconn_polls_total{target=\"down\"} 2\n"
                 "mysqlconn_polls_total{target=\"new\"} 0\n");
    assert_block(page, "mysqlconn_poll_duration_seconds",
                 "# TYPE mysqlconn_poll_duration_seconds gauge\n"
                 "mysqlconn_poll_duration_seconds{target=\"up\",env=\"prod\"} 0.001234567\n");
    assert_block(page, "mysqlconn_poll_last_success_timestamp_seconds",
                 "# TYPE mysqlconn_poll_last_success_timestamp_seconds gauge\n"
                 "mysqlconn_poll_last_success_timestamp_seconds{target=\"up\",env=\"prod\"} 1763690400.25\n"
                 "mysqlconn_poll_last_success_timestamp_seconds{target=\"down\"} 0\n"
                 "mysqlconn_poll_last_success_timestamp_seconds{target=\"new\"} 0\n");
    assert_block(page, "mysqlconn_probe_failures_total",
                 "# TYPE mysqlconn_probe_failures_total counter\n"
                 "mysqlconn_probe_failures_total{target=\"down\",module=\"default\",close=\"quit_wait\",phase="
                 "\"resolve\",reason=\"timeout\"} 1\n"
                 "mysqlconn_probe_failures_total{target=\"down\",module=\"default\",close=\"quit_wait\",phase=\"auth\","
                 "reason=\"access_denied\"} 4\n");
    assert_block(page, "mysqlconn_error_log_configured",
                 "# TYPE mysqlconn_error_log_configured gauge\n"
                 "mysqlconn_error_log_configured{target=\"up\",env=\"prod\"} 0\n"
                 "mysqlconn_error_log_configured{target=\"down\"} 0\n"
                 "mysqlconn_error_log_configured{target=\"new\"} 0\n");
    assert_block(page, "mysqlconn_error_log_lines_total", "");
    assert_block(page, "mysqlconn_exporter_build_info",
                 "# TYPE mysqlconn_exporter_build_info gauge\n"
                 "mysqlconn_exporter_build_info{version=\"0.1.0\",client_library=\"libmariadb 3.3.20\"} 1\n");
    assert_block(page, "mysqlconn_exporter_targets",
                 "# TYPE mysqlconn_exporter_targets gauge\n"
                 "mysqlconn_exporter_targets 3\n");
    assert_block(page, "process_start_time_seconds",
                 "# TYPE process_start_time_seconds gauge\n"
                 "process_start_time_seconds 1763690000.5\n");
    free(page);
    for (int i = 0; i < 3; i++)
        fake_target_free(targets[i]);
}

static void histograms_are_cumulative_and_complete(void **state) {
    struct target *target = fake_target("t");
    (void)state;
    fake_up(target);
    char *page = render_all(&target, 1, 1);
    char *is = block(page, "mysqlconn_probe_phase_duration_seconds");
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        if (phase == PHASE_HOLD) /* of modules that hold only */
            continue;
        char expected[8192];
        const char *name = phase_name((enum phase)phase);
        static const char *const les[] = {"0.00005", "0.0001", "0.00025", "0.0005", "0.001", "0.0025",
                                          "0.005",   "0.01",   "0.025",   "0.05",   "0.1",   "0.25",
                                          "0.5",     "1",      "2.5",     "5",      "10",    "+Inf"};
        size_t len = 0;
        for (int i = 0; i < 18; i++) /* 60 µs, 1.5 ms and 11 s were added */
            len += (size_t)snprintf(expected + len, sizeof expected - len,
                                    "mysqlconn_probe_phase_duration_seconds_bucket{target=\"t\",module=\"default\","
                                    "close=\"quit_wait\",phase=\"%s\",le=\"%s\"} %d\n",
                                    name, les[i],
                                    i == 0   ? 0
                                    : i < 5  ? 1
                                    : i < 17 ? 2
                                             : 3);
        snprintf(expected + len, sizeof expected - len,
                 "mysqlconn_probe_phase_duration_seconds_sum{target=\"t\",module=\"default\",close=\"quit_wait\",phase="
                 "\"%s\"} 11.00156\n"
                 "mysqlconn_probe_phase_duration_seconds_count{target=\"t\",module=\"default\",close=\"quit_wait\","
                 "phase=\"%s\"} 3\n",
                 name, name);
        assert_non_null(strstr(is, expected));
    }
    assert_non_null(strstr(page, "mysqlconn_exporter_loop_step_seconds_bucket{le=\"0.0025\"} 1\n"));
    assert_non_null(strstr(page, "mysqlconn_exporter_loop_step_seconds_sum 0.0025\n"));
    free(is);
    free(page);
    fake_target_free(target);
}

/* Without what moves by itself. */
static void blank_process(char *page) {
    char *at = strstr(page, "# HELP process_");
    assert_non_null(at);
    *at = '\0';
}

static void the_page_is_the_same_in_every_piece_size(void **state) {
    struct target *targets[] = {fake_target("a"), fake_target("b"), fake_target("c")};
    (void)state;
    fake_up(targets[0]);
    fake_down(targets[1]);
    char *whole = render_all(targets, 3, SIZE_MAX);
    blank_process(whole);
    for (size_t enough = 1; enough < 20000; enough += enough < 300 ? 1 : 997) {
        char *page = render_all(targets, 3, enough);
        blank_process(page);
        assert_string_equal(page, whole);
        free(page);
    }
    free(whole);
    for (int i = 0; i < 3; i++)
        fake_target_free(targets[i]);
}

/* Their samples wait for their length, whatever the pieces are. */
static void the_other_formats_are_the_same_in_every_piece_size(void **state) {
    struct target *targets[] = {fake_target("a"), fake_target("b"), fake_target("c")};
    (void)state;
    fake_up(targets[0]);
    fake_down(targets[1]);
    for (enum metric_format format = FORMAT_OPENMETRICS; format < FORMAT_COUNT; format++) {
        struct strbuf whole = render_in(format, targets, 3, SIZE_MAX);
        for (size_t enough = 1; enough < 20000; enough += enough < 20 ? 1 : 997) {
            struct strbuf page = render_in(format, targets, 3, enough);
            /* process_*, which moves by itself, comes last */
            assert_true(page.len + 100 > whole.len && whole.len + 100 > page.len && whole.len > 20000);
            assert_memory_equal(page.data, whole.data, whole.len - 1500);
            strbuf_release(&page);
        }
        strbuf_release(&whole);
    }
    for (int i = 0; i < 3; i++)
        fake_target_free(targets[i]);
}

static void openmetrics_tells_units_beginnings_and_exemplars(void **state) {
    struct target *target = fake_target("t");
    (void)state;
    fake_up(target);
    target->since_wall_ns = INT64_C(1763690000250000000);
    target->probes->facts.connection_id = 42;
    target->probes->facts.last_wall_ns = INT64_C(1763690401500000000);
    target->probes->facts.last_phase_ns[PHASE_CONNECT] = 1500000;
    struct strbuf page = render_in(FORMAT_OPENMETRICS, &target, 1, 8192);
    const char *text = strbuf_text(&page);
    assert_block(text, "mysqlconn_polls",
                 "# TYPE mysqlconn_polls counter\n"
                 "mysqlconn_polls_total{target=\"t\"} 7\n"
                 "mysqlconn_polls_created{target=\"t\"} 1763690000.25\n");
    assert_block(text, "mysqlconn_poll_duration_seconds",
                 "# TYPE mysqlconn_poll_duration_seconds gauge\n"
                 "# UNIT mysqlconn_poll_duration_seconds seconds\n"
                 "mysqlconn_poll_duration_seconds{target=\"t\"} 0.001234567\n");
    assert_non_null(strstr(text, "# TYPE mysql_global_status_aborted_clients unknown\n"));
    assert_non_null(strstr(text, "# UNIT mysqlconn_probe_tcp_sent_bytes bytes\n"));
    assert_non_null(strstr(text, "phase=\"connect\",le=\"0.0025\"} 2 # {connection_id=\"42\"} 0.0015 1763690401.5\n"));
    assert_non_null(strstr(text, "phase=\"connect\",le=\"1.0\"} 2\n"));
    assert_non_null(strstr(text, "phase=\"auth\",le=\"10.0\"} 2\n"));
    /* FLUSH STATUS set them back 100 seconds after the start */
    fake_value(target, VARIABLE_STATUS, "Uptime", 1000);
    fake_value(target, VARIABLE_STATUS, "Uptime_since_flush_status", 900);
    assert_non_null(strstr(text, "\n# EOF\n"));
    assert_string_equal(text + page.len - 6, "# EOF\n");
    strbuf_release(&page);
    page = render_in(FORMAT_OPENMETRICS, &target, 1, 8192);
    assert_non_null(strstr(strbuf_text(&page),
                           "mysql_global_status_connection_errors_created{target=\"t\",error=\"accept\"}"
                           " 1763690100\n"));
    strbuf_release(&page);
    fake_target_free(target);
}

static void no_piece_is_long(void **state) {
    struct target *targets[200];
    struct exporter_state exporter = fake_state();
    struct strbuf piece;
    size_t longest = 0;
    (void)state;
    for (int i = 0; i < 200; i++)
        fake_up(targets[i] = fake_target("some-database-server-17.example"));
    strbuf_init(&piece, 1 << 20);
    struct render *render = render_begin(targets, 200, &exporter, FORMAT_TEXT);
    while (render_next(render, &piece, 8192)) {
        longest = piece.len > longest ? piece.len : longest;
        strbuf_reset(&piece);
    }
    assert_true(longest < 8192 + 24000); /* one histogram family of one target */
    render_end(render);
    strbuf_release(&piece);
    for (int i = 0; i < 200; i++)
        fake_target_free(targets[i]);
}

static void an_empty_fleet_has_the_exporters_families_only(void **state) {
    (void)state;
    char *page = render_all(NULL, 0, 100);
    assert_non_null(strstr(page, "\nmysqlconn_exporter_targets 0\n"));
    assert_null(strstr(page, "target="));
    assert_memory_equal(page, "# HELP mysqlconn_exporter_build_info ", 37);
    free(page);
}

#define HOSTILE "q\" b\\ n\n }{ \xff\xc3 \xe2\x82\xac # HELP"

static struct target *hostile_target(void) {
    struct target *target = fake_target(HOSTILE);
    fake_up(target);
    snprintf(target->poll.version, sizeof target->poll.version, "%s", HOSTILE);
    return target;
}

static void hostile_label_values_are_escaped(void **state) {
    struct target *target = hostile_target();
    (void)state;
    char *page = render_all(&target, 1, 1000);
    assert_block(page, "mysql_version_info",
                 "# TYPE mysql_version_info gauge\n"
                 "mysql_version_info{target=\"q\\\" b\\\\ n\\n }{ \xef\xbf\xbd\xef\xbf\xbd \xe2\x82\xac # HELP\","
                 "version=\"q\\\" b\\\\ n\\n }{ \xef\xbf\xbd\xef\xbf\xbd \xe2\x82\xac # HELP\","
                 "version_comment=\"Debian 12\"} 1\n");
    free(page);
    fake_target_free(target);
}

static void promtool_and_the_python_parser_accept_the_page(void **state) {
    struct target *targets[] = {fake_target("a"), fake_target("b"), fake_target("c"), hostile_target()};
    (void)state;
    fake_up(targets[0]);
    fake_down(targets[1]);
    char *page = render_all(targets, 4, 8192);
    bool ran = tool_accepts("promtool", "promtool check metrics", page);
    ran = tool_accepts("/usr/bin/python3",
                       "/usr/bin/python3 -c '"
                       "import sys\n"
                       "try:\n"
                       " from prometheus_client.parser import text_string_to_metric_families as parse\n"
                       "except ImportError:\n"
                       " sys.exit()\n"
                       "page = sys.stdin.buffer.read().decode()\n"
                       "families = list(parse(page))\n"
                       "names = [family.name for family in families]\n"
                       "assert len(names) == len(set(names)) > 90, names\n"
                       "seen = [(s.name, tuple(sorted(s.labels.items()))) for f in families for s in f.samples]\n"
                       "assert len(seen) == len(set(seen)) > 900, len(seen)\n"
                       "hostile = \"q\\\" b\\\\ n\\n }{ \\ufffd\\ufffd \\u20ac # HELP\"\n"
                       "assert hostile in [v for n, l in seen for k, v in l], \"hostile value lost\"'",
                       page) &&
          ran;
    free(page);
    for (int i = 0; i < 4; i++)
        fake_target_free(targets[i]);
    if (!ran)
        skip();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_fleet_gives_this_page),
        cmocka_unit_test(histograms_are_cumulative_and_complete),
        cmocka_unit_test(the_page_is_the_same_in_every_piece_size),
        cmocka_unit_test(the_other_formats_are_the_same_in_every_piece_size),
        cmocka_unit_test(openmetrics_tells_units_beginnings_and_exemplars),
        cmocka_unit_test(no_piece_is_long),
        cmocka_unit_test(an_empty_fleet_has_the_exporters_families_only),
        cmocka_unit_test(hostile_label_values_are_escaped),
        cmocka_unit_test(promtool_and_the_python_parser_accept_the_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
