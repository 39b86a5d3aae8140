/*
 * The tally: counts by reason and user within their bounds, forged lines apart, and nothing kept of a target of which
 * the log says nothing.
 */
#include "explain/aborts.h"

#include "base/log.h"
#include "base/records.h"
#include "explaining.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct explaining *explaining;
    struct aborts *aborts;
    struct observer observer;
    struct target_config config;
    struct target target;
    char name[8];
    char *log;
    size_t log_size;
    FILE *log_file;
};

static int setup(void **state) {
    struct fixture *fx = calloc(1, sizeof *fx);
    assert_non_null(fx);
    fx->explaining = explaining_new(4, 10);
    fx->aborts = fx->explaining->aborts;
    fx->observer = fx->explaining->observer;
    memcpy(fx->name, "db1", 4);
    fx->config.name = fx->name;
    fx->target.config = &fx->config;
    fx->log_file = open_memstream(&fx->log, &fx->log_size);
    assert_non_null(fx->log_file);
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, fx->log_file);
    *state = fx;
    return 0;
}

static int teardown(void **state) {
    struct fixture *fx = *state;
    fx->observer.target_removed(fx->observer.arg, &fx->target);
    assert_null(fx->target.listener);
    explaining_free(fx->explaining);
    log_flush();
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, NULL);
    fclose(fx->log_file);
    free(fx->log);
    free(fx);
    return 0;
}

static void tell(struct fixture *fx, const struct log_event *event) {
    fx->observer.log_event(fx->observer.arg, &fx->target, event);
}

static void tell_abort(struct fixture *fx, uint64_t id, const char *user, const char *reason) {
    tell(fx, &(struct log_event){.kind = LOG_EVENT_ABORTED,
                                 .connection_id = id,
                                 .db = span_of("shop"),
                                 .user = span_of(user),
                                 .host = span_of("10.0.0.7"),
                                 .reason = span_of(reason)});
}

static void tell_denied(struct fixture *fx, const char *user) {
    tell(fx, &(struct log_event){.kind = LOG_EVENT_ACCESS_DENIED, .user = span_of(user), .host = span_of("10.0.0.8")});
}

static uint64_t count_of(struct fixture *fx, enum log_event_kind kind, const char *reason, const char *user) {
    size_t count;
    uint64_t sum = 0;
    const struct abort_count *counts = aborts_of(&fx->target, &count);
    for (size_t i = 0; i < count; i++)
        if (counts[i].kind == kind && strcmp(counts[i].reason, reason) == 0 && strcmp(counts[i].user, user) == 0)
            sum += counts[i].count;
    return sum;
}

static uint64_t count_all(struct fixture *fx) {
    size_t count;
    uint64_t sum = 0;
    const struct abort_count *counts = aborts_of(&fx->target, &count);
    for (size_t i = 0; i < count; i++)
        sum += counts[i].count;
    return sum;
}

static const char *log_text(struct fixture *fx) {
    fflush(fx->log_file);
    return fx->log ? fx->log : "";
}

static void silent_target_costs_nothing(void **state) {
    struct fixture *fx = *state;
    size_t count = 1;
    tell(fx, &(struct log_event){.kind = LOG_EVENT_SERVER_START});
    tell(fx, &(struct log_event){.kind = LOG_EVENT_SERVER_STOP});
    tell(fx, &(struct log_event){.kind = LOG_EVENT_NONE});
    assert_null(fx->target.listener);
    assert_null(aborts_of(&fx->target, &count));
    assert_int_equal(count, 0);
    assert_int_equal(aborts_folded(&fx->target), 0);
    assert_int_equal(aborts_suspect(&fx->target), 0);
    assert_string_equal(log_text(fx), "");
}

