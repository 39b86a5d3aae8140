/*
 * The ring: bounded by number and by bytes for each target, in order over all of them, and what is held stays whole.
 */
#include "explain/event_ring.h"

#include "../expose/fake_targets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct fixture {
    struct event_ring *ring;
    struct abort_sink sink;
    struct target *targets[3];
    uint64_t last_id;
};

static int setup(void **state) {
    struct fixture *fx = calloc(1, sizeof *fx);
    fx->ring = event_ring_new(10);
    fx->sink = event_ring_sink(fx->ring);
    for (int i = 0; i < 3; i++)
        fx->targets[i] = fake_target((const char *const[]){"a", "b", "c"}[i]);
    *state = fx;
    return 0;
}

static int teardown(void **state) {
    struct fixture *fx = *state;
    for (int i = 0; i < 3; i++) {
        struct observer observer = event_ring_observer(fx->ring);
        observer.target_removed(observer.arg, fx->targets[i]);
        assert_null(fx->targets[i]->events);
        assert_int_equal(event_ring_count(fx->targets[i]), 0);
        fake_target_free(fx->targets[i]);
    }
    assert_null(event_ring_before(fx->ring, NULL, 0));
    event_ring_free(fx->ring);
    free(fx);
    return 0;
}

static struct abort_event plain(struct fixture *fx) {
    return (struct abort_event){.id = ++fx->last_id,
                                .n = 1,
                                .connection_id = 1000 + fx->last_id,
                                .cause = {.cause = CAUSE_CLIENT_VANISHED, .confidence = CONFIDENCE_CERTAIN},
                                .user = span_of("app")};
}

static void tell(struct fixture *fx, int target) {
    struct abort_event event = plain(fx);
    fx->sink.abort(fx->sink.arg, fx->targets[target], &event);
}

/* The ids before `id`, newest first, as text. */
static const char *ids(const struct fixture *fx, const struct target *target, uint64_t id) {
    static char text[4096];
    text[0] = '\0';
    struct kept_event *kept = event_ring_before(fx->ring, target, id);
    for (; kept; kept = event_ring_before(fx->ring, target, kept->event.id))
        snprintf(text + strlen(text), sizeof text - strlen(text), "%llu ", (unsigned long long)kept->event.id);
    return text;
}

static void newest_first_of_each_and_of_all(void **state) {
    struct fixture *fx = *state;
    assert_string_equal(ids(fx, NULL, 0), "");
    assert_string_equal(ids(fx, fx->targets[0], 0), "");
    for (int i = 0; i < 7; i++)
        tell(fx, i % 3);
    assert_string_equal(ids(fx, NULL, 0), "7 6 5 4 3 2 1 ");
    assert_string_equal(ids(fx, NULL, 4), "3 2 1 ");
    assert_string_equal(ids(fx, NULL, 1), "");
    assert_string_equal(ids(fx, NULL, UINT64_MAX), "7 6 5 4 3 2 1 ");
    assert_string_equal(ids(fx, fx->targets[0], 0), "7 4 1 ");
    assert_string_equal(ids(fx, fx->targets[1], 3), "2 ");
    assert_string_equal(event_ring_before(fx->ring, NULL, 3)->target, "b");
}

static void a_busy_target_leaves_the_others_theirs(void **state) {
    struct fixture *fx = *state;
    tell(fx, 1);
    for (int i = 0; i < 5000; i++)
        tell(fx, 0);
    assert_string_equal(ids(fx, NULL, 0), "5001 5000 4999 4998 4997 4996 4995 4994 4993 4992 1 ");
    assert_int_equal(event_ring_count(fx->targets[0]), 10);
    assert_int_equal(event_ring_dropped(fx->targets[0]), 4990);
    tell(fx, 2);
    struct observer observer = event_ring_observer(fx->ring);
    observer.target_removed(observer.arg, fx->targets[0]);
    assert_string_equal(ids(fx, NULL, 0), "5002 1 ");
    event_ring_set_limit(fx->ring, 2);
    for (int i = 0; i < 3; i++)
        tell(fx, 1);
    assert_string_equal(ids(fx, NULL, 0), "5005 5004 5002 ");
}

static void all_is_kept_and_cut(void **state) {
    struct fixture *fx = *state;
    char big[4000];
    memset(big, 'x', sizeof big);
    struct span all = {big, sizeof big};
    struct abort_event event = plain(fx);
    event.user = event.host = event.db = event.driver = event.driver_version = event.program = event.command =
        event.reason = all;
    event.evidence_count = ABORT_EVIDENCE_MAX;
    for (int i = 0; i < ABORT_EVIDENCE_MAX; i++)
        event.evidence[i].text = (struct span){big, ABORT_EVIDENCE_TEXT_MAX};
    for (int i = 0; i < 50; i++, event.id = ++fx->last_id)
        fx->sink.abort(fx->sink.arg, fx->targets[0], &event);
    memset(big, 'y', sizeof big);
    size_t bytes = 0;
    struct kept_event *kept = event_ring_before(fx->ring, NULL, 0);
    for (; kept; kept = event_ring_before(fx->ring, NULL, kept->event.id)) {
        assert_int_equal(kept->event.user.len, 80);
        assert_int_equal(kept->event.host.len, 255);
        assert_int_equal(kept->event.reason.ptr[0], 'x');
        assert_int_equal(kept->event.evidence[5].text.ptr[ABORT_EVIDENCE_TEXT_MAX - 1], 'x');
        bytes += kept->bytes;
    }
    assert_true(bytes <= 10 * EVENT_RING_BYTES_EACH && event_ring_count(fx->targets[0]) >= 3);
    tell(fx, 0);
    kept = event_ring_before(fx->ring, NULL, 0);
    assert_null(kept->event.host.ptr);
    assert_true(span_is(kept->event.user, "app"));
    assert_true(kept->bytes < EVENT_RING_BYTES_EACH);
}

static void what_is_held_outlives_the_ring(void **state) {
    struct fixture *fx = *state;
    tell(fx, 0);
    struct kept_event *held = kept_event_ref(event_ring_before(fx->ring, NULL, 0));
    for (int i = 0; i < 20; i++)
        tell(fx, 0);
    assert_null(event_ring_before(fx->ring, NULL, 2));
    assert_int_equal(held->event.connection_id, 1001);
    assert_true(span_is(held->event.user, "app"));
    kept_event_unref(held);
    kept_event_unref(NULL);
}

static void no_aborts_are_no_events(void **state) {
    struct fixture *fx = *state;
    struct abort_event event = plain(fx);
    event.cause.cause = CAUSE_NO_ABORT;
    fx->sink.abort(fx->sink.arg, fx->targets[0], &event);
    assert_null(fx->targets[0]->events);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(newest_first_of_each_and_of_all),
        TEST(a_busy_target_leaves_the_others_theirs),
        TEST(all_is_kept_and_cut),
        TEST(what_is_held_outlives_the_ring),
        TEST(no_aborts_are_no_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
