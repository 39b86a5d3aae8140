/*
 * What moved in which stretch of time, over counters that begin anew; and sampling on a real loop.
 */
#include "observe/host_network.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>

struct fixture {
    uv_loop_t loop;
    struct host_network *network;
};

static int setup(void **state) {
    static struct fixture f;
    uv_loop_init(&f.loop);
    f.network = host_network_new(&f.loop);
    *state = &f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    host_network_close(f->network);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    return uv_loop_close(&f->loop);
}

static void keep(struct host_network *n, int64_t wall_s, uint64_t timeouts, uint64_t resets) {
    struct net_counters c = {.known = UINT64_C(1) << NET_TIMEOUTS | UINT64_C(1) << NET_OUT_RSTS};
    c.value[NET_TIMEOUTS] = timeouts;
    c.value[NET_OUT_RSTS] = resets;
    host_network_keep(n, &c, wall_s * NS_PER_S);
}

static int moved(const struct host_network *n, int64_t from_s, int64_t to_s, struct host_network_moves *out) {
    return host_network_moved(n, from_s * NS_PER_S, to_s * NS_PER_S, out);
}

static void the_samples_next_around(void **state) {
    struct host_network *n = ((struct fixture *)*state)->network;
    struct host_network_moves m;
    assert_int_equal(moved(n, 0, 100, &m), -ENODATA);
    keep(n, 100, 5, 50);
    assert_int_equal(moved(n, 0, 200, &m), -ENODATA); /* one tells of no move */
    keep(n, 110, 5, 50);
    keep(n, 120, 7, 50);
    keep(n, 130, 7, 51);

    assert_int_equal(moved(n, 112, 118, &m), 0);
    assert_int_equal(m.from_wall_ns, 110 * NS_PER_S);
    assert_int_equal(m.to_wall_ns, 120 * NS_PER_S);
    assert_int_equal(m.count, 1);
    assert_int_equal(m.moves[0].counter, NET_TIMEOUTS);
    assert_int_equal(m.moves[0].increase, 2);
    assert_int_equal(moved(n, 110, 120, &m), 0); /* at the samples themselves */
    assert_int_equal(m.to_wall_ns, 120 * NS_PER_S);
    assert_int_equal(moved(n, 101, 109, &m), 0); /* nothing did */
    assert_int_equal(m.count, 0);
    assert_int_equal(moved(n, 115, 115, &m), 0); /* an instant */
    assert_int_equal(m.moves[0].increase, 2);

    assert_int_equal(moved(n, 0, 1000, &m), 0); /* more than there is */
    assert_int_equal(m.from_wall_ns, 100 * NS_PER_S);
    assert_int_equal(m.to_wall_ns, 130 * NS_PER_S);
    assert_int_equal(m.count, 2);
    assert_int_equal(m.moves[1].counter, NET_OUT_RSTS);
    assert_int_equal(moved(n, 10, 99, &m), -ENODATA); /* before */
    assert_int_equal(moved(n, 10, 100, &m), -ENODATA);
    assert_int_equal(moved(n, 130, 140, &m), -ENODATA); /* after: the next sample is still to come */
    assert_int_equal(moved(n, 120, 110, &m), -ENODATA); /* the wrong way round */
}

static void counters_that_begin_anew(void **state) {
    struct host_network *n = ((struct fixture *)*state)->network;
    struct host_network_moves m;
    keep(n, 100, 50, 0);
    keep(n, 110, 52, 0);
    keep(n, 120, 1, 0); /* an interface went, or the kernel is another */
    keep(n, 130, 4, 0);
    assert_int_equal(moved(n, 0, 1000, &m), 0);
    assert_int_equal(m.count, 1);
    assert_int_equal(m.moves[0].increase, 2 + 3);
    struct net_counters unknown = {.known = 0};
    host_network_keep(n, &unknown, 140 * NS_PER_S);
    keep(n, 150, 100, 0);
    assert_int_equal(moved(n, 131, 1000, &m), 0);
    assert_int_equal(m.count, 0);
}

