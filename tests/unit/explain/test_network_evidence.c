/*
 * What the network of this machine says of an abort: about its time, of the causes that it can have a part in, and
 * nothing where the server is elsewhere.
 */
#include "explain/network_evidence.h"

#include "base/clock.h"
#include "observe/host_network.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct fixture {
    uv_loop_t loop;
    struct target_config config;
    struct target target;
    struct strbuf text;
};

static void keep(struct fixture *f, int64_t wall_s, uint64_t overflows, uint64_t resets) {
    struct net_counters c = {.known = UINT64_C(1) << NET_LISTEN_OVERFLOWS | UINT64_C(1) << NET_OUT_RSTS};
    c.value[NET_LISTEN_OVERFLOWS] = overflows;
    c.value[NET_OUT_RSTS] = resets;
    host_network_keep(f->target.network, &c, wall_s * NS_PER_S);
}

static int setup(void **state) {
    static struct fixture f;
    f = (struct fixture){.config.poll.interval_ns = 10 * NS_PER_S};
    uv_loop_init(&f.loop);
    f.target.config = &f.config;
    f.target.network = host_network_new(&f.loop);
    f.target.port_watch = host_network_watch(f.target.network, 1, f.config.poll.interval_ns);
    strbuf_init(&f.text, ABORT_EVIDENCE_TEXT_MAX);
    keep(&f, 980, 0, 0);
    keep(&f, 990, 1, 0);
    keep(&f, 1000, 4, 2);
    keep(&f, 1010, 4, 3);
    keep(&f, 1020, 4, 4);
    *state = &f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    strbuf_release(&f->text);
    port_watch_end(f->target.port_watch);
    host_network_close(f->target.network);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    return uv_loop_close(&f->loop);
}

static int64_t say(struct fixture *f, enum cause cause, int64_t wall_s, int64_t since_s) {
    struct abort_event event = {
        .cause.cause = cause, .wall_ns = wall_s * NS_PER_S, .since_wall_ns = since_s * NS_PER_S};
    strbuf_reset(&f->text);
    return network_evidence_add(&f->target, &event, &f->text);
}

static void about_its_time(void **state) {
    struct fixture *f = *state;
    assert_int_equal(say(f, CAUSE_CLIENT_VANISHED, 1002, 0), 1010 * NS_PER_S);
    assert_string_equal(strbuf_text(&f->text), "ListenOverflows +3, OutRsts +3 in 20 s");
    /* The line has whole seconds: it may be of the second's end, after the sample of its beginning. */
    assert_int_equal(say(f, CAUSE_CLIENT_VANISHED, 1010, 0), 1020 * NS_PER_S);
    assert_string_equal(strbuf_text(&f->text), "OutRsts +2 in 20 s");
    assert_int_equal(say(f, CAUSE_WRITE_TIMEOUT, 1002, 992),
                     1010 * NS_PER_S); /* known by a sum: since the look before */
    assert_string_equal(strbuf_text(&f->text), "ListenOverflows +4, OutRsts +3 in 30 s");
}

static void where_there_is_nothing_to_say(void **state) {
    struct fixture *f = *state;
    assert_int_equal(say(f, CAUSE_ACCESS_DENIED, 1002, 0), 0);
    assert_int_equal(say(f, CAUSE_SELF, 1002, 0), 0);
    assert_int_equal(say(f, CAUSE_CLIENT_VANISHED, 500, 0), 0); /* an old line */
    struct port_watch *watch = f->target.port_watch;
    f->target.port_watch = NULL;
    assert_int_equal(say(f, CAUSE_CLIENT_VANISHED, 1002, 0), 0);
    f->target.port_watch = watch;
    assert_int_equal(f->text.len, 0);
}

static void many_counters(void **state) {
    struct fixture *f = *state;
    struct net_counters c = {.known = (UINT64_C(1) << NET_COUNTER_COUNT) - 1};
    host_network_keep(f->target.network, &c, 2000 * NS_PER_S);
    for (int i = 0; i < NET_COUNTER_COUNT; i++)
        c.value[i] = 1000000;
    host_network_keep(f->target.network, &c, 2010 * NS_PER_S);
    assert_int_equal(say(f, CAUSE_UNKNOWN, 2009, 2011), 2010 * NS_PER_S);
    assert_false(strbuf_failed(&f->text));
    assert_string_equal(
        strbuf_text(&f->text),
        "ListenOverflows +1000000, ListenDrops +1000000, TCPReqQFullDrop +1000000, TCPReqQFullDoCookies "
        "+1000000, SyncookiesFailed +1000000 and 26 more in 10 s");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(about_its_time, setup, teardown),
        cmocka_unit_test_setup_teardown(where_there_is_nothing_to_say, setup, teardown),
        cmocka_unit_test_setup_teardown(many_counters, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
