/*
 * Aborts by client: each has its series and keeps it, strangers leave places, those that come often get one, and
 * nothing is lost in between.
 */
#include "explain/clients.h"

#include "../expose/fake_targets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct fixture {
    struct clients *clients;
    struct target *target;
    struct limits_config limits;
};

static int setup(void **state) {
    struct fixture *fx = calloc(1, sizeof *fx);
    fx->limits = (struct limits_config){.clients_per_target = 8};
    fx->clients = clients_new(&fx->limits);
    fx->target = fake_target("a");
    *state = fx;
    return 0;
}

static int teardown(void **state) {
    struct fixture *fx = *state;
    struct observer observer = clients_observer(fx->clients);
    observer.target_removed(observer.arg, fx->target);
    assert_null(fx->target->clients);
    fake_target_free(fx->target);
    clients_free(fx->clients);
    free(fx);
    return 0;
}

static void tell_event(struct fixture *fx, struct span user, struct span host, const char *driver, enum cause cause,
                       uint64_t n) {
    struct abort_event event = {
        .n = n,
        .user = user,
        .host = host,
        .driver = driver ? span_of(driver) : (struct span){0},
        .idle_ns = -1,
        .cause = {.cause = cause,
                  .confidence = CONFIDENCE_CERTAIN,
                  .raises = cause == CAUSE_ACCESS_DENIED ? 1U << COUNTER_CONNECTS : 1U << COUNTER_CLIENTS}};
    struct abort_sink sink = clients_sink(fx->clients);
    sink.abort(sink.arg, fx->target, &event);
}

static void tell(struct fixture *fx, const char *user, const char *host, enum cause cause) {
    tell_event(fx, span_of(user), span_of(host), NULL, cause, 1);
}

static uint64_t count_of(const struct fixture *fx, const char *user, const char *host, const char *driver,
                         enum cause cause) {
    size_t count;
    uint64_t found = 0;
    const struct client_aborts *clients = clients_of(fx->target, &count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(clients[i].user, user) == 0 && strcmp(clients[i].host, host) == 0 &&
            strcmp(clients[i].driver, driver) == 0)
            found += clients[i].counts[cause];
    return found;
}

static uint64_t sum(const struct fixture *fx) {
    size_t count;
    uint64_t all = 0;
    const struct client_aborts *clients = clients_of(fx->target, &count);
    for (size_t i = 0; i < count; i++)
        for (int cause = 0; cause < CAUSE_COUNT; cause++)
            all += clients[i].counts[cause];
    return all;
}

static size_t series(const struct fixture *fx) {
    size_t count;
    clients_of(fx->target, &count);
    return count;
}

static void by_user_host_driver_and_cause(void **state) {
    struct fixture *fx = *state;
    assert_int_equal(series(fx), 0);
    tell_event(fx, span_of("app"), span_of("h1"), "pymysql", CAUSE_CLIENT_VANISHED, 3);
    tell_event(fx, span_of("app"), span_of("h1"), "pymysql", CAUSE_IDLE_TIMEOUT, 1);
    tell_event(fx, span_of("app"), span_of("h2"), "pymysql", CAUSE_CLIENT_VANISHED, 1);
    tell(fx, "app", "h1", CAUSE_CLIENT_VANISHED);
    tell_event(fx, (struct span){0}, span_of("h1"), NULL, CAUSE_BEFORE_LOGIN, 1);
    tell_event(fx, (struct span){0}, (struct span){0}, NULL, CAUSE_UNKNOWN, 5); /* of nobody */
    tell_event(fx, span_of("app"), span_of("h1"), NULL, CAUSE_NO_ABORT, 1);
    assert_int_equal(count_of(fx, "app", "h1", "pymysql", CAUSE_CLIENT_VANISHED), 3);
    assert_int_equal(count_of(fx, "app", "h1", "pymysql", CAUSE_IDLE_TIMEOUT), 1);
    assert_int_equal(count_of(fx, "app", "h2", "pymysql", CAUSE_CLIENT_VANISHED), 1);
    assert_int_equal(count_of(fx, "app", "h1", "unknown", CAUSE_CLIENT_VANISHED), 1);
    assert_int_equal(count_of(fx, "", "h1", "unknown", CAUSE_BEFORE_LOGIN), 1);
    assert_int_equal(series(fx), 5);
    assert_int_equal(clients_folded(fx->target), 0);
    assert_int_equal(clients_aborts(fx->target, CAUSE_UNKNOWN, CONFIDENCE_CERTAIN), 5);
    assert_int_equal(clients_aborts(fx->target, CAUSE_NO_ABORT, CONFIDENCE_CERTAIN), 0);
}

