/*
 * How long each turn of the loop was busy: the measure of the promise that no step of the loop takes long.
 */
#ifndef BASE_LOOP_WATCH_H
#define BASE_LOOP_WATCH_H

#include "base/histogram.h"

#include <uv.h>

struct loop_watch {
    uv_prepare_t prepare;
    struct histogram *busy; /* the owner's */
    int64_t *longest_ns;    /* the owner's */
    int64_t last_ns;
    uint64_t last_idle_ns;
};

/* From now on until loop_watch_stop() every turn counts into *busy and *longest_ns. Before the loop's first run. */
void loop_watch_start(struct loop_watch *watch, uv_loop_t *loop, struct histogram *busy, int64_t *longest_ns);
void loop_watch_stop(struct loop_watch *watch);

#endif
