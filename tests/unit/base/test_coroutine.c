/*
 * Coroutines: waiting for descriptors, instants and wake-ups, cancelling, nesting, pooling; all on a real loop.
 */
#include "base/coroutine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <malloc.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static uv_loop_t loop;
static struct coroutines *all;

static int begin(void **state) {
    (void)state;
    uv_loop_init(&loop);
    all = coroutines_new(&loop);
    return all ? 0 : -1;
}

static int end(void **state) {
    (void)state;
    assert_int_equal(coroutines_alive(all), 0);
    coroutines_free(all);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    return 0;
}

static struct mono in_ms(int64_t ms) {
    return mono_add(mono_now(), ms * NS_PER_MS);
}

/* --- descriptors --- */

struct pair {
    int fd[2];
    int rounds;
    int rc;
    struct mono deadline, answered;
};

static void echo_body(void *arg) {
    struct pair *pair = arg;
    char byte;
    while ((pair->rc = coroutine_wait_fd(pair->fd[1], UV_READABLE, in_ms(60000))) == 1 &&
           read(pair->fd[1], &byte, 1) == 1)
        assert_int_equal(write(pair->fd[1], &byte, 1), 1);
}

static void ask_body(void *arg) {
    struct pair *pair = arg;
    char byte = 'x';
    for (int i = 0; i < pair->rounds; i++) {
        assert_int_equal(coroutine_wait_fd(pair->fd[0], UV_WRITABLE, in_ms(60000)), 1);
        assert_int_equal(write(pair->fd[0], &byte, 1), 1);
        assert_int_equal(coroutine_wait_fd(pair->fd[0], UV_READABLE, in_ms(60000)), 1);
        assert_int_equal(read(pair->fd[0], &byte, 1), 1);
    }
    close(pair->fd[0]); /* the echo sees the end */
}

static void two_talk_to_each_other(void **state) {
    struct pair pair = {.rounds = 1000};
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair.fd), 0);
    assert_int_equal(coroutine_start(all, echo_body, &pair, NULL), 0);
    assert_int_equal(coroutine_start(all, ask_body, &pair, NULL), 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(pair.rc, 1);
    close(pair.fd[1]);
}

static void wait_body(void *arg) {
    struct pair *pair = arg;
    pair->deadline = in_ms(20);
    pair->rc = coroutine_wait_fd(pair->fd[0], UV_READABLE, pair->deadline);
}

static void silence_ends_at_the_deadline(void **state) {
    struct pair pair = {.rc = -1};
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair.fd), 0);
    struct mono start = mono_now();
    assert_int_equal(coroutine_start(all, wait_body, &pair, NULL), 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(pair.rc, 0);
    assert_true(mono_between(start, mono_now()) >= 20 * NS_PER_MS); /* never early */
    close(pair.fd[0]);
    close(pair.fd[1]);
}

static void answer_and_compute_body(void *arg) {
    struct pair *pair = arg;
    assert_int_equal(coroutine_wait_fd(pair->fd[1], UV_WRITABLE, in_ms(60000)), 1);
    assert_int_equal(write(pair->fd[1], "y", 1), 1);
    pair->answered = mono_now();
    struct mono until = in_ms(40);
    while (mono_before(mono_now(), until))
        ;
}

static void what_was_ready_in_time_is_ready_though_the_loop_was_late(void **state) {
    struct pair pair;
    bool in_time = false;
    (void)state;
    for (int i = 0; i < 1000 && !in_time; i++) { /* a busy machine may keep us from being in time */
        pair.rc = -1;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair.fd), 0);
        assert_int_equal(coroutine_start(all, wait_body, &pair, NULL), 0);
        assert_int_equal(coroutine_start(all, answer_and_compute_body, &pair, NULL), 0);
        uv_run(&loop, UV_RUN_DEFAULT);
        close(pair.fd[0]);
        close(pair.fd[1]);
        in_time = mono_before(pair.answered, pair.deadline);
    }
    assert_true(in_time);
    assert_int_equal(pair.rc, 1);
}

static void wait_again_body(void *arg) {
    struct pair *pair = arg;
    struct mono deadline = in_ms(20);
    while ((pair->rc = coroutine_wait_fd(pair->fd[0], UV_WRITABLE, deadline)) == 1 && ++pair->rounds < 1000000)
        ;
}

