/*
 * The loop's busy time; see loop_watch.h. libuv tells how long it idled in the kernel; the rest of a turn was work.
 */
#include "base/loop_watch.h"

#include "base/clock.h"

static void turn(uv_prepare_t *prepare) {
    struct loop_watch *watch = prepare->data;
    int64_t now = mono_now().ns;
    uint64_t idle = uv_metrics_idle_time(prepare->loop);
    int64_t busy = now - watch->last_ns - (int64_t)(idle - watch->last_idle_ns);
    histogram_add(watch->busy, busy);
    if (busy > *watch->longest_ns)
        *watch->longest_ns = busy;
    watch->last_ns = now;
    watch->last_idle_ns = idle;
}

void loop_watch_start(struct loop_watch *watch, uv_loop_t *loop, struct histogram *busy, int64_t *longest_ns) {
    uv_loop_configure(loop, UV_METRICS_IDLE_TIME);
    watch->busy = busy;
    watch->longest_ns = longest_ns;
    watch->last_ns = mono_now().ns;
    watch->last_idle_ns = uv_metrics_idle_time(loop);
    uv_prepare_init(loop, &watch->prepare);
    watch->prepare.data = watch;
    uv_prepare_start(&watch->prepare, turn);
    uv_unref((uv_handle_t *)&watch->prepare);
}

void loop_watch_stop(struct loop_watch *watch) {
    uv_close((uv_handle_t *)&watch->prepare, NULL);
}