static void counts_by_kind_reason_and_user(void **state) {
    struct fixture *fx = *state;
    size_t count;
    for (int i = 0; i < 5; i++)
        tell_abort(fx, 1, "app", "timeout");
    tell_abort(fx, 2, "app", "error");
    tell_abort(fx, 3, "ap", "timeout");
    tell_abort(fx, 3, "", "timeout");
    tell_denied(fx, "app");
    tell_denied(fx, "app");
    assert_int_equal(count_of(fx, LOG_EVENT_ABORTED, "timeout", "app"), 5);
    assert_int_equal(count_of(fx, LOG_EVENT_ABORTED, "error", "app"), 1);
    assert_int_equal(count_of(fx, LOG_EVENT_ABORTED, "timeout", "ap"), 1);
    assert_int_equal(count_of(fx, LOG_EVENT_ABORTED, "timeout", ""), 1);
    assert_int_equal(count_of(fx, LOG_EVENT_ACCESS_DENIED, "", "app"), 2);
    assert_int_equal(count_all(fx), 10);
    assert_int_equal(aborts_folded(&fx->target), 0);

    /* each combination once, in an order that does not depend on what came first */
    const struct abort_count *counts = aborts_of(&fx->target, &count);
    assert_int_equal(count, 5);
    for (size_t i = 1; i < count; i++)
        assert_true(counts[i - 1].kind < counts[i].kind || strcmp(counts[i - 1].reason, counts[i].reason) < 0 ||
                    strcmp(counts[i - 1].user, counts[i].user) < 0);
}

static void users_beyond_the_bound_are_folded(void **state) {
    struct fixture *fx = *state;
    char user[32];
    for (int i = 0; i < 100; i++) {
        snprintf(user, sizeof user, "u%d", i);
        tell_abort(fx, 1, user, "timeout");
    }
    tell_abort(fx, 1, "u3", "timeout"); /* one of the four that have a place */
    assert_int_equal(count_of(fx, LOG_EVENT_ABORTED, "timeout", "u0"), 1);
    assert_int_equal(count_of(fx, LOG_EVENT_ABORTED, "timeout", "u3"), 2);
    assert_int_equal(count_of(fx, LOG_EVENT_ABORTED, "timeout", "other"), 96);
    assert_int_equal(aborts_folded(&fx->target), 96);
    assert_int_equal(count_all(fx), 101);

    aborts_set_limit(fx->aborts, 5);
    tell_abort(fx, 1, "u50", "timeout");
    assert_int_equal(count_of(fx, LOG_EVENT_ABORTED, "timeout", "u50"), 1);
    aborts_set_limit(fx->aborts, 1); /* who has a place keeps it */
    tell_abort(fx, 1, "u50", "timeout");
    assert_int_equal(count_of(fx, LOG_EVENT_ABORTED, "timeout", "u50"), 2);
    assert_int_equal(aborts_folded(&fx->target), 96);
}

static void folded_names_take_no_place_after_a_restart(void **state) {
    struct fixture *fx = *state;
    struct records records;
    struct record record;
    struct strbuf text;
    static const char *const users[] = {"a", "b", "y", "z", "folded"};
    for (size_t i = 0; i < sizeof users / sizeof users[0]; i++)
        tell_abort(fx, 1, users[i], "timeout");
    strbuf_init(&text, 1 << 16);
    records_begin(&text, "aborts 1");
    fx->observer.log_save(fx->observer.arg, &fx->target, &text);
    records_end(&text);
    fx->observer.target_removed(fx->observer.arg, &fx->target);
    assert_true(records_open(&records, text.data, text.len, "aborts 1"));
    while (records_next(&records, &record))
        assert_true(fx->observer.log_restore(fx->observer.arg, &fx->target, &record));
    assert_null(records.wrong);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(count_of(fx, LOG_EVENT_ABORTED, "timeout", users[i]), 1);
    assert_int_equal(count_of(fx, LOG_EVENT_ABORTED, "timeout", "other"), 1);
    strbuf_release(&text);
}