/* 10,000 refused logins from 5,000 hosts, and between them a few clients that matter. */
static void a_scan_leaves_room_for_clients(void **state) {
    struct fixture *fx = *state;
    char host[32];
    for (int i = 0; i < 10000; i++) {
        snprintf(host, sizeof host, "10.0.%d.%d", i % 5000 / 250, i % 250);
        tell(fx, "root", host, CAUSE_ACCESS_DENIED);
        if (i % 1000 == 999)
            tell(fx, "app", "h1", CAUSE_CLIENT_VANISHED);
    }
    assert_int_equal(series(fx), 1 + 4 + 1);
    assert_int_equal(count_of(fx, "app", "h1", "unknown", CAUSE_CLIENT_VANISHED), 10);
    assert_int_equal(count_of(fx, "other", "other", "other", CAUSE_ACCESS_DENIED), 10000 - 4 * 2);
    assert_int_equal(clients_folded(fx->target), 10000 - 4 * 2);
    assert_int_equal(sum(fx), 10010);
}

static void who_comes_often_gets_a_place_and_all_keep_theirs(void **state) {
    struct fixture *fx = *state;
    char host[32];
    for (int i = 0; i < 9; i++) {
        snprintf(host, sizeof host, "h%d", i);
        tell(fx, "app", host, CAUSE_CLIENT_VANISHED);
    }
    assert_int_equal(series(fx), 1 + 6); /* a quarter is kept free */
    for (int i = 0; i < 20; i++)
        tell(fx, "late", "h", CAUSE_CLIENT_VANISHED);
    assert_int_equal(count_of(fx, "late", "h", "unknown", CAUSE_CLIENT_VANISHED), 5); /* from the 16th time on */
    assert_int_equal(count_of(fx, "other", "other", "other", CAUSE_CLIENT_VANISHED), 3 + 15);
    for (int i = 0; i < 100; i++)
        for (int who = 0; who < 3; who++) {
            snprintf(host, sizeof host, "often%d", who);
            tell(fx, "app", host, CAUSE_CLIENT_VANISHED);
        }
    assert_int_equal(series(fx), 1 + 8);
    fx->limits.clients_per_target = 1;
    clients_set_limits(fx->clients, &fx->limits);
    tell(fx, "app", "h0", CAUSE_CLIENT_VANISHED);
    tell(fx, "late", "h", CAUSE_CLIENT_VANISHED);
    assert_int_equal(count_of(fx, "app", "h0", "unknown", CAUSE_CLIENT_VANISHED), 2);
    assert_int_equal(count_of(fx, "late", "h", "unknown", CAUSE_CLIENT_VANISHED), 6);
    assert_int_equal(sum(fx), 9 + 20 + 300 + 2);
}

static void addresses_stand_for_their_networks(void **state) {
    struct fixture *fx = *state;
    fx->limits.client_hosts = CLIENT_HOSTS_NETWORK;
    clients_set_limits(fx->clients, &fx->limits);
    tell(fx, "app", "10.1.2.3", CAUSE_CLIENT_VANISHED);
    tell(fx, "app", "10.1.2.255", CAUSE_CLIENT_VANISHED);
    tell(fx, "app", "10.1.3.0", CAUSE_CLIENT_VANISHED);
    tell(fx, "app", "2001:db8:0:1:2:3:4:5", CAUSE_CLIENT_VANISHED);
    tell(fx, "app", "2001:db8::1:0:0:0:9", CAUSE_CLIENT_VANISHED);
    tell(fx, "app", "10.1.2.3.example", CAUSE_CLIENT_VANISHED);
    tell(fx, "app", "localhost", CAUSE_CLIENT_VANISHED);
    assert_int_equal(count_of(fx, "app", "10.1.2.0/24", "unknown", CAUSE_CLIENT_VANISHED), 2);
    assert_int_equal(count_of(fx, "app", "10.1.3.0/24", "unknown", CAUSE_CLIENT_VANISHED), 1);
    assert_int_equal(count_of(fx, "app", "2001:db8:0:1::/64", "unknown", CAUSE_CLIENT_VANISHED), 2);
    assert_int_equal(count_of(fx, "app", "10.1.2.3.example", "unknown", CAUSE_CLIENT_VANISHED), 1);
    assert_int_equal(count_of(fx, "app", "localhost", "unknown", CAUSE_CLIENT_VANISHED), 1);
}

