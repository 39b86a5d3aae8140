/*
 * An error log of a target's that is empty and readable, and of a level that tells of aborts.
 */
#ifndef QUIET_LOG_H
#define QUIET_LOG_H

#include "../expose/fake_targets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

struct quiet_log {
    char path[64];
    struct error_log_config config;
    uv_loop_t loop;
};

static inline void ignore_event(void *arg, const struct log_event *event) {
    (void)arg;
    (void)event;
}

static inline void stop_loop(void *arg) {
    uv_stop(arg);
}

static inline void quiet_log_open(struct quiet_log *log, struct target *target) {
    struct log_source_listener listener = {&log->loop, ignore_event, NULL, stop_loop};
    snprintf(log->path, sizeof log->path, "/tmp/mysqlconn-test-XXXXXX");
    int fd = mkstemp(log->path);
    assert_true(fd >= 0);
    close(fd);
    log->config = (struct error_log_config){
        .source = LOG_FILE, .file = log->path, .start = LOG_START_BEGINNING, .max_line_bytes = 65536};
    uv_loop_init(&log->loop);
    target->error_log = log_source_start(&log->loop, &log->config, &listener, NULL);
    assert_non_null(target->error_log);
    for (int i = 0; i < 1000 && !log_source_state(target->error_log)->readable; i++)
        uv_run(&log->loop, UV_RUN_ONCE);
    assert_true(log_source_state(target->error_log)->readable);
    bool mariadb = strstr(target->poll.version, "MariaDB") || !target->poll.version[0];
    fake_value(target, VARIABLE_SETTING, mariadb ? "log_warnings" : "log_error_verbosity", mariadb ? 2 : 3);
}

static inline void quiet_log_close(struct quiet_log *log, struct target *target) {
    log_source_close(target->error_log);
    target->error_log = NULL;
    uv_run(&log->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&log->loop), 0);
    unlink(log->path);
}

#endif
