/*
 * Commands and states under mysqld_exporter's labels.
 */
#include "observe/thread_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

static void labels(void **state) {
    (void)state;
    static const struct {
        const char *command, *state, *label, *old;
    } cases[] = {
        {"Sleep", "", "unknown", "idle"},
        {"Query", "", "unknown", "executing"},
        {"Query", "Sending data", "sending_data", "sending data"},
        {"Query", "Waiting for table metadata lock", "waiting_for_table_metadata_lock", "waiting for lock"},
        {"Query", "System lock", "system_lock", "waiting for lock"},
        {"Query", "lock", "lock", "lock"},
        {"Sleep", "User sleep", "user_sleep", "idle"},
        {"Query", "closing_tables", "closing_tables", "closing tables"},
        {"Binlog Dump", "", "unknown", "replication master"},
        {"Daemon", "", "unknown", "other"},
        {"Slave_SQL", "Has read all relay log; waiting for more (a.b, c:d)-now",
         "has_read_all_relay_log_waiting_for_more_ab_cd_now",
         "has read all relay log; waiting for more (a.b, c:d)-now"},
        {"Query", "\xff\x01\"", "??\"", "??\""},
    };
    char out[THREAD_STATE_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        thread_state_label(out, span_of(cases[i].state));
        assert_string_equal(out, cases[i].label);
        thread_state_old_label(out, span_of(cases[i].command), span_of(cases[i].state));
        assert_string_equal(out, cases[i].old);
    }
}

static void bounds(void **state) {
    (void)state;
    char out[THREAD_STATE_MAX], longest[1000];
    memset(longest, 'X', sizeof longest);
    thread_state_label(out, (struct span){longest, sizeof longest});
    assert_int_equal(strlen(out), THREAD_STATE_MAX - 1);
    thread_state_label(out, (struct span){NULL, 0});
    assert_string_equal(out, "unknown");
    thread_state_old_label(out, (struct span){NULL, 0}, (struct span){NULL, 0});
    assert_string_equal(out, "other");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(labels), cmocka_unit_test(bounds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
