/*
 * The probe: connect, COM_PING, SELECT 1, COM_QUIT, and wait for the server's close, each phase timed. Runs inside a
 * coroutine.
 */
#ifndef OBSERVE_PROBE_H
#define OBSERVE_PROBE_H

#include "observe/target.h"

/* Probe once and put what was learnt into target->probe. Returns when the connection is closed, which for a probe that
 * ran out of time is later than its result was told. Nothing is logged. */
void probe_run(struct target *target);

#endif