static void who_sends_for_ever_is_too_late_in_the_end(void **state) {
    struct pair pair = {.rc = -1};
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair.fd), 0);
    assert_int_equal(coroutine_start(all, wait_again_body, &pair, NULL), 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(pair.rc, 0);
    close(pair.fd[0]);
    close(pair.fd[1]);
}

static void duplicate_body(void *arg) {
    struct pair *pair = arg;
    char byte;
    assert_int_equal(write(pair->fd[1], "x", 1), 1);
    assert_int_equal(coroutine_wait_fd(pair->fd[0], UV_READABLE, in_ms(60000)), 1);
    assert_int_equal(read(pair->fd[0], &byte, 1), 1);
    int copy = dup(pair->fd[0]);
    close(pair->fd[0]);
    assert_int_equal(write(pair->fd[1], "y", 1), 1);
    pair->rc = coroutine_wait_fd(copy, UV_READABLE, in_ms(60000));
    assert_int_equal(read(copy, &byte, 1), 1);
    close(copy);
}

static void a_duplicate_can_be_waited_for_after_the_original_was_closed(void **state) {
    struct pair pair = {.rc = -1};
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair.fd), 0);
    assert_int_equal(coroutine_start(all, duplicate_body, &pair, NULL), 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(pair.rc, 1);
    close(pair.fd[1]);
}