static void made_up_logins_leave_places_for_users(void **state) {
    struct fixture *fx = *state;
    char user[32];
    for (int i = 0; i < 50; i++) {
        snprintf(user, sizeof user, "made up %d", i);
        tell_denied(fx, user);
    }
    tell_abort(fx, 1, "app", "timeout");
    assert_int_equal(count_of(fx, LOG_EVENT_ACCESS_DENIED, "", "made up 1"), 1);
    assert_int_equal(count_of(fx, LOG_EVENT_ACCESS_DENIED, "", "other"), 48);
    assert_int_equal(count_of(fx, LOG_EVENT_ABORTED, "timeout", "app"), 1);
    assert_int_equal(aborts_folded(&fx->target), 48);
}

static void reasons_beyond_the_bound_are_folded(void **state) {
    struct fixture *fx = *state;
    char reason[32];
    size_t count;
    for (int i = 0; i < 1000; i++) {
        snprintf(reason, sizeof reason, "r%d", i);
        tell_abort(fx, 1, "app", reason);
    }
    aborts_of(&fx->target, &count);
    assert_int_equal(count, 65);
    assert_int_equal(count_of(fx, LOG_EVENT_ABORTED, "r63", "app"), 1);
    assert_int_equal(count_of(fx, LOG_EVENT_ABORTED, "other", "app"), 936);
    assert_int_equal(aborts_folded(&fx->target), 936);
}

static void forged_lines_are_counted_apart(void **state) {
    struct fixture *fx = *state;
    size_t count;
    struct log_event forged = {.kind = LOG_EVENT_ABORTED, .user = span_of("victim"), .suspect = true};
    tell(fx, &forged);
    forged.kind = LOG_EVENT_SERVER_STOP;
    tell(fx, &forged);
    aborts_of(&fx->target, &count);
    assert_int_equal(count, 0);
    assert_int_equal(aborts_suspect(&fx->target), 2);
    assert_int_equal(aborts_folded(&fx->target), 0);
    assert_non_null(strstr(log_text(fx), "forged"));
    assert_null(strstr(log_text(fx), "connection aborted"));
}

static void hostile_texts_are_bounded(void **state) {
    struct fixture *fx = *state;
    char big[4000], cut[81];
    memset(big, 'x', sizeof big);
    memset(cut, 'x', 80);
    cut[80] = '\0';
    struct span all = {big, sizeof big};
    tell(fx, &(struct log_event){.kind = LOG_EVENT_ABORTED, .db = all, .user = all, .host = all, .reason = all});
    assert_int_equal(count_of(fx, LOG_EVENT_ABORTED, cut, cut), 1);

    tell(fx, &(struct log_event){.kind = LOG_EVENT_ABORTED, .user = {"a\0b", 3}, .reason = {"\xff\n\"", 3}});
    assert_int_equal(count_of(fx, LOG_EVENT_ABORTED, "\xff\n\"", "a"), 1);
    assert_null(strstr(log_text(fx), "\xff"));
}

static void each_event_is_logged_once(void **state) {
    struct fixture *fx = *state;
    tell_abort(fx, 7, "app", "timeout");
    tell_abort(fx, 8, "app", "timeout"); /* differs in its number only */
    tell_denied(fx, "nobody");
    const char *text = log_text(fx);
    const char *first = strstr(text, "connection aborted");
    assert_non_null(first);
    assert_null(strstr(first + 1, "connection aborted"));
    for (const char *const *part =
             (const char *const[]){"target=db1", "connection_id=7", "user=app", "host=10.0.0.7", "db=shop",
                                   "reason=timeout", "\"access denied\"", "user=nobody", NULL};
         *part; part++)
        if (!strstr(text, *part))
            fail_msg("no %s in:\n%s", *part, text);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(silent_target_costs_nothing),
        TEST(each_event_is_logged_once),
        TEST(counts_by_kind_reason_and_user),
        TEST(users_beyond_the_bound_are_folded),
        TEST(made_up_logins_leave_places_for_users),
        TEST(reasons_beyond_the_bound_are_folded),
        TEST(forged_lines_are_counted_apart),
        TEST(hostile_texts_are_bounded),
        TEST(folded_names_take_no_place_after_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
