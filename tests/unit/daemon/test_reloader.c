/*
 * Reloads: the loop turns while a file is read that does not come, each who asks gets one that began afterwards, and
 * the end waits for none.
 */
#include "reloader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

/* A file system that is stuck until somebody posts. */
static uv_sem_t let_go;

static struct config *load_when_let_go(const void *arg, struct strbuf *error, struct strbuf *warnings) {
    const bool *good = arg;
    uv_sem_wait(&let_go);
    strbuf_addstr(warnings, "careful");
    if (!*good)
        strbuf_addstr(error, "it is bad");
    return *good ? calloc(1, sizeof(struct config)) : NULL;
}

struct counts {
    int begun, good, bad;
};

static void on_begins(void *arg) {
    struct counts *counts = arg;
    counts->begun++;
}

static void on_read(void *arg, struct config *config, struct strbuf *error, const struct strbuf *warnings) {
    struct counts *counts = arg;
    assert_string_equal(strbuf_text(warnings), "careful");
    assert_string_equal(strbuf_text(error), config ? "" : "it is bad");
    if (config)
        counts->good++;
    else
        counts->bad++;
    config_free(config);
}

static void on_turn(uv_timer_t *timer) {
    if (++*(int *)timer->data == 20)
        uv_close((uv_handle_t *)timer, NULL);
}

/* The loop, while a reload is stuck. */
static void assert_turns(uv_loop_t *loop) {
    uv_timer_t timer;
    int turns = 0;
    uv_timer_init(loop, &timer);
    timer.data = &turns;
    uv_timer_start(&timer, on_turn, 1, 1);
    while (turns < 20 || uv_is_active((uv_handle_t *)&timer))
        uv_run(loop, UV_RUN_ONCE);
    uv_run(loop, UV_RUN_NOWAIT);
}

static void the_loop_turns_while_a_file_does_not_come(void **state) {
    uv_loop_t loop;
    struct counts counts = {0};
    bool good = true;
    struct reloader reloader = {.loop = &loop,
                                .load = load_when_let_go,
                                .load_arg = &good,
                                .begins = on_begins,
                                .read = on_read,
                                .arg = &counts};
    (void)state;
    uv_loop_init(&loop);
    uv_sem_init(&let_go, 0);
    reloader_ask(&reloader);
    assert_turns(&loop);
    assert_int_equal(counts.begun, 1);
    assert_int_equal(counts.good, 0);
    for (int i = 0; i < 3; i++)
        reloader_ask(&reloader); /* the file may have changed since the first was begun: one more, for all three */
    assert_int_equal(counts.begun, 1);
    uv_sem_post(&let_go);
    while (counts.begun < 2)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(counts.good, 1);
    uv_sem_post(&let_go);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(counts.begun, 2);
    assert_int_equal(counts.good, 2);
    good = false;
    reloader_ask(&reloader);
    uv_sem_post(&let_go);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(counts.begun, 3);
    assert_int_equal(counts.bad, 1);
    good = true;
    reloader_ask(&reloader);
    reloader_ask(&reloader);
    reloader_stop(&reloader);
    uv_sem_post(&let_go);
    uv_run(&loop, UV_RUN_DEFAULT);
    reloader_ask(&reloader);
    assert_int_equal(counts.begun, 4);
    assert_int_equal(counts.good, 2);
    assert_int_equal(uv_loop_close(&loop), 0);
    uv_sem_destroy(&let_go);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_loop_turns_while_a_file_does_not_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