static void what_is_kept_is_bounded(void **state) {
    struct host_network *n = ((struct fixture *)*state)->network;
    struct host_network_moves m;
    for (int i = 0; i < 1000; i++)
        keep(n, i, (uint64_t)i, 0);
    assert_int_equal(moved(n, 0, 1000, &m), 0);
    assert_true(m.from_wall_ns <= (1000 - 120) * NS_PER_S && m.from_wall_ns > 700 * NS_PER_S);
    assert_int_equal(m.moves[0].increase, (uint64_t)((m.to_wall_ns - m.from_wall_ns) / NS_PER_S));
    assert_int_equal(moved(n, 990, 991, &m), 0);
    assert_int_equal(m.moves[0].increase, 1);
    assert_int_equal(host_network_facts(n)->samples, 1000);

    struct net_counters c = {.known = UINT64_C(1) << NET_TIMEOUTS};
    for (int i = 0; i < 1000; i++) { /* out of turn, ten a second: what lies a minute back is still there */
        c.value[NET_TIMEOUTS] = 1000 + (uint64_t)i;
        host_network_keep(n, &c, 1000 * NS_PER_S + i * (NS_PER_S / 10));
    }
    assert_int_equal(host_network_moved(n, 1000 * NS_PER_S, 1100 * NS_PER_S, &m), 0);
    assert_int_equal(m.from_wall_ns, 1000 * NS_PER_S);
    assert_int_equal(m.moves[0].increase, 999);
}

static void walks_are_spaced_by_what_they_cost(void **state) {
    (void)state;
    assert_int_equal(host_network_pause_ns(0), 0);
    assert_int_equal(host_network_pause_ns(NS_PER_MS), 5 * NS_PER_S);
    assert_int_equal(host_network_pause_ns(NS_PER_S), 60 * NS_PER_S);
    assert_int_equal(host_network_pause_ns(INT64_MAX), 60 * NS_PER_S);
}

static void on_late(uv_timer_t *timer) {
    (void)timer;
    fail_msg("no sockets were counted in time");
}

/* Run until the watch has been counted. */
static void wait_counted(struct fixture *f, const struct port_watch *watch) {
    uv_timer_t late;
    uv_timer_init(&f->loop, &late);
    uv_timer_start(&late, on_late, 60000, 0);
    while (!port_watch_sockets(watch))
        uv_run(&f->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&late, NULL);
    uv_run(&f->loop, UV_RUN_NOWAIT);
}

static void watching_samples_and_counts(void **state) {
    struct fixture *f = *state;
    host_network_look(f->network); /* nobody watches */
    assert_int_equal(host_network_facts(f->network)->samples, 0);
    struct port_watch *a = host_network_watch(f->network, 1, 600 * NS_PER_S);
    struct port_watch *b = host_network_watch(f->network, 1, 60 * NS_PER_S);
    struct port_watch *c = host_network_watch(f->network, UINT16_MAX, 500 * NS_PER_S);
    assert_null(port_watch_sockets(a));
    wait_counted(f, a);
    assert_non_null(port_watch_sockets(b));
    assert_int_equal(port_watch_sockets(c)->port, UINT16_MAX);
    assert_int_equal(port_watch_port(c), UINT16_MAX);
    assert_int_equal(port_watch_sockets(a)->states[SOCKETS_LISTEN], 0);
    const struct host_network_facts *facts = host_network_facts(f->network);
    assert_int_equal(facts->samples, 1);
    assert_true(facts->last_wall_ns > 0);
    assert_true(facts->counters.known >> NET_RETRANS_SEGS & 1);
    assert_true(facts->interfaces.count > 0);
    for (int i = 0; i < NETWORK_SOURCE_COUNT; i++)
        assert_int_equal(facts->failures[i], 0);
    assert_true(port_watch_wall_ns(a, SOCKETS_ALL) > 0);
    assert_int_equal(port_watch_wall_ns(a, SOCKETS_LISTENING), port_watch_wall_ns(a, SOCKETS_ALL));
    struct port_watch *hasty = host_network_watch(f->network, 2, 0);
    assert_int_equal(port_watch_wall_ns(hasty, SOCKETS_ALL), 0);
    while (facts->samples < 2) /* after a second, not at once and not after ten minutes */
        uv_run(&f->loop, UV_RUN_ONCE);
    wait_counted(f, hasty); /* it need not wait until the next walk is due */
    assert_int_equal(port_watch_interval_ns(a, SOCKETS_LISTENING), NS_PER_S);
    assert_in_range(port_watch_interval_ns(a, SOCKETS_ALL), NS_PER_S, 61 * NS_PER_S);
    while (facts->samples < 3)
        uv_run(&f->loop, UV_RUN_ONCE);
    port_watch_end(hasty);
    port_watch_end(b);
    port_watch_end(a);
    port_watch_end(c); /* while a job may run for it */
    port_watch_end(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_samples_next_around, setup, teardown),
        cmocka_unit_test_setup_teardown(counters_that_begin_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_kept_is_bounded, setup, teardown),
        cmocka_unit_test(walks_are_spaced_by_what_they_cost),
        cmocka_unit_test_setup_teardown(watching_samples_and_counts, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
