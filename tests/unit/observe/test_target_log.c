/*
 * The error log of one target over its end: what is held back then is neither told nor lost, but read again.
 */
#include "observe/target_log.h"

#include "../expose/fake_targets.h"
#include "base/state_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    uv_loop_t loop;
    char path[64];
    struct state_store *store; /* in memory, as over a reload */
    struct target *target;
    struct target_log *log;
    unsigned told, suspect;
};

static void on_event(void *arg, struct target *target, const struct log_event *event) {
    struct fixture *fx = arg;
    (void)target;
    fx->told++;
    fx->suspect += event->suspect;
}

static void append(const struct fixture *fx, const char *text) {
    FILE *log = fopen(fx->path, "a");
    assert_non_null(log);
    assert_true(fputs(text, log) >= 0);
    assert_int_equal(fclose(log), 0);
}

static void read_lines(struct fixture *fx, uint64_t lines) {
    for (int i = 0; i < 1000 && log_source_state(fx->target->error_log)->lines < lines; i++)
        uv_run(&fx->loop, UV_RUN_ONCE);
    assert_int_equal(log_source_state(fx->target->error_log)->lines, lines);
}

static void name_that_was_read_to_its_middle_when_we_ended(void **state) {
    struct fixture fx = {.path = "/tmp/mysqlconn-test-XXXXXX", .target = fake_target("db1")};
    const struct observer observer = {.arg = &fx, .log_event = on_event};
    int fd = mkstemp(fx.path);
    (void)state;
    assert_true(fd >= 0);
    close(fd);
    fx.target->config->error_log = (struct error_log_config){
        .source = LOG_FILE, .file = fx.path, .start = LOG_START_BEGINNING, .max_line_bytes = 65536};
    uv_loop_init(&fx.loop);
    fx.target->store = fx.store = state_store_open(&fx.loop, NULL, NULL);
    assert_non_null(fx.store);

    append(&fx, "2026-11-21  1:51:41 5 [Warning] Access denied for user 'x\n");
    fx.log = target_log_start(&fx.loop, &observer, fx.target);
    log_source_go(fx.target->error_log);
    read_lines(&fx, 1);
    target_log_stop(fx.log);
    append(&fx, "2026-11-21  1:51:41 6 [Warning] Aborted connection 6 to db: 'd' user: 'victim' host: 'h' (KILLED)\n"
                "'@'localhost' (using password: NO)\n"
                "2026-11-21  1:51:42 7 [Warning] Access denied for user 'y'@'localhost' (using password: NO)\n");
    fx.log = target_log_start(&fx.loop, &observer, fx.target);
    log_source_go(fx.target->error_log);
    read_lines(&fx, 4);
    for (int i = 0; i < 1000 && fx.told < 3; i++) /* what is held back is told after a second */
        uv_run(&fx.loop, UV_RUN_ONCE);
    assert_int_equal(fx.told, 3);
    assert_int_equal(fx.suspect, 1);
    assert_int_equal(fx.target->log_events[LOG_EVENT_ABORTED], 0);
    assert_int_equal(fx.target->log_events[LOG_EVENT_ACCESS_DENIED], 2);

    target_log_stop(fx.log);
    uv_run(&fx.loop, UV_RUN_DEFAULT);
    state_store_close(fx.store);
    uv_run(&fx.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&fx.loop), 0);
    fake_target_free(fx.target);
    unlink(fx.path);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(name_that_was_read_to_its_middle_when_we_ended)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
