/*
 * The server's half of a close: what is claimed after which events. Mostly without an error log, so that nothing is
 * waited for.
 */
#include "observe/close_check.h"

#include <dlfcn.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define ID 7
#define READ_ERROR "Got an error reading communication packets"

static time_t ahead_s; /* our clock is ahead of the time by this */

int clock_gettime(clockid_t id, struct timespec *out) {
    int rc = ((__typeof__(&clock_gettime))(uintptr_t)dlsym(RTLD_NEXT, "clock_gettime"))(id, out);
    out->tv_sec += ahead_s;
    return rc;
}

static char name[] = "db1", user[] = "monitor";

struct fixture {
    struct target_config config;
    struct module_config module;
    struct target target;
    struct probe probe;
    struct close_check *check;
};

static int set_up(void **state) {
    static const char *const known[] = {"Aborted_clients", "Aborted_connects", "Uptime", "Uptime_since_flush_status"};
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->config = (struct target_config){.name = name, .user = user, .poll = {NS_PER_S, NS_PER_S}};
    f->target.config = &f->config;
    f->module.name = name;
    f->probe = (struct probe){.target = &f->target, .module = &f->module};
    for (size_t i = 0; i < VARIABLE_MAX; i++)
        f->target.poll.value[i] = NAN;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        f->target.poll.value[variable_find(VARIABLE_STATUS, span_of(known[i]))] = 1;
    f->check = close_check_new(&f->target);
    assert_non_null(f->check);
    close_check_polled(f->check, mono_now());
    close_check_opened(f->check, &f->probe, ID);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    close_check_free(f->check);
    free(f);
    return 0;
}

static void event(const struct fixture *f, enum log_event_kind kind, const char *who) {
    struct log_event e = {.kind = kind, .connection_id = ID, .reason = span_of(READ_ERROR)};
    if (who)
        e.user = span_of(who);
    close_check_event(f->check, &e);
}

/* The one verdict, once a poll has come that moved no counter. */
static enum close_verdict verdict(struct fixture *f) {
    close_check_polled(f->check, mono_add(mono_now(), NS_PER_S));
    close_check_settle(f->check);
    for (int i = 0; i < VERDICT_COUNT; i++)
        if (f->probe.facts.verdicts[i] == 1)
            return (enum close_verdict)i;
    return VERDICT_COUNT;
}

static void nothing_happened(void **state) {
    struct fixture *f = *state;
    close_check_closed(f->check, &f->probe, ID, END_WITH_QUIT, HOLD_SURVIVED);
    assert_int_equal(verdict(f), VERDICT_CLEAN_BY_COUNTERS);
}

static void a_doubtful_end_is_not_clean_because_nothing_moved_yet(void **state) {
    struct fixture *f = *state;
    close_check_closed(f->check, &f->probe, ID, END_IN_DOUBT, HOLD_SURVIVED);
    assert_int_equal(verdict(f), VERDICT_UNKNOWN);
}

static void an_abort_is_told_by_its_id(void **state) {
    static const enum log_event_kind kinds[] = {LOG_EVENT_ABORTED, LOG_EVENT_INIT_CONNECT};
    struct fixture *f = *state;
    close_check_closed(f->check, &f->probe, ID, END_WITH_QUIT, HOLD_SURVIVED);
    event(f, kinds[0], user);
    assert_int_equal(verdict(f), VERDICT_LOGGED);
    close_check_opened(f->check, &f->probe, ID);
    close_check_closed(f->check, &f->probe, ID, END_IN_DOUBT, HOLD_SURVIVED);
    event(f, kinds[1], NULL);
    close_check_settle(f->check);
    assert_int_equal(f->probe.facts.verdicts[VERDICT_LOGGED], 2);
}

static void an_id_of_somebody_else_accuses_nobody(void **state) {
    struct fixture *f = *state;
    event(f, LOG_EVENT_ABORTED, "app");
    close_check_closed(f->check, &f->probe, ID, END_WITH_QUIT, HOLD_SURVIVED);
    assert_int_equal(verdict(f), VERDICT_UNKNOWN);
}

static void ignore_event(void *arg, const struct log_event *event) {
    (void)arg;
    (void)event;
}

static void ignore_change(void *arg) {
    (void)arg;
}

/* A log of which more has come than one step reads. */
static void a_log_that_is_just_behind_is_waited_for(void **state) {
    enum { LOG_BYTES = 4 << 20 };
    struct fixture *f = *state;
    char path[] = "/tmp/mysqlconn-close-check-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, LOG_BYTES), 0);
    close(fd);
    uv_loop_t loop;
    uv_loop_init(&loop);
    struct error_log_config config = {
        .source = LOG_FILE, .file = path, .start = LOG_START_BEGINNING, .max_line_bytes = 65536};
    struct log_source_listener listener = {NULL, ignore_event, ignore_change, ignore_change};
    f->target.error_log = log_source_start(&loop, &config, &listener, NULL);
    f->target.poll.value[variable_find(VARIABLE_SETTING, span_of("log_warnings"))] = 2;
    const struct log_source_state *log = log_source_state(f->target.error_log);
    while (!log->readable)
        uv_run(&loop, UV_RUN_ONCE);
    assert_true(log->behind_bytes > 0);
    close_check_opened(f->check, &f->probe, ID + 1);
    close_check_closed(f->check, &f->probe, ID + 1, END_WITH_QUIT, HOLD_SURVIVED);
    ahead_s = 60; /* time enough for a line to come */
    assert_int_equal(verdict(f), VERDICT_COUNT);
    /* As a journal's state says it, or a table's. */
    struct log_source_state *entries = (struct log_source_state *)(uintptr_t)log;
    entries->behind_bytes = 0;
    entries->behind = true;
    assert_int_equal(verdict(f), VERDICT_COUNT);
    entries->behind = false;
    assert_int_equal(verdict(f), VERDICT_CLEAN_BY_LOG);
    ahead_s = 0;
    log_source_close(f->target.error_log);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    unlink(path);
}

static void after_a_restart_ids_are_given_again(void **state) {
    struct fixture *f = *state;
    close_check_closed(f->check, &f->probe, ID, END_WITH_QUIT, HOLD_SURVIVED);
    event(f, LOG_EVENT_SERVER_START, NULL);
    event(f, LOG_EVENT_ABORTED, user);
    assert_int_equal(verdict(f), VERDICT_UNKNOWN);
}

static void who_cut_it_is_told_with_the_verdict(void **state) {
    struct fixture *f = *state;
    close_check_closed(f->check, &f->probe, ID, END_IN_DOUBT, HOLD_FIN);
    event(f, LOG_EVENT_ABORTED, user);
    assert_int_equal(verdict(f), VERDICT_LOGGED);
    assert_int_equal(f->probe.facts.holds[HOLD_FIN][CUTTER_PATH], 1);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(nothing_happened),
        WITH_FIXTURE(a_doubtful_end_is_not_clean_because_nothing_moved_yet),
        WITH_FIXTURE(an_abort_is_told_by_its_id),
        WITH_FIXTURE(an_id_of_somebody_else_accuses_nobody),
        WITH_FIXTURE(a_log_that_is_just_behind_is_waited_for),
        WITH_FIXTURE(after_a_restart_ids_are_given_again),
        WITH_FIXTURE(who_cut_it_is_told_with_the_verdict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