static void fill_body(void *arg) {
    struct pair *pair = arg;
    char bytes[4096] = "";
    assert_int_equal(coroutine_wait_fd(pair->fd[0], UV_WRITABLE, in_ms(60000)), 1);
    pair->rounds++;
    while (send(pair->fd[0], bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        continue;
    pair->rc = coroutine_wait_fd(pair->fd[0], UV_WRITABLE, in_ms(60000));
}

static void what_can_be_written_to_is_not_waited_for(void **state) {
    struct pair pair = {.rc = -1};
    char bytes[4096];
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair.fd), 0);
    assert_int_equal(coroutine_start(all, fill_body, &pair, NULL), 0);
    assert_int_equal(pair.rounds, 1); /* without a turn of the loop */
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(pair.rc, -1); /* full: it waits */
    while (recv(pair.fd[1], bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        continue;
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(pair.rc, 1);
    close(pair.fd[0]);
    close(pair.fd[1]);
}

static void bad_descriptor_body(void *arg) {
    *(int *)arg = coroutine_wait_fd(-1, UV_READABLE, in_ms(60000));
    assert_int_equal(coroutine_wait_fd(1 << 20, UV_WRITABLE, in_ms(60000)), -EBADF);
}

static void a_bad_descriptor_is_an_error(void **state) {
    int rc = 0;
    (void)state;
    assert_int_equal(coroutine_start(all, bad_descriptor_body, &rc, NULL), 0);
    assert_int_equal(rc, -EBADF);
}

/* --- cancelling and waking --- */

struct sleeper {
    struct coroutine *self;
    int first, second;
};

static void sleeper_body(void *arg) {
    struct sleeper *s = arg;
    s->first = coroutine_sleep_until(MONO_NEVER);
    s->second = coroutine_park(MONO_NEVER); /* a cancelled one does not wait any more */
}

static void cancelled_coroutines_end(void **state) {
    struct sleeper s = {0};
    (void)state;
    assert_int_equal(coroutine_start(all, sleeper_body, &s, &s.self), 0);
    assert_non_null(s.self);
    coroutine_cancel(s.self);
    assert_true(coroutine_cancelled(s.self));
    assert_int_equal(s.first, 0); /* it has not run yet */
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(s.first, -ECANCELED);
    assert_int_equal(s.second, -ECANCELED);
    assert_null(s.self); /* the handle is withdrawn */
}

static void cancel_all_ends_them_at_once(void **state) {
    struct sleeper s[50] = {0};
    (void)state;
    for (int i = 0; i < 50; i++)
        assert_int_equal(coroutine_start(all, sleeper_body, &s[i], &s[i].self), 0);
    assert_int_equal(coroutines_alive(all), 50);
    coroutines_cancel_all(all);
    assert_int_equal(coroutines_alive(all), 0);
    for (int i = 0; i < 50; i++)
        assert_int_equal(s[i].second, -ECANCELED);
}

static void park_body(void *arg) {
    struct sleeper *s = arg;
    s->first = coroutine_park(in_ms(60000));
    s->second = coroutine_park(in_ms(5));
}

static void waker_body(void *arg) {
    struct sleeper *s = arg;
    coroutine_sleep_until(in_ms(1));
    coroutine_wake(s->self);
    coroutine_wake(s->self); /* twice is once */
}

static void park_ends_by_a_wake_or_at_the_deadline(void **state) {
    struct sleeper s = {0};
    (void)state;
    assert_int_equal(coroutine_start(all, park_body, &s, &s.self), 0);
    assert_int_equal(coroutine_start(all, waker_body, &s, NULL), 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(s.first, 1);
    assert_int_equal(s.second, 0);
}

/* --- nesting, locals, pool --- */

static int depth_reached;

static void nested_body(void *arg) {
    int depth = *(int *)arg + 1;
    coroutine_set_local(&depth);
    depth_reached = depth > depth_reached ? depth : depth_reached;
    if (depth < 20)
        assert_int_equal(coroutine_start(all, nested_body, &depth, NULL), 0);
    coroutine_sleep_until(in_ms(1));
    assert_ptr_equal(coroutine_local(), &depth); /* each has its own */
}

static void coroutines_start_coroutines(void **state) {
    int depth = 0;
    (void)state;
    depth_reached = 0;
    assert_null(coroutine_self());
    assert_null(coroutine_local());
    assert_int_equal(coroutine_start(all, nested_body, &depth, NULL), 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(depth_reached, 20);
    assert_null(coroutine_self());
}

static int runs;

static void deep_body(void *arg) {
    char big[32 * 1024];
    (void)arg;
    memset(big, 1, sizeof big);
    coroutine_sleep_until(in_ms(runs % 3));
    runs += big[17];
}

static void thousands_come_and_go(void **state) {
    (void)state;
    runs = 0;
    for (int i = 0; i < 2000; i++)
        assert_int_equal(coroutine_start(all, deep_body, NULL, NULL), 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(runs, 2000);
}

/* --- the heap --- */

static unsigned trims;

/* In place of libc's. */
int malloc_trim(size_t pad) {
    assert_int_equal(pad, 0);
    trims++;
    return 1;
}

static void come_and_go(unsigned count) {
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(coroutine_start(all, deep_body, NULL, NULL), 0);
    uv_run(&loop, UV_RUN_DEFAULT);
}

static void what_a_crowd_had_is_given_back_bit_by_bit(void **state) {
    (void)state;
    trims = 0;
    come_and_go(10);
    assert_int_equal(trims, 0);
    come_and_go(100);
    assert_int_equal(trims, 1);
    come_and_go(60);
    assert_int_equal(trims, 1);
    come_and_go(200);
    assert_int_equal(trims, 4);
}

/* --- giving way --- */

enum { TIMES = 100 };

static void gives_way_body(void *arg) {
    unsigned *done = arg;
    for (; *done < TIMES; ++*done)
        coroutine_sleep_until(mono_now());
    uv_stop(&loop);
}

static void count_turn(uv_prepare_t *prepare) {
    ++*(unsigned *)prepare->data;
}

/* Who has much to do lets the loop have its turn in between, though the instant has come already. */
static void a_sleep_that_is_over_gives_the_loop_its_turn(void **state) {
    unsigned turns = 0, done = 0;
    uv_prepare_t prepare;
    (void)state;
    uv_prepare_init(&loop, &prepare);
    prepare.data = &turns;
    uv_prepare_start(&prepare, count_turn);
    assert_int_equal(coroutine_start(all, gives_way_body, &done, NULL), 0);
    uv_run(&loop, UV_RUN_DEFAULT); /* UV_RUN_ONCE looks at the timers twice a turn */
    assert_int_equal(done, TIMES);
    uv_close((uv_handle_t *)&prepare, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_true(turns >= TIMES);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
        TEST(a_sleep_that_is_over_gives_the_loop_its_turn),
        TEST(two_talk_to_each_other),
        TEST(silence_ends_at_the_deadline),
        TEST(what_was_ready_in_time_is_ready_though_the_loop_was_late),
        TEST(who_sends_for_ever_is_too_late_in_the_end),
        TEST(a_duplicate_can_be_waited_for_after_the_original_was_closed),
        TEST(what_can_be_written_to_is_not_waited_for),
        TEST(a_bad_descriptor_is_an_error),
        TEST(cancelled_coroutines_end),
        TEST(cancel_all_ends_them_at_once),
        TEST(park_ends_by_a_wake_or_at_the_deadline),
        TEST(coroutines_start_coroutines),
        TEST(thousands_come_and_go),
        TEST(what_a_crowd_had_is_given_back_bit_by_bit),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
