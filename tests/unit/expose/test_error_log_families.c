/*
 * The families of the error log, from a real file that is followed and the real counts of its events.
 */
#include "expose/render.h"

#include "../explain/explaining.h"
#include "base/log.h"
#include "fake_targets.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

static void on_event(void *arg, const struct log_event *event) {
    (void)arg, (void)event;
}

static void on_moved(void *arg) {
    uv_stop(arg);
}

static void on_deadline(uv_timer_t *timer) {
    uv_stop(timer->loop);
}

static char *page_of(struct target *target) {
    struct exporter_state exporter = fake_state();
    struct strbuf page;
    strbuf_init(&page, 1 << 24);
    struct render *render = render_begin(&target, 1, &exporter, FORMAT_TEXT);
    while (render_next(render, &page, 8192))
        ;
    render_end(render);
    return strbuf_detach(&page);
}

static void assert_has(const char *page, const char *line) {
    if (!strstr(page, line))
        fail_msg("the page lacks %s", line);
}

static void the_followers_state_is_shown(void **state) {
    char folder[] = "/tmp/mysqlconn-test-XXXXXX", path[64];
    struct target *target = fake_target("t");
    struct error_log_config config = {
        .source = LOG_FILE, .file = path, .start = LOG_START_BEGINNING, .max_line_bytes = 65536};
    uv_loop_t loop;
    uv_timer_t deadline;
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/error.log", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "one\ntwo\nthree\n", 14), 14);
    close(fd);

    uv_loop_init(&loop);
    uv_timer_init(&loop, &deadline);
    uv_timer_start(&deadline, on_deadline, 60000, 0);
    struct log_source_listener listener = {&loop, on_event, NULL, on_moved};
    target->error_log = log_source_start(&loop, &config, &listener, NULL);
    assert_non_null(target->error_log);
    char *page = page_of(target);
    assert_has(page, "\nmysqlconn_error_log_configured{target=\"t\"} 1\n");
    assert_has(page, "\nmysqlconn_error_log_lines_total{target=\"t\"} 0\n");
    free(page);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_run(&loop, UV_RUN_NOWAIT);
    target->log_events[LOG_EVENT_SERVER_STOP] = 4;
    page = page_of(target);
    assert_has(page, "\nmysqlconn_error_log_readable{target=\"t\"} 1\n");
    assert_has(page, "\nmysqlconn_error_log_gaps_total{target=\"t\"} 0\n");
    assert_has(page, "\nmysqlconn_error_log_missed_lines_total{target=\"t\"} 0\n");
    assert_has(page, "\nmysqlconn_error_log_lines_total{target=\"t\"} 3\n");
    assert_has(page, "\nmysqlconn_error_log_read_bytes_total{target=\"t\"} 14\n");
    assert_has(page, "\nmysqlconn_error_log_behind_bytes{target=\"t\"} 0\n");
    assert_has(page, "\nmysqlconn_error_log_cut_lines_total{target=\"t\"} 0\n");
    assert_has(page, "\nmysqlconn_error_log_rotations_total{target=\"t\"} 0\n");
    assert_has(page, "\nmysqlconn_error_log_truncations_total{target=\"t\"} 0\n");
    assert_has(page, "\nmysqlconn_error_log_folded_total{target=\"t\"} 0\n");
    assert_has(page, "\nmysqlconn_error_log_suspect_lines_total{target=\"t\"} 0\n");
    assert_has(page, "\nmysqlconn_error_log_events_total{target=\"t\",kind=\"aborted\"} 0\n");
    assert_has(page, "\nmysqlconn_error_log_events_total{target=\"t\",kind=\"server_stop\"} 4\n");
    const char *last = strstr(page, "\nmysqlconn_error_log_last_read_timestamp_seconds{target=\"t\"} ");
    assert_non_null(last);
    long long now = wall_now_ns() / NS_PER_S;
    assert_in_range(strtoll(strchr(last, ' ') + 1, NULL, 10), now - 60, now + 1);
    free(page);

    log_source_close(target->error_log);
    uv_close((uv_handle_t *)&deadline, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    unlink(path);
    rmdir(folder);
    fake_target_free(target);
}

static void aborts_have_their_reason_and_user(void **state) {
    struct target *target = fake_target("t");
    struct explaining *x = explaining_new(10, 10);
    (void)state;
    struct log_event event = {.kind = LOG_EVENT_ABORTED,
                              .connection_id = 8,
                              .user = span_of("app\"{}"),
                              .host = span_of("h"),
                              .db = span_of("d"),
                              .reason = span_of("Got timeout reading communication packets")};
    explaining_line(x, target, &event);
    explaining_line(x, target, &event);
    event.kind = LOG_EVENT_ACCESS_DENIED;
    event.reason = event.db = (struct span){0};
    explaining_line(x, target, &event);
    char *page = page_of(target);
    assert_has(page,
               "\nmysqlconn_error_log_aborts_total{target=\"t\",reason=\"Got timeout reading communication packets\","
               "user=\"app\\\"{}\"} 2\n");
    assert_has(page, "\nmysqlconn_error_log_access_denied_total{target=\"t\",user=\"app\\\"{}\"} 1\n");
    free(page);
    explaining_removed(x, target);
    explaining_free(x);
    fake_target_free(target);
}

/* A target that a reload took away while its page is written has no listener any more. */
static void a_removed_target_has_no_events(void **state) {
    struct target *target = fake_target("t");
    (void)state;
    char *page = page_of(target);
    assert_null(strstr(page, "mysqlconn_error_log_aborts_total"));
    assert_has(page, "\nmysqlconn_error_log_configured{target=\"t\"} 0\n");
    free(page);
    fake_target_free(target);
}

int main(void) {
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT, stderr); /* not a line for each event */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_followers_state_is_shown),
        cmocka_unit_test(aborts_have_their_reason_and_user),
        cmocka_unit_test(a_removed_target_has_no_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
