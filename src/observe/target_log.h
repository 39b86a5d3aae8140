/*
 * The error log of one target: its source, what is counted of its events, and the keeping of both over restarts; used
 * by target.c only.
 */
#ifndef OBSERVE_TARGET_LOG_H
#define OBSERVE_TARGET_LOG_H

#include "observe/target.h"

struct target_log;

/* Read target->config->error_log from now on, where the state that was kept says. NULL where none is configured or
 * memory is short (which is logged). Sets target->error_log and the counts. */
struct target_log *target_log_start(uv_loop_t *loop, const struct observer *observer, struct target *target);
/* After a poll, in its coroutine; `client` is NULL where it failed: what has to be asked from the server. From it comes
 * also what makes UTC of the times of lines that name no zone. It outlives us; where it is not known yet, files are not
 * read before the first poll has ended, or a second has passed, and events have the time as the line has it then. */
void target_log_poll(struct target_log *log, struct client *client);
/* Keep the state and end; target->error_log is NULL then. NULL is allowed. */
void target_log_stop(struct target_log *log);

#endif