/* Two that would look alike on the page are one, and who is called other is counted there. */
static void hostile_names(void **state) {
    struct fixture *fx = *state;
    char big[4000];
    memset(big, '\xff', sizeof big);
    tell(fx, "\xff", "h", CAUSE_CLIENT_VANISHED);
    tell(fx, "\xfe", "h", CAUSE_CLIENT_VANISHED);
    tell_event(fx, (struct span){"a\0b", 3}, span_of("h"), NULL, CAUSE_CLIENT_VANISHED, 1);
    tell(fx, "a", "h", CAUSE_CLIENT_VANISHED);
    tell_event(fx, span_of("other"), span_of("other"), "other", CAUSE_CLIENT_VANISHED, 1);
    tell_event(fx, (struct span){big, sizeof big}, (struct span){big, sizeof big}, NULL, CAUSE_CLIENT_VANISHED, 1);
    tell(fx, "", "ah", CAUSE_CLIENT_VANISHED); /* the same bytes as "a", "h", but for where one ends */
    assert_int_equal(count_of(fx, "\xef\xbf\xbd", "h", "unknown", CAUSE_CLIENT_VANISHED), 2);
    assert_int_equal(count_of(fx, "a", "h", "unknown", CAUSE_CLIENT_VANISHED), 2);
    assert_int_equal(count_of(fx, "", "ah", "unknown", CAUSE_CLIENT_VANISHED), 1);
    assert_int_equal(count_of(fx, "other", "other", "other", CAUSE_CLIENT_VANISHED), 1);
    assert_int_equal(series(fx), 1 + 4);
}

static void tell_idle(struct fixture *fx, enum cause cause, double seconds) {
    struct abort_event event = {.n = 1, .idle_ns = (int64_t)(seconds * 1e9), .cause = {.cause = cause}};
    struct abort_sink sink = clients_sink(fx->clients);
    sink.abort(sink.arg, fx->target, &event);
}

static void how_long_they_had_been_idle(void **state) {
    struct fixture *fx = *state;
    assert_null(clients_idleness(fx->target, CAUSE_IDLE_TIMEOUT));
    tell(fx, "app", "h", CAUSE_IDLE_TIMEOUT); /* it is not known */
    assert_null(clients_idleness(fx->target, CAUSE_IDLE_TIMEOUT));
    tell_idle(fx, CAUSE_IDLE_TIMEOUT, 0);
    tell_idle(fx, CAUSE_IDLE_TIMEOUT, (double)session_bound_s[2]);
    tell_idle(fx, CAUSE_IDLE_TIMEOUT, (double)session_bound_s[2] + 0.1);
    tell_idle(fx, CAUSE_IDLE_TIMEOUT, 1e9);
    const struct abort_idleness *idleness = clients_idleness(fx->target, CAUSE_IDLE_TIMEOUT);
    assert_non_null(idleness);
    assert_int_equal(idleness->buckets[0], 1);
    assert_int_equal(idleness->buckets[2], 1);
    assert_int_equal(idleness->buckets[3], 1);
    assert_int_equal(idleness->buckets[SESSION_BOUNDS], 1);
    assert_int_equal(idleness->sum_ns / 1000000000, 1000000000 + 2 * session_bound_s[2]);
    assert_null(clients_idleness(fx->target, CAUSE_CLIENT_VANISHED));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(by_user_host_driver_and_cause),
        TEST(a_scan_leaves_room_for_clients),
        TEST(who_comes_often_gets_a_place_and_all_keep_theirs),
        TEST(addresses_stand_for_their_networks),
        TEST(hostile_names),
        TEST(how_long_they_had_been_idle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
