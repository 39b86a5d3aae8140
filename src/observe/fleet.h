/*
 * All watched targets, in the order of the configuration, and how a new configuration replaces the old one: unchanged
 * targets stay as they are, changed ones are stopped politely and started anew.
 */
#ifndef OBSERVE_FLEET_H
#define OBSERVE_FLEET_H

#include "config/config.h"
#include "observe/target.h"

#include <stddef.h>

struct fleet;

/* NULL with errno set on failure. `observer` is copied. */
struct fleet *fleet_new(uv_loop_t *loop, struct coroutines *coroutines, const struct observer *observer);
/* Where targets keep what outlives us (borrowed); before the first fleet_apply(). */
void fleet_set_store(struct fleet *fleet, struct state_store *store);
/* What tells of the network of this machine (borrowed); before the first fleet_apply(). */
void fleet_set_network(struct fleet *fleet, struct host_network *network);
/* Take over the targets of `config` (its slots become NULL). 0 or -ENOMEM; on failure the old targets go on. */
int fleet_apply(struct fleet *fleet, struct config *config);
/* See to the end of a target that runs without being ours: stop it, and cut it short when the fleet's own stop does.
 * Takes over its reference. */
void fleet_retire(struct fleet *fleet, struct target *target);
/* Close every connection with COM_QUIT; `done(arg)` is called once, when all are closed or at the deadline, when the
 * rest is dropped and counted. */
void fleet_stop(struct fleet *fleet, struct mono deadline, void (*done)(void *arg), void *arg);
/* After done() was called. NULL is allowed. */
void fleet_free(struct fleet *fleet);

size_t fleet_count(const struct fleet *fleet);
struct target *fleet_target(const struct fleet *fleet, size_t index);
/* Whether each target was polled and probed at least once. */
bool fleet_all_tried(const struct fleet *fleet);
/* Whether all error logs have caught up, log_source_caught_up(). */
bool fleet_logs_caught_up(const struct fleet *fleet);

#endif
