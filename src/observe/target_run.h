/*
 * Starting and stopping one target; used by the fleet, and by looks at what it does not watch.
 */
#ifndef OBSERVE_TARGET_RUN_H
#define OBSERVE_TARGET_RUN_H

#include "observe/target.h"

/* Not yet running. Takes `config` over on success. `observer` is borrowed. NULL when memory is short. */
struct target *target_new(uv_loop_t *loop, struct coroutines *coroutines, const struct observer *observer,
                          struct target_config *config);
/* The first poll comes after `first_ns`, the first probe when that has ended. From then on they are due at whole
 * intervals, at an instant of the interval that depends on the target's place among all: as place/places for polls and
 * half an interval apart from them for probes. */
void target_run(struct target *target, int64_t first_ns, size_t place, size_t places);
/* In place of target_run(): one poll and one probe by each module, at once and side by side. `looked` is called from
 * the loop when one of these has ended, which for one that ran out of time is later than its result was there; not once
 * target_stop() was called. False when memory is short: to be stopped, too. */
bool target_look(struct target *target, void (*looked)(void *arg, struct target *target), void *arg);
/* No new operations; running ones end, the kept connection is closed with COM_QUIT, then `stopped(arg, target)` is
 * called from the loop. */
void target_stop(struct target *target, void (*stopped)(void *arg, struct target *target), void *arg);
/* While stopping: cut short what still runs. What it aborts is counted. */
void target_cancel(struct target *target);

#endif
