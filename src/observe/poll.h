/*
 * Polling: the connection subset of status and settings over one kept connection. Runs inside a coroutine.
 */
#ifndef OBSERVE_POLL_H
#define OBSERVE_POLL_H

#include "observe/client.h"
#include "observe/target.h"

/* Poll once and put what was learnt into target->poll. *kept is the connection between polls, NULL where there is none:
 * it is opened, replaced when it was found dead, and left for the next time. Nothing is logged. */
void poll_run(struct target *target, struct client **kept);

/* Whoever else uses the connection calls this after it: one that was lost is closed, and owned where that was our
 * doing. */
void poll_used(struct target *target, struct client **kept);

#endif
